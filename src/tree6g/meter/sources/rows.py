"""Rows of a CSV that somebody else wrote, with bounds: header, cells, numbers, instants."""

from __future__ import annotations

import csv
import io
import math
from datetime import UTC, datetime
from typing import Final

from tree6g.errors import MeterError

MAX_ROWS: Final = 2_000_000
MAX_CELL_BYTE: Final = 65_536
_DELIMITERS: Final = ",;\t|"


def header(text: str) -> list[str]:
    """Titles of the first line, without spaces and quotes; empty if it is no table."""
    first = text.lstrip("\ufeff").partition("\n")[0][:MAX_CELL_BYTE].rstrip("\r")
    return [cell.strip().strip('"') for cell in first.split(delimiter(first))]


def delimiter(first: str) -> str:
    """The most frequent of the usual ones."""
    return max(_DELIMITERS, key=first.count)


def rows(text: str) -> list[dict[str, str]]:
    """All rows by title; shorter rows lack their last cells.

    Raises:
        MeterError: A cell is too long, or there are too many rows.
    """
    text = text.lstrip("\ufeff").replace("\x00", "")
    titles = header(text)
    lines = csv.reader(io.StringIO(text), delimiter=delimiter(text.partition("\n")[0]))
    made: list[dict[str, str]] = []
    try:
        next(lines, None)
        for line in lines:
            if line:
                made.append({t: c.strip() for t, c in zip(titles, line, strict=False)})
            if len(made) > MAX_ROWS:
                raise MeterError(f"expected at most {MAX_ROWS:,} rows in a CSV. Split it.")
    except csv.Error as error:
        raise MeterError(f"expected a CSV; line {lines.line_num}: {error}.") from error
    return made


def cell(text: str) -> float:
    """The number of a cell; NaN if it is none. A decimal comma is read."""
    if len(text) > 40 or "_" in text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(text.replace(",", ".")) if text.count(",") == 1 else math.nan
    except ValueError:
        return math.nan


def instant(text: str) -> float | None:
    """UNIX time of ISO 8601 (UTC if it names no zone), of seconds, or of milliseconds."""
    try:
        return datetime_of(text).timestamp()
    except (ValueError, OverflowError):
        pass
    value = cell(text)
    if not math.isfinite(value) or not 0.0 < value < 1e14:
        return None
    return value / 1e3 if value > 1e11 else value


def datetime_of(text: str) -> datetime:
    """The instant of ISO 8601.

    Raises:
        ValueError: It is none.
    """
    if "-" not in text[1:]:
        raise ValueError(f"expected a date in ISO 8601; got {text[:60]!r}.")
    made = datetime.fromisoformat(text.strip())
    return made if made.tzinfo else made.replace(tzinfo=UTC)
