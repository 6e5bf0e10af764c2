"""Dispatch policies and how they are found."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from tree6g.engine import policies
from tree6g.engine.policies import Option, Query, choice
from tree6g.errors import ScenarioError

QUERY = Query(service="chat", site=0, arrival_s=0.0, prompt_tok=100, ttft_budget_s=2.0)


def _option(tier, expected_s):
    return Option(node=f"x.{tier}", tier=tier, latency_s=0.0, expected_ttft_s=expected_s, running=0)


def test_nearest_takes_the_first_that_is_well_within_the_budget():
    choose = policies.policy("nearest")
    options = [_option("device", 5.0), _option("edge", 0.9), _option("cloud", 0.1)]
    assert choose(QUERY, options) == 1
    options[1] = _option("edge", 1.5)
    assert choose(QUERY, options) == 2


def test_nearest_takes_the_quickest_if_nobody_keeps_the_budget():
    options = [_option("device", 9.0), _option("edge", 4.0), _option("cloud", 6.0)]
    assert policies.policy("nearest")(QUERY, options) == 1
    assert policies.policy("nearest")(QUERY, []) is None


@pytest.mark.parametrize("tier", ["device", "edge", "cloud"])
def test_one_tier_policies_take_the_quickest_of_their_tier_or_refuse(tier):
    choose = policies.policy(f"{tier}-only")
    others = [_option(t, 0.1) for t in ("device", "edge", "cloud") if t != tier]
    assert choose(QUERY, others) is None
    assert choose(QUERY, [*others, _option(tier, 9.0), _option(tier, 3.0)]) == 3


def test_a_policy_of_somebody_else_comes_by_its_entry_point(monkeypatch):
    point = EntryPoint("last", "tree6g.engine.policies.cloud_only:choose", policies.GROUP)
    monkeypatch.setattr(choice, "entry_points", lambda group: [point])
    assert policies.policy("last")(QUERY, [_option("cloud", 1.0)]) == 0


def test_an_unknown_policy_names_the_nearest():
    with pytest.raises(ScenarioError, match="edge-only"):
        policies.policy("edge-onyl")
