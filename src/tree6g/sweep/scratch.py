"""Folders for the ledgers of runs under way, gone when the run is or when its worker leaves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_open: set[Path] = set()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one run."""
    mine = Path(tempfile.mkdtemp(prefix="tree6g-sweep-"))
    _open.add(mine)
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)
        _open.discard(mine)


def remove() -> None:
    """Remove the folders of all runs under way, for a process that leaves at once."""
    for mine in tuple(_open):
        shutil.rmtree(mine, ignore_errors=True)
