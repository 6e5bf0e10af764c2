"""A step of many servers in one call of compiled code against one server after the other."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving_pieces import REPLICAS
from tree6g.compute import batching
from tree6g.compute.batching import BatchServer, Limits

NAMES = ("dense", "limited", "edge")
jobs = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 80).map(lambda quarter: quarter / 4.0) | st.floats(0.0, 20.0),
        st.integers(1, 3000),
        st.integers(1, 200),
        st.floats(0.5, 60.0),
        st.integers(0, 1),
        st.integers(0, 7),
    ),
    max_size=40,
)
limits = st.tuples(st.integers(1, 12), st.sampled_from([16, 256, 2048]), st.integers(3000, 12000))
steps = st.lists(st.floats(0.01, 10.0), min_size=1, max_size=12)


def _servers(bounds, *, compiled):
    places, budget, kv = bounds
    size = Limits(max_sequences=places, token_budget=max(budget, places), kv_capacity_tok=kv)
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.delitem(sys.modules, "numba", raising=False)
        return [BatchServer(REPLICAS[name], size, kinds=2) for name in NAMES]


def _submit(servers, wanted, numbers, patience_from_s=0.0):
    for n, server in enumerate(servers):
        mine = [(i, *wanted[i]) for i in numbers if wanted[i][0] == n]
        if mine:
            number, _, arrival_s, prompt, output, patience_s, kind, chunk = zip(*mine, strict=True)
            arrival_s = np.array(arrival_s)
            server.submit_all(
                batching.jobs(id=number, arrival_s=arrival_s, prompt_tok=prompt, output_tok=output,
                              give_up_s=arrival_s + patience_s, kind=kind, chunk_tok=chunk)
            )  # fmt: skip


def _state(server):
    return (
        server.clock_s, server.running, server.queued, server.waiting_tok, server.answer_s(),
        server.expected_wait_s(3),
    )  # fmt: skip


@settings(max_examples=60)
@given(jobs, limits, steps, st.integers(-1, 5))
def test_all_servers_at_once_tell_what_each_tells_alone_to_the_last_bit(
    wanted, bounds, steps, failing
):
    pytest.importorskip("numba")
    together, alone = _servers(bounds, compiled=True), _servers(bounds, compiled=False)
    now_s, arrivals = 0.0, np.array([row[1] for row in wanted])
    for n, step_s in enumerate([*steps, 500.0]):
        until_s = now_s + step_s
        due = np.flatnonzero((arrivals < until_s + 2.0) & (arrivals >= (now_s + 2.0 if n else 0.0)))
        for servers in (together, alone):
            _submit(servers, wanted, due.tolist())
        if n == failing:
            assert together[1].abandon() == alone[1].abandon()
        did = batching.advance_all(together, until_s)
        plain = batching.advance_all(alone, until_s)
        assert did.usage == plain.usage
        for field in ("job", "number", "leaves_s", "tokens", "sampled", "prompts", "begun", "lost",
                      "lost_s", "losses"):  # fmt: skip
            one, other = getattr(did, field), getattr(plain, field)
            assert one.dtype == other.dtype
            assert np.array_equal(one, other), field
        assert list(map(_state, together)) == list(map(_state, alone))
        for servers in (together[:1], together[1:2]):
            assert batching.answers_s(servers).tolist() == [s.answer_s() for s in servers]
        now_s = until_s


@settings(max_examples=20)
@given(jobs, limits, steps)
def test_one_server_by_itself_works_as_it_does_among_others(wanted, bounds, steps):
    pytest.importorskip("numba")
    together, alone = _servers(bounds, compiled=True), _servers(bounds, compiled=True)
    for servers in (together, alone):
        _submit(servers, wanted, range(len(wanted)))
    until_s = 0.0
    for step_s in steps:
        until_s += step_s
        did = batching.advance_all(together, until_s)
        each = [server.advance(until_s) for server in alone]
        assert did.usage == tuple(one.usage for one in each)
        assert did.leaves_s.tolist() == [t for one in each for t in one.leaves_s.tolist()]
        assert did.lost.tolist() == [job for one in each for job, _ in one.lost]


def test_no_servers_do_nothing():
    assert batching.advance_all([], 1.0).usage == ()
