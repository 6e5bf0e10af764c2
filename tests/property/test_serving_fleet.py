"""Fleets: what one replica does alone it does among others; joules and tokens are conserved."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import footprint
from tree6g.compute.replica import replica
from tree6g.compute.serving.disaggregation import KvLink, kv_byte, serve_disaggregated
from tree6g.compute.serving.fleet import ROUTINGS, Fleet, serve_fleet
from tree6g.compute.serving.requests import requests
from tree6g.compute.serving.run import gap_edges_s, serve
from tree6g.compute.serving.scaling import Scaling, serve_scaled
from tree6g.compute.serving.settings import EngineSettings
from tree6g.errors import DataError

REPLICA = replica(accelerator("l4"), footprint(architecture("llama-3.1-8b")), weights="int4")
SETTINGS = EngineSettings(token_budget=512, max_sequences=16, kv_capacity_tok=6000.0)
EDGES = gap_edges_s()


def _fleet(count, routing="round_robin", seed=0):
    return Fleet(replica=REPLICA, settings=SETTINGS, count=count, routing=routing, seed=seed)


@st.composite
def traces(draw):
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = random.integers(-1, 4, count)
    prompt = random.integers(1, 1500, count)
    return requests(
        np.cumsum(random.exponential(draw(st.sampled_from([0.02, 0.3, 4.0])), count)),
        prompt,
        random.integers(1, 200, count),
        prefix_id=groups,
        prefix_tok=np.where(groups >= 0, prompt // 2, 0),
    )


@given(traces(), st.integers(1, 5))
def test_round_robin_equals_independent_replicas(asked, count):
    done = serve_fleet(_fleet(count), asked)
    for number in range(count):
        mine = np.arange(len(asked)) % count == number
        alone = serve(REPLICA, SETTINGS, asked.where(mine))
        for name in ("first_token_s", "finish_s", "prefill_j", "decode_j", "cached_tok"):
            assert getattr(done, name)[mine].tolist() == getattr(alone, name).tolist()


@given(traces(), st.integers(1, 4), st.sampled_from(ROUTINGS))
def test_every_routing_answers_everybody_once_and_conserves_joules_and_gaps(asked, count, routing):
    done = serve_fleet(_fleet(count, routing), asked, bin_s=1.0, gap_edges_s=EDGES)
    assert done.served.all()
    assert done.unaccounted_frac < 1e-9
    assert sum(int(s.served.sum()) for s in done.servers) == len(asked)
    assert done.token_gaps.sum() == (asked.output_tok - 1).sum()
    binned_j = sum((s.bins.prefill_j + s.bins.decode_j + s.bins.idle_j).sum() for s in done.servers)
    assert binned_j == pytest.approx(done.energy_j, rel=1e-9)
    assert {s.end_s for s in done.servers} == {done.end_s}


@given(traces(), st.integers(0, 9))
def test_routing_by_chance_is_the_same_for_the_same_seed(asked, seed):
    one, two = (serve_fleet(_fleet(3, "two_choices", seed), asked) for _ in range(2))
    assert one.replica.tolist() == two.replica.tolist()


@given(traces())
def test_sessions_stay_where_they_began(asked):
    random = np.random.default_rng(1)
    session = random.integers(-1, 5, len(asked))
    done = serve_fleet(_fleet(3, "session"), asked, session_id=session)
    for whose in range(5):
        assert len(set(done.replica[session == whose].tolist())) <= 1


@given(traces(), st.integers(1, 3), st.integers(1, 3))
def test_disaggregation_delivers_every_token_and_conserves_joules(asked, prefills, decodes):
    link = KvLink(byte_per_s=1e9, latency_s=0.01, j_per_byte=1e-9)
    done = serve_disaggregated(
        _fleet(prefills, "shortest_queue"), _fleet(decodes, "shortest_queue"), link, asked,
        bin_s=1.0, gap_edges_s=EDGES,
    )  # fmt: skip
    assert done.served.all()
    assert done.unaccounted_frac < 1e-9
    assert done.token_gaps.sum() == (asked.output_tok - 1).sum()
    several = asked.output_tok > 1
    least_s = kv_byte(REPLICA, asked.prompt_tok) / link.byte_per_s + link.latency_s
    assert (done.finish_s - done.first_token_s > least_s)[several].all()
    assert (done.finish_s == done.first_token_s)[~several].all()
    moved_byte = kv_byte(REPLICA, asked.prompt_tok[several]).sum()
    assert done.transfer_j.sum() == pytest.approx(1e-9 * moved_byte)
    binned_j = sum((s.bins.prefill_j + s.bins.decode_j + s.bins.idle_j).sum() for s in done.servers)
    assert binned_j + done.transfer_j.sum() == pytest.approx(done.energy_j, rel=1e-9)


@given(traces(), st.integers(1, 4), st.floats(0.0, 5.0), st.floats(0.0, 20.0))
def test_scaling_conserves_joules_and_never_works_while_off(asked, most, start_s, idle_s):
    scaling = Scaling(
        least=1, start_waiting=1.0, idle_s=idle_s, start_s=start_s, start_w=40.0, off_w=5.0
    )
    done = serve_scaled(_fleet(most, "shortest_queue"), scaling, asked, bin_s=1.0)
    assert done.served.all()
    assert done.unaccounted_frac < 1e-9
    binned_j = sum((s.bins.prefill_j + s.bins.decode_j + s.bins.idle_j).sum() for s in done.servers)
    assert binned_j + done.rest_j == pytest.approx(done.energy_j, rel=1e-9)
    for number, rest in enumerate(done.rests):
        mine = done.replica == number
        for start, end in [*rest.off_s, *rest.starting_s]:
            worked = (done.scheduled_s[mine] < end) & (done.finish_s[mine] > start)
            assert not worked.any()


def test_replicas_that_are_never_stopped_are_an_ordinary_fleet():
    asked = requests(np.linspace(0.0, 9.0, 40), 300, 60)
    fleet = _fleet(3, "shortest_queue")
    plain = serve_fleet(fleet, asked)
    scaled = serve_scaled(fleet, Scaling(least=3), asked)
    assert scaled.finish_s.tolist() == plain.finish_s.tolist()
    assert scaled.energy_j == pytest.approx(plain.energy_j, rel=1e-12)


def test_a_prefix_is_found_again_where_its_session_is_kept():
    count = 40
    session = np.arange(count) % 4
    asked = requests(np.arange(count) * 2.0, 900, 20, prefix_id=session, prefix_tok=800)
    kept = serve_fleet(_fleet(4, "session"), asked)
    spread = serve_fleet(_fleet(3, "round_robin"), asked)  # each prefix on every replica
    assert kept.cached_tok.sum() > spread.cached_tok.sum()
    assert kept.cached_tok.sum() == (count - 4) * 800


def test_handing_over_costs_little_when_the_link_is_fast():
    asked = requests(np.arange(20) * 5.0, 640, 50)
    link = KvLink(byte_per_s=1e15)
    apart = serve_disaggregated(_fleet(1), _fleet(1), link, asked)
    together = serve_fleet(_fleet(1), asked)
    assert apart.first_token_s.tolist() == pytest.approx(together.first_token_s.tolist())
    assert np.nanmean(apart.finish_s - together.finish_s) < 0.05


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: _fleet(0), "at least 1 replica"),
        (lambda: _fleet(2, "round-robin"), "Did you mean 'round_robin'"),
        (lambda: KvLink(byte_per_s=0.0), "rate above 0"),
        (lambda: Scaling(least=0), "least from 1"),
        (lambda: serve_scaled(_fleet(1), Scaling(least=2), requests(0.0, 1, 1)), "at most 1"),
        (
            lambda: serve_disaggregated(
                _fleet(1),
                dataclasses.replace(
                    _fleet(1), settings=dataclasses.replace(SETTINGS, prefix_cache=False)
                ),
                KvLink(byte_per_s=1.0),
                requests(0.0, 1, 1),
            ),
            "prefix cache",
        ),
    ],
)
def test_fleets_that_cannot_be_are_refused_in_words(make, words):
    with pytest.raises(DataError, match=words):
        make()
