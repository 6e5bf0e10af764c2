"""Ledgers to and from CSV and Parquet files, Arrow tables and data frames.

Every way out and in again gives the same rows: numbers to the last bit, in the same order, unknown
cells as null. What comes in is held to all rules of the ledger, and all faults are named at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tree6g.errors import LedgerError
from tree6g.ledger import meta as header
from tree6g.ledger import parts, schema
from tree6g.ledger.csv_form import from_csv, to_csv
from tree6g.ledger.intake import Chunk, build, empty_folder, non_empty, table_files
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import ROWS_PER_BATCH, Ledger, part_errors, read_meta

__all__ = [
    "from_arrow",
    "from_csv",
    "from_frame",
    "from_parquet",
    "to_arrow",
    "to_csv",
    "to_pandas",
    "to_parquet",
    "to_polars",
]


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
