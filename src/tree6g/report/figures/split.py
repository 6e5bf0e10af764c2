"""Figure: the best cut of a model over the rate of the uplink and the load of the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tree6g.compute.splitting.study import NONE, Sweep
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.markup import visible
from tree6g.report.tables import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PANEL_IN: Final = 2.55
NO_CUT: Final = "no cut keeps the limits"
# Fill and ink of a cell: all on the server, between, all on the device, none.
_LOOKS: Final = {
    "server": ("paper", "ink"), "split": ("rule", "ink"), "device": ("muted", "paper"),
    "none": ("panel", "muted"),
}  # fmt: skip
_MEANING: Final = (
    ("server", "0: all on the server"),
    ("split", "number: layers on the device, the rest on the server"),
    ("device", "all: all on the device"),
    ("none", "\u2013: no cut keeps the limits"),
)


def drawing(sweeps: Sequence[tuple[str, Sweep]], stamp: str) -> Drawing:
    """A grid of cells per model, each with the number of layers that stay on the device.

    Args:
        sweeps: Heading and sweep of each panel.
        stamp: What stands below it.
    """
    said = "; ".join(f"{title}: {_said(sweep)}" for title, sweep in sweeps)
    return canvas.draw(
        table(sweeps),
        lambda c: _paint(c, sweeps),
        description=f"Best cut over uplink rate and server load. {said}.",
        stamp=stamp,
        height_in=0.15 + key.LINE_IN * len(_MEANING) + PANEL_IN * len(sweeps),
    )


def table(sweeps: Sequence[tuple[str, Sweep]]) -> Table:
    """A row per model, load and rate."""
    columns = (
        Column(key="model", head="model"),
        Column(key="sequences", head="sequences at the server", unit=""),
        Column(key="up_bps", head="uplink", unit="bps"),
        Column(key="device_layers", head="layers on the device", unit=""),
        Column(key="layers", head="layers", unit=""),
        Column(key="energy_j", head="energy", unit="j"),
        Column(key="latency_s", head="latency", unit="s"),
    )
    rows = tuple(
        (title, float(load), float(rate), *_cells(sweep, i, k))
        for title, sweep in sweeps
        for i, load in enumerate(sweep.sequences)
        for k, rate in enumerate(sweep.up_bps)
    )
    title = "Best cut over uplink rate and server load"
    return Table(name="best-cut", title=title, columns=columns, rows=rows)


def _cells(sweep: Sweep, i: int, k: int) -> tuple[Cell, ...]:
    if sweep.cut[i, k] == NONE:
        nothing = Missing(reason=NO_CUT)
        return nothing, float(sweep.layers), nothing, nothing
    found = (sweep.energy_j[i, k], sweep.latency_s[i, k])
    return float(sweep.cut[i, k]), float(sweep.layers), float(found[0]), float(found[1])


def _said(sweep: Sweep) -> str:
    parts = []
    for load, cuts in zip(sweep.sequences, sweep.cut, strict=True):
        words = "none" if (cuts == NONE).all() else f"{_word(cuts[0], sweep)} to "
        parts.append(f"load {load:g}: {words}{_word(cuts[-1], sweep) if words != 'none' else ''}")
    return ", ".join(parts)


def _word(cut: int, sweep: Sweep) -> str:
    if cut == NONE:
        return numerals.DASH
    return "all" if cut == sweep.layers else str(cut)


def _look(cut: int, sweep: Sweep) -> str:
    ends = {NONE: "none", 0: "server", sweep.layers: "device"}
    return ends.get(cut, "split")


def _paint(canvas_: Canvas, sweeps: Sequence[tuple[str, Sweep]]) -> None:
    _key(canvas_)
    above = 0.15 + key.LINE_IN * len(_MEANING)
    for place, (title, sweep) in enumerate(sweeps):
        below = PANEL_IN * (len(sweeps) - 1 - place)
        ax = canvas.axes(
            canvas_, left=0.62, right=0.12, top=above + PANEL_IN * place + 0.34, bottom=below + 0.46
        )
        _grid(ax, sweep)
        ax.text(0, 1.05, visible(title), transform=ax.transAxes, size=10)


def _grid(ax: Axes, sweep: Sweep) -> None:
    for i in range(len(sweep.sequences)):
        for k in range(len(sweep.up_bps)):
            cut = int(sweep.cut[i, k])
            fill, ink = _LOOKS[_look(cut, sweep)]
            ax.bar(
                k, 1.0, 1.0, bottom=i - 0.5, facecolor=palette.light(fill),
                edgecolor=palette.light("muted"), linewidth=0.5,
            )  # fmt: skip
            ax.text(
                k, i, _word(cut, sweep), ha="center", va="center", size=8.5,
                color=palette.light(ink),
            )  # fmt: skip
    ax.set_xlim(-0.5, len(sweep.up_bps) - 0.5)
    ax.set_ylim(-0.5, len(sweep.sequences) - 0.5)
    shown = range(0, len(sweep.up_bps), 2)
    ax.set_xticks(list(shown), [_rate(float(sweep.up_bps[k])) for k in shown])
    loads = [f"{load:g}" for load in sweep.sequences]
    ax.set_yticks(range(len(loads)), loads)
    ax.tick_params(length=0)
    ax.set_xlabel("uplink rate (bit/s)")
    ax.set_ylabel("sequences at the server")


def _rate(rate_bps: float) -> str:
    return numerals.quantity(rate_bps, "bps").replace("bit/s", "").replace(numerals.NBSP, "")


def _key(canvas_: Canvas) -> None:
    width, height = canvas_.get_size_inches()
    for place, (look, text) in enumerate(_MEANING):
        y = 1 - (0.12 + key.LINE_IN * place) / height
        box = canvas_.add_axes((0.15 / width, y - 0.07 / height, 0.3 / width, 0.14 / height))
        box.set_xticks([])
        box.set_yticks([])
        box.set_facecolor(palette.light(_LOOKS[look][0]))
        for spine in box.spines.values():
            spine.set_visible(True)
            spine.set_color(palette.light("muted"))
        canvas_.text(0.56 / width, y, text, size=9.5, va="center")
