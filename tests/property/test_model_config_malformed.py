"""Whatever stands in a config, it is counted or refused in words."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g import data
from tree6g.compute.model.catalogue import names
from tree6g.compute.model.config import from_config
from tree6g.compute.model.counts import forward_flop, parameters
from tree6g.compute.model.footprint import footprint
from tree6g.errors import DataError

JUNK = st.sampled_from(
    [None, 0, -1, 1, 7, 2.5, float("inf"), float("nan"), 10**400, True, "", "x", [], [None],
     [1, "x"], ["full_attention"], {}, {"hidden_size": 8}]
)  # fmt: skip


@st.composite
def mutated(draw):
    config = dict(data.model_config(draw(st.sampled_from(names()))))
    for _ in range(draw(st.integers(1, 3))):
        part = config
        inner = [key for key, value in config.items() if isinstance(value, dict)]
        if inner and draw(st.booleans()) and all(config[key] for key in inner):
            key = draw(st.sampled_from(inner))
            config[key] = part = dict(config[key])
        part[draw(st.sampled_from(sorted(part)))] = draw(JUNK)
    return config


@given(mutated())
@settings(max_examples=400)
def test_a_mutated_config_is_counted_or_refused(config):
    with contextlib.suppress(DataError):
        model = from_config(config, "odd")
        assert parameters(model).total >= 0
        assert forward_flop(model, 3) >= 0
        assert footprint(model).parameters >= 0
