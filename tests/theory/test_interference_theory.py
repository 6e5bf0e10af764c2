"""Powers of links that disturb one another: closed forms, bounds, and brute force."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.errors import ScenarioError
from tree6g.optimise.interference.ascent import steepness
from tree6g.optimise.interference.branch import upper
from tree6g.optimise.interference.links import Links, per_joule, without_interference
from tree6g.optimise.interference.solve import best_powers


def links(gain: np.ndarray, **changes: object) -> Links:
    """Links of unit noise, power and bandwidth."""
    given_ = {
        "noise_w": 1.0,
        "power_limit_w": 1.0,
        "w_per_radiated_w": 15.0,
        "fixed_power_w": 1.0,
        "weight": 1.0,
        "bandwidth_hz": 1.0,
    }
    return Links(gain=gain, **(given_ | changes))  # type: ignore[arg-type]


def disturbed(seed: int, count: int) -> Links:
    """Links with Rayleigh fading and random weights."""
    rng = np.random.default_rng(seed)
    gain = rng.exponential(size=(count, count)) * np.where(np.eye(count), 30.0, 5.0)
    return links(gain, weight=rng.uniform(0.5, 2.0, count))


def test_parallel_links_have_the_water_filling_of_energy_efficiency() -> None:
    three = links(np.diag([4.0, 1.0, 0.2]), w_per_radiated_w=1.0, power_limit_w=100.0)
    bound, power = without_interference(three)
    assert bound == pytest.approx(1.17525898048818, rel=1e-9)
    assert power == pytest.approx([0.977555, 0.227555, 0.0], abs=1e-6)
    found = best_powers(three)
    assert found.method == "global"
    assert found.value == pytest.approx(1.17525898048818, rel=1e-9)
    assert found.gap_frac <= 1e-9


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 3))
def test_the_global_search_finds_what_a_grid_finds(seed: int, count: int) -> None:
    case = disturbed(seed, count)
    found = best_powers(case, "global")
    grid = np.array(list(itertools.product(np.linspace(0.0, 1.0, 41) ** 2, repeat=count)))
    best = float(per_joule(case, grid).max())
    assert found.method == "global"
    assert best <= found.upper_bound
    assert best <= found.value * (1.0 + 1e-9)  # what the local search gives is at least as good


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 6))
def test_no_point_of_a_box_exceeds_its_bound(seed: int, count: int) -> None:
    case, rng = disturbed(seed, count), np.random.default_rng(seed)
    ends = np.sort(rng.uniform(size=(2, count)), axis=0)
    inside = ends[0] + (ends[1] - ends[0]) * rng.uniform(size=(200, count))
    bound = upper(case, ends[:1], ends[1:])[0]
    assert per_joule(case, inside).max() <= bound * (1.0 + 1e-12)
    assert per_joule(case, inside).max() <= without_interference(case)[0] * (1.0 + 1e-12)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 8))
def test_a_local_optimum_is_stationary_and_says_what_it_is(seed: int, count: int) -> None:
    case = disturbed(seed, count)
    found = best_powers(case, "local")
    assert steepness(case, found.power_w) <= 1e-4
    assert found.upper_bound >= found.value
    assert (found.method == "global") == (found.gap_frac <= 1e-9)
    assert 1 <= found.optima[0] <= found.optima[1] == 21 + count


def test_many_links_are_searched_locally_unless_told_otherwise() -> None:
    assert best_powers(disturbed(3, 8)).method == "local"


def test_a_search_that_is_cut_short_does_not_call_itself_global() -> None:
    found = best_powers(disturbed(3, 6), "global", boxes=512)
    assert found.method == "local"
    assert found.upper_bound > found.value * 1.01


def test_a_link_that_is_worth_nothing_stays_silent() -> None:
    case = dataclasses.replace(disturbed(5, 2), weight=np.array([1.0, 0.0]))
    assert best_powers(case).power_w[1] == 0.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gain": np.ones((2, 3))}, r"pairs \[link, link\]; got shape \(2, 3\)"),
        ({"gain": -np.ones((2, 2))}, "gains >= 0; got -1"),
        ({"noise_w": 0.0}, "noise_w, fixed_power_w, .* > 0; got 0"),
        ({"weight": -1.0}, "weight >= 0; got -1"),
    ],
)
def test_links_that_cannot_be_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        dataclasses.replace(disturbed(1, 2), **changes)
