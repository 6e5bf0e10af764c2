"""Columns of a trace file: fast where the file is sound, exact to the line where it is not.

CSV of plain numbers is read by NumPy; everything else, and everything that turns out to be wrong,
by `trace_arrow`, which is imported only then. JSON lines are read one by one.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.errors import DataError
from tree6g.scenario.trace_cells import MAX_LINE_BYTE, SHOWN, WORDS, Column, Table, short

__all__ = ["SHOWN", "Column", "Table", "first_line", "header_of", "read_csv", "read_json_lines"]

MAX_BYTE: Final = 4_000_000_000
_LONG_BYTE: Final = 1 << 20  # from here on another library is worth loading
_PLAIN: Final = b"0123456789.eE+-\r\n"


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
    plain = _plain(path, len(titles), separator)
    if plain is not None:
        return _plain_table(plain, titles, wanted)
    return read_text(path, titles, separator, wanted)


def read_text(
    path: Path, titles: Sequence[str], separator: str, wanted: Mapping[str, str]
) -> Table:
    """The same by way of text, so that every cell can be shown as it is written."""
    from tree6g.scenario import trace_arrow

    return trace_arrow.read(path, titles, separator, wanted)


def _plain(path: Path, width: int, separator: str) -> np.ndarray | None:
    """All cells [row, column] of a file of nothing but finite numbers, else None."""
    with path.open("rb") as file:
        file.readline(MAX_LINE_BYTE)
        body = file.read()
    if body.translate(None, _PLAIN + separator.encode()) or not body.strip():
        return None
    cells = _by_arrow(body, width, separator) if len(body) >= _LONG_BYTE else None
    try:
        if cells is None:
            cells = np.loadtxt(
                body.decode("ascii").splitlines(), delimiter=separator, comments=None, ndmin=2
            )
    except ValueError:  # a hole, a ragged row, no number
        return None
    return cells if cells.shape[1] == width and np.all(np.isfinite(cells)) else None


def _by_arrow(body: bytes, width: int, separator: str) -> np.ndarray | None:
    """The same numbers, some times faster; None if there is anything else among them."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    names = [str(n) for n in range(width)]
    try:
        found = arrow.read_csv(
            pa.BufferReader(body),
            read_options=arrow.ReadOptions(column_names=names, use_threads=False),
            parse_options=arrow.ParseOptions(delimiter=separator, quote_char=False),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.float64()), null_values=[]
            ),
        )
    except pa.ArrowInvalid:
        return None
    return np.column_stack([column.to_numpy() for column in found.columns])


def _plain_table(cells: np.ndarray, titles: Sequence[str], wanted: Mapping[str, str]) -> Table:
    columns = {}
    for ours, title in wanted.items():
        value = cells[:, titles.index(title)]
        if ours in WORDS:
            value = np.unique(value, return_inverse=True)[1].astype(np.float64)
        columns[ours] = Column(title=title, value=value, written=_shown(value))
    return Table(columns=columns, lines=lambda rows: [row + 2 for row in rows])


def _shown(value: np.ndarray) -> Callable[[int], str]:
    return lambda row: f"{value[row]:g}"


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


def _json_record(raw: bytes) -> dict[str, Any] | str | None:
    """The object of a line, None for a blank line, or what is wrong with it."""
    if not raw.strip():
        return None
    try:
        value = json.loads(raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except UnicodeDecodeError:
        return f"expected text in UTF-8; got {raw[:40]!r}."
    except (ValueError, RecursionError):
        return f"expected one JSON object per line; got {short(raw)}."
    return value if isinstance(value, dict) else f"expected a JSON object; got {short(raw)}."


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
