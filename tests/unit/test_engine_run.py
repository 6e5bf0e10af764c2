"""Runs of small networks: accounts that balance, seeds that repeat, requests that add up."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from engine_worlds import small, three_tiers
from tree6g.engine.run import run
from tree6g.errors import InfeasibleError, LedgerError, ScenarioError
from tree6g.ledger.check import check


def _rows(result, sql):
    return result.ledger.query(sql).to_pylist()


def _sum(result, kind, service=None):
    where = f" AND service = '{service}'" if service else ""
    text = f"SELECT coalesce(sum(amount), 0) AS n FROM work WHERE kind = '{kind}'{where}"
    return _rows(result, text)[0]["n"]


@pytest.fixture(scope="module", params=[small, three_tiers])
def result(request, tmp_path_factory):
    return run(request.param(), out=tmp_path_factory.mktemp("run"))


def test_rows_sum_to_the_independent_power_integral_of_every_node(result):
    control = result.ledger.meta.control["energy_j"]
    rows = _rows(result, "SELECT node, sum(energy_j) AS e FROM energy GROUP BY node")
    assert {r["node"] for r in rows} == set(control)
    for row in rows:
        assert row["e"] == pytest.approx(control[row["node"]], rel=1e-9)


def test_the_ledger_passes_its_own_check(result):
    report = check(result.ledger)
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9


def test_every_request_is_served_or_lost(result):
    count = result.requests
    assert count.arrived == count.served + count.lost > 0
    assert count.on_time <= count.served
    assert _sum(result, "request") == count.served
    assert _sum(result, "request_lost") == count.lost
    assert result.ledger.rows()["request"] == count.served


def test_tokens_are_delivered_or_lost_and_late_ones_are_part_of_them(result):
    rows = _rows(result, "SELECT token_in, token_out, token_late, token_in_late FROM request")
    assert _sum(result, "token_out") >= sum(r["token_out"] for r in rows)
    assert _sum(result, "token_late") <= _sum(result, "token_out")
    assert _sum(result, "token_in_late") <= _sum(result, "token_in")
    for row in rows:
        assert row["token_late"] <= row["token_out"]
        assert row["token_in_late"] in {0.0, row["token_in"]}


def test_bits_that_were_offered_are_delivered_or_lost(result):
    for service in ("meters", "files"):
        kind = "bit_ul" if service == "meters" else "bit_dl"
        size = 16_000.0 if service == "meters" else 24e6
        delivered, lost = _sum(result, kind, service), _sum(result, "bit_lost", service)
        assert (delivered + lost) % size == pytest.approx(0.0, abs=1e-3)
        assert delivered > 0.0


def test_the_carrier_is_never_used_more_than_all_the_time(result):
    rows = _rows(
        result,
        "SELECT t1_s - t0_s AS dt, sum(demand) AS s FROM work WHERE demand_unit = 's' "
        "GROUP BY node, t0_s, t1_s",
    )
    assert rows
    assert all(0.0 <= r["s"] <= r["dt"] * (1.0 + 1e-9) for r in rows)


def test_times_of_a_request_are_in_order(result):
    for row in _rows(result, "SELECT * FROM request"):
        assert 0.0 < row["ttft_s"] <= row["e2e_s"]
        if row["tpot_s"] is not None:
            steps = row["tpot_s"] * (row["token_out"] - 1)
            assert row["e2e_s"] == pytest.approx(row["ttft_s"] + steps)


def test_idle_and_dynamic_energy_stand_apart(result):
    states = {
        r["state"]: r["e"]
        for r in _rows(
            result,
            "SELECT state, sum(energy_j) AS e FROM energy WHERE component = 'gpu' GROUP BY state",
        )
    }
    assert set(states) == {"idle", "prefill", "decode"}
    assert min(states.values()) > 0.0


def test_site_overhead_is_its_part_of_the_equipment(result):
    rows = _rows(
        result,
        "SELECT node, sum(energy_j) FILTER (component = 'cooling') AS c, "
        "sum(energy_j) FILTER (component <> 'cooling') AS e FROM energy GROUP BY node",
    )
    overhead = {r["node"]: (r["c"] or 0.0) / r["e"] for r in rows}
    assert overhead["a.cell"] == pytest.approx(0.2)
    assert overhead["a.gpu"] == pytest.approx(0.2)
    assert overhead["a.devices"] == 0.0


def test_phase_weights_give_back_the_busy_time(result):
    weights = {(w["node"], w["kind"]): w["weight"] for w in result.ledger.meta.phase_weights}
    assert 0.0 < weights["a.gpu", "token_in"] < weights["a.gpu", "token_out"]


def test_the_figure_of_a_run_is_defined(result):
    figure = result.tree()
    assert figure.tree_beq_per_j > 0.0
    assert figure.coverage_frac == 1.0
    assert figure.conservation_error_frac <= 1e-9


def test_the_header_says_how_many_requests_a_user_sends(result):
    rate = result.requests_per_user_hour
    assert result.ledger.meta.control["requests_per_user_hour"] == rate
    (note,) = [n for n in result.ledger.meta.notes if "(requests_per_user_hour)" in n]
    assert ("stress test" in note) == (rate > 10.0)


def _bytes(folder):
    files = sorted(p for p in (folder / "ledger").rglob("*") if p.suffix in {".parquet", ".json"})
    return [hashlib.sha256(p.read_bytes()).hexdigest() for p in files]


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        run(three_tiers(), out=tmp_path / name)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def test_another_seed_writes_another_ledger(tmp_path):
    one, two = (run(small(), out=tmp_path / str(s), seed=s) for s in (1, 2))
    assert one.scenario.seed == 1
    assert one.tree().energy_j != two.tree().energy_j


def test_a_second_run_replaces_the_ledger(tmp_path):
    first = run(small(), out=tmp_path)
    second = run(small(), out=tmp_path)
    assert first.ledger.path == second.ledger.path
    assert first.tree().energy_j == second.tree().energy_j


def test_answers_come_from_where_the_policy_says(tmp_path):
    for policy, tiers in (
        ("edge-only", {"edge"}),
        ("cloud-only", {"cloud"}),
        ("device-only", {"device"}),
        ("nearest", {"device", "edge", "cloud"}),
    ):
        result = run(three_tiers(policy=policy), out=tmp_path / policy)
        rows = _rows(result, "SELECT DISTINCT tier FROM work WHERE kind = 'token_out'")
        assert {r["tier"] for r in rows} == tiers


def test_a_request_that_nobody_may_answer_is_lost_at_its_cell(tmp_path):
    result = run(three_tiers(policy="edge-only"), out=tmp_path)
    lost = _rows(result, "SELECT DISTINCT node FROM work WHERE kind = 'request_lost'")
    assert "b.cell" in {r["node"] for r in lost}
    assert _sum(result, "token_in_lost") > 0.0


def test_a_policy_may_be_an_object(tmp_path):
    asked = []

    def refuse(query, options):
        asked.append((query.service, [o.tier for o in options]))

    result = run(small(), out=tmp_path, policy=refuse)
    assert result.requests.lost == result.requests.arrived == len(asked)
    assert set(map(str, asked)) == {"('chat', ['edge'])"}


def test_traffic_to_the_cloud_crosses_its_link(tmp_path):
    result = run(three_tiers(policy="cloud-only"), out=tmp_path)
    carried = _rows(
        result,
        "SELECT node, service, sum(amount) AS bit, sum(demand) AS d FROM work "
        "WHERE kind = 'bit_carried' GROUP BY ALL",
    )
    chat = sum(r["bit"] for r in carried if r["service"] == "chat")
    assert chat == pytest.approx(
        _sum(result, "bit_ul", "chat") + _sum(result, "bit_dl", "chat"), rel=0.02
    )
    assert {r["node"] for r in carried} == {"a-cloud.link", "b-cloud.link"}
    assert all(r["bit"] == r["d"] for r in carried)
    outside = result.tree(boundary="operator").outside
    assert "cloud.big" in outside


def test_impatient_users_leave_and_their_requests_are_lost(tmp_path):
    plain = small(population={"users": 30, "ai_requests_per_user_hour": 2000})
    plain["services"][0]["patience"] = "3 s"
    result = run(plain, out=tmp_path)
    assert result.requests.lost > 0
    waited = _rows(result, "SELECT max(ttft_s) AS t FROM request")[0]["t"]
    assert waited < 3.5


def test_who_would_wait_too_long_for_a_terminal_gives_up(tmp_path):
    plain = three_tiers(policy="device-only")
    plain["population"] = {"users": 4, "ai_requests_per_user_hour": 600}
    plain["services"][0]["patience"] = "1 s"
    result = run(plain, out=tmp_path)
    rows = _rows(result, "SELECT max(ttft_s) AS t FROM request")
    assert result.requests.lost > 0
    assert rows[0]["t"] <= 1.0


def test_what_is_unfinished_at_the_end_is_lost(tmp_path):
    plain = small(drain="0 s", duration="30 s")
    result = run(plain, out=tmp_path)
    assert result.requests.lost > 0
    rows = _rows(result, "SELECT max(t1_s) AS t FROM energy")
    assert rows[0]["t"] == 30.0


def test_a_trace_gives_arrivals_lengths_and_duration(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,100,10\n1.5,200,20\n47,50,5\n")
    result = run(small(), out=tmp_path / "run", trace=path)
    assert result.requests.arrived == result.requests.served == 3
    assert _sum(result, "token_in") == 350.0
    assert _sum(result, "token_out") == 35.0
    assert _rows(result, "SELECT max(t1_s) AS t FROM energy")[0]["t"] == 90.0
    assert result.requests_per_user_hour == pytest.approx(3 / 30 / (47 / 3600))


def test_a_request_at_the_very_end_of_a_trace_still_arrives(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,10,2\n60,10,2\n")
    result = run(small(drain="0 s"), out=tmp_path / "run", trace={"chat": path})
    assert result.requests.arrived == result.requests.served == 2


def test_a_trace_for_a_service_that_there_is_not_is_refused(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,10,2\n60,10,2\n")
    with pytest.raises(ScenarioError, match="chat"):
        run(small(), out=tmp_path / "run", trace={"chatt": path})


def test_services_without_streaming_deliver_all_at_their_deadline_rule(tmp_path):
    plain = small()
    plain["services"][0]["token_class"] = "background-summary"
    result = run(plain, out=tmp_path)
    assert result.requests.on_time == result.requests.served > 0
    rows = _rows(result, "SELECT ttft_s, e2e_s FROM request")
    assert all(r["ttft_s"] == pytest.approx(r["e2e_s"]) for r in rows)


def test_larger_chunks_send_fewer_bits(tmp_path):
    bits = []
    for tokens in (1, 8):
        plain = small()
        plain["services"][0]["tokens_per_chunk"] = tokens
        result = run(plain, out=tmp_path / str(tokens))
        bits.append(_sum(result, "bit_dl", "chat"))
        assert _sum(result, "token_out") > 0
    assert bits[1] < 0.25 * bits[0]


def test_a_network_without_ai_runs_and_its_tree_is_its_ee(tmp_path):
    plain = small(services=small()["services"][1:])
    result = run(plain, out=tmp_path)
    assert result.requests.arrived == 0
    figure = result.tree()
    assert figure.tree_beq_per_j == figure.ee_bit_per_j > 0.0


def test_reserved_spectrum_is_taken_from_the_others(tmp_path):
    late = []
    for share in (0.02, 0.9):
        plain = small()
        plain["sites"][0]["base_station"]["uplink_share"] = {"meters": share}
        result = run(plain, out=tmp_path / str(share))
        late.append(_sum(result, "bit_late", "meters"))
    assert late[0] > late[1]


def test_spectrum_that_leaves_nothing_for_the_others_is_refused(tmp_path):
    plain = small()
    plain["sites"][0]["base_station"]["uplink_share"] = {"meters": 1.0}
    with pytest.raises(ScenarioError, match="uplink spectrum for chat"):
        run(plain, out=tmp_path)


def test_a_relative_base_station_asks_for_its_anchor(tmp_path):
    plain = small()
    plain["sites"][0]["base_station"] = {"model": "tr38864-cat1-set1"}
    with pytest.raises(ScenarioError, match=r"sites\.0\..*anchor_power: expected anchor_power"):
        run(plain, out=tmp_path)


def test_a_model_that_does_not_fit_is_refused_with_its_server(tmp_path):
    plain = small()
    plain["sites"][0]["servers"][0]["model"] = "llama-3.1-70b"
    with pytest.raises(InfeasibleError, match="server 'gpu' of 'a'"):
        run(plain, out=tmp_path)


def test_progress_is_told_until_all_is_done(tmp_path):
    told = []
    run(small(), out=tmp_path, progress=lambda share, phase: told.append((share, phase)))
    assert told[-1][0] == 1.0
    assert np.all(np.diff([share for share, _ in told]) > 0.0)


def test_finer_steps_change_the_figure_little(tmp_path):
    figures = [
        run(small(step=step), out=tmp_path / step.replace(" ", "")).tree()
        for step in ("0.5 s", "0.1 s")
    ]
    assert figures[0].energy_j == pytest.approx(figures[1].energy_j, rel=0.02)
    assert figures[0].service("chat").tokens_out_tok == pytest.approx(
        figures[1].service("chat").tokens_out_tok, rel=0.01
    )


def test_a_run_replaces_only_an_earlier_run_of_its_scenario(tmp_path):
    run(small(), out=tmp_path)
    run(small(), out=tmp_path, seed=2)
    with pytest.raises(LedgerError, match="Choose another folder"):
        run({**small(), "name": "another"}, out=tmp_path)
    assert not [p for p in tmp_path.iterdir() if p.name != "ledger"]


def test_the_traces_are_part_of_the_configuration(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,input_tokens,output_tokens\n0.5,100,5\n1.5,80,4\n")
    drawn = run(small(), out=tmp_path / "drawn").ledger.meta
    replayed = run(small(), out=tmp_path / "replayed", trace=trace).ledger.meta
    assert replayed.scenario_hash != drawn.scenario_hash
    assert any("trace.csv" in note for note in replayed.notes)
