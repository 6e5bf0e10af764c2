"""Figure: the joules from the components that draw them to the services that cause them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import Evidence, Row
from tree6g.report.markup import visible
from tree6g.report.tables import Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Links = Mapping[tuple[str, str], float]

# Below this part of all joules a component or a service is drawn with the others of its side.
_SMALLEST_FRAC: Final = 0.004
_INVISIBLE_FRAC: Final = 2e-4
_GAP_FRAC: Final = 0.04
_BAR: Final = 0.03
_LABEL_IN: Final = 0.36  # two lines of a label
NO_SERVICE: Final = "no service"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A bar of one side; y runs from 0 (top) to 1 + gaps, in parts of all joules."""

    name: str
    top: float
    height: float


def drawing(evidence: Evidence) -> Drawing | Missing:
    """Bands whose widths are joules, from components at the left to services at the right."""
    table = _table(evidence.flows)
    total_j = sum(table.numbers("energy_j"))
    if total_j <= 0:
        return Missing(reason="no energy inside the boundary in the covered time")
    links = _links(evidence.flows, total_j)
    said = "; ".join(
        f"{numerals.percent(frac)} from {a} to {b}"
        for (a, b), frac in sorted(links.items(), key=lambda item: -item[1])
    )
    sides = [list(dict.fromkeys(pair[side] for pair in links)) for side in (0, 1)]
    return canvas.draw(
        table,
        lambda c: _paint(c, links, total_j),
        description=f"Bands from components to services, of all energy: {said}.",
        stamp=evidence.stamp,
        height_in=0.4 + max(2.6, *(_LABEL_IN * 1.5 * len(s) for s in sides)),
    )


def target(row: Row) -> str:
    """Where joules go: a service, or no service with the reason."""
    if row["service"] is not None:
        return str(row["service"])
    return f"{NO_SERVICE}: {row['reason']}" if row["reason"] else NO_SERVICE


def _table(flows: Sequence[Row]) -> Table:
    columns = (
        Column(key="component", head="component"),
        Column(key="service", head="service"),
        Column(key="reason", head="why no service"),
        Column(key="energy_j", head="energy", unit="j"),
    )
    rows = tuple(
        (str(r["component"]), r["service"] or "", r["reason"] or "", float(r["energy_j"]))
        for r in flows
    )
    title = "Energy from components to services"
    return Table(name="flow", title=title, columns=columns, rows=rows)


def _links(flows: Sequence[Row], total_j: float) -> dict[tuple[str, str], float]:
    """Fractions of all energy by (component, target), largest sides first, dust together."""
    sources, targets = _sums(flows, 0), _sums(flows, 1)
    links: dict[tuple[str, str], float] = {}
    for row in flows:
        pair = (
            _kept(str(row["component"]).replace("_", " "), sources, total_j, "other parts"),
            _kept(target(row), targets, total_j, "other"),
        )
        links[pair] = links.get(pair, 0.0) + float(row["energy_j"]) / total_j
    order = sorted(
        links, key=lambda p: (-sources.get(p[0], 0.0), p[0], p[1].startswith(NO_SERVICE), p[1])
    )
    return {pair: links[pair] for pair in order if links[pair] > _INVISIBLE_FRAC}


def _sums(flows: Sequence[Row], side: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    for row in flows:
        name = target(row) if side else str(row["component"]).replace("_", " ")
        sums[name] = sums.get(name, 0.0) + float(row["energy_j"])
    return sums


def _kept(name: str, sums: Mapping[str, float], total_j: float, other: str) -> str:
    return name if sums[name] >= _SMALLEST_FRAC * total_j else other


def _paint(canvas_: Canvas, links: Links, total_j: float) -> None:
    ax = canvas.axes(canvas_, left=1.13, right=1.3, top=0.3, bottom=0.1)
    ax.set_axis_off()
    left, right = _blocks(links, 0), _blocks(links, 1)
    height = max(b.top + b.height for b in (*left.values(), *right.values()))
    ax.set_xlim(0, 1)
    ax.set_ylim(height, 0)
    gap = height * _LABEL_IN / (canvas_.get_figheight() * ax.get_position().height)
    style = {name: i for i, name in enumerate(right)}
    _bands(ax, links, left, right, style)
    for x, blocks in ((0.0, left), (1.0 - _BAR, right)):
        for block in blocks.values():
            shade = "muted" if x == 0 else _role(block.name, style)
            ax.bar(
                x, block.height, _BAR, bottom=block.top, align="edge", color=palette.light(shade)
            )
    _labels(ax, left, gap, total_j, at_right=False)
    _labels(ax, right, gap, total_j, at_right=True)
    for x, side, head in ((-0.03, "right", "drawn by"), (1.03, "left", "caused by")):
        ax.text(
            x, 1.0, head, ha=side, va="bottom", size=9, transform=ax.transAxes,
            color=palette.light("muted"),
        )  # fmt: skip


def _blocks(links: Links, side: int) -> dict[str, _Block]:
    """Bars of one side from the top, with gaps; services before what no service caused."""
    heights: dict[str, float] = {}
    for pair, frac in links.items():
        heights[pair[side]] = heights.get(pair[side], 0.0) + frac
    order = sorted(heights, key=lambda n: (n.startswith(NO_SERVICE), -heights[n], n))
    blocks, top = {}, 0.0
    for name in order:
        blocks[name] = _Block(name=name, top=top, height=heights[name])
        top += heights[name] + _GAP_FRAC
    return blocks


def _role(name: str, style: Mapping[str, int]) -> str:
    return "c8" if name.startswith(NO_SERVICE) else palette.SERIES[style[name] % 7]


def _bands(
    ax: Axes,
    links: Links,
    left: Mapping[str, _Block],
    right: Mapping[str, _Block],
    style: Mapping[str, int],
) -> None:
    used_left = {name: b.top for name, b in left.items()}
    used_right = {name: b.top for name, b in right.items()}
    order = list(right)
    for (a, b), frac in sorted(links.items(), key=lambda i: order.index(i[0][1])):
        y = (used_left[a], used_right[b])
        used_left[a] += frac
        used_right[b] += frac
        _band(ax, y, frac, _role(b, style), palette.HATCHES[style[b] % 8])


def _band(ax: Axes, y: tuple[float, float], width: float, role: str, hatch: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    x0, x1, mid = _BAR, 1.0 - _BAR, 0.5
    upper = [(x0, y[0]), (mid, y[0]), (mid, y[1]), (x1, y[1])]
    lower = [(x1, y[1] + width), (mid, y[1] + width), (mid, y[0] + width), (x0, y[0] + width)]
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    shape = Path([*upper, *lower, upper[0]], codes)
    paper, colour = palette.light("paper"), palette.light(role)
    ax.add_patch(PathPatch(shape, fc=colour, ec=paper, hatch=hatch, lw=0.5, alpha=0.62))


def _labels(
    ax: Axes, blocks: Mapping[str, _Block], gap: float, total_j: float, *, at_right: bool
) -> None:
    middles = [b.top + b.height / 2 for b in blocks.values()]
    places = canvas.spread(middles, gap, gap / 4, ax.get_ylim()[0] - gap / 4)
    edge, out, side = (1.0, 1.05, "left") if at_right else (0.0, -0.05, "right")
    for block, middle, y in zip(blocks.values(), middles, places, strict=True):
        name = block.name.removeprefix(f"{NO_SERVICE}: ")
        idle = name != block.name
        share = numerals.percent(block.height)
        energy = numerals.quantity(block.height * total_j, "j")
        ax.annotate(
            f"{numerals.shorten(visible(name), 16)}\n{share}, {energy}",
            (edge, middle), (out, y), ha=side, va="center", size=9, annotation_clip=False,
            style="italic" if idle else "normal", linespacing=1.15,
            arrowprops={"arrowstyle": "-", "color": palette.light("muted"), "lw": 0.8,
                        "shrinkA": 1, "shrinkB": 0, "relpos": (0.0 if at_right else 1.0, 0.5)},
        )  # fmt: skip
