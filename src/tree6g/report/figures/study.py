"""Figure: share of the energy over share of the bits in every cell of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tree6g.report import canvas, palette
from tree6g.report.canvas import Drawing
from tree6g.report.cases import Case
from tree6g.report.figures import key
from tree6g.report.tables import Column, Missing, Table
from tree6g.report.words import AT_LEAST_ENERGY, AT_MOST_BITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_LEAST: Final = 1e-4


def drawing(cases: Sequence[Case], stamp: str) -> Drawing | Missing:
    """One marker per rule; the loads of a rule joined by a line and written at the points."""
    table = _table(cases)
    if not table.rows:
        return Missing(reason="no cell has both shares")
    groups = _groups(table)
    return canvas.draw(
        table,
        lambda c: _paint(c, table),
        description="Share of the energy over share of the bits of AI, by load, for "
        + "; ".join(groups),
        stamp=stamp,
        height_in=3.3 + key.LINE_IN * len(groups),
    )


def _table(cases: Sequence[Case]) -> Table:
    rows = tuple(
        (c.rule, c.idle, c.requests_per_user_hour, c.bit_share_frac, c.energy_share_frac)
        for c in cases
        if c.bit_share_frac is not None and c.energy_share_frac is not None
    )
    columns = (
        Column(key="rule", head="rule"),
        Column(key="idle", head="idle"),
        Column(key="requests_per_user_hour", head="requests per user and hour", unit=""),
        Column(key="bit_share_frac", head="share of bits", unit="frac"),
        Column(key="energy_share_frac", head="share of energy", unit="frac"),
    )
    title = "AI services: share of the energy over share of the bits"
    return Table(name="cells", title=title, columns=columns, rows=rows)


def _groups(table: Table) -> dict[str, list[tuple[float, float, float]]]:
    """Points (load, bits, energy) by rule; rules that give the same points share one line."""
    groups: dict[str, list[tuple[float, float, float]]] = {}
    for rule, idle, *point in table.rows:
        groups.setdefault(f"{rule}, idle {idle}", []).append(tuple(map(float, point)))  # type: ignore[arg-type]
    return {name: sorted(points) for name, points in groups.items()}


def _paint(canvas_: Canvas, table: Table) -> None:
    from matplotlib.ticker import PercentFormatter

    groups = _groups(table)
    ax = canvas.axes(
        canvas_, left=0.62, right=0.25, top=0.3 + key.LINE_IN * len(groups), bottom=0.44
    )
    ax.set_xscale("log")
    bits = [max(p[1], _LEAST) for points in groups.values() for p in points]
    ax.set_xlim(min(min(bits) / 2, AT_MOST_BITS / 4), max(max(bits) * 2, AT_MOST_BITS * 4))
    ax.set_ylim(0, 1)
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:g} %")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.set_xlabel("AI's share of the bits (log scale)")
    ax.text(0, 1.04, "AI's share of the attributed energy", transform=ax.transAxes, size=9.5)
    ax.grid()
    _corner(ax)
    for i, points in enumerate(groups.values()):
        _line(ax, points, i)
    key.series(canvas_, list(groups))


def _corner(ax: Axes) -> None:
    low = ax.get_xlim()[0]
    ax.fill_between(
        [low, AT_MOST_BITS], AT_LEAST_ENERGY, 1.0, facecolor=palette.light("panel"),
        hatch="//", edgecolor=palette.light("rule"), linewidth=1,
    )  # fmt: skip
    ax.text(
        0.03, 0.96, "<2 % of the bits,\n>30 % of the energy", transform=ax.transAxes, size=9,
        va="top", color=palette.light("muted"),
    )  # fmt: skip


def _line(ax: Axes, points: list[tuple[float, float, float]], index: int) -> None:
    x = [max(p[1], _LEAST) for p in points]
    y = [p[2] for p in points]
    ax.plot(x, y, lw=1.5, **key.style(index))
    if index == 0:
        for (load, _, _), at in zip(points, zip(x, y, strict=True), strict=True):
            ax.annotate(f"{load:g}/h", at, (5, 5), textcoords="offset points", size=9)
