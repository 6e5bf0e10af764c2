"""The inequalities of a placement as short columns, and what Lagrange makes of them.

Every way has the same few places for entries: its service, and per hop three resources and the link
between its service and the site. Rows are divided by capacity, so that entries are shares.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.optimise.placement.problem import (
    RESOURCES,
    BoolArray,
    FloatArray,
    IntArray,
    Problem,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A placement in numbers.

    Rows stand in this order: services, resources (site after site), links of services and sites.

    Attributes:
        services: How many rows are of services.
        site_of_row: Site that a row belongs to; -1 for services. [row]
        row: Rows of a way. [way, place]
        entry: Entries there; 0: none. [way, place]
        site: Sites that a way uses; -1: none. [way, hop]
        service: Of a way.
        utility_bps: Of a way, after the objective.
        power_w: Of a way above idle.
        required: [service].
        idle_power_w: [site].
        always_on: [site].
        group: Place of each site: of those with the same at most one is on. [site]
        shared: Groups of more than one site.
        fixed_utility_bps: Whatever is chosen.
        fixed_power_w: Whatever is chosen, sites that are always on not included.
        first: Where the ways of a service begin; ways are sorted by service. [service + 1]
        power_min_w: No placement takes less.
    """

    services: int
    site_of_row: IntArray
    row: IntArray
    entry: FloatArray
    site: IntArray
    service: IntArray
    utility_bps: FloatArray
    power_w: FloatArray
    required: BoolArray
    idle_power_w: FloatArray
    always_on: BoolArray
    group: IntArray
    shared: IntArray
    fixed_utility_bps: float
    fixed_power_w: float
    first: IntArray
    power_min_w: float

    @property
    def ways(self) -> int:
        """How many ways."""
        return len(self.service)

    @property
    def sites(self) -> int:
        """How many sites."""
        return len(self.idle_power_w)

    def gains(self, price: float) -> FloatArray:
        """Utility less priced power of each way, before what it takes from others."""
        return self.utility_bps - price * self.power_w

    def totals(self, chosen: IntArray, open_: BoolArray) -> tuple[float, float]:
        """N and P of whole ways and open sites."""
        utility = self.fixed_utility_bps + float(self.utility_bps[chosen].sum())
        idle = float(self.idle_power_w[open_ | self.always_on].sum())
        return utility, self.fixed_power_w + float(self.power_w[chosen].sum()) + idle

    def reduced(self, price: float, dual: FloatArray) -> FloatArray:
        """Gains less what the rows of sites charge. [way]. `dual` is 0 for services."""
        return self.gains(price) - np.einsum("ij,ij->i", self.entry, dual[self.row])

    def site_gains(self, price: float, dual: FloatArray) -> FloatArray:
        """What an open site earns from its rows, less its idle power. [site]."""
        earned = np.bincount(
            self.site_of_row[self.services :], dual[self.services :], minlength=self.sites
        )
        return earned - price * self.idle_power_w

    def best(self, reduced: FloatArray) -> FloatArray:
        """The greatest of each service; at least 0 where it need not be served. [service]."""
        top = np.full(self.services, -np.inf)
        filled = self.first[:-1] < self.first[1:]
        if self.ways:
            top[filled] = np.maximum.reduceat(reduced, self.first[:-1][filled])
        return np.where(self.required, top, np.maximum(top, 0.0))

    def surplus_bound(self, price: float, dual: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """An upper bound of N - price P, with reduced gains of ways and the best by service.

        Rows of sites are priced with any numbers >= 0; then each service and each group of sites
        decides for itself. It is a bound by weak duality, whoever found the prices, however well.
        """
        reduced = self.reduced(price, dual)
        best = self.best(reduced)
        sites = self.site_gains(price, dual)
        own = np.full(int(self.group.max(initial=-1)) + 1, 0.0)
        np.maximum.at(own, self.group, sites)
        own[self.group[self.always_on]] = sites[self.always_on]  # nobody else of the group
        fixed = self.fixed_utility_bps - price * self.fixed_power_w
        return float(best.sum() + own.sum() + fixed), reduced, best


def rows_of(problem: Problem, kept: IntArray, objective: str) -> Rows:
    """The rows of the usable ways, which are sorted by service."""
    ways, sites = problem.ways.taken(kept), problem.sites
    services, hops = problem.services.count, ways.site.shape[1]
    row = np.zeros((ways.count, 1 + 4 * hops), dtype=np.int64)
    entry = np.zeros(row.shape)
    row[:, 0], entry[:, 0] = ways.service, 1.0
    there = ways.site >= 0
    pairs = np.unique((ways.service[:, None] * sites.count + ways.site)[there])
    for hop in range(hops):
        at, on = ways.site[:, hop], there[:, hop]
        for number, name in enumerate(RESOURCES):
            room = np.append(getattr(sites, name), 1.0)[at]
            use = np.where(on, getattr(ways, name)[:, hop], 0.0)
            place = 1 + 4 * hop + number
            row[:, place] = np.where(on, services + 3 * at + number, 0)
            entry[:, place] = np.divide(use, room, out=np.zeros(len(use)), where=use > 0.0)
        link = np.searchsorted(pairs, ways.service * sites.count + at)
        row[:, 4 + 4 * hop] = np.where(on, services + 3 * sites.count + link, 0)
        entry[:, 4 + 4 * hop] = on
    utility = ways.data_bps + (ways.token_bps if objective == "tree" else 0.0)
    first = np.searchsorted(ways.service, np.arange(services + 1))
    return Rows(
        services=services,
        site_of_row=np.concatenate(
            [np.full(services, -1), np.repeat(np.arange(sites.count), 3), pairs % sites.count]
        ),
        row=row,
        entry=entry,
        site=ways.site,
        service=ways.service,
        utility_bps=utility,
        power_w=ways.power_w,
        required=problem.services.required,
        idle_power_w=sites.idle_power_w,
        always_on=sites.always_on,
        group=sites.place,
        shared=np.flatnonzero(np.bincount(sites.place, minlength=1) > 1),
        fixed_utility_bps=problem.fixed_data_bps,
        fixed_power_w=problem.fixed_power_w,
        first=first,
        power_min_w=problem.fixed_power_w + float(sites.idle_power_w[sites.always_on].sum()),
    )
