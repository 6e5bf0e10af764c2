"""A map of two weights: which design wins where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from charts import Scale

from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.tables import Column, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def regions(  # noqa: PLR0913  # a chart is all of them
    name: str,
    title: str,
    description: str,
    stamp: str,
    *,
    x: Scale,
    at_x: npt.NDArray[np.float64],
    y: Scale,
    at_y: npt.NDArray[np.float64],
    names: Sequence[str],
    winners: npt.NDArray[np.int64],
    points: Sequence[tuple[str, float, float]] = (),
    height_in: float = 3.4,
) -> Drawing:
    """Regions of the plane by winner, told apart by colour and hatch; both axes logarithmic.

    Args:
        name: Stem of the files.
        title: What it shows.
        description: What can be read off it, in words.
        stamp: What it is made of.
        x: Axis to the right.
        at_x: Its values. [column]
        y: Axis upwards.
        at_y: Its values. [row]
        names: Designs; those that win nowhere are left out of the key.
        winners: Place in `names` of the winner. [row, column]
        points: Single points of interest, with their words.
        height_in: Height without the key.
    """
    columns = (
        Column(key=x.key, head=x.label, unit=x.unit),
        Column(key=y.key, head=y.label, unit=y.unit),
        Column(key="winner", head="winner"),
    )
    rows = tuple(
        (float(at_x[j]), float(at_y[i]), names[winner])
        for (i, j), winner in np.ndenumerate(winners)
    )
    won = [int(each) for each in np.unique(winners)]

    def paint(canvas_: Canvas) -> None:
        ax = canvas.axes(
            canvas_, left=0.78, right=0.2, top=0.4 + key.LINE_IN * len(won), bottom=0.5
        )
        ax.text(-0.12, 1.03, y.label, transform=ax.transAxes, size=9.5)
        handles = []
        for place, each in enumerate(won):
            colour = palette.light(palette.SERIES[place % 8])
            ax.contourf(
                at_x, at_y, winners == each, levels=[0.5, 1.5], colors=[colour],
                hatches=[palette.HATCHES[place % 8]], alpha=0.75,
            )  # fmt: skip
            handles.append(
                ax.fill_between([], [], color=colour, hatch=palette.HATCHES[place % 8], alpha=0.75)
            )
        for words, right, up in points:
            ax.plot([right], [up], marker="o", ms=7, color=palette.light("ink"), ls="")
            ax.annotate(
                words, (right, up), (7, 5), textcoords="offset points", size=9,
                bbox={"facecolor": palette.light("paper"), "edgecolor": "none", "pad": 1.5},
            )  # fmt: skip
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(x.label)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda value, _: numerals.tick(value))
        canvas_.legend(
            handles, [names[each] for each in won], loc="upper left", frameon=False,
            fontsize=9.5, ncols=1, bbox_to_anchor=(0.0, 1.0),
        )  # fmt: skip

    return canvas.draw(
        Table(name=name, title=title, columns=columns, rows=rows),
        paint,
        description=description,
        stamp=stamp,
        height_in=height_in + key.LINE_IN * len(won),
    )
