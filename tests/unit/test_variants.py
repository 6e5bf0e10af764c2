"""A model in several formats: what each is worth, in the ledger, in figures and for policies."""

from __future__ import annotations

import dataclasses

import pytest

import tree6g
from engine_worlds import three_tiers
from tree6g.engine import policies, run
from tree6g.engine.build import build
from tree6g.engine.policies import Option, Prospect, Query
from tree6g.errors import ScenarioError
from tree6g.optimise.placing.setups import setups
from tree6g.scenario.load import load

QUERY = Query(
    service="chat", site=0, arrival_s=0.0, prompt_tok=100, ttft_budget_s=2.0, tpot_budget_s=0.2,
    mean_output_tok=200.0, tree_beq_per_j=10.0,
)  # fmt: skip
SHORT = {"duration": "20 s", "drain": "10 s", "ledger_interval": "10 s", "step": "1 s"}


def _variants(**changes):
    """One model in 4 bits on terminals and at the edge, and whole in the cloud."""
    plain = three_tiers(**SHORT, boundary="full", **changes)
    model = "llama-3.2-1b"
    plain["devices"] |= {"model": model, "weights": "int4"}
    plain["sites"][0]["servers"][0] |= {"model": model, "weights": "int4"}
    plain["clouds"][0]["servers"][0] |= {"model": model, "weights": "fp16"}
    plain["services"][0]["quality"] = {model: 0.8, f"{model} int4": 0.6}
    return plain


def test_the_ledger_tells_formats_apart_where_a_quality_is_stated_for_them(tmp_path):
    plain = _variants(policy="least-loaded")
    result = tree6g.run(plain, out=tmp_path / "out")
    rows = result.ledger.query(
        "select model, sum(case kind when 'token_out' then amount when 'token_late' then -amount"
        " when 'token_in' then 0.2 * amount when 'token_in_late' then -0.2 * amount else 0 end) n"
        " from work where model is not null group by all order by 1"
    ).to_pylist()
    assert [row["model"] for row in rows] == ["llama-3.2-1b", "llama-3.2-1b int4"]
    worth_beq = 1e4 * (0.8 * rows[0]["n"] + 0.6 * rows[1]["n"])
    figure = result.tree().service(plain["services"][0]["name"])
    assert figure.utility_beq == pytest.approx(worth_beq, rel=1e-9)


def test_a_format_without_a_quality_of_its_own_has_that_of_its_model(tmp_path):
    plain = _variants(policy="edge-only")
    plain["services"][0]["quality"] = {"llama-3.2-1b": 0.5}
    of_model = tree6g.run(plain, out=tmp_path / "a").tree().tree_beq_per_j
    plain["services"][0]["quality"] = {"llama-3.2-1b": 0.1, "llama-3.2-1b int4": 0.5}
    of_format = tree6g.run(plain, out=tmp_path / "b").tree().tree_beq_per_j
    assert of_format == pytest.approx(of_model, rel=1e-12)


def test_placement_offers_a_model_in_the_formats_whose_quality_will_do():
    plain = _variants()
    assert {s.model for s in setups(build(load(plain), {}), frozenset())} == {
        "llama-3.2-1b", "llama-3.2-1b int4",
    }  # fmt: skip
    plain["services"][0]["quality_min"] = 0.7
    assert {s.model for s in setups(build(load(plain), {}), frozenset())} == {"llama-3.2-1b"}


def test_a_quality_of_an_unknown_model_or_format_is_refused():
    plain = _variants()
    plain["services"][0]["quality"] = {"llama-3.2-1b int3": 0.5, "lama int4": 0.5}
    with pytest.raises(ScenarioError, match=r"llama-3\.2-1b int[48]") as caught:
        load(plain)
    assert "lama int4" in str(caught.value)


def test_the_price_of_a_joule_is_the_tree_of_the_run_so_far(tmp_path):
    told = []

    def watch(query, options):
        told.append((query.arrival_s, query.tree_beq_per_j))
        return len(options) - 1

    plain = _variants() | {"duration": "30 s"}
    result = tree6g.run(plain, out=tmp_path / "out", policy=watch)
    assert {price for at_s, price in told if at_s < 10.0} == {0.0}
    for first_s in (10.0, 20.0):
        figure = result.tree(t0_s=0.0, t1_s=first_s)
        prices = {price for at_s, price in told if first_s <= at_s < first_s + 9.0}
        assert prices
        assert list(prices) == [pytest.approx(figure.tree_beq_per_j, rel=1e-9)]


def _option(tier, beq, joules, first_s=0.5, **more):
    quality = more.pop("quality", 1.0)
    prospect = Prospect(
        **{"on_time_beq": beq, "worth_beq": beq, "compute_j": joules, "tpot_s": 0.05, **more}
    )
    return Option(
        node=f"x.{tier}", tier=tier, latency_s=0.0, expected_ttft_s=first_s, running=0,
        quality_frac=quality, foresee=lambda: prospect,
    )  # fmt: skip


CHOOSE = policies.policy("adaptive-compression")


def test_a_better_answer_is_taken_as_long_as_its_joules_earn_less_elsewhere():
    small, large = _option("device", 700.0, 10.0), _option("cloud", 1000.0, 35.0)
    assert CHOOSE(QUERY, [small, large]) == 1
    dear = dataclasses.replace(QUERY, tree_beq_per_j=20.0)
    assert CHOOSE(dear, [small, large]) == 0
    nothing_known = dataclasses.replace(QUERY, tree_beq_per_j=0.0)
    assert CHOOSE(nothing_known, [small, large]) == 0, "the fewest joules"


def test_load_and_link_take_a_variant_out_that_would_be_late():
    small, large = _option("edge", 700.0, 10.0), _option("cloud", 1000.0, 11.0)
    assert CHOOSE(QUERY, [small, large]) == 1
    queued = _option("cloud", 1000.0, 11.0, first_s=1.2)
    far = _option("cloud", 1000.0, 11.0, uplink_s=0.6)
    full = _option("cloud", 1000.0, 11.0, tpot_s=0.3)
    slow = _option("cloud", 1000.0, 11.0, downlink_s=50.0)
    for late in (queued, far, full, slow):
        assert CHOOSE(QUERY, [small, late]) == 0
    assert CHOOSE(QUERY, [queued, far]) == 1, "the one that answers first, if none is in time"
    assert CHOOSE(QUERY, []) is None


def test_a_terminal_may_use_the_whole_budget_for_nobody_comes_in_between():
    assert CHOOSE(QUERY, [_option("device", 700.0, 1.0, 1.8), _option("edge", 700.0, 9.0)]) == 0
    assert CHOOSE(QUERY, [_option("edge", 700.0, 1.0, 1.8), _option("edge", 700.0, 9.0)]) == 1


def test_variants_below_the_least_quality_are_left_out():
    query = dataclasses.replace(QUERY, quality_min_frac=0.8)
    options = [_option("device", 700.0, 1.0, quality=0.7), _option("edge", 900.0, 80.0)]
    assert CHOOSE(query, options) == 1
    assert CHOOSE(query, options[:1]) == 0, "the best there is"


def test_an_answer_that_does_not_stream_is_on_time_with_its_last_bit():
    query = dataclasses.replace(QUERY, streams=False, ttft_budget_s=30.0)
    options = [_option("edge", 700.0, 1.0, downlink_s=9.0), _option("edge", 700.0, 2.0)]
    assert CHOOSE(query, options) == 1
    assert CHOOSE(query, [_option("edge", 700.0, 1.0, downlink_s=1.0), options[1]]) == 0


def test_prompts_take_longer_on_the_air_on_a_narrow_carrier(tmp_path):
    seen = {}

    def watch(query, options):
        seen.setdefault(width, []).append([o.prospect for o in options if o.tier == "edge"])
        return len(options) - 1

    for width in ("20 MHz", "2 MHz"):
        plain = _variants()
        plain["sites"][0]["base_station"]["bandwidth"] = width
        run.run(plain, out=tmp_path / width.replace(" ", ""), policy=watch)
    wide, narrow = (
        [ahead.uplink_s for at_edge in seen[w] for ahead in at_edge] for w in ("20 MHz", "2 MHz")
    )
    assert sum(narrow) > 3.0 * sum(wide) > 0.0
