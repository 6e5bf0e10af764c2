"""A curve read by a loop is what NumPy reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.radio import curve
from tree6g.radio.adaptation import _GRID_DB, spectral_efficiency
from tree6g.radio.mimo import best_efficiency, best_layers


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 60))
def test_the_loop_reads_what_numpy_reads_to_the_last_bit(seed, points):
    rng = np.random.default_rng(seed)
    grid = np.round(rng.normal() + rng.uniform(0.01, 2.0) * np.arange(points), 3)
    values = rng.normal(size=points)
    near = np.nextafter(grid, rng.choice([-np.inf, np.inf], size=points))
    at = np.concatenate([
        rng.uniform(grid[0] - 1.0, grid[-1] + 1.0, 50), grid, near, [np.inf, -np.inf, np.nan]
    ])  # fmt: skip
    found = np.empty(len(at))
    curve.read_each(at, grid, values, found)
    np.testing.assert_array_equal(found, np.interp(at, grid, values))


def test_compiled_and_plain_efficiencies_are_equal(monkeypatch):
    pytest.importorskip("numba")
    at_db = np.random.default_rng(1).uniform(-40.0, 60.0, (4, 500))
    read = {}
    for compiled in (False, True):
        monkeypatch.setattr(curve, "is_compiled", lambda compiled=compiled: compiled)
        read[compiled] = spectral_efficiency(at_db)
    np.testing.assert_array_equal(read[False], read[True])
    assert (np.diff(_GRID_DB) > 0.0).all()


def test_the_best_efficiency_is_that_of_the_best_layers():
    sinr_db = np.linspace(-30.0, 40.0, 301)
    given = {"antennas": 8, "most": 4, "efficiency": spectral_efficiency}
    best = best_layers(sinr_db, **given).efficiency
    np.testing.assert_array_equal(best_efficiency(sinr_db, **given), best)
