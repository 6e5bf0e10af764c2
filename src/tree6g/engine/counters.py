"""What the radio counts beside bits and joules: delays, throughput of users, use of carriers.

Delays and throughput are kept as histograms whose bins grow by 10^(1/80): what is read off as an
upper edge is at most 2.9 % above the event itself, and never below.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.engine.airtime import Messages
from tree6g.engine.crowd import DOWN, IntArray
from tree6g.ledger.writer import LedgerWriter
from tree6g.radio.busy import busy_s
from tree6g.radio.pathloss import FloatArray

BINS_PER_DECADE: Final = 80
# Messages that are kept one by one before they are put into bins.
BUFFERED: Final = 1 << 19
Key = tuple[str, str, str]  # node, service, kind of bits


@dataclasses.dataclass(slots=True)
class Histogram:
    """Events by bin, and sums of quantities over the events of each bin, of all cells.

    Attributes:
        least: Number of the first bin kept.
        table: Events, and the sum of each quantity. [1 + quantity, cell, bin]
    """

    least: int = 0
    table: FloatArray = dataclasses.field(default_factory=lambda: np.zeros((0, 0, 0)))

    def add(self, cell: IntArray, value: FloatArray, *quantities: FloatArray) -> None:
        """Count events of positive value at their cells. [event] each."""
        if not len(value):
            return
        bins = bin_of(value)
        self._grow(1 + len(quantities), int(cell.max()) + 1, int(bins.min()), int(bins.max()) + 1)
        _, cells, width = self.table.shape
        at = cell * width + (bins - self.least)
        for row, weight in enumerate((None, *quantities)):
            total = np.bincount(at, weights=weight, minlength=cells * width)
            self.table[row] += total.reshape(cells, width)

    def rows(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Cell and number of each bin with events, and what it holds. [1 + quantity, bin]."""
        if not self.table.size:
            nothing = np.empty(0, dtype=np.int64)
            return nothing, nothing, np.empty((1, 0))
        cell, number = np.nonzero(self.table[0])
        return cell, number + self.least, self.table[:, cell, number]

    def _grow(self, rows: int, cells: int, least: int, end: int) -> None:
        old = self.table
        if old.size:
            least, end = min(least, self.least), max(end, self.least + old.shape[2])
            cells = max(cells, old.shape[1])
        if old.shape == (rows, cells, end - least):
            return
        self.table = np.zeros((rows, cells, end - least))
        if old.size:
            at = self.least - least
            self.table[:, : old.shape[1], at : at + old.shape[2]] = old
        self.least = least


@dataclasses.dataclass(slots=True)
class Flow:
    """Messages of one service in one direction, through any cell.

    Attributes:
        delay: Delays of messages in the running interval.
        waiting: Messages of it that are not in bins yet: cell, terminal, bits, ready, sent, delay.
        buffered: Their number.
        volume_bit: Bits of each terminal at each cell in the interval. [cell, terminal]
        time_s: Time that it had something to send in the interval. [cell, terminal]
        until_s: End of its last message so far. [cell, terminal]
    """

    delay: Histogram = dataclasses.field(default_factory=Histogram)
    waiting: list[tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray]] = (
        dataclasses.field(default_factory=list)
    )
    buffered: int = 0
    volume_bit: FloatArray = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))
    time_s: FloatArray = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))
    until_s: FloatArray = dataclasses.field(default_factory=lambda: np.full((0, 0), -np.inf))

    def see(self, cell: IntArray, sent: Messages, end_s: FloatArray, reached_s: FloatArray) -> None:
        """Take messages that went out whole at `end_s` and were there at `reached_s`."""
        terminal, bit, ready_s = (sent[name].copy() for name in ("terminal", "bit", "ready_s"))
        self.waiting.append((cell, terminal, bit, ready_s, end_s, reached_s - ready_s))
        self.buffered += len(sent)
        if self.buffered >= BUFFERED:
            self.fold()

    def fold(self) -> None:
        """Put what is waiting into bins."""
        if not self.waiting:
            return
        cell, terminal, bit, ready_s, end_s, delay_s = (
            np.concatenate(column) for column in zip(*self.waiting, strict=True)
        )
        self.waiting.clear()
        self.buffered = 0
        known = delay_s > 0.0
        self.delay.add(cell[known], delay_s[known], delay_s[known])
        self._grow(int(cell.max()) + 1, int(terminal.max()) + 1)
        key = cell * self.until_s.shape[1] + terminal
        shape, size = self.until_s.shape, self.until_s.size
        # `until_s` is moved on to the end of the last of these messages.
        added_s = busy_s(key, ready_s, end_s, self.until_s.reshape(-1))
        self.volume_bit += np.bincount(key, weights=bit, minlength=size).reshape(shape)
        self.time_s += np.bincount(key, weights=added_s, minlength=size).reshape(shape)

    def users(self) -> Histogram:
        """Throughput of each terminal that had something to send in the interval; starts anew."""
        cell, terminal = np.nonzero(self.time_s > 0.0)
        volume_bit, time_s = self.volume_bit[cell, terminal], self.time_s[cell, terminal]
        throughput = Histogram()
        throughput.add(cell, volume_bit / time_s, volume_bit, time_s)
        self.volume_bit[:] = 0.0
        self.time_s[:] = 0.0
        return throughput

    def _grow(self, cells: int, terminals: int) -> None:
        shape = (max(cells, self.until_s.shape[0]), max(terminals, self.until_s.shape[1]))
        for name, empty in (("volume_bit", 0.0), ("time_s", 0.0), ("until_s", -np.inf)):
            old = getattr(self, name).shape
            if old == shape:
                continue
            grown = np.full(shape, empty)
            grown[: old[0], : old[1]] = getattr(self, name)
            setattr(self, name, grown)


@dataclasses.dataclass(slots=True)
class Counters:
    """Counters of the running ledger interval; `flows` by service and kind of bits."""

    flows: defaultdict[tuple[str, str], Flow] = dataclasses.field(
        default_factory=lambda: defaultdict(Flow)
    )
    carrier: dict[tuple[str, str], list[float]] = dataclasses.field(default_factory=dict)

    def see(
        self,
        service: str,
        kind: str,
        cell: IntArray,
        sent: Messages,
        end_s: FloatArray,
        reached_s: FloatArray,
    ) -> None:
        """Messages of a service went out of cells or reached them."""
        self.flows[service, kind].see(cell, sent, end_s, reached_s)

    def use(self, node: str, kind: str, used_s: float, available_s: float) -> None:
        """Time of a cell's carrier in one direction, used and available."""
        total = self.carrier.setdefault((node, kind), [0.0, 0.0])
        total[0] += min(used_s, available_s)  # equal but for rounding at full load
        total[1] += available_s

    def write(self, writer: LedgerWriter, nodes: Sequence[str], t0_s: float, t1_s: float) -> None:
        """Write the rows of [t0, t1) and start anew; `nodes` are those of the cells."""
        span: dict[str, object] = {"t0_s": t0_s, "t1_s": t1_s}
        names = np.array(nodes, dtype=object)
        for (service, kind), flow in sorted(self.flows.items()):
            flow.fold()
            name = _direction(kind)
            cell, number, held = flow.delay.rows()
            of = {**span, "service": service, "node": names[cell]}
            if len(cell):
                row = {"kind": f"packet_{name}", "le_s": _edges(number)}
                writer.append("latency", {**of, **row, "count": held[0], "sum_s": held[1]})
            flow.delay = Histogram()
            cell, number, held = flow.users().rows()
            of = {**span, "service": service, "node": names[cell]}
            if len(cell):
                row = {"kind": name, "le_bps": _edges(number), "count": held[0]}
                writer.append("throughput", {**of, **row, "volume_bit": held[1], "time_s": held[2]})
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


@functools.lru_cache(maxsize=4096)  # the same few hundred bins in every interval
def edge_of(number: int) -> float:
    """Upper edge of a bin."""
    return float(10.0 ** (number / BINS_PER_DECADE))


def _direction(kind: str) -> str:
    return "dl" if kind == DOWN else "ul"


def _edges(numbers: IntArray) -> list[float]:
    return [edge_of(number) for number in numbers.tolist()]
