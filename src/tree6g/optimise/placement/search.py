"""Whole placements: rounding of shares, then moves of one, of two, and of whole sites."""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.optimise.placement.problem import BoolArray, FloatArray, IntArray
from tree6g.optimise.placement.rows import Rows

SLACK: Final = 1e-9  # of a capacity: rounding
PASSES: Final = 60
BEST: Final = 6  # ways of a service for which others are moved out of the way


class Placing:
    """A placement that is being changed; all figures follow from `chosen`."""

    def __init__(self, rows: Rows, chosen: IntArray) -> None:
        """Begin with some way, or -1, for each service."""
        self.rows = rows
        self.chosen = np.full(rows.services, -1)
        self.used = np.zeros(len(rows.site_of_row))
        self.users = np.zeros(rows.sites, dtype=np.int64)
        for way in chosen[chosen >= 0]:
            self.put(int(way))

    @property
    def open(self) -> BoolArray:
        """Sites that somebody uses."""
        return self.users > 0

    @property
    def excess(self) -> float:
        """By how much the fullest row is over its capacity, as a share; <= 0: within all."""
        return float(self.used.max(initial=0.0)) - 1.0

    @property
    def complete(self) -> bool:
        """Whether all that has to be served is."""
        return bool((self.chosen[self.rows.required] >= 0).all())

    def ways(self) -> IntArray:
        """Chosen ways."""
        return self.chosen[self.chosen >= 0]

    def put(self, way: int) -> None:
        """Serve its service so, which is not served now."""
        self._change(way, 1)
        self.chosen[self.rows.service[way]] = way

    def take(self, service: int) -> int:
        """Serve a service no more; the way it had, or -1."""
        way = int(self.chosen[service])
        if way >= 0:
            self._change(way, -1)
            self.chosen[service] = -1
        return way

    def fits(self, ways: slice | IntArray) -> BoolArray:
        """Which of some ways of services that are not served fit in."""
        rows = self.rows
        load = self.used[rows.row[ways]] + rows.entry[ways]
        fits = (load <= 1.0 + SLACK).all(axis=1)
        if len(rows.shared):
            fits &= ~np.append(self._taken(), False)[rows.site[ways]].any(axis=1)
        return np.asarray(fits)

    def _taken(self) -> BoolArray:
        """Sites whose place is set up as another. [site]."""
        rows, on = self.rows, self.open | self.rows.always_on
        there = np.bincount(rows.group, on, minlength=1)[rows.group]
        return np.asarray(there > on)

    def earns(self, ways: slice | IntArray, gains: FloatArray, cost: FloatArray) -> FloatArray:
        """Gains of ways less idle power of sites that they switch on. `cost` by site, then 0."""
        fresh = np.append(np.where(self.open, 0.0, cost[:-1]), 0.0)
        return gains[ways] - fresh[self.rows.site[ways]].sum(axis=1)

    def surplus(self, gains: FloatArray, cost: FloatArray) -> float:
        """N - price P, but for what is fixed, with a fine for what has to be served and is not."""
        whole = float(gains[self.ways()].sum() - cost[:-1][self.open].sum())
        unserved = int((self.chosen[self.rows.required] < 0).sum())
        return whole - unserved * fine(gains, cost)

    def sites(self, way: int) -> IntArray:
        """Sites that a way uses."""
        at = self.rows.site[way]
        return at[at >= 0]

    def _change(self, way: int, sign: int) -> None:
        rows = self.rows
        np.add.at(self.used, rows.row[way], sign * rows.entry[way])
        np.add.at(self.users, self.sites(way), sign)


def fine(gains: FloatArray, cost: FloatArray) -> float:
    """More than any change of one service can earn."""
    return 1.0 + 10.0 * (float(np.abs(gains).max(initial=0.0)) + float(cost.sum()))


def rounded(rows: Rows, price: float, columns: IntArray, share: FloatArray) -> Placing:
    """Ways with the greatest shares first, as far as they fit; then what else earns."""
    placing = Placing(rows, np.empty(0, dtype=np.int64))
    some = share > 1e-6
    for way in columns[some][np.argsort(-share[some], kind="stable")]:
        if placing.chosen[rows.service[way]] < 0 and placing.fits(np.array([way]))[0]:
            placing.put(int(way))
    improved(placing, price)
    return placing


def improved(placing: Placing, price: float) -> None:
    """Change the placement as long as N - price P rises."""
    rows = placing.rows
    gains, cost = rows.gains(price), _cost(rows, price)
    for _ in range(PASSES):
        changed = False
        for service in range(rows.services):
            changed |= _moved(placing, service, gains, cost)
        if changed:
            continue
        for site in np.flatnonzero(placing.open):
            changed |= _closed(placing, int(site), gains, cost)
        for service in range(rows.services):
            changed |= _made_room(placing, service, gains, cost)
        if not changed:
            return


def _moved(placing: Placing, service: int, gains: FloatArray, cost: FloatArray) -> bool:
    """Serve a service in its best way as things stand."""
    before = placing.take(service)
    best = _best(placing, service, gains, cost)
    if best >= 0:
        placing.put(best)
    return best != before


def _best(placing: Placing, service: int, gains: FloatArray, cost: FloatArray) -> int:
    """The best way that fits; -1 if not to serve is better."""
    rows = placing.rows
    ways = slice(int(rows.first[service]), int(rows.first[service + 1]))
    if ways.start == ways.stop:
        return -1
    worth = np.where(placing.fits(ways), placing.earns(ways, gains, cost), -np.inf)
    at = int(np.argmax(worth))
    floor = -np.inf if rows.required[service] else 0.0
    return ways.start + at if worth[at] > floor else -1


def _closed(placing: Placing, site: int, gains: FloatArray, cost: FloatArray) -> bool:
    """Move everybody out of a site if that pays."""
    before, old = placing.surplus(gains, cost), placing.chosen.copy()
    out = [s for s in range(placing.rows.services) if old[s] >= 0 and site in placing.sites(old[s])]
    for service in out:
        placing.take(service)
    shut = cost.copy()
    shut[site] = np.inf
    for service in out:
        best = _best(placing, service, gains, shut)
        if best >= 0:
            placing.put(best)
    return _kept(placing, old, before, gains, cost)


def _made_room(placing: Placing, service: int, gains: FloatArray, cost: FloatArray) -> bool:
    """Serve a service better by moving one other out of its way."""
    rows = placing.rows
    ways = slice(int(rows.first[service]), int(rows.first[service + 1]))
    before, old = placing.surplus(gains, cost), placing.chosen.copy()
    now = old[service]
    worth = placing.earns(ways, gains, cost)
    hopes = np.argsort(-worth, kind="stable")[:BEST] + ways.start
    mine = gains[now] if now >= 0 else -np.inf if rows.required[service] else 0.0
    for way in hopes[gains[hopes] > mine]:
        at = set(rows.group[placing.sites(int(way))].tolist())
        others = [
            s
            for s in range(rows.services)
            if s != service
            and old[s] >= 0
            and at & set(rows.group[placing.sites(int(old[s]))].tolist())
        ]
        for other in others:
            placing.take(service)
            placing.take(other)
            if placing.fits(np.array([way]))[0]:
                placing.put(int(way))
                best = _best(placing, other, gains, cost)
                if best >= 0:
                    placing.put(best)
                if _kept(placing, old, before, gains, cost):
                    return True
            else:
                _restore(placing, old)
    return False


def _kept(
    placing: Placing, old: IntArray, before: float, gains: FloatArray, cost: FloatArray
) -> bool:
    """Whether a change pays; if not it is undone."""
    if placing.surplus(gains, cost) > before + 1e-12 * abs(before):
        return True
    _restore(placing, old)
    return False


def _restore(placing: Placing, old: IntArray) -> None:
    changed = np.flatnonzero(placing.chosen != old)
    for service in changed:
        placing.take(int(service))
    for service in changed[old[changed] >= 0]:
        placing.put(int(old[service]))


def _cost(rows: Rows, price: float) -> FloatArray:
    """Priced idle power of a site that is switched on; the last, 0, is of no site."""
    return np.append(np.where(rows.always_on, 0.0, price * rows.idle_power_w), 0.0)
