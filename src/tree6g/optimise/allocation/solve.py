"""The best allocation of a cell or a network, with a bound that proves it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.errors import InfeasibleError
from tree6g.metric.utility import utility_bps
from tree6g.optimise.allocation import feasible
from tree6g.optimise.allocation.items import Items, Objective, items_of
from tree6g.optimise.allocation.joint import Joint, Shared, State, stages, start
from tree6g.optimise.allocation.network import Choice, Network, network_of
from tree6g.optimise.allocation.prices import setting_of
from tree6g.optimise.allocation.problem import FloatArray, IntArray, Problem
from tree6g.optimise.allocation.recovery import Allocation, Part, recovered
from tree6g.optimise.allocation.solution import (
    CellShare,
    NetworkSolution,
    PoolShare,
    Prices,
    Solution,
)
from tree6g.optimise.certificate import certified

GAP: Final = 2e-10  # relative, at which a setting counts as solved


@dataclasses.dataclass(slots=True)
class _Search:
    """The best setting so far."""

    value: float = -1.0
    bound: float = 0.0
    asked: int = 0
    allocation: Allocation | None = None
    joint: Joint | None = None
    state: State | None = None
    choice: tuple[Choice, ...] = ()


def allocate(problem: Problem, objective: Objective = "tree") -> Solution:
    """The allocation with the greatest TREE or EE, and an upper bound on all others.

    Args:
        problem: Cell, users and accelerators.
        objective: `tree`: utilities and weights as they are; `ee`: every bit is worth 1.

    Raises:
        InfeasibleError: Least rates that cannot be met, with by how much.

    Exact up to rounding where it returns: value and bound agree to `gap_frac`, mostly below 1e-10.
    """
    return allocate_network(network_of(problem), objective).of_one


def allocate_network(network: Network, objective: Objective = "tree") -> NetworkSolution:
    """The allocation with the greatest TREE or EE of a whole network, and an upper bound.

    Effort grows in proportion to the users, and with the number of settings of accelerators, which
    are enumerated over all cells and pools together.

    Args:
        network: Cells, their users, and accelerators.
        objective: `tree`: utilities and weights as they are; `ee`: every bit is worth 1.

    Raises:
        InfeasibleError: Least rates that cannot be met, with by how much.
    """
    items, shared = [], []
    for problem, pool in zip(network.cells, network.pool, strict=True):
        own, needs = _split(items_of(problem, objective), problem.data.count, pool)
        items.append(own)
        shared.append(needs)
    busy = feasible.least_busy(network, items, shared)
    feasible.check(network, items, busy)
    search = _Search()
    for choice in network.choices():
        if all(
            least <= count * clock.speed_frac * (1.0 + feasible.ROUNDING)
            for least, (count, clock) in zip(busy, choice, strict=True)
        ):
            _try(search, _joint(network, objective, items, shared, choice), choice)
    return _solution(network, objective, items, search)


def _split(items: Items, first_ai: int, pool: IntArray) -> tuple[Items, Shared]:
    """Items without what they need of shared pools, and that."""
    of = np.concatenate([np.full(first_ai, -1), pool])[items.owner]
    at = np.flatnonzero(of >= 0)
    needs = Shared(item=at, pool=of[at], gpu=items.gpu[at])
    if not len(at):
        return items, needs
    return items._replace(gpu=np.where(of >= 0, 0.0, items.gpu)), needs


def _joint(
    network: Network,
    objective: Objective,
    items: Sequence[Items],
    shared: Sequence[Shared],
    choice: tuple[Choice, ...],
) -> Joint:
    """A network with its accelerators chosen."""
    own, pools = choice[: len(network.cells)], choice[len(network.cells) :]
    limit = np.array([count * clock.speed_frac for count, clock in pools])
    energy_frac = np.array([clock.energy_frac for _, clock in pools])
    settings = []
    for problem, mine, needs, (count, clock) in zip(network.cells, items, shared, own, strict=True):
        beside = problem.beside_beq_per_s if objective == "tree" else problem.beside_bps
        here = _of_pools(mine, needs, limit, energy_frac)
        settings.append(setting_of(here, problem.cell, count, clock, beside))
    idle_w = sum(count * clock.idle_power_w for count, clock in pools)
    return Joint(
        cells=tuple(settings),
        shared=tuple(shared),
        limit=limit,
        fixed_w=idle_w + sum(setting.fixed_w for setting in settings),
    )


def _of_pools(items: Items, needs: Shared, limit: FloatArray, energy_frac: FloatArray) -> Items:
    """Items with what a token takes in the pools; none asks for twice what a pool can give."""
    at = needs.item
    if not len(at):
        return items
    energy, gpu_energy, high = items.energy.copy(), items.gpu_energy.copy(), items.high.copy()
    energy[at] += energy_frac[needs.pool] * gpu_energy[at]
    gpu_energy[at] = 0.0
    room = np.divide(2.0 * limit[needs.pool], needs.gpu, out=high[at], where=needs.gpu > 0.0)
    high[at] = np.maximum(items.low[at], np.minimum(items.high[at], room))
    return items._replace(energy=energy, gpu_energy=gpu_energy, high=high)


def _try(search: _Search, joint: Joint, choice: tuple[Choice, ...]) -> None:
    """Solve a setting, or stop as soon as it is proved to be no better than the best so far."""
    steps = stages(joint, start(joint))
    best, bound = 0.0, np.inf
    state = next(steps)
    while True:
        allocation = recovered(joint, state)
        bound = min(bound, state.bound(joint))
        best = max(best, allocation.ratio)
        if allocation.ratio > search.value:
            search.value, search.allocation = allocation.ratio, allocation
            search.joint, search.state, search.choice = joint, state, choice
        if bound <= search.value * (1.0 + GAP) or best == 0.0:
            break
        try:
            state = steps.send(max(best, search.value))
        except StopIteration:
            break
    search.asked += state.asked
    search.bound = max(search.bound, bound)


def _solution(
    network: Network, objective: Objective, items: Sequence[Items], search: _Search
) -> NetworkSolution:
    found, joint, state = search.allocation, search.joint, search.state
    if found is None or joint is None or state is None:
        raise InfeasibleError(
            "expected a number of accelerators that carries the least token rates; none does."
        )
    per_w = 1.0 / (state.w_per_worth * found.total_w)
    count = len(network.cells)
    above = [per_w * (a.price - c.floor) for a, c in zip(state.asks, joint.cells, strict=True)]
    cells = tuple(map(_cell_share, network.cells, items, found.parts, search.choice[:count], above))
    pools = tuple(
        PoolShare(accelerators=number, clock=clock, per_accelerator=float(per_w * price))
        for (number, clock), price in zip(search.choice[count:], state.price, strict=True)
    )
    bits = sum(map(_bits, network.cells, cells))
    beq = found.worth if objective == "tree" else sum(map(_worth, network.cells, cells))
    return NetworkSolution(
        objective=objective,
        value=found.ratio,
        upper_bound=certified(search.bound, found.ratio, "allocations"),
        tree_beq_per_j=beq / found.total_w,
        ee_bit_per_j=bits / found.total_w,
        power_w=found.total_w,
        cells=cells,
        pools=pools,
        excess_frac=found.excess_frac,
        asked=search.asked,
    )


def _cell_share(
    problem: Problem, items: Items, part: Part, choice: Choice, per_unit: FloatArray
) -> CellShare:
    """What the users of a cell get: the pieces of a utility belong to one user."""
    data = problem.data.count
    amount, hz, watt = (
        np.bincount(items.owner, weights=column, minlength=data + problem.ai.count).astype(
            np.float64, copy=False
        )
        for column in (part.amount, part.bandwidth_hz, part.power_w)
    )
    return CellShare(
        rate_bps=amount[:data],
        rate_tps=amount[data:],
        bandwidth_hz=hz,
        radiated_w=watt,
        accelerators=choice[0],
        clock=choice[1],
        prices=Prices(
            per_hz=float(per_unit[0]),
            per_w=float(per_unit[1]),
            per_accelerator=float(per_unit[2]),
        ),
    )


def _bits(problem: Problem, share: CellShare) -> float:
    """Bits per second of a cell."""
    return problem.beside_bps + float(
        share.rate_bps.sum() + share.rate_tps @ problem.ai.bit_per_tok
    )


def _worth(problem: Problem, share: CellShare) -> float:
    """Worth of a cell's rates by the utilities of the problem."""
    total = problem.beside_beq_per_s + float(problem.data.weight @ share.rate_bps)
    for number, curve in enumerate(problem.ai.curves):
        users = problem.ai.curve == number
        total += float(problem.ai.weight[users] @ utility_bps(share.rate_tps[users], curve))
    return total
