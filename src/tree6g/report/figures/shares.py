"""Figure: what each service takes of the bits, the energy and the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tree6g.metric.figure import ServiceFigure
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import Evidence
from tree6g.report.markup import visible
from tree6g.report.tables import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# column, role of its colour, hatch, label behind the bar
_BARS: Final = (
    ("bit_share_frac", "bits", "||||", "of the bits"),
    ("energy_share_frac", "energy", "////", "of the energy"),
    ("utility_share_frac", "value", "", "of the value"),
)
_ROW_IN: Final = 0.86


def drawing(evidence: Evidence) -> Drawing:
    """Three bars per service on one scale."""
    table = _table(evidence.figure.services)
    said = "; ".join(
        f"{row[0]}: " + ", ".join(f"{_text(c)} {b[3]}" for c, b in zip(row[1:], _BARS, strict=True))
        for row in table.rows
    )
    return canvas.draw(
        table,
        lambda c: _paint(c, table),
        description=f"Bars per service. {said}.",
        stamp=evidence.stamp,
        height_in=0.1 + _ROW_IN * max(len(table.rows), 1),
    )


def _table(services: tuple[ServiceFigure, ...]) -> Table:
    rows = tuple((s.name, *(_cell(s, b[0]) for b in _BARS)) for s in services)
    heads = ("share of bits", "share of energy", "share of value")
    columns = (
        Column(key="service", head="service"),
        *(Column(key=b[0], head=h, unit="frac") for b, h in zip(_BARS, heads, strict=True)),
    )
    return Table(
        name="shares",
        title="Share of bits, energy and value by service",
        columns=columns,
        rows=rows,
    )


def _cell(service: ServiceFigure, field: str) -> Cell:
    value: float | None = getattr(service, field)
    return Missing(reason=service.reasons.get(field, "not defined")) if value is None else value


def _paint(canvas_: Canvas, table: Table) -> None:
    ax = canvas.axes(canvas_, left=0.05, right=0.05, top=0.02, bottom=0.05)
    ax.set_axis_off()
    ax.set_xlim(0, 1.47)
    ax.set_ylim(len(table.rows), 0)
    for row, cells in enumerate(table.rows):
        name = numerals.shorten(visible(cells[0]), 44)
        ax.text(0, row + 0.17, name, va="center", weight="bold")
        for place, (cell, bar) in enumerate(zip(cells[1:], _BARS, strict=True)):
            _bar(ax, row + 0.41 + 0.215 * place, cell, bar)


def _bar(ax: Axes, y: float, cell: Cell, bar: tuple[str, str, str, str]) -> None:
    _, role, hatch, label = bar
    width = float(cell) if isinstance(cell, int | float) else 0.0
    edge = palette.light("paper")
    ax.barh(y, 1.0, height=0.17, color=palette.light("panel"), linewidth=0)
    ax.barh(y, width, height=0.17, color=palette.light(role), hatch=hatch, edgecolor=edge, lw=0)
    # A share too small to be seen as an area still stands there as a line.
    ax.plot([width, width], [y - 0.085, y + 0.085], color=palette.light(role), lw=1.5)
    ax.text(1.02, y, f"{_text(cell)} {label}", va="center", size=9.5)


def _text(cell: Cell) -> str:
    return numerals.percent(cell) if isinstance(cell, float) else numerals.DASH
