"""Columns of a trace file, fast where the file is sound and exact to the line where it is not.

CSV is read by Arrow as text and turned into numbers in one go; only when a cell does not read as a
number are the cells looked at one by one, and only for rows that are reported is the file scanned
again for its line numbers. JSON lines are read one by one.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tree6g.errors import DataError

MAX_BYTE: Final = 4_000_000_000
MAX_LINE_BYTE: Final = 1_000_000  # Arrow refuses rows longer than its block
SHOWN: Final = 20  # problems of one kind that are spelled out
_DATE: Final = re.compile(r"\s*\d{4}-\d\d-\d\d")
_STAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column as numbers.

    Attributes:
        title: Its name in the file.
        value: Numbers [row], nan where the cell does not read as one; timestamps become seconds
            after `epoch_ns`.
        written: The cell of a row as it stands in the file.
        epoch_ns: First instant of a column of timestamps, nanoseconds of UTC since 1970.
    """

    title: str
    value: np.ndarray
    written: Callable[[int], str]
    epoch_ns: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a trace file holds.

    Attributes:
        columns: By our names (`arrival_s`, `input_tokens`, `output_tokens`, `cached_tokens`).
        lines: Line numbers of rows, for the rows asked.
        problems: Rows that are no rows at all, as `line: what`.
        prefixes: Ids of the prompt's prefix blocks [request][block], for formats that have them.
    """

    columns: Mapping[str, Column]
    lines: Callable[[Sequence[int]], list[int]]
    problems: tuple[str, ...] = ()
    prefixes: tuple[tuple[int, ...], ...] | None = None


def first_line(path: Path) -> str:
    """The first line of a file that claims to be text.

    Raises:
        DataError: No such file, too large, empty, or not text in UTF-8.
    """
    try:
        if path.stat().st_size > MAX_BYTE:
            raise DataError(
                f"expected a trace of at most {MAX_BYTE / 1e9:g} GB; got "
                f"{path.stat().st_size / 1e9:.1f} GB in {path}. Split it."
            )
        with path.open("rb") as file:
            head = file.read(MAX_LINE_BYTE).removeprefix(b"\xef\xbb\xbf")
    except (OSError, ValueError) as error:
        raise DataError(f"expected a trace file; got '{path}': {error}.") from error
    if not head.strip():
        raise DataError(
            f"expected a trace with a header and at least one request; {path} is empty."
        )
    line = head.splitlines()[0]
    if b"\0" in head:
        raise DataError(f"expected text; got a binary file: {path}. Unpack or export it first.")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:1: expected text in UTF-8; got {line[:40]!r}.") from error


def header_of(line: str) -> tuple[list[str], str]:
    """Column titles of a CSV header, and its separator (comma, semicolon or tab)."""
    separator = max(",;\t", key=line.count)
    try:
        titles = next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise DataError(f"expected a CSV header; got {line[:80]!r}: {error}.") from error
    return [title.strip() for title in titles], separator


def read_csv(path: Path, titles: Sequence[str], separator: str, wanted: Mapping[str, str]) -> Table:
    """The wanted columns of a CSV file.

    Args:
        path: The file.
        titles: All titles of the header, from `header_of`.
        separator: Its separator.
        wanted: Title in the file by our name.

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
        columns={ours: _column(titles[i], cells[i]) for ours, i in indices.items()},
        lines=lambda rows: _csv_lines(path, separator, len(titles), rows),
        problems=ragged,
    )


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
    for line, cells in _records(path, separator):
        if len(cells) != width:
            what = _short(separator.join(cells))
            ragged.append(f"{line}: expected {width} columns; got {len(cells)}: {what}.")
            continue
        for i, column in columns.items():
            column.append(cells[i])
    return {i: pa.chunked_array([column], pa.string()) for i, column in columns.items()}, tuple(
        ragged
    )


def read_json_lines(path: Path, wanted: Mapping[str, str], scale: Mapping[str, float]) -> Table:
    """The wanted keys of a file with one JSON object per line.

    Args:
        path: The file.
        wanted: Key in the file by our name.
        scale: Factor to SI by our name, 1 where absent.
    """
    lines: list[int] = []
    problems: list[str] = []
    cells: dict[str, list[object]] = {ours: [] for ours in wanted}
    prefixes: list[tuple[int, ...]] = []
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            record = _json_record(raw)
            if isinstance(record, str):
                problems.append(f"{number}: {record}")
            elif record is not None:
                lines.append(number)
                prefixes.append(_ids(record.get("hash_ids")))
                for ours, key in wanted.items():
                    cells[ours].append(record.get(key))
    columns = {
        ours: _json_column(wanted[ours], values, scale.get(ours, 1.0))
        for ours, values in cells.items()
    }
    return Table(
        columns=columns,
        lines=lambda rows: [lines[i] for i in rows],
        problems=tuple(problems),
        prefixes=tuple(prefixes) if any(prefixes) else None,
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


def _json_record(raw: bytes) -> dict[str, Any] | str | None:
    """The object of a line, None for a blank line, or what is wrong with it."""
    if not raw.strip():
        return None
    try:
        value = json.loads(raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except UnicodeDecodeError:
        return f"expected text in UTF-8; got {raw[:40]!r}."
    except (ValueError, RecursionError):
        return f"expected one JSON object per line; got {_short(raw)}."
    return value if isinstance(value, dict) else f"expected a JSON object; got {_short(raw)}."


def _json_column(key: str, values: list[object], factor: float) -> Column:
    return Column(
        title=key,
        value=np.array([_json_number(v) for v in values], dtype=float) * factor,
        written=lambda row: "nothing" if values[row] is None else json.dumps(values[row])[:40],
    )


def _json_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) < 1e300 else math.nan


def _ids(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(v for v in value if isinstance(v, int))


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row below the header, blank lines left out."""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        reader = csv.reader(file, delimiter=separator)
        start = 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                start = reader.line_num + 1
                continue
            if cells and start > 1:
                yield start, cells
            start = reader.line_num + 1


def _csv_lines(path: Path, separator: str, width: int, rows: Sequence[int]) -> list[int]:
    wanted = set(rows)
    found: dict[int, int] = {}
    sound = (line for line, cells in _records(path, separator) if len(cells) == width)
    for row, line in enumerate(sound):
        if row in wanted:
            found[row] = line
            if len(found) == len(wanted):
                break
    return [found.get(row, row + 2) for row in rows]


def _unreadable(path: Path, error: Exception) -> str:
    text = str(error)
    if "UTF8" in text or "utf8" in text:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                try:
                    raw.decode("utf-8")
                except UnicodeDecodeError:
                    return f"{path}:{number}: expected text in UTF-8; got {_short(raw)}."
    if "straddling" in text:
        return f"{path}: expected rows below {MAX_LINE_BYTE} byte; one is longer."
    return f"{path}: expected CSV rows; got: {text.splitlines()[0]}."


def _short(text: str | bytes) -> str:
    line = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    line = line.strip()
    return repr(line if len(line) <= 60 else line[:57] + "...")
