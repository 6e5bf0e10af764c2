"""Files of a ledger on disk: whole or absent, whatever the moment of a crash.

A file is written under a temporary name and synced (`prepare`), then renamed and its folder synced
(`publish`). Readers look at final names only, so a crash leaves the old state or the new one.
One writer at a time holds the lock of a ledger.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tree6g.errors import LedgerError
from tree6g.ledger import schema

TEMPORARY: Final = ".tmp"
LOCK: Final = ".lock"
# Folder of rows that are durable and not yet in parts, see `tree6g.meter.agent.journal`.
JOURNAL: Final = ".journal"
# DuckDB's own row-group size: it reads, prunes and parallelises by row group.
ROWS_PER_GROUP: Final = 122_880
_PART: Final = re.compile(r"part-\d{6,}\.parquet")


@contextmanager
def disk_errors(path: Path, what: str) -> Iterator[None]:
    """Turn an operating-system error into a LedgerError that names `path` and what was tried."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise LedgerError(
            f"cannot {what} {path}: {reason}. Check the disk and the path."
        ) from error


def part_path(ledger: Path, table: str, number: int) -> Path:
    """Name of a part of a table."""
    return ledger / table / f"part-{number:06d}.parquet"


def part_number(path: Path) -> int:
    """Number of a part from its name."""
    return int(path.stem.removeprefix("part-"))


def last_number(ledger: Path, table: str) -> int:
    """Greatest number of a part of a table, 0 without parts."""
    known = list_parts(ledger, table)
    return part_number(known[-1]) if known else 0


def list_parts(ledger: Path, table: str) -> list[Path]:
    """The parts of a table in the order in which they were written."""
    folder = ledger / table
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted((p for p in files if _PART.fullmatch(p.name)), key=part_number)


def list_stale(ledger: Path) -> list[Path]:
    """Temporary files that a crashed writer left behind (or a running one is writing)."""
    folders = [ledger, *(ledger / table for table in schema.TABLES)]
    return sorted(p for f in folders if f.is_dir() for p in f.iterdir() if p.suffix == TEMPORARY)


def write_parquet(data: pa.Table, target: IO[bytes]) -> None:
    """Encode rows as every part is encoded: the same rows give the same bytes."""
    repeated = [f.name for f in data.schema if pa.types.is_dictionary(f.type)]
    pq.write_table(
        data,
        target,
        row_group_size=ROWS_PER_GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=[*repeated, *(n for n in ("t0_s", "t1_s") if n in data.column_names)],
    )


def prepare(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write the content of `path` under its temporary name and sync it."""
    with _temporary(path).open("wb") as target:
        write(target)
        target.flush()
        os.fsync(target.fileno())


def publish(paths: Iterable[Path]) -> None:
    """Give prepared files their final names, in order, and sync their folders."""
    folders: dict[Path, None] = {}
    for path in paths:
        os.replace(_temporary(path), path)  # noqa: PTH105 - one spelling of the call to be recorded
        folders[path.parent] = None
    for folder in folders:
        sync_folder(folder)


def discard(paths: Iterable[Path]) -> None:
    """Remove what `prepare` wrote for `paths`."""
    for path in paths:
        _temporary(path).unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Replace a small text file durably."""
    prepare(path, lambda target: target.write(text.encode()))
    publish([path])


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents; each new name is synced into its parent."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock(ledger: Path) -> IO[bytes]:
    """Take the ledger's lock, which holds until the returned file is closed or the process ends.

    Raises:
        LedgerError: Another writer holds it.
    """
    handle = (ledger / LOCK).open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise LedgerError(
            f"expected to be the only writer of {ledger}; another one has it open. "
            "Close that one, or write a ledger of your own and merge them."
        ) from error
    return handle


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + TEMPORARY)
