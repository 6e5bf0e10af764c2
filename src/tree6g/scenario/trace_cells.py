"""What the readers of trace files share: columns, rows with their lines, text in messages."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

MAX_LINE_BYTE: Final = 1_000_000  # Arrow refuses rows longer than its block
SHOWN: Final = 20  # problems of one kind that are spelled out
# Columns of words: what counts is which rows have the same.
WORDS: Final = ("session_id", "prefix_id")
NO_WORD: Final = -1.0
MOONCAKE_BLOCK_TOK: Final = 512  # Mooncake, FAST'25 release, description of hash_ids


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column as numbers.

    Attributes:
        title: Its name in the file.
        value: Numbers [row], nan where the cell does not read as one; timestamps become seconds
            after `epoch_ns`, words the number of the word (`NO_WORD` where there is none).
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
        columns: By our names (`arrival_s`, `input_tokens`, `output_tokens`, ...).
        lines: Line numbers of rows, for the rows asked.
        problems: Rows that are no rows at all, as `line: what`.
        prefixes: Ids of the prompt's prefix blocks [request][block], for formats that have them.
    """

    columns: Mapping[str, Column]
    lines: Callable[[Sequence[int]], list[int]]
    problems: tuple[str, ...] = ()
    prefixes: tuple[tuple[int, ...], ...] | None = None


def records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
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


def lines_of(path: Path, separator: str, width: int, rows: Sequence[int]) -> list[int]:
    """Line numbers of rows that are as wide as the header."""
    wanted = set(rows)
    found: dict[int, int] = {}
    sound = (line for line, cells in records(path, separator) if len(cells) == width)
    for row, line in enumerate(sound):
        if row in wanted:
            found[row] = line
            if len(found) == len(wanted):
                break
    return [found.get(row, row + 2) for row in rows]


def short(text: str | bytes) -> str:
    """Text as it is shown in a message."""
    line = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    line = line.strip()
    return repr(line if len(line) <= 60 else line[:57] + "...")
