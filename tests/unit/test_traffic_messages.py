"""Arrivals of data messages, and the links that carry them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tree6g.traffic.lengths import RequestPattern, draw_arrivals_s, draw_lengths, request_pattern
from tree6g.traffic.messages import PoissonSources, periodic
from tree6g.transport.link import delay_s, energy_j


def test_windows_of_periodic_sources_tile_the_time():
    sources = periodic(np.random.default_rng(1), 7, 2.5)
    whole, senders = sources.window(0.0, 50.0)
    edges = [0.0, 0.3, 2.5, 2.6, 17.77, 50.0]
    parts = [sources.window(a, b) for a, b in itertools.pairwise(edges)]
    assert np.concatenate([p[0] for p in parts]).tolist() == whole.tolist()
    assert np.concatenate([p[1] for p in parts]).tolist() == senders.tolist()
    assert len(whole) == 7 * 20
    assert (np.diff(whole) >= 0.0).all()
    for source in range(7):
        assert np.diff(whole[senders == source]) == pytest.approx(2.5)


def test_poisson_sources_have_their_rate_and_scatter():
    sources = PoissonSources(rng=np.random.default_rng(2), sources=100, period_s=10.0)
    counts = [len(sources.window(t, t + 1.0)[0]) for t in range(5000)]
    assert np.mean(counts) == pytest.approx(10.0, rel=0.02)
    assert np.var(counts) == pytest.approx(10.0, rel=0.06)


def test_where_windows_are_cut_does_not_change_what_poisson_sources_send():
    def sent(edges, sources):
        stream = PoissonSources(rng=np.random.default_rng(3), sources=sources, period_s=10.0)
        parts = [stream.window(a, b) for a, b in itertools.pairwise(edges)]
        return [np.concatenate(column).tolist() for column in zip(*parts, strict=True)]

    for sources in (30, 5_000_000):
        coarse = sent([0.0, 3.0], sources)
        assert sent([0.0, 0.1, 0.25, 1.0, 2.7, 3.0], sources) == coarse
        assert coarse[0] == sorted(coarse[0])
        assert len(coarse[0]) == pytest.approx(0.3 * sources, abs=5 * (0.3 * sources) ** 0.5)


def test_a_constant_rate_without_bursts_is_poisson():
    pattern = request_pattern("video-scene")
    arrivals = draw_arrivals_s(np.random.default_rng(4), pattern, rate_per_s=5.0, duration_s=4000.0)
    gaps = np.diff(arrivals)
    assert len(arrivals) == pytest.approx(20_000, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.03)
    assert 0.0 <= arrivals[0] < arrivals[-1] < 4000.0


def test_no_requests_are_no_arrivals():
    pattern = request_pattern("azure-conv-2023")
    rng = np.random.default_rng(0)
    assert len(draw_arrivals_s(rng, pattern, rate_per_s=0.0, duration_s=60.0)) == 0


def test_lengths_stay_inside_the_quantiles_and_are_whole():
    pattern = request_pattern("video-scene")
    prompt, output = draw_lengths(np.random.default_rng(0), pattern, 5000)
    assert prompt.min() >= 616
    assert prompt.max() <= 640
    assert output.min() >= 20
    assert output.max() <= 80


def test_lengths_can_be_fully_dependent():
    levels = np.array([0.0, 1.0])
    pattern = RequestPattern(
        name="line", level_frac=levels, input_tok=1e4 * levels, output_tok=1e4 * levels,
        rank_correlation=1.0, gap_cv=1.0, rate_cv=0.0, rate_correlation=0.0,
    )  # fmt: skip
    prompt, output = draw_lengths(np.random.default_rng(0), pattern, 100)
    assert prompt.tolist() == output.tolist()


def test_a_link_delays_by_latency_and_size():
    assert delay_s([0.0, 1e6], rate_bps=1e8, latency_s=0.01).tolist() == [0.01, 0.02]
    assert energy_j(1e9, 60.0, idle_power_w=20.0, energy_j_per_bit=2e-8) == (1200.0, 20.0)
