"""The array form of a policy against its form for a single request."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_worlds import small, three_tiers
from tree6g.engine import choosing, policies
from tree6g.engine.build import build
from tree6g.engine.policies import Option, Query, table
from tree6g.engine.run import run
from tree6g.scenario.load import load

WITH_ARRAYS = ("nearest", "edge-only", "cloud-only", "device-only", "least-loaded")
COLUMNS = ("node", "ttft_s", "e2e_s")
hosts = st.lists(
    st.tuples(
        st.sampled_from(table.TIERS),
        st.floats(0.0, 9.0) | st.sampled_from((0.1, 1.0)),  # equal times are common
        st.integers(0, 9),
        st.integers(0, 9),
        st.integers(1, 9),
        st.sampled_from((0.0, 0.01)),
    ),
    max_size=6,
)


@pytest.mark.parametrize("name", WITH_ARRAYS)
@given(hosts=hosts, budget_s=st.floats(0.01, 10.0) | st.just(math.inf))
def test_both_forms_choose_the_same_option(name, hosts, budget_s):
    query = Query(service="chat", site=0, arrival_s=0.0, prompt_tok=1, ttft_budget_s=budget_s)
    options = [
        Option(node="x", tier=tier, latency_s=latency_s, expected_ttft_s=ttft_s, running=running,
               queued=queued, capacity=capacity)
        for tier, ttft_s, running, queued, capacity, latency_s in hosts
    ]  # fmt: skip
    asked, columns = np.zeros(table.ASKED), np.zeros((table.OPTIONS, 6))
    asked[table.BUDGET_S] = budget_s
    for i, option in enumerate(options):
        columns[table.TTFT_S, i] = option.expected_ttft_s
        columns[table.LOAD_FRAC, i] = option.load_frac
        columns[table.LATENCY_S, i] = option.latency_s
        columns[table.TIER, i] = table.TIERS.index(option.tier)
    policy = policies.policy(name)
    pick = choosing.array_form(policy)
    found = pick(asked, columns, len(options))
    assert (None if found < 0 else found) == policy(query, options)


def test_a_policy_of_ones_own_has_no_array_form():
    assert choosing.array_form(lambda query, options: 0) is None


@pytest.fixture(scope="module")
def crowded():
    """Two small servers at a site, one that fails, and a cloud; more requests than places."""
    plain = three_tiers(duration="12 s", drain="10 s", step="1 s", ledger_interval="5 s")
    del plain["devices"]
    plain["population"] = {"users": 30, "ai_requests_per_user_hour": 900}
    first = plain["sites"][0]["servers"][0] | {"max_batch": 2}
    plain["sites"][0]["servers"] = [first, first | {"name": "second", "max_batch": 4}]
    plain["outages"] = [
        {"node": "a.second", "from": "4 s", "to": "7 s"},
        {"node": "b", "what": "cells", "from": "8 s", "to": "10 s"},
    ]
    return plain


@pytest.mark.parametrize("name", ["nearest", "edge-only", "least-loaded"])
def test_all_requests_of_a_step_go_where_they_would_one_by_one(tmp_path, crowded, name):
    policy = policies.policy(name)
    asked = []

    def one_by_one(query, options):
        asked.append(query)
        return policy(query, options)

    at_once = run(crowded, out=tmp_path / "all", policy=policy)
    each = run(crowded, out=tmp_path / "each", policy=one_by_one)
    assert len(asked) >= each.requests.arrived > 100
    assert at_once.requests == each.requests
    sql = f"select id, {', '.join(COLUMNS)} from request order by id"
    rows = at_once.ledger.query(sql).to_pylist()
    assert rows == each.ledger.query(sql).to_pylist()
    assert len({row["node"] for row in rows}) > 1
    sql = "select * from energy order by all"
    assert at_once.ledger.query(sql).equals(each.ledger.query(sql))


def test_hosts_that_are_terminals_are_asked_one_by_one():
    world = build(load(three_tiers()), {}, None, None)
    assert not choosing.applies(world)
    assert choosing.applies(build(load(small()), {}, None, None))


def test_the_compiled_loop_finds_the_same_hosts(crowded):
    pytest.importorskip("numba")
    rule = choosing.array_form(policies.policy("nearest"))
    found = []
    for compiled in (True, False):
        world = build(load(crowded), {}, None, None)
        loop = choosing.loop_of(rule, compiled=compiled)
        found.append(choosing.choose(world, np.arange(len(world.requests)), loop=loop))
    assert np.array_equal(*found)
    assert len(set(found[0].tolist())) > 1


@pytest.mark.parametrize("name", ["nearest", "cloud-only"])
def test_servers_at_one_place_share_the_requests_of_a_step(tmp_path, name):
    plain = three_tiers(duration="60 s", step="30 s", ledger_interval="30 s", policy=name)
    del plain["devices"]
    plain["population"] = {"users": 30, "ai_requests_per_user_hour": 120}
    for site in plain["sites"]:
        site["servers"] = []
    first = plain["clouds"][0]["servers"][0]
    plain["clouds"][0]["servers"] = [first, first | {"name": "second"}, first | {"name": "third"}]
    result = run(plain, out=tmp_path)
    rows = result.ledger.query("select node, count(*) n from request group by node").to_pylist()
    shares = [row["n"] / result.requests.served for row in rows]
    assert len(shares) == 3
    assert max(shares) < 0.45
