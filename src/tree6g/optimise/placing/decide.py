"""The best placement of a scenario's AI services that is found, and a bound on all others.

The program of `optimise.placement` is linear, a server's joules are not: a server that is fuller
takes less for each token. So it is solved

- once at the least joules that a server can take for a token, full, and at the most that its tokens
  can be worth, empty. Its upper bound holds for every placement of the model in `options`.
- then again at the joules of the placement found, until it stays the same; of all placements on
  the way the best by their true sums is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.optimise.certificate import certified
from tree6g.optimise.placement.problem import FloatArray, IntArray, Problem, Services, Sites, Ways
from tree6g.optimise.placement.solve import Objective, Solution, place
from tree6g.optimise.placing.begin import Start
from tree6g.optimise.placing.load import loaded
from tree6g.optimise.placing.options import Options, Total, Way
from tree6g.optimise.placing.setups import Setup

ROUNDS: Final = 6  # programs at the joules of the placement before


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A placement.

    Attributes:
        objective: What it maximises.
        start: The network.
        chosen: A way of each group, by number.
        total: What they come to.
        value: The figure of the objective that it promises.
        upper_bound: No placement has more.
        tree_beq_per_j: What it promises.
        ee_bit_per_j: What it promises.
        bound: The program that gave the bound.
    """

    objective: Objective
    start: Start
    chosen: tuple[int, ...]
    total: Total
    value: float
    upper_bound: float
    tree_beq_per_j: float
    ee_bit_per_j: float
    bound: Solution

    @property
    def gap_frac(self) -> float:
        """Upper bound over value, less 1."""
        return self.upper_bound / self.value - 1.0

    @property
    def ways(self) -> list[Way]:
        """The way of each group."""
        return [self.start.options.ways[number] for number in self.chosen]

    @property
    def on(self) -> list[Setup]:
        """Servers that are used, as they are set up."""
        return [self.start.options.setups[number] for number in sorted(self.total.loads)]


def decide(start: Start, objective: Objective = "tree", gap_frac: float = 0.01) -> Plan:
    """The best placement that is found, with a bound on all others.

    Args:
        start: The network.
        objective: `tree` or `ee`.
        gap_frac: Gap at which the search trees of HiGHS end. That of the answer may be greater: it
            also holds what a server's joules per token change with its load.

    Raises:
        InfeasibleError: A group of users that nobody can serve.
        ScenarioError: HiGHS is not installed.
    """
    some = start.options
    least_j = np.array([way.carried_j + way.least_j for way in some.ways])
    most_beq = np.array([way.most_beq for way in some.ways])
    bound = place(problem(start, objective, least_j, most_beq), objective, gap_frac=gap_frac)
    seen: dict[tuple[int, ...], tuple[float, Total]] = {}
    found = bound
    for _ in range(ROUNDS):
        chosen = _one_cut(start, found.chosen.tolist())
        if chosen in seen:
            break
        total = some.totals(chosen)
        seen[chosen] = value(start, total, objective), total
        joules = _joules(some, chosen, total)
        found = place(problem(start, objective, joules, most_beq), objective, gap_frac=gap_frac)
    best = max(seen, key=lambda chosen: seen[chosen][0])
    top, total = seen[best]
    return Plan(
        objective=objective,
        start=start,
        chosen=best,
        total=total,
        value=top,
        upper_bound=certified(bound.upper_bound, top, "placements"),
        tree_beq_per_j=value(start, total, "tree"),
        ee_bit_per_j=value(start, total, "ee"),
        bound=bound,
    )


def value(start: Start, total: Total, objective: Objective) -> float:
    """The figure of a choice."""
    power_w = start.fixed_w + total.power_w
    if objective == "tree":
        return (start.fixed_beq_per_s + total.worth_beq_per_s) / power_w
    return (start.fixed_bps + total.bit_per_s) / power_w


def problem(
    start: Start, objective: Objective, energy_j: FloatArray, worth_beq: FloatArray
) -> Problem:
    """The placement as `optimise.placement` takes it.

    Args:
        start: The network.
        objective: EE counts bits, TREE their worth and that of tokens.
        energy_j: Of a request by each way, idle power left out. [way]
        worth_beq: Of a request by each way. [way]
    """
    some = start.options
    names = tuple(group.told(start.sites) for group in some.groups)
    group = np.array([way.group for way in some.ways], dtype=np.int64)
    rate = np.array([each.mean_rps for each in some.groups])[group]
    peak = np.array([each.peak_rps for each in some.groups])[group]
    bit = np.array([way.carried_bit for way in some.ways])
    site = _hops(some.ways)
    there = site >= 0
    use = np.array([way.use_frac for way in some.ways])
    sent = peak * bit / there.sum(axis=1)
    tree, none = objective == "tree", np.zeros(len(group))
    return Problem(
        services=Services(
            latency_limit_s=np.full(len(names), np.inf), required=np.array(True), names=names
        ),
        sites=_sites(start),
        ways=Ways(
            service=group,
            data_bps=none if tree else rate * bit,
            token_bps=rate * worth_beq if tree else none,
            power_w=rate * energy_j,
            latency_s=np.array([way.first_s for way in some.ways]),
            site=site,
            accelerators=np.where(there, use[:, None], 0.0),
            memory_byte=np.zeros(site.shape),
            uplink_bps=np.where(there, sent[:, None], 0.0),
        ),
        fixed_power_w=start.fixed_w,
        fixed_data_bps=start.fixed_beq_per_s if tree else start.fixed_bps,
    )


def _hops(ways: Sequence[Way]) -> IntArray:
    """Servers of each way; -1: none. [way, hop]."""
    site = np.full((len(ways), max((len(way.setups) for way in ways), default=1)), -1)
    for number, way in enumerate(ways):
        site[number, : len(way.setups)] = way.setups
    return site


def _sites(start: Start) -> Sites:
    """Each server with each model; what leads there has room where it is one link."""
    setups, apart = start.options.setups, start.world.backbone is None
    link = [setup.host.link if apart else None for setup in setups]
    return Sites(
        idle_power_w=np.array([setup.idle_w for setup in setups]),
        accelerators=np.ones(len(setups)),
        memory_byte=np.full(len(setups), np.inf),
        uplink_bps=np.array([np.inf if each is None else each.rate_bps for each in link]),
        always_on=np.array(False),
        names=tuple(f"{setup.node} with {setup.variant.name}" for setup in setups),
        group=np.array([setup.place for setup in setups]),
    )


def _joules(some: Options, chosen: Sequence[int], total: Total) -> FloatArray:
    """Joules of a request by each way, beside a placement.

    On a server that is used a request takes its part of the joules there; on one that is not it
    has the server to itself and its like.
    """
    full_w: dict[int, float] = {}
    for number in chosen:
        way = some.ways[number]
        for s in way.setups:
            part_w = some.groups[way.group].mean_rps * way.least_j / len(way.setups)
            full_w[s] = full_w.get(s, 0.0) + part_w
    found = []
    for way in some.ways:
        setup, rate = some.setups[way.setups[0]], some.groups[way.group].mean_rps
        if way.setups[0] in total.loads and full_w.get(way.setups[0], 0.0) > 0.0:
            busy_w = setup.host.pue * setup.counts * total.loads[way.setups[0]].power_w
            busy_w *= float(some.groups[way.group].weight.sum())
            found.append(way.carried_j + way.least_j * busy_w / full_w[way.setups[0]])
        else:
            alone_w = setup.host.pue * setup.counts * loaded(setup.machine, [way.work]).power_w
            alone_w *= len(way.setups) * float(some.groups[way.group].weight.sum())
            found.append(way.carried_j + alone_w / rate)
    return np.array(found)


def _one_cut(start: Start, chosen: list[int]) -> tuple[int, ...]:
    """The choice with one cut for all users of a service, as a scenario has it: the commonest."""
    some = start.options
    shared: dict[str, dict[int, float]] = {}
    for number in chosen:
        way = some.ways[number]
        if way.first is not None and way.first.cut is not None:
            group = some.groups[way.group]
            cuts = shared.setdefault(group.name, {})
            cuts[way.first.cut] = cuts.get(way.first.cut, 0.0) + group.mean_rps
    wanted = {name: max(cuts, key=cuts.__getitem__) for name, cuts in shared.items()}
    found = []
    for number in chosen:
        way = some.ways[number]
        cut = None if way.first is None else way.first.cut
        if cut is not None and cut != wanted[some.groups[way.group].name]:
            number = _with_cut(some, way, wanted[some.groups[way.group].name])  # noqa: PLW2901
        found.append(number)
    return tuple(found)


def _with_cut(some: Options, way: Way, cut: int) -> int:
    """The way of the same group and servers with another cut, or with none where that is none."""
    like = [n for n in some.of_group[way.group] if some.ways[n].setups == way.setups]
    firsts = {n: some.ways[n].first for n in like}
    with_cut = [n for n, first in firsts.items() if first is not None and first.cut == cut]
    return with_cut[0] if with_cut else next(n for n, first in firsts.items() if first is None)
