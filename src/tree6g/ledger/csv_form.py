"""The CSV form of a ledger: a folder with `meta.json` and one `<table>.csv` per non-empty table.

A header row names the columns in any order, an empty cell is unknown, numbers are written with as
many digits as give the same number back.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv

from tree6g.ledger import meta as header
from tree6g.ledger import parts, schema
from tree6g.ledger.intake import Chunk, build, empty_folder, non_empty, table_files
from tree6g.ledger.reading import Ledger, read_meta

ROWS_PER_CHUNK: Final = 50_000
_SPECIAL: Final = (",", '"')


def to_csv(ledger: Ledger, folder: str | Path) -> None:
    """Write a ledger in its CSV form into a new folder.

    Raises:
        LedgerError: The folder is not empty or cannot be written.
    """
    folder = empty_folder(Path(folder))
    with parts.disk_errors(folder, "write"):
        for table in non_empty(ledger):
            with (folder / f"{table}.csv").open("wb") as target:
                target.write((",".join(schema.TABLES[table].names) + "\n").encode())
                for rows in ledger.batches(table):
                    pacsv.write_csv(_plain(rows), target, _options(rows))
        (folder / header.FILE).write_text(header.dump(ledger.meta), "utf-8")


def from_csv(folder: str | Path, out: str | Path) -> Ledger:
    """Read a ledger in its CSV form into a new ledger at `out`.

    Raises:
        LedgerError: The faults of the files, each with file and line; or `out` is taken.
    """
    folder = Path(folder)
    meta = read_meta(folder)
    return build(_chunks(table_files(folder, "csv")), meta, Path(out))


def _plain(rows: pa.RecordBatch) -> pa.Table:
    """Rows with text as text, for the writer knows no dictionaries."""
    arrays = [a.dictionary_decode() if pa.types.is_dictionary(a.type) else a for a in rows.columns]
    return pa.table(arrays, names=rows.schema.names)


def _options(rows: pa.RecordBatch) -> pacsv.WriteOptions:
    """Quote text only where a word needs it; decided by the distinct words."""
    coded = [a for a in rows.columns if pa.types.is_dictionary(a.type)]
    words = (w for a in coded for w in a.dictionary.to_pylist() if w)
    quoted = any(mark in word for word in words for mark in _SPECIAL)
    style = "needed" if quoted else "none"
    return pacsv.WriteOptions(include_header=False, quoting_style=style)


def _chunks(files: Mapping[str, Path]) -> Iterator[Chunk | str]:
    """Rows of all files; a text in place of rows is a fault of the file."""
    for table, path in files.items():
        try:
            with path.open(newline="", encoding="utf-8-sig") as text:
                yield from _file_chunks(table, path, csv.reader(text, strict=True))
        except UnicodeDecodeError as error:
            yield f"{path}: expected UTF-8 text; got: {error}."
        except OSError as error:
            yield f"{path}: cannot be read: {error.strerror}."


def _file_chunks(table: str, path: Path, reader: Any) -> Iterator[Chunk | str]:
    try:
        names: list[str] = next(reader, [])
        if not names or len(set(names)) < len(names):
            yield f"{path}:1: expected a header row that names each column once; got {names!r}"
            return
        records = [(reader.line_num, cells) for cells in islice(reader, ROWS_PER_CHUNK)]
        yield from _chunk(table, path, names, records)
        while records := [(reader.line_num, cells) for cells in islice(reader, ROWS_PER_CHUNK)]:
            yield from _chunk(table, path, names, records)
    except csv.Error as error:
        yield f"{path}:{reader.line_num}: not CSV: {error}."


def _chunk(
    table: str, path: Path, names: list[str], records: list[tuple[int, list[str]]]
) -> Iterator[Chunk | str]:
    """The rows of some lines; empty lines are skipped, lines of another length are faults."""
    for line, cells in records:
        if cells and len(cells) != len(names):
            yield f"{path}:{line}: expected {len(names)} cells; got {len(cells)}."
    good = [(line, cells) for line, cells in records if len(cells) == len(names)]
    by_column = list(zip(*(cells for _, cells in good), strict=True)) or [()] * len(names)
    wanted = schema.TABLES[table]
    columns = {n: _cells(wanted, n, c) for n, c in zip(names, by_column, strict=True)}
    yield table, columns, _place(path, [line for line, _ in good])


def _place(path: Path, lines: list[int]) -> Callable[[int | None], str]:
    return lambda row: str(path) if row is None else f"{path}:{lines[row]}"


def _cells(wanted: pa.Schema, name: str, cells: Sequence[str]) -> list[str | float | int | None]:
    """Cells as what their column holds; one that is no number stays text for the rules to name."""
    kind = wanted.field(name).type if name in wanted.names else pa.string()
    if pa.types.is_floating(kind):
        return [_float(c) for c in cells]
    if pa.types.is_integer(kind):
        return [_integer(c) for c in cells]
    return [c or None for c in cells]


def _float(cell: str) -> str | float | None:
    try:
        return float(cell)
    except ValueError:
        return cell or None


def _integer(cell: str) -> str | float | int | None:
    try:
        return int(cell)
    except ValueError:
        return _float(cell)
