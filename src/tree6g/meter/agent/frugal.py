"""A process that runs for months gives memory back that it no longer needs."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_TRIM_THRESHOLD: Final = -1  # of mallopt(3), GNU C library
_ARENA_MAX: Final = -8


def frugal() -> None:
    """Memory that is given back goes back to the system; before Arrow is imported.

    Arrow's own pool keeps what a flush needed once, and so do the pools that the C library has for
    every thread: 20 MB of the 150 that a hundred targets may take. It holds for the whole process,
    so a command may ask for it and a library may not.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    limit = getattr(ctypes.CDLL(None), "mallopt", None)
    if limit is not None:
        limit(_ARENA_MAX, 1)
        limit(_TRIM_THRESHOLD, 1 << 20)
