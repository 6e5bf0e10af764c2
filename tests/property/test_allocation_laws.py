"""What holds for every allocation: within limits, certified, and no other one is better."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocation_problems import CLOCKS, CURVES, problem
from tree6g.metric.utility import Curve
from tree6g.optimise.allocation import (
    joint,
    prices,
    recovery,
    response,
    response_kernel,
    settle_kernel,
)
from tree6g.optimise.allocation.items import items_of, worth
from tree6g.optimise.allocation.problem import Problem, no_ai
from tree6g.optimise.allocation.solution import Solution
from tree6g.optimise.allocation.solve import allocate

POWERS_W = (0.4, 0.008, 0.002)  # per user: slack, binding, scarce
seeds = st.integers(0, 10_000)


def rates_of(problem_: Problem, solution: Solution) -> np.ndarray:
    """Bits over the air that bandwidth and power carry, of data users, then AI users."""
    gain = np.concatenate([problem_.data.gain_hz_per_w, problem_.ai.gain_hz_per_w])
    hz, watt = solution.bandwidth_hz, solution.radiated_w
    return hz * np.log2(1.0 + gain * watt / hz)


def assert_within_limits(problem_: Problem, solution: Solution) -> None:
    """All of METRIC rule 10 and of the cell."""
    cell, data, ai = problem_.cell, problem_.data, problem_.ai
    assert solution.bandwidth_hz.sum() <= cell.bandwidth_hz * (1.0 + 1e-12)
    assert solution.radiated_w.sum() <= cell.power_limit_w * (1.0 + 1e-12)
    busy = float(ai.gpu_s_per_tok @ solution.rate_tps)
    assert busy <= solution.accelerators * solution.clock.speed_frac * (1.0 + 1e-12)
    assert (solution.rate_bps >= data.rate_min_bps * (1.0 - 1e-12)).all()
    assert (solution.rate_bps <= data.rate_max_bps * (1.0 + 1e-12)).all()
    assert (solution.rate_tps >= ai.rate_min_tps * (1.0 - 1e-12)).all()
    assert (solution.rate_tps <= ai.rate_max_tps * (1.0 + 1e-12)).all()
    tokens = ai.bit_per_tok * (solution.rate_tps + 1.0 / ai.delay_s)
    needed = np.concatenate([solution.rate_bps, tokens])
    assert rates_of(problem_, solution) == pytest.approx(needed, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    count=st.integers(2, 60),
    power=st.sampled_from(POWERS_W),
    objective=st.sampled_from(["tree", "ee"]),
    curves=st.sampled_from([CURVES[:1], CURVES, CURVES[1:2], CURVES[5:]]),
)
def test_an_allocation_keeps_all_limits_and_is_certified(
    seed: int, count: int, power: float, objective: str, curves: tuple[Curve, ...]
) -> None:
    case = problem(count, seed, power_w_per_user=power, curves=curves, cards=(1, 2), clocks=CLOCKS)
    solution = allocate(case, objective)  # type: ignore[arg-type]
    assert_within_limits(case, solution)
    assert 0.0 <= solution.gap_frac <= 1e-9
    by_name = {"tree": solution.tree_beq_per_j, "ee": solution.ee_bit_per_j}
    assert by_name[objective] == pytest.approx(solution.value, rel=1e-12)


@pytest.mark.parametrize("power", POWERS_W[:2])
@pytest.mark.parametrize("count", [100, 1_000, 10_000])
@pytest.mark.parametrize("seed", range(3))
def test_bound_and_value_agree_for_many_users(count: int, power: float, seed: int) -> None:
    solution = allocate(problem(count, seed, power_w_per_user=power))
    assert 0.0 <= solution.gap_frac <= 1e-9
    assert solution.excess_frac <= 1e-12


def test_bound_and_value_agree_on_a_hundred_random_cells() -> None:
    gaps = [
        allocate(problem(100, seed, power_w_per_user=POWERS_W[seed % 2])).gap_frac
        for seed in range(100)
    ]
    assert min(gaps) >= 0.0
    assert max(gaps) <= 1e-9


@settings(max_examples=25, deadline=None)
@given(seed=seeds, power=st.sampled_from(POWERS_W))
def test_no_random_allocation_beats_the_bound(seed: int, power: float) -> None:
    case = problem(12, seed, power_w_per_user=power)
    bound = allocate(case).upper_bound
    rng = np.random.default_rng(seed)
    for concentration in (0.3, 3.0, 30.0):
        assert random_value(case, rng, concentration) <= bound


def random_value(case: Problem, rng: np.random.Generator, concentration: float) -> float:
    """TREE of random shares of bandwidth and power, rates as high as they carry; 0: not allowed."""
    cell, data, ai = case.cell, case.data, case.ai
    users = data.count + ai.count
    hz = cell.bandwidth_hz * rng.dirichlet(np.full(users, concentration))
    watt = cell.power_limit_w * rng.uniform() * rng.dirichlet(np.full(users, concentration))
    gain = np.concatenate([data.gain_hz_per_w, ai.gain_hz_per_w])
    rate = hz * np.log2(1.0 + gain * watt / np.maximum(hz, 1e-9))
    bps = np.minimum(rate[: data.count], data.rate_max_bps)
    tps = np.minimum(rate[data.count :] / ai.bit_per_tok - 1.0 / ai.delay_s, ai.rate_max_tps)
    if (bps < data.rate_min_bps).any() or (tps < ai.rate_min_tps).any():
        return 0.0
    count, clock = next(case.accelerators.choices())
    items = items_of(case, "tree")
    amount = np.concatenate([bps, tps])[items.owner]
    power = (
        cell.fixed_power_w
        + count * clock.idle_power_w
        + watt.sum() / cell.amplifier_frac
        + cell.power_w_per_hz * hz.sum()
        + amount @ (items.energy + items.gpu_energy)
        + items.offset_w.sum()
    )
    return float(worth(items, amount).sum() / power)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, power=st.sampled_from(POWERS_W), user=st.integers(0, 9))
def test_who_weighs_more_gets_no_less(seed: int, power: float, user: int) -> None:
    case = problem(20, seed, power_w_per_user=power)
    weight = case.data.weight.copy()
    weight[user] *= 1.5
    heavier = dataclasses.replace(case, data=dataclasses.replace(case.data, weight=weight))
    before, after = allocate(case), allocate(heavier)
    assert after.value >= before.value * (1.0 - 1e-9)
    # Optima of a linear user are sets; the allocations returned may lie anywhere in them.
    assert after.rate_bps[user] >= before.rate_bps[user] - 1e-6 * case.data.rate_max_bps[user]


@settings(max_examples=20, deadline=None)
@given(seed=seeds, power=st.sampled_from(POWERS_W))
def test_without_ai_and_with_weights_of_one_tree_is_ee(seed: int, power: float) -> None:
    case = problem(30, seed, power_w_per_user=power)
    data = dataclasses.replace(case.data, weight=np.ones(case.data.count))
    plain = dataclasses.replace(case, data=data, ai=no_ai())
    tree, ee = allocate(plain, "tree"), allocate(plain, "ee")
    assert tree.value == ee.value
    assert tree.tree_beq_per_j == tree.ee_bit_per_j


@settings(max_examples=20, deadline=None)
@given(seed=seeds, power=st.sampled_from(POWERS_W))
def test_each_objective_is_best_at_its_own_optimum(seed: int, power: float) -> None:
    case = problem(30, seed, power_w_per_user=power, cards=(1, 2), clocks=CLOCKS)
    tree, ee = allocate(case, "tree"), allocate(case, "ee")
    assert tree.tree_beq_per_j >= ee.tree_beq_per_j * (1.0 - 1e-9)
    assert ee.ee_bit_per_j >= tree.ee_bit_per_j * (1.0 - 1e-9)


def test_users_who_are_all_alike_are_certified_too() -> None:
    case = problem(200, 1, loss_db=(100.0, 100.0), power_w_per_user=0.008, curves=CURVES[1:2])
    data = dataclasses.replace(case.data, weight=np.ones(100), rate_max_bps=np.full(100, 1e9))
    solution = allocate(dataclasses.replace(case, data=data))
    assert 0.0 <= solution.gap_frac <= 1e-9


def alone(setting: prices.Setting) -> joint.Joint:
    """A network of one cell."""
    nothing = np.empty(0, dtype=np.int64)
    shared = joint.Shared(item=nothing, pool=nothing, gpu=np.empty(0))
    return joint.Joint(
        cells=(setting,), shared=(shared,), limit=np.empty(0), fixed_w=setting.fixed_w
    )


def started(setting: prices.Setting) -> response.Ask:
    """Where the way to the prices of a cell alone begins."""
    return joint.start(alone(setting)).asks[0]


@settings(max_examples=20, deadline=None)
@given(seed=seeds, width=st.sampled_from([1.0, 1e-2, 1e-6]))
def test_the_kernel_answers_as_plain_numpy_does(seed: int, width: float) -> None:
    case = problem(60, seed, curves=CURVES)
    count, clock = next(case.accelerators.choices())
    setting = prices.setting_of(items_of(case, "tree"), case.cell, count, clock)
    ask = started(setting)._replace(width=width)
    plain, fast = response.plain(setting.items, ask), response_kernel.response(setting.items, ask)
    for name, value in plain._asdict().items():
        scale = np.abs(value).max()
        assert getattr(fast, name) == pytest.approx(value, rel=1e-9, abs=1e-9 * scale), name


@settings(max_examples=20, deadline=None)
@given(seed=seeds, power=st.sampled_from(POWERS_W), steps=st.integers(1, 4))
def test_compiled_and_plain_recovery_give_the_same(seed: int, power: float, steps: int) -> None:
    case = problem(60, seed, power_w_per_user=power, curves=CURVES)
    count, clock = next(case.accelerators.choices())
    whole = alone(prices.setting_of(items_of(case, "tree"), case.cell, count, clock))
    stages = joint.stages(whole, joint.start(whole))
    state = next(stages)
    for _ in range(steps):  # early prices are far off: limits are exceeded and shares taken back
        fast = recovery.recovered(whole, state)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recovery.importlib.util, "find_spec", lambda _: None)
            plain = recovery.recovered(whole, state)
        assert fast.ratio == pytest.approx(plain.ratio, rel=1e-12)
        assert fast.total_w == pytest.approx(plain.total_w, rel=1e-12)
        assert max(fast.excess_frac, plain.excess_frac) <= 1e-12
        for name in ("amount", "bandwidth_hz", "power_w"):
            value = getattr(plain.parts[0], name)
            near = 1e-9 * np.abs(value).max()
            assert getattr(fast.parts[0], name) == pytest.approx(value, rel=1e-9, abs=near), name
        state = stages.send(fast.ratio)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, power=st.sampled_from(POWERS_W), width=st.sampled_from([0.3, 1e-3]))
def test_compiled_and_plain_steps_end_at_the_same_prices(
    seed: int, power: float, width: float
) -> None:
    case = problem(60, seed, power_w_per_user=power, curves=CURVES)
    count, clock = next(case.accelerators.choices())
    setting = prices.setting_of(items_of(case, "tree"), case.cell, count, clock)
    ask = started(setting)._replace(width=width)
    bounds = setting.floor, setting.limit, setting.fixed_w, setting.beside
    rules = np.array([1e-9, 1e-9, prices.NEWTON_STEPS, prices.SECANTS, prices.RIDGE])
    fast, taken, _ = settle_kernel.settled(setting.items, ask, bounds, rules)
    plain, there, _ = prices.settled(setting, ask, 1e-7)
    ends = [prices.surplus_w(setting, fast, taken), prices.surplus_w(setting, plain, there)]
    # Ramps may leave prices undetermined in places, but not what the bound is made of.
    assert ends[0] == pytest.approx(ends[1], rel=1e-6, abs=1e-6 * setting.fixed_w)


def test_the_cost_of_a_bit_is_least_where_it_is_said_to_be() -> None:
    a = np.logspace(-14.0, 14.0, 4001)
    level = response.nats(a)
    cost = (a + np.expm1(level)) / level
    for near in (level * (1.0 - 1e-5), level * (1.0 + 1e-5)):
        assert (cost <= (a + np.expm1(near)) / near * (1.0 + 1e-15)).all()
