"""Delays of a cell that shares its time, against the closed forms of processor sharing."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import InfeasibleError
from tree6g.radio.fluid import (
    departure_s,
    diversity_gain,
    mean_delay_s,
    number_frac,
    sharing_delay_s,
)
from tree6g.radio.scheduling import run

TRANSFERS = 200_000


def _sizes(name, rng, count):
    """Airtimes of mean 1 s whose squared variation goes from 0 to 4.6."""
    heavy = np.where(rng.random(count) < 0.9, 0.3, 7.3)
    drawn = {
        "constant": np.ones(count),
        "uniform": rng.uniform(0.0, 2.0, count),
        "exponential": rng.exponential(1.0, count),
        "two sizes": heavy,
    }
    return drawn[name]


@pytest.mark.parametrize("sizes", ["constant", "uniform", "exponential", "two sizes"])
@pytest.mark.parametrize("load", [0.3, 0.7])
def test_mean_delay_is_that_of_processor_sharing_whatever_the_sizes(sizes, load):
    rng = np.random.default_rng(11)
    arrival_s = np.cumsum(rng.exponential(1.0 / load, TRANSFERS))
    service_s = _sizes(sizes, rng, TRANSFERS)
    stay_s = departure_s(arrival_s, service_s) - arrival_s
    assert stay_s.mean() == pytest.approx(1.0 / (1.0 - load), rel=0.04)


def test_mean_delay_grows_in_proportion_to_the_size():
    rng, load = np.random.default_rng(12), 0.6
    arrival_s = np.cumsum(rng.exponential(1.0 / load, TRANSFERS))
    service_s = _sizes("exponential", rng, TRANSFERS)
    stay_s = departure_s(arrival_s, service_s) - arrival_s
    edges = np.quantile(service_s, np.linspace(0.1, 0.95, 7))
    group = np.digitize(service_s, edges)
    for number in range(1, len(edges)):
        own = group == number
        expected_s = sharing_delay_s(service_s[own], load).mean()
        assert stay_s[own].mean() == pytest.approx(expected_s, rel=0.05)


def test_users_with_different_rates_are_slowed_by_the_same_factor():
    rng, load = np.random.default_rng(13), 0.5
    slow = rng.random(TRANSFERS) < 0.3
    service_s = rng.exponential(np.where(slow, 2.4, 0.4), TRANSFERS)
    arrival_s = np.cumsum(rng.exponential(1.0 / load, TRANSFERS))
    stay_s = departure_s(arrival_s, service_s) - arrival_s
    for own in (slow, ~slow):
        assert stay_s[own].mean() / service_s[own].mean() == pytest.approx(2.0, rel=0.04)


@pytest.mark.parametrize("sizes", ["constant", "two sizes"])
def test_delay_under_proportional_fair_is_that_of_its_gain(sizes):
    rng, load = np.random.default_rng(14), 1.2
    gain = diversity_gain(np.arange(1, 41), 5.0)
    arrival_s = np.cumsum(rng.exponential(1.0 / load, TRANSFERS))
    stay_s = departure_s(arrival_s, _sizes(sizes, rng, TRANSFERS), gain) - arrival_s
    assert stay_s.mean() == pytest.approx(mean_delay_s(1.0, load, gain), rel=0.04)


def test_number_of_transfers_is_geometric_without_gain():
    chance = number_frac(0.8)
    assert chance[:5] == pytest.approx(0.2 * 0.8 ** np.arange(5))
    assert chance.sum() == pytest.approx(1.0)
    assert mean_delay_s(2.0, 0.8) == pytest.approx(10.0)
    assert mean_delay_s(2.0, 0.0) == 2.0
    assert number_frac(0.0).tolist() == [1.0, 0.0]


def test_one_transfer_after_another_is_served_at_once():
    assert departure_s([0.0, 10.0], [3.0, 2.0]).tolist() == [3.0, 12.0]
    assert departure_s([0.0, 1.0], [2.0, 2.0]).tolist() == [3.0, 4.0]
    assert departure_s([0.0, 0.0], [1.0, 1.0], [1.0, 2.0]).tolist() == [1.0, 1.0]


def test_no_mean_exists_at_full_load():
    for call in (lambda: sharing_delay_s(1.0, 1.0), lambda: number_frac(1.3, [1.0, 1.2])):
        with pytest.raises(InfeasibleError, match="expected a load below"):
            call()


def test_files_served_slot_by_slot_stay_as_long_as_in_the_fluid_cell():
    """Little's law over slots: round robin by the block against processor sharing."""
    rng, users, slots, load, rate, prbs = np.random.default_rng(15), 24, 30_000, 0.6, 100.0, 100
    file_bit = 25.0 * rate * prbs  # a file fills the cell for 25 slots
    files = rng.random((slots, users)) < load / 25.0 / users
    arrival = files * rng.exponential(file_bit, (slots, users))
    served = run("round-robin", np.full((slots, users), rate), subband_prbs=[prbs],
                 arrival_bit=arrival)  # fmt: skip
    came, left = np.cumsum(arrival, axis=0), np.cumsum(served.sent_bit, axis=0)
    steps = [(c[f], s) for c, f, s in zip(came.T, files.T, left.T, strict=True)]
    stay = [np.searchsorted(s, c - 1e-3) - np.flatnonzero(f) for (c, s), f in
            zip(steps, files.T, strict=True)]  # fmt: skip
    offered = arrival.sum() / (slots * rate * prbs)
    slots_in_cell = np.concatenate(stay).mean() + 1.0
    needed = arrival.sum() / files.sum() / (rate * prbs)
    assert slots_in_cell == pytest.approx(needed / (1.0 - offered), rel=0.08)
