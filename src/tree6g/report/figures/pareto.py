"""Figure: designs of a sweep by two figures, those that no other beats joined by a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.tables import Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Measure = Mapping[str, Any]
_NUMBERED: Final = 60  # points that still have room for their numbers
_FRONT, _REST = "no other design beats it in both", "beaten by another design"


def drawing(
    designs: Sequence[Mapping[str, Any]], first: Measure, second: Measure, stamp: str
) -> Drawing | Missing:
    """The second figure to the right, the first upwards, intervals as bars, designs by number.

    Args:
        designs: `{number, design, front, figures}` with `figures` as mean and half width by key.
        first: `{key, head, unit, larger}` of the figure upwards.
        second: The same of the figure to the right.
        stamp: What it is made of.
    """
    table = _table(designs, first, second)
    if not table.rows:
        return Missing(reason="no design has both figures")
    best = [str(row[0]) for row in table.rows if row[2] == "yes"]
    return canvas.draw(
        table,
        lambda c: _paint(c, table, first, second),
        description=f"{first['head']} over {second['head']} of {len(table.rows)} designs. No other "
        f"beats design {numerals.listing(best)} in both.",
        stamp=stamp,
        height_in=3.3 + 2 * key.LINE_IN,
    )


def _table(designs: Sequence[Mapping[str, Any]], first: Measure, second: Measure) -> Table:
    rows = []
    for design in designs:
        pair = [design["figures"][m["key"]] for m in (first, second)]
        if all(found["mean"] is not None for found in pair):
            numbers = [found[name] for found in pair for name in ("mean", "half_width")]
            shown = [Missing(reason="one run has no spread") if n is None else n for n in numbers]
            front = "yes" if design["front"] else "no"
            rows.append((str(design["number"]), design["design"], front, *shown))
    columns = (
        Column(key="number", head="number"),
        Column(key="design", head="design"),
        Column(key="front", head="unbeaten"),
        *(
            Column(key=name, head=head, unit=m["unit"])
            for m in (first, second)
            for name, head in ((m["key"], m["head"]), (f"half_width_{m['key']}", "\u00b1"))
        ),
    )
    title = f"Designs by {first['head']} and {second['head']}"
    return Table(name="pareto", title=title, columns=columns, rows=tuple(rows))


def _paint(canvas_: Canvas, table: Table, first: Measure, second: Measure) -> None:
    ax = canvas.axes(canvas_, left=1.12, right=0.25, top=0.3 + 2 * key.LINE_IN, bottom=0.46)
    points = _points(table)
    ink = palette.light("ink")
    for _, unbeaten, y, dy, x, dx in points:
        ax.errorbar(
            x, y, xerr=dx, yerr=dy, fmt="o" if unbeaten else "s", ms=7 if unbeaten else 5,
            mfc=palette.light("accent") if unbeaten else "none", color=palette.light("muted"),
            mec=ink, elinewidth=0.9, zorder=3 if unbeaten else 2,
        )  # fmt: skip
    _join(ax, [(x, y) for _, unbeaten, y, _, x, _ in points if unbeaten])
    if len(points) <= _NUMBERED:
        for number, _, y, _, x, _ in points:
            ax.annotate(number, (x, y), (5, 4), textcoords="offset points", size=9, color=ink)
    ax.xaxis.set_major_formatter(lambda v, _: numerals.quantity(v, second["unit"]))
    ax.yaxis.set_major_formatter(lambda v, _: numerals.quantity(v, first["unit"]))
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel(f"{second['head']} ({_better(second)} is better)")
    ax.text(-0.3, 1.04, f"{first['head']} ({_better(first)} is better)", transform=ax.transAxes,
            size=9.5)  # fmt: skip
    ax.grid()
    _key(canvas_)


def _points(table: Table) -> list[tuple[str, bool, float, float, float, float]]:
    """Number, whether unbeaten, and both means with the lengths of their bars."""
    found = []
    for number, _, front, *cells in table.rows:
        y, dy, x, dx = (float(c) if isinstance(c, int | float) else 0.0 for c in cells)
        found.append((str(number), front == "yes", y, dy, x, dx))
    return found


def _join(ax: Axes, front: list[tuple[float, float]]) -> None:
    along = sorted(front)
    ax.plot([x for x, _ in along], [y for _, y in along], lw=1.2, ls="--",
            color=palette.light("accent"), zorder=1)  # fmt: skip


def _key(canvas_: Canvas) -> None:
    ink = palette.light("ink")
    full = {"marker": "o", "mfc": palette.light("accent"), "mec": ink}
    key.entries(
        canvas_, [(_FRONT, full), (_REST, {"marker": "s", "mfc": "none", "mec": ink})]
    )  # fmt: skip


def _better(measure: Measure) -> str:
    return "more" if measure["larger"] else "less"
