r"""A log of scrapes: a folder with `log.json` and one file per target.

A file is a row of gzip members, one per look, so `zcat NAME.scrapes.gz` shows all of it as text:

    # tree6g scrape 1764327600.125 ok 12
    x_total 5.0

    # tree6g scrape 1764327610.125 failed 22
    cannot reach it: refused

Behind the words stand the time of the look (UNIX, of the recorder), whether it gave anything, and
the byte of what follows; a blank line ends it. Members are appended with one write each. A file
that was cut anywhere is read up to the last whole member, for a member ends in its checksum; what
is left over is told, and cut off before a recorder appends again.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tree6g.errors import MeterError

SCHEMA: Final = "tree6g-scrapes-1"
FILE: Final = "log.json"
SUFFIX: Final = ".scrapes.gz"
MAX_BYTE: Final = 64_000_000  # of one look, unpacked
_CHUNK: Final = 1 << 16
_HEAD: Final = re.compile(rb"# tree6g scrape (\d{1,12}\.\d{3,9}) (ok|failed) (\d{1,9})\n")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One look at a target.

    Attributes:
        time_s: When, UNIX time of the recorder.
        raw: What it said; empty if it failed.
        why: Why it failed; empty if it did not.
    """

    time_s: float
    raw: bytes = b""
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry lies in its file."""

    time_s: float
    start: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log that is read.

    Attributes:
        folder: Its folder.
        targets: What was recorded, by name: `where`, and what the recorder knew of it.
        config: Text of the agent's configuration it was recorded with; None: there was none.
        interval_s: How often it was looked.
    """

    folder: Path
    targets: Mapping[str, Mapping[str, Any]]
    config: str | None
    interval_s: float

    def path(self, name: str) -> Path:
        """File of a target."""
        return self.folder / f"{name}{SUFFIX}"

    def entries(self, name: str) -> Iterator[Entry]:
        """The looks at a target, in order; one that was cut off is left out."""
        path = self.path(name)
        for place, content in _members(path):
            yield _entry(content, path, place.start)

    def places(self, name: str) -> list[Place]:
        """Where its looks lie."""
        return [place for place, _ in _members(self.path(name))]

    def entry(self, name: str, place: Place) -> Entry:
        """The look at a place."""
        path = self.path(name)
        with _open(path) as file:
            file.seek(place.start)
            raw = file.read(place.end - place.start)
        return _entry(gzip.decompress(raw), path, place.start)

    def span_s(self) -> tuple[float, float]:
        """Time of the first and of the last look.

        Raises:
            MeterError: There is none.
        """
        times = [place.time_s for name in self.targets for place in self.places(name)]
        if not times:
            raise MeterError(f"expected scrapes in {self.folder}; there is none.")
        return min(times), max(times)

    def problems(self) -> list[str]:
        """Files that are missing or were cut off."""
        found = []
        for name in self.targets:
            path = self.path(name)
            if not path.exists():
                found.append(f"{path}: there is no such file; {name} was never looked at.")
                continue
            end = max((place.end for place in self.places(name)), default=0)
            left = path.stat().st_size - end
            if left:
                found.append(f"{path}: the last {left:,} byte are no whole scrape; left out.")
        return found


def open_log(folder: Path) -> Log:
    """A log in a folder.

    Raises:
        MeterError: There is none, or its `log.json` is broken.
    """
    path = folder / FILE
    try:
        body = json.loads(path.read_text("utf-8"))
        if body["schema"] != SCHEMA:
            raise MeterError(f"expected schema {SCHEMA!r} in {path}; got {body['schema']!r}.")
        targets = {_named(name): dict(told) for name, told in body["targets"].items()}
        interval_s = float(body["interval_s"])
        config = body.get("config")
    except FileNotFoundError as error:
        raise MeterError(
            f"expected a log of scrapes (a folder with {FILE}); found none at {folder}. "
            "`tree6g meter record` writes one."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeterError(f"cannot read {path}: {error}.") from error
    if not 0.0 < interval_s < math.inf or not isinstance(config, str | None):
        raise MeterError(f"cannot read {path}: interval_s or config is of the wrong kind.")
    return Log(folder=folder, targets=targets, config=config, interval_s=interval_s)


def start_log(
    folder: Path,
    targets: Mapping[str, Mapping[str, Any]],
    interval_s: float,
    config: str | None = None,
) -> Log:
    """A new log, or one that is gone on with: torn ends are cut off.

    Raises:
        MeterError: The folder holds something else, or a log of other targets.
    """
    for name in targets:
        _named(name)
    log = Log(folder=folder, targets=targets, config=config, interval_s=interval_s)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / FILE).exists():
            old = open_log(folder)
            if dict(old.targets) != dict(targets) or old.config != config:
                raise MeterError(
                    f"{folder} is a log of other targets or another configuration; choose "
                    "another folder."
                )
            _cut(old)
            return old
        if any(folder.iterdir()):
            raise MeterError(f"expected an empty folder or a log of scrapes at {folder}.")
        body = {"schema": SCHEMA, "targets": targets, "interval_s": interval_s, "config": config}
        text = json.dumps(body, indent=1, sort_keys=True) + "\n"
        temporary = folder / f"{FILE}.tmp"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(folder / FILE)
    except OSError as error:
        raise MeterError(f"cannot write {folder}: {error.strerror or error}.") from error
    return log


def append(log: Log, name: str, entry: Entry) -> None:
    """Add one look; durable when this returns.

    Raises:
        MeterError: The disk refuses; the file is then as before.
    """
    path = log.path(name)
    try:
        with path.open("ab") as file:
            before = file.tell()
            try:
                file.write(encoded(entry))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), before)
                raise
    except OSError as error:
        raise MeterError(f"cannot write {path}: {error.strerror or error}.") from error


def encoded(entry: Entry) -> bytes:
    """One member: the same entry gives the same bytes."""
    body = entry.why.encode() if entry.why else entry.raw
    word = "failed" if entry.why else "ok"
    head = f"# tree6g scrape {entry.time_s:.6f} {word} {len(body)}\n".encode()
    return gzip.compress(head + body + b"\n\n", compresslevel=6, mtime=0)


def _cut(log: Log) -> None:
    for name in log.targets:
        path = log.path(name)
        if path.exists():
            end = max((place.end for place in log.places(name)), default=0)
            os.truncate(path, end)


def _members(path: Path) -> Iterator[tuple[Place, bytes]]:
    """Whole members and where they lie, none without a file; one of them is held at a time."""
    if not path.exists():
        return
    with _open(path) as file:
        start, rest = 0, b""
        while True:
            unpack = zlib.decompressobj(wbits=31)
            content, read = b"", 0
            while not unpack.eof:
                raw = rest or file.read(_CHUNK)
                if not raw:
                    return
                try:
                    content += unpack.decompress(raw, max(MAX_BYTE + 256 - len(content), 1))
                except zlib.error:
                    return
                rest = b""
                if unpack.unconsumed_tail:
                    raise MeterError(f"expected at most {MAX_BYTE:,} byte in a scrape of {path}.")
                read += len(raw)
            rest = unpack.unused_data
            end = start + read - len(rest)
            head = _HEAD.match(content)
            if head is None:
                raise MeterError(f"{path}: at byte {start:,} is no scrape of tree6g.")
            yield Place(time_s=float(head[1]), start=start, end=end), content
            start = end


def _entry(content: bytes, path: Path, start: int) -> Entry:
    head = _HEAD.match(content)
    size = int(head[3]) if head else -1
    body = content[head.end() : head.end() + size] if head else b""
    if head is None or len(body) != size:
        raise MeterError(f"{path}: at byte {start:,} is no scrape of tree6g.")
    time_s = float(head[1])
    if head[2] == b"ok":
        return Entry(time_s=time_s, raw=body)
    return Entry(time_s=time_s, why=body.decode("utf-8", "replace") or "it failed")


def _open(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise MeterError(f"cannot read {path}: {error.strerror or error}.") from error


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise MeterError(f"expected letters, digits, '.', '_' or '-' as a name; got {name!r}.")
    return name
