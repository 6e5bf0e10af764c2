"""Figure: rounds of learning: accuracy, joules by tier, bits, clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.metric.learning import Learnt
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.figures.power import layer, side_labels
from tree6g.report.tables import Cell, Column, Missing, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

BITS: Final = {
    "bit_dl": ("dl_bit", "down"),
    "bit_ul": ("ul_bit", "up"),
    "bit_carried": ("carried_bit", "links"),
}
NONE: Final = "no round of learning was over"
_PANEL_IN: Final = 1.0
_STEP_IN: Final = 1.42  # from one panel to the next, its title between them
_PANELS: Final = 4
_LABEL_GAP: Final = 0.16  # of the height of a panel


def table(known: Learnt) -> Table:
    """A row per round: when, who, how good, joules by tier, bits by kind."""
    tiers, kinds = list(known.energy_j), [kind for kind in BITS if kind in known.bit]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            one.number, one.t0_s, one.t1_s, one.chosen, one.arrived, one.accuracy_frac, one.loss,
            *(one.energy_j.get(tier, 0.0) for tier in tiers),
            *(one.bit.get(kind, 0.0) for kind in kinds),
        )
        for one in known.rounds
    )  # fmt: skip
    columns = (
        Column(key="round", head="round", unit=""),
        Column(key="t0_s", head="from", unit="s"),
        Column(key="t1_s", head="to", unit="s"),
        Column(key="chosen", head="chosen", unit=""),
        Column(key="arrived", head="in time", unit=""),
        Column(key="accuracy_frac", head="accuracy", unit="frac"),
        Column(key="loss", head="loss", unit=""),
        *(Column(key=f"{tier}_j", head=tier, unit="j") for tier in tiers),
        *(Column(key=BITS[kind][0], head=BITS[kind][1], unit="bit") for kind in kinds),
    )
    return Table(name="learning", title="Learning, round by round", columns=columns, rows=rows)


def drawing(known: Learnt | None, stamp: str) -> Drawing | Missing:
    """Accuracy, joules by tier, bits and clients of each round, one below the other."""
    if known is None or not known.rounds:
        return Missing(reason=NONE)
    rounds = table(known)
    return canvas.draw(
        rounds,
        lambda c: _paint(c, rounds, known),
        description=_describe(known),
        stamp=stamp,
        height_in=_STEP_IN * _PANELS + 0.25,
    )


def _describe(known: Learnt) -> str:
    first, last = known.rounds[0], known.rounds[-1]
    tiers = ", ".join(f"{n} {numerals.quantity(j, 'j')}" for n, j in known.energy_j.items())
    bits = ", ".join(
        f"{BITS[kind][1]} {numerals.quantity(bit, 'bit')}"
        for kind, bit in known.bit.items()
        if kind in BITS
    )
    return (
        f"Four panels over {len(known.rounds)} rounds. Accuracy from "
        f"{numerals.known_percent(first.accuracy_frac)} to "
        f"{numerals.known_percent(last.accuracy_frac)}. "
        f"Joules above idle of all rounds by tier: {tiers}. Bits of all rounds: {bits}. Clients "
        f"chosen and in time: {sum(one.chosen for one in known.rounds)} and "
        f"{sum(one.arrived for one in known.rounds)}."
    )


def _paint(canvas_: Canvas, rounds: Table, known: Learnt) -> None:
    from matplotlib.ticker import MaxNLocator

    height = canvas_.get_figheight() - canvas.STAMP_IN
    panels = [
        canvas.axes(
            canvas_,
            left=0.6,
            right=1.4,
            top=0.28 + _STEP_IN * number,
            bottom=height - 0.28 - _STEP_IN * number - _PANEL_IN,
        )
        for number in range(_PANELS)
    ]
    accuracy, energy, bits, clients = panels
    count = len(rounds.rows)
    _accuracy(accuracy, rounds)
    _energy(energy, rounds, list(known.energy_j))
    lines = {head: rounds.numbers(name) for name, head in BITS.values() if _has(rounds, name)}
    _lines(bits, lines, "bit")
    said = "bits per round: air down, air up, links"
    bits.text(0, 1.06, said, transform=bits.transAxes, size=9)
    numbers = {"chosen": rounds.numbers("chosen"), "in time": rounds.numbers("arrived")}
    _lines(clients, numbers, "")
    clients.text(0, 1.06, "clients per round", transform=clients.transAxes, size=9)
    clients.set_xlabel("round")
    for ax in panels:
        ax.set_xlim(0.5, count + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(axis="y")
        if ax is not clients:
            ax.tick_params(labelbottom=False)


def _has(rounds: Table, name: str) -> bool:
    return any(column.key == name for column in rounds.columns)


def _accuracy(ax: Axes, rounds: Table) -> None:
    from matplotlib.ticker import PercentFormatter

    pairs = zip(rounds.numbers("round"), rounds.column("accuracy_frac"), strict=True)
    x = [number for number, share in pairs if share is not None]
    y = rounds.numbers("accuracy_frac")
    ax.plot(x, y, color=palette.light(palette.SERIES[0]), lw=2.0, marker="o", ms=3)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.text(0, 1.06, "accuracy after the round", transform=ax.transAxes, size=9)
    said = [numerals.percent(share) for share in y[-1:]]
    side_labels(ax, len(rounds.rows) + 0.5, y[-1:], said, 1.0, _LABEL_GAP)


def _energy(ax: Axes, rounds: Table, tiers: list[str]) -> None:
    edges = np.arange(len(rounds.rows) + 1) + 0.5
    floor, middles, labels = np.zeros(len(edges)), [], []
    for number, tier in enumerate(tiers):
        joules = np.array(rounds.numbers(f"{tier}_j"))
        top = floor + np.append(joules, joules[-1])
        layer(ax, edges, floor, top, number)
        middles.append(float(floor[-1] + top[-1]) / 2)
        labels.append(f"{tier} {numerals.quantity(float(joules.mean()), 'j')}")
        floor = top
    high = float(floor.max()) * 1.04 or 1.0
    ax.set_ylim(0, high)
    ax.text(0, 1.06, "energy (J) per round, mean by tier", transform=ax.transAxes, size=9)
    side_labels(ax, float(edges[-1]), middles, labels, high, _LABEL_GAP)


def _lines(ax: Axes, values: dict[str, list[float]], unit: str) -> None:
    """Lines, and at the right their dashes and marker once more beside name and mean."""
    count = len(next(iter(values.values()), []))
    high = max((max(line) for line in values.values()), default=0.0) * 1.08 or 1.0
    ends = [line[-1] for line in values.values()]
    places = canvas.spread(ends, high * _LABEL_GAP, high * 0.03, high * 0.97)
    right = count + 0.5
    for number, (name, line) in enumerate(values.items()):
        own, every = key.style(number), max(count // 6, 1)
        ax.plot(range(1, count + 1), line, lw=1.5, ms=4, markevery=(number % every, every), **own)
        x, y = [right * at for at in (1.03, 1.07, 1.11)], [places[number]] * 3
        ax.plot(x, y, lw=1.5, ms=4, markevery=[1], clip_on=False, **own)
        ax.text(right * 1.13, places[number], f"{name} {_mean(line, unit)}", va="center", size=9)
    ax.set_ylim(0, high)
    ax.yaxis.set_major_formatter(numerals.tick)


def _mean(line: list[float], unit: str) -> str:
    mean = float(np.mean(line))
    return numerals.quantity(mean, unit) if unit else numerals.rough(mean)
