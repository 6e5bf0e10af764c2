"""Sources of data services by their timing, which `traffic.patterns` makes of a pattern."""

from __future__ import annotations

import dataclasses
from typing import Final, Protocol

import numpy as np

from tree6g.traffic.messages import (
    BLOCK_S,
    FloatArray,
    IntArray,
    PeriodicSources,
    rate_of,
    who,
)
from tree6g.traffic.sizes import Sizes

DRAWN: Final = 20_000  # messages drawn at once, about
# TR 45.820 Annex E.2: periods of reports and the share of devices that have each.
REPORTS: Final = ((86400.0, 0.40), (7200.0, 0.40), (3600.0, 0.15), (1800.0, 0.05))

Times = tuple[FloatArray, IntArray]
Drawn = tuple[FloatArray, IntArray, FloatArray]


class Timing(Protocol):
    """When which source sends."""

    def window(self, t0_s: float, t1_s: float) -> Times:
        """Times in [t0, t1), ascending, and the source of each. [message]."""
        ...


class Traffic(Protocol):
    """When which source sends how much."""

    def window(self, t0_s: float, t1_s: float) -> Drawn:
        """Times in [t0, t1), ascending, source and bytes of each. [message].

        Windows must follow one another from time 0 on.
        """
        ...


@dataclasses.dataclass(slots=True, kw_only=True)
class Sized:
    """Messages whose sizes do not depend on when they come."""

    timing: Timing
    sizes: Sizes

    def window(self, t0_s: float, t1_s: float) -> Drawn:
        """See `Traffic`."""
        time_s, source = self.timing.window(t0_s, t1_s)
        return time_s, source, self.sizes.draw(len(time_s))


@dataclasses.dataclass(slots=True, kw_only=True)
class Pending:
    """Messages that are drawn and not yet handed out, in order of time."""

    time_s: FloatArray = dataclasses.field(default_factory=lambda: np.empty(0))
    source: IntArray = dataclasses.field(default_factory=lambda: np.empty(0, dtype=np.intp))

    def add(self, drawn: list[Times]) -> None:
        """Messages of some blocks."""
        if drawn:
            times, sources = zip(*drawn, strict=True)
            time_s = np.concatenate([self.time_s, *times])
            order = np.argsort(time_s, kind="stable")
            self.time_s = time_s[order]
            self.source = np.concatenate([self.source, *sources])[order]

    def take(self, t0_s: float, t1_s: float) -> Times:
        """Those of [t0, t1); earlier ones are forgotten."""
        first, last = np.searchsorted(self.time_s, (t0_s, t1_s))
        due = self.time_s[first:last], self.source[first:last]
        self.time_s, self.source = self.time_s[last:], self.source[last:]
        return due


@dataclasses.dataclass(slots=True, kw_only=True)
class FrameSources:
    """Sources that send a frame per period, a little early or late.

    Attributes:
        rng: Draws the jitter.
        phase_s: Phase of each in [0, period). [source]
        period_s: Period.
        level: Distribution function of the jitter. [point]
        jitter_s: Jitter at each level, after the earliest possible. [point]
        turns: Turns of all sources drawn so far.
        pending: Frames that are drawn.
    """

    rng: np.random.Generator
    phase_s: FloatArray
    period_s: float
    level: FloatArray
    jitter_s: FloatArray
    turns: int = 0
    pending: Pending = dataclasses.field(default_factory=Pending)

    def window(self, t0_s: float, t1_s: float) -> Times:
        """See `Timing`."""
        drawn = []
        while self.turns * self.period_s < t1_s:
            drawn.append(self._draw())
        self.pending.add(drawn)
        return self.pending.take(t0_s, t1_s)

    def _draw(self) -> Times:
        count = len(self.phase_s)
        turn = self.turns + np.arange(max(1, DRAWN // count))
        self.turns += len(turn)
        nominal_s = (turn[:, None] * self.period_s + self.phase_s).ravel()
        late_s = np.interp(self.rng.random(len(nominal_s)), self.level, self.jitter_s)
        return nominal_s + late_s, np.tile(np.arange(count), len(turn))


@dataclasses.dataclass(slots=True, kw_only=True)
class TalkSources:
    """Calls in one direction: two states that change at random from frame to frame.

    Attributes:
        rng: Draws the changes.
        phase_s: Phase of each call's frames. [source]
        talking: Whether somebody talks. [source]
        since: Frames since the last change. [source]
        frame_s: Frame of the codec.
        every: Frames between two messages in silence.
        change_frac: Chance of a change per frame.
        byte: Size in silence and while talking.
        frames: Frames drawn so far.
        pending: Messages that are drawn; the state is in the number of the source.
    """

    rng: np.random.Generator
    phase_s: FloatArray
    talking: np.ndarray
    since: IntArray
    frame_s: float
    every: int
    change_frac: float
    byte: tuple[float, float]
    frames: int = 0
    pending: Pending = dataclasses.field(default_factory=Pending)

    def window(self, t0_s: float, t1_s: float) -> Drawn:
        """See `Traffic`."""
        drawn = []
        while self.frames * self.frame_s < t1_s:
            drawn.append(self._draw())
        self.pending.add(drawn)
        time_s, coded = self.pending.take(t0_s, t1_s)
        source, talking = np.divmod(coded, 2)
        return time_s, source, np.array(self.byte)[talking]

    def _draw(self) -> Times:
        count = len(self.phase_s)
        frame = np.arange(max(1, DRAWN // count))[:, None]
        changes = self.rng.random((len(frame), count)) < self.change_frac
        talking = self.talking ^ (np.cumsum(changes, axis=0) % 2).astype(bool)
        last = np.maximum.accumulate(np.where(changes, frame, -1), axis=0)
        since = np.where(last >= 0, frame - last, self.since + 1 + frame)
        sends = talking | (since % self.every == 0)
        time_s = self.phase_s + (self.frames + frame) * self.frame_s
        self.frames += len(frame)
        self.talking, self.since = talking[-1].copy(), since[-1].copy()
        coded = 2 * np.broadcast_to(np.arange(count), sends.shape) + talking
        return time_s[sends], coded[sends]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportSources:
    """Devices with periods of their own.

    Attributes:
        parts: Devices with the same period.
        members: Their numbers among all. [part][source]
    """

    parts: tuple[PeriodicSources, ...]
    members: tuple[IntArray, ...]

    def window(self, t0_s: float, t1_s: float) -> Times:
        """See `Timing`."""
        found = [part.window(t0_s, t1_s) for part in self.parts]
        time_s = np.concatenate([times for times, _ in found])
        source = np.concatenate([m[s] for m, (_, s) in zip(self.members, found, strict=True)])
        order = np.argsort(time_s, kind="stable")
        return time_s[order], source[order]


@dataclasses.dataclass(slots=True, kw_only=True)
class EventSources:
    """Messages that come together: alarms of whole sites, or sessions of single sources.

    Attributes:
        rng: Draws events and what belongs to them.
        places: Sites of alarms, sources of sessions.
        event_period_s: Mean time between two events of a place.
        curve: Relative rate of events in each hour of a day. [hour]
        by_site: Curves of the sites where they have their own. [site][hour]
        sources: Sources of a site, that all report an alarm; 0: sessions.
        spread_s: Time over which an alarm is spread.
        beta: Exponents of the Beta distribution of its messages over that time.
        segment_s: Time between two messages of a session.
        session_s: Mean length of a session.
        length_s: Length of a block.
        blocks: Blocks drawn so far.
        pending: Messages that are drawn.
    """

    rng: np.random.Generator
    places: int
    event_period_s: float
    curve: tuple[float, ...] = ()
    by_site: tuple[tuple[float, ...], ...] = ()
    sources: int = 0
    spread_s: float = 0.0
    beta: tuple[float, float] = (1.0, 1.0)
    segment_s: float = 0.0
    session_s: float = 0.0
    length_s: float = BLOCK_S
    blocks: int = 0
    pending: Pending = dataclasses.field(default_factory=Pending)

    def window(self, t0_s: float, t1_s: float) -> Times:
        """See `Timing`."""
        drawn = []
        while self.blocks * self.length_s < t1_s:
            drawn.append(self._draw())
        self.pending.add(drawn)
        return self.pending.take(t0_s, t1_s)

    def _draw(self) -> Times:
        start_s = self.blocks * self.length_s
        self.blocks += 1
        mean = self.length_s * self.places / self.event_period_s
        count = int(self.rng.poisson(mean * rate_of(self.curve, self.by_site, start_s)))
        event_s = start_s + self.length_s * self.rng.random(count)
        place = who(self.rng, self.places, self.by_site, start_s, count)
        return self._alarms(event_s, place) if self.sources else self._sessions(event_s, place)

    def _alarms(self, event_s: FloatArray, place: IntArray) -> Times:
        each = self.sources
        late_s = self.spread_s * self.rng.beta(*self.beta, size=each * len(place))
        source = each * np.repeat(place, each) + np.tile(np.arange(each), len(place))
        return np.repeat(event_s, each) + late_s, source

    def _sessions(self, event_s: FloatArray, place: IntArray) -> Times:
        length_s = self.rng.exponential(self.session_s, size=len(place))
        segments = np.maximum(np.ceil(length_s / self.segment_s), 1.0).astype(np.int64)
        first = np.repeat(np.cumsum(segments) - segments, segments)
        number = np.arange(len(first)) - first
        return np.repeat(event_s, segments) + number * self.segment_s, np.repeat(place, segments)
