"""No joule twice: two sources may not claim the same node and component at the same time.

METRIC rule 8. Several states or services of one source are fine, and so are intervals that touch.
Per node, component and source the guard keeps the union of the intervals claimed so far, so its
size follows the number of gaps, not of rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from tree6g.errors import LedgerError

COLUMNS: Final = ("t0_s", "t1_s", "node", "component", "source")
SHOWN: Final = 10
# An interval's end and its successor's start may come from different sums: as many units in the
# last place of the time are still a touch (about 1 us for UTC seconds).
TOUCH_ULP: Final = 4.0

Place = tuple[str, str]
Intervals = tuple[np.ndarray, np.ndarray]
Wanted = list[tuple[Place, dict[str, Intervals]]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """One stretch of time that two sources claim for one node and component."""

    node: str
    component: str
    sources: tuple[str, str]
    t0_s: float
    t1_s: float

    def __str__(self) -> str:
        """The clash as one line for people."""
        a, b = self.sources
        return (
            f"node '{self.node}', component '{self.component}': sources '{a}' and '{b}' both "
            f"claim {self.t0_s!r} s to {self.t1_s!r} s"
        )


class Claims:
    """The claimed intervals of a ledger; `add` refuses rows that clash with them."""

    def __init__(self) -> None:
        self._claimed: dict[Place, dict[str, _Union]] = {}

    def add(self, energy: pa.Table, *, claimant: str | None = None) -> None:
        """Claim the intervals of energy rows, all of them or, on a clash, none.

        Args:
            energy: Rows of the energy table with `COLUMNS`, text as dictionaries.
            claimant: Say who claims in place of the rows' sources; then even equal sources clash
                if their rows came from different claimants (the parts of a merge).

        Raises:
            LedgerError: Some rows clash; the message lists the first of them.
        """
        self.take(self.checked(energy, claimant=claimant))

    def checked(self, energy: pa.Table, *, claimant: str | None = None) -> Wanted:
        """What energy rows claim, for `take`; nothing is claimed yet.

        Raises:
            LedgerError: As `add`.
        """
        found: list[Clash] = []
        wanted = list(_claims_by_place(energy, claimant))
        for place, by_source in wanted:
            found += self._clashes(place, by_source)
            if len(found) >= SHOWN:
                break
        if found:
            raise LedgerError(refusal(found))
        return wanted

    def take(self, wanted: Wanted) -> None:
        """Claim what `checked` found free."""
        for place, by_source in wanted:
            held = self._claimed.setdefault(place, {})
            for source, intervals in by_source.items():
                held.setdefault(source, _Union()).add(intervals)

    def clashes(self, energy: pa.Table) -> list[Clash]:
        """Claim the intervals of energy rows whatever they clash with, and say what they did."""
        found: list[Clash] = []
        for place, by_source in _claims_by_place(energy, None):
            found += self._clashes(place, by_source)
            held = self._claimed.setdefault(place, {})
            for source, intervals in by_source.items():
                held.setdefault(source, _Union()).add(intervals)
        return found

    def _clashes(self, place: Place, by_source: dict[str, Intervals]) -> Iterator[Clash]:
        held = self._claimed.get(place, {})
        if len(held.keys() | by_source.keys()) < 2:
            return
        done: dict[str, Intervals] = {}
        for source, new in by_source.items():
            others = [(s, u.intervals()) for s, u in held.items() if s != source]
            for other, old in [*others, *done.items()]:
                shared = _shared(new, old)
                if shared is not None:
                    yield Clash(
                        node=place[0],
                        component=place[1],
                        sources=(other, source),
                        t0_s=shared[0],
                        t1_s=shared[1],
                    )
            done[source] = new


class _Union:
    """Disjoint intervals in order; new ones wait in `_fresh` until somebody asks."""

    __slots__ = ("_end", "_fresh", "_start")

    def __init__(self) -> None:
        self._start = np.empty(0)
        self._end = np.empty(0)
        self._fresh: list[Intervals] = []

    def add(self, new: Intervals) -> None:
        """Add intervals in s, ascending and apart from one another."""
        start, end = new
        if not self._fresh and not len(self._end):
            self._start, self._end = start.copy(), end.copy()
            return
        # The common case: time goes on, and the last interval grows.
        one = not self._fresh and len(start) == 1
        if one and self._start[-1] <= start[0] <= self._end[-1]:
            self._end[-1] = max(self._end[-1], end[0])
            return
        self._fresh.append(new)
        if len(self._fresh) > 64:
            self.intervals()

    def intervals(self) -> Intervals:
        """All of them as starts and ends in s, ascending and apart from one another."""
        if self._fresh:
            starts = [self._start, *(s for s, _ in self._fresh)]
            ends = [self._end, *(e for _, e in self._fresh)]
            self._start, self._end = _merge(np.concatenate(starts), np.concatenate(ends))
            self._fresh = []
        return self._start, self._end


def refusal(found: list[Clash]) -> str:
    """The message for energy rows that clash."""
    lines = "\n  ".join(str(c) for c in found[:SHOWN])
    more = "\n  ..." if len(found) >= SHOWN else ""
    return (
        f"energy of a node and component must come from one source at a time; got\n  {lines}{more}"
        "\nEvery joule counts once (METRIC rule 8): leave one of the sources out, or name the "
        "component that it really measures."
    )


def _claims_by_place(
    energy: pa.Table, claimant: str | None
) -> Iterator[tuple[Place, dict[str, Intervals]]]:
    """Union of the rows' intervals by place and source."""
    if energy.num_rows == 0:
        return
    t0 = _view(energy.column("t0_s").combine_chunks(), np.float64)
    t1 = _view(energy.column("t1_s").combine_chunks(), np.float64)
    node, nodes = _codes(energy, "node")
    component, components = _codes(energy, "component")
    source, sources = _codes(energy, "source") if claimant is None else (0, [claimant])
    key = (node * len(components) + component) * len(sources) + source
    key, t0, t1 = _in_order(key, t0, t1)
    start, end, first = _merge_keyed(key, t0, t1)
    kept = key[first]
    edges = np.flatnonzero(np.diff(kept)) + 1
    open_place: Place | None = None
    by_source: dict[str, Intervals] = {}
    for lo, hi in zip([0, *edges.tolist()], [*edges.tolist(), len(kept)], strict=True):
        rest, s = divmod(int(kept[lo]), len(sources))
        n, c = divmod(rest, len(components))
        place = (nodes[n], components[c])
        if open_place is not None and place != open_place:
            yield open_place, by_source
            by_source = {}
        open_place = place
        by_source[sources[s]] = (start[lo:hi], end[lo:hi])
    if open_place is not None:
        yield open_place, by_source


def _codes(energy: pa.Table, column: str) -> tuple[np.ndarray, list[str]]:
    array = energy.column(column).unify_dictionaries().combine_chunks()
    return _view(array.indices, np.int32).astype(np.int64), array.dictionary.to_pylist()


def _view(array: pa.Array, kind: type[np.generic]) -> np.ndarray:
    """Numbers without nulls as they lie in memory; `to_numpy` would load pandas if it is there."""
    return np.frombuffer(
        array.buffers()[1], kind, len(array), array.offset * np.dtype(kind).itemsize
    )


def _in_order(
    key: np.ndarray, t0: np.ndarray, t1: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows by key and start. Rows mostly come in the order of time, so sorting by key does."""
    # 16-bit keys sort by radix, ten times as fast.
    small = key.astype(np.uint16) if key.max() < 1 << 16 else key
    order = np.argsort(small, kind="stable")
    key, start, end = key[order], t0[order], t1[order]
    if np.any((start[1:] < start[:-1]) & (key[1:] == key[:-1])):
        order = np.lexsort((t0, small))
        start, end = t0[order], t1[order]
    return key, start, end


def _merge(t0: np.ndarray, t1: np.ndarray) -> Intervals:
    order = np.argsort(t0, kind="stable")
    start, end, _ = _merge_keyed(np.zeros(len(t0), np.int64), t0[order], t1[order])
    return start, end


def _merge_keyed(
    key: np.ndarray, t0: np.ndarray, t1: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unions of intervals in order of (key, t0): starts, ends, and the row each union starts at."""
    reach = _running_max(key, t1)
    new = np.ones(len(t0), bool)
    new[1:] = (key[1:] != key[:-1]) | (t0[1:] > reach[:-1])
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(t0)) - 1
    return t0[first], reach[last], first


def _running_max(key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Largest value so far within each run of equal keys."""
    same = key[1:] == key[:-1]
    if not np.any(same & (value[1:] < value[:-1])):
        return value
    # Ranks are exact where adding an offset per key to the values would round.
    levels, rank = np.unique(value, return_inverse=True)
    run = np.concatenate(([0], np.cumsum(~same)))
    best = np.maximum.accumulate(rank + run * len(levels))
    return levels[best - run * len(levels)]


def _shared(new: Intervals, old: Intervals) -> tuple[float, float] | None:
    """The first stretch that two unions share, None if they do not or only touch."""
    if len(new[0]) > len(old[0]):
        new, old = old, new
    # The first old interval that ends after the new one starts may merely touch it; then its
    # successor decides.
    at = np.searchsorted(old[1], new[0], side="right")
    for step in (0, 1):
        index = np.minimum(at + step, len(old[0]) - 1)
        low = np.maximum(new[0], old[0][index])
        high = np.minimum(new[1], old[1][index])
        bad = np.flatnonzero(high - low > TOUCH_ULP * np.spacing(np.abs(high)))
        if len(bad):
            return float(low[bad[0]]), float(high[bad[0]])
    return None
