"""One record for a table and its three written forms: HTML, CSV and LaTeX."""

from __future__ import annotations

import csv
import dataclasses
import io
import string
from collections.abc import Sequence
from typing import Final

from tree6g.report import numerals
from tree6g.report.markup import Markup, join, linked, tag, visible


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A value that is not defined or not known, and why."""

    reason: str


Cell = str | float | None | Missing


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its key in CSV (with the SI suffix), its head for people, and its unit.

    `unit` is a suffix of `units`, `""` for a plain number, None for text; `digits` are those that
    people see.
    """

    key: str
    head: str
    unit: str | None = None
    digits: int = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells under columns; text is shown as it is, numbers with unit and prefix."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def column(self, key: str) -> list[Cell]:
        """All cells of one column."""
        index = [c.key for c in self.columns].index(key)
        return [row[index] for row in self.rows]

    def numbers(self, key: str) -> list[float]:
        """All numbers of a column; what is missing is left out."""
        return [float(c) for c in self.column(key) if isinstance(c, int | float)]


def shown(cell: Cell, column: Column) -> str:
    """A cell as people read it."""
    if cell is None or isinstance(cell, Missing):
        return numerals.DASH
    if isinstance(cell, str) or column.unit is None:
        return str(cell)
    return numerals.quantity(float(cell), column.unit, column.digits)


def reasons(table: Table) -> dict[str, str]:
    """Why cells are missing: a letter by reason, in the order of the rows."""
    cells = (c for row in table.rows for c in row if isinstance(c, Missing))
    found = dict.fromkeys(c.reason for c in cells)
    return dict(zip(found, _letters(len(found)), strict=True))


def to_html(table: Table, *, limit: int = 60) -> Markup:
    """A table in a box of its own that scrolls sideways, with the reasons of its dashes below."""
    marks = reasons(table)
    head = tag("tr", *(_head(c) for c in table.columns))
    body = [
        tag("tr", *(_cell(c, k, i, marks) for i, (c, k) in enumerate(_pairs(table, row))))
        for row in table.rows[:limit]
    ]
    left_out = len(table.rows) - limit
    grid = tag(
        "table",
        tag("caption", tag("span", table.title)),
        tag("thead", head),
        tag("tbody", *body),
    )
    return join(
        [
            tag("div", grid, class_="scroll", tabindex=0, role="region", aria_label=table.title),
            _footnotes(marks),
            tag("p", f"{left_out} more rows stand in {table.name}.csv.", class_="note")
            if left_out > 0
            else "",
        ]
    )


def to_csv(table: Table) -> str:
    """The table as CSV: SI numbers to the last bit, missing cells empty.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([c.key for c in table.columns])
    for row in table.rows:
        writer.writerow([_plain(cell) for cell in row])
    return out.getvalue()


def to_latex(table: Table, stamp: str) -> str:
    """The table as a plain LaTeX tabular with the reasons of its dashes and the stamp below.

    What stands below is in a group, so that the text after the table keeps its size.
    """
    marks = reasons(table)
    spec = "".join("l" if c.unit is None else "r" for c in table.columns)
    lines = [f"% {visible(stamp)}", rf"\begin{{tabular}}{{{spec}}}", r"\hline"]
    lines += [" & ".join(latex(c.head) for c in table.columns) + r" \\", r"\hline"]
    for row in table.rows:
        cells = (_latex_cell(c, k, marks) for c, k in _pairs(table, row))
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\hline", r"\end{tabular}"]
    notes = [rf"\textsuperscript{{{m}}} {latex(r)}." for r, m in marks.items()]
    below = [*notes, latex(stamp)]
    lines += ["", r"{\footnotesize", *(rf"\noindent {n}\par" for n in below), "}", ""]
    return "\n".join(lines)


def latex(text: str) -> str:
    """Text with everything that LaTeX would read as a command escaped."""
    return "".join(_LATEX.get(c, c) for c in visible(text))


_LATEX: Final = {
    **{c: "\\" + c for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\u2013": "--",
    "\u2264": r"$\leq$",
    "\u00b5": r"$\mu$",
    "\u00b1": r"$\pm$",
    "\u00d7": r"$\times$",
    "\u2026": r"\dots{}",
    "\u03b1": r"$\alpha$",
    "\u00a0": "~",
    "\ufffd": "?",
}


def _pairs(table: Table, row: Sequence[Cell]) -> list[tuple[Cell, Column]]:
    return list(zip(row, table.columns, strict=True))


def _letters(count: int) -> list[str]:
    single = string.ascii_lowercase
    return [single[i] if i < 26 else f"{single[i % 26]}{i // 26}" for i in range(count)]


def _head(column: Column) -> Markup:
    return tag("th", column.head, scope="col", class_="num" if column.unit is not None else None)


def _cell(cell: Cell, column: Column, index: int, marks: dict[str, str]) -> Markup:
    text = shown(cell, column).replace(" ", "\u00a0" if column.unit is not None else " ")
    body: list[object] = [linked(text)]
    kind = "num" if column.unit is not None else None
    if isinstance(cell, Missing):
        body.append(tag("sup", marks[cell.reason]))
    if index == 0:
        return tag("th", *body, scope="row", class_=kind)
    return tag("td", *body, class_=kind)


def _footnotes(marks: dict[str, str]) -> Markup:
    if not marks:
        return Markup("")
    items = (
        join([tag("sup", mark), f" {numerals.DASH} {reason}"]) for reason, mark in marks.items()
    )
    return tag("p", join(items, "; "), ".", class_="note")


def _plain(cell: Cell) -> str:
    if cell is None or isinstance(cell, Missing):
        return ""
    if isinstance(cell, str):
        clean = visible(cell)
        return f"'{clean}" if clean[:1] in {"=", "+", "-", "@"} else clean
    return repr(float(cell))


def _latex_cell(cell: Cell, column: Column, marks: dict[str, str]) -> str:
    text = latex(shown(cell, column))
    return rf"{text}\textsuperscript{{{marks[cell.reason]}}}" if isinstance(cell, Missing) else text
