"""Runs at the edge of what a scenario may say: nothing to send, all at once, names that collide."""

from __future__ import annotations

import pytest

from engine_worlds import small, three_tiers
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check


def _trace(path, rows):
    lines = (",".join(map(str, row)) for row in rows)
    path.write_text("\n".join(["arrival_s,input_tokens,output_tokens", *lines, ""]))
    return path


@pytest.mark.parametrize("rows", [[(0, 10, 1)], [(0, 10, 3)] * 4])
def test_a_trace_that_comes_all_at_once_keeps_the_duration_of_the_scenario(tmp_path, rows):
    result = run(small(), out=tmp_path / "run", trace=_trace(tmp_path / "t.csv", rows))
    assert result.requests.arrived == result.requests.served == len(rows)
    assert result.requests_per_user_hour == pytest.approx(len(rows) / 30 / (60 / 3600))
    assert result.ledger.query("SELECT max(t1_s) AS t FROM energy").to_pylist()[0]["t"] == 90.0


def test_a_service_beside_a_trace_of_one_instant_is_drawn_over_the_duration(tmp_path):
    chat, meters, files = small()["services"]
    services = [chat | {"request_share": 0.5}, chat | {"name": "b", "request_share": 0.5}]
    trace = {"chat": _trace(tmp_path / "t.csv", [(0, 10, 3)])}
    result = run(small(services=[*services, meters, files]), out=tmp_path / "run", trace=trace)
    assert result.requests.arrived > 1


@pytest.mark.parametrize("sizes", [{"prompt_byte_per_tok": 0, "request_overhead_byte": 0},
                                   {"chunk_byte": 0}])  # fmt: skip
def test_messages_without_bits_take_no_air_and_no_energy(tmp_path, sizes):
    services = [small()["services"][0] | sizes]
    result = run(small(services=services), out=tmp_path)
    assert result.requests.served == result.requests.arrived > 0
    assert check(result.ledger).conservation_error_frac <= 1e-9


@pytest.mark.parametrize("name", ["cell", "devices", "shared"])
def test_a_server_may_not_take_the_name_of_another_node(tmp_path, name):
    plain = three_tiers()
    plain["sites"][0]["base_station"]["operator_share"] = 0.5  # the others pay at a node
    plain["sites"][0]["servers"][0]["name"] = name
    with pytest.raises(ScenarioError, match=f"a.{name}"):
        run(plain, out=tmp_path)


@pytest.mark.parametrize("choice", [-1, 7, 0.0, "edge"])
def test_a_policy_that_chooses_what_there_is_not_is_told_so(tmp_path, choice):
    with pytest.raises(ScenarioError, match="index of an option"):
        run(small(), out=tmp_path, policy=lambda _query, _options: choice)


def test_a_context_larger_than_the_memory_of_a_terminal_is_refused(tmp_path):
    plain = three_tiers(policy="device-only", drain="20 min", ledger_interval="1 min", step="10 s")
    plain["devices"] |= {"model": "llava-1.5-7b", "weights": "int4", "capable_frac": 1}
    plain["services"][0]["patience"] = "1 d"
    trace = _trace(tmp_path / "t.csv", [(0, 20_000, 2), (1, 100, 2)])
    result = run(plain, out=tmp_path / "run", trace=trace)
    assert (result.requests.served, result.requests.lost) == (1, 1)


def test_a_share_of_terminals_is_rounded_to_the_nearest_whole(tmp_path):
    plain = three_tiers(policy="device-only", population={"users": 1})
    plain["devices"]["capable_frac"] = 0.9999
    trace = _trace(tmp_path / "t.csv", [(0, 10, 2)])
    assert run(plain, out=tmp_path / "run", trace=trace).requests.served == 1


@pytest.mark.parametrize("step", ["0.1 s", "5 s"])
def test_a_burst_within_one_step_does_not_all_go_to_the_nearest(tmp_path, step):
    trace = _trace(tmp_path / "t.csv", [(0.01 * n, 3000, 20) for n in range(40)])
    worst = {}
    for policy in ("nearest", "edge-only", "cloud-only"):
        plain = three_tiers(step=step, devices=None, policy=policy)
        result = run(plain, out=tmp_path / policy, trace=trace)
        (row,) = result.ledger.query("SELECT max(ttft_s) AS s FROM request").to_pylist()
        worst[policy] = row["s"]
    # A dispatch that forgets whom it has sent in this step sends all of them to one server.
    assert worst["nearest"] < 0.9 * min(worst["edge-only"], worst["cloud-only"])


def test_a_terminal_sends_with_full_power_whatever_its_part_of_the_band(tmp_path):
    plain = small(services=[small()["services"][1] | {"arrival": "periodic"}])
    plain["sites"][0]["base_station"] |= {"uplink_share": {"meters": 0.25}, "downlink_frac": 0.6}
    ledger = run(plain, out=tmp_path).ledger
    text = "SELECT sum({}) AS n FROM {} WHERE {}"
    carrier_s = ledger.query(text.format("demand", "work", "kind = 'bit_ul'")).to_pylist()[0]["n"]
    joules = ledger.query(text.format("energy_j", "energy", "component = 'terminal'"))
    assert joules.to_pylist()[0]["n"] == pytest.approx(2.5 * carrier_s / 0.25)


@pytest.mark.parametrize(("rate", "said"), [("1 Mbit/s", True), ("10 Gbit/s", False)])
def test_a_link_that_is_asked_for_most_of_its_rate_is_noted(tmp_path, rate, said):
    plain = three_tiers(links=[{"to": "cloud", "rate": rate}])
    notes = run(plain, out=tmp_path).ledger.meta.notes
    assert any("link to cloud" in note for note in notes) is said
