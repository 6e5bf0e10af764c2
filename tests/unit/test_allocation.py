"""Allocation problems that cannot be, and what their errors say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from allocation_problems import problem
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.metric.utility import Curve
from tree6g.optimise.allocation import response
from tree6g.optimise.allocation.problem import (
    Accelerators,
    AiUsers,
    Cell,
    Clock,
    DataUsers,
    Problem,
)
from tree6g.optimise.allocation.solve import allocate


def with_data(case: Problem, **changes: object) -> Problem:
    """The same problem with other data users."""
    return dataclasses.replace(case, data=dataclasses.replace(case.data, **changes))


def with_ai(case: Problem, **changes: object) -> Problem:
    """The same problem with other AI users."""
    return dataclasses.replace(case, ai=dataclasses.replace(case.ai, **changes))


def test_least_rates_beyond_the_power_say_how_much_is_missing() -> None:
    case = problem(20, 1, power_w_per_user=0.002)
    owed = with_data(case, rate_min_bps=case.data.rate_max_bps)
    with pytest.raises(InfeasibleError, match=r"least rates need .*W in 4 MHz.* too little"):
        allocate(owed)


def test_least_tokens_beyond_the_accelerators_say_how_many_are_missing() -> None:
    case = problem(40, 1, cards=(1,))
    with pytest.raises(InfeasibleError, match=r"need 2 accelerators.*at most 1 .*: 1 too few"):
        allocate(with_ai(case, rate_min_tps=200.0))


def test_least_rates_that_just_fit_are_given() -> None:
    case = problem(20, 1, power_w_per_user=0.4)
    solution = allocate(with_ai(with_data(case, rate_min_bps=2e5), rate_min_tps=50.0))
    assert (solution.rate_bps >= 2e5 * (1.0 - 1e-12)).all()
    assert (solution.rate_tps >= 50.0 * (1.0 - 1e-12)).all()


def test_without_accelerators_nobody_gets_tokens() -> None:
    case = with_ai(problem(20, 1, cards=(0,)), rate_min_tps=0.0)
    solution = allocate(case)
    assert solution.accelerators == 0
    assert solution.rate_tps.max() == 0.0
    assert solution.value > 0.0


def test_a_cell_without_users_earns_what_comes_beside() -> None:
    """Such as a cell whose services send upwards alone."""
    case = problem(8, 1, cards=(0,))
    empty = dataclasses.replace(
        case, data=_nobody(case.data), ai=_nobody(case.ai), beside_beq_per_s=1e4, beside_bps=1e4
    )
    solution = allocate(empty)
    assert solution.value == pytest.approx(1e4 / case.cell.fixed_power_w, rel=1e-12)
    assert solution.upper_bound == pytest.approx(solution.value, rel=1e-9)


def _nobody(users: DataUsers | AiUsers) -> DataUsers | AiUsers:
    fields = {f.name: getattr(users, f.name) for f in dataclasses.fields(users)}
    none = {name: each[:0] for name, each in fields.items() if isinstance(each, np.ndarray)}
    return dataclasses.replace(users, **none)


def test_an_accelerator_that_earns_less_than_it_idles_stays_off() -> None:
    case = with_ai(problem(20, 1, cards=(0, 1)), rate_min_tps=0.0, weight=1e-6)
    dear = Accelerators(counts=(0, 1), clocks=(Clock(idle_power_w=500.0),))
    assert allocate(dataclasses.replace(case, accelerators=dear)).accelerators == 0


def test_a_utility_that_is_not_concave_is_refused_by_name() -> None:
    case = problem(20, 1)
    sigmoid = Curve(family="sigmoid", alpha_bit_per_tok=1.0, t0_tps=1.0, order=4.0)
    with pytest.raises(ScenarioError, match=r"concave utility.*'sigmoid'"):
        with_ai(case, curves=(sigmoid,))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gain_hz_per_w": np.zeros(10)}, "gain_hz_per_w must be > 0"),
        ({"weight": -1.0}, "weight must be >= 0"),
        ({"rate_min_bps": 1e9}, "0 <= least <= most; got 1e"),
        ({"rate_max_bps": np.inf}, "must be finite"),
    ],
)
def test_data_users_that_cannot_be_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        with_data(problem(20, 1), **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delay_s": 0.0}, "delay_s must be > 0 s"),
        ({"curve": 3}, "curve must name one of 1 curves"),
        ({"gpu_s_per_tok": -1.0}, "gpu_s_per_tok must be >= 0"),
        ({"bit_per_tok": 0.0, "energy_j_per_tok": 0.0}, "bits over the air or energy"),
    ],
)
def test_ai_users_that_cannot_be_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        with_ai(problem(20, 1), **changes)


def test_a_cell_that_cannot_be_names_all_that_is_wrong() -> None:
    with pytest.raises(ScenarioError) as caught:
        Cell(bandwidth_hz=0.0, power_limit_w=np.inf, amplifier_frac=0.3, fixed_power_w=1.0)
    assert len(caught.value.problems) == 2


def test_accelerators_that_cannot_be_are_refused() -> None:
    with pytest.raises(ScenarioError, match="numbers >= 0"):
        Accelerators(counts=(-1,), clocks=(Clock(idle_power_w=1.0),))


def test_without_numba_the_same_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem(40, 2, power_w_per_user=0.008)
    fast = allocate(case)
    monkeypatch.setattr(response.importlib.util, "find_spec", lambda _: None)
    plain = allocate(case)
    assert plain.value == pytest.approx(fast.value, rel=1e-9)
    assert 0.0 <= plain.gap_frac <= 1e-9
