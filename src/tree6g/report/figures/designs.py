"""Figure: TREE of several designs against the worth of a token, how they differ, where each wins.

Good designs differ by little, and over four decades of worth their lines lie on each other: so TREE
stands a second time, relative to the first design.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.metric.compare import Comparison
from tree6g.metric.robustness import HIGH_BIT_PER_TOK, LOW_BIT_PER_TOK, tree_over_alpha
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.markup import visible
from tree6g.report.tables import Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_POINTS: Final = 81
_BETWEEN_IN: Final = 1.5  # height of the panel of differences with its title


def drawing(comparison: Comparison, service: str, *, name: str, stamp: str) -> Drawing:
    """One line per design over the worth of the service's tokens; the winner's range below."""
    table = _table(comparison, service, name)
    spans = _spans(comparison, service)
    said = "; ".join(
        f"{d} wins from {numerals.rough(a)} to {numerals.rough(b)} bit/token"
        for d, parts in spans.items()
        for a, b in parts
    )
    return canvas.draw(
        table,
        lambda c: _paint(c, table, comparison, service),
        description=f"TREE of each design against the worth of a token of {service}. {said}.",
        stamp=stamp,
        height_in=3.1 + _BETWEEN_IN + key.LINE_IN * len(comparison.figures),
    )


def _table(comparison: Comparison, service: str, name: str) -> Table:
    turns = [b.alpha_bit_per_tok for b in comparison.break_even if b.service == service]
    marks = [t for t in turns if t is not None and LOW_BIT_PER_TOK < t < HIGH_BIT_PER_TOK]
    grid = np.geomspace(LOW_BIT_PER_TOK, HIGH_BIT_PER_TOK, _POINTS)
    x = np.unique(np.concatenate([grid, marks]))
    lines = [tree_over_alpha(f, service, x).tolist() for f in comparison.figures.values()]
    columns = (
        Column(key="alpha_bit_per_tok", head="worth of a token", unit=""),
        *(Column(key=f"{d}_beq_per_j", head=d, unit="beq_per_j") for d in comparison.figures),
    )
    title = f"TREE of the designs against the worth of a token of {visible(service)}"
    rows = tuple(zip(x.tolist(), *lines, strict=True))
    return Table(name=name, title=title, columns=columns, rows=rows)


def _spans(comparison: Comparison, service: str) -> dict[str, tuple[tuple[float, float], ...]]:
    return {w.design: w.spans for w in comparison.weight_share if w.service == service}


def _paint(canvas_: Canvas, table: Table, comparison: Comparison, service: str) -> None:
    designs = list(comparison.figures)
    key_in = 0.36 + key.LINE_IN * len(designs)
    upper = canvas.axes(canvas_, left=0.6, right=0.2, top=key_in, bottom=0.98 + _BETWEEN_IN)
    middle = canvas.axes(
        canvas_, left=0.6, right=0.2, top=canvas_.get_figheight() - 2.2, bottom=0.98
    )
    lower = canvas.axes(
        canvas_, left=0.6, right=0.2, top=canvas_.get_figheight() - 1.0, bottom=0.44
    )
    _paint_lines(upper, table, comparison, service)
    _paint_differences(middle, table)
    _paint_spans(lower, designs, _spans(comparison, service))
    for ax in (upper, middle, lower):
        ax.set_xscale("log")
        ax.set_xlim(LOW_BIT_PER_TOK, HIGH_BIT_PER_TOK)
        ax.xaxis.set_major_formatter(numerals.tick)
    for ax in (upper, middle):
        ax.tick_params(labelbottom=False)
        ax.grid()
    lower.set_xlabel("worth of one token \u03b1 (bit/token, log scale)")
    key.series(canvas_, designs)


def _paint_lines(ax: Axes, table: Table, comparison: Comparison, service: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator

    x = np.array(table.numbers("alpha_bit_per_tok"))
    for i, column in enumerate(table.columns[1:]):
        y = table.numbers(column.key)
        ax.plot(x, y, lw=2.0, ms=5, markevery=16, **key.style(i))
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    # Less than a decade may hold no power of ten: round values in even steps instead.
    narrow = high < 5.0 * low
    ax.yaxis.set_major_locator(MaxNLocator(4) if narrow else LogLocator(10, (1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(numerals.tick)
    ax.yaxis.set_minor_formatter("")
    ax.text(0, 1.04, "TREE (bit-eq/J, log scale)", transform=ax.transAxes, size=9.5)
    stated = next(iter(comparison.figures.values())).service(service).alpha_bit_per_tok
    if stated:
        ax.axvline(stated, color=palette.light("muted"), ls=":", lw=1)
        ax.annotate(
            "stated", (stated, 0.97), (4, 0), xycoords=("data", "axes fraction"),
            textcoords="offset points", size=9, va="top", color=palette.light("muted"),
        )  # fmt: skip


def _paint_differences(ax: Axes, table: Table) -> None:
    x = np.array(table.numbers("alpha_bit_per_tok"))
    lines = [np.array(table.numbers(column.key)) for column in table.columns[1:]]
    first = visible(table.columns[1].head)
    title = f"TREE relative to {numerals.shorten(first, 36)} (%)"
    ax.text(0, 1.04, title, transform=ax.transAxes, size=9.5)
    if lines[0].min() <= 0:
        ax.text(0.02, 0.5, "not defined where that has no TREE", transform=ax.transAxes, size=9)
        return
    for i, line in enumerate(lines):
        ax.plot(x, line / lines[0] - 1.0, lw=2.0, ms=5, markevery=16, **key.style(i))
    ax.yaxis.set_major_formatter(_signed_percent)
    ax.locator_params(axis="y", nbins=4)


def _signed_percent(frac: float, _position: float = 0.0) -> str:
    return f"{100.0 * frac:+.3g}" if abs(frac) > 1e-12 else "0"


def _paint_spans(
    ax: Axes, designs: list[str], spans: dict[str, tuple[tuple[float, float], ...]]
) -> None:
    ax.set_yticks([])
    ax.set_ylim(0, 1)
    ax.spines["left"].set_visible(False)
    ax.text(0, 1.15, "highest TREE", transform=ax.transAxes, size=9.5)
    for i, design in enumerate(designs):
        role, hatch = palette.SERIES[i % 8], palette.HATCHES[i % 8]
        for low, high in spans.get(design, ()):
            ax.fill_between(
                [low, high], 0.15, 0.95, facecolor=palette.light(role), hatch=hatch,
                edgecolor=palette.light("paper"), linewidth=0,
            )  # fmt: skip
            ax.plot([np.sqrt(low * high)], [0.55], palette.MARKERS[i % 8],
                    color=palette.light("ink"), ms=6)  # fmt: skip
