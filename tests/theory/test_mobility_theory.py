"""Random waypoint in its stationary law, recorded positions, and who moved."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.radio.mobility import Waypoints, advance, at, moved, stationary, trace

PARK = Waypoints(
    low_m=(0.0, 0.0), high_m=(300.0, 200.0), speed_m_per_s=(0.5, 5.0), pause_s=(10.0, 60.0)
)
RESTLESS = Waypoints(low_m=(-100.0, -100.0), high_m=(100.0, 100.0), speed_m_per_s=(1.0, 20.0))


def _distance(a, b):
    """Kolmogorov and Smirnov's distance between two samples."""
    grid = np.concatenate([a, b])
    cdfs = [np.searchsorted(np.sort(x), grid, side="right") / len(x) for x in (a, b)]
    return np.abs(cdfs[0] - cdfs[1]).max()


@pytest.mark.parametrize("rules", [PARK, RESTLESS], ids=["park", "restless"])
def test_the_start_is_what_any_later_moment_looks_like(rules):
    rng, count = np.random.default_rng(3), 20_000
    start = stationary(rng, rules, count)
    later = start
    for _ in range(5):
        later = advance(rng, rules, later, 47.0)
    pairs = [
        (start.position_m[:, 0], later.position_m[:, 0]),
        (start.position_m[:, 1], later.position_m[:, 1]),
        (start.pause_s, later.pause_s),
        (start.speed_m_per_s, later.speed_m_per_s),
        (np.hypot(*(start.target_m - start.position_m).T),
         np.hypot(*(later.target_m - later.position_m).T)),
    ]  # fmt: skip
    limit = 1.95 * np.sqrt(2.0 / count)  # passed by chance in 999 of 1000 samples
    assert max(_distance(a, b) for a, b in pairs) < limit


def test_share_of_pauses_and_mean_speed_are_those_of_the_closed_form():
    rng, count = np.random.default_rng(4), 100_000
    assert (stationary(rng, PARK, count).pause_s > 0.0).mean() == pytest.approx(
        PARK.paused_frac, abs=0.005
    )
    slow, fast = RESTLESS.speed_m_per_s
    walkers = stationary(rng, RESTLESS, count)
    assert walkers.speed_m_per_s.mean() == pytest.approx((fast - slow) / np.log(fast / slow), 0.01)
    after = advance(rng, RESTLESS, walkers, 0.01)
    step_m = np.hypot(*(after.position_m - walkers.position_m).T)
    assert step_m.mean() / 0.01 == pytest.approx((fast - slow) / np.log(fast / slow), rel=0.01)


def test_a_plain_start_would_be_wrong_for_long():
    """Why the stationary start is there: evenly dropped walkers crowd the middle only later."""
    rng, count = np.random.default_rng(5), 50_000
    dropped = rng.uniform(-100.0, 100.0, (count, 2))
    walkers = stationary(rng, RESTLESS, count).position_m
    middle = [(np.abs(p).max(axis=1) < 50.0).mean() for p in (dropped, walkers)]
    assert middle[0] == pytest.approx(0.25, abs=0.01)
    assert middle[1] > 0.38


def test_mean_leg_of_a_square_is_the_known_number():
    square = Waypoints(low_m=(0.0, 0.0), high_m=(1.0, 1.0), speed_m_per_s=(1.0, 1.0))
    assert square.mean_leg_m == pytest.approx(0.521405, abs=1e-6)
    assert square.mean_leg_s == pytest.approx(square.mean_leg_m)
    assert square.paused_frac == 0.0
    rng = np.random.default_rng(6)
    a, b = rng.uniform(PARK.low_m, PARK.high_m, (2, 200_000, 2))
    assert np.hypot(*(a - b).T).mean() == pytest.approx(PARK.mean_leg_m, rel=0.005)


def test_walkers_keep_their_speed_and_stay_inside():
    rng = np.random.default_rng(7)
    walkers = stationary(rng, PARK, 2_000)
    for _ in range(40):
        before, walkers = walkers, advance(rng, PARK, walkers, 3.0)
        step_m = np.hypot(*(walkers.position_m - before.position_m).T)
        assert step_m.max() <= 3.0 * 5.0 + 1e-9
        assert (step_m[before.pause_s >= 3.0] == 0.0).all()
        assert (walkers.position_m >= PARK.low_m).all()
        assert (walkers.position_m <= PARK.high_m).all()


def test_two_short_times_are_one_long_time_on_a_leg():
    rng = np.random.default_rng(8)
    walkers = stationary(rng, RESTLESS, 500)
    way = np.hypot(*(walkers.target_m - walkers.position_m).T)
    far = way > 2.0 * walkers.speed_m_per_s
    twice = advance(rng, RESTLESS, advance(rng, RESTLESS, walkers, 1.0), 1.0)
    once = advance(rng, RESTLESS, walkers, 2.0)
    assert twice.position_m[far] == pytest.approx(once.position_m[far])
    assert (walkers.position_m == advance(rng, RESTLESS, walkers, 0.0).position_m).all()


def test_the_same_seed_walks_the_same_way():
    ends = []
    for _ in range(2):
        rng = np.random.default_rng(9)
        ends.append(advance(rng, PARK, stationary(rng, PARK, 100), 100.0).position_m)
    assert (ends[0] == ends[1]).all()


def test_what_moved_is_what_left_its_known_place():
    known = np.zeros((3, 2))
    away, known = moved(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 6.0]]), known, least_m=5.0)
    assert away.tolist() == [False, False, True]
    assert known.tolist() == [[0.0, 0.0], [0.0, 0.0], [0.0, 6.0]]
    # Drifting on, the second one passes the distance in the end.
    away, _ = moved(np.array([[0.0, 0.0], [3.0, 4.1], [0.0, 6.0]]), known, least_m=5.0)
    assert away.tolist() == [False, True, False]


def test_kept_results_are_never_older_than_the_distance():
    rng = np.random.default_rng(10)
    walkers = stationary(rng, PARK, 1_000)
    known, shares = walkers.position_m, []
    for _ in range(30):
        walkers = advance(rng, PARK, walkers, 1.0)
        away, known = moved(walkers.position_m, known, least_m=5.0)
        shares.append(away.mean())
        assert np.hypot(*(walkers.position_m - known).T).max() <= 5.0
    assert 0.1 < np.mean(shares) < 0.5


def test_recorded_positions_are_straight_between_rows():
    record = trace(
        [1, 0, 0, 1, 3], [5.0, 0.0, 10.0, 6.0, 2.0],
        [[0.0, 0.0], [0.0, 0.0], [10.0, 20.0], [1.0, 1.0], [7.0, 7.0]],
    )  # fmt: skip
    position, present = at(record, 5.0)
    assert present.tolist() == [True, True, False, False]
    assert position[0].tolist() == [5.0, 10.0]
    assert position[1].tolist() == [0.0, 0.0]
    assert at(record, 6.0)[1].tolist() == [True, True, False, False]
    assert at(record, 6.5)[1].tolist() == [True, False, False, False]
    assert at(record, 2.0)[1].tolist() == [True, False, False, True]
    assert at(record, -1e9)[1].tolist() == at(record, 1e9)[1].tolist() == [False] * 4


def test_recorded_positions_equal_interpolation_of_each_terminal():
    rng = np.random.default_rng(11)
    owner, time = rng.integers(0, 20, 2_000), rng.random(2_000) * 100.0
    place = rng.random((2_000, 3))
    record = trace(owner, time, place)
    for moment in (30.0, 50.5, 99.0):
        position, present = at(record, moment)
        for n in np.flatnonzero(present):
            order = np.argsort(time[owner == n])
            rows = time[owner == n][order], place[owner == n][order]
            expected = [np.interp(moment, rows[0], rows[1][:, axis]) for axis in range(3)]
            assert position[n] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (([0, 0], [1.0, 1.0], [[0.0, 0.0]] * 2), "1 repeated"),
        (([0], [np.nan], [[0.0, 0.0]]), "1 rows that are not finite"),
        (([-1], [0.0], [[0.0, 0.0]]), "1 below 0"),
        (([0], [0.0, 1.0], [[0.0, 0.0]]), "as many terminals"),
        (([], [], np.empty((0, 2))), "at least one"),
    ],
)
def test_broken_rows_are_refused(rows, says):
    with pytest.raises(DataError, match=says):
        trace(*rows)


def test_speeds_that_would_stop_the_walk_are_refused():
    with pytest.raises(DataError, match="0 < slowest"):
        Waypoints(low_m=(0.0, 0.0), high_m=(1.0, 1.0), speed_m_per_s=(0.0, 1.0))
