"""What holds for every allocation of a network: within limits, certified, and split into cells."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocation_problems import CLOCKS, CURVES, problem
from network_problems import network
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.metric.utility import Curve
from tree6g.optimise.allocation.network import Network
from tree6g.optimise.allocation.problem import Accelerators, Clock
from tree6g.optimise.allocation.solution import NetworkSolution
from tree6g.optimise.allocation.solve import allocate, allocate_network

POWERS_W = (0.4, 0.008, 0.002)  # per user: slack, binding, scarce
seeds = st.integers(0, 10_000)


def assert_within_limits(case: Network, solution: NetworkSolution) -> None:
    """Every cell's band, power and rates, and what the pools can sample."""
    busy = np.zeros(len(case.pools))
    for cell, pool, share in zip(case.cells, case.pool, solution.cells, strict=True):
        data, ai = cell.data, cell.ai
        assert share.bandwidth_hz.sum() <= cell.cell.bandwidth_hz * (1.0 + 1e-12)
        assert share.radiated_w.sum() <= cell.cell.power_limit_w * (1.0 + 1e-12)
        assert (share.rate_bps >= data.rate_min_bps * (1.0 - 1e-12)).all()
        assert (share.rate_bps <= data.rate_max_bps * (1.0 + 1e-12)).all()
        assert (share.rate_tps >= ai.rate_min_tps * (1.0 - 1e-12)).all()
        assert (share.rate_tps <= ai.rate_max_tps * (1.0 + 1e-12)).all()
        gain = np.concatenate([data.gain_hz_per_w, ai.gain_hz_per_w])
        carried = share.bandwidth_hz * np.log2(1.0 + gain * share.radiated_w / share.bandwidth_hz)
        needed = [share.rate_bps, ai.bit_per_tok * (share.rate_tps + 1.0 / ai.delay_s)]
        assert carried == pytest.approx(np.concatenate(needed), rel=1e-9)
        each = ai.gpu_s_per_tok * share.rate_tps
        assert each[pool < 0].sum() <= share.accelerators * share.clock.speed_frac * (1.0 + 1e-12)
        np.add.at(busy, pool[pool >= 0], each[pool >= 0])
    capacity = [pool.accelerators * pool.clock.speed_frac for pool in solution.pools]
    assert (busy <= np.array(capacity) * (1.0 + 1e-12)).all()


@settings(max_examples=30, deadline=None)
@given(
    seed=seeds,
    cells=st.integers(1, 6),
    users=st.integers(4, 40),
    pools=st.integers(0, 3),
    power=st.sampled_from(POWERS_W),
    plenty=st.sampled_from([0.8, 0.2, 0.05]),
    objective=st.sampled_from(["tree", "ee"]),
    curves=st.sampled_from([CURVES[:1], CURVES, CURVES[1:2], CURVES[5:]]),
)
def test_a_network_keeps_all_limits_and_is_certified(
    seed: int, cells: int, users: int, pools: int, power: float, plenty: float, objective: str,
    curves: tuple[Curve, ...],
) -> None:  # fmt: skip
    case = network(
        cells, users, seed, pools=pools, power_w_per_user=power, curves=curves, plenty=plenty
    )
    try:
        solution = allocate_network(case, objective)  # type: ignore[arg-type]
    except InfeasibleError:
        return  # owed tokens beyond a small pool
    assert_within_limits(case, solution)
    assert 0.0 <= solution.gap_frac <= 1e-9


def test_numbers_and_clocks_of_pools_are_all_covered_by_the_bound() -> None:
    case = network(2, 12, 5, pools=2, plenty=0.3, cards=(1, 2), clocks=CLOCKS)
    best = allocate_network(case)
    for choice in case.choices():
        fixed = [Accelerators(counts=(n,), clocks=(clock,)) for n, clock in choice[-2:]]
        one = allocate_network(dataclasses.replace(case, pools=tuple(fixed)))
        assert one.value <= best.upper_bound * (1.0 + 1e-12)
    assert best.gap_frac <= 1e-9


@settings(max_examples=8, deadline=None)
@given(seed=seeds, power=st.sampled_from(POWERS_W))
def test_two_cells_that_are_alike_get_what_one_gets_alone(seed: int, power: float) -> None:
    alone = problem(16, seed, power_w_per_user=power, cards=(1,))
    one, two = allocate(alone), allocate_network(Network(cells=(alone, alone)))
    assert two.value == pytest.approx(one.value, rel=1e-9)
    assert two.power_w == pytest.approx(2.0 * one.power_w, rel=1e-6)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, plenty=st.sampled_from([0.2, 0.05]))
def test_a_pool_of_one_cell_is_worth_as_much_as_accelerators_of_its_own(
    seed: int, plenty: float
) -> None:
    own = problem(20, seed, cards=(1,), clocks=(Clock(idle_power_w=60.0, speed_frac=plenty),))
    pooled = Network(
        cells=(dataclasses.replace(own, accelerators=Accelerators()),),
        pools=(own.accelerators,),
        pool=(np.zeros(own.ai.count, dtype=np.int64),),
    )
    one, other = allocate(own), allocate_network(pooled)
    assert other.value == pytest.approx(one.value, rel=1e-9)
    assert other.pools[0].per_accelerator == pytest.approx(
        one.prices.per_accelerator, rel=1e-3, abs=1e-6 * one.value
    )


@settings(max_examples=8, deadline=None)
@given(seed=seeds, cells=st.integers(2, 4))
def test_more_of_a_pool_never_harms_and_its_price_bounds_what_it_brings(
    seed: int, cells: int
) -> None:
    case = network(cells, 12, seed, pools=1, plenty=0.1)
    (pool,) = case.pools
    clock = dataclasses.replace(pool.clocks[0], speed_frac=1.1 * pool.clocks[0].speed_frac)
    more = dataclasses.replace(case, pools=(dataclasses.replace(pool, clocks=(clock,)),))
    before, after = allocate_network(case), allocate_network(more)
    added = clock.speed_frac - pool.clocks[0].speed_frac
    assert after.value >= before.value * (1.0 - 1e-9)
    # Per accelerator at constant power; the true ratio has at least the fixed power below it.
    brings = before.pools[0].per_accelerator * added * before.power_w
    fixed_w = sum(cell.cell.fixed_power_w for cell in case.cells)
    assert after.value <= before.value + brings / fixed_w + 1e-9 * before.value


def test_effort_grows_in_proportion_to_the_cells() -> None:
    asked = [allocate_network(network(cells, 60, 2, plenty=0.05)) for cells in (4, 32)]
    assert all(solution.gap_frac <= 1e-9 for solution in asked)
    assert asked[1].asked <= 2.5 * 8 * asked[0].asked


def test_fifty_seven_cells_of_a_hundred_users_take_seconds() -> None:
    case = network(57, 100, 3, pools=4, plenty=0.05)
    begun = time.process_time()
    solution = allocate_network(case)
    assert time.process_time() - begun <= 20.0
    assert 0.0 <= solution.gap_frac <= 1e-9


def test_what_is_owed_beyond_a_pool_or_a_cell_says_which_and_by_how_much() -> None:
    case = network(2, 20, 1, pools=1, plenty=0.001)
    with pytest.raises(InfeasibleError, match=r"Pool 0: least token rates need .* too few"):
        allocate_network(case)
    first = case.cells[0]
    owed = dataclasses.replace(first.data, rate_min_bps=first.data.rate_max_bps)
    poor = dataclasses.replace(first.cell, power_limit_w=0.001)
    case = dataclasses.replace(
        network(2, 20, 1), cells=(dataclasses.replace(first, data=owed, cell=poor), case.cells[1])
    )
    with pytest.raises(InfeasibleError, match=r"Cell 0: least rates need .* too little"):
        allocate_network(case)


def test_a_pool_that_is_not_there_and_too_many_settings_are_refused() -> None:
    cell = problem(4, 1)
    with pytest.raises(ScenarioError, match=r"expected pools from -1 to -1; got 0 to 0"):
        Network(cells=(cell,), pool=(np.zeros(cell.ai.count),))
    with pytest.raises(ScenarioError, match="expected the pool of each AI user"):
        Network(cells=(cell,), pool=(np.zeros(9),))
    with pytest.raises(ScenarioError, match="at least one cell"):
        Network(cells=())
    many = Accelerators(counts=tuple(range(40)))
    with pytest.raises(ScenarioError, match="expected at most 10,000 settings"):
        Network(cells=(cell,), pools=(many, many, many))
