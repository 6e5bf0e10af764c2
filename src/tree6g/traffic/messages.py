"""Arrivals of data messages: many sources, periodic or Poisson, any window of time."""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

HOUR_S: Final = 3600.0
BLOCK_S: Final = 1.0
FEW_MESSAGES: Final = 200.0
BLOCK_MESSAGES: Final = 100_000  # at most about so many are held at once


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicSources:
    """Sources that send once per period, each at a phase of its own.

    Attributes:
        phase_s: Phases, ascending, in [0, period). [source]
        period_s: Period.
    """

    phase_s: FloatArray
    period_s: float

    def window(self, t0_s: float, t1_s: float) -> tuple[FloatArray, IntArray]:
        """Times in [t0, t1), ascending, and the source of each. [message]."""
        first, last = self._count(t0_s), self._count(t1_s)
        message = np.arange(first, last)
        turn, source = np.divmod(message, len(self.phase_s))
        return turn * self.period_s + self.phase_s[source], source

    def _count(self, t_s: float) -> int:
        turns, rest_s = divmod(t_s, self.period_s)
        before = np.searchsorted(self.phase_s, rest_s, side="left")
        return int(turns) * len(self.phase_s) + int(before)


@dataclasses.dataclass(slots=True, kw_only=True)
class PoissonSources:
    """Sources that send at random times, independent of one another.

    With a day curve the rate follows it, hour by hour from time 0 on; its mean over a day stays.

    Messages are drawn in blocks of fixed length, so they do not depend on where windows are cut.

    Attributes:
        rng: Their stream of random numbers.
        sources: Number of sources.
        period_s: Mean time between messages of one source.
        curve: Relative rate in each hour of a day; empty: the same at all hours. [hour]
        by_site: Curves of the sites where they have their own, in place of `curve`; the sources are
            numbered site by site. [site][hour]
        least_block_s: Length of a block, unless `BLOCK_MESSAGES` come sooner.
        blocks: Blocks drawn so far.
        time_s: Messages drawn and not yet handed out, ascending. [message]
        source: The source of each. [message]
    """

    rng: np.random.Generator
    sources: int
    period_s: float
    curve: tuple[float, ...] = ()
    by_site: tuple[tuple[float, ...], ...] = ()
    least_block_s: float = BLOCK_S
    blocks: int = 0
    time_s: FloatArray = dataclasses.field(default_factory=lambda: np.empty(0))
    source: IntArray = dataclasses.field(default_factory=lambda: np.empty(0, dtype=np.intp))

    @property
    def block_s(self) -> float:
        """Length of a block."""
        return min(self.least_block_s, BLOCK_MESSAGES * self.period_s / self.sources)

    def window(self, t0_s: float, t1_s: float) -> tuple[FloatArray, IntArray]:
        """Times in [t0, t1), ascending, and the source of each; windows must follow one another."""
        drawn = []
        while self.blocks * self.block_s < t1_s:
            drawn.append(self._draw())
        if drawn:
            times, sources = zip(*drawn, strict=True)
            self.time_s = np.concatenate([self.time_s, *times])
            self.source = np.concatenate([self.source, *sources])
        first, last = np.searchsorted(self.time_s, (t0_s, t1_s))
        due = self.time_s[first:last], self.source[first:last]
        self.time_s, self.source = self.time_s[last:], self.source[last:]
        return due

    def _draw(self) -> tuple[FloatArray, IntArray]:
        """The next block: a Poisson number of messages, evenly spread over it."""
        start_s = self.blocks * self.block_s
        mean = self.block_s * self.sources / self.period_s
        count = int(self.rng.poisson(mean * rate_of(self.curve, self.by_site, start_s)))
        time_s = np.sort(start_s + self.block_s * self.rng.random(count))
        self.blocks += 1
        return time_s, who(self.rng, self.sources, self.by_site, start_s, count)


def block_s(sources: int, period_s: float) -> float:
    """Length of blocks in which some messages come: a whole number of them fills an hour."""
    wanted_s = FEW_MESSAGES * period_s / sources
    return next((s for s in (BLOCK_S, 2.0, 5.0, 10.0, 20.0, 30.0) if s >= wanted_s), 60.0)


def rate_at(curve: tuple[float, ...], t_s: float) -> float:
    """Value of a day curve over its mean, at a time of a run; 1 without a curve.

    A value holds for its hour. Blocks of arrivals do not cross the hour by more than their length.
    """
    if not curve:
        return 1.0
    hour = int(t_s / HOUR_S + 1e-9) % len(curve)
    return curve[hour] * len(curve) / math.fsum(curve)


def site_rates(by_site: tuple[tuple[float, ...], ...], t_s: float) -> FloatArray:
    """Values of the sites' day curves over their means, at a time of a run. [site]."""
    return np.array([rate_at(curve, t_s) for curve in by_site])


def rate_of(curve: tuple[float, ...], by_site: tuple[tuple[float, ...], ...], t_s: float) -> float:
    """Rate of all sites over its mean over a day: of one curve, or of the sites' own ones."""
    return float(site_rates(by_site, t_s).mean()) if by_site else rate_at(curve, t_s)


def who(
    rng: np.random.Generator,
    sources: int,
    by_site: tuple[tuple[float, ...], ...],
    t_s: float,
    count: int,
) -> IntArray:
    """Sources at random, more of them at sites whose hour it is. [message]."""
    if not by_site or not count:
        return rng.integers(sources, size=count)
    edges = np.cumsum(site_rates(by_site, t_s))
    site = np.searchsorted(edges, edges[-1] * rng.random(count), side="right")
    each = sources // len(by_site)
    return np.asarray(each * site + rng.integers(each, size=count))


def periodic(rng: np.random.Generator, sources: int, period_s: float) -> PeriodicSources:
    """Periodic sources with random phases."""
    return PeriodicSources(phase_s=np.sort(rng.random(sources)) * period_s, period_s=period_s)
