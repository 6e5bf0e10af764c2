"""Figure: electrical power over time by component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import Evidence, Row
from tree6g.report.markup import visible
from tree6g.report.tables import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

OTHER: Final = "other"
_LAYERS: Final = 7
_NO_ROWS: Final = "the ledger has no energy rows inside the boundary"


def drawing(evidence: Evidence) -> Drawing | Missing:
    """Stacked mean power per window, the steadiest layers as they come, labelled at the right."""
    if not evidence.power:
        return Missing(reason=_NO_ROWS)
    figure = evidence.figure
    table = _table(evidence.power, figure.t0_s, figure.t1_s, evidence.window_s)
    means = [(c.head, float(np.mean(table.numbers(c.key)))) for c in table.columns[2:]]
    said = ", ".join(f"{name} {numerals.quantity(mean, 'w')}" for name, mean in means)
    gaps = [(float(g["t0_s"]), float(g["t1_s"])) for g in evidence.gaps if _is_energy(g)]
    return canvas.draw(
        table,
        lambda c: _paint(c, table, gaps),
        description=f"Stacked areas of mean power over time. Mean by component: {said}.",
        stamp=evidence.stamp,
        height_in=3.1,
    )


def _is_energy(gap: Row) -> bool:
    return gap["quantity"] == "energy"


def _table(rows: Sequence[Row], t0_s: float, t1_s: float, window_s: float) -> Table:
    windows = 1 + max(int(r["number"]) for r in rows)
    # A window in which nothing has a row is unknown; in the others no row means no power.
    unknown = np.full(windows, np.nan)
    unknown[[int(r["number"]) for r in rows]] = 0.0
    power: dict[str, np.ndarray] = {}
    for row in rows:
        layer = power.setdefault(str(row["component"]), unknown.copy())
        layer[int(row["number"])] = row["power_w"]
    layers = _largest(power, windows)
    starts = [t0_s + window_s * i for i in range(windows)]
    ends = [min(s + window_s, t1_s) for s in starts]
    columns = (
        Column(key="t0_s", head="from", unit="s"),
        Column(key="t1_s", head="to", unit="s"),
        *(Column(key=f"{n}_w", head=n.replace("_", " "), unit="w") for n in layers),
    )
    cells = zip(starts, ends, *(map(_cell, p.tolist()) for p in layers.values()), strict=True)
    title = "Electrical power over time by component"
    return Table(name="power", title=title, columns=columns, rows=tuple(cells))


def _cell(power_w: float) -> Cell:
    return Missing(reason="no energy rows in this window") if np.isnan(power_w) else power_w


def _largest(power: dict[str, np.ndarray], windows: int) -> dict[str, np.ndarray]:
    """The largest components by energy, the rest as one."""
    order = sorted(power, key=lambda n: (-float(np.nansum(power[n])), n))
    kept = {n: power[n] for n in order[:_LAYERS]}
    if len(order) > _LAYERS:
        kept[OTHER] = sum((power[n] for n in order[_LAYERS:]), np.zeros(windows))
    return kept


def _paint(canvas_: Canvas, table: Table, gaps: list[tuple[float, float]]) -> None:
    ax = canvas.axes(canvas_, left=0.5, right=1.32, top=0.3, bottom=0.42)
    start = table.numbers("t0_s")
    edges_s = np.array([*start, table.numbers("t1_s")[-1]]) - start[0]
    scale_s, unit = _time_unit(float(edges_s[-1]))
    x = edges_s / scale_s
    floor = np.zeros(len(x))
    middles: list[float] = []
    labels: list[str] = []
    for i, column in enumerate(table.columns[2:]):
        cells = table.column(column.key)
        watts = np.array([c if isinstance(c, float) else np.nan for c in cells])
        top = floor + np.append(watts, watts[-1])
        layer(ax, x, floor, top, i)
        middles.append(float(np.nan_to_num((floor[-1] + top[-1]) / 2)))
        mean = numerals.quantity(float(np.nanmean(watts)), "w")
        labels.append(f"{numerals.shorten(visible(column.head), 12)} {mean}")
        floor = top
    high = float(np.nanmax(floor)) * 1.04 or 1.0
    ax.set_xlim(0, x[-1])
    ax.set_ylim(0, high)
    ax.set_xlabel(f"time ({unit})")
    ax.text(0, 1.03, "power (W), mean by component at the right", transform=ax.transAxes, size=9)
    ax.grid(axis="y")
    if high >= 1e4:  # "10k", not five digits that the margin would cut
        ax.yaxis.set_major_formatter(numerals.tick)
    for t0_s, t1_s in gaps:
        ax.axvspan(*((np.array([t0_s, t1_s]) - start[0]) / scale_s), fill=False, hatch="xx", lw=0)
    side_labels(ax, float(x[-1]), middles, labels, high)


def layer(ax: Axes, x: np.ndarray, floor: np.ndarray, top: np.ndarray, index: int) -> None:
    """One of several areas on top of each other, told from the others by its hatch too."""
    role, hatch = palette.SERIES[index % 8], palette.HATCHES[index % 8]
    ax.fill_between(
        x, floor, top, step="post", facecolor=palette.light(role), hatch=hatch,
        edgecolor=palette.light("paper"), linewidth=0.3,
    )  # fmt: skip


def side_labels(
    ax: Axes, right: float, middles: list[float], labels: list[str], high: float, gap: float = 0.085
) -> None:
    """What the layers are, at the right of the axes; `gap` is the least between two, of `high`."""
    places = canvas.spread(middles, high * gap, high * 0.03, high * 0.97)
    for i, (at, y, label) in enumerate(zip(middles, places, labels, strict=True)):
        colour = palette.light(palette.SERIES[i % 8])
        ax.annotate(
            label, (right, at), (right * 1.05, y), va="center", size=9, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 1.4, "shrinkA": 1, "shrinkB": 0,
                        "relpos": (0.0, 0.5)},
        )  # fmt: skip


def _time_unit(span_s: float) -> tuple[float, str]:
    units = ((172_800.0, 86_400.0, "d"), (10_800.0, 3600.0, "h"), (300.0, 60.0, "min"))
    return next(((scale, name) for least, scale, name in units if span_s >= least), (1.0, "s"))
