"""What holds for every placement: within limits, below its bound, and no other one is better."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placement_problems import (
    best,
    coarse,
    everything,
    excess,
    grouped,
    problem,
    totals,
    twice_set_up,
)
from tree6g.errors import InfeasibleError
from tree6g.optimise.placement.problem import Problem, usable
from tree6g.optimise.placement.rows import rows_of
from tree6g.optimise.placement.solve import Solution, place

pytest.importorskip("highspy")
seeds = st.integers(0, 100_000)
objectives = st.sampled_from(["tree", "ee"])


def placed(case: Problem, objective: str = "tree", **how: float) -> Solution | None:
    """A solution, or nothing where there is none."""
    try:
        return place(case, objective, **how)  # type: ignore[arg-type]
    except InfeasibleError:
        return None


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    objective=objectives,
    required=st.sampled_from([0.0, 0.4, 1.0]),
    even=st.booleans(),
)
def test_a_placement_without_a_gap_is_the_best_of_all(
    seed: int, objective: str, required: float, *, even: bool
) -> None:
    case = problem(seed, required=required)
    case = coarse(case, seed) if even else case
    solution, truth = placed(case, objective, gap_frac=0.0), best(case, objective)
    if solution is None:
        assert truth < 0.0
        return
    assert solution.value == pytest.approx(truth, rel=1.1e-7, abs=1e-12)
    assert solution.gap_frac <= 1.1e-7


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds, objective=objectives, required=st.sampled_from([0.0, 0.4]), nodes=st.integers(0, 2)
)
def test_a_place_is_set_up_in_one_way_and_none_is_better(
    seed: int, objective: str, required: float, nodes: int
) -> None:
    case = grouped(problem(seed, required=required))
    exact, short = placed(case, objective, gap_frac=0.0), placed(case, objective, nodes=nodes)
    truth = best(case, objective)
    if exact is None:
        assert truth < 0.0
        return
    assert exact.value == pytest.approx(truth, rel=1.1e-7, abs=1e-12)
    assert not twice_set_up(case, exact.chosen[exact.chosen >= 0])
    if short is not None:
        assert short.value <= truth * (1.0 + 1e-12)
        assert short.upper_bound >= truth * (1.0 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds, objective=objectives, nodes=st.sampled_from([0, 1, 2000]), ways=st.integers(1, 4)
)
def test_the_bound_is_above_every_placement_however_short_the_search(
    seed: int, objective: str, nodes: int, ways: int
) -> None:
    case = problem(seed, ways=ways)
    solution = placed(case, objective, nodes=nodes)
    assume(solution is not None)
    assert solution is not None
    assert solution.value <= best(case, objective) * (1.0 + 1e-12)
    assert solution.upper_bound >= best(case, objective) * (1.0 - 1e-9)
    assert solution.value <= solution.upper_bound <= solution.relaxed_bound


@settings(max_examples=40, deadline=None)
@given(seed=seeds, objective=objectives)
def test_a_placement_keeps_all_limits_and_says_what_it_is_worth(seed: int, objective: str) -> None:
    case = problem(seed, services=8, ways=6)
    solution = placed(case, objective)
    assume(solution is not None)
    assert solution is not None
    chosen = solution.chosen[solution.chosen >= 0]
    assert excess(case, chosen) <= 1e-9
    assert (solution.chosen[case.services.required] >= 0).all()
    assert np.isin(chosen, usable(case)).all()
    served = np.flatnonzero(solution.chosen >= 0)
    assert (case.ways.service[chosen] == served).all()
    for name, figure in (("tree", solution.tree_beq_per_j), ("ee", solution.ee_bit_per_j)):
        utility, power_w = totals(case, chosen, name)
        assert figure == pytest.approx(utility / power_w, rel=1e-12)
        assert solution.power_w == pytest.approx(power_w, rel=1e-12)
    used = case.ways.site[chosen]
    assert set(np.flatnonzero(solution.open)) == {*used[used >= 0].tolist(), case.sites.count - 1}


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_tree_is_ee_where_a_token_is_worth_nothing(seed: int) -> None:
    case = problem(seed)
    ways = dataclasses.replace(case.ways, token_bps=np.zeros(case.ways.count))
    case = dataclasses.replace(case, ways=ways)
    tree, ee = placed(case, "tree"), placed(case, "ee")
    assume(tree is not None)
    assert tree is not None
    assert ee is not None
    assert tree.value == ee.value
    assert tree.upper_bound == ee.upper_bound
    assert tree.tree_beq_per_j == tree.ee_bit_per_j
    assert (tree.chosen == ee.chosen).all()


@settings(max_examples=20, deadline=None)
@given(seed=seeds, spread=st.sampled_from([0.0, 1e5, 1e7]))
def test_any_prices_of_rows_bound_every_placement(seed: int, spread: float) -> None:
    case = problem(seed, services=3, required=0.0)
    kept = usable(case)
    rows = rows_of(case, kept[np.argsort(case.ways.service[kept], kind="stable")], "tree")
    rng = np.random.default_rng(seed)
    dual = rng.uniform(0.0, spread, len(rows.site_of_row))
    dual[: rows.services] = 0.0
    for price in (0.0, 1e5, 1e6):
        bound = rows.surplus_bound(price, dual)[0]
        for chosen in everything(case):
            utility, power_w = totals(case, chosen, "tree")
            assert utility - price * power_w <= bound + 1e-9 * abs(bound)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_same_problem_has_the_same_answer(seed: int) -> None:
    case = problem(seed, services=8, ways=6)
    one, two = placed(case), placed(case)
    assert (one is None) == (two is None)
    assume(one is not None)
    assert one is not None
    assert two is not None
    assert (one.value, one.upper_bound) == (two.value, two.upper_bound)
    assert (one.chosen == two.chosen).all()
