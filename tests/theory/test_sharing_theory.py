"""Messages that share a carrier in turn, against the exact fluid cell and its closed form."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.engine.airtime import Pool, messages
from tree6g.engine.crowd import Paces
from tree6g.radio.airtime import sharing_departure_s
from tree6g.radio.fluid import departure_s, sharing_delay_s


def _load(rng, load, count, size):
    arrival_s = np.cumsum(rng.exponential(1.0 / load, count))
    return arrival_s, size(rng, count)


def _ones(rng, count):
    return np.ones(count)


def _exponential(rng, count):
    return rng.exponential(1.0, count)


def _two_sizes(rng, count):
    return np.where(rng.random(count) < 0.9, 0.5, 5.5)


def test_one_long_step_is_the_exact_fluid_cell():
    rng = np.random.default_rng(1)
    arrival_s, service_s = _load(rng, 0.8, 2_000, _exponential)
    end_s, left_s = sharing_departure_s(arrival_s, service_s, 0.0, np.inf)
    assert end_s == pytest.approx(departure_s(arrival_s, service_s))
    assert not left_s.any()


def test_what_is_served_by_the_end_is_the_time_that_somebody_was_there():
    end_s, left_s = sharing_departure_s(np.array([0.5, 0.0]), np.array([3.0, 1.0]), 0.0, 2.0)
    # alone until 0.5, then together: the second is done at 1.5, the first has 1.0 by 2.0
    assert end_s.tolist() == [np.inf, 1.5]
    assert left_s == pytest.approx([2.0, 0.0])


@pytest.mark.parametrize("size", [_ones, _exponential, _two_sizes])
def test_delays_in_turn_are_those_of_processor_sharing_whatever_the_sizes(size):
    rng = np.random.default_rng(2)
    load, step_s, until_s = 0.6, 2.0, 40_000.0
    arrival_s, service_s = _load(rng, load, int(load * until_s * 0.95), size)
    pool, one = Pool(1.0, ("files",), in_turn=True), {"files": np.ones(1)}
    paces, delay_s, sizes_s = Paces(one, one), [], []
    for t in np.arange(0.0, until_s, step_s):
        here = slice(*np.searchsorted(arrival_s, (t, t + step_s)))
        pool.push("files", messages(arrival_s[here], service_s[here], 0))
        if "files" in pool.queues:
            passage = pool.advance(t, t + step_s, paces)["files"]
            delay_s.append(passage.end_s - passage.sent["ready_s"])
            sizes_s.append(passage.sent["bit"])
    got_s, need_s = np.concatenate(delay_s), np.concatenate(sizes_s)
    assert len(got_s) > 0.99 * len(arrival_s)
    # steps cut nothing: the sharing is exact at any step
    assert got_s.mean() == pytest.approx(sharing_delay_s(need_s.mean(), load), rel=0.06)


def test_a_sender_on_a_part_of_the_band_leaves_the_rest_to_others():
    pool = Pool(1.0, ("up",), in_turn=True)
    paces = Paces({"up": np.ones(2)}, {"up": np.array([0.1, 1.0])})
    pool.push("up", messages(np.zeros(2), np.array([0.2, 0.8]), [0, 1]))
    passage = pool.advance(0.0, 1.0, paces)["up"]
    assert passage.sent["terminal"].tolist() == [1]
    assert passage.end_s <= 0.9 + 1e-12
    assert pool.queues["up"]["left_bit"] == pytest.approx([0.1])
    assert passage.used_s == pytest.approx(0.9)
    assert passage.sender_s == pytest.approx(0.1 / 0.1 + 0.8)
    last = pool.advance(1.0, 3.0, paces)["up"]
    assert last.end_s == pytest.approx([2.0])  # 0.2 s of the whole band at a tenth of it


def test_services_beside_each_other_in_turn_never_use_more_than_the_carrier():
    rng = np.random.default_rng(4)
    pool = Pool(1.0, ("a", "b", "c"), in_turn=True)
    ones = {s: np.ones(1) for s in pool.services}
    parts = {s: np.full(1, part) for s, part in zip(pool.services, (1.0, 0.3, 0.05), strict=True)}
    sent = offered = 0.0
    for t in range(50):
        for service in pool.services:
            need = rng.exponential(0.05, rng.integers(0, 8))
            offered += need.sum()
            pool.push(service, messages(t + np.sort(rng.random(len(need))), need, 0))
        passages = pool.advance(float(t), t + 1.0, Paces(ones, parts))
        used = sum(p.used_s for p in passages.values())
        assert used <= 1.0 + 1e-9
        sent += used
    left = sum(q["left_bit"].sum() for q in pool.queues.values())
    assert sent + left == pytest.approx(offered)
