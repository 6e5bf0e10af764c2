"""Replicas, engines and traces to serve with, and how two results are compared."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import strategies as st

from tree6g.compute.replica import Replica
from tree6g.compute.serving.requests import requests
from tree6g.compute.serving.settings import EngineSettings

EDGES_S = np.geomspace(1e-4, 1e3, 141)


# About an H100 with an 8B model in fp8, an L4 with a 7B one without grouped heads, and a Jetson AGX
# Orin with a 3B one: of the right size, not their calibrated constants.
_H100 = Replica(
    weight_s=2.7e-3,
    weight_byte=8.03e9,
    flop_s=1.4e-15,
    prompt_flop_per_tok=1.396e10,
    body_flop_per_tok=1.396e10,
    head_flop=1.05e9,
    attention_flop=524288.0,
    decode_attention_flop=524288.0,
    kv_s_per_tok=4.55e-8,
    kv_byte_per_tok=131072.0,
    fixed_s=1.82e-3,
    prompt_s=4e-4,
    sequence_s=6.8e-5,
    token_s=1e-7,
    idle_w=121.7,
    static_w=370.0,
    limit_w=700.0,
    j_per_byte=4.7e-11,
    j_per_kv_byte=6.1e-11,
    j_per_flop=1.14e-12,
    kv_capacity_tok=488050.0,
    u95_frac=0.3,
)
_L4 = dataclasses.replace(
    _H100,
    weight_s=2.8e-2,
    weight_byte=6.74e9,
    flop_s=1.15e-14,
    prompt_flop_per_tok=1.36e10,
    body_flop_per_tok=1.295e10,
    head_flop=2.6e8,
    kv_s_per_tok=2.18e-6,
    kv_byte_per_tok=524288.0,
    idle_w=26.0,
    static_w=45.8,
    limit_w=72.0,
    kv_capacity_tok=27726.0,
)
_JETSON = dataclasses.replace(
    _H100,
    weight_s=3.1e-2,
    weight_byte=3.2e9,
    flop_s=5.9e-14,
    prompt_flop_per_tok=5.6e9,
    body_flop_per_tok=5.6e9,
    head_flop=7.9e8,
    kv_s_per_tok=1.1e-6,
    kv_byte_per_tok=114688.0,
    fixed_s=3.8e-3,
    sequence_s=2e-4,
    idle_w=8.0,
    static_w=30.4,
    limit_w=60.0,
)
REPLICAS = {
    "dense": _H100,
    "limited": _L4,
    "hardly limited": dataclasses.replace(
        _L4, limit_w=_L4.static_w + 0.7 * (_L4.limit_w - _L4.static_w)
    ),
    "edge": _JETSON,
    "experts": dataclasses.replace(
        _H100,
        expert_s=8e-3,
        expert_byte=2.5e10,
        expert_rate=0.03,
        expert_flop=4e12,
        weight_s=1e-3,
        weight_byte=3e9,
    ),
    "window": dataclasses.replace(
        _H100,
        window_tok=128,
        window_kv_s_per_tok=3.0 * _H100.kv_s_per_tok,
        window_kv_byte_per_tok=3.0 * _H100.kv_byte_per_tok,
        window_attention_flop=2.0 * _H100.attention_flop,
        window_decode_attention_flop=2.5 * _H100.attention_flop,
    ),
    "state": dataclasses.replace(
        _H100,
        kv_s_per_tok=0.0,
        kv_byte_per_tok=0.0,
        attention_flop=0.0,
        decode_attention_flop=0.0,
        state_s=2e-5,
        state_byte=4e7,
    ),
    # The power limit begins to bind as contexts grow, or ceases to.
    "crossing": dataclasses.replace(
        _H100,
        limit_w=_H100.static_w + 180.0,
        kv_s_per_tok=_H100.kv_s_per_tok * 40,
        kv_byte_per_tok=_H100.kv_byte_per_tok * 120,
    ),
    "uncrossing": dataclasses.replace(
        _H100, limit_w=_H100.static_w + 180.0, kv_s_per_tok=_H100.kv_s_per_tok * 100
    ),
}


@st.composite
def _trace(draw):
    rows = draw(
        st.lists(
            st.tuples(
                st.floats(0.0, draw(st.sampled_from([0.0, 0.5, 20.0]))),
                st.integers(1, 900),
                st.integers(1, 250),
                st.integers(0, 2),
                st.integers(-1, 3),
                st.floats(0.0, 1.0),
                st.sampled_from([np.inf, np.inf, 0.05, 1.0, 5.0]),
            ),
            min_size=1,
            max_size=25,
        )
    )
    rows.sort(key=lambda row: row[0])
    arrival_s, prompt, output, priority, group, part, patience = zip(*rows, strict=True)
    prefix = np.where(np.array(part) > 0.7, prompt, np.floor(np.array(part) * np.array(prompt)))
    return requests(
        arrival_s,
        prompt,
        output,
        priority=priority,
        prefix_id=group,
        prefix_tok=prefix,
        give_up_s=patience,
    )


@st.composite
def _engine(draw):
    places = draw(st.integers(1, 12))
    return EngineSettings(
        token_budget=max(places, draw(st.sampled_from([16, 100, 512, 2048]))),
        max_sequences=places,
        block_tok=draw(st.sampled_from([1, 4, 16, 16, 16])),
        graph_sizes=draw(st.sampled_from([None, (), (1, 2, 4, 8), (3,)])),
        prefix_cache=draw(st.booleans()),
        priorities=draw(st.booleans()),
        async_scheduling=draw(st.booleans()),
        kv_capacity_tok=draw(st.sampled_from([300, 1100, 1500, 2500, 8000, None])),
    )


traces = _trace()
engines = _engine()


def closely(one, other, *, tolerance=1e-9, idle=True):
    """Assert that two results say the same: counts exactly, times and joules closely."""
    for name in ("outcome", "produced_tok", "cached_tok", "preemptions", "token_gaps"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert one.iterations == other.iterations
    for name in ("scheduled_s", "first_token_s", "finish_s"):
        a, b = getattr(one, name), getattr(other, name)
        assert np.allclose(a, b, rtol=1e-12, atol=tolerance, equal_nan=True), name
    for name in ("prefill_j", "decode_j", "recompute_j"):
        a, b = getattr(one, name), getattr(other, name)
        assert np.allclose(a, b, rtol=tolerance, atol=1e-12), name
    names = ["busy_s", "running_time_s", "waiting_time_s"]
    for name in [*names, "end_s", "energy_j", "idle_j"] if idle else names:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-9), name
    if one.bins is not None and idle:
        for field in dataclasses.fields(one.bins):
            a, b = getattr(one.bins, field.name), getattr(other.bins, field.name)
            assert np.allclose(a, b, rtol=1e-9, atol=1e-9), field.name
