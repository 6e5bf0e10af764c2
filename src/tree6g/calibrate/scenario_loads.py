"""What a ledger says of its load and its power, as a scenario wants to have it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from tree6g import data
from tree6g.ledger.schema import IDLE_STATES, OVERHEAD_COMPONENTS
from tree6g.metric import coverage
from tree6g.metric.amounts import Amounts, Piece, amounts, pieces_of, row_length_s
from tree6g.metric.cells import Book
from tree6g.metric.coverage import Span
from tree6g.traffic.lengths import request_pattern

HOUR_S: Final = 3600.0
HOURS: Final = 24
LEAST_REQUESTS: Final = 100  # whose lengths tell a shape
LEAST_WINDOWS: Final = 8  # from which power at rest can be told
REST_STEP_S: Final = 60.0  # of those windows at least: tokens are counted late by some seconds
RADIO: Final = ("radio_unit", "baseband")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one service asks for.

    Attributes:
        requests: Requests, lost ones included; None: the ledger does not count them.
        input_tok: Prompt tokens, cached or not.
        output_tok: Answer tokens.
        bits_up_bit: Bits up.
        bits_down_bit: Bits down.
        length_s: Time that all of it took.
        curve: Relative rate by hour from the start, day after day; empty: not told apart.
        lengths: Row of `request_lengths` with the most similar shape; None: not told.
        listed: Requests one by one that the shape rests on.
    """

    requests: float | None
    input_tok: float
    output_tok: float
    bits_up_bit: float
    bits_down_bit: float
    length_s: float
    curve: tuple[float, ...] = ()
    lengths: str | None = None
    listed: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Power of a node or a tier.

    Attributes:
        idle_w: Of its processors at rest; None: not told.
        active_w: Their mean power above it.
        whole_w: Their mean power.
        host_w: Mean power of the rest of the machine.
        radio_w: Mean power of radio units and baseband.
        overhead_w: Mean power of cooling and power supply.
        work_per_s: Worth of the tokens computed there per second, by the costs given.
        told: Whether the ledger tells rest from work itself.
    """

    idle_w: float | None
    active_w: float
    whole_w: float
    host_w: float
    radio_w: float
    overhead_w: float
    work_per_s: float = 0.0
    told: bool = True


def loads(book: Book, spans: Sequence[Span]) -> dict[str, Load]:
    """The load of each service in spans of a ledger's time."""
    start = spans[0][0]
    pieces: list[Piece] = [
        (a + start, b + start, number)
        for a, b, number in pieces_of([(a - start, b - start) for a, b in spans], HOUR_S)
    ]
    hours: dict[int, float] = {}
    for a, b, number in pieces:
        hours[number] = hours.get(number, 0.0) + (b - a)
    work = amounts(book, pieces, "work", ("service", "kind"))
    return {name: _load(book, name, work, hours, spans) for name in book.services}


def draws(
    book: Book, spans: Sequence[Span], nodes: Sequence[str], cost: Mapping[str, float]
) -> dict[str, Draw]:
    """Power of the named nodes, and of each tier without them.

    Args:
        book: A ledger opened without cells.
        spans: Time that counts.
        nodes: Nodes to tell apart; the others stand under their tier.
        cost: Worth of a token of each kind, by which work above rest is shared out where the
            ledger does not tell rest from work.
    """
    length_s = coverage.length_s(spans)
    step_s = max(book.grid_s, row_length_s(book), REST_STEP_S)
    pieces = pieces_of(spans, step_s)
    energy = amounts(book, pieces, "energy", ("node", "tier", "component", "state"))
    work = amounts(book, pieces, "work", ("node", "tier", "kind"))
    full = _full(pieces, step_s)
    groups = {key[0] if key[0] in nodes else key[1] for key in (*energy, *work)}
    return {
        group: _draw(
            {k: v for k, v in energy.items() if _group(k, nodes) == group},
            {k: v for k, v in work.items() if _group(k, nodes) == group},
            cost, length_s, full,
        )
        for group in sorted(groups)
    }  # fmt: skip


def _group(key: tuple[str, ...], nodes: Sequence[str]) -> str:
    return key[0] if key[0] in nodes else key[1]


def _load(
    book: Book, name: str, work: Amounts, hours: Mapping[int, float], spans: Sequence[Span]
) -> Load:
    total = {kind: math.fsum(w.values()) for (service, kind), w in work.items() if service == name}
    counted = [total[kind] for kind in ("request", "request_lost") if kind in total]
    by_hour = _by_hour(name, work)
    lengths, listed = _shape(book, name, spans)
    return Load(
        requests=math.fsum(counted) if counted else None,
        input_tok=total.get("token_in", 0.0) + total.get("token_in_cached", 0.0),
        output_tok=total.get("token_out", 0.0),
        bits_up_bit=total.get("bit_ul", 0.0),
        bits_down_bit=total.get("bit_dl", 0.0),
        length_s=math.fsum(hours.values()),
        curve=_curve(by_hour, hours),
        lengths=lengths,
        listed=listed,
    )


def _by_hour(name: str, work: Amounts) -> Mapping[int, float]:
    """What best tells a service's rate over time: its requests, else tokens, else bits."""
    for kind in ("request", "token_out", "bit_dl", "bit_ul"):
        if (name, kind) in work:
            return work[name, kind]
    return {}


def _curve(by_hour: Mapping[int, float], hours: Mapping[int, float]) -> tuple[float, ...]:
    """Rate by hour of a day from the start on; hours that were not seen get the mean."""
    length: dict[int, float] = {}
    total: dict[int, float] = {}
    for number, seconds in hours.items():
        hour = number % HOURS
        length[hour] = length.get(hour, 0.0) + seconds
        total[hour] = total.get(hour, 0.0) + by_hour.get(number, 0.0)
    whole = math.fsum(total.values())
    if len(length) < 2 or not whole > 0.0:
        return ()
    mean = whole / math.fsum(length.values())
    return tuple(total[h] / length[h] / mean if h in length else 1.0 for h in range(HOURS))


def _shape(book: Book, name: str, spans: Sequence[Span]) -> tuple[str | None, int]:
    """The packaged distribution of lengths that is most like that of listed requests."""
    rows = book.connection.execute(
        "SELECT token_in, token_out FROM request WHERE service = $1 AND arrival_s >= $2"
        " AND arrival_s < $3",
        [name, spans[0][0], spans[-1][1]],
    ).fetchall()
    if len(rows) < LEAST_REQUESTS:
        return None, len(rows)
    seen = np.array(rows, dtype=float).T
    levels = np.linspace(0.1, 0.9, 9)

    def apart(row: str) -> float:
        """Distance of its relative lengths from those seen, in logarithms."""
        pattern = request_pattern(row)
        both = zip(seen, (pattern.input_tok, pattern.output_tok), strict=True)
        return math.fsum(
            float(np.abs(np.log(_relative(np.quantile(own, levels))
                                / _relative(np.interp(levels, pattern.level_frac, q)))).sum())
            for own, q in both
        )  # fmt: skip

    return min(data.table("request_lengths"), key=apart), len(rows)


def _relative(quantiles: np.ndarray) -> np.ndarray:
    """Quantiles over their mean, none of them 0."""
    kept = np.maximum(quantiles, 0.5)
    return kept / kept.mean()


def _draw(
    energy: Amounts,
    work: Amounts,
    cost: Mapping[str, float],
    length_s: float,
    full: Mapping[int, float],
) -> Draw:
    parts = {"acc": 0.0, "idle": 0.0, "host": 0.0, "radio": 0.0, "over": 0.0}
    processors = _processors(energy)
    by_window: dict[int, float] = {}
    for (_, _, component, state), windows in energy.items():
        joules = math.fsum(windows.values())
        if component in OVERHEAD_COMPONENTS:
            parts["over"] += joules
        elif component in RADIO:
            parts["radio"] += joules
        elif component in processors:
            parts["acc"] += joules
            parts["idle"] += joules if state in IDLE_STATES else 0.0
            for window, value in windows.items():
                by_window[window] = by_window.get(window, 0.0) + value
        else:
            parts["host"] += joules
    told = parts["idle"] > 0.0 or parts["acc"] == 0.0
    idle_w: float | None = parts["idle"] / length_s if parts["idle"] > 0.0 else None
    if not told:
        idle_w = _rest_w(by_window, work, cost, full)
    return Draw(
        idle_w=idle_w,
        active_w=max(parts["acc"] / length_s - (idle_w or 0.0), 0.0),
        whole_w=parts["acc"] / length_s,
        host_w=parts["host"] / length_s,
        radio_w=parts["radio"] / length_s,
        overhead_w=parts["over"] / length_s,
        work_per_s=math.fsum(
            cost.get(kind, 0.0) * math.fsum(windows.values())
            for (_, _, kind), windows in work.items()
        )
        / length_s,
        told=told,
    )


def _processors(energy: Amounts) -> tuple[str, ...]:
    """Components that models run on: cards where there are any, else the processor."""
    cards = ("gpu", "npu")
    return cards if any(key[2] in cards for key in energy) else ("cpu",)


def _rest_w(
    joules: Mapping[int, float], work: Amounts, cost: Mapping[str, float], full: Mapping[int, float]
) -> float | None:
    """Power without work: where the line of power over work begins; None if it cannot be told.

    It can if the quietest window has less than half of the mean work, and work explains at least
    half of the variance of power: counters that move when a request ends blur the line.
    """
    if len(full) < LEAST_WINDOWS:
        return None
    done = dict.fromkeys(full, 0.0)
    for (_, _, kind), windows in work.items():
        for window, amount in windows.items():
            if window in done:
                done[window] += cost.get(kind, 0.0) * amount
    x = np.array([done[w] / s for w, s in full.items()])
    y = np.array([joules.get(w, 0.0) / s for w, s in full.items()])
    spread = float(((x - x.mean()) ** 2).sum())
    if not spread > 0.0 or x.min() > 0.5 * x.mean():
        return None
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    explained = slope**2 * spread
    if slope < 0.0 or explained < 0.5 * float(((y - y.mean()) ** 2).sum()):
        return None
    return float(min(max(y.mean() - slope * x.mean(), 0.0), y.min()))


def _full(pieces: Sequence[Piece], step_s: float) -> dict[int, float]:
    length: dict[int, float] = {}
    for a, b, number in pieces:
        length[number] = length.get(number, 0.0) + (b - a)
    return {n: s for n, s in length.items() if s >= 0.5 * step_s}
