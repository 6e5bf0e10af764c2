"""Figure: TREE against the worth of a token, and from which worth on AI earns its energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import Evidence
from tree6g.report.figures import key
from tree6g.report.tables import Column, Missing, Table
from tree6g.report.weight import PER_TOKEN, TokenWeight

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_POINTS: Final = 81


def drawing(evidence: Evidence, curve: TokenWeight | Missing) -> Drawing | Missing:
    """TREE over the weight above, the AI services' share of the value below, on one log axis."""
    if isinstance(curve, Missing):
        return curve
    ee = evidence.figure.ee_bit_per_j
    table = _table(curve, ee)
    return canvas.draw(
        table,
        lambda c: _paint(c, table, curve, ee),
        description=_describe(curve, table),
        stamp=evidence.stamp,
        height_in=4.5,
    )


def marks(curve: TokenWeight) -> list[tuple[str, float, str]]:
    """The weights that matter: what they are, their value, their marker."""
    found = [
        ("stated", curve.stated, "o"),
        ("value share = energy share", curve.equal_shares(), "D"),
        ("TREE = EE", curve.equal_ee(), "s"),
    ]
    return [(name, x, marker) for name, x, marker in found if isinstance(x, float) and x > 0]


def _table(curve: TokenWeight, ee: float | None) -> Table:
    low, high = curve.span()
    grid = np.geomspace(low, high, _POINTS)
    x = np.unique(np.concatenate([grid, [m[1] for m in marks(curve)]]))
    key = "alpha_bit_per_tok" if curve.unit == PER_TOKEN else "multiple"
    columns = (
        Column(key=key, head="worth of a token" if curve.unit == PER_TOKEN else "weight", unit=""),
        Column(key="tree_beq_per_j", head="TREE", unit="beq_per_j"),
        Column(key="ee_bit_per_j", head="EE", unit="bit_per_j"),
        Column(key="ai_utility_share_frac", head="AI share of value", unit="frac"),
        Column(key="ai_energy_share_frac", head="AI share of energy", unit="frac"),
    )
    share = curve.ai_energy_frac
    rows = tuple(
        (float(a), float(t), ee, float(s), share)
        for a, t, s in zip(x, curve.tree(x), curve.ai_share(x), strict=True)
    )
    title = "TREE against the worth of a token"
    return Table(name="weight", title=title, columns=columns, rows=rows)


def _describe(curve: TokenWeight, table: Table) -> str:
    tree = table.numbers("tree_beq_per_j")
    points = "; ".join(f"{n} at {numerals.rough(x)} {curve.unit}" for n, x, _ in marks(curve))
    ends = [numerals.quantity(v, "beq_per_j") for v in (tree[0], tree[-1])]
    return f"TREE rises from {ends[0]} to {ends[1]} over the drawn weights. Marked: {points}."


def _paint(canvas_: Canvas, table: Table, curve: TokenWeight, ee: float | None) -> None:
    found = marks(curve)
    height = canvas_.get_figheight()
    upper = canvas.axes(
        canvas_, left=0.6, right=0.2, top=0.36 + key.LINE_IN * len(found), bottom=2.12
    )
    lower = canvas.axes(canvas_, left=0.6, right=0.2, top=height - 1.92, bottom=0.44)
    x = np.array(table.numbers(table.columns[0].key))
    _paint_tree(upper, x, table, ee)
    _paint_share(lower, x, curve)
    for ax in (upper, lower):
        ax.set_xscale("log")
        ax.set_xlim(x[0], x[-1])
        ax.xaxis.set_major_formatter(numerals.tick)
        ax.grid()
    upper.tick_params(labelbottom=False)
    unit = "bit/token" if curve.unit == PER_TOKEN else "multiple of the stated"
    lower.set_xlabel(f"worth of one token \u03b1 ({unit}, log scale)")
    _paint_marks(upper, lower, curve)
    key.markers(canvas_, [(m, f"{name}: {numerals.rough(at)}") for name, at, m in found])


def _paint_tree(ax: Axes, x: np.ndarray, table: Table, ee: float | None) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    tree = np.array(table.numbers("tree_beq_per_j"))
    least, most = min(tree.min(), ee or tree.min()), max(tree.max(), ee or tree.max())
    ax.plot(x, tree, color=palette.light("value"), lw=2.2)
    ax.set_yscale("log")
    ax.set_ylim(least / 1.8, most * 1.6)
    wide = most / least > 50
    ax.yaxis.set_major_locator(LogLocator(10, (1.0,) if wide else (1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(numerals.tick)
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.text(0, 1.05, "TREE (bit-eq/J, log scale)", transform=ax.transAxes, size=9.5)
    if ee:
        ax.axhline(ee, color=palette.light("bits"), ls="--", lw=1.4)
        text = f"EE {numerals.quantity(ee, 'bit_per_j')}"
        ax.annotate(
            text, (x[-1], ee), (-4, -4), textcoords="offset points", ha="right", va="top", size=9
        )


def _paint_share(ax: Axes, x: np.ndarray, curve: TokenWeight) -> None:
    from matplotlib.ticker import PercentFormatter

    ax.plot(x, curve.ai_share(x), color=palette.light("value"), lw=2.2)
    ax.text(0, 1.07, "AI services' share of the value", transform=ax.transAxes, size=9.5)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    share = curve.ai_energy_frac
    if share is not None:
        ax.axhline(share, color=palette.light("energy"), ls="-.", lw=1.4)
        above = share < 0.8
        ax.annotate(
            f"of the energy: {numerals.percent(share)}", (x[0], share), (5, 4 if above else -4),
            textcoords="offset points", va="bottom" if above else "top", size=9,
        )  # fmt: skip


def _paint_marks(upper: Axes, lower: Axes, curve: TokenWeight) -> None:
    for _, at, marker in marks(curve):
        x = np.array([at])
        for ax, y in ((upper, curve.tree(x)), (lower, curve.ai_share(x))):
            ax.axvline(at, color=palette.light("muted"), ls=":", lw=0.9)
            ax.plot(x, y, marker, color=palette.light("ink"), ms=6, clip_on=False, zorder=5)
