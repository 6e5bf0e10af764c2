"""Two charts that most studies need: lines over a quantity, and bars by design."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.tables import Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ABSENT = Missing(reason="not defined in this run")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis.

    Attributes:
        key: Name in the table, with its unit's suffix.
        label: What stands beside the axis, with the unit.
        unit: Unit of `numerals.quantity`; `""` for a plain number, None for words.
        log: Whether it is logarithmic.
        zero: Whether it begins at zero.
    """

    key: str
    label: str
    unit: str | None = ""
    log: bool = False
    zero: bool = False


def lines(  # noqa: PLR0913  # a chart is all of them
    name: str,
    title: str,
    description: str,
    stamp: str,
    *,
    x: Scale,
    at: Sequence[float],
    y: Scale,
    series: Mapping[str, Sequence[float | None]],
    marks: Mapping[str, float] | None = None,
    height_in: float = 2.9,
) -> Drawing:
    """One line with markers per series; None is a gap.

    Args:
        name: Stem of the files.
        title: What it shows.
        description: What can be read off it, in words.
        stamp: What it is made of.
        x: Axis to the right.
        at: Its values. [point]
        y: Axis upwards.
        series: Values by name. [point] each
        marks: Level lines by their words, in units of y.
        height_in: Height without the key.
    """
    table = _table(name, title, Column(key=x.key, head=x.label, unit=x.unit), at, y, series)

    def paint(canvas_: Canvas) -> None:
        ax = _axes(canvas_, y, len(series))
        for i, values in enumerate(series.values()):
            heights = [np.nan if v is None else v for v in values]
            ax.plot(at, heights, lw=2.0, ms=5, **key.style(i))
        for words, level in (marks or {}).items():
            ax.axhline(level, color=palette.light("muted"), ls=":", lw=1.2)
            ax.annotate(
                words, (0.01, level), (0, 3), xycoords=("axes fraction", "data"),
                textcoords="offset points", size=8.5, color=palette.light("muted"),
            )  # fmt: skip
        _scale(ax, x, y)
        ax.grid()
        key.series(canvas_, list(series))

    return canvas.draw(
        table,
        paint,
        description=description,
        stamp=stamp,
        height_in=height_in + key.LINE_IN * len(series),
    )


def bars(
    name: str,
    title: str,
    description: str,
    stamp: str,
    *,
    groups: Sequence[str],
    y: Scale,
    series: Mapping[str, Sequence[float | None]],
    height_in: float = 2.9,
) -> Drawing:
    """Bars side by side per group, one per series, told apart by colour and hatch.

    Args:
        name: Stem of the files.
        title: What it shows.
        description: What can be read off it, in words.
        stamp: What it is made of.
        groups: Names below the bars. [group]
        y: Axis upwards.
        series: Heights by name. [group] each
        height_in: Height without the key.
    """
    table = _table(name, title, Column(key="group", head=""), groups, y, series)

    def paint(canvas_: Canvas) -> None:
        ax = _axes(canvas_, y, len(series))
        width = 0.8 / len(series)
        for i, (label, values) in enumerate(series.items()):
            places = np.arange(len(groups)) - 0.4 + width * (i + 0.5)
            ax.bar(
                places, [v or 0.0 for v in values], width * 0.92, label=label,
                color=palette.light(palette.SERIES[i % 8]), hatch=palette.HATCHES[i % 8],
                edgecolor=palette.light("paper"), linewidth=0,
            )  # fmt: skip
        _scale(ax, Scale(key="group", label="", unit=None), y)
        ax.set_xticks(range(len(groups)), [each.replace(" ", "\n") for each in groups], size=8.5)
        ax.grid(axis="y")
        handles, labels = ax.get_legend_handles_labels()
        canvas_.legend(handles, labels, loc="upper left", frameon=False, fontsize=9.5, ncols=1,
                       bbox_to_anchor=(0.0, 1.0))  # fmt: skip

    return canvas.draw(
        table,
        paint,
        description=description,
        stamp=stamp,
        height_in=height_in + key.LINE_IN * len(series),
    )


def _table(  # what both charts know of theirs
    name: str,
    title: str,
    first: Column,
    keys: Sequence[float] | Sequence[str],
    y: Scale,
    series: Mapping[str, Sequence[float | None]],
) -> Table:
    """A column per series beside the first one, which holds the keys."""
    columns = (first, *(Column(key=f"{s}, {y.key}", head=s, unit=y.unit) for s in series))
    rows = tuple(
        (key, *(ABSENT if each[i] is None else each[i] for each in series.values()))
        for i, key in enumerate(keys)
    )
    return Table(name=name, title=title, columns=columns, rows=rows)


def _axes(canvas_: Canvas, y: Scale, count: int) -> Axes:
    ax = canvas.axes(canvas_, left=0.98, right=0.2, top=0.4 + key.LINE_IN * count, bottom=0.5)
    ax.text(-0.2, 1.04, y.label, transform=ax.transAxes, size=9.5)
    return ax


def _scale(ax: Axes, x: Scale, y: Scale) -> None:
    if x.log:
        ax.set_xscale("log")
    if y.log:
        ax.set_yscale("log")
    if y.zero:
        ax.set_ylim(bottom=0)
    if x.unit is not None:
        ax.set_xlabel(x.label)
        ax.xaxis.set_major_formatter(_ticks(x.unit))
    ax.yaxis.set_major_formatter(_ticks(y.unit or ""))


def _ticks(unit: str) -> Callable[[float, float | None], str]:
    """Labels at an axis: quantities with their unit, plain numbers short."""
    if unit:
        return lambda value, _: numerals.quantity(value, unit)
    return lambda value, _: numerals.tick(value) if abs(value) >= 1e4 else numerals.plain(value)
