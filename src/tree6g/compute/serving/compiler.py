"""One source, two ways to run: plain Python on lists, compiled on arrays.

`compiled` makes compiled copies of functions that call each other: their code, bound to names of
which they themselves are the compiled ones. The plain functions stay as they are. The result is
kept on disk under a name with the hash of all their sources, so that it is never out of date.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

# Kernels make no arrays, so numba's counts of references to them are only in the way.
_OPTIONS: Final = {"error_model": "numpy", "_nrt": False}
# Numbers that are found by the address of the first: names in kernels, and what numba calls them.
_NUMBERS: Final = {"reals": "float64", "integers": "int64", "small": "int32"}


def available() -> bool:
    """Whether there is a compiler."""
    return importlib.util.find_spec("numba") is not None


def compiled(functions: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    """The last of the functions, compiled with those before it that it calls.

    Arithmetic is that of plain Python: no reordering of sums, no fused operations.
    """
    njit: Any = importlib.import_module("numba").njit  # counts no references: see `_OPTIONS`
    names: dict[str, Any] = {}
    for function in functions:
        names |= vars(sys.modules[function.__module__])
    names |= {"pointer": _pointer()}
    names |= {f"{name}_at": _numbers_at(name, kind) for name, kind in _NUMBERS.items()}
    mark = _hash(functions)
    for function in functions[:-1]:
        names[function.__name__] = njit(**_OPTIONS)(_copy(function, names, ""))
    top = _copy(functions[-1], names, mark)
    try:
        return njit(nogil=True, cache=True, **_OPTIONS)(top)
    except RuntimeError:  # nowhere to write
        return njit(nogil=True, **_OPTIONS)(top)


def _pointer() -> Callable[..., Any]:
    """What turns an array into the address of its numbers: calls then pass one word for it."""
    types: Any = importlib.import_module("numba").types
    typing_: Any = importlib.import_module("numba.core.typing")
    intrinsic: Any = importlib.import_module("numba.extending").intrinsic

    def pointer(typing: Any, array: Any) -> Any:  # noqa: ARG001 - numba's protocol
        """Type and code of the call, as numba asks for them."""

        def address(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            """The address of the array's numbers."""
            return context.make_array(sig.args[0])(context, builder, args[0]).data

        return typing_.signature(types.CPointer(array.dtype), array), address

    return intrinsic(pointer)


@functools.cache
def _numbers_at(name: str, kind: str) -> Callable[..., Any]:
    """What makes numbers of an address, as kernels take them."""
    types: Any = importlib.import_module("numba").types
    typing_: Any = importlib.import_module("numba.core.typing")
    intrinsic: Any = importlib.import_module("numba.extending").intrinsic

    def numbers(typing: Any, address: Any) -> Any:  # noqa: ARG001 - numba's protocol
        """Type and code of the call, as numba asks for them."""

        def point(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            """The address as a pointer to numbers."""
            return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

        return typing_.signature(types.CPointer(getattr(types, kind)), types.int64), point

    numbers.__name__ = numbers.__qualname__ = f"{name}_at"
    return intrinsic(numbers)


def _copy(function: Callable[..., Any], names: dict[str, Any], mark: str) -> types.FunctionType:
    assert isinstance(function, types.FunctionType)  # noqa: S101 - ours
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    copy.__module__ = function.__module__
    copy.__qualname__ = function.__qualname__ + mark
    return copy


def _hash(functions: Sequence[Callable[..., Any]]) -> str:
    files = sorted({str(sys.modules[f.__module__].__file__) for f in functions})
    whole = b"".join(Path(file).read_bytes() for file in [*files, layout_file(), __file__])
    return "_" + hashlib.sha256(whole).hexdigest()[:12]


def layout_file() -> str:
    """The file of the constants that the compiled code has taken in."""
    return str(Path(__file__).with_name("layout.py"))
