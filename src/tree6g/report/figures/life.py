"""Figure: the parts of a served token over its life, in joules and in carbon, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tree6g.lifecycle.ranges import Estimate
from tree6g.lifecycle.service import PARTS, Life
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.tables import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_SIDES: Final = (
    ("energy_share_frac", "energy", "share of the joules"),
    ("carbon_share_frac", "value", "share of the carbon"),
)
_UNKNOWN: Final = Missing(reason="not known, or not electrical")
_ROW_IN: Final = 0.34
_HEAD_IN: Final = 0.36


def drawing(life: Life, name: str, stamp: str) -> Drawing:
    """Bars of shares with their 95 % intervals: joules above, carbon below."""
    table = _table(life, name)
    said = "; ".join(
        f"{row[0]}, {row[1]}: {numerals.percent(float(row[2]))}"
        for row in table.rows
        if isinstance(row[2], float)
    )
    height = 2 * (_HEAD_IN + _ROW_IN * len(PARTS))
    return canvas.draw(
        table,
        lambda c: _paint(c, life),
        description=f"Shares of a served token. {said}.",
        stamp=stamp,
        height_in=height,
    )


def _table(life: Life, name: str) -> Table:
    rows = []
    for field, _, words in _SIDES:
        shares: Mapping[str, Estimate] = getattr(life, field)
        for part in PARTS:
            found = shares.get(part)
            cells: tuple[Cell, ...] = (_UNKNOWN,) * 3
            if found is not None:
                cells = (found.value, found.low, found.high)
            rows.append((words, part, *cells))
    columns = (
        Column(key="of", head="of"),
        Column(key="part", head="part"),
        *(Column(key=f"share{end}_frac", head=h, unit="frac")
          for end, h in (("", "share"), ("_low", "low"), ("_high", "high"))),
    )  # fmt: skip
    return Table(
        name="life", title=f"A token of {name} over its life", columns=columns, rows=tuple(rows)
    )


def _paint(canvas_: Canvas, life: Life) -> None:
    rows = 2 * (len(PARTS) + 1)
    ax = canvas.axes(canvas_, left=0.05, right=0.05, top=0.02, bottom=0.05)
    ax.set_axis_off()
    ax.set_xlim(-0.42, 1.28)
    ax.set_ylim(rows, 0)
    y = 0.0
    for field, role, words in _SIDES:
        ax.text(-0.42, y + 0.55, words, va="center", weight="bold")
        for part in PARTS:
            y += 1.0
            ax.text(-0.4, y + 0.5, part, va="center", size=9.5)
            _bar(ax, y + 0.5, getattr(life, field).get(part), role)
        y += 1.0


def _bar(ax: Axes, y: float, found: Estimate | None, role: str) -> None:
    """A bar with its interval as a line; a dash where the part is not known."""
    ax.barh(y, 1.0, height=0.5, color=palette.light("panel"), linewidth=0)
    if found is None:
        ax.text(1.02, y, numerals.DASH, va="center", size=9.5)
        return
    ax.barh(y, found.value, height=0.5, color=palette.light(role), linewidth=0)
    ink = palette.light("ink")
    ax.plot([found.low, found.high], [y, y], color=ink, lw=1.2)
    for edge in (found.low, found.high):
        ax.plot([edge, edge], [y - 0.14, y + 0.14], color=ink, lw=1.2)
    ax.text(1.02, y, numerals.percent(found.value), va="center", size=9.5)
