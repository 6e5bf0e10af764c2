"""Figures of a validation: panels of our values over what they should be, with what is accepted."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tree6g.calibrate.result import Curve, FloatArray, Plot
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.tables import Cell, Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_HEIGHT_IN: Final = {1: 2.7, 2: 1.35, 3: 0.95}  # of a panel, by panels side by side
_LEFT_IN: Final = 0.85
_GAP_IN: Final = (0.46, 0.42)  # between panels, across and down
_BOTTOM_IN: Final = 0.5
_TITLE_IN: Final = 0.22  # of a line of the title
_LINE_CHARACTERS: Final = 50  # of the title
_MARKS: Final = 9  # markers along a line
_SMALL: Final = 7.0  # size of words at small panels, in points
_REFERENCE: Final[dict[str, Any]] = {"color": palette.light("ink"), "ls": (0, (2, 2)), "lw": 1.2}
_RANGE: Final[dict[str, Any]] = {"color": palette.light("muted"), "ls": "-", "lw": 7, "alpha": 0.4}

_Entry = tuple[str, dict[str, Any]]


def drawings(plots: Sequence[Plot], *, stamp: str) -> list[Drawing]:
    """One drawing for each plot, in their order."""
    return [_drawing(plot, stamp) for plot in plots if plot.curves]


def _drawing(plot: Plot, stamp: str) -> Drawing:
    title = textwrap.wrap(plot.title, _LINE_CHARACTERS)
    entries = _entries(plot)
    panels = _panels(plot)
    columns = min(plot.columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    top_in = 0.1 + _TITLE_IN * len(title) + key.LINE_IN * len(entries) + 0.25
    height_in = rows * (_HEIGHT_IN[columns] + _GAP_IN[1]) - _GAP_IN[1] + top_in + _BOTTOM_IN

    def paint(c: Canvas) -> None:
        """Head, panels and labels onto the canvas."""
        _paint_head(c, title, entries)
        for place, (name, curves) in enumerate(panels.items()):
            ax = _axes(c, place, columns, rows, top_in)
            _paint_panel(ax, plot, name, curves, small=columns > 1)
        _paint_labels(c, plot, top_in)

    said = " ".join(_said(c) for c in plot.curves)
    return canvas.draw(
        _table(plot),
        paint,
        description=f"{plot.title}. {plot.reads} {said}",
        stamp=stamp,
        height_in=height_in,
    )


def _panels(plot: Plot) -> dict[str, list[Curve]]:
    panels: dict[str, list[Curve]] = {}
    for curve in plot.curves:
        panels.setdefault(curve.panel, []).append(curve)
    return panels


def _table(plot: Plot) -> Table:
    columns = (
        Column(key="panel", head="panel"),
        Column(key="curve", head="curve"),
        *(Column(key=_key(head), head=head, unit="") for head in (plot.x_label, plot.y_label)),
        *(Column(key=k, head=k, unit="") for k in ("reference", "low", "high")),
    )
    rows = tuple(row for curve in plot.curves for row in _rows(curve))
    return Table(name=plot.name, title=plot.title, columns=columns, rows=rows)


def _key(label: str) -> str:
    """The label of an axis as the name of a column: `terminals_below_percent`."""
    words = label.replace("%", "percent").replace(" - ", " minus ").lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_")


def _rows(curve: Curve) -> list[tuple[Cell, ...]]:
    def cells(values: FloatArray | None) -> list[Cell]:
        """A column of the table; empty where the curve has none."""
        return [None] * len(curve.x) if values is None else [float(v) for v in values]

    names: list[Cell] = [curve.name] * len(curve.x)
    panels: list[Cell] = [curve.panel] * len(curve.x)
    numbers = (curve.x, curve.y, curve.reference, curve.low, curve.high)
    return list(zip(panels, names, *(cells(v) for v in numbers), strict=True))


def _said(curve: Curve) -> str:
    """What can be read off a curve, in words."""
    said = [f"{curve.panel or curve.name}: {len(curve.x):,} points"]
    if curve.reference is not None:
        off = float(np.mean(np.abs(curve.y - curve.reference)))
        said.append(f"mean distance from the dashed line {numerals.plain(off)}")
    if curve.low is not None and curve.high is not None:
        inside = float(np.mean((curve.y >= curve.low) & (curve.y <= curve.high)))
        said.append(f"{numerals.percent(inside)} inside the band")
    return ", ".join(said) + "."


def _style(number: int, curve: Curve) -> dict[str, Any]:
    """Style of a curve: a line with a few markers, or markers alone."""
    own = key.style(number)
    if curve.form == "points":
        return {**own, "ls": "", "marker": "x", "ms": 3.5, "mew": 0.8}
    return {**own, "lw": 1.6, "ms": 4.5}


def _styles(plot: Plot) -> dict[str, dict[str, Any]]:
    """The style of each name of a curve."""
    first: dict[str, Curve] = {}
    for curve in plot.curves:
        first.setdefault(curve.name, curve)
    return {name: _style(number, curve) for number, (name, curve) in enumerate(first.items())}


def _entries(plot: Plot) -> list[_Entry]:
    entries = list(_styles(plot).items())
    if any(c.reference is not None for c in plot.curves):
        entries.append((plot.reference, _REFERENCE))
    if any(c.low is not None for c in plot.curves):
        entries.append((plot.accepted, _RANGE))
    return entries


def _paint_head(canvas_: Canvas, title: Sequence[str], entries: Sequence[_Entry]) -> None:
    """The title, and what lines and markers mean."""
    width, height = canvas_.get_size_inches()
    for line, text in enumerate(title):
        y = 1 - (0.08 + _TITLE_IN * line) / height
        canvas_.text(0.12 / width, y, text, size=10.5, weight="bold", va="top")
    # The key's samples take the size that the key gives them.
    plain = [(n, {k: v for k, v in s.items() if k not in {"ms", "mew"}}) for n, s in entries]
    key.entries(canvas_, plain, below_in=0.1 + _TITLE_IN * len(title))


def _axes(canvas_: Canvas, place: int, columns: int, rows: int, top_in: float) -> Axes:
    """The axes of a panel, counted along rows."""
    width, height = canvas_.get_size_inches()
    foot = _BOTTOM_IN + canvas.STAMP_IN
    wide = (width - _LEFT_IN - 0.15 - (columns - 1) * _GAP_IN[0]) / columns
    high = (height - foot - top_in - (rows - 1) * _GAP_IN[1]) / rows
    row, column = divmod(place, columns)
    left = _LEFT_IN + column * (wide + _GAP_IN[0])
    low = foot + (rows - 1 - row) * (high + _GAP_IN[1])
    return canvas_.add_axes((left / width, low / height, wide / width, high / height))


def _paint_labels(canvas_: Canvas, plot: Plot, top_in: float) -> None:
    """Words below and beside all panels."""
    width, height = canvas_.get_size_inches()
    foot = _BOTTOM_IN + canvas.STAMP_IN
    middle = (_LEFT_IN + (width - _LEFT_IN - 0.15) / 2) / width
    canvas_.text(middle, (canvas.STAMP_IN + 0.08) / height, plot.x_label, ha="center", va="bottom")
    y = (foot + (height - foot - top_in) / 2) / height
    canvas_.text(
        0.12 / width, y, plot.y_label, ha="left", va="center", rotation="vertical", size=9.5
    )


def _paint_panel(ax: Axes, plot: Plot, name: str, curves: Sequence[Curve], *, small: bool) -> None:
    from matplotlib.ticker import MaxNLocator, NullFormatter

    styles = _styles(plot)
    for curve in curves:
        size = {"lw": 1.1, "ms": 2.6} if small and curve.form == "line" else {}
        _paint_curve(ax, curve, {**styles[curve.name], **size})
    if plot.log_x:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(numerals.tick)
        ax.xaxis.set_minor_formatter(NullFormatter())
    elif small:
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if plot.log_y:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(numerals.tick)
        ax.yaxis.set_minor_formatter(NullFormatter())
    elif small:
        ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if small:
        ax.tick_params(labelsize=_SMALL, pad=2)
    if name:
        ax.annotate(
            name, (0, 1), (-12, 4), "axes fraction", "offset points", size=_SMALL + 0.5, va="bottom"
        )
    ax.grid()
    ax.margins(x=0.03)


def _paint_curve(ax: Axes, curve: Curve, style: dict[str, Any]) -> None:
    if curve.low is not None and curve.high is not None:
        ax.fill_between(
            curve.x, curve.low, curve.high, facecolor=_RANGE["color"], alpha=0.3, linewidth=0
        )
        for edge in (curve.low, curve.high):
            ax.plot(curve.x, edge, color=_RANGE["color"], lw=0.8)
    if curve.reference is not None:
        ax.plot(curve.x, curve.reference, **_REFERENCE)
    every = None if curve.form == "points" else max(len(curve.x) // _MARKS, 1)
    ax.plot(curve.x, curve.y, markevery=every, **style)
