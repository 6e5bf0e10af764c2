"""A shared model as one of the options of a dispatch policy."""

from __future__ import annotations

import pytest

from engine_worlds import three_tiers
from tree6g.engine.run import run


def _shared(dispatch, **changes):
    plain = three_tiers(duration="20 s", drain="60 s", boundary="full", **changes)
    plain["sites"] = plain["sites"][:1]
    plain["devices"]["capable_frac"] = 1.0
    plain["services"] = [
        {"kind": "ai", "name": "chat", "split": {"server": "gpu", "cut": "best",
                                                 "dispatch": dispatch}},
    ]  # fmt: skip
    return plain


def _cuts(result):
    rows = result.ledger.query(
        "select node, count(cut_layer) cut, count(*) n from request group by node"
    )
    return {row["node"]: (row["cut"], row["n"]) for row in rows.to_pylist()}


def test_the_option_stands_beside_the_hosts_and_is_named_split(tmp_path):
    seen = []

    def watch(query, options):
        seen.append([(option.tier, option.prospect) for option in options])
        return len(options) - 1

    result = run(_shared("policy"), out=tmp_path / "out", policy=watch)
    assert [tier for tier, _ in seen[0]] == ["device", "edge", "cloud", "split"]
    ahead = seen[0][-1][1]
    assert ahead.energy_j > 0.0
    assert ahead.tpot_s > 0.0
    assert ahead.worth_beq >= ahead.on_time_beq
    (node,) = _cuts(result)
    assert node == "a.gpu"
    assert _cuts(result)[node][0] == result.requests.served > 0


def test_split_best_is_what_always_sharing_is(tmp_path):
    rows = []
    for name, dispatch, policy in (("x", "always", "nearest"), ("y", "policy", "split-best")):
        result = run(_shared(dispatch, policy=policy), out=tmp_path / name)
        found = result.ledger.query("select id, node, cut_layer, ttft_s, e2e_s from request")
        rows.append(found.sort_by("id").to_pylist())
    assert rows[0] == rows[1]


def test_other_policies_may_leave_the_split_alone(tmp_path):
    result = run(_shared("policy", policy="edge-only"), out=tmp_path / "out")
    assert all(cut == 0 for cut, _ in _cuts(result).values())


@pytest.mark.parametrize("policy", ["energy-greedy", "tree-greedy", "least-loaded", "nearest"])
def test_every_policy_can_weigh_it(tmp_path, policy):
    result = run(_shared("policy", policy=policy), out=tmp_path / policy)
    assert result.requests.arrived == result.requests.served + result.requests.lost
