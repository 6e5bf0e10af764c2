"""Figure: the Lorenz curve of energy over value, with its Gini coefficient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tree6g.metric.figure import ServiceFigure
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import Evidence
from tree6g.report.figures import key
from tree6g.report.tables import Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


def drawing(evidence: Evidence) -> Drawing | Missing:
    """Cumulative energy over cumulative value, services in the order of their asymmetry."""
    services = evidence.figure.services
    if any(s.utility_share_frac is None or s.energy_share_frac is None for s in services):
        return Missing(reason="the services' shares are not all defined")
    if len(services) < 2:
        return Missing(reason="one service alone has no inequality")
    table = _table(services)
    gini = evidence.figure.gini
    said = "; ".join(
        f"with {r[0]}: {numerals.percent(float(r[1]))} of the value, "  # type: ignore[arg-type]
        f"{numerals.percent(float(r[2]))} of the energy"  # type: ignore[arg-type]
        for r in table.rows[1:]
    )
    return canvas.draw(
        table,
        lambda c: _paint(c, table, gini),
        description=f"Cumulative shares, most value per joule first: {said}.",
        stamp=evidence.stamp,
        height_in=3.85 + key.LINE_IN * len(services),
    )


def _table(services: tuple[ServiceFigure, ...]) -> Table:
    order = sorted(services, key=_asymmetry)
    rows: list[tuple[str, float, float]] = [("", 0.0, 0.0)]
    for s in order:
        _, value, energy = rows[-1]
        step = (s.utility_share_frac or 0.0, s.energy_share_frac or 0.0)
        rows.append((s.name, value + step[0], energy + step[1]))
    columns = (
        Column(key="service", head="up to service"),
        Column(key="cumulative_utility_frac", head="value", unit="frac"),
        Column(key="cumulative_energy_frac", head="energy", unit="frac"),
    )
    title = "Lorenz curve of energy over value"
    return Table(name="lorenz", title=title, columns=columns, rows=tuple(rows))


def _asymmetry(service: ServiceFigure) -> tuple[float, str]:
    return (float("inf") if service.asymmetry is None else service.asymmetry, service.name)


def _paint(canvas_: Canvas, table: Table, gini: float | None) -> None:
    names = [str(n) for n in table.column("service")[1:]]
    ax = canvas.axes(canvas_, left=0.86, right=0.54, top=0.2 + key.LINE_IN * len(names), bottom=0.5)
    u = table.numbers("cumulative_utility_frac")
    e = table.numbers("cumulative_energy_frac")
    ax.plot([0, 1], [0, 1], color=palette.light("muted"), ls="--", lw=1.2)
    ax.fill_between(
        u, u, e, facecolor=palette.light("energy"), hatch="////", alpha=0.45,
        edgecolor=palette.light("paper"), linewidth=0,
    )  # fmt: skip
    ax.plot(u, e, "-", color=palette.light("energy"), lw=2.2)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_aspect("equal")
    _percent_axes(ax)
    text = f"Gini {gini:.2f}" if gini is not None else f"Gini {numerals.DASH}"
    ax.text(0.05, 0.92, text, transform=ax.transAxes, size=12, weight="bold", va="center")
    ax.text(0.05, 0.845, "0: energy follows value", transform=ax.transAxes, size=9, va="center")
    for i, (x, y) in enumerate(zip(u[1:], e[1:], strict=True)):
        marker = palette.MARKERS[i % 8]
        ax.plot([x], [y], marker, color=palette.light("energy"), ms=7, clip_on=False)
    key.markers(canvas_, [(palette.MARKERS[i % 8], f"up to {n}") for i, n in enumerate(names)])


def _percent_axes(ax: Axes) -> None:
    from matplotlib.ticker import PercentFormatter

    ax.set_xlabel("share of the value, cumulative")
    ax.set_ylabel("share of the energy, cumulative")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1])
    ax.grid()
