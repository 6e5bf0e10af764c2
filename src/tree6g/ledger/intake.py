"""Rows from outside into a new ledger: all of them, or a list of all that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from tree6g.errors import LedgerError, nearest
from tree6g.ledger import batch, parts, schema
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter, new_ledger

# Rows of one table on their way in: columns, and a function that says where row i came from.
Chunk: TypeAlias = tuple[str, Mapping[str, batch.Column], Callable[[int | None], str]]


def build(chunks: Iterable[Chunk | str], meta: Meta, out: Path) -> Ledger:
    """A new ledger from chunks of rows; a text among them says what could not be read.

    Raises:
        LedgerError: All faults of the rows; no ledger is left then.
    """
    found: list[str] = []
    with new_ledger(out, meta) as writer:
        for chunk in chunks:
            if isinstance(chunk, str):
                found.append(chunk)
            else:
                _add(writer, *chunk, found)
        if found:
            raise LedgerError(_message(found))
    return open_ledger(out)


def table_files(folder: Path, suffix: str) -> dict[str, Path]:
    """The files `<table>.<suffix>` of a folder in the order of the schema.

    Raises:
        LedgerError: A file of that suffix is named like no table.
    """
    with parts.disk_errors(folder, "read"):
        names = sorted(p.name.removesuffix(f".{suffix}") for p in folder.glob(f"*.{suffix}"))
    for name in names:
        if name not in schema.TABLES:
            raise LedgerError(
                f"expected {folder / name}.{suffix} to be named like a table. "
                f"{nearest(name, schema.TABLES)}"
            )
    return {table: folder / f"{table}.{suffix}" for table in schema.TABLES if table in names}


def empty_folder(folder: Path) -> Path:
    """A folder to write files into, which must not hold any yet."""
    with parts.disk_errors(folder, "write"):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise LedgerError(f"expected an empty folder at {folder}. Choose another.")
    return folder


def non_empty(ledger: Ledger) -> list[str]:
    """Tables that have rows."""
    return [table for table, rows in ledger.part_rows.items() if rows]


def _add(
    writer: LedgerWriter,
    table: str,
    columns: Mapping[str, batch.Column],
    where: Callable[[int | None], str],
    found: list[str],
) -> None:
    data, faults = batch.convert(table, columns)
    faults += batch.faults(table, data)
    found += [f"{where(f.row)}: {f.text}" for f in faults]
    if not found:
        try:
            writer.append(table, {name: data.column(name) for name in data.column_names})
        except LedgerError as error:
            found.append(f"{where(None)}: {error}")


def _message(found: list[str]) -> str:
    lines = found[: batch.SHOWN]
    if len(found) > batch.SHOWN:
        lines.append(f"... and {len(found) - batch.SHOWN} more")
    count = f"{len(found)} problem{'' if len(found) == 1 else 's'}"
    return f"these rows cannot enter a ledger, {count}:\n  " + "\n  ".join(lines)
