"""Which settings of servers may be best, each with a line below its power."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from tree6g.optimise.servers.pool import Option, Pool

GRID: Final = 65  # shares at which a chord is held below its curve


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A pool in one setting, for a range of its work.

    Power above idle is concave in the work, so the chord over the range is never above it: optima
    with the chord bound those with the curve, and at the ends of the range both are the same. Of
    bursts and nearly full batches it is not quite: there the chord is lowered until it is below.

    Attributes:
        pool: The pool.
        option: Its setting; None: all its servers are off.
        idle_w: Power that it draws without work.
        base_w: Of the chord where the work is 0.
        slope_w: Of the chord per whole work of today.
    """

    pool: Pool
    option: Option | None
    idle_w: float
    base_w: float
    slope_w: float

    def active_w(self, shares: Mapping[str, float]) -> float:
        """Power above idle by the curve where services have shares of today's rates."""
        if self.option is None:
            return 0.0
        return float(self.pool.option_active_w(self.option, self.pool.share_frac(shares)))

    def chord_w(self, share_frac: float) -> float:
        """All its power by the chord."""
        return self.idle_w + self.base_w + self.slope_w * share_frac


def combinations(
    pools: Sequence[Pool], served: frozenset[str], least_frac: float
) -> Iterator[tuple[Running, ...]]:
    """All combinations of settings of pools, those left out that no optimum has.

    Args:
        pools: The pools.
        served: AI services that are served; a pool that answers none of them is off.
        least_frac: Share of today's rates that is owed to those.
    """
    return itertools.product(*(_of(pool, served, least_frac) for pool in pools))


def _of(pool: Pool, served: frozenset[str], least_frac: float) -> list[Running]:
    most = pool.share_frac(dict.fromkeys(served, 1.0))
    if most <= 0.0:
        return [Running(pool=pool, option=None, idle_w=0.0, base_w=0.0, slope_w=0.0)]
    least = least_frac * most
    some = [_running(pool, option, least, most) for option in pool.options]
    ends = [(each.chord_w(least), each.chord_w(most)) for each in some]
    return [each for i, each in enumerate(some) if not _is_beaten(i, ends)]


def _running(pool: Pool, option: Option, least: float, most: float) -> Running:
    grid = np.linspace(least, most, GRID)
    curve_w = pool.option_active_w(option, grid)
    low_w, high_w = float(curve_w[0]), float(curve_w[-1])
    slope_w = (high_w - low_w) / (most - least) if most > least else high_w / most
    above_w = float((high_w - slope_w * (most - grid) - curve_w).max()) if most > least else 0.0
    return Running(
        pool=pool,
        option=option,
        idle_w=pool.option_idle_w(option),
        base_w=high_w - slope_w * most - max(above_w, 0.0),
        slope_w=slope_w,
    )


def _is_beaten(number: int, ends: Sequence[tuple[float, float]]) -> bool:
    """Whether another draws no more at both ends; of equals the first stays."""
    mine = ends[number]
    return any(
        other[0] <= mine[0] and other[1] <= mine[1] and (other != mine or i < number)
        for i, other in enumerate(ends)
        if i != number
    )
