"""Files of a ledger on disk: whole or absent, whatever the moment of a crash.

A file is written under a temporary name and synced (`prepare`), then renamed and its folder synced
(`publish`). Readers look at final names only, so a crash leaves the old state or the new one.
One writer at a time holds the lock of a ledger.

A part's name says which flushes of its table it holds: `part-000007` one, `part-000001-000024`
those of the small parts that it was merged from, `part-000001-000024-2` the same made anew, and
`part-000001-000024.dropped` that none of their rows is left. A file whose flushes another one holds
is covered: it is not listed, so it may stay for readers that opened it, and go at any moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tree6g.errors import LedgerError
from tree6g.ledger import schema

TEMPORARY: Final = ".tmp"
_ROWS: Final = ".parquet"
LOCK: Final = ".lock"
# Folder of rows that are durable and not yet in parts, see `tree6g.meter.agent.journal`.
JOURNAL: Final = ".journal"
# DuckDB's own row-group size: it reads, prunes and parallelises by row group.
ROWS_PER_GROUP: Final = 122_880
_PART: Final = re.compile(r"part-(\d{6,})(?:-(\d{6,}))?(?:-(\d{1,5}))?\.(parquet|dropped)")


@contextlib.contextmanager
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


def merged_path(ledger: Path, table: str, flushes: tuple[int, int], making: int = 1) -> Path:
    """Name of a part that holds all flushes from a first to a last, as it was made then."""
    name = "part-{:06d}-{:06d}".format(*flushes)
    return ledger / table / (f"{name}.parquet" if making == 1 else f"{name}-{making}.parquet")


def dropped_path(ledger: Path, table: str, flushes: tuple[int, int]) -> Path:
    """Name of the empty file that says that no row of some flushes is left."""
    return ledger / table / "part-{:06d}-{:06d}.dropped".format(*flushes)


def flushes_of(path: Path) -> tuple[int, int]:
    """Numbers of the first and the last flush that a part holds."""
    first, last, _, _ = _name_of(path)
    return first, last


def making_of(path: Path) -> int:
    """How many times the rows of these flushes were made one part."""
    return _name_of(path)[2]


def last_number(ledger: Path, table: str) -> int:
    """Number of the last flush of a table, 0 without parts."""
    return max((flushes_of(path)[1] for path in _all_parts(ledger, table)), default=0)


def list_parts(ledger: Path, table: str) -> list[Path]:
    """The parts of a table in the order in which they were written."""
    return [p for p in _in_force(_all_parts(ledger, table)) if p.suffix == _ROWS]


def list_covered(ledger: Path, table: str) -> list[Path]:
    """Files that no reader needs: covered parts, and after the last of them what dropped them."""
    files = _all_parts(ledger, table)
    ruling = _in_force(files)
    covered = [path for path in files if path not in set(ruling)]
    spans = [flushes_of(path) for path in covered]
    over = [
        path
        for path in ruling
        if path.suffix != _ROWS and not any(_lies_in(span, flushes_of(path)) for span in spans)
    ]
    return covered + over


def _all_parts(ledger: Path, table: str) -> list[Path]:
    folder = ledger / table
    files = folder.iterdir() if folder.is_dir() else ()
    return [path for path in files if _PART.fullmatch(path.name)]


def _in_force(files: list[Path]) -> list[Path]:
    """Files that are not covered, in order: ranges of flushes lie apart or in one another."""
    reach, found = -1, []
    for path in sorted(files, key=_rank):
        last = flushes_of(path)[1]
        if last > reach:
            found.append(path)
            reach = last
    return found


def _rank(path: Path) -> tuple[int, int, bool, int]:
    first, last, making, rows = _name_of(path)
    return first, -last, rows, -making


def _name_of(path: Path) -> tuple[int, int, int, bool]:
    """First and last flush, number of the making, and whether it holds rows."""
    found = _PART.fullmatch(path.name)
    if found is None:
        raise LedgerError(f"expected the name of a part; got {path}.")
    first, last, making, kind = found.groups()
    # A single flush is made once, so its name has one number.
    single = last is None
    return (
        int(first),
        int(first if single else last),
        int(making or not single),
        f".{kind}" == _ROWS,
    )


def _lies_in(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def list_stale(ledger: Path) -> list[Path]:
    """Temporary files that a crashed writer left behind (or a running one is writing)."""
    folders = [ledger, *(ledger / table for table in schema.TABLES)]
    return sorted(p for f in folders if f.is_dir() for p in f.iterdir() if p.suffix == TEMPORARY)


def write_parquet(data: pa.Table, target: IO[bytes]) -> None:
    """Encode rows as every part is encoded: the same rows give the same bytes."""
    write_groups([data], data.schema, target)


def write_groups(groups: Iterable[pa.Table], columns: pa.Schema, target: IO[bytes]) -> None:
    """Encode rows that come in pieces, none of which shares a row group with another."""
    repeated = [f.name for f in columns if pa.types.is_dictionary(f.type)]
    with pq.ParquetWriter(
        target,
        columns,
        compression="zstd",
        compression_level=1,
        use_dictionary=[*repeated, *(n for n in ("t0_s", "t1_s") if n in columns.names)],
    ) as writer:
        for data in groups:
            writer.write_table(data, row_group_size=ROWS_PER_GROUP)


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
        try:
            sync_folder(folder.parent)
        except BaseException:
            # Who finds it the next time takes its name for durable.
            with contextlib.suppress(OSError):
                folder.rmdir()
            raise


def sync_names(ledger: Path) -> None:
    """Make names durable that a writer gave and died before it could sync them."""
    folders = [ledger.parent, ledger, ledger / JOURNAL, *(ledger / t for t in schema.TABLES)]
    for folder in folders:
        if folder.is_dir():
            sync_folder(folder)


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
