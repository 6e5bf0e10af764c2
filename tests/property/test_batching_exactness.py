"""The server as an engine steps it: tokens, joules and losses add up wherever time is cut."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving_pieces import REPLICAS as PIECES
from tree6g.compute.batching import BatchServer, Job, Limits, Usage
from tree6g.compute.batching import jobs as many
from tree6g.compute.serving.account import run_length

REPLICAS = {"fast": PIECES["dense"], "capped": PIECES["limited"], "slow": PIECES["edge"]}
jobs = st.lists(
    st.tuples(
        st.floats(0.0, 20.0), st.integers(1, 3000), st.integers(1, 300), st.floats(0.5, 60.0)
    ),
    min_size=1,
    max_size=25,
)
limits = st.tuples(st.integers(1, 12), st.sampled_from([16, 256, 2048]), st.integers(3300, 12000))


def _serve(name, wanted, bounds, *, skip, cuts=(400.0,)):
    places, budget, kv = bounds
    size = Limits(max_sequences=places, token_budget=max(budget, places), kv_capacity_tok=kv)
    server = BatchServer(REPLICAS[name], size, skip=skip)
    for i, (arrival_s, prompt, output, patience_s) in enumerate(wanted):
        server.submit(
            Job(
                id=i,
                arrival_s=arrival_s,
                prompt_tok=prompt,
                output_tok=output,
                give_up_s=arrival_s + patience_s,
            )
        )
    usage, times, lost, prompts, iterations = Usage(), {}, {}, [], 0
    for until_s in cuts:
        progress = server.advance(until_s)
        usage.add(progress.usage)
        lost |= dict(progress.lost)
        prompts += progress.prompts.tolist()
        iterations = progress.iterations
        for job, number, time_s in zip(
            progress.job, progress.number, progress.leaves_s, strict=True
        ):
            times[int(job), int(number)] = time_s
    return usage, times, lost, prompts, iterations


def _same(one, other):
    (a, times_a, lost_a, prompts_a, n_a), (b, times_b, lost_b, prompts_b, n_b) = one, other
    assert n_a == n_b
    assert times_a.keys() == times_b.keys()
    assert sorted(prompts_a) == sorted(prompts_b)
    assert lost_a == pytest.approx(lost_b, abs=1e-9)
    for token, time_s in times_a.items():
        assert times_b[token] == pytest.approx(time_s, abs=1e-9)
    for part in ("prefill_j", "decode_j", "prefill_s", "decode_s"):
        assert getattr(a, part) == pytest.approx(getattr(b, part), rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(st.sampled_from(sorted(REPLICAS)), jobs, limits)
def test_runs_in_closed_form_equal_the_loop(name, wanted, bounds):
    _same(_serve(name, wanted, bounds, skip=True), _serve(name, wanted, bounds, skip=False))


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(REPLICAS)),
    jobs,
    limits,
    st.lists(st.floats(0.01, 60.0), max_size=30),
)
def test_where_the_time_is_cut_does_not_matter(name, wanted, bounds, cuts):
    whole = _serve(name, wanted, bounds, skip=True)
    parts = _serve(name, wanted, bounds, skip=True, cuts=(*sorted(set(cuts)), 400.0))
    _same(whole, parts)


@settings(max_examples=40)
@given(st.sampled_from(sorted(REPLICAS)), jobs, limits)
def test_every_job_is_answered_whole_or_lost(name, wanted, bounds):
    usage, times, lost, prompts, _ = _serve(name, wanted, bounds, skip=True, cuts=(5000.0,))
    answered = {job for job, _ in times}
    assert answered | set(lost) == set(range(len(wanted)))
    assert not answered & set(lost)
    assert answered == set(prompts)
    for job in answered:
        numbers = [n for j, n in times if j == job]
        assert sorted(numbers) == list(range(1, wanted[job][2] + 1))
        own = [times[job, n] for n in sorted(numbers)]
        assert own == sorted(own)
        assert own[0] > wanted[job][0]
    assert min(usage.prefill_j, usage.decode_j, usage.prefill_s, usage.decode_s) >= -1e-9


@given(st.floats(1e-4, 1.0), st.floats(0.0, 1e-3), st.floats(1e-6, 100.0), st.integers(1, 5000))
def test_run_length_is_the_first_that_reaches_the_budget(first_s, growth_s, budget_s, most):
    def begins(k):
        return k * first_s + growth_s * k * (k - 1) / 2.0

    k = run_length(first_s, growth_s, budget_s, most)
    assert 1 <= k <= most
    assert k == 1 or begins(k - 1) < budget_s
    assert k == most or begins(k) >= budget_s


def test_a_lone_request_takes_its_prompt_and_its_steps():
    usage, times, _, _, iterations = _serve(
        "fast", [(1.0, 1000, 50, 60.0)], (8, 2048, 100_000), skip=True
    )
    assert iterations == 50
    assert times[0, 50] - 1.0 == pytest.approx(usage.prefill_s + usage.decode_s, rel=1e-9)


def test_a_context_that_never_fits_is_refused_at_once():
    _, times, lost, _, _ = _serve("fast", [(2.0, 3000, 400, 60.0)], (8, 2048, 3300), skip=True)
    assert times == {}
    assert lost == {0: 2.0}


def test_who_has_gone_is_not_served():
    wanted = [(0.0, 3000, 300, 60.0), (0.1, 3000, 300, 1.0)]
    _, times, lost, _, _ = _serve("slow", wanted, (1, 256, 12_000), skip=True)
    assert {job for job, _ in times} == {0}
    assert lost[1] == pytest.approx(1.1)


def test_a_prompt_longer_than_the_budget_is_computed_in_chunks():
    _, _, _, _, whole = _serve("fast", [(0.0, 3000, 1, 60.0)], (4, 4096, 12_000), skip=True)
    _, _, _, _, chunks = _serve("fast", [(0.0, 3000, 1, 60.0)], (4, 256, 12_000), skip=True)
    assert (whole, chunks) == (1, math.ceil(3000 / 256))


def test_the_expected_wait_is_zero_while_there_are_places():
    size = Limits(max_sequences=2, token_budget=2048, kv_capacity_tok=1e5)
    server = BatchServer(REPLICAS["slow"], size)
    for i in range(6):
        server.submit(Job(id=i, arrival_s=0.0, prompt_tok=100, output_tok=50))
    assert server.expected_wait_s() == 0.0
    server.advance(3.0)
    waits = [server.expected_wait_s()]
    while server.running:
        server.advance(server.clock_s + 1.0)
        waits.append(server.expected_wait_s())
    assert max(waits) > 0.0
    assert waits[-1] == 0.0


def test_energy_of_a_saturated_server_is_that_of_the_closed_form():
    from tree6g.compute.roofline import saturated

    r = REPLICAS["fast"]
    size = Limits(max_sequences=64, token_budget=8192, kv_capacity_tok=r.kv_capacity_tok)
    server = BatchServer(r, size)
    rng = np.random.default_rng(2)
    for i in range(4000):
        output = int(rng.integers(50, 400))
        server.submit(Job(id=i, arrival_s=0.0, prompt_tok=200, output_tok=output))
    usage, tokens = Usage(), 0
    for second in range(20):
        progress = server.advance(second + 1.0)
        if second >= 5:
            usage.add(progress.usage)
            tokens += len(progress.job)
    energy_j = usage.prefill_j + usage.decode_j + r.idle_w * (usage.prefill_s + usage.decode_s)
    mean, cv = 224.5, (350 / 12**0.5) / 224.5
    closed = saturated(r, 64.0, 200.0, mean, cv)
    assert energy_j / tokens == pytest.approx(closed.energy_j / 64.0, rel=0.06)


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(REPLICAS)),
    jobs,
    limits,
    st.lists(st.floats(0.01, 60.0), max_size=8),
    st.integers(0, 9),
)
def test_tokens_that_end_a_chunk_are_told_and_all_are_counted(name, wanted, bounds, cuts, chunk):
    at = (*sorted(set(cuts)), 5000.0)
    each = _told(name, wanted, bounds, at, chunk_tok=1)
    told = _told(name, wanted, bounds, at, chunk_tok=chunk)
    ends = {
        (job, number): time_s
        for (job, number), time_s in each.tokens.items()
        if number == wanted[job][2] or (chunk and number % chunk == 0)
    }
    assert told.tokens == ends
    assert np.array_equal(told.sampled, each.sampled)
    for kind in (0, 1):
        mine = [number for job, number in each.tokens if job % 2 == kind]
        assert each.sampled[kind, 0] == len(mine)
    assert each.sampled[:, 1].sum() <= sum(
        max(time_s for (j, _), time_s in each.tokens.items() if j == job) - wanted[job][0]
        for job in {job for job, _ in each.tokens}
    ) * (1.0 + 1e-12)


class _Told(NamedTuple):
    tokens: dict
    sampled: np.ndarray


def _told(name, wanted, bounds, cuts, *, chunk_tok):
    places, budget, kv = bounds
    size = Limits(max_sequences=places, token_budget=max(budget, places), kv_capacity_tok=kv)
    server = BatchServer(REPLICAS[name], size, kinds=2)
    arrival_s, prompt_tok, output_tok, patience_s = map(np.array, zip(*wanted, strict=True))
    numbers = np.arange(len(wanted))
    server.submit_all(
        many(id=numbers, arrival_s=arrival_s, prompt_tok=prompt_tok, output_tok=output_tok,
             give_up_s=arrival_s + patience_s, kind=numbers % 2, chunk_tok=chunk_tok)
    )  # fmt: skip
    tokens, sampled = {}, np.zeros((2, 2))
    for until_s in cuts:
        did = server.advance(until_s)
        sampled += did.sampled
        columns = (did.job.tolist(), did.number.tolist(), did.leaves_s.tolist())
        tokens |= {(job, number): time_s for job, number, time_s in zip(*columns, strict=True)}
    return _Told(tokens, sampled)


def test_a_server_that_rests_tells_nothing_and_lets_time_pass():
    server = BatchServer(REPLICAS["fast"], Limits(max_sequences=4, token_budget=64,
                                                  kv_capacity_tok=10_000))  # fmt: skip
    nothing = server.advance(5.0)
    assert server.clock_s == 5.0
    assert not len(nothing.job)
    assert nothing.usage == Usage()
    server.submit(Job(id=7, arrival_s=5.5, prompt_tok=10, output_tok=3))
    assert server.advance(60.0).job.tolist() == [7, 7, 7]
