"""The check values of the metric's definition, worked by hand there, exact here."""

import math

import numpy as np
import pytest

from ledgers import ai, data, ledger
from tree6g.errors import LedgerError
from tree6g.metric import asymmetry, robustness, shapley, uncertainty
from tree6g.metric.compare import compare
from tree6g.metric.figure import Query
from tree6g.metric.tree import figure, flows, series

SERVICES = {"llm": ai(), "iot": data()}


def design(path, *, tokens, ai_bits, bits, energy_j, **llm):
    return ledger(
        path,
        services={"llm": ai(**llm), "iot": data()},
        energy=[{"energy_j": energy_j}],
        work=[
            {"service": "llm", "kind": "token_out", "amount": tokens, "demand": 1.0},
            {"service": "llm", "kind": "bit_dl", "amount": ai_bits},
            {"service": "iot", "kind": "bit_ul", "amount": bits, "demand": 1.0},
        ],
    )


@pytest.fixture
def design_a(tmp_path):
    return design(tmp_path / "a", tokens=2000.0, ai_bits=1e5, bits=40e6, energy_j=800.0)


@pytest.fixture
def design_b(tmp_path):
    return design(tmp_path / "b", tokens=4000.0, ai_bits=2e5, bits=30e6, energy_j=900.0)


def test_ee_and_tree_of_the_example(design_a):
    f = figure(design_a)
    assert f.ee_bit_per_j == 50_125.0
    assert f.tree_beq_per_j == 75_000.0
    assert figure(design_a, Query(alphas={"llm": 0.0})).tree_beq_per_j == 50_000.0


def test_tree_of_the_example_with_logarithmic_worth(tmp_path):
    log = {"family": "log", "t0_tps": 1000.0}
    f = figure(design(tmp_path / "l", tokens=2000.0, ai_bits=1e5, bits=40e6, energy_j=800.0,
                      curve=log))  # fmt: skip
    assert f.tree_beq_per_j == pytest.approx(63_732.6536, abs=5e-5)


def test_ee_and_tree_rank_the_two_designs_in_opposite_order(design_a, design_b):
    a, b = figure(design_a), figure(design_b)
    assert b.ee_bit_per_j == pytest.approx(33_555.56, abs=5e-3)
    assert b.tree_beq_per_j == pytest.approx(77_777.78, abs=5e-3)
    found = robustness.break_even(a, b, "llm")
    assert found.alpha_bit_per_tok == pytest.approx(8_571.43, abs=5e-3)
    assert found.winner_above == "B"


def test_the_share_of_weights_depends_on_the_measure(design_a, design_b):
    designs = {"A": figure(design_a), "B": figure(design_b)}
    by_log = {w.design: w.frac for w in robustness.win_shares(designs, "llm")}
    uniform = robustness.win_shares(designs, "llm", measure="uniform")
    assert by_log["B"] == pytest.approx(0.517, abs=5e-4)
    assert {w.design: w.frac for w in uniform}["B"] == pytest.approx(0.992, abs=5e-4)


def test_the_order_flips_at_the_break_even_evaluated_from_the_ledgers(design_a, design_b):
    star = robustness.break_even(figure(design_a), figure(design_b), "llm").alpha_bit_per_tok
    for factor, winner in ((1 - 1e-6, "A"), (1 + 1e-6, "B")):
        query = Query(alphas={"llm": star * factor})
        trees = {n: figure(d, query).tree_beq_per_j for n, d in (("A", design_a), ("B", design_b))}
        assert max(trees, key=trees.get) == winner


def test_a_ratio_of_totals_is_no_mean_of_ratios(tmp_path):
    two = ledger(
        tmp_path / "c",
        services={"d": data()},
        energy=[{"energy_j": 2.0}, {"t0_s": 1.0, "t1_s": 4.0, "energy_j": 8.0}],
        work=[
            {"service": "d", "kind": "bit_dl", "amount": 10.0},
            {"service": "d", "kind": "bit_dl", "amount": 10.0, "t0_s": 1.0, "t1_s": 4.0},
        ],
    )
    assert figure(two).tree_beq_per_j == 2.0


def shared_nodes(path):
    """Node x: 100 J idle, A and B with 30 J and 10 J dynamic; node y: C alone, 40 J and 20 J."""
    return ledger(
        path,
        services={"A": ai(), "B": ai(), "C": ai()},
        energy=[
            {"node": "x", "state": "idle", "energy_j": 100.0},
            {"node": "x", "service": "A", "energy_j": 30.0},
            {"node": "x", "service": "B", "energy_j": 10.0},
            {"node": "y", "state": "idle", "energy_j": 40.0},
            {"node": "y", "service": "C", "energy_j": 20.0},
        ],
        work=[
            {"node": "x", "service": "A", "kind": "token_out", "amount": 3.0, "demand": 3.0},
            {"node": "x", "service": "B", "kind": "token_out", "amount": 1.0, "demand": 1.0},
            {"node": "y", "service": "C", "kind": "token_out", "amount": 1.0, "demand": 1.0},
        ],
    )


@pytest.mark.parametrize(
    ("rule", "expected", "loose"),
    [
        ("shapley", (80.0, 60.0, 60.0), {}),
        ("equal", (80.0, 60.0, 60.0), {}),
        ("proportional", (105.0, 35.0, 60.0), {}),
        ("marginal", (30.0, 10.0, 60.0), {"shared_idle": 100.0}),
    ],
)
def test_attribution_of_shared_idle_energy(tmp_path, rule, expected, loose):
    f = figure(shared_nodes(tmp_path / "e"), Query(rule=rule))
    assert [f.service(n).energy_j for n in "ABC"] == pytest.approx(expected)
    assert f.unattributed_j == pytest.approx(loose)
    assert [f.service(n).energy_marginal_j for n in "ABC"] == pytest.approx((30.0, 10.0, 60.0))


def test_asymmetry_and_gini_of_the_example(tmp_path):
    f = figure(
        ledger(
            tmp_path / "f",
            services={"llm": ai(alpha=1e4), "iot": data()},
            energy=[{"service": "iot", "energy_j": 500.0}, {"service": "llm", "energy_j": 300.0}],
            work=[
                {"service": "llm", "kind": "token_out", "amount": 2000.0},
                {"service": "iot", "kind": "bit_ul", "amount": 40e6},
            ],
        )
    )
    assert f.service("iot").asymmetry == pytest.approx(0.9375)
    assert f.service("llm").asymmetry == pytest.approx(1.125)
    assert f.gini == pytest.approx(1.0 / 24.0)
    assert asymmetry.gini([(0.625, 2 / 3), (0.375, 1 / 3)]) == pytest.approx(1.0 / 24.0)


@pytest.mark.parametrize(("sources", "u95"), [(("s", "s"), 0.10), (("s", "t"), 0.0707)])
def test_errors_of_one_source_add_and_of_two_do_not(tmp_path, sources, u95):
    rows = [{"energy_j": 100.0, "source": s, "u95_frac": 0.1, "node": f"n{i}"}
            for i, s in enumerate(sources)]  # fmt: skip
    work = [{"service": "d", "kind": "bit_dl", "amount": 1.0, "node": "n0", "source": "s"}]
    f = figure(ledger(tmp_path / "g", services={"d": data()}, energy=rows, work=work))
    assert f.u95_frac == pytest.approx(u95, abs=5e-5)
    assert uncertainty.combine([]) == 0.0


def test_shapley_of_capacity_in_steps_is_the_airport_game():
    needs, steps = {"a": 1, "b": 2, "c": 3}, [30.0, 20.0, 10.0]
    closed = shapley.airport(needs, steps)
    assert closed == pytest.approx({"a": 10.0, "b": 20.0, "c": 30.0})

    def cost(coalition):
        return sum(steps[: max((needs[p] for p in coalition), default=0)])

    values = shapley.sampled(list(needs), cost, samples=4000, seed=3)
    assert math.fsum(v for v, _ in values.values()) == pytest.approx(60.0)
    for name, (value, error) in values.items():
        assert abs(value - closed[name]) < 5 * error + 1e-9
    with pytest.raises(LedgerError):
        shapley.airport({"a": 4}, steps)
    with pytest.raises(LedgerError):
        shapley.sampled(["a"], lambda _: 1.0)


def test_comparison_ranks_only_the_same_service(design_a, design_b, tmp_path):
    c = compare({"A": design_a, "B": design_b})
    assert not c.same_service
    assert c.tree_order is None
    assert any("offered work of other worth" in r for r in c.reasons)
    twin = design(tmp_path / "t", tokens=2000.0, ai_bits=1e5, bits=39.9e6, energy_j=799.0)
    same = compare({"A": design_a, "T": twin})
    assert same.same_service
    assert same.ee_order == ("A", "T")
    assert same.to_dict()["tree_order"] == ["A", "T"]
    with pytest.raises(LedgerError, match="two designs"):
        compare({"A": design_a})


def test_opposite_orders_are_stated_as_a_range_of_weights(tmp_path):
    a = design(tmp_path / "x", tokens=2000.0, ai_bits=0.0, bits=40e6, energy_j=800.0)
    b = design(tmp_path / "y", tokens=2015.0, ai_bits=0.0, bits=39.9e6, energy_j=800.0)
    c = compare({"A": a, "B": b})
    assert c.same_service
    assert c.ee_order == ("A", "B")
    ((_, _, service, low, high),) = c.opposite
    assert service == "llm"
    assert high is None
    assert low == pytest.approx((40e6 - 39.9e6) / 15.0)
    space = robustness.half_space(c.figures["A"], c.figures["B"])
    assert space["iot"] > 0 > space["llm"]
    cells = robustness.cells(c.figures, ["llm"])
    assert sum(p for p, _ in cells.values()) == pytest.approx(1.0)


def test_tree_over_alpha_is_the_closed_form_of_the_query(design_a):
    alphas = np.array([1e2, 1e4, 1e6])
    exact = [figure(design_a, Query(alphas={"llm": a})).tree_beq_per_j for a in alphas]
    assert robustness.tree_over_alpha(figure(design_a), "llm", alphas) == pytest.approx(exact)


def test_groupings_and_flows_sum_to_the_figure(tmp_path):
    book = shared_nodes(tmp_path / "s")
    f = figure(book)
    for by in (("service",), ("site",), ("tier",), ("slice",), ("node", "window"), ()):
        table = series(book, by=by, window_s=0.25)
        assert math.fsum(table["utility_beq"].to_pylist()) == pytest.approx(f.utility_beq)
        assert math.fsum(table["energy_j"].to_pylist()) == pytest.approx(f.energy_j)
    assert math.fsum(flows(book)["energy_j"].to_pylist()) == pytest.approx(f.energy_j)
    with pytest.raises(LedgerError, match="grouping"):
        series(book, by=("cell",))


def test_utility_of_unseen_sessions_is_unknown_and_not_zero(tmp_path):
    curve = {"family": "log", "t0_tps": 10.0}
    unseen = ledger(
        tmp_path / "u",
        services={"llm": ai(unit="session", curve=curve), "iot": data()},
        energy=[{"energy_j": 800.0}],
        work=[
            {"service": "llm", "kind": "token_out", "amount": 2000.0, "demand": 1.0},
            {"service": "iot", "kind": "bit_ul", "amount": 40e6, "demand": 1.0},
        ],
    )
    f = figure(unseen)
    assert f.utility_beq is None
    assert f.service("llm").utility_beq is None
    assert "sessions" in f.reasons["utility_beq"]
    assert "sessions" in f.service("llm").reasons["offered_beq"]
    assert f.utility_of("iot") == 40e6
    with pytest.raises(LedgerError, match="unknown"):
        f.utility_of("llm")
