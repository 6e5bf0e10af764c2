"""Two looks at a source: what came between them, and why it is not known where it is not."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.meter.deltas import Look, deltas
from tree6g.meter.reading import reading


def _counter(value, **more):
    made = reading("c", "token_out", "counter", value)
    return dataclasses.replace(made, **more)


def _between(old, new, t0=100.0, t1=110.0):
    before = [] if old is None else [old]
    after = [] if new is None else [new]
    return deltas(Look(time_s=t0, readings=before), Look(time_s=t1, readings=after))


def _amount(found):
    assert found.gaps == ()
    (amount,) = found.amounts
    return amount


def _reason(found):
    assert found.amounts == ()
    (gap,) = found.gaps
    return gap.reason


def test_a_counter_gives_its_difference_over_the_time_between():
    amount = _amount(_between(_counter(5.0), _counter(12.0)))
    assert (amount.value_si, amount.t0_s, amount.t1_s) == (7.0, 100.0, 110.0)


def test_a_counter_that_stands_still_gives_a_true_zero():
    assert _amount(_between(_counter(5.0), _counter(5.0))).value_si == 0.0


def test_after_a_restart_it_counts_from_its_start_and_what_was_before_is_a_gap():
    found = _between(_counter(50.0, start_s=10.0), _counter(4.0, start_s=106.0))
    (amount,), (gap,) = found.amounts, found.gaps
    assert (amount.value_si, amount.t0_s) == (4.0, 106.0)
    assert (gap.t0_s, gap.t1_s) == (100.0, 106.0)
    assert "started anew" in gap.reason


def test_a_restart_is_seen_even_if_the_counter_has_passed_its_old_value():
    found = _between(_counter(50.0, start_s=10.0), _counter(60.0, start_s=106.0))
    assert found.amounts[0].value_si == 60.0


def test_a_fall_without_a_start_is_a_gap():
    assert "fell from 50 to 4" in _reason(_between(_counter(50.0), _counter(4.0)))


def test_a_fall_with_an_old_start_is_a_gap_too():
    found = _between(_counter(50.0, start_s=10.0), _counter(4.0, start_s=10.2))
    assert "fell" in _reason(found)


def test_a_counter_that_wraps_goes_on_from_zero():
    old, new = _counter(9.0, wraps_si=10.0), _counter(2.0, wraps_si=10.0)
    assert _amount(_between(old, new)).value_si == pytest.approx(3.0)


def test_a_new_series_counts_only_if_it_started_between_the_looks():
    assert _amount(_between(None, _counter(4.0, start_s=105.0))).value_si == 4.0
    assert "first seen" in _reason(_between(None, _counter(4.0)))


def test_a_new_series_of_a_process_that_was_there_before_counts_from_zero():
    amount = _amount(_between(None, _counter(4.0, start_s=50.0)))
    assert (amount.value_si, amount.t0_s, amount.t1_s) == (4.0, 100.0, 110.0)


def test_a_new_series_of_a_clock_that_runs_ahead_is_a_gap():
    assert "first seen" in _reason(_between(None, _counter(4.0, start_s=111.0)))


def test_a_series_that_is_gone_or_unknown_is_a_gap():
    unknown = _counter(math.nan)
    assert "no longer there" in _reason(_between(_counter(1.0), None))
    assert "NaN" in _reason(_between(_counter(1.0), unknown))
    assert "look before" in _reason(_between(unknown, _counter(1.0)))


@pytest.mark.parametrize("t1", [100.0, 40.0])
def test_a_clock_that_stands_or_steps_back_gives_nothing(t1):
    found = _between(_counter(1.0), _counter(2.0), 100.0, t1)
    assert "the clock went from" in _reason(found)


def test_tokens_of_the_cache_come_off_on_both_sides():
    found = _between(_counter(10.0, less_si=4.0), _counter(30.0, less_si=9.0))
    assert _amount(found).value_si == 15.0


def test_a_gauge_gives_the_mean_of_both_looks_as_an_estimate():
    old, new = (reading("p", "power", "gauge", v) for v in (40.0, 60.0))
    amount = _amount(_between(old, new))
    assert (amount.value_si, amount.origin) == (50.0, "estimated")


def test_an_interval_stands_for_itself_and_counts_once():
    made = reading("e", "energy", "interval", 90.0)
    made = dataclasses.replace(made, t0_s=0.0, t1_s=90.0)
    amount = _amount(_between(None, made))
    assert (amount.t0_s, amount.t1_s, amount.value_si) == (0.0, 90.0, 90.0)
    assert _between(made, made) == deltas(
        Look(time_s=0.0, readings=[]), Look(time_s=1.0, readings=[])
    )
    later = dataclasses.replace(made, t0_s=90.0, t1_s=180.0)
    both = deltas(Look(time_s=0.0, readings=[]), Look(time_s=1.0, readings=[made, later]))
    assert len(both.amounts) == 2


def _histogram(counts, total, edges=(0.1, 1.0, math.inf)):
    made = reading("h", "ttft", "histogram", counts[-1])
    buckets = tuple(zip(edges, counts, strict=True))
    return dataclasses.replace(made, buckets=buckets, sum_si=total)


def test_a_histogram_gives_the_observations_of_each_bucket_alone():
    found = _between(_histogram((1.0, 2.0, 2.0), 0.9), _histogram((3.0, 4.0, 5.0), 4.0))
    amount = _amount(found)
    assert amount.buckets == ((0.1, 2.0), (math.inf, 1.0))
    assert (amount.value_si, amount.sum_si) == (3.0, pytest.approx(3.1))


def test_a_histogram_with_other_buckets_or_a_bucket_that_fell_is_a_gap():
    old = _histogram((1.0, 2.0, 2.0), 0.9)
    assert "others than before" in _reason(
        _between(old, _histogram((3.0, 4.0, 5.0), 4.0, (0.2, 1.0, math.inf)))
    )
    assert "buckets fell" in _reason(_between(old, _histogram((0.0, 2.0, 2.0), 0.9)))


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30), st.data())
def test_amounts_add_up_to_what_was_counted_however_often_one_looks(steps, data):
    values = [float(sum(steps[: n + 1])) for n in range(len(steps))]
    looks = [Look(time_s=float(n), readings=[_counter(v)]) for n, v in enumerate(values)]
    kept = [looks[0], *data.draw(st.lists(st.sampled_from(looks[1:]), unique_by=id)), looks[-1]]
    kept = sorted({look.time_s: look for look in kept}.values(), key=lambda look: look.time_s)
    seen = [deltas(a, b).amounts[0].value_si for a, b in pairwise(kept)]
    assert sum(seen) == values[-1] - values[0]
