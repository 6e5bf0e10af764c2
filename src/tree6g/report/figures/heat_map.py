"""Figure: one figure of a sweep over two values that vary, each cell shaded and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.markup import visible
from tree6g.report.tables import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Opacity of the least and the largest value; the numbers stay legible on both papers.
_LIGHT, _DARK = 0.04, 0.42
_WRITTEN: Final = 7  # columns in which a number with its unit has room
_ROW_IN: Final = 0.42


def drawing(
    axes: Sequence[Mapping[str, Any]],
    designs: Sequence[Mapping[str, Any]],
    measure: Mapping[str, Any],
    stamp: str,
) -> Drawing | Missing:
    """Rows are the values of the first axis, columns those of the second; darker is more.

    Args:
        axes: `{path, values}` of what varies.
        designs: `{overrides, figures}`.
        measure: `{key, head, unit, larger}` of the figure.
        stamp: What it is made of.
    """
    varying = [axis for axis in axes if len(axis["values"]) > 1]
    if len(varying) != 2:
        return Missing(reason=f"it needs two values that vary; here it is {len(varying)}")
    rows, columns = varying
    table = _table(rows, columns, designs, measure)
    if not table.numbers(measure["key"]):
        return Missing(reason=f"no design has the figure {measure['head']}")
    return canvas.draw(
        table,
        lambda c: _paint(c, table, rows, columns, measure),
        description=_description(table, measure),
        stamp=stamp,
        height_in=1.0 + _ROW_IN * len(rows["values"]),
    )


def _table(
    rows: Mapping[str, Any],
    columns: Mapping[str, Any],
    designs: Sequence[Mapping[str, Any]],
    measure: Mapping[str, Any],
) -> Table:
    listed = tuple(
        (d["overrides"][rows["path"]], d["overrides"][columns["path"]], _cell(d, measure))
        for d in designs
    )
    heads = (
        *(Column(key=axis["path"], head=axis["path"]) for axis in (rows, columns)),
        Column(key=measure["key"], head=measure["head"], unit=measure["unit"]),
    )
    title = f"{measure['head']} over {visible(rows['path'])} and {visible(columns['path'])}"
    return Table(name="heat_map", title=title, columns=heads, rows=listed)


def _cell(design: Mapping[str, Any], measure: Mapping[str, Any]) -> Cell:
    found = design["figures"][measure["key"]]
    if found["mean"] is None:
        return Missing(reason=found["reason"] or "not defined")
    return float(found["mean"])


def _description(table: Table, measure: Mapping[str, Any]) -> str:
    known = [(value, f"{a} and {b}") for a, b, value in table.rows if isinstance(value, float)]
    words = (
        f"{word} {numerals.quantity(value, measure['unit'])} at {where}"
        for word, (value, where) in (("least", min(known)), ("most", max(known)))
    )
    return f"{table.title}: {'; '.join(words)}."


def _paint(
    canvas_: Canvas,
    table: Table,
    rows: Mapping[str, Any],
    columns: Mapping[str, Any],
    measure: Mapping[str, Any],
) -> None:
    ax = canvas.axes(canvas_, left=0.95, right=0.15, top=0.36, bottom=0.46)
    down, across = list(rows["values"]), list(columns["values"])
    known = table.numbers(measure["key"])
    low, width = min(known), (max(known) - min(known)) or 1.0
    for row, column, value in table.rows:
        place = (across.index(str(column)), down.index(str(row)))
        if isinstance(value, float):
            text = numerals.quantity(value, measure["unit"])
            _square(ax, place, _LIGHT + (_DARK - _LIGHT) * (value - low) / width)
        else:
            text = numerals.DASH
        if len(across) <= _WRITTEN:
            number = text.replace(numerals.NBSP, "\n", 1) if len(across) > 4 else text
            ax.text(*place, number, ha="center", va="center", size=9 if len(across) < 5 else 7.5)
    _frame(ax, down, across)
    ax.set_xlabel(numerals.shorten(visible(columns["path"]), 44))
    title = f"{measure['head']} by {visible(rows['path'])}; darker is more"
    ax.text(0, 1.05, numerals.shorten(title, 58), transform=ax.transAxes, size=9.5)


def _square(ax: Axes, place: tuple[int, int], alpha: float) -> None:
    x, y = place
    ax.fill_between(
        [x - 0.5, x + 0.5], y - 0.5, y + 0.5, facecolor=palette.light("accent"), alpha=alpha,
        linewidth=0,
    )  # fmt: skip


def _frame(ax: Axes, down: list[str], across: list[str]) -> None:
    ax.set_xlim(-0.5, len(across) - 0.5)
    ax.set_ylim(-0.5, len(down) - 0.5)
    ax.set_xticks(range(len(across)), [numerals.shorten(visible(v), 10) for v in across])
    ax.set_yticks(range(len(down)), [numerals.shorten(visible(v), 12) for v in down])
    ax.tick_params(length=0)
