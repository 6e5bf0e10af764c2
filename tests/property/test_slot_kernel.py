"""The compiled loop over slots against its statement in plain NumPy, over cells of many kinds."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.errors import DataError
from tree6g.radio import scheduling
from tree6g.radio.link import slots

SLOTS = 40


@st.composite
def cells(draw: st.DrawFn):
    """Users, subbands, arrivals and blocks; some users cannot be served in some subbands."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    users, bands = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    shape = (SLOTS, users, bands)
    rate = rng.exponential(300.0, shape) * (rng.random(shape) < 0.8)
    if draw(st.booleans()):
        rate = np.round(rate, -2)  # ties
    arrival = rng.exponential(5e3, shape[:2]) * (rng.random(shape[:2]) < draw(st.floats(0.1, 1.0)))
    return {
        "scheduler": draw(st.sampled_from(scheduling.SCHEDULERS)),
        "bit_per_prb": rate,
        "subband_prbs": rng.integers(1, 30, bands),
        "arrival_bit": draw(st.sampled_from([arrival, None])),
        "share_frac": draw(st.sampled_from([1.0, np.resize([1.0, 1.0, 0.7, 0.0], SLOTS)])),
        "window_slots": draw(st.sampled_from([1.0, 20.0, 1000.0])),
    }


@given(cells())
def test_compiled_slots_grant_the_same_blocks(cell):
    plain, fast = scheduling.run(**cell), slots.run(**cell)
    assert (fast.prbs == plain.prbs).all()
    assert fast.sent_bit == pytest.approx(plain.sent_bit)
    assert fast.backlog_bit == pytest.approx(plain.backlog_bit)


def test_without_the_compiler_the_statement_is_run(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    rate = np.full((3, 2), 10.0)
    assert (slots.run("round-robin", rate, subband_prbs=[4]).prbs == 2.0).all()


def test_compiled_slots_refuse_what_the_statement_refuses():
    for wrong in (
        {"scheduler": "fifo"},
        {"subband_prbs": [1, 2]},
        {"bit_per_prb": np.ones((0, 2))},
    ):
        given_ = {"scheduler": "round-robin", "bit_per_prb": np.ones((2, 2)), "subband_prbs": [4]}
        with pytest.raises(DataError, match="expected"):
            slots.run(**(given_ | wrong))
