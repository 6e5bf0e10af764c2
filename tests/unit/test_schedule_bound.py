"""The clairvoyant bound of schedules: on tiny instances by hand, and above every run."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from engine_worlds import brief, small, three_tiers
from tree6g.cli import app
from tree6g.engine.policies.schedule import BUILT_IN
from tree6g.errors import DataError, ScenarioError
from tree6g.optimise.placing.begin import require_choice
from tree6g.optimise.scenario.scheduled_work import require
from tree6g.optimise.scenario.schedules import answer
from tree6g.optimise.scheduling.fluid import Work, bound, chain, excess_beq
from tree6g.scenario.load import load

SLOTS = 6


def _work(rng, count, *, iteration_j=2.0, room_s=np.inf):
    start = rng.integers(0, SLOTS - 1, count)
    end = np.minimum(start + rng.integers(1, 4, count), SLOTS)
    tokens = np.minimum(rng.integers(0, 3, count), end - start)
    return Work(
        worth_beq=rng.uniform(0.0, 10.0, count),
        energy_j=rng.uniform(0.0, 3.0, count),
        iterations=tokens.astype(float),
        from_s=start.astype(float),
        until_s=end.astype(float),
        use_s=rng.uniform(0.1, 1.0, (1, count)),
        room_s=np.array([min(room_s, 1e9)]),
        iteration_j=iteration_j,
        fixed_j=float(rng.uniform(1.0, 10.0)),
    )


def _best(work):
    """The greatest TREE by trying every set of items and every set of iterations."""
    best, count = 0.0, len(work.worth_beq)
    slots = np.arange(SLOTS) + 0.5
    for iterations in itertools.product((0, 1), repeat=SLOTS):
        done = np.array(iterations)
        inside = (slots > work.from_s[:, None]) & (slots <= work.until_s[:, None])
        able = inside @ done >= work.iterations
        for some in itertools.product((0.0, 1.0), repeat=count):
            z = np.array(some)
            if (z * ~able).any() or (work.use_s @ z > work.room_s).any():
                continue
            joules = work.fixed_j + work.energy_j @ z + work.iteration_j * done.sum()
            best = max(best, float(work.worth_beq @ z) / joules)
    return best


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), room_s=st.sampled_from([1e9, 1.2]))
def test_no_schedule_of_a_tiny_instance_is_above_the_bound(seed, room_s):
    work = _work(np.random.default_rng(seed), 4, room_s=room_s)
    assert _best(work) <= bound(work).tree_beq_per_j * (1.0 + 1e-9)


def test_the_bound_is_reached_where_nothing_is_left_out():
    """Two answers in one window share two iterations: 20 worth, 10 + 2 x 2 + 2 x 1 joules."""
    work = Work(
        worth_beq=np.array([10.0, 10.0]), energy_j=np.ones(2), iterations=np.full(2, 2.0),
        from_s=np.zeros(2), until_s=np.full(2, 3.0), use_s=np.zeros((1, 2)), room_s=np.ones(1),
        iteration_j=2.0, fixed_j=10.0,
    )  # fmt: skip
    assert bound(work).tree_beq_per_j == pytest.approx(20.0 / 16.0, rel=1e-9)
    assert bound(work).least_iterations == 2.0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_chain_of_windows_has_the_greatest_sum_of_all_disjoint_ones(seed):
    work = _work(np.random.default_rng(seed), 6)
    flow = chain(work, work.iterations)
    best = 0.0
    for some in itertools.product((0, 1), repeat=6):
        rows = [n for n in range(6) if some[n]]
        apart = all(
            work.until_s[a] <= work.from_s[b] or work.until_s[b] <= work.from_s[a]
            for a, b in itertools.combinations(rows, 2)
        )
        best = max(best, work.iterations[rows].sum() if apart else 0.0)
    assert work.iterations @ flow == best
    assert set(flow) <= {0.0, 1.0}


def test_any_flow_and_any_prices_certify_their_own_bound():
    """A worse flow gives a greater excess, never one below what a schedule brings."""
    work = _work(np.random.default_rng(3), 4)
    price = bound(work).tree_beq_per_j
    nothing = excess_beq(work, np.zeros(4), np.zeros(1), price)
    assert nothing >= excess_beq(work, bound(work).flow_frac, np.zeros(1), price) - 1e-12


def test_work_without_fixed_joules_has_no_bound():
    with pytest.raises(DataError, match="fixed joules"):
        Work(**{**{f: np.zeros(1) for f in ("worth_beq", "energy_j", "iterations", "from_s")},
                "until_s": np.ones(1), "use_s": np.zeros((1, 1)), "room_s": np.ones(1),
                "iteration_j": 0.0, "fixed_j": 0.0})  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schedule")
    file = folder / "cell.json"
    plain = brief(policy="edge-only")
    file.with_suffix(".yaml").write_text(json.dumps(plain), "utf-8")
    words = ["optimise", "schedule", str(file.with_suffix(".yaml")), "--out", str(folder / "out")]
    printed = CliRunner().invoke(app, [*words, "--json"])
    assert printed.exit_code == 0, printed.output
    return json.loads(printed.stdout)


def test_no_scheduler_is_above_the_bound(found):
    values = {one["scheduler"]: one["tree_beq_per_j"] for one in found["schedulers"]}
    assert set(values) == {"as it is", *BUILT_IN}
    assert max(values.values()) <= found["upper_bound"]


def test_tree_is_the_best_of_those_that_serve_the_same(found):
    assert found["best"] == "tree"
    tree = next(one for one in found["schedulers"] if one["scheduler"] == "tree")
    assert tree["same_service"]
    assert tree["gap_frac"] < 0.05
    described = load(found["scenario"])
    assert described.scheduling.rule == "tree"


def test_parts_of_the_joules_add_up(found):
    for one in found["schedulers"]:
        assert sum(one["parts_j"].values()) == pytest.approx(one["energy_j"], rel=1e-9)


def test_scenarios_without_a_bound_are_told_why():
    with pytest.raises(ScenarioError):
        require(load(three_tiers()))
    with pytest.raises(ScenarioError, match="sleep_policy"):
        require(load(small(sleep_policy="carrier-muting")))
    with pytest.raises(ScenarioError, match=r"models with tokens.*pix2pix"):
        require(load("pictures"))  # a bound by the token was below what images earned


def test_images_are_not_placed_by_the_token():
    with pytest.raises(ScenarioError, match="models with tokens"):
        require_choice(load("pictures"))


def test_a_policy_that_switches_servers_is_refused_before_any_run(tmp_path):
    """A server that is off draws less than the bound counts as there without any work."""
    policy, file = tmp_path / "off.py", tmp_path / "cell.yaml"
    policy.write_text(
        "def choose(query, options):\n    return 0 if options else None\n\n"
        "def servers(report):\n    return ['a.gpu'] if report.t_s < 10.0 else []\n"
    )
    file.write_text(json.dumps(brief(policy=str(policy))), "utf-8")
    with pytest.raises(ScenarioError, match="switches no servers"):
        answer(str(file), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tables_are_printed_in_words(tmp_path):
    plain = small(duration="2 s", drain="2 s", ledger_interval="2 s", population={
        "users": 30, "ai_requests_per_user_hour": 600})  # fmt: skip
    file = tmp_path / "cell.yaml"
    file.write_text(json.dumps(plain), "utf-8")
    found = answer(str(file), out=tmp_path / "out", rules=("tree",))
    assert not found.serves_as_today(found.runs[1])
    assert "longer 'drain'" in " ".join(found.to_dict()["changes"])
