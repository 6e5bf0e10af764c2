"""Where terminals are as time goes on, and which of them moved enough to matter.

Random waypoint starts in its stationary law: a start from the plain draw takes long to forget that
every terminal was just setting out (Le Boudec and Vojnovic, INFOCOM 2005; Navidi and Camp, IEEE
Trans. Mobile Computing 3(1), 2004). Left out: streets, groups, and walls.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError
from tree6g.radio.pathloss import FloatArray

BoolArray = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Waypoints:
    """Rules of random waypoint on a rectangle.

    Walk straight to a point drawn evenly, at a speed drawn evenly, pause, and again.

    Attributes:
        low_m: Lower corner (x, y).
        high_m: Upper corner (x, y).
        speed_m_per_s: Least and greatest speed. The least is above 0: else the mean is 0 in time.
        pause_s: Least and greatest pause.
    """

    low_m: tuple[float, float]
    high_m: tuple[float, float]
    speed_m_per_s: tuple[float, float]
    pause_s: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        slow, fast = self.speed_m_per_s
        least, most = self.pause_s
        wide = all(low < high for low, high in zip(self.low_m, self.high_m, strict=True))
        if not (wide and 0.0 < slow <= fast and 0.0 <= least <= most):
            raise DataError(
                "expected corners in order, 0 < slowest <= fastest and 0 <= least <= greatest "
                f"pause; got {self.low_m} to {self.high_m} m, {slow:g} to {fast:g} m/s and "
                f"{least:g} to {most:g} s."
            )

    @property
    def mean_leg_m(self) -> float:
        """Mean distance between two points of the rectangle (Ghosh 1951)."""
        a, b = (high - low for low, high in zip(self.low_m, self.high_m, strict=True))
        d = float(np.hypot(a, b))
        return (
            a**3 / b**2 + b**3 / a**2 + d * (3.0 - a**2 / b**2 - b**2 / a**2)
            + 2.5 * (b**2 / a * np.log((a + d) / b) + a**2 / b * np.log((b + d) / a))
        ) / 15.0  # fmt: skip

    @property
    def mean_leg_s(self) -> float:
        """Mean time between two pauses: mean distance times E[1/v]."""
        slow, fast = self.speed_m_per_s
        inverse = 1.0 / slow if slow == fast else np.log(fast / slow) / (fast - slow)
        return self.mean_leg_m * float(inverse)

    @property
    def paused_frac(self) -> float:
        """Share of time, and of terminals at any moment, spent in a pause."""
        pause_s = sum(self.pause_s) / 2.0
        return pause_s / (pause_s + self.mean_leg_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walkers:
    """Terminals between two moments.

    Attributes:
        position_m: Where they are. [terminal, 2]
        target_m: Where they walk to. [terminal, 2]
        speed_m_per_s: How fast they walk this leg. [terminal]
        pause_s: Rest of the pause before they walk on; 0 while walking. [terminal]
    """

    position_m: FloatArray
    target_m: FloatArray
    speed_m_per_s: FloatArray
    pause_s: FloatArray


def stationary(rng: np.random.Generator, rules: Waypoints, count: int) -> Walkers:
    """Terminals as a glance at any later moment would find them.

    Who pauses is anywhere, in a pause drawn in proportion to its length, at an even point of it.
    Who walks is on a leg drawn in proportion to its length, at an even point of it, with a speed
    of density proportional to 1/v: slow walks last longer.
    """
    walking = rng.random(count) >= rules.paused_frac
    start, target = _legs(rng, rules, count)
    position = start + rng.random((count, 1)) * (target - start)
    slow, fast = rules.speed_m_per_s
    speed = slow * (fast / slow) ** rng.random(count)
    least, most = rules.pause_s
    # Length-biased pause on [a, b]: the square is even on [a^2, b^2].
    whole = np.sqrt(least**2 + rng.random(count) * (most**2 - least**2))
    pause = np.where(walking, 0.0, whole * rng.random(count))
    # Who pauses has yet to draw where to go and how fast.
    position = np.where(walking[:, None], position, _points(rng, rules, count))
    target = np.where(walking[:, None], target, _points(rng, rules, count))
    speed = np.where(walking, speed, rng.uniform(slow, fast, count))
    return Walkers(position_m=position, target_m=target, speed_m_per_s=speed, pause_s=pause)


def advance(
    rng: np.random.Generator, rules: Waypoints, walkers: Walkers, duration_s: float
) -> Walkers:
    """Terminals some time later; exact, with as many legs and pauses as fit in."""
    position, target = walkers.position_m.copy(), walkers.target_m.copy()
    speed, pause = walkers.speed_m_per_s.copy(), walkers.pause_s.copy()
    left = np.full(len(speed), duration_s)
    active = np.flatnonzero(left > 0.0)
    while active.size:
        rest = np.minimum(pause[active], left[active])
        pause[active] -= rest
        left[active] -= rest
        way = target[active] - position[active]
        distance = np.hypot(way[:, 0], way[:, 1])
        walk = np.where(
            pause[active] > 0.0, 0.0, np.minimum(left[active] * speed[active], distance)
        )
        part = np.divide(walk, distance, out=np.ones_like(walk), where=distance > 0.0)
        position[active] += np.where(pause[active] > 0.0, 0.0, part)[:, None] * way
        left[active] -= walk / speed[active]
        there = active[(pause[active] == 0.0) & (part >= 1.0)]
        _next_leg(rng, rules, there, (position, target, speed, pause))
        active = active[left[active] > 0.0]
    return Walkers(position_m=position, target_m=target, speed_m_per_s=speed, pause_s=pause)


def moved(
    position_m: FloatArray, known_m: FloatArray, least_m: float = 0.0
) -> tuple[BoolArray, FloatArray]:
    """Which terminals are to be computed again, and the positions then known.

    A terminal counts once it is more than `least_m` from where it was last computed, so that what
    is kept for the others is never older than that distance, however slowly they drift. The mask
    is what the incremental radio step takes.

    Args:
        position_m: Positions now. [terminal, axis]
        known_m: Positions for which results are kept. [terminal, axis]
        least_m: Distance below which results are kept.

    Returns:
        Mask [terminal], and known positions with those of the moved replaced. [terminal, axis]
    """
    away = np.linalg.norm(position_m - known_m, axis=1) > least_m
    return away, np.where(away[:, None], position_m, known_m)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Recorded positions; `trace` makes one from unsorted rows.

    Attributes:
        time_s: Time of each row, ascending within a terminal. [row]
        position_m: Position of each row. [row, axis]
        first: First row of each terminal, and the number of rows. [terminal + 1]
        line_s: Times of all terminals one after the other on one line, to search in. [row]
        span_s: How far apart terminals are on that line.
        begin_s: Earliest time of all, where each terminal's stretch of the line begins.
    """

    time_s: FloatArray
    position_m: FloatArray
    first: npt.NDArray[np.intp]
    line_s: FloatArray
    span_s: float
    begin_s: float


def trace(terminal: npt.ArrayLike, time_s: npt.ArrayLike, position_m: npt.ArrayLike) -> Trace:
    """Positions of terminals over time, from rows in any order.

    Args:
        terminal: Number of the terminal of each row, 0 to n - 1. [row]
        time_s: Time of each row. [row]
        position_m: Position of each row. [row, axis]

    Raises:
        DataError: Rows that do not fit each other, are not finite, or repeat a time; all at once.
    """
    owner = np.asarray(terminal, dtype=np.intp)
    time = np.asarray(time_s, dtype=np.float64)
    position = np.asarray(position_m, dtype=np.float64)
    if not len(owner) == len(time) == len(position) or position.ndim != 2 or not len(owner):
        raise DataError(
            "expected as many terminals and times as rows of positions [row, axis], at least one; "
            f"got {owner.shape}, {time.shape} and {position.shape}."
        )
    order = np.lexsort((time, owner))
    owner, time, position = owner[order], time[order], position[order]
    again = (np.diff(owner) == 0) & (np.diff(time) == 0.0)
    bad = int((~np.isfinite(time)).sum() + (~np.isfinite(position)).any(axis=1).sum())
    if bad or again.any() or owner[0] < 0:
        raise DataError(
            "expected finite times and positions, one per terminal and time, and terminals from 0; "
            f"got {bad} rows that are not finite, {int(again.sum())} repeated and "
            f"{int((owner < 0).sum())} below 0. Remove or mend them."
        )
    span_s = float(np.ptp(time)) + 2.0
    return Trace(
        time_s=time,
        position_m=position,
        first=np.searchsorted(owner, np.arange(owner[-1] + 2)).astype(np.intp),
        line_s=owner * span_s + (time - time.min()),
        span_s=span_s,
        begin_s=float(time.min()),
    )


def at(record: Trace, time_s: float) -> tuple[FloatArray, BoolArray]:
    """Positions at a time, straight between rows, and which terminals are there at all.

    Before its first and after its last row a terminal is absent; its position is then that of the
    nearest row, for shape's sake only.

    Args:
        record: Recorded positions.
        time_s: The time.

    Returns:
        Positions [terminal, axis] and presence [terminal].
    """
    rows = np.diff(record.first)
    sought_s = min(max(time_s - record.begin_s, -1.0), record.span_s - 1.0)
    ahead = np.searchsorted(
        record.line_s, np.arange(len(rows)) * record.span_s + sought_s, side="right"
    )
    earlier = np.clip(ahead - record.first[:-1], 0, rows)
    present = (earlier > 0) & (rows > 0)
    last = np.maximum(record.first[1:] - 1, 0)
    row = np.minimum(record.first[:-1] + np.maximum(earlier - 1, 0), last)
    following = np.minimum(row + 1, last)
    present &= (earlier < rows) | (record.time_s[row] == time_s)
    span = record.time_s[following] - record.time_s[row]
    part = np.divide(time_s - record.time_s[row], span, out=np.zeros(len(rows)), where=span > 0.0)
    part = np.where(present, part, 0.0)[:, None]
    way = record.position_m[following] - record.position_m[row]
    return record.position_m[row] + part * way, present


def _points(rng: np.random.Generator, rules: Waypoints, count: int) -> FloatArray:
    return rng.uniform(rules.low_m, rules.high_m, (count, 2))


def _legs(rng: np.random.Generator, rules: Waypoints, count: int) -> tuple[FloatArray, FloatArray]:
    """Ends of legs drawn in proportion to their length, by rejection (about one in three stays)."""
    start, target = np.empty((count, 2)), np.empty((count, 2))
    longest = float(np.hypot(*np.subtract(rules.high_m, rules.low_m)))
    open_ = np.arange(count)
    while open_.size:
        a, b = _points(rng, rules, open_.size), _points(rng, rules, open_.size)
        length = np.hypot(*(b - a).T)
        taken = rng.random(open_.size) * longest < length
        start[open_[taken]], target[open_[taken]] = a[taken], b[taken]
        open_ = open_[~taken]
    return start, target


def _next_leg(
    rng: np.random.Generator,
    rules: Waypoints,
    there: npt.NDArray[np.intp],
    state: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
) -> None:
    """A pause and a new target for those who arrived; arrays are filled in place."""
    position, target, speed, pause = state
    position[there] = target[there]
    target[there] = _points(rng, rules, there.size)
    speed[there] = rng.uniform(*rules.speed_m_per_s, there.size)
    pause[there] = rng.uniform(*rules.pause_s, there.size)
