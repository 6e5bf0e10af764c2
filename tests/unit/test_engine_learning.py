"""Learning in a run: its bits and joules beside live traffic, and what cuts rounds short."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tree6g.engine.build import build
from tree6g.engine.run import RunResult, run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.metric.learning import learnt
from tree6g.scenario.load import load
from tree6g.training.federated.federation import federation, train

LEARNING: dict[str, Any] = {
    "hidden": [16],
    "rounds": 4,
    "clients": 6,
    "clients_per_round": 3,
    "epochs": 3,
    "step_size": 0.1,
    "at": "region.llm",
    "pause": "8 s",
}


def scenario(**changes: Any) -> dict[str, Any]:
    return {
        "name": "classroom",
        "duration": "60 s",
        "drain": "20 s",
        "ledger_interval": "10 s",
        "boundary": "full",
        "policy": "cloud-only",
        "population": {"users": 8, "ai_requests_per_user_hour": 60},
        "sites": [
            {"name": name, "pue": 1.1, "base_station": {"model": "earth-micro", "sleep": "micro"}}
            for name in ("east", "west")
        ],
        "clouds": [
            {
                "name": "region",
                "servers": [{"name": "llm", "accelerator": "l4", "model": "llama-3.2-1b"}],
            }
        ],
        "links": [{"to": "region"}],
        "services": [
            {"kind": "ai", "name": "assistant"},
            {"kind": "data", "name": "video", "message": "200 kB", "period": "5 s", "sources": 4},
        ],
        "learning": LEARNING | changes,
    }


def ran(tmp_path: Path, **changes: Any) -> RunResult:
    return run(scenario(**changes), out=tmp_path)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return ran(tmp_path_factory.mktemp("usual"), base_frac=0.2)


def sums(result: RunResult, table: str, column: str, value: str) -> dict[str, float]:
    service = load(result.scenario).learning.name  # type: ignore[union-attr]
    rows = result.ledger.query(
        f"SELECT {column}, sum({value}) FROM {table} WHERE service = '{service}' GROUP BY 1"
    )
    return dict(zip(*(rows.column(n).to_pylist() for n in range(2)), strict=True))


def test_rounds_through_the_network_learn_what_they_learn_without_it(usual: RunResult) -> None:
    world = build(load(scenario(base_frac=0.2)), {})
    assert world.learning is not None
    alone = list(train(world.learning.federation.plan, rounds=4, per_round=3))
    found = learnt(usual.ledger)
    assert found is not None
    assert [one.accuracy_frac for one in found.rounds] == [s.accuracy_frac for s in alone]
    assert [one.loss for one in found.rounds] == pytest.approx([s.loss for s in alone], rel=1e-12)
    assert [one.arrived for one in found.rounds] == [3] * 4


def test_every_bit_and_joule_of_learning_is_in_the_ledger_and_belongs_to_a_round(
    usual: RunResult,
) -> None:
    result = usual
    checked, figure = check(result.ledger), result.tree()
    assert not checked.problems
    assert (checked.conservation_error_frac or 0.0) < 1e-9
    assert figure.conservation_error_frac < 1e-9
    parts = federation(build(load(scenario()), {}).learning.federation.plan)  # type: ignore[union-attr]
    overhead = 8 * 700
    bits = sums(result, "work", "kind", "amount")
    assert bits["bit_dl"] == 4 * 3 * (parts.download_bit(0) + overhead)
    assert bits["bit_ul"] == 4 * 3 * (parts.upload_bit(0) + overhead)
    assert bits["bit_carried"] == bits["bit_dl"] + bits["bit_ul"]
    joules = sums(result, "energy", "tier", "energy_j")
    assert set(joules) == {"device", "ran", "transport", "cloud"}
    found = learnt(result.ledger)
    assert found is not None
    assert found.energy_j == pytest.approx(joules, rel=1e-9)
    assert found.bit == pytest.approx(bits, rel=1e-9)


def test_rounds_of_the_same_updates_have_the_same_bits_where_no_row_touches_two(
    tmp_path: Path,
) -> None:
    result = run(scenario() | {"ledger_interval": "4 s"}, out=tmp_path)
    found = learnt(result.ledger)
    assert found is not None
    first = found.rounds[0].bit
    assert first == pytest.approx({kind: bit / 4 for kind, bit in found.bit.items()}, rel=1e-9)
    for one in found.rounds:
        assert one.bit == pytest.approx(first, rel=1e-9)


def test_learning_has_bits_and_joules_but_no_worth(usual: RunResult) -> None:
    figure = usual.tree()
    service = figure.service("learning")
    assert service.kind == "internal"
    assert service.utility_share_frac == 0.0
    assert (service.energy_share_frac or 0.0) > 0.0
    assert (service.bit_share_frac or 0.0) > 0.0


def test_live_traffic_is_the_same_with_and_without_learning(tmp_path: Path) -> None:
    plain = scenario()
    with_it = run(plain, out=tmp_path / "a").tree()
    without = run(plain | {"learning": None}, out=tmp_path / "b").tree()
    assert with_it.energy_j > without.energy_j
    for name in ("assistant", "video"):
        assert with_it.utility_of(name) == pytest.approx(without.utility_of(name), rel=1e-3)
    assert (with_it.tree_beq_per_j or 0.0) < (without.tree_beq_per_j or 0.0)


def test_a_run_that_was_killed_goes_on_with_the_same_model(tmp_path: Path) -> None:
    from tree6g.engine import learning

    whole = ran(tmp_path / "whole", compression="int8", battery="5 kJ")
    calls, advance = [0], learning.advance

    def stops(*args: Any) -> None:
        calls[0] += 1
        if calls[0] == 45:
            raise KeyboardInterrupt
        advance(*args)

    again = scenario(compression="int8", battery="5 kJ")
    learning.advance = stops
    try:
        with pytest.raises(KeyboardInterrupt):
            run(again, out=tmp_path / "cut", checkpoint=2)
    finally:
        learning.advance = advance
    resumed = run(again, out=tmp_path / "cut", checkpoint=2)
    assert resumed.ledger.meta.control == whole.ledger.meta.control
    assert sums(resumed, "energy", "tier", "energy_j") == sums(whole, "energy", "tier", "energy_j")


def test_updates_after_the_deadline_are_left_out_and_rounds_go_on(tmp_path: Path) -> None:
    found = learnt(ran(tmp_path, deadline="30 ms", pause="0 s").ledger)
    assert found is not None
    assert len(found.rounds) == 4
    assert sum(one.arrived for one in found.rounds) == 0
    assert len({one.accuracy_frac for one in found.rounds}) == 1
    assert sum(found.energy_j.values()) > 0.0


def test_clients_with_empty_batteries_rest_until_they_are_charged(tmp_path: Path) -> None:
    small = {"battery": "0.2 J", "reserve_frac": 0.9, "clients_per_round": 6, "pause": "0 s"}
    tired = learnt(ran(tmp_path / "tired", **small).ledger)
    fed = learnt(ran(tmp_path / "fed", charge_power="1 W", **small).ledger)
    assert tired is not None
    assert fed is not None
    assert len(tired.rounds) == 1
    assert len(fed.rounds) == 4


@pytest.mark.parametrize("selection", ["random", "tree-aware"])
def test_a_battery_that_cannot_pay_for_a_round_takes_no_part_and_is_told(
    selection: str, tmp_path: Path
) -> None:
    def made(battery: str) -> RunResult:
        return ran(tmp_path / battery.replace(" ", ""), battery=battery, reserve_frac=0.1,
                   clients_per_round=6, pause="0 s", selection=selection)  # fmt: skip

    poor, rich = made("1 mJ"), made("1 kJ")
    assert learnt(rich.ledger).rounds[0].chosen == 6  # type: ignore[union-attr]
    assert not learnt(poor.ledger).rounds  # type: ignore[union-attr]
    told = [note for note in poor.ledger.meta.notes if "battery" in note]
    assert told == [
        "Learning: clients were passed over 6 times for a battery that could not pay for the round."
    ]
    assert not [note for note in rich.ledger.meta.notes if "battery" in note]


def test_no_client_computes_with_more_than_its_battery_held(tmp_path: Path) -> None:
    made = ran(tmp_path, battery="0.4 J", reserve_frac=0.0, clients_per_round=6, pause="0 s")
    computed_j = sums(made, "energy", "component", "energy_j")["npu"]
    found = learnt(made.ledger)
    assert found is not None
    assert [one.chosen for one in found.rounds] == [6, 6]
    assert 6 * 0.3 < computed_j <= 6 * 0.4


@pytest.mark.parametrize("method", ["fedit", "flora", "centralised"])
def test_adapters_send_less_and_samples_are_sent_once(method: str, tmp_path: Path) -> None:
    found = learnt(ran(tmp_path, method=method, rank=2, base_frac=0.3).ledger)
    whole = federation(dataclasses.replace(_plan(), method="fedavg"))
    assert found is not None
    assert len(found.rounds) == 4
    if method != "centralised":
        assert found.bit["bit_ul"] < 4 * 3 * whole.upload_bit(0)
    else:
        assert "bit_dl" not in found.bit
        assert [one.chosen for one in found.rounds] == [6, 0, 0, 0]
        assert found.energy_j["cloud"] > found.energy_j["device"]


def _plan() -> Any:
    world = build(load(scenario()), {})
    assert world.learning is not None
    return world.learning.federation.plan


@pytest.mark.parametrize("selection", ["energy-aware", "tree-aware"])
def test_other_ways_to_choose_clients_fill_rounds(selection: str, tmp_path: Path) -> None:
    found = learnt(ran(tmp_path, selection=selection, charge_power="1 W", concentration=0.5).ledger)
    assert found is not None
    assert [one.arrived for one in found.rounds] == [3] * 4


def test_a_server_that_is_out_takes_no_updates_and_begins_no_round(tmp_path: Path) -> None:
    out = scenario() | {"outages": [{"node": "region.llm", "from": "12 s", "to": "40 s"}]}
    found = learnt(run(out, out=tmp_path).ledger)
    assert found is not None
    begun = np.array([one.t0_s for one in found.rounds])
    assert not ((begun >= 12.0) & (begun < 40.0)).any()


FAULTS = {
    "name": ({"name": "video"}, "no service has"),
    "server": ({"at": "region.lm"}, "Did you mean 'region.llm'"),
    "clients": ({"clients": 17, "clients_per_round": 3}, "one client per user, 16; got 17"),
    "per-round": ({"clients_per_round": 7}, "at most the 6 clients; got 7"),
    "proximal": ({"proximal": 0.1}, "Use method: fedprox"),
    "classes": ({"base_classes": 3}, "Give base_frac"),
    "charging": ({"selection": "energy-aware"}, "Give charge_power"),
    "accelerator": ({"accelerator": "l5"}, "a row of table 'accelerators'"),
    "curve": ({"charge_curve": [1.0, 2.0]}, "expected 24 values"),
    "reserve": ({"battery": "1 Wh", "reserve": "100 %"}, "below 100 %"),
    "method": ({"method": "fedsgd"}, "fedavg"),
    "shift": ({"shift": "turned"}, "none without a base model; got 'turned'. Give base_frac"),
    "pictures": ({"model": "transformer", "data": "breast-cancer"}, "Use data: digits"),
    "no-layer": ({"model": "transformer", "hidden": []}, "Give hidden"),
    "heads": ({"model": "transformer", "heads": 5}, "a divisor of the width, 32; got 5"),
}


@pytest.mark.parametrize("which", FAULTS)
def test_a_fault_of_learning_is_told_with_its_place(which: str) -> None:
    changes, told = FAULTS[which]
    with pytest.raises(ScenarioError, match="learning") as caught:
        load(scenario(**changes))
    assert told in str(caught.value)


def test_an_edge_server_collects_from_its_own_site_alone() -> None:
    two = scenario(at="east.box")
    box = {"name": "box", "accelerator": "l4", "model": "llama-3.2-1b"}
    two["sites"][0]["servers"] = [box]
    with pytest.raises(ScenarioError, match="a server in a cloud, which clients of all sites"):
        load(two)
    one = two | {"sites": two["sites"][:1]}
    assert load(one).learning is not None
