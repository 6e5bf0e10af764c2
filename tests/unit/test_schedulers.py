"""Schedulers: their rules on small queues, and what they do to a run."""

from __future__ import annotations

import numpy as np
import pytest

from engine_worlds import brief, small, three_tiers
from tree6g.engine.policies.schedule import BUILT_IN, Air, Batch, scheduler
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.scenario import cross
from tree6g.scenario.load import config_hash, dump, load

PRICE = 1e4


def _air(**changes):
    fields = {
        "t_s": 0.1, "interval_s": 0.01, "uplink": False, "price_beq_per_j": PRICE, "caution": 100.0,
        "worth_beq": [1e4, 1e4, 1e4], "ready_s": [0.0, 0.02, 0.01], "due_s": [2.0, 2.0, 2.0],
        "bit": [1e4, 1e4, 1e4], "air_s": [3e-3, 1e-3, 2e-3], "terminal": [0, 1, 2],
        "send_w": 100.0, "wake_j": 1.0, "awake": True,
    }  # fmt: skip
    arrays = ("worth_beq", "ready_s", "due_s", "bit", "air_s", "terminal")
    both = {**fields, **changes}
    return Air(**{k: np.array(v) if k in arrays else v for k, v in both.items()})


def _batch(**changes):
    fields = {
        "t_s": 10.0, "price_beq_per_j": PRICE, "caution": 100.0, "worth_beq": np.full(3, 1e4),
        "due_s": np.array([11.0, 12.0, 11.5]), "budget_s": np.full(3, 2.0), "iteration_s": 0.02,
        "shared_j": 1.0, "room_frac": 0.5,
    }  # fmt: skip
    return Batch(**{**fields, **changes})


def _order(name, **changes):
    return np.argsort(scheduler(name).send(_air(**changes)), kind="stable").tolist()


def test_first_come_goes_by_arrival_and_ee_greedy_by_bits_per_joule():
    assert _order("first-come") == [0, 2, 1]
    assert _order("ee-greedy") == [1, 2, 0]


def test_round_robin_turns_to_who_waited_longest():
    rule = scheduler("round-robin")
    air = _air(air_s=[0.02, 0.02, 0.02])
    firsts = [int(np.argmin(rule.send(_air(air_s=air.air_s, t_s=t)))) for t in (0.1, 0.2, 0.3, 0.4)]
    assert firsts == [0, 1, 2, 0]


def test_proportional_fair_gives_equal_airtime_whatever_the_rates():
    rule, served_s = scheduler("proportional-fair"), np.zeros(2)
    for n in range(4000):
        air = _air(
            t_s=0.01 * n, worth_beq=[1.0, 1.0], ready_s=[0.0, 0.0], due_s=[np.inf, np.inf],
            bit=[4e4, 1e4], air_s=[0.01, 0.01], terminal=[0, 1],
        )  # fmt: skip
        first = int(np.argmin(rule.send(air)))
        served_s[first] += air.air_s[first]
    assert served_s[0] == pytest.approx(served_s[1], rel=0.02)


def test_tree_waits_asleep_and_sends_awake():
    assert np.isinf(scheduler("tree").send(_air(awake=False))).all()
    assert np.isfinite(scheduler("tree").send(_air(awake=True))).all()


@pytest.mark.parametrize(
    "changes",
    [{"caution": 0.0}, {"wake_j": 0.0}, {"due_s": [0.13, 2.0, 2.0]}, {"air_s": [0.02, 1e-3, 1e-3]}],
    ids=["without V", "free wake-up", "budget nearly used up", "an interval full"],
)
def test_tree_wakes_the_cell_when_it_pays_or_must(changes):
    assert np.isfinite(scheduler("tree").send(_air(awake=False, **changes))).all()


def test_tree_serves_worth_and_urgency_per_second_of_air_and_late_work_last():
    assert _order("tree", worth_beq=[9e4, 1e4, 1e4], air_s=[1e-3, 1e-3, 1e-3])[0] == 0
    assert _order("tree", due_s=[0.05, 2.0, 2.0])[-1] == 0


def test_tree_computes_when_a_token_would_else_be_late():
    start_s = scheduler("tree").start(_batch())
    assert start_s == pytest.approx(11.0 - 0.1 * 2.0 - 0.02)


def test_tree_computes_at_once_without_v_or_without_room():
    assert scheduler("tree").start(_batch(caution=0.0)) == 10.0
    assert scheduler("tree").start(_batch(room_frac=0.05)) == 10.0


def test_tree_computes_when_urgency_is_worth_an_iteration():
    """Q(t) = 3e4 (t - mean begin) / 2 reaches V price J = 5e3 bit-eq at a third of a second."""
    same = {"due_s": np.full(3, 12.0), "caution": 0.5}
    assert scheduler("tree").start(_batch(**same)) == pytest.approx(10.0 + 1.0 / 3.0)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_joule_is_in_the_ledger_and_all_work_is_done(tmp_path, name):
    plain = brief(scheduling={"rule": name})
    result = run(plain, out=tmp_path)
    report = check(result.ledger)
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9
    assert result.requests.lost == 0
    assert any(f"scheduled by {name} every 0.01 s" in note for note in result.ledger.meta.notes)


def test_tree_takes_fewer_joules_for_the_same_work_on_time(tmp_path):
    figures = {
        name: run(brief(scheduling={"rule": name}), out=tmp_path / name).tree()
        for name in ("first-come", "tree")
    }
    first, tree = figures["first-come"], figures["tree"]
    assert tree.service("chat").served_share_frac >= first.service("chat").served_share_frac - 0.01
    assert tree.energy_j < first.energy_j
    assert tree.tree_beq_per_j > first.tree_beq_per_j


def test_servers_that_are_paced_step_by_step_tell_the_same_as_in_long_steps(tmp_path):
    short, long = (
        run(brief(scheduling={"rule": "tree"}, step=step), out=tmp_path / step[0]).tree()
        for step in ("0.25 s", "2 s")
    )
    assert short.tokens_out_tok == long.tokens_out_tok
    assert short.energy_j == pytest.approx(long.energy_j, rel=0.01)


def test_the_scenario_knows_the_schedulers_of_the_engine():
    assert cross.SCHEDULERS == BUILT_IN


def test_an_unknown_scheduler_is_refused_with_the_nearest():
    with pytest.raises(ScenarioError, match="tree"):
        load(small(scheduling={"rule": "tre"}))
    with pytest.raises(ScenarioError, match="ee-greedy"):
        scheduler("ee-gredy")


def test_a_scheduler_may_come_from_a_file_that_says_when_servers_compute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "def start(batch):\n    return max(batch.t_s, batch.due_s.min() - 1.0)\n"
    (tmp_path / "mine.py").write_text(text, "utf-8")
    plain = three_tiers(scheduling={"rule": "./mine.py"}, duration="5 s", drain="5 s")
    result = run(plain, out=tmp_path / "out")
    report = check(result.ledger)
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9
    assert any("scheduled by mine.py (SHA-256" in note for note in result.ledger.meta.notes)
    described = load(plain)
    assert described.scheduling.rule_sha256
    assert config_hash(load(dump(described))) == config_hash(described)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def send(air):\n    return air.nothing\n", "line 2: AttributeError"),
        ("def send(air):\n    return [1.0, 2.0] * 99\n", "a place for each"),
        ("def start(batch):\n    return None\n", "a time in seconds"),
        ("def start():\n    return 0.0\n", "to take one argument"),
        ("x = 1\n", "expected a function 'send' or 'start'"),
    ],
    ids=["fails", "shape", "no time", "signature", "nothing"],
)
def test_a_file_that_does_it_wrong_is_told_so(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(text, "utf-8")
    many = {"users": 30, "ai_requests_per_user_hour": 600}
    plain = small(scheduling={"rule": "./mine.py"}, duration="2 s", drain="1 s", population=many)
    with pytest.raises(ScenarioError, match=said):
        run(plain, out=tmp_path / "out")


def test_a_scheduler_and_terminals_that_sleep_do_not_go_together():
    population = {"users": 10, "terminal": {"model": "tr38840", "drx_cycle": "160 ms"}}
    with pytest.raises(ScenarioError, match="knows no DRX cycles"):
        load(small(population=population, scheduling={}))
