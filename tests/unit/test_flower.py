"""Flower's clients train what ours do, and what passes through a grid is in the ledger.

The grid and the messages are stand-ins with the methods that are used; `make bench ONLY=federated`
runs the same through Flower itself.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tree6g
from flower_pieces import Clock, Grid, Message, averaged, clients, message, reply, score_of
from tree6g.compute.accelerator import accelerator
from tree6g.errors import DataError, InfeasibleError, LedgerError, ScenarioError
from tree6g.ledger.check import check
from tree6g.meter.flower.client import client_app, first_arrays, scorer, trained
from tree6g.meter.flower.costs import Costs, Hop, costs_of
from tree6g.meter.flower.record import NOTE, Recorder
from tree6g.metric.learning import learnt
from tree6g.training.federated.device import work
from tree6g.training.federated.federation import Plan, federation, train
from tree6g.training.federated.local import Descent

PLAN = Plan(
    clients=3, concentration=0.5, form="fp64", descent=Descent(epochs=1, batch=16, step_size=0.1)
)
CELL = Hop(node="cell", tier="ran", component="radio_unit", up_j_per_bit=3e-6, down_j_per_bit=1e-7)
PHONE = Costs(accelerator="snapdragon-8-gen3", hops=(CELL,))
CPU = Costs(cpu_power_w=4.0)


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        Plan(clients=3, form="fp64", hidden=(8,), descent=PLAN.descent),
        Plan(clients=3, form="fp64", method="fedprox",
             descent=Descent(epochs=2, batch=32, step_size=0.1, proximal=0.1)),
        Plan(clients=3, form="fp64", method="fedit", hidden=(8,), rank=2, descent=PLAN.descent),
    ],
    ids=["regression", "network", "fedprox", "fedit"],
)  # fmt: skip
def test_rounds_through_a_grid_are_those_of_our_federation(plan: Plan) -> None:
    found: list[dict[str, float]] = []
    evaluate = score_of(plan)
    averaged(
        Grid(clients(plan), Clock()), plan, 3, lambda n, arrays: found.append(evaluate(n, arrays))
    )
    for mine, theirs in zip(train(plan, 3, 3), found, strict=True):
        assert theirs["accuracy"] == mine.accuracy_frac
        assert theirs["loss"] == pytest.approx(mine.loss, rel=1e-12)


def test_each_round_has_its_bits_its_joules_and_its_score(tmp_path: Path) -> None:
    clock = Clock()
    with Recorder(tmp_path / "run", PHONE, clock=clock) as recorder:
        clock.now_s += 5.0
        grid = recorder.watch(Grid(clients(PLAN), clock))
        averaged(grid, PLAN, 2, recorder.scored(score_of(PLAN)))
    ledger = tree6g.open_ledger(tmp_path / "run")
    found = learnt(ledger)
    assert found is not None
    state = federation(PLAN)
    device = accelerator("snapdragon-8-gen3")
    by_hand = [
        work(device, flop=state.flop(c), steps=state.steps(c), values=650, layers=1)
        for c in range(3)
    ]
    down_bit = 3 * 8 * (650 * 8 + 8)  # weights, and the number of the round
    up_bit = 3 * 8 * (650 * 8 + 7 * 8)  # weights, and seven metrics
    scores = list(train(PLAN, 2, 3))
    for number, one in enumerate(found.rounds):
        assert (one.number, one.chosen, one.arrived) == (number + 1, 3, 3)
        assert (one.t0_s, one.t1_s) == (5.0 + 2.0 * number, 7.0 + 2.0 * number)
        assert one.accuracy_frac == scores[number].accuracy_frac
        assert one.loss == pytest.approx(scores[number].loss)
        assert one.energy_j["device"] == pytest.approx(sum(each.energy_j for each in by_hand))
        assert one.energy_j["ran"] == pytest.approx(1e-7 * down_bit + 3e-6 * up_bit)
        assert one.bit == {"bit_dl": down_bit, "bit_ul": up_bit, "bit_carried": down_bit + up_bit}


def test_the_ledger_is_sound_and_figures_read_it(tmp_path: Path) -> None:
    clock = Clock()
    with Recorder(tmp_path / "run", PHONE, clock=clock) as recorder:
        averaged(recorder.watch(Grid(clients(PLAN), clock)), PLAN, 2)
    ledger = tree6g.open_ledger(tmp_path / "run")
    checked = check(ledger)
    assert checked.problems == ()
    assert checked.notes == ()
    assert checked.conservation_error_frac is not None
    assert checked.conservation_error_frac <= 1e-9
    figure = tree6g.figure(ledger)
    assert figure.coverage_frac == 1.0
    assert figure.tree_beq_per_j == 0.0  # learning has no worth of its own
    assert figure.energy_j == pytest.approx(
        math.fsum(ledger.meta.control["energy_j"].values()), rel=1e-12
    )
    assert NOTE in ledger.meta.notes


amounts = st.floats(0.0, 1e9)
answers = st.lists(
    st.one_of(st.none(), st.just("broken"), st.dictionaries(st.just("cpu-s"), amounts)),
    min_size=1,
    max_size=4,
)


@given(st.lists(st.tuples(st.sampled_from(["train", "evaluate", "query"]), answers), max_size=4))
@settings(max_examples=15, deadline=None)
def test_joules_are_conserved_whatever_clients_answer(
    tmp_path_factory: pytest.TempPathFactory, exchanges: list[tuple[str, list[Any]]]
) -> None:
    path, clock = tmp_path_factory.mktemp("run") / "run", Clock()
    costs = Costs(cpu_power_w=4.0, hops=(CELL,))
    with Recorder(path, costs, clock=clock) as recorder:
        for kind, said in exchanges:
            answer = dict(enumerate(said))
            grid = recorder.watch(Grid(partial(_answer, answer), clock))
            arrays = (np.ones(5),)
            grid.send_and_receive([message(node, kind, arrays) for node in answer])
    checked = check(tree6g.open_ledger(path))
    assert checked.problems == ()
    assert (checked.conservation_error_frac or 0.0) <= 1e-9


def _answer(answers: dict[int, Any], one: Message) -> Message | None:
    node = one.metadata.dst_node_id
    if answers[node] is None:
        return None
    return reply(node, error="broken") if answers[node] == "broken" else reply(node, answers[node])


def test_a_client_whose_work_is_unknown_leaves_a_gap_and_no_zero(tmp_path: Path) -> None:
    clock = Clock()
    said = {
        1: reply(1, {"cpu-s": 2.0, "partition-id": 7}),
        2: reply(2, {"num-examples": 10}),
        3: reply(3, error="out of memory"),
        4: None,
        5: reply(5, {"cpu-s": math.nan, "partition-id": math.nan}),
        6: reply(6, {"cpu-s": 1e308, "partition-id": math.inf}),
    }
    with Recorder(tmp_path / "run", CPU, clock=clock) as recorder:
        grid = recorder.watch(Grid(lambda one: said[one.metadata.dst_node_id], clock))
        grid.send_and_receive([message(node) for node in said])
    ledger = tree6g.open_ledger(tmp_path / "run")
    with ledger.connect() as db:
        joules = dict(db.sql("SELECT node, energy_j FROM energy").fetchall())
        reasons = db.sql("SELECT node, reason FROM coverage WHERE status = 'gap'").fetchall()
        origin = db.sql("SELECT DISTINCT origin FROM energy").fetchall()
    assert joules == {"client-7": 8.0}
    assert origin == [("estimated",)]
    assert dict(reasons) == {
        "client-2": "the answer did not have all of cpu-s as amounts",
        "client-5": "the answer did not have all of cpu-s as amounts",
        "client-6": "the answer did not have all of cpu-s as amounts",
        "client-3": "the answer was an error",
        "client-4": "no answer came",
    }
    assert check(ledger).problems == ()
    assert tree6g.figure(ledger).coverage_frac == 0.0
    found = learnt(ledger)
    assert found is not None
    assert (found.rounds[0].chosen, found.rounds[0].arrived) == (6, 4)
    assert found.accuracy_frac is None


@pytest.mark.parametrize("rounds", [0, 2])
def test_a_run_that_nobody_scored_has_a_report_that_says_so(tmp_path: Path, rounds: int) -> None:
    clock = Clock()
    with Recorder(tmp_path / "run", PHONE, clock=clock) as recorder:
        averaged(recorder.watch(Grid(clients(PLAN), clock)), PLAN, rounds)
    tree6g.write_report(tree6g.open_ledger(tmp_path / "run"), tmp_path / "report")
    text = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert ("accuracy unknown after the last" in text) == (rounds > 0)


def test_evaluation_belongs_to_its_round_and_is_not_training(tmp_path: Path) -> None:
    clock = Clock()
    with Recorder(tmp_path / "run", CPU, clock=clock) as recorder:
        grid = recorder.watch(
            Grid(lambda one: reply(one.metadata.dst_node_id, {"cpu-s": 1.0}), clock)
        )
        for kind in ("train", "evaluate"):
            grid.send_and_receive([message(1, kind, number=4)])
    ledger = tree6g.open_ledger(tmp_path / "run")
    with ledger.connect() as db:
        states = dict(db.sql("SELECT state, energy_j FROM energy").fetchall())
    assert states == {"train": 4.0, "active": 4.0}
    found = learnt(ledger)
    assert found is not None
    assert [(one.number, one.t1_s) for one in found.rounds] == [(4, 4.0)]
    assert found.rounds[0].energy_j == {"device": 8.0}


def test_rounds_of_two_strategies_after_each_other_are_counted_once(tmp_path: Path) -> None:
    clock = Clock()
    with Recorder(tmp_path / "run", CPU, clock=clock) as recorder:
        grid = recorder.watch(
            Grid(lambda one: reply(one.metadata.dst_node_id, {"cpu-s": 1.0}), clock)
        )
        for number in (1, 2, 1):
            grid.send_and_receive([message(1, number=number)])
    ledger = tree6g.open_ledger(tmp_path / "run")
    found = learnt(ledger)
    assert found is not None
    assert [(one.number, one.energy_j) for one in found.rounds] == [
        (number, {"device": 4.0}) for number in (1, 2, 1)
    ]
    assert found.energy_j["device"] == tree6g.figure(ledger).energy_j


def test_what_a_query_takes_is_counted_or_a_gap(tmp_path: Path) -> None:
    said = {1: reply(1, {"cpu-s": 2.0}), 2: reply(2, {"columns": 3})}
    clock = Clock()
    with Recorder(tmp_path / "run", CPU, clock=clock) as recorder:
        grid = recorder.watch(Grid(lambda one: said[one.metadata.dst_node_id], clock))
        grid.send_and_receive([message(node, "query") for node in said])
    with tree6g.open_ledger(tmp_path / "run").connect() as db:
        joules = db.sql("SELECT node, state, energy_j FROM energy").fetchall()
        gaps = db.sql("SELECT node FROM coverage WHERE status = 'gap'").fetchall()
    assert joules == [("client-1", "active", 8.0)]
    assert gaps == [("client-2",)]


def test_a_watched_grid_is_the_grid_in_all_else(tmp_path: Path) -> None:
    clock = Clock()
    with Recorder(tmp_path / "run", CPU, clock=clock) as recorder:
        inner = Grid(lambda one: reply(one.metadata.dst_node_id, {"cpu-s": 1.0}), clock)
        grid = recorder.watch(inner)
        assert grid.get_node_ids() == [700, 701]
        assert grid.send_and_receive([], timeout=1.0) == []
        came = grid.send_and_receive(iter([message(1)]), timeout=9.0)
        assert [one.metadata.src_node_id for one in came] == [1]
        assert inner.timeout == 9.0
    rounds = tree6g.open_ledger(tmp_path / "run").meta.control["learning"]["rounds"]
    assert len(rounds) == 1  # nothing was sent the first time


def test_what_was_recorded_before_a_crash_stays(tmp_path: Path) -> None:
    clock = Clock()

    def run() -> None:
        with Recorder(tmp_path / "run", CPU, clock=clock) as recorder:
            grid = recorder.watch(Grid(lambda one: reply(1, {"cpu-s": 1.0}), clock))
            grid.send_and_receive([message(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run()
    checked = check(tree6g.open_ledger(tmp_path / "run"))
    assert checked.problems == ()
    assert checked.rows["energy"] == 1
    with pytest.raises(LedgerError, match="Choose another"):
        Recorder(tmp_path / "run", CPU)


def test_costs_come_from_a_scenario_that_learns() -> None:
    costs = costs_of("federated-city")
    assert costs.accelerator == "snapdragon-8-gen3"
    assert [(hop.node, hop.up_j_per_bit, hop.down_j_per_bit) for hop in costs.hops] == [
        ("link to region", 2e-8, 2e-8)
    ]
    with pytest.raises(ScenarioError, match="with `learning`"):
        costs_of("street-corner")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "got none"),
        ({"accelerator": "l4", "cpu_power_w": 4.0}, "got both"),
        ({"accelerator": "snapdragon-8-gen4"}, "snapdragon-8-gen3"),
        ({"cpu_power_w": -1.0}, "cpu_power_w"),
        ({"cpu_power_w": math.nan}, "cpu_power_w"),
        ({"cpu_power_w": 1.0, "hops": (CELL, CELL)}, "cell, cell"),
        ({"cpu_power_w": 1.0, "hops": (dataclasses.replace(CELL, node="server"),)}, "got server"),
        ({"cpu_power_w": 1.0, "hops": (dataclasses.replace(CELL, node="client-1"),)}, "client-1"),
    ],
    ids=["none", "both", "unknown", "negative", "nan", "twice", "server", "client"],
)
def test_costs_that_mean_nothing_are_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        Costs(**fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [({"tier": "radio"}, "radio"), ({"component": "antenna"}, "antenna"),
     ({"up_j_per_bit": -1.0}, "up_j_per_bit")],
    ids=["tier", "component", "joules"],
)  # fmt: skip
def test_hops_that_a_ledger_cannot_hold_are_refused(fields: dict[str, Any], text: str) -> None:
    usual: dict[str, Any] = {"node": "cell", "up_j_per_bit": 1e-6, "down_j_per_bit": 1e-6}
    with pytest.raises(DataError, match=text):
        Hop(**(usual | fields))


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (Plan(form="fp64", method="flora", hidden=(8,), descent=PLAN.descent), "takes a mean"),
        (Plan(form="fp64", method="centralised", descent=PLAN.descent), "takes a mean"),
        (Plan(form="int8", descent=PLAN.descent), "form 'fp64'"),
    ],
    ids=["flora", "centralised", "packed"],
)
def test_plans_that_flower_would_train_differently_are_refused(plan: Plan, text: str) -> None:
    for function in (client_app, first_arrays):
        with pytest.raises(DataError, match=text):
            function(plan)


def test_a_node_without_samples_is_told_what_to_do() -> None:
    for client in (3, -1):
        with pytest.raises(DataError, match="as many nodes as the plan has clients"):
            trained(PLAN, client, 1, federation(PLAN).learnt)


@pytest.mark.parametrize("function", [client_app, first_arrays, scorer])
def test_without_flower_the_error_names_the_extra(
    function: Callable[[Plan], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "flwr.app", None)
    with pytest.raises(InfeasibleError, match=r"pip install 'tree6g\[flower\]'"):
        function(PLAN)
