"""What the radio counts beside bits and joules: delays, throughput of users, use of carriers.

Delays and throughput are kept as histograms whose bins grow by 10^(1/80): what is read off as an
upper edge is at most 2.9 % above the event itself, and never below.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import Final

import numpy as np

from tree6g.engine.airtime import Passage
from tree6g.engine.crowd import DOWN, IntArray
from tree6g.ledger.writer import LedgerWriter
from tree6g.radio.pathloss import FloatArray

BINS_PER_DECADE: Final = 80
# Messages that are kept one by one before they are put into bins.
BUFFERED: Final = 1 << 18
Key = tuple[str, str, str]  # node, service, kind of bits


@dataclasses.dataclass(slots=True)
class Histogram:
    """Events by bin, and sums of quantities over the events of each bin."""

    count: defaultdict[int, float] = dataclasses.field(default_factory=lambda: defaultdict(float))
    sums: defaultdict[tuple[int, int], float] = dataclasses.field(
        default_factory=lambda: defaultdict(float)
    )

    def add(self, value: FloatArray, *quantities: FloatArray) -> None:
        """Count events of positive value. [event] each."""
        bins, at = np.unique(bin_of(value), return_inverse=True)
        for number, events in zip(bins.tolist(), np.bincount(at).tolist(), strict=True):
            self.count[number] += events
        for column, quantity in enumerate(quantities):
            total = np.bincount(at, weights=quantity)
            for number, part in zip(bins.tolist(), total.tolist(), strict=True):
                self.sums[number, column] += part


@dataclasses.dataclass(slots=True)
class Flow:
    """Messages of one service through one cell in one direction.

    Attributes:
        delay: Delays of messages in the running interval.
        waiting: Messages of it that are not in bins yet: terminal, bits, ready, sent, delay.
        buffered: Their number.
        volume_bit: Bits of each terminal in the interval. [terminal]
        time_s: Time that it had something to send in the interval. [terminal]
        until_s: End of its last message so far. [terminal]
    """

    delay: Histogram = dataclasses.field(default_factory=Histogram)
    waiting: list[tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]] = (
        dataclasses.field(default_factory=list)
    )
    buffered: int = 0
    volume_bit: FloatArray = dataclasses.field(default_factory=lambda: np.zeros(0))
    time_s: FloatArray = dataclasses.field(default_factory=lambda: np.zeros(0))
    until_s: FloatArray = dataclasses.field(default_factory=lambda: np.full(0, -np.inf))

    def see(self, passage: Passage, latency_s: float) -> None:
        """Take messages that went out whole; `latency_s` after that they are there."""
        sent, end_s = passage.sent, passage.end_s
        terminal, bit, ready_s = (sent[name].copy() for name in ("terminal", "bit", "ready_s"))
        self.waiting.append((terminal, bit, ready_s, end_s, end_s + latency_s - ready_s))
        self.buffered += len(sent)
        if self.buffered >= BUFFERED:
            self.fold()

    def fold(self) -> None:
        """Put what is waiting into bins."""
        if not self.waiting:
            return
        terminal, bit, ready_s, end_s, delay_s = (
            np.concatenate(column) for column in zip(*self.waiting, strict=True)
        )
        self.waiting.clear()
        self.buffered = 0
        known = delay_s > 0.0
        self.delay.add(delay_s[known], delay_s[known])
        self._grow(int(terminal.max()) + 1)
        size = len(self.until_s)
        busy_s = _busy_s(terminal, ready_s, end_s, self.until_s)
        self.volume_bit += np.bincount(terminal, weights=bit, minlength=size)
        self.time_s += np.bincount(terminal, weights=busy_s, minlength=size)
        np.maximum.at(self.until_s, terminal, end_s)

    def users(self) -> Histogram:
        """Throughput of each terminal that had something to send in the interval; starts anew."""
        active = self.time_s > 0.0
        volume_bit, time_s = self.volume_bit[active], self.time_s[active]
        throughput = Histogram()
        throughput.add(volume_bit / time_s, volume_bit, time_s)
        self.volume_bit[:] = 0.0
        self.time_s[:] = 0.0
        return throughput

    def _grow(self, size: int) -> None:
        more = size - len(self.until_s)
        if more > 0:
            self.volume_bit = np.append(self.volume_bit, np.zeros(more))
            self.time_s = np.append(self.time_s, np.zeros(more))
            self.until_s = np.append(self.until_s, np.full(more, -np.inf))


@dataclasses.dataclass(slots=True)
class Counters:
    """Counters of the running ledger interval."""

    flows: defaultdict[Key, Flow] = dataclasses.field(default_factory=lambda: defaultdict(Flow))
    carrier: dict[tuple[str, str], list[float]] = dataclasses.field(default_factory=dict)

    def see(self, node: str, service: str, kind: str, passage: Passage, latency_s: float) -> None:
        """Messages of a service went out of a cell or reached it."""
        if len(passage.sent):
            self.flows[node, service, kind].see(passage, latency_s)

    def use(self, node: str, kind: str, used_s: float, available_s: float) -> None:
        """Time of a cell's carrier in one direction, used and available."""
        total = self.carrier.setdefault((node, kind), [0.0, 0.0])
        total[0] += min(used_s, available_s)  # equal but for rounding at full load
        total[1] += available_s

    def write(self, writer: LedgerWriter, t0_s: float, t1_s: float) -> None:
        """Write the rows of [t0, t1) and start anew."""
        span: dict[str, object] = {"t0_s": t0_s, "t1_s": t1_s}
        delay, users = [], []
        for (node, service, kind), flow in sorted(self.flows.items()):
            flow.fold()
            name = _direction(kind)
            delay += _rows(flow.delay, (node, service, f"packet_{name}"))
            users += _rows(flow.users(), (node, service, name), 2)
            flow.delay = Histogram()
        _append(writer, "latency", span, ("le_s", "count", "sum_s"), delay)
        _append(writer, "throughput", span, ("le_bps", "count", "volume_bit", "time_s"), users)
        if self.carrier:
            node_, kind_ = zip(*self.carrier, strict=True)
            used_s, available_s = zip(*self.carrier.values(), strict=True)
            writer.append(
                "prb",
                {
                    "t0_s": t0_s, "t1_s": t1_s, "node": node_,
                    "kind": [_direction(k) for k in kind_],
                    "used_s": used_s, "available_s": available_s,
                },
            )  # fmt: skip
            self.carrier.clear()


def bin_of(value: FloatArray) -> IntArray:
    """Number of the bin of each positive value, whose upper edge is `edge_of` it. [event]."""
    return np.ceil(BINS_PER_DECADE * np.log10(value)).astype(np.int64)


def edge_of(number: int) -> float:
    """Upper edge of a bin."""
    return float(10.0 ** (number / BINS_PER_DECADE))


def _busy_s(
    terminal: IntArray, ready_s: FloatArray, end_s: FloatArray, until_s: FloatArray
) -> FloatArray:
    """Time that each message adds to that in which its terminal has something to send. [message].

    Per terminal the sum is the length of the union of [ready, end), without what lies before
    `until_s`. [terminal]
    """
    order = np.lexsort((ready_s, terminal))
    of, end = terminal[order], end_s[order]
    first = np.append(True, of[1:] != of[:-1])
    # The latest end so far, per terminal: ranks of ends are whole numbers, so that adding a
    # multiple of the terminal's number loses nothing.
    rank = np.empty(len(end), dtype=np.int64)
    by_end = np.argsort(end, kind="stable")
    rank[by_end] = np.arange(len(end))
    group = np.cumsum(first) * len(end)
    latest = end[by_end[np.maximum.accumulate(rank + group) - group]]
    before = np.where(first, -np.inf, np.append(-np.inf, latest[:-1]))
    start = np.maximum(np.maximum(ready_s[order], before), until_s[of])
    busy_s = np.empty(len(end))
    busy_s[order] = np.maximum(end - start, 0.0)
    return busy_s


def _direction(kind: str) -> str:
    return "dl" if kind == DOWN else "ul"


def _rows(histogram: Histogram, key: Key, sums: int = 1) -> list[tuple[object, ...]]:
    return [
        (*key, edge_of(n), count, *(histogram.sums[n, column] for column in range(sums)))
        for n, count in sorted(histogram.count.items())
    ]


def _append(
    writer: LedgerWriter,
    table: str,
    span: dict[str, object],
    names: tuple[str, ...],
    rows: list[tuple[object, ...]],
) -> None:
    if rows:
        columns = zip(("node", "service", "kind", *names), zip(*rows, strict=True), strict=True)
        writer.append(table, {**span, **dict(columns)})
