"""The best placement that is found, and an upper bound on all others, always with it."""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

import numpy as np

from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.optimise.certificate import certified
from tree6g.optimise.placement.bound import Bound, helpful, priced_out, upper_bound
from tree6g.optimise.placement.master import Master, library
from tree6g.optimise.placement.problem import (
    BoolArray,
    FloatArray,
    IntArray,
    Problem,
    usable,
)
from tree6g.optimise.placement.rows import Rows, rows_of
from tree6g.optimise.placement.search import SLACK, Placing, improved, rounded

Objective = Literal["tree", "ee"]
BoundBy = Literal["prices", "branch and bound"]
EXACT: Final = 1e-7  # gap, as a share, below which nothing is asked of HiGHS
ROUNDS: Final = 12  # of local search and of searches for whole numbers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What one more unit would be worth: rise of the ratio in the relaxation; 0: not scarce.

    Attributes:
        per_accelerator: Of each site. [site]
        per_memory_byte: [site].
        per_uplink_bps: [site].
    """

    per_accelerator: FloatArray
    per_memory_byte: FloatArray
    per_uplink_bps: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A placement and what proves how good it is.

    Attributes:
        objective: `tree` or `ee`.
        value: Its figure, bit-equivalents or bits per joule.
        upper_bound: No placement has a greater one.
        relaxed_bound: The bound by prices alone, before any search tree.
        bound_by: `prices`: a sum that anybody can check; `branch and bound`: HiGHS says so.
        tree_beq_per_j: TREE of this placement.
        ee_bit_per_j: EE of this placement.
        power_w: Power of everything.
        chosen: Way of each service, a row of the problem's ways; -1: not served. [service]
        open: Sites that are on. [site]
        prices: Shadow prices of what sites have.
        usable: Ways that keep their latency and fit into empty sites.
        priced: Of those, how many came into the program.
        nodes: Of search trees.
    """

    objective: Objective
    value: float
    upper_bound: float
    relaxed_bound: float
    bound_by: BoundBy
    tree_beq_per_j: float
    ee_bit_per_j: float
    power_w: float
    chosen: IntArray
    open: BoolArray
    prices: Prices
    usable: int
    priced: int
    nodes: int

    @property
    def gap_frac(self) -> float:
        """Upper bound over value, less 1; 0 where both are 0."""
        if self.value > 0.0:
            return self.upper_bound / self.value - 1.0
        return 0.0 if self.upper_bound <= 0.0 else np.inf


def place(
    problem: Problem, objective: Objective = "tree", *, gap_frac: float = 0.01, nodes: int = 2000
) -> Solution:
    """A placement whose TREE or EE is within a gap of the greatest, if that can be proven.

    Args:
        problem: Services, sites and ways.
        objective: `ee`: tokens are worth nothing.
        gap_frac: Proven gap at which the search ends; 0: to the optimum, up to 1e-7.
        nodes: Of each search tree at most. A count and no time, so that the same problem has the
            same answer on every machine.

    The gap that was reached is in the answer, and may be more than what was asked for.

    Raises:
        InfeasibleError: Services that have to be served and cannot be.
        ScenarioError: HiGHS is not installed, or a gap or a number of nodes that cannot be.
    """
    if not (0.0 <= gap_frac < np.inf and nodes >= 0):
        raise ScenarioError(f"expected gap_frac >= 0 and nodes >= 0; got {gap_frac:g} and {nodes}.")
    library()
    kept = usable(problem)
    kept = kept[np.argsort(problem.ways.service[kept], kind="stable")]
    rows = rows_of(problem, kept, objective)
    _refuse_hopeless(problem, rows)
    search = _Search(problem, rows)
    search.relax()
    search.round()
    search.tighten(max(gap_frac, EXACT), nodes)
    return search.solution(problem, kept, objective)


class _Search:
    """State of a search: the best placement and the best bound so far."""

    def __init__(self, problem: Problem, rows: Rows) -> None:
        self.rows = rows
        self.names = [problem.services.name(s) for s in range(rows.services)]
        first = rounded(rows, 0.0, np.empty(0, dtype=np.int64), np.empty(0))
        scale = max(float(rows.utility_bps.max(initial=0.0)), rows.fixed_utility_bps, 1e-300)
        self.master = Master(rows, scale if scale > 1e-300 else 1.0)
        self.value = -1.0
        self.best: IntArray | None = None
        self.bound_by: BoundBy = "prices"
        self.nodes = 0
        self.offer(first)

    @property
    def price(self) -> float:
        """Ratio of the best placement; 0 before there is one."""
        return max(self.value, 0.0)

    def offer(self, placing: Placing) -> bool:
        """Keep a placement if it is complete and better."""
        utility, power = self.rows.totals(placing.ways(), placing.open)
        if not placing.complete or utility / power <= self.value:
            return False
        self.value, self.best = utility / power, placing.chosen.copy()
        return True

    def relax(self) -> None:
        """The bound by prices."""
        self.master.add(helpful(self.rows, self.rows.gains(self.price)))
        self.bound: Bound = upper_bound(self.rows, self.master, self.price, self.names)
        self.upper = self.bound.value

    def round(self) -> None:
        """Placements from the shares of the relaxation, improved at their own price."""
        relaxed = self.bound.relaxed
        for price in (self.bound.price, self.price):
            placing = rounded(self.rows, price, self.master.columns, relaxed.value)
            self.offer(placing)
        self.polish()

    def polish(self) -> None:
        """Local search at the price of the best placement, which rises with it."""
        for _ in range(ROUNDS):
            if self.best is None:
                return
            placing = Placing(self.rows, self.best)
            improved(placing, self.price)
            if not self.offer(placing):
                return

    def tighten(self, gap: float, nodes: int) -> None:
        """Search trees of the ways that could still be better by more than the gap."""
        none = False
        for _ in range(ROUNDS * (nodes > 0)):
            if self.best is not None and self.upper <= self.price * (1.0 + gap):
                break
            target, before = self.price * (1.0 + gap * (1.0 - 1e-9)), self.value
            none = self.tree(target, nodes)
            if self.upper <= target or self.value <= before:
                break
        if self.best is None:
            raise InfeasibleError(self.without(none, nodes))

    def tree(self, target: float, nodes: int) -> bool:
        """Look for placements above a target ratio; keep what is found, or the proof of none.

        Ways whose reduced gain shows that no placement with them is above the target stay out.

        Returns:
            Whether there is no placement at all.
        """
        rows, master = self.rows, self.master
        if self.best is None:
            may, start, gap = np.full(rows.ways, fill_value=True), None, 0.0
        else:
            dual = priced_out(rows, master, target)[0].dual
            hope, reduced, best = rows.surplus_bound(target, dual)
            may = hope + reduced - best[rows.service] > 0.0
            start = self.best[self.best >= 0]
            may[start] = True
            utility, power_w = rows.totals(start, Placing(rows, self.best).open)
            gap = target * power_w - utility
        master.add(np.flatnonzero(may))
        found = master.whole(target, may[master.columns], start, gap, nodes)
        self.nodes += found.nodes
        self.tighter(target, found.surplus_bound)
        if found.chosen is not None:
            chosen = np.full(rows.services, -1)
            chosen[rows.service[found.chosen]] = found.chosen
            placing = Placing(rows, chosen)
            if placing.excess <= SLACK and self.offer(placing):
                self.polish()
        return found.none

    def tighter(self, target: float, surplus: float) -> None:
        """A bound from the most that N - price P can be at a price."""
        none = surplus <= 1e-9 * target * self.rows.power_min_w  # rounding
        proven = target if none else target + surplus / self.rows.power_min_w
        if proven < self.upper:
            self.upper, self.bound_by = proven, "branch and bound"

    def without(self, none: bool, nodes: int) -> str:  # noqa: FBT001
        """Why there is no placement."""
        who = [self.names[s] for s in np.flatnonzero(self.rows.required)]
        listed = ", ".join(who[:8]) + (f" and {len(who) - 8} more" if len(who) > 8 else "")
        found = (
            "no placement serves all that have to be served"
            if none
            else f"no placement was found in {nodes} nodes that serves all that have to be served"
        )
        return (
            f"{found} ({listed}); parts of their work would fit. Give sites more room, or require "
            f"fewer services{'' if none else ', or allow more nodes'}."
        )

    def solution(self, problem: Problem, kept: IntArray, objective: Objective) -> Solution:
        """The record of the best."""
        assert self.best is not None  # noqa: S101 - tighten has seen to it
        rows = self.rows
        placing = Placing(rows, self.best)
        ways = kept[placing.ways()]
        open_ = placing.open | rows.always_on
        _, power_w = rows.totals(placing.ways(), placing.open)
        data = problem.fixed_data_bps + float(problem.ways.data_bps[ways].sum())
        chosen = np.full(rows.services, -1)
        chosen[problem.ways.service[ways]] = ways
        return Solution(
            objective=objective,
            value=self.value,
            upper_bound=certified(self.upper, self.value, "placements"),
            relaxed_bound=max(self.bound.value, self.value),
            bound_by=self.bound_by,
            tree_beq_per_j=(data + float(problem.ways.token_bps[ways].sum())) / power_w,
            ee_bit_per_j=data / power_w,
            power_w=power_w,
            chosen=chosen,
            open=open_,
            prices=_prices(problem, rows, self.bound),
            usable=rows.ways,
            priced=len(self.master.columns),
            nodes=self.nodes,
        )


def _prices(problem: Problem, rows: Rows, bound: Bound) -> Prices:
    """Prices of rows, per unit and per watt of the relaxation: dTREE = dF / P."""
    sites = problem.sites
    dual = bound.dual[rows.services : rows.services + 3 * sites.count].reshape(-1, 3)
    room = np.column_stack([sites.accelerators, sites.memory_byte, sites.uplink_bps])
    each = np.divide(dual, room, out=np.zeros(dual.shape), where=room > 0.0)
    # use / room <= open: at the optimum a unit of room is worth price times open share over room.
    each = each * bound.relaxed.open_frac[:, None] / bound.relaxed.power_w + 0.0
    return Prices(per_accelerator=each[:, 0], per_memory_byte=each[:, 1], per_uplink_bps=each[:, 2])


def _refuse_hopeless(problem: Problem, rows: Rows) -> None:
    none = np.flatnonzero(rows.required & (rows.first[:-1] == rows.first[1:]))
    if not len(none):
        return
    ways, services = problem.ways, problem.services
    lines = []
    for service in none:
        own = ways.latency_s[ways.service == service]
        fastest = f"the fastest takes {own.min():.3g} s" if len(own) else "none was given"
        limit_s = services.latency_limit_s[service]
        in_time = "" if np.isinf(limit_s) else f"keeps its {limit_s:.3g} s and "
        lines.append(
            f"{services.name(int(service))} has to be served and no way {in_time}fits into an "
            f"empty site ({fastest}): give its sites more capacity, or ask for less."
        )
    raise InfeasibleError(" ".join(lines))
