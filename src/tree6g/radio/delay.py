"""Latency of a packet over the air: queue, slot, scheduling request, processing and HARQ.

A chain of events is followed exactly on the grid of symbols: each transmission waits for the next
place that the duplex pattern has for it. Processing times are those that the standard allows a
terminal, half of N2 before and half of N1 after a transmission on either side, as 3GPP's own
evaluation sets them (TR 37.910 clause 5.7.1, read in public code). For data that fill a slot in FDD
the mean comes to that evaluation's figures (typed from memory): 2.13, 1.14, 0.72 and 0.44 ms at
15, 30, 60 and 120 kHz, within 0.02 ms.
Left out: propagation, mini-slots across slot borders, errors of control and feedback.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError
from tree6g.radio.airtime import fifo_departure_s
from tree6g.radio.numerology import (
    SYMBOLS_PER_SLOT,
    Direction,
    Numerology,
    SlotPattern,
)
from tree6g.radio.pathloss import FloatArray

# Symbols by mu. N1: TS 38.214 Tables 5.3-1 (front-loaded reference signals) and 5.3-2; N2: Tables
# 6.4-1 and 6.4-2. Capability 2 ends at 60 kHz.
N1: Final = {1: (8.0, 10.0, 17.0, 20.0), 2: (3.0, 4.5, 9.0)}
N2: Final = {1: (10.0, 12.0, 23.0, 36.0), 2: (5.0, 5.5, 11.0)}
LEAST_SYMBOLS: Final = 4  # shortest data transmission of a special slot (typical)
ARRIVALS: Final = 560  # times over which a mean is taken
IntArray = npt.NDArray[np.intp]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RadioTiming:
    """When things can be sent, and how long they take to prepare.

    Attributes:
        numerology: Slot and symbol.
        pattern: Slots down and up.
        capability: Processing capability of the terminal, 1 or 2.
        symbols: Length of a data transmission; a slot with fewer symbols carries a shorter one.
        request_slots: Slots between chances to send a scheduling request; 0: at any uplink symbol.
    """

    numerology: Numerology
    pattern: SlotPattern
    capability: int = 1
    symbols: int = SYMBOLS_PER_SLOT
    request_slots: int = 0

    def __post_init__(self) -> None:
        if self.capability not in N1 or self.numerology.mu >= len(N1[self.capability]):
            raise DataError(
                "expected processing capability 1, or 2 up to 60 kHz; got "
                f"{self.capability} at {self.numerology.subcarrier_hz / 1e3:g} kHz."
            )
        if not LEAST_SYMBOLS <= self.symbols <= SYMBOLS_PER_SLOT or self.request_slots < 0:
            raise DataError(
                f"expected {LEAST_SYMBOLS} to {SYMBOLS_PER_SLOT} symbols per transmission and "
                f"request_slots >= 0; got {self.symbols} and {self.request_slots}."
            )

    @property
    def decode_s(self) -> float:
        """N1 symbols: from the end of data to being able to answer."""
        return N1[self.capability][self.numerology.mu] * self.numerology.symbol_s

    @property
    def prepare_s(self) -> float:
        """N2 symbols: from the end of a grant to being able to send."""
        return N2[self.capability][self.numerology.mu] * self.numerology.symbol_s

    @property
    def period_s(self) -> float:
        """Time after which the pattern and the chances for requests repeat together."""
        slots = np.lcm(self.pattern.slots, max(self.request_slots, 1))
        return float(slots) * self.numerology.slot_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PacketDelay:
    """Where the time of each packet goes. [packet].

    Attributes:
        processing_s: Preparing to send, and decoding.
        request_s: From being prepared until the terminal has its grant and is ready to send.
        alignment_s: Waiting for a place to send.
        transmission_s: First transmission.
        harq_s: From the end of the first transmission to the end of the last.
    """

    processing_s: FloatArray
    request_s: FloatArray
    alignment_s: FloatArray
    transmission_s: FloatArray
    harq_s: FloatArray

    @property
    def total_s(self) -> FloatArray:
        """From arrival to delivery. [packet]."""
        return (
            self.processing_s + self.request_s + self.alignment_s
            + self.transmission_s + self.harq_s
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Places of one kind within a period, as times from its start; ascending."""

    start_s: FloatArray
    end_s: FloatArray
    period_s: float

    def next(self, ready_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Start and end of the first place that begins at or after each time."""
        # Ready a billionth of a period late counts as in time: times are sums of symbols.
        early_s = ready_s - 1e-9 * self.period_s
        turn = np.floor(early_s / self.period_s)
        place = np.searchsorted(self.start_s, early_s - turn * self.period_s)
        turn = turn + place // len(self.start_s)
        place = place % len(self.start_s)
        base_s = turn * self.period_s
        return base_s + self.start_s[place], base_s + self.end_s[place]


def delay(
    timing: RadioTiming,
    direction: Direction,
    ready_s: npt.ArrayLike,
    *,
    transmissions: npt.ArrayLike = 1,
    granted: bool = False,
) -> PacketDelay:
    """Delay of packets that find no queue. [packet].

    Downlink: prepare, wait, send, decode; a failed one is answered in the next uplink symbol after
    N1 and sent again at the next place after N2. Uplink: prepare, send a scheduling request, get a
    grant at the start of a downlink slot, prepare for N2, wait, send; a failed one gets a new
    grant. With `granted` the first transmission needs no request (configured grant).

    Args:
        timing: Grid, pattern and processing.
        direction: `downlink` or `uplink`.
        ready_s: When packets come to the radio, on a clock whose 0 starts the pattern. [packet]
        transmissions: How often each is sent until it is decoded, as `transmissions` draws it.
        granted: Whether uplink data has a grant of its own.

    Raises:
        DataError: The pattern has no place for the data or for the answers.
    """
    ready = np.atleast_1d(np.asarray(ready_s, dtype=np.float64))
    times = np.broadcast_to(np.asarray(transmissions, dtype=np.intp), ready.shape)
    data = _data_places(timing, direction)
    prepared = ready + timing.prepare_s / 2.0
    go = prepared
    if direction == "uplink" and not granted:
        asked = _request_places(timing).next(prepared)[1]
        go = _after_grant(timing, asked)
    start, end = data.next(go)
    last = end
    for attempt in range(2, int(times.max(initial=1)) + 1):
        again = data.next(_ready_again(timing, direction, last))[1]
        last = np.where(times >= attempt, again, last)
    half = np.full_like(ready, (timing.prepare_s + timing.decode_s) / 2.0)
    return PacketDelay(
        processing_s=half,
        request_s=go - prepared,
        alignment_s=start - go,
        transmission_s=end - start,
        harq_s=last - end,
    )


def mean_delay_s(
    timing: RadioTiming,
    direction: Direction,
    *,
    failure_frac: npt.ArrayLike = (),
    granted: bool = False,
) -> float:
    """Mean delay of a packet that comes at any time of the pattern and finds no queue.

    Over the packets that HARQ delivers; those that it gives up are left to higher layers.

    Args:
        timing: Grid, pattern and processing.
        direction: `downlink` or `uplink`.
        failure_frac: Chance that the first 1, 2, ... transmissions all fail, as
            `harq.outcome(...).failure_frac`; none fails if empty. [attempt]
        granted: Whether uplink data has a grant of its own.
    """
    ready_s = _any_time_s(timing)
    fails = np.concatenate([[1.0], np.asarray(failure_frac, dtype=np.float64).ravel()])
    weight = fails[:-1] - fails[1:] if len(fails) > 1 else fails
    means_s = [
        delay(timing, direction, ready_s, transmissions=n + 1, granted=granted).total_s.mean()
        for n in range(len(weight))
    ]
    return float(weight @ np.array(means_s) / weight.sum())


def round_trip_s(timing: RadioTiming, direction: Direction) -> float:
    """Mean time from the end of a transmission that failed to the end of the next."""
    again = delay(timing, direction, _any_time_s(timing), transmissions=2)
    return float(again.harq_s.mean())


def transmissions(uniform: npt.ArrayLike, failure_frac: npt.ArrayLike) -> IntArray:
    """Number of transmissions that each packet takes, those given up included. [packet].

    Args:
        uniform: Draws on [0, 1). [packet]
        failure_frac: Chance that the first 1, 2, ... transmissions all fail, as
            `harq.outcome(...).failure_frac`. [attempt] or [attempt, packet]
    """
    fails = np.asarray(failure_frac, dtype=np.float64)
    fails = fails[:, None] if fails.ndim == 1 else fails
    return 1 + np.count_nonzero(np.asarray(uniform) < fails[:-1], axis=0)


def queue_end_s(
    timing: RadioTiming,
    direction: Direction,
    ready_s: npt.ArrayLike,
    size_bit: npt.ArrayLike,
    *,
    bit_per_slot: float,
) -> FloatArray:
    """End of the slot that carries the last bit of each packet, first come first served. [packet].

    Only slots that start after a packet is ready carry it, each in proportion to its symbols of
    this direction. In units of capacity this is Lindley's recursion, so that it is solved at once.
    Processing and HARQ come on top (`delay`); retransmissions take capacity, for which packets may
    be counted larger.

    Args:
        timing: Grid and pattern.
        direction: `downlink` or `uplink`.
        ready_s: When packets are ready to be sent, ascending. [packet]
        size_bit: Their bits. [packet]
        bit_per_slot: Bits that a slot carries all of whose symbols have this direction.
    """
    share = timing.pattern.symbols(direction) / SYMBOLS_PER_SLOT
    before = np.concatenate([[0.0], np.cumsum(share)])  # capacity before each slot of a pattern
    if before[-1] == 0.0:
        raise _no_place(timing, direction)
    slot_s, slots = timing.numerology.slot_s, timing.pattern.slots
    first = np.ceil(np.asarray(ready_s, dtype=np.float64) / slot_s - 1e-9).astype(np.intp)
    passed = first // slots * before[-1] + before[first % slots]
    need = np.asarray(size_bit, dtype=np.float64) / bit_per_slot
    _, done = fifo_departure_s(passed, need, -np.inf)
    turn = np.ceil(done / before[-1] - 1e-9) - 1.0
    rest = np.clip(done - turn * before[-1], 0.0, before[-1])
    slot = np.searchsorted(before[1:], rest - 1e-9)
    return (turn * slots + slot + 1.0) * slot_s


def _any_time_s(timing: RadioTiming) -> FloatArray:
    return (np.arange(ARRIVALS) + 0.5) / ARRIVALS * timing.period_s


def _after_grant(timing: RadioTiming, asked_s: FloatArray) -> FloatArray:
    """When the terminal can send, after the base station has heard of its wish."""
    thought = asked_s + (timing.decode_s + timing.prepare_s) / 2.0
    return _grant_places(timing).next(thought)[1] + timing.prepare_s


def _ready_again(timing: RadioTiming, direction: Direction, end_s: FloatArray) -> FloatArray:
    """When a transmission that failed can be sent again."""
    if direction == "uplink":
        return _after_grant(timing, end_s)
    answered = _answer_places(timing).next(end_s + timing.decode_s)[1]
    return answered + timing.prepare_s


def _data_places(timing: RadioTiming, direction: Direction) -> _Places:
    spans = []
    for slot, symbols in enumerate(timing.pattern.symbols(direction).tolist()):
        base = slot * SYMBOLS_PER_SLOT
        base += 0 if direction == "downlink" else SYMBOLS_PER_SLOT - symbols
        for first in range(0, symbols, timing.symbols):
            length = min(timing.symbols, symbols - first)
            if length >= LEAST_SYMBOLS:
                spans.append((base + first, base + first + length))
    if not spans:
        raise _no_place(timing, direction)
    return _places(timing, spans, timing.pattern.slots)


def _grant_places(timing: RadioTiming) -> _Places:
    """The first symbol of each slot that has downlink symbols."""
    down = np.flatnonzero(timing.pattern.symbols("downlink")).tolist()
    if not down:
        raise _no_place(timing, "downlink")
    spans = [(s * SYMBOLS_PER_SLOT, s * SYMBOLS_PER_SLOT + 1) for s in down]
    return _places(timing, spans, timing.pattern.slots)


def _answer_places(timing: RadioTiming) -> _Places:
    """Each uplink symbol."""
    spans = []
    for slot, symbols in enumerate(timing.pattern.symbols("uplink").tolist()):
        end = (slot + 1) * SYMBOLS_PER_SLOT
        spans += [(end - n, end - n + 1) for n in range(symbols, 0, -1)]
    if not spans:
        raise _no_place(timing, "uplink")
    return _places(timing, spans, timing.pattern.slots)


def _request_places(timing: RadioTiming) -> _Places:
    """Uplink symbols, or the first one after each multiple of the request period."""
    answers = _answer_places(timing)
    if timing.request_slots == 0:
        return answers
    slot_s = timing.numerology.slot_s
    count = round(timing.period_s / slot_s) // timing.request_slots
    due_s = np.arange(count, dtype=np.float64) * timing.request_slots * slot_s
    start, end = answers.next(due_s)
    first = np.unique(start % timing.period_s, return_index=True)[1]
    start_s, length_s = start % timing.period_s, end - start
    return _Places(
        start_s=start_s[first],
        end_s=start_s[first] + length_s[first],
        period_s=timing.period_s,
    )


def _places(timing: RadioTiming, spans: list[tuple[int, int]], slots: int) -> _Places:
    symbol_s = timing.numerology.symbol_s
    edges = np.array(spans, dtype=np.float64) * symbol_s
    return _Places(
        start_s=edges[:, 0], end_s=edges[:, 1], period_s=slots * timing.numerology.slot_s
    )


def _no_place(timing: RadioTiming, direction: Direction) -> DataError:
    return DataError(
        f"expected {direction} symbols in the slot pattern (data: at least {LEAST_SYMBOLS} in a "
        f"slot); got {timing.pattern.symbols(direction).tolist()}. Add some."
    )
