"""Schedulers slot by slot, and the fluid limit that they come to."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.radio.fluid import airtime_frac, diversity_gain, long_run
from tree6g.radio.numerology import slot_pattern
from tree6g.radio.scheduling import SCHEDULERS, Turn, grant_prbs, run

PRBS, USERS = 50, 8
MEAN_BIT = np.geomspace(100.0, 1000.0, USERS)


def _faded(rng, slots, users=USERS, mean=MEAN_BIT):
    return mean * np.log2(1.0 + 3.0 * rng.exponential(1.0, (slots, users)))


@pytest.fixture(scope="module")
def samples():
    return _faded(np.random.default_rng(2), 40_000) * PRBS


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_many_slots_come_to_the_fluid_limit(scheduler, samples):
    served = run(scheduler, _faded(np.random.default_rng(1), 12_000), subband_prbs=[PRBS])
    limit = long_run(scheduler, samples)
    rate, share = (a[2_000:].mean(axis=0) for a in (served.sent_bit, served.prbs / PRBS))
    seen = limit.time_frac > 0.02  # users whom maximum rate hardly serves are left to chance
    assert rate[seen] == pytest.approx(limit.rate_bps[seen], rel=0.04)
    assert rate.sum() == pytest.approx(limit.rate_bps.sum(), rel=0.01)
    assert share == pytest.approx(limit.time_frac, abs=0.01)
    assert limit.gap_frac <= 1e-3


def test_proportional_fair_beats_all_others_in_the_sum_of_logarithms(samples):
    rates = {s: long_run(s, samples).rate_bps for s in ("round-robin", "proportional-fair")}
    best = np.log(rates["proportional-fair"]).sum()
    assert best > np.log(rates["round-robin"]).sum() + 1.0
    chosen = np.argmax(samples / samples.mean(axis=0), axis=1)
    other = np.bincount(chosen, samples[np.arange(len(samples)), chosen]) / len(samples)
    assert best >= np.log(other).sum() - USERS * 1e-3


def test_alike_users_gain_from_choice_what_the_integral_says():
    rng, users = np.random.default_rng(3), 6
    sample = np.log2(1.0 + 10.0**0.5 * rng.exponential(1.0, (60_000, users)))
    limit = long_run("proportional-fair", sample)
    gain = limit.rate_bps.sum() / sample.mean()
    assert gain == pytest.approx(diversity_gain(users, 5.0)[0], rel=0.01)


def test_gain_of_choice_at_low_sinr_is_the_harmonic_number():
    harmonic = np.cumsum(1.0 / np.arange(1, 11))
    assert diversity_gain(np.arange(1, 11), -40.0) == pytest.approx(harmonic, rel=1e-3)
    assert diversity_gain(1, 20.0)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_constant_rates_share_airtime_as_the_fluid_cell_says(scheduler):
    slots, demand = 4_000, np.array([0.1, 0.5, 0.5, 0.6])
    rate = np.array([400.0, 300.0, 200.0, 100.0])
    arrival = np.tile(demand * rate * PRBS, (slots, 1))
    served = run(scheduler, np.tile(rate, (slots, 1)), subband_prbs=[PRBS], arrival_bit=arrival)
    share = served.prbs[500:].mean(axis=0) / PRBS
    assert share == pytest.approx(airtime_frac(scheduler, demand, rate), abs=0.012)


def test_fluid_shares_fill_the_cell_and_no_more():
    assert airtime_frac("maximum-rate", [0.7, 0.6, np.inf], [1.0, 3.0, 2.0]).tolist() == [
        0.0, 0.6, 0.4,
    ]  # fmt: skip
    assert airtime_frac("round-robin", [0.1, np.inf, np.inf], [1.0, 9.0, 1.0]) == pytest.approx(
        [0.1, 0.45, 0.45]
    )


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_no_bit_is_lost_and_no_block_given_twice(scheduler):
    rng, slots = np.random.default_rng(5), 400
    rate = rng.uniform(0.0, 500.0, (slots, 5, 3)) * (rng.random((slots, 5, 3)) < 0.8)
    arrival = rng.exponential(4e3, (slots, 5)) * (rng.random((slots, 5)) < 0.5)
    bands = np.array([4, 4, 2])
    served = run(scheduler, rate, subband_prbs=bands, arrival_bit=arrival)
    assert served.prbs.sum(axis=1).max() <= bands.sum()
    assert (served.prbs == np.round(served.prbs)).all()
    assert served.sent_bit.sum(axis=0) + served.backlog_bit == pytest.approx(arrival.sum(axis=0))


def test_round_robin_deals_blocks_evenly_and_in_turn():
    turn, given = Turn(average_bit=np.ones(3)), []
    for _ in range(3):
        grant, turn = grant_prbs("round-robin", np.ones((3, 1)), np.full(3, np.inf), [4], turn)
        given.append(grant[:, 0].tolist())
    assert given == [[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]]


def test_what_a_short_queue_leaves_goes_to_the_others():
    turn = Turn(average_bit=np.ones(3))
    backlog = np.array([10.0, 1e9, 1e9])
    for scheduler, expected in (
        ("round-robin", [1.0, 5.0, 4.0]),
        ("maximum-rate", [1.0, 9.0, 0.0]),
    ):
        rate = np.array([[30.0], [20.0], [10.0]])
        grant, _ = grant_prbs(scheduler, rate, backlog, [10], turn)
        assert grant[:, 0].tolist() == expected


def test_a_user_outside_a_bandwidth_part_is_not_served_there():
    rate = np.array([[100.0, 100.0], [500.0, 0.0]])
    for scheduler in SCHEDULERS:
        grant, _ = grant_prbs(
            scheduler, rate, np.full(2, np.inf), [5, 5], Turn(average_bit=np.ones(2))
        )
        assert grant[1, 1] == 0.0
        assert grant.sum() == 10.0


def test_a_duplex_pattern_takes_its_share_of_the_rate():
    pattern, slots = slot_pattern("DDDSU"), 1000
    rate = np.full((slots, 2), 100.0)
    share = pattern.share_frac("downlink", 0, slots)
    served = run("round-robin", rate, subband_prbs=[10], share_frac=share)
    assert served.sent_bit.sum() == pytest.approx(slots * 1e3 * pattern.downlink_frac)


def test_unknown_schedulers_and_arrays_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="round-robin"):
        run("round-robbin", np.ones((1, 1)), subband_prbs=[1])
    with pytest.raises(DataError, match="subbands"):
        run("round-robin", np.ones((4, 2)), subband_prbs=[1, 1])
    with pytest.raises(DataError, match="arrivals"):
        run("round-robin", np.ones((4, 2)), subband_prbs=[1], arrival_bit=np.ones((3, 2)))
