"""Allocations that are known in closed form, and small ones against exhaustive search."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from allocation_problems import CLOCKS, CURVES, problem
from tree6g.metric.utility import Curve, utility_bps
from tree6g.optimise.allocation.problem import AiUsers, Cell, DataUsers, Problem, no_ai, no_data
from tree6g.optimise.allocation.solve import allocate

# gain, watts per radiated watt, circuit power; best power and EE: y = 1 + W((g Pc/mu - 1)/e)
SINGLE_LINKS = (
    (1.0, 1.0, 1.0, 1.718281828459045, 0.530737845423043),
    (10.0, 2.0, 1.0, 0.45723925978776, 1.29450233050561),
    (1000.0, 4.0, 5.0, 0.27032587735905, 1.32930100045327),
)
# T0, joules per token, idle power; best rate and ln(1 + T/T0) per joule
LOG_MODELS = (
    (10.0, 2.0, 150.0, 59.3748373152454, 0.00720722410818717),
    (50.0, 0.5, 300.0, 405.106476526712, 0.00439457600178233),
)


def link(gain: float, per_w: float, circuit_w: float, limit_w: float = 1e3) -> Problem:
    """One user alone in one hertz."""
    user = DataUsers(gain_hz_per_w=np.array([gain]), weight=1.0, rate_min_bps=0.0, rate_max_bps=1e6)
    cell = Cell(
        bandwidth_hz=1.0,
        power_limit_w=limit_w,
        amplifier_frac=1.0 / per_w,
        fixed_power_w=circuit_w,
    )
    return Problem(cell=cell, data=user, ai=no_ai())


@pytest.mark.parametrize(("gain", "per_w", "circuit_w", "best_w", "best"), SINGLE_LINKS)
def test_one_link_has_the_power_and_efficiency_of_lamberts_function(
    gain: float, per_w: float, circuit_w: float, best_w: float, best: float
) -> None:
    solution = allocate(link(gain, per_w, circuit_w), "ee")
    assert solution.value == pytest.approx(best, rel=1e-9)
    assert solution.upper_bound == pytest.approx(best, rel=1e-9)
    assert solution.radiated_w[0] == pytest.approx(best_w, rel=1e-5)  # flat at the top


def test_a_limit_below_the_best_power_is_used_up() -> None:
    solution = allocate(link(1.0, 1.0, 1.0, limit_w=0.5), "ee")
    assert solution.value == pytest.approx(np.log2(1.5) / 1.5, rel=1e-9)
    assert solution.prices.per_w > 0.0


@pytest.mark.parametrize(("t0", "joule", "idle_w", "best_tps", "best"), LOG_MODELS)
def test_a_model_of_logarithmic_utility_has_its_closed_form(
    t0: float, joule: float, idle_w: float, best_tps: float, best: float
) -> None:
    ai = AiUsers(
        gain_hz_per_w=np.array([1.0]),
        weight=1.0,
        curves=(Curve(family="log", alpha_bit_per_tok=1.0 / t0, t0_tps=t0),),
        curve=0,
        bit_per_tok=0.0,
        delay_s=np.inf,
        gpu_s_per_tok=0.0,
        energy_j_per_tok=joule,
        rate_min_tps=0.0,
        rate_max_tps=1e6,
    )
    cell = Cell(bandwidth_hz=1.0, power_limit_w=1.0, amplifier_frac=1.0, fixed_power_w=idle_w)
    solution = allocate(Problem(cell=cell, data=no_data(), ai=ai))
    assert solution.value == pytest.approx(best, rel=1e-9)
    assert solution.upper_bound == pytest.approx(best, rel=1e-9)
    assert solution.rate_tps[0] == pytest.approx(best_tps, rel=1e-5)


@pytest.mark.parametrize("curve", CURVES, ids=lambda c: c.family)
def test_two_users_get_what_exhaustive_search_finds(curve: Curve) -> None:
    small = problem(2, 3, power_w_per_user=0.02, curves=(curve,))
    solution = allocate(small)
    best = searched(small)
    assert best <= solution.upper_bound * (1.0 + 1e-12)
    assert best == pytest.approx(solution.value, rel=4e-3)


def searched(small: Problem) -> float:
    """The best TREE of one data and one AI user, by points scattered ever closer to the best."""
    rng = np.random.default_rng(1)
    centre, half, best = np.full(4, 0.5), 0.5, 0.0
    for _ in range(24):
        low = np.clip(centre - half, 1e-4, 1.0 - 1e-4)[:, np.newaxis]
        high = np.clip(centre + half, 1e-4, 1.0 - 1e-4)[:, np.newaxis]
        points = low + (high - low) * rng.uniform(size=(4, 20_000))
        values = tree_of(small, points)
        if values.max() > best:
            best, centre = float(values.max()), points[:, np.argmax(values)]
        half *= 0.75
    return best


def tree_of(small: Problem, points: np.ndarray) -> np.ndarray:
    """TREE at shares of bandwidth, both powers and tokens; 0: not allowed."""
    cell, data, ai = small.cell, small.data, small.ai
    count, clock = next(small.accelerators.choices())
    hz = cell.bandwidth_hz * np.stack([points[0], 1.0 - points[0]])
    watt = cell.power_limit_w * points[1:3] ** 2  # squares: small powers as finely as large ones
    gain = np.array([[data.gain_hz_per_w[0]], [ai.gain_hz_per_w[0]]])
    carried = hz * np.log2(1.0 + gain * watt / hz)
    rate = np.minimum(carried[0], data.rate_max_bps[0])
    tokens = points[3] * ai.rate_max_tps[0]
    token_bps = ai.bit_per_tok[0] * (tokens + 1.0 / ai.delay_s[0])
    power = (
        cell.fixed_power_w
        + count * clock.idle_power_w
        + watt.sum(axis=0) / cell.amplifier_frac
        + cell.power_w_per_hz * cell.bandwidth_hz
        + cell.transport_j_per_bit * (rate + token_bps)
        + ai.energy_j_per_tok[0] * tokens
    )
    worth = data.weight[0] * rate + ai.weight[0] * utility_bps(tokens, ai.curves[0])
    allowed = (
        (watt.sum(axis=0) <= cell.power_limit_w)
        & (rate >= data.rate_min_bps[0])
        & (tokens >= ai.rate_min_tps[0])
        & (carried[1] >= token_bps)
    )
    return np.where(allowed, worth / power, 0.0)


def test_number_and_clock_of_accelerators_are_the_best_of_all() -> None:
    choices = (1, 2, 3, 5)
    whole = problem(100, 5, cards=choices, clocks=CLOCKS)
    solution = allocate(whole)
    alone = {
        (count, clock.name): allocate(
            dataclasses.replace(
                whole,
                accelerators=dataclasses.replace(
                    whole.accelerators, counts=(count,), clocks=(clock,)
                ),
            )
        ).value
        for count, clock in itertools.product(choices, CLOCKS)
    }
    assert solution.value == pytest.approx(max(alone.values()), rel=1e-9)
    assert solution.upper_bound >= max(alone.values())
    assert alone[solution.accelerators, solution.clock.name] == max(alone.values())


@pytest.mark.parametrize("power_w_per_user", [0.4, 0.008])
def test_shadow_prices_are_what_a_little_more_would_bring(power_w_per_user: float) -> None:
    before = problem(60, 8, power_w_per_user=power_w_per_user)
    solution = allocate(before)
    for name, price in (
        ("bandwidth_hz", solution.prices.per_hz),
        ("power_limit_w", solution.prices.per_w),
    ):
        limit = getattr(before.cell, name)
        more = dataclasses.replace(before.cell, **{name: limit * (1.0 + 1e-5)})
        gain = allocate(dataclasses.replace(before, cell=more)).value - solution.value
        assert gain == pytest.approx(price * limit * 1e-5, rel=0.02, abs=1e-8 * solution.value)
