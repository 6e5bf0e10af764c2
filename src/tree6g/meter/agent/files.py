"""Files that come one after the other, late or not, such as 3GPP measurements: each read once.

A file is told by its path, size and time of change; one that was renamed or copied is told by its
content. A file that is still being written waits until it has stood still.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tree6g.errors import MeterError
from tree6g.meter.agent.config import Target
from tree6g.meter.reading import Found, merged
from tree6g.meter.recognise import recognise

STILL_S: Final = 5.0  # since its last change
MAX_FILES: Final = 20  # of one look; the others have their turn at the next
MAX_KNOWN: Final = 200_000
FORMAT: Final = "files"


@dataclasses.dataclass(frozen=True, slots=True)
class _Stamp:
    size: int
    changed_ns: int


class Folder:
    """New files below a pattern; what was read is known after `commit`, else it is read again."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: dict[str, str] = {}  # path -> stamp and content, of files that are there
        self._contents: set[str] = set()
        self._seen: dict[str, _Stamp] = {}
        self._new: dict[str, str] = {}
        self._most, self._is_unsaved = MAX_FILES, False

    def look(self) -> Found:
        """The readings of files that are new; those that cannot be read are told, once.

        Raises:
            MeterError: The folder cannot be read, or nothing was ever there.
        """
        self._new = {}
        found: list[Found] = []
        stamps = dict(self._stamps())
        if not stamps and not self._known:
            raise MeterError(f"there is no file {self._pattern}.")
        for path in self._ready(stamps):
            if len(self._new) >= self._most:
                break
            found.append(self._read(path, stamps[path]))
        self._seen = {path: stamp for path, stamp in stamps.items() if path not in self._known}
        whole = merged(found)
        lost = tuple(p for part in found if not part.format for p in part.problems)
        return dataclasses.replace(
            whole, format=whole.format or FORMAT, problems=(*whole.problems, *lost)
        )

    def restore(self, raw: bytes) -> None:
        """What was read before, as `state` gave it."""
        self._known = dict(json.loads(raw))
        self._contents = {entry.rpartition(" ")[2] for entry in self._known.values()}

    def state(self) -> bytes | None:
        """What will have been read once the rows of the last look are durable; None: as before."""
        is_same = not self._new and not self._is_unsaved
        return None if is_same else json.dumps(self._known | self._new).encode()

    def commit(self) -> None:
        """The rows of the last look are durable."""
        self._most = min(2 * self._most, MAX_FILES)
        self._is_unsaved = False
        self._take()

    def refused(self) -> tuple[str, ...]:
        """The ledger does not take the rows of the last look.

        Returns:
            The file that is given up; none: files are read one at a time from now on, to find it.
        """
        given_up = tuple(self._new) if len(self._new) == 1 else ()
        if given_up:
            self._is_unsaved = True
            self._take()
        self._most, self._new = 1, {}
        return given_up

    def _take(self) -> None:
        self._known |= self._new
        self._contents |= {entry.rpartition(" ")[2] for entry in self._new.values()}
        self._new = {}

    def drop(self) -> None:
        """They are not: the files are read again."""
        self._new = {}

    def close(self) -> None:
        """Nothing is held."""

    @property
    def _pattern(self) -> str:
        where = self._target.where
        return f"{where}/*" if Path(where).is_dir() else where

    def _stamps(self) -> Iterator[tuple[str, _Stamp]]:
        paths = glob.iglob(self._pattern, recursive=True)  # noqa: PTH207  # patterns with folders
        for count, path in enumerate(paths):
            if count >= MAX_KNOWN:
                raise MeterError(f"expected at most {MAX_KNOWN:,} files {self._pattern}.")
            try:
                stat = os.stat(path)  # noqa: PTH116  # thousands of them
            except OSError:
                continue  # it went away meanwhile
            if os.path.isfile(path):  # noqa: PTH113
                yield path, _Stamp(stat.st_size, stat.st_mtime_ns)

    def _ready(self, stamps: Mapping[str, _Stamp]) -> Iterator[str]:
        """Files that are new and stand still, the oldest first."""
        for gone in [path for path in self._known if path not in stamps]:
            del self._known[gone]
        now_ns = time.time_ns()
        for path, stamp in sorted(stamps.items(), key=lambda item: (item[1].changed_ns, item[0])):
            mark = f"{stamp.size} {stamp.changed_ns}"
            if self._known.get(path, "").rpartition(" ")[0] == mark:
                continue
            still = now_ns - stamp.changed_ns > STILL_S * 1e9
            if still or self._seen.get(path) == stamp:
                yield path

    def _read(self, path: str, stamp: _Stamp) -> Found:
        mark = f"{stamp.size} {stamp.changed_ns}"
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                raw = file.read(self._target.max_byte + 1)
        except OSError as error:
            return Found(format="", problems=(f"cannot read {path}: {error.strerror}.",))
        content = hashlib.blake2b(raw, digest_size=12).hexdigest()
        self._new[path] = f"{mark} {content}"
        if content in self._contents:
            return Found(format="")  # the same under another name
        if len(raw) > self._target.max_byte:
            text = f"expected at most {self._target.max_byte:,} byte in {path}."
            return Found(format="", problems=(text,))
        try:
            return recognise(raw, self._target.columns)
        except MeterError as error:
            return Found(format="", problems=(f"{path}: {error}",))
