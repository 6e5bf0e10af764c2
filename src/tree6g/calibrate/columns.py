"""Columns of a CSV file of reference data: read, checked, all faults told at once."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from tree6g.errors import DataError
from tree6g.radio.pathloss import FloatArray

SHOWN: Final = 10

Read = TypeVar("Read")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Columns of one file, by name.

    Attributes:
        text: Columns of words. [row]
        number: Columns of finite numbers; NaN where an optional column is empty. [row]
        rows: Number of rows.
    """

    text: Mapping[str, tuple[str, ...]]
    number: Mapping[str, FloatArray]
    rows: int


def read_columns(
    file: Path,
    text: Sequence[str],
    numbers: Sequence[str],
    *,
    optional: Sequence[str] = (),
    check: Callable[[Columns], Sequence[str]] | None = None,
) -> Columns:
    """Read the named columns; others are passed over.

    Args:
        file: CSV with a header.
        text: Columns of words.
        numbers: Columns of numbers.
        optional: Columns of numbers that may be missing, or empty in some rows.
        check: Says what else is wrong, in columns where NaN stands for what is no number.

    Raises:
        DataError: The file cannot be read, columns are missing, or values are not finite numbers.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            titles = [title.strip() for title in reader.fieldnames or ()]
            reader.fieldnames = titles
            rows = list(reader)
            faults = _header_faults(titles)
    except UnicodeDecodeError as error:
        raise DataError(
            f"Expected a CSV file; {file} cannot be read: it is no text in UTF-8. Save it as CSV."
        ) from error
    except (OSError, csv.Error) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise DataError(f"Expected a CSV file; {file} cannot be read: {what}.") from error
    if faults:
        raise DataError(f"Expected a CSV file; {file} is none of ours: {'; '.join(faults)}.")
    missing = [name for name in (*text, *numbers) if name not in titles]
    if missing:
        raise DataError(
            f"Expected the columns {', '.join((*text, *numbers))}; {file} lacks "
            f"{', '.join(missing)} and has {', '.join(titles) or 'none'}. Rename its columns."
        )
    if not rows:
        raise DataError(f"Expected rows below the header; {file} has none.")
    problems = [
        f"line {n + 2}: more cells than the header has" for n, row in enumerate(rows) if None in row
    ]
    words = {name: tuple((row[name] or "").strip() for row in rows) for name in text}
    values = {name: _numbers(rows, name, problems) for name in numbers}
    for name in optional:
        if name in titles:
            values[name] = _numbers(rows, name, problems, may_be_empty=True)
    table = Columns(text=words, number=values, rows=len(rows))
    raise_all(file, [*problems, *(check(table) if check else ())])
    return table


def read_all(files: Sequence[Path], read: Callable[[Path], Read]) -> list[Read]:
    """Read every file, and tell the faults of all of them at once.

    Raises:
        DataError: Files that cannot be read as what they should be.
    """
    found: list[Read] = []
    faults: list[str] = []
    for file in files:
        try:
            found.append(read(Path(file)))
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("\n".join(faults))
    return found


def raise_all(file: Path, problems: Sequence[str]) -> None:
    """Raise one error for all faults of a file, if there are any.

    Raises:
        DataError: There are faults; the first ten are shown.
    """
    if not problems:
        return
    more = f"\n- and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    listed = "\n- ".join(problems[:SHOWN])
    count = "1 fault; correct it" if len(problems) == 1 else f"{len(problems)} faults; correct them"
    raise DataError(f"{file} has {count}:\n- {listed}{more}")


def _header_faults(titles: Sequence[str]) -> list[str]:
    """What is wrong with a header before anyone asks for its columns."""
    faults = []
    if len(titles) == 1 and ";" in titles[0]:
        faults.append("its cells are parted by semicolons; part them by commas")
    twice = [t for t in dict.fromkeys(titles) if t and titles.count(t) > 1]
    return faults + [f"{title} stands twice in the header" for title in twice]


def _numbers(
    rows: list[dict[str, str]], name: str, problems: list[str], *, may_be_empty: bool = False
) -> FloatArray:
    values = np.full(len(rows), np.nan)
    for n, row in enumerate(rows):
        if may_be_empty and not (row[name] or "").strip():
            continue
        value = _finite(row[name])
        if value is None:
            written = f"'{row[name]}'" if row[name] else "nothing"
            problems.append(f"line {n + 2}: {name} must be a finite number; got {written}")
        else:
            values[n] = value
    return values


def _finite(written: str | None) -> float | None:
    try:
        value = float(written or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None
