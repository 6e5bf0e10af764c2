"""Rates that follow the hours of a day, growth, and edge servers at some sites."""

from __future__ import annotations

import numpy as np
import pytest

from engine_worlds import hexagon, small
from tree6g.engine.build import build
from tree6g.engine.delivery import deliver_chunks, deliver_tokens
from tree6g.errors import ScenarioError
from tree6g.scenario.load import load
from tree6g.traffic.lengths import draw_arrivals_s, request_pattern
from tree6g.traffic.messages import PoissonSources, block_s, rate_at

CURVE = tuple(float(hour % 3) for hour in range(24))  # 0, 1, 2, 0, 1, 2, ...
HOUR_S = 3600.0


def _by_hour(time_s, hours):
    return np.histogram(time_s, bins=np.arange(hours + 1) * HOUR_S)[0]


def test_a_curve_counts_over_its_mean_and_begins_anew_every_day():
    assert rate_at((), 1e6) == 1.0
    assert [rate_at(CURVE, hour * HOUR_S) for hour in range(26)] == [*CURVE, 0.0, 1.0]
    assert rate_at((2.0, 6.0), 1.5 * HOUR_S) == 1.5


@pytest.mark.parametrize("least_block_s", [1.0, 60.0])
def test_messages_follow_the_curve_and_keep_their_mean(least_block_s):
    sources = PoissonSources(
        rng=np.random.default_rng(1), sources=100, period_s=100.0, curve=CURVE,
        least_block_s=least_block_s,
    )  # fmt: skip
    time_s, _ = sources.window(0.0, 6 * HOUR_S)
    found = _by_hour(time_s, 6)
    assert found[[0, 3]].tolist() == [0, 0]
    assert found[[1, 4]] == pytest.approx([3600, 3600], abs=250)
    assert found[[2, 5]] == pytest.approx([7200, 7200], abs=350)


def test_requests_follow_the_curve_and_keep_their_mean():
    pattern = request_pattern("video-scene")  # Poisson
    arrivals_s = draw_arrivals_s(
        np.random.default_rng(2), pattern, rate_per_s=1.0, duration_s=3 * HOUR_S, curve=CURVE
    )
    found = _by_hour(arrivals_s, 3)
    assert found[0] == 0
    assert found[1:] == pytest.approx([3600, 7200], abs=350)
    assert (np.diff(arrivals_s) >= 0.0).all()


def test_nothing_is_asked_for_while_a_curve_is_zero():
    pattern = request_pattern("azure-conv-2023")
    rng = np.random.default_rng(3)
    found = draw_arrivals_s(rng, pattern, rate_per_s=1.0, duration_s=HOUR_S, curve=CURVE)
    assert len(found) == 0


def test_blocks_fill_an_hour_and_hold_some_messages():
    for sources, period_s in ((1, 1e6), (100, 60.0), (5700, 60.0), (10**7, 1.0)):
        length_s = block_s(sources, period_s)
        assert HOUR_S % length_s == 0.0
        assert length_s in (1.0, 60.0) or sources * length_s / period_s >= 200.0


def test_growth_multiplies_messages():
    counts = []
    for growth in (1.0, 3.0):
        plain = small()
        plain["services"][2] |= {"growth": growth, "sources": 100}
        source = build(load(plain), {}).sources[1]
        counts.append(len(source.arrivals.window(0.0, 600.0)[0]))
    assert counts[0] == pytest.approx(6000, rel=0.05)
    assert counts[1] == pytest.approx(18000, rel=0.05)


@pytest.mark.parametrize(
    ("service", "curve", "words"),
    [
        (0, [1.0, 2.0], "expected 24 values, one of them above 0; got 2 values"),
        (2, [0.0] * 24, "none above 0"),
        (2, [-1.0] * 24, "services.2.day_curve.0"),
    ],
)
def test_a_curve_that_is_no_day_is_refused(service, curve, words):
    plain = small()
    plain["services"][service]["day_curve"] = curve
    with pytest.raises(ScenarioError, match=words):
        load(plain)


def test_periodic_sources_have_no_curve():
    plain = small()
    plain["services"][1] |= {"arrival": "periodic", "day_curve": list(CURVE)}
    with pytest.raises(ScenarioError, match="expected none for periodic arrivals"):
        load(plain)


def test_only_the_named_sites_of_a_layout_have_servers():
    plain = hexagon()
    plain["sites"][0]["servers"] = small()["sites"][0]["servers"]
    plain["layout"]["servers_at"] = [1, 4]
    nodes = [host.node for host in build(load(plain), {}).hosts if host.tier == "edge"]
    assert nodes == ["mast-1.gpu", "mast-4.gpu"]
    del plain["layout"]["servers_at"]
    assert sum(host.tier == "edge" for host in build(load(plain), {}).hosts) == 7


def _delivered(chunks):
    """World after an answer of twelve tokens, as chunks or token by token."""
    world = build(load(small()), {})
    requests = world.requests
    requests.output_tok[0], requests.host[0] = 12, 0
    arrival_s = float(requests.arrival_s[0])
    number, size = np.array([5, 9, 12]), np.array([5, 4, 3])
    reached_s = arrival_s + np.array([2.3, 3.5, 4.1])  # budgets: 2 s, then 0.2 s a token
    if chunks:
        deliver_chunks(world, np.zeros(3, dtype=int), number, size, reached_s)
    else:
        ref = np.zeros(12, dtype=int)
        deliver_tokens(world, ref, np.arange(1, 13), np.repeat(reached_s, size))
    return world


def test_chunks_are_delivered_like_their_tokens():
    whole, single = _delivered(chunks=True), _delivered(chunks=False)
    assert whole.book.work == single.book.work
    for name in ("delivered_tok", "late_tok", "late_in_tok", "first_s", "last_s", "outcome"):
        one, other = (getattr(world.requests, name)[0] for world in (whole, single))
        assert one == other, name
    assert whole.requests.late_tok[0] == 2 + 3 + 2
