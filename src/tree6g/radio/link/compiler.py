"""How kernels are compiled: on first use, kept on disk where there is a folder to keep them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """A kernel that rounds as NumPy does."""
    return _kept(function, fast=False)


def compiled_fast(function: _Function) -> _Function:
    """A kernel whose sums may be reordered and whose arguments are finite (fast mathematics)."""
    return _kept(function, fast=True)


def _kept(function: _Function, *, fast: bool) -> _Function:
    def compile_(*, cache: bool) -> _Function:
        compiler = numba.njit(cache=cache, fastmath=fast, error_model="numpy", nogil=True)
        return cast("_Function", compiler(function))

    try:
        return compile_(cache=True)
    except RuntimeError:  # nowhere to write
        return compile_(cache=False)
