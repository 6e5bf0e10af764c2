"""Ledgers to and from Parquet files, Arrow tables and data frames; `csv_form` does CSV.

Every way out and in again gives the same rows: numbers to the last bit, in the same order, unknown
cells as null. What comes in is held to all rules of the ledger, and all faults are named at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tree6g.errors import LedgerError, nearest
from tree6g.ledger import batch, parts, schema
from tree6g.ledger import meta as header
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import ROWS_PER_BATCH, Ledger, open_ledger, part_errors, read_meta
from tree6g.ledger.writer import LedgerWriter, new_ledger

# Rows of one table on their way in: columns, and a function that says where row i came from.
Chunk: TypeAlias = tuple[str, Mapping[str, batch.Column], Callable[[int | None], str]]


def to_parquet(ledger: Ledger, folder: str | Path) -> None:
    """Write a ledger as one `<table>.parquet` per non-empty table and its `meta.json`."""
    folder = empty_folder(Path(folder))
    with parts.disk_errors(folder, "write"):
        for table in non_empty(ledger):
            with pq.ParquetWriter(folder / f"{table}.parquet", schema.TABLES[table]) as target:
                for rows in ledger.batches(table):
                    target.write_batch(rows)
        (folder / header.FILE).write_text(header.dump(ledger.meta), "utf-8")


def from_parquet(folder: str | Path, out: str | Path) -> Ledger:
    """Read what `to_parquet` writes (`<table>.parquet` and `meta.json`) into a new ledger at `out`.

    Raises:
        LedgerError: The faults of the files, or `out` is taken.
    """
    folder = Path(folder)
    meta = read_meta(folder)
    return build(_parquet_chunks(table_files(folder, "parquet")), meta, Path(out))


def to_arrow(ledger: Ledger) -> dict[str, pa.Table]:
    """All tables of a ledger as Arrow tables, empty ones too."""
    return {table: ledger.table(table) for table in schema.TABLES}


def from_arrow(tables: Mapping[str, pa.Table], meta: Meta, out: str | Path) -> Ledger:
    """A new ledger at `out` from Arrow tables; absent tables stay empty.

    Raises:
        LedgerError: The faults of the rows, or `out` is taken.
    """
    return build(_arrow_chunks(tables), meta, Path(out))


def to_pandas(ledger: Ledger) -> dict[str, Any]:
    """All tables as pandas frames: text as categories, whole numbers as nullable `Int64`.

    Raises:
        LedgerError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise _missing("pandas") from error
    types = {pa.int64(): pd.Int64Dtype()}
    return {t: rows.to_pandas(types_mapper=types.get) for t, rows in to_arrow(ledger).items()}


def to_polars(ledger: Ledger) -> dict[str, Any]:
    """All tables as Polars frames.

    Raises:
        LedgerError: Polars is not installed.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise _missing("polars") from error
    return {table: pl.from_arrow(rows) for table, rows in to_arrow(ledger).items()}


def from_frame(frames: Mapping[str, Any], meta: Meta, out: str | Path) -> Ledger:
    """A new ledger at `out` from pandas or Polars frames by table; a pandas index is not read.

    Raises:
        LedgerError: Not frames, the faults of their rows, or `out` is taken.
    """
    return from_arrow({table: _frame_rows(table, f) for table, f in frames.items()}, meta, out)


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


def _arrow_chunks(tables: Mapping[str, pa.Table]) -> Iterator[Chunk]:
    for table, rows in tables.items():
        schema.columns_of(table)
        for start in range(0, rows.num_rows, ROWS_PER_BATCH):
            part = rows.slice(start, ROWS_PER_BATCH)
            columns = {name: part.column(name) for name in part.column_names}
            yield table, columns, _place(f"table '{table}'", start)


def _parquet_chunks(files: Mapping[str, Path]) -> Iterator[Chunk]:
    for table, path in files.items():
        start = 0
        with part_errors(path), pq.ParquetFile(path) as file:
            for rows in file.iter_batches(ROWS_PER_BATCH):
                columns = dict(zip(rows.schema.names, rows.columns, strict=True))
                yield table, columns, _place(str(path), start)
                start += rows.num_rows


def _place(where: str, start: int) -> Callable[[int | None], str]:
    return lambda row: where if row is None else f"{where}, row {start + row}"


def _frame_rows(table: str, frame: Any) -> pa.Table:
    try:
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(frame, pandas.DataFrame):
            return pa.Table.from_pandas(frame, preserve_index=False)
        return pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise LedgerError(
            f"expected a pandas or Polars frame of plain columns for table '{table}'; got "
            f"{type(frame).__name__}: {error}."
        ) from error


def _missing(package: str) -> LedgerError:
    return LedgerError(f"{package} is not installed. Run: pip install 'tree6g[{package}]'")
