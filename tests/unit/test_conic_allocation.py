"""A conic solver finds what our prices find, and takes constraints of one's own."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from allocation_problems import CLOCKS, CURVES, problem
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.metric.utility import Curve
from tree6g.optimise.allocation.conic import Scaled, conic_value
from tree6g.optimise.allocation.problem import Problem, no_ai, no_data
from tree6g.optimise.allocation.solve import allocate

MILD_DB = (95.0, 115.0)
POWERS_W = (0.4, 0.008)  # per user: slack, binding
FAIR = Curve(family="alpha_fair", alpha_bit_per_tok=4e5, t0_tps=20.0, order=0.5)


def needs_solver() -> None:
    """Skip where the extra is not installed."""
    for name in ("cvxpy", "clarabel"):
        pytest.importorskip(name, reason="the extra `conic` is not installed")


@pytest.mark.parametrize("power", POWERS_W)
@pytest.mark.parametrize("curve", [*CURVES, FAIR], ids=lambda c: f"{c.family}-{c.order}")
def test_prices_and_cones_agree_for_every_utility(curve: Curve, power: float) -> None:
    needs_solver()
    case = problem(20, 1, loss_db=MILD_DB, power_w_per_user=power, curves=(curve,))
    assert conic_value(case).value == pytest.approx(allocate(case).value, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_prices_and_cones_agree_for_a_hundred_users(seed: int) -> None:
    needs_solver()
    case = problem(100, seed, loss_db=MILD_DB, power_w_per_user=POWERS_W[seed % 2])
    assert conic_value(case).value == pytest.approx(allocate(case).value, rel=1e-6)


@pytest.mark.parametrize(("objective", "near"), [("tree", 1e-6), ("ee", 1e-5)])
def test_both_choose_the_same_accelerators(objective: Any, near: float) -> None:
    needs_solver()
    case = problem(20, 3, loss_db=MILD_DB, curves=CURVES, cards=(1, 2), clocks=CLOCKS)
    ours, theirs = allocate(case, objective), conic_value(case, objective)
    assert theirs.value == pytest.approx(ours.value, rel=near)
    assert (theirs.accelerators, theirs.clock) == (ours.accelerators, ours.clock)
    assert theirs.bandwidth_hz.sum() == pytest.approx(ours.bandwidth_hz.sum(), rel=1e-3)


def test_cells_with_users_of_one_kind_are_solved() -> None:
    needs_solver()
    case = problem(20, 2, loss_db=MILD_DB)
    cell = case.cell
    for one in (
        Problem(cell=cell, data=case.data, ai=no_ai(), beside_beq_per_s=1e6),
        Problem(cell=cell, data=no_data(), ai=case.ai, accelerators=case.accelerators),
    ):
        assert conic_value(one).value == pytest.approx(allocate(one).value, rel=1e-6)


def test_constraints_of_ones_own_hold_and_cost() -> None:
    needs_solver()
    case = problem(20, 4, loss_db=MILD_DB)

    def shared_evenly(cell: Scaled) -> list[Any]:
        """No user has more than a tenth of the carrier, and none of data less than 0.1 Mbit/s."""
        tenth_hz = 0.1 * case.cell.bandwidth_hz
        return [cell.bandwidth_hz <= tenth_hz * cell.one, cell.rate_bps >= 1e5 * cell.one]

    free, bound = conic_value(case), conic_value(case, constraints=shared_evenly)
    tenth_hz = 0.1 * case.cell.bandwidth_hz
    assert free.bandwidth_hz.max() > 1.01 * tenth_hz
    assert bound.bandwidth_hz.max() <= tenth_hz * (1.0 + 1e-6)
    assert bound.rate_bps.min() >= 1e5 * (1.0 - 1e-4)
    assert bound.value < allocate(case).value


def test_constraints_that_nobody_keeps_are_infeasible() -> None:
    needs_solver()
    case = problem(10, 4, loss_db=MILD_DB)
    with pytest.raises(InfeasibleError, match="relax your constraints"):
        conic_value(case, constraints=lambda s: [s.rate_bps >= 1e9 * s.one])


def test_without_the_solver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(ScenarioError, match=r"pip install 'tree6g\[conic\]'"):
        conic_value(problem(4, 1))
