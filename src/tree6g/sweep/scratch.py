"""The folder in which a worker process keeps the ledgers of its runs, and its removal."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_own: dict[int, Path] = {}  # by process: a fork must not share, nor remove, its parent's


def folder() -> Path:
    """This process's folder, made on first use and removed at its end."""
    mine = _own.get(os.getpid())
    if mine is None or not mine.is_dir():
        mine = _own[os.getpid()] = Path(tempfile.mkdtemp(prefix="tree6g-sweep-"))
        atexit.register(remove)
    return mine


def remove() -> None:
    """Remove this process's folder, if it has one."""
    mine = _own.pop(os.getpid(), None)
    if mine is not None:
        shutil.rmtree(mine, ignore_errors=True)
