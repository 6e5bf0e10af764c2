"""Figures of a validation: our values over what they should be, with the accepted range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tree6g.calibrate.result import Curve, FloatArray
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.tables import Cell, Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_HEIGHT_IN: Final = 2.7
_MARKS: Final = 9  # markers along a line
_REFERENCE: Final[dict[str, Any]] = {"color": palette.light("ink"), "ls": (0, (2, 2)), "lw": 1.3}
_RANGE: Final[dict[str, Any]] = {"color": palette.light("muted"), "ls": "-", "lw": 7, "alpha": 0.4}


def drawings(curves: Sequence[Curve], *, stamp: str) -> list[Drawing]:
    """One drawing for each panel that the curves name, in their order."""
    panels: dict[str, list[Curve]] = {}
    for curve in curves:
        panels.setdefault(curve.panel, []).append(curve)
    return [
        _drawing(f"validation-{number:02d}", title, own, stamp)
        for number, (title, own) in enumerate(panels.items(), start=1)
    ]


def _drawing(name: str, title: str, curves: Sequence[Curve], stamp: str) -> Drawing:
    entries = _entries(curves)
    return canvas.draw(
        _table(name, title, curves),
        lambda c: _paint(c, curves, entries),
        description=f"{title}. " + " ".join(_said(c) for c in curves),
        stamp=stamp,
        height_in=_HEIGHT_IN + key.LINE_IN * len(entries),
    )


def _table(name: str, title: str, curves: Sequence[Curve]) -> Table:
    first = curves[0]
    heads = (("x", first.x_label), ("y", first.y_label))
    columns = (
        Column(key="curve", head="curve"),
        *(Column(key=k, head=head, unit="") for k, head in heads),
        *(Column(key=k, head=k, unit="") for k in ("reference", "low", "high")),
    )
    rows = tuple(row for curve in curves for row in _rows(curve))
    return Table(name=name, title=title, columns=columns, rows=rows)


def _rows(curve: Curve) -> list[tuple[Cell, ...]]:
    def cells(values: FloatArray | None) -> list[Cell]:
        return [None] * len(curve.x) if values is None else [float(v) for v in values]

    names: list[Cell] = [curve.name] * len(curve.x)
    numbers = (curve.x, curve.y, curve.reference, curve.low, curve.high)
    return list(zip(names, *(cells(v) for v in numbers), strict=True))


def _said(curve: Curve) -> str:
    """What can be read off a curve, in words."""
    said = [f"{curve.name}: {len(curve.x):,} points"]
    if curve.reference is not None:
        off = float(np.mean(np.abs(curve.y - curve.reference)))
        said.append(f"mean distance from the reference {numerals.plain(off)}")
    if curve.low is not None and curve.high is not None:
        inside = float(np.mean((curve.y >= curve.low) & (curve.y <= curve.high)))
        said.append(f"{numerals.percent(inside)} inside the range")
    return ", ".join(said) + "."


def _style(number: int, curve: Curve) -> dict[str, Any]:
    """Style of a curve: a line with a few markers, or markers alone."""
    own = key.style(number)
    if curve.form == "points":
        return {**own, "ls": "", "marker": "x", "ms": 3.5, "mew": 0.8}
    return {**own, "lw": 1.8, "ms": 5}


def _entries(curves: Sequence[Curve]) -> list[tuple[str, dict[str, Any]]]:
    entries = [(c.name, _style(i, c)) for i, c in enumerate(curves)]
    if any(c.reference is not None for c in curves):
        entries.append(("reference", _REFERENCE))
    if any(c.low is not None for c in curves):
        entries.append(("accepted range", _RANGE))
    return entries


def _paint(
    canvas_: Canvas, curves: Sequence[Curve], entries: Sequence[tuple[str, dict[str, Any]]]
) -> None:
    top = 0.2 + key.LINE_IN * len(entries)
    ax = canvas.axes(canvas_, left=0.95, right=0.2, top=top, bottom=0.5)
    for number, curve in enumerate(curves):
        _paint_curve(ax, number, curve)
    ax.set_xlabel(curves[0].x_label)
    ax.set_ylabel(curves[0].y_label)
    ax.grid()
    ax.margins(x=0.02)
    # The key's samples take the size that the key gives them.
    plain = [(n, {k: v for k, v in s.items() if k not in {"ms", "mew"}}) for n, s in entries]
    key.entries(canvas_, plain)


def _paint_curve(ax: Axes, number: int, curve: Curve) -> None:
    if curve.low is not None and curve.high is not None:
        ax.fill_between(
            curve.x, curve.low, curve.high, facecolor=_RANGE["color"], alpha=0.3, linewidth=0
        )
        for edge in (curve.low, curve.high):
            ax.plot(curve.x, edge, color=_RANGE["color"], lw=0.8)
    if curve.reference is not None:
        ax.plot(curve.x, curve.reference, **_REFERENCE)
    every = None if curve.form == "points" else max(len(curve.x) // _MARKS, 1)
    ax.plot(curve.x, curve.y, markevery=every, **_style(number, curve))
