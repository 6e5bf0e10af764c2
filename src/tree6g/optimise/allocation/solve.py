"""The best allocation of a cell, with a bound that proves it."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from tree6g.errors import InfeasibleError
from tree6g.optimise.allocation import feasible
from tree6g.optimise.allocation.items import Items, Objective, items_of
from tree6g.optimise.allocation.prices import (
    Setting,
    fair_start,
    setting_of,
    stages,
    start,
)
from tree6g.optimise.allocation.problem import Clock, FloatArray, Problem
from tree6g.optimise.allocation.recovery import Allocation, recovered

GAP: Final = 2e-10  # relative, at which a setting counts as solved


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Shadow prices: by how much the figure rises with one more unit of what is scarce; 0: slack.

    Attributes:
        per_hz: Of bandwidth.
        per_w: Of the limit on radiated power.
        per_accelerator: Of one more accelerator at full speed, idle power not counted.
    """

    per_hz: float
    per_w: float
    per_accelerator: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The best allocation and what proves it.

    Attributes:
        objective: `tree` or `ee`.
        value: Its figure, bit-equivalents or bits per joule.
        upper_bound: No allocation has a greater one, whatever number of accelerators and clock.
        tree_beq_per_j: TREE of this allocation.
        ee_bit_per_j: EE of this allocation: bits of all users per joule.
        power_w: Electrical power of everything.
        rate_bps: Of data users. [data user]
        rate_tps: Of AI users. [AI user]
        bandwidth_hz: Of data users, then AI users. [user]
        radiated_w: Of data users, then AI users. [user]
        accelerators: How many are on.
        clock: Their state.
        prices: Shadow prices.
        excess_frac: By how much a limit is exceeded, as a share of it: rounding.
        asked: How often the users were asked, all settings together.
    """

    objective: Objective
    value: float
    upper_bound: float
    tree_beq_per_j: float
    ee_bit_per_j: float
    power_w: float
    rate_bps: FloatArray
    rate_tps: FloatArray
    bandwidth_hz: FloatArray
    radiated_w: FloatArray
    accelerators: int
    clock: Clock
    prices: Prices
    excess_frac: float
    asked: int

    @property
    def gap_frac(self) -> float:
        """Upper bound over value, less 1."""
        return self.upper_bound / self.value - 1.0 if self.value > 0.0 else 0.0


@dataclasses.dataclass(slots=True)
class _Search:
    """The best setting so far."""

    value: float = -1.0
    bound: float = 0.0
    asked: int = 0
    allocation: Allocation | None = None
    setting: Setting | None = None
    choice: tuple[int, Clock] | None = None
    prices: Prices = Prices(per_hz=0.0, per_w=0.0, per_accelerator=0.0)


def allocate(problem: Problem, objective: Objective = "tree") -> Solution:
    """The allocation with the greatest TREE or EE, and an upper bound on all others.

    Args:
        problem: Cell, users and accelerators.
        objective: `tree`: utilities and weights as they are; `ee`: every bit is worth 1.

    Raises:
        InfeasibleError: Least rates that cannot be met, with by how much.

    Exact up to rounding where it returns: value and bound agree to `gap_frac`, mostly below 1e-10.
    """
    items = items_of(problem, objective)
    feasible.check(problem, items)
    search = _Search()
    beside = problem.beside_beq_per_s if objective == "tree" else problem.beside_bps
    for count, clock in problem.accelerators.choices():
        if items.gpu @ items.low <= count * clock.speed_frac * (1.0 + feasible.ROUNDING):
            setting = setting_of(items, problem.cell, count, clock, beside)
            _try(search, setting, (count, clock))
    return _solution(problem, objective, items, search)


def _try(search: _Search, setting: Setting, choice: tuple[int, Clock]) -> None:
    """Solve a setting, or stop as soon as it is proved to be no better than the best so far."""
    steps = stages(setting, start(setting, fair_start(setting)))
    best, bound = 0.0, np.inf
    stage = next(steps)
    while True:
        allocation = recovered(setting, stage)
        bound = min(bound, stage.bound(setting))
        best = max(best, allocation.ratio)
        if allocation.ratio > search.value:
            search.value, search.allocation = allocation.ratio, allocation
            search.setting, search.choice = setting, choice
            above = (stage.ask.price - setting.floor) / stage.ask.w_per_worth
            search.prices = _prices(above / allocation.total_w)
        if bound <= search.value * (1.0 + GAP) or best == 0.0:
            break
        try:
            stage = steps.send(max(best, search.value))
        except StopIteration:
            break
    search.asked += stage.asked
    search.bound = max(search.bound, bound)


def _prices(per_unit: FloatArray) -> Prices:
    return Prices(
        per_hz=float(per_unit[0]), per_w=float(per_unit[1]), per_accelerator=float(per_unit[2])
    )


def _solution(problem: Problem, objective: Objective, items: Items, search: _Search) -> Solution:
    found, setting, choice = search.allocation, search.setting, search.choice
    if found is None or setting is None or choice is None:
        raise InfeasibleError(
            "expected a number of accelerators that carries the least token rates; none does."
        )
    data = problem.data.count
    users = data + problem.ai.count
    amount, hz, watt = (
        np.bincount(items.owner, weights=column, minlength=users).astype(np.float64, copy=False)
        for column in (found.amount, found.bandwidth_hz, found.power_w)
    )
    bits = problem.beside_bps + float(amount[:data].sum() + amount[data:] @ problem.ai.bit_per_tok)
    beq = found.worth if objective == "tree" else _worth(problem, amount)
    return Solution(
        objective=objective,
        value=found.ratio,
        upper_bound=max(search.bound, found.ratio),
        tree_beq_per_j=beq / found.total_w,
        ee_bit_per_j=bits / found.total_w,
        power_w=found.total_w,
        rate_bps=amount[:data],
        rate_tps=amount[data:],
        bandwidth_hz=hz,
        radiated_w=watt,
        accelerators=choice[0],
        clock=choice[1],
        prices=search.prices,
        excess_frac=found.excess_frac,
        asked=search.asked,
    )


def _worth(problem: Problem, amount: FloatArray) -> float:
    """Worth of rates by the utilities of the problem."""
    from tree6g.metric.utility import utility_bps

    data = problem.data.count
    total = problem.beside_beq_per_s + float(problem.data.weight @ amount[:data])
    for number, curve in enumerate(problem.ai.curves):
        users = problem.ai.curve == number
        total += float(problem.ai.weight[users] @ utility_bps(amount[data:][users], curve))
    return total
