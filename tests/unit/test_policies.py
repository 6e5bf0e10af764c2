"""Dispatch policies and how they are found."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint

import pytest

from tree6g.engine import policies
from tree6g.engine.policies import Option, Prospect, Query, choice
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


def _known(tier, expected_s=0.5, *, quality=1.0, running=0, queued=0, capacity=10, **ahead):
    prospect = Prospect(**ahead)
    return Option(
        node=f"x.{tier}", tier=tier, latency_s=0.0, expected_ttft_s=expected_s, running=running,
        queued=queued, capacity=capacity, quality_frac=quality, foresee=lambda: prospect,
    )  # fmt: skip


def test_least_loaded_counts_the_queue_and_the_size_of_the_batch():
    choose = policies.policy("least-loaded")
    options = [
        _known("device", running=1, capacity=1),
        _known("edge", running=4, queued=2, capacity=8),
        _known("cloud", running=60, capacity=100),
    ]
    assert choose(QUERY, options) == 2
    assert choose(QUERY, [_known("edge"), _known("cloud")]) == 0
    assert choose(QUERY, []) is None


def test_energy_greedy_takes_the_fewest_joules_whoever_pays_and_however_long_it_takes():
    choose = policies.policy("energy-greedy")
    options = [
        _known("device", 90.0, compute_j=5.0),
        _known("edge", compute_j=3.0, radio_j=1.5, terminal_j=0.6),
        _known("cloud", compute_j=2.0, radio_j=1.5, terminal_j=0.6, link_j=1.0),
    ]
    assert choose(QUERY, options) == 0
    assert choose(QUERY, options[1:]) == 0
    assert choose(QUERY, []) is None


def test_tree_greedy_weighs_worth_on_time_against_joules():
    choose = policies.policy("tree-greedy")
    cheap_late = _known("device", compute_j=1.0, worth_beq=10.0, on_time_beq=0.0)
    dear = _known("edge", compute_j=8.0, worth_beq=20.0, on_time_beq=20.0)
    fair = _known("cloud", compute_j=3.0, worth_beq=10.0, on_time_beq=9.0)
    assert choose(QUERY, [cheap_late, dear, fair]) == 2
    assert choose(QUERY, [cheap_late, dear]) == 1


def test_tree_greedy_never_refuses_what_comes_too_late():
    choose = policies.policy("tree-greedy")
    options = [_known("device", 9.0, compute_j=1.0), _known("edge", 4.0, compute_j=2.0)]
    assert choose(QUERY, options) == 1
    assert choose(QUERY, []) is None
    free = _known("cloud", on_time_beq=1.0)
    assert choose(QUERY, [*options, free]) == 2


def test_cheapest_on_time_takes_the_smallest_model_that_is_good_enough_and_in_time():
    choose = policies.policy("cheapest-on-time")
    query = dataclasses.replace(QUERY, tpot_budget_s=0.1, quality_min_frac=0.6)
    small = _known("device", quality=0.5, parameters=1e9)
    slow = _known("edge", quality=0.8, parameters=3e9, tpot_s=0.2)
    middle = _known("edge", quality=0.8, parameters=8e9, tpot_s=0.05)
    large = _known("cloud", quality=1.0, parameters=70e9, tpot_s=0.05)
    assert choose(query, [small, slow, large, middle]) == 3
    assert choose(query, [small, slow, large]) == 2
    assert choose(dataclasses.replace(query, quality_min_frac=0.0), [large, small]) == 1
    assert choose(query, [small]) == 0, "the best there is, if none is good enough"
    assert choose(query, [small, dataclasses.replace(slow, expected_ttft_s=8.0)]) == 1
    assert choose(query, []) is None


def test_a_service_that_does_not_stream_is_on_time_with_its_last_token():
    query = dataclasses.replace(QUERY, streams=False, ttft_budget_s=20.0, mean_output_tok=101)
    assert policies.on_time(query, _known("edge", 1.0, tpot_s=0.05))
    assert not policies.on_time(query, _known("edge", 1.0, tpot_s=0.1))


def test_split_best_shares_the_model_where_it_can_and_is_nearest_elsewhere():
    choose = policies.policy("split-best")
    assert choose(QUERY, [_known("device"), _known("split", 1.5), _known("split", 1.4)]) == 2
    assert choose(QUERY, [_known("device", 5.0), _known("edge", 0.9)]) == 1


def test_a_prospect_is_worked_out_only_when_it_is_asked_for():
    def never():
        raise AssertionError("asked")

    option = dataclasses.replace(_known("edge"), foresee=never)
    for name in ("nearest", "edge-only", "least-loaded"):
        assert policies.policy(name)(QUERY, [option]) == 0
