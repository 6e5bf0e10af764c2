"""What a policy is told of an option, against the engine's own account of it."""

from __future__ import annotations

import dataclasses

import pytest

from engine_worlds import small, three_tiers
from tree6g.engine import prospects
from tree6g.engine.build import build
from tree6g.engine.run import run
from tree6g.metric.profile import class_profile
from tree6g.scenario.load import load

TRACE = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.1,{p},{n}\n0.2,{p},{n}\n"
ASSISTANT = class_profile("assistant")


def _asked(plain, trace=None, tmp_path=None):
    """The queries and options of a run's requests, with their prospects."""
    seen = []

    def watch(query, options):
        seen.append((query, options, [option.prospect for option in options]))
        return len(options) - 1

    result = run(plain, out=tmp_path / "out", policy=watch, trace=trace)
    return seen, result


@pytest.mark.parametrize("tier", ["edge", "cloud", "device"])
def test_a_request_that_is_alone_takes_the_joules_that_it_was_expected_to(tmp_path, tier):
    trace = tmp_path / "one.csv"
    trace.write_text(TRACE.format(p=700, n=180).rsplit("0.2", 1)[0], "utf-8")
    plain = three_tiers(policy=f"{tier}-only", duration="30 s", drain="30 s", step="0.1 s",
                        boundary="full")  # fmt: skip
    plain["sites"] = plain["sites"][:1]
    plain["devices"]["capable_frac"] = 1.0
    plain["services"] = plain["services"][:1]
    seen = []

    def choose(query, options):
        which = next(i for i, option in enumerate(options) if option.tier == tier)
        seen.append((options[which], options[which].prospect))
        return which

    result = run(plain, out=tmp_path / "out", policy=choose, trace=trace)
    ((option, ahead),) = seen

    def joules(where):
        (row,) = result.ledger.query(
            f"select sum(energy_j) j from energy where {where}"
        ).to_pylist()
        return row["j"] or 0.0

    computed = joules(f"node = '{option.node}' and state in ('prefill', 'decode')")
    assert ahead.compute_j == pytest.approx(computed, rel=0.01)
    (took,) = result.ledger.query("select tpot_s from request").to_pylist()
    assert ahead.tpot_s == pytest.approx(took["tpot_s"], rel=0.02)
    if tier == "device":
        assert ahead.energy_j == ahead.compute_j
        return
    of_chat = "service = 'chat' and component"
    assert ahead.terminal_j == pytest.approx(joules(f"{of_chat} = 'terminal'"), rel=0.01)
    assert ahead.link_j == pytest.approx(joules(f"{of_chat} = 'link'"), rel=0.02)
    assert ahead.radio_j > joules(f"{of_chat} = 'radio_unit'") > 0.0


def test_policies_know_the_mean_answer_and_not_this_one(tmp_path):
    seen, result = _asked(small(duration="20 s", drain="10 s"), tmp_path=tmp_path)
    known = {query.mean_output_tok for query, _, _ in seen}
    assert len(known) == 1
    assert len(seen) == result.requests.arrived
    query, (option,), (ahead,) = seen[0]
    assert query.streams
    assert query.tpot_budget_s == ASSISTANT.tpot_budget_s
    assert option.capacity == 8
    assert option.model == "llama-3.2-3b"
    assert ahead.parameters == pytest.approx(3.2e9, rel=0.01)
    worth = 1e4 * (0.2 * query.prompt_tok + query.mean_output_tok)
    assert ahead.worth_beq == pytest.approx(worth)


def test_joining_a_batch_takes_less_than_being_alone():
    world = build(load(small()), {})
    host = world.hosts[0]
    alone = prospects.computing(host, 1000, 200.0, 0)
    joined = prospects.computing(host, 1000, 200.0, 7)
    assert joined[1] < 0.5 * alone[1]
    assert joined[0] > alone[0]
    full = prospects.computing(host, 1000, 200.0, 700)  # more than places
    assert full == joined


@pytest.mark.parametrize("tok", [1, 2, 63, 64, 100, 129, 1000, 4097, 100_000])
def test_lengths_are_rounded_by_less_than_a_per_cent(tok):
    assert prospects._rounded(tok) == pytest.approx(tok, rel=0.008)


@pytest.mark.parametrize(
    ("ttft_s", "tpot_s", "expected"),
    [
        (1.0, 0.1, (50.0, 100.0)),
        (2.0, 0.2, (50.0, 100.0)),
        (3.0, 0.1, (0.0, 90.0)),  # late at first, then ahead: token 11 is the first in time
        (3.0, 0.3, (0.0, 0.0)),
        (1.0, 0.3, (50.0, 11.0)),  # in time at first; the reserve of 1 s lasts for ten more
    ],
)
def test_tokens_on_time_by_hand(ttft_s, tpot_s, expected):
    assert prospects.on_time_tok(ASSISTANT, 50.0, 100.0, ttft_s, tpot_s) == pytest.approx(expected)


def test_late_tokens_count_as_the_profile_says_and_a_deadline_is_all_or_nothing():
    half = dataclasses.replace(ASSISTANT, late_frac=0.5)
    assert prospects.on_time_tok(half, 50.0, 100.0, 3.0, 0.1) == pytest.approx((25.0, 95.0))
    whole = class_profile("image-generation")
    assert prospects.on_time_tok(whole, 5.0, 11.0, 1.0, 1.9) == (5.0, 11.0)
    assert prospects.on_time_tok(whole, 5.0, 11.0, 1.0, 2.1) == (0.0, 0.0)
