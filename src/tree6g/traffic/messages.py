"""Arrivals of data messages: many sources, periodic or Poisson, any window of time."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoissonSources:
    """Sources that send at random times, independent of one another.

    Attributes:
        rng: Their stream of random numbers.
        sources: Number of sources.
        period_s: Mean time between messages of one source.
    """

    rng: np.random.Generator
    sources: int
    period_s: float

    def window(self, t0_s: float, t1_s: float) -> tuple[FloatArray, IntArray]:
        """Times in [t0, t1), ascending, and the source of each; windows must follow one another."""
        count = int(self.rng.poisson((t1_s - t0_s) * self.sources / self.period_s))
        times_s = np.sort(t0_s + (t1_s - t0_s) * self.rng.random(count))
        return times_s, self.rng.integers(self.sources, size=count)


def periodic(rng: np.random.Generator, sources: int, period_s: float) -> PeriodicSources:
    """Periodic sources with random phases."""
    return PeriodicSources(phase_s=np.sort(rng.random(sources)) * period_s, period_s=period_s)
