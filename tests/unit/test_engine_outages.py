"""Servers that fail in a run: who is sent elsewhere, who is lost, and what joules go on."""

from __future__ import annotations

import pytest

from engine_worlds import small, three_tiers
from tree6g.compute.batching import BatchServer, Job, Limits
from tree6g.engine.build import build
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.scenario.load import load

OUT = [{"node": "a.gpu", "from": "15 s", "to": "40 s"}]


def _rows(result, sql):
    return result.ledger.query(sql).to_pylist()


def _net(policy="nearest", **changes):
    plain = three_tiers(policy=policy, boundary="full", **changes)
    del plain["devices"]
    plain["sites"] = plain["sites"][:1]
    plain["population"]["ai_requests_per_user_hour"] = 120
    return plain


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    return run(_net(outages=OUT), out=tmp_path_factory.mktemp("run"))


def test_the_others_answer_while_a_server_is_out(failing):
    during = "arrival_s >= 15.5 and arrival_s < 39.5"
    nodes = {r["node"] for r in _rows(failing, f"select node from request where {during}")}
    assert nodes == {"cloud.big"}
    after = _rows(failing, "select node from request where arrival_s >= 40")
    assert "a.gpu" in {r["node"] for r in after}


def test_every_request_is_served_or_lost_once_and_every_joule_booked(failing):
    count = failing.requests
    assert count.arrived == count.served + count.lost
    assert count.lost > 0, "answers that were under way"
    assert not check(failing.ledger).problems
    sql = "select kind, sum(amount) n from work where kind like 'request%' group by kind"
    done = {row["kind"]: row["n"] for row in _rows(failing, sql)}
    assert done == {"request": count.served, "request_lost": count.lost}
    notes = " ".join(failing.ledger.meta.notes)
    assert f"{count.lost} answers under way were lost" in notes


def test_tokens_delivered_and_lost_are_those_that_were_asked_for(failing, tmp_path):
    whole = run(_net(), out=tmp_path / "whole")
    sql = "select sum(amount) tok from work where kind in ('token_out', 'token_lost')"
    assert _rows(failing, sql) == _rows(whole, sql)


def test_a_server_that_is_out_draws_its_idle_power(failing, tmp_path):
    whole = run(_net(), out=tmp_path / "whole")
    sql = "select sum(energy_j) j from energy where node = 'a.gpu' and state = 'idle'"
    assert _rows(failing, sql)[0]["j"] == pytest.approx(_rows(whole, sql)[0]["j"], rel=1e-12)
    sql = "select count(*) n from energy where node = 'a.gpu' and state = 'decode' and t0_s = 15"
    assert _rows(failing, sql)[0]["n"] == 0


def test_requests_without_a_token_are_sent_elsewhere_and_pay_the_time(tmp_path):
    seen = []

    def choose(query, options):
        seen.append((query.arrival_s, [option.node for option in options]))
        return 0

    trace = tmp_path / "two.csv"
    rows = [f"{t},4000,20" for t in (0, 9.7, 9.8, 9.9)]  # a trace begins with its first request
    trace.write_text("\n".join(["arrived_at,num_prefill_tokens,num_decode_tokens", *rows]), "utf-8")
    plain = _net(outages=[{"node": "a", "from": "10 s", "to": "1 h"}])
    plain["sites"][0]["servers"][0]["max_batch"] = 1
    result = run(plain, out=tmp_path / "out", policy=choose, trace=trace)
    again = [nodes for arrival_s, nodes in seen if arrival_s > 9.75 and nodes == ["cloud.big"]]
    assert len(again) == 2
    found = _rows(result, "select node, arrival_s, ttft_s from request where arrival_s > 9.75")
    assert {row["node"] for row in found} == {"cloud.big"}
    assert all(row["arrival_s"] + row["ttft_s"] > 10.0 for row in found)


def test_nobody_left_to_answer_means_lost(tmp_path):
    plain = small(duration="20 s", drain="10 s", outages=[OUT[0] | {"from": 0, "to": "1 h"}])
    result = run(plain, out=tmp_path / "out")
    assert result.requests.lost == result.requests.arrived > 0


def test_a_service_of_a_shared_model_goes_to_hosts_while_its_server_is_out(tmp_path):
    plain = three_tiers(boundary="full", duration="30 s", drain="30 s",
                        outages=[{"node": "a.gpu", "from": "10 s", "to": "1 h"}])  # fmt: skip
    plain["sites"] = plain["sites"][:1]
    plain["devices"]["capable_frac"] = 1.0
    plain["services"] = [{"kind": "ai", "name": "chat", "split": {"server": "gpu", "cut": "best"}}]
    result = run(plain, out=tmp_path / "out")
    late = _rows(result, "select cut_layer from request where arrival_s > 10")
    assert late
    assert all(row["cut_layer"] is None for row in late)
    assert result.requests.arrived == result.requests.served + result.requests.lost
    assert not check(result.ledger).problems


@pytest.mark.parametrize(
    ("outage", "said"),
    [
        ({"node": "a.gup"}, "got 'a.gup'. Did you mean 'a.gpu'?"),
        ({"to": "15 s"}, "expected an end after 15 s; got 15 s"),
        ({"from": "15.1 s", "to": "15.4 s"}, "an outage in which a step of 0.5 s starts; got 15.1"),
        ({"node": "b"}, "expected a server, a cell, or a site or a cloud with servers; got 'b'"),
    ],
)
def test_an_outage_names_a_server_and_ends_after_it_begins(outage, said):
    plain = three_tiers(outages=[OUT[0] | outage])
    with pytest.raises(ScenarioError) as caught:
        load(plain)
    assert said in str(caught.value)


def test_a_server_that_dropped_its_jobs_works_as_a_new_one():
    replica = build(load(small()), {}).hosts[0].replica
    limits = Limits(max_sequences=4, token_budget=512, kv_capacity_tok=replica.kv_capacity_tok)
    server, other = BatchServer(replica, limits), BatchServer(replica, limits)
    server.submit(Job(id=1, arrival_s=0.0, prompt_tok=100, output_tok=500))
    server.submit(Job(id=2, arrival_s=9.0, prompt_tok=100, output_tok=5))
    server.advance(2.0)
    found = server.abandon()
    assert [job for job, _ in found] == [1, 2]
    assert found[0][1] > 10
    assert found[1][1] == 0
    assert (server.running, server.queued, server.waiting_tok) == (0, 0, 0.0)
    assert server.advance(3.0).usage.decode_s == 0.0
    for one in (server, other):
        one.submit(Job(id=7, arrival_s=4.0, prompt_tok=100, output_tok=50))
    assert server.advance(20.0).leaves_s.tolist() == other.advance(20.0).leaves_s.tolist()
