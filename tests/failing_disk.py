"""A disk that fills, a process that dies and a power that fails, at any call to the system.

Patched are the calls by which the ledger changes what is on disk. When the process dies, calls
after the chosen one do nothing, also those that would tidy up. When the power fails, in addition
any of the changes of names whose folder was not synced since is undone, and any end of what was
written and not synced is gone.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

FULL = OSError(28, "No space left on device")


class Crash(BaseException):
    """The process ended here."""


class Disk:
    """The disk; `fail` chooses what happens at which of the calls to come."""

    def __init__(self, monkeypatch: Any) -> None:
        self._real = {name: getattr(os, name) for name in _PATCHED}
        self._left: int | None = None
        self._how = ""
        self._dead = False
        self._names: list[tuple[Path, Callable[[], None]]] = []
        self._written: dict[int, tuple[Path, int]] = {}
        self.failed = False
        for name in _PATCHED:
            monkeypatch.setattr(os, name, getattr(self, f"_{name}"))

    def fail(self, how: str, after: int) -> None:
        """Let the call that comes after so many others fail: `full` or `crash`."""
        self._how, self._left, self.failed = how, after, False

    def mend(self, rng: random.Random | None = None) -> None:
        """There is space again, or the next process begins.

        Args:
            rng: Chance that decides what a power failure took; None if there was none.
        """
        if rng is not None:
            for _, undo in reversed(self._names):
                if rng.random() < 0.5:
                    undo()
            for path, safe in self._written.values():
                if path.exists():
                    os.truncate(path, rng.randint(safe, max(safe, path.stat().st_size)))
            self._names, self._written = [], {}
        self._left, self._dead, self.failed = None, False, False

    def _fails(self) -> bool:
        if self._dead:
            raise Crash
        if self._left is None or self._left > 0:
            self._left = None if self._left is None else self._left - 1
            return False
        self.failed = True
        if self._how == "full":
            return True
        self._dead = True
        return True

    def _stop(self) -> None:
        raise Crash if self._dead else FULL

    def _call(self, name: str, *args: Any) -> Any:
        if self._fails():
            self._stop()
        return self._real[name](*args)

    def _fsync(self, handle: int) -> None:
        self._call("fsync", handle)
        path, found = _path_of(handle), os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            self._names = [(folder, undo) for folder, undo in self._names if folder != path]
        self._written.pop(found.st_ino, None)

    def _pwrite(self, handle: int, data: Any, at: int) -> int:
        found = os.fstat(handle)
        self._written.setdefault(found.st_ino, (_path_of(handle), at))
        if self._fails():
            self._real["pwrite"](handle, data[: len(data) // 3], at)
            self._stop()
        return self._real["pwrite"](handle, data, at)

    def _ftruncate(self, handle: int, size: int) -> None:
        if self._fails() and self._dead:  # taking away needs no space
            self._stop()
        self._real["ftruncate"](handle, size)

    def _replace(self, source: Path, target: Path) -> None:
        undo = self._undo(target)
        self._call("replace", source, target)
        self._names.append((Path(target).parent, undo))

    def _unlink(self, path: Path, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None:  # a whole tree is removed, which the ledger never does
            self._real["unlink"](path, dir_fd=dir_fd)
            return
        undo = self._undo(path)
        if self._fails() and self._dead:
            self._stop()
        self._real["unlink"](path)
        self._names.append((Path(path).parent, undo))

    def _mkdir(self, path: Path, mode: int = 0o777) -> None:
        self._call("mkdir", path, mode)
        gone = lambda: shutil.rmtree(path, ignore_errors=True)  # noqa: E731
        self._names.append((Path(path).parent, gone))

    def _undo(self, path: Path) -> Callable[[], None]:
        """Puts back what a name meant."""
        path = Path(path)
        old = path.read_bytes() if path.exists() else None

        def undo() -> None:
            if old is not None and path.parent.exists():
                path.write_bytes(old)
            elif path.exists():
                self._real["unlink"](path)

        return undo


def _path_of(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}").readlink()


_PATCHED = ("fsync", "pwrite", "ftruncate", "replace", "unlink", "mkdir")
