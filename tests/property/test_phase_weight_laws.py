"""Laws of the fit of phase weights: it is the least one allowed, whatever the unit of the cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tree6g.calibrate.phase_weights import nonnegative

AMOUNTS = arrays(np.float64, st.tuples(st.integers(3, 12), st.integers(1, 5)),
                 elements=st.one_of(st.just(0.0), st.floats(0.01, 10.0)))  # fmt: skip


@given(AMOUNTS)
def test_no_allowed_step_from_the_solution_goes_down(relative):
    best = nonnegative(relative)
    slope = relative.T @ (relative @ best - 1.0)
    scale = np.maximum(np.abs(relative).sum(axis=0), 1.0)
    assert (best >= 0.0).all()
    assert (slope >= -1e-6 * scale).all()
    assert (np.abs(slope * best) <= 1e-6 * scale * np.maximum(best, 1.0)).all()


@given(AMOUNTS, st.floats(1e-3, 1e3))
def test_costs_scale_with_their_unit(relative, scale):
    told, scaled = relative @ nonnegative(relative), relative @ nonnegative(relative / scale)
    assert scaled == pytest.approx(scale * told, rel=1e-6, abs=1e-6 * scale)
