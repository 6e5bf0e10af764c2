"""CSV through Arrow: any text, timestamps, words, and what is wrong with a file that is unsound.

Cells are read as text and turned into numbers in one go; only when a cell does not read as a number
are the cells looked at one by one, and only for rows that are reported is the file scanned again
for its line numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tree6g.errors import DataError
from tree6g.scenario.trace_cells import (
    MAX_LINE_BYTE,
    NO_WORD,
    WORDS,
    Column,
    Table,
    lines_of,
    records,
    short,
)

_DATE: Final = re.compile(r"\s*\d{4}-\d\d-\d\d")
_STAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?"
)


def read(path: Path, titles: Sequence[str], separator: str, wanted: Mapping[str, str]) -> Table:
    """The wanted columns of a CSV file, as `trace_table.read_csv`.

    Raises:
        DataError: The file cannot be split into rows at all.
    """
    indices = {ours: titles.index(title) for ours, title in wanted.items()}
    ragged: tuple[str, ...] = ()
    try:
        cells = _arrow_cells(path, len(titles), separator, set(indices.values()))
    except (pa.ArrowException, OSError, ValueError) as error:
        if not re.search(r"Expected \d+ columns, got", str(error)):
            raise DataError(_unreadable(path, error)) from error
        cells, ragged = _sound_cells(path, len(titles), separator, set(indices.values()))
    return Table(
        columns={
            ours: (_words if ours in WORDS else _column)(titles[i], cells[i])
            for ours, i in indices.items()
        },
        lines=lambda rows: lines_of(path, separator, len(titles), rows),
        problems=ragged,
    )


def _words(title: str, cells: pa.ChunkedArray) -> Column:
    """Words by their number in order of appearance."""
    text = pc.utf8_trim_whitespace(cells)
    coded = pc.if_else(pc.equal(text, ""), None, text).combine_chunks().dictionary_encode()
    value = coded.indices.cast(pa.float64()).fill_null(NO_WORD).to_numpy(zero_copy_only=False)
    return Column(title=title, value=value, written=_cell(cells))


def _arrow_cells(
    path: Path, width: int, separator: str, indices: Collection[int]
) -> dict[int, pa.ChunkedArray]:
    """Columns as text by their index, all rows as wide as the header."""
    names = {str(i): pa.string() for i in sorted(indices)}
    table = pa.csv.read_csv(
        path,
        pa.csv.ReadOptions(
            use_threads=False, column_names=[str(i) for i in range(width)], skip_rows=1
        ),
        pa.csv.ParseOptions(delimiter=separator),
        pa.csv.ConvertOptions(
            column_types=names, include_columns=list(names), strings_can_be_null=False
        ),
    )
    return {int(name): table.column(name) for name in names}


def _sound_cells(
    path: Path, width: int, separator: str, indices: Collection[int]
) -> tuple[dict[int, pa.ChunkedArray], tuple[str, ...]]:
    """The same of the rows that are as wide as the header, and what is wrong with the others."""
    columns: dict[int, list[str]] = {i: [] for i in indices}
    ragged = []
    for line, cells in records(path, separator):
        if len(cells) != width:
            what = short(separator.join(cells))
            ragged.append(f"{line}: expected {width} columns; got {len(cells)}: {what}.")
            continue
        for i, column in columns.items():
            column.append(cells[i])
    return {i: pa.chunked_array([column], pa.string()) for i, column in columns.items()}, tuple(
        ragged
    )


def _column(title: str, cells: pa.ChunkedArray) -> Column:
    first = cells[0].as_py() if len(cells) else ""
    if _DATE.match(first):
        stamps = _stamps_ns(cells)
        known = stamps[stamps != _NO_STAMP]
        epoch = int(known.min()) if known.size else 0
        value = np.where(stamps == _NO_STAMP, np.nan, (stamps - epoch) / 1e9)
        return Column(title=title, value=value, written=_cell(cells), epoch_ns=epoch)
    return Column(title=title, value=_numbers(cells), written=_cell(cells))


def _cell(cells: pa.ChunkedArray) -> Callable[[int], str]:
    return lambda row: str(cells[row].as_py())


def _numbers(cells: pa.ChunkedArray) -> np.ndarray:
    try:
        return pc.cast(cells, pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return np.array([_number(text) for text in cells.to_pylist()], dtype=float)


def _number(text: str) -> float:
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan


_NO_STAMP: Final = np.iinfo(np.int64).min


def _stamps_ns(cells: pa.ChunkedArray) -> np.ndarray:
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return pc.cast(cells, kind).cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            continue
    return np.array([_stamp_ns(text) for text in cells.to_pylist()], dtype=np.int64)


def _stamp_ns(text: str) -> int:
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        return _NO_STAMP
    day, clock, fraction, zone = match.groups()
    try:
        instant = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{zone or '+00:00'}")
    except ValueError:
        return _NO_STAMP
    second = int((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    stamp = second * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    return stamp if abs(stamp) < 2**63 - 1 else _NO_STAMP


def _unreadable(path: Path, error: Exception) -> str:
    text = str(error)
    if "UTF8" in text or "utf8" in text:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                try:
                    raw.decode("utf-8")
                except UnicodeDecodeError:
                    return f"{path}:{number}: expected text in UTF-8; got {short(raw)}."
    if "straddling" in text:
        return f"{path}: expected rows below {MAX_LINE_BYTE} byte; one is longer."
    return f"{path}: expected CSV rows; got: {text.splitlines()[0]}."
