"""Quality of a streamed answer: within [0, 1], and never lower when a token comes earlier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.metric.streaming import area_frac, streaming_frac

GAPS = st.lists(st.floats(0.0, 3.0), min_size=1, max_size=12)
EXPECTED = {"ttft_s": 1.0, "pace_tps": 4.0}


@given(gaps=GAPS, data=st.data())
def test_a_token_that_comes_earlier_never_lowers_the_quality(gaps, data):
    arrived = np.cumsum(gaps)
    which = data.draw(st.integers(0, len(gaps) - 1))
    earlier = arrived.copy()
    floor = arrived[which - 1] if which else 0.0
    earlier[which] = data.draw(st.floats(floor, arrived[which])) if which or gaps[0] else 0.0
    before, after = (streaming_frac(a, **EXPECTED, patience_s=2.0) for a in (arrived, earlier))
    assert 0.0 <= before <= after + 1e-12 <= 1.0 + 1e-12


@given(gaps=GAPS)
def test_area_is_a_share(gaps):
    assert -1e-9 <= area_frac(np.cumsum(gaps), **EXPECTED) <= 1.0


def test_an_answer_at_the_expected_pace_has_quality_one():
    arrived = 1.0 + np.arange(20) / 4.0
    assert streaming_frac(arrived, **EXPECTED, patience_s=2.0) == pytest.approx(1.0)
    assert area_frac(arrived, **EXPECTED) == pytest.approx(1.0)


def test_area_can_fall_when_the_last_token_comes_earlier():
    late, earlier = ([5.0, 9.0], [5.0, 5.5])
    assert area_frac(earlier, **EXPECTED) < area_frac(late, **EXPECTED)
    assert streaming_frac(earlier, **EXPECTED, patience_s=8.0) > streaming_frac(
        late, **EXPECTED, patience_s=8.0
    )
