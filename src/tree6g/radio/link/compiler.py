"""How kernels are compiled: on first use, kept on disk where there is a folder to keep them in."""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

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
        """The function compiled, kept on disk if asked."""
        compiler = numba.njit(cache=cache, fastmath=fast, error_model="numpy", nogil=True)
        return cast("_Function", compiler(function))

    try:
        return compile_(cache=True)
    except RuntimeError:  # nowhere to write
        return compile_(cache=False)


def compiled_together(functions: Sequence[Callable[..., object]]) -> Callable[..., Any]:
    """The last of some plain functions, compiled with those that it calls; sums stay in order.

    The functions themselves stay as they are: copies of them are bound to one another. What is kept
    on disk has the hash of their files in its name, so that a change of any of them is seen.
    """
    names: dict[str, Any] = {}
    for function in functions:
        names |= vars(sys.modules[function.__module__])
    mark = _hash_of(functions)
    for function in functions[:-1]:
        copy = _bound(function, names, "")
        names[function.__name__] = numba.njit(error_model="numpy")(copy)
    return _kept(_bound(functions[-1], names, mark), fast=False)


def _bound(function: Callable[..., object], names: dict[str, Any], mark: str) -> Any:
    assert isinstance(function, types.FunctionType)  # noqa: S101 - ours
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    copy.__module__ = function.__module__
    copy.__qualname__ = function.__qualname__ + mark
    return copy


def _hash_of(functions: Sequence[Callable[..., object]]) -> str:
    files = sorted({str(sys.modules[f.__module__].__file__) for f in functions})
    whole = b"".join(Path(file).read_bytes() for file in (*files, __file__))
    return "_" + hashlib.sha256(whole).hexdigest()[:12]
