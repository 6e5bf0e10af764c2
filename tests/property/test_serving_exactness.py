"""Skipping runs of iterations changes nothing but the time that the simulation takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serving_pieces import EDGES_S, REPLICAS, closely, engines, traces
from tree6g.compute.serving.result import REFUSED
from tree6g.compute.serving.run import serve
from tree6g.compute.serving.state import ServerState

names = st.sampled_from(sorted(REPLICAS))


@settings(max_examples=300, deadline=None)
@given(names, traces, engines)
def test_runs_in_closed_form_equal_the_loop(name, asked, engine):
    replica = REPLICAS[name]
    fast = serve(replica, engine, asked, bin_s=0.7, gap_edges_s=EDGES_S)
    slow = serve(replica, engine, asked, bin_s=0.7, gap_edges_s=EDGES_S, skip=False)
    closely(fast, slow)
    assert fast.passes <= slow.passes + 2 * len(asked) + 2


@settings(max_examples=100, deadline=None)
@given(names, traces, engines, st.lists(st.floats(0.01, 60.0), max_size=12))
def test_where_the_time_is_cut_does_not_matter(name, asked, engine, cuts):
    whole = serve(REPLICAS[name], engine, asked, bin_s=0.7, gap_edges_s=EDGES_S)
    server = ServerState(REPLICAS[name], engine, bin_s=0.7, gap_edges_s=EDGES_S)
    server.submit(asked)
    for cut in sorted(cuts):
        server.advance(cut)
        assert server.served().unaccounted_frac < 1e-9
    server.advance(np.inf)
    closely(whole, server.served(), idle=not cuts)


@settings(max_examples=60, deadline=None)
@given(names, traces, engines, st.floats(0.01, 10.0))
def test_stopping_early_stops_both_at_the_same_iteration(name, asked, engine, until_s):
    # A run does not look at who comes during it: who will be refused is told after it.
    assume(not np.any(serve(REPLICAS[name], engine, asked).outcome == REFUSED))
    fast = serve(REPLICAS[name], engine, asked, until_s=until_s, bin_s=0.3)
    closely(fast, serve(REPLICAS[name], engine, asked, until_s=until_s, bin_s=0.3, skip=False))


@settings(max_examples=100, deadline=None)
@given(names, traces, engines)
def test_plain_python_equals_compiled(name, asked, engine):
    results = []
    for compiled in (False, True):
        server = ServerState(
            REPLICAS[name], engine, bin_s=0.7, gap_edges_s=EDGES_S, compiled=compiled
        )
        server.submit(asked)
        server.advance(np.inf)
        results.append(server.served())
    closely(*results, tolerance=1e-12)
    assert results[0].passes == results[1].passes


@settings(max_examples=100, deadline=None)
@given(names, traces, engines)
def test_nothing_is_lost_or_made_up(name, asked, engine):
    done = serve(REPLICAS[name], engine, asked, bin_s=0.7, gap_edges_s=EDGES_S)
    assert done.unaccounted_frac < 1e-9
    assert np.all(done.outcome >= 2)
    assert np.array_equal(done.produced_tok[done.served], asked.output_tok[done.served])
    assert np.all(done.produced_tok[~done.served] == 0)
    gaps = np.maximum(done.produced_tok - 1, 0).sum()
    assert done.token_gaps.sum() == gaps
    left_s = done.finish_s - asked.arrival_s
    inside = done.outcome != 3
    # Little's law along the path: both sides are the time that all spent in the system.
    assert done.running_time_s + done.waiting_time_s == pytest.approx(
        left_s[inside].sum(), rel=1e-9, abs=1e-9
    )
    binned = done.bins.prefill_j.sum() + done.bins.decode_j.sum() + done.bins.idle_j.sum()
    assert binned == pytest.approx(done.energy_j, rel=1e-9)
    assert done.bins.busy_s.sum() == pytest.approx(done.busy_s, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(names, traces, engines, st.lists(st.floats(0.01, 30.0), max_size=8))
def test_requests_may_be_handed_over_as_time_goes_on(name, asked, engine, cuts):
    server = ServerState(REPLICAS[name], engine, bin_s=0.7, gap_edges_s=EDGES_S)
    done = 0
    for cut in [*sorted(cuts), np.inf]:
        due = int(np.searchsorted(asked.arrival_s, cut))
        assert server.submit(asked.where(slice(done, due))) == range(done, due)
        done = due
        server.advance(cut)
    whole = serve(REPLICAS[name], engine, asked, bin_s=0.7, gap_edges_s=EDGES_S)
    closely(whole, server.served(), idle=not cuts)
