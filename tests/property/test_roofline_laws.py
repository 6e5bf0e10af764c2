"""What more bandwidth, more tokens, more load and lower clocks may and may not do to a replica."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tree6g import data
from tree6g.compute.accelerator import accelerator, at_clock, clock_states
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import footprint
from tree6g.compute.replica import Parallel, spread, stored
from tree6g.compute.roofline import Batch, decode_batch, iteration, prompt_batch, saturated

DEVICES = tuple(data.table("accelerators"))
MODELS = ("llama-3.1-8b", "qwen3-30b-a3b", "gemma-3-4b", "nemotron-nano-9b-v2", "deepseek-v3")
FOOTPRINTS = {name: footprint(architecture(name)) for name in MODELS}
FORMATS = ("fp16", "fp8", "int8", "int4")

devices = st.sampled_from(DEVICES).map(accelerator)
models = st.sampled_from(MODELS).map(FOOTPRINTS.__getitem__)
formats = st.sampled_from(FORMATS)
counts = st.sampled_from((1, 2, 4, 8))
tokens = st.floats(1.0, 8192.0)


def made(device, model, weights="fp16", count=1, stages=1, **options):
    """A replica, whether it fits or not."""
    return spread(device, model, stored(device, model, weights),
                  Parallel(devices=count, stages=stages), **options)  # fmt: skip


def batches(model):
    """Batches of a model: decoding sequences, a prompt chunk and contexts."""
    return st.builds(
        lambda decoding, context, prompt, done: dataclasses.replace(
            prompt_batch(prompt, done, model.window_tok),
            decoding=decoding,
            context_tok=decoding * context,
            window_context_tok=decoding * min(context, model.window_tok),
            sampled=decoding + 1.0,
            sequences=decoding + 1.0,
        ),
        st.integers(0, 512).map(float), tokens, tokens, st.floats(0.0, 8192.0),
    )  # fmt: skip


@given(st.data(), devices, models, formats, counts)
def test_power_lies_between_static_power_and_the_limit(draw, device, model, weights, count):
    r = made(device, model, weights, count)
    cost = iteration(r, draw.draw(batches(model)))
    assert cost.time_s > 0.0
    assert r.idle_w * cost.time_s <= r.static_w * cost.time_s <= cost.energy_j
    assert cost.energy_j <= r.limit_w * cost.time_s * (1.0 + 1e-12)


@given(st.data(), devices, models, st.sampled_from(
    ("bandwidth_byte_per_s", "fp16_flop_per_s", "weight_efficiency_frac", "kv_efficiency_frac",
     "compute_efficiency_frac", "tdp_w")), st.floats(1.0, 4.0))  # fmt: skip
def test_a_better_device_is_never_slower(draw, device, model, name, by):
    better = dataclasses.replace(device, **{name: getattr(device, name) * by})
    batch = draw.draw(batches(model))
    assert iteration(made(better, model), batch).time_s <= iteration(
        made(device, model), batch
    ).time_s * (1.0 + 1e-12)


@given(st.data(), devices, models, st.sampled_from(
    ("layer_s", "expert_layer_s", "prompt_layer_s", "sequence_s", "energy_j_per_byte",
     "energy_j_per_kv_byte", "energy_j_per_flop")), st.floats(1.0, 4.0))  # fmt: skip
def test_a_larger_cost_never_saves_energy(draw, device, model, name, by):
    worse = dataclasses.replace(device, **{name: getattr(device, name) * by})
    batch = draw.draw(batches(model))
    costs = [iteration(made(d, model), batch) for d in (device, worse)]
    assert costs[1].energy_j >= costs[0].energy_j * (1.0 - 1e-12)
    assert costs[1].time_s >= costs[0].time_s * (1.0 - 1e-12)


@given(st.data(), devices, models, formats)
def test_more_work_in_a_step_is_never_cheaper(draw, device, model, weights):
    r = made(device, model, weights)
    low = draw.draw(batches(model))
    grown = {
        name: getattr(low, name) + draw.draw(st.floats(0.0, 4096.0))
        for name in ("prompt_tok", "context_tok", "decoding", "sampled", "sequences", "prefix_tok")
    }
    high = dataclasses.replace(low, **grown)
    few, many = iteration(r, low), iteration(r, high)
    assert many.time_s >= few.time_s * (1.0 - 1e-12)
    assert many.energy_j >= few.energy_j * (1.0 - 1e-12)


@given(devices, models, formats, counts, tokens, st.floats(2.0, 4096.0), st.floats(0.0, 1.5))
def test_energy_of_a_token_falls_with_the_batch_and_never_below_its_own_work(
    device, model, weights, count, prompt, answer, cv
):
    r = made(device, model, weights, count)
    batch = np.geomspace(1.0, 4096.0, 25)
    joules = saturated(r, batch, prompt, answer, cv).energy_j / batch
    # Tiles of experts touched at first only grow with the batch: there energy may rise for a while.
    if not model.experts:
        assert np.diff(joules).max() <= 1e-9 * joules[0]
    assert joules[0] > joules[-1]
    own_j = r.j_per_flop * (r.body_flop_per_tok + r.head_flop)
    assert joules.min() > own_j


@given(devices, models, st.floats(0.05, 1.0), st.integers(1, 256).map(float), tokens)
def test_a_share_of_a_device_is_slower_and_draws_less(device, model, share, sequences, context):
    whole, part = made(device, model), made(device, model, share_frac=share)
    batch = decode_batch(sequences, sequences * context)
    costs = [iteration(r, batch) for r in (whole, part)]
    assert costs[1].time_s >= costs[0].time_s * (1.0 - 1e-12)
    power_w = [c.energy_j / c.time_s for c in costs]
    assert power_w[1] <= power_w[0] * (1.0 + 1e-12)
    assert part.idle_w == whole.idle_w


@given(st.data(), devices, models)
def test_a_lower_clock_draws_less_power_and_is_slower_unless_power_was_the_limit(
    draw, device, model
):
    states = clock_states(device.name)
    i = draw.draw(st.integers(1, len(states) - 1))
    fast, slow = (made(at_clock(device, s), model) for s in (states[i - 1], states[i]))
    batch = draw.draw(batches(model))
    costs = [iteration(r, batch) for r in (fast, slow)]
    assert slow.static_w <= fast.static_w
    if costs[0].energy_j < fast.limit_w * costs[0].time_s * (1.0 - 1e-9):
        assert costs[1].time_s >= costs[0].time_s * (1.0 - 1e-12)
        assert costs[1].energy_j / costs[1].time_s <= costs[0].energy_j / costs[0].time_s * 1.000001


@given(st.data(), devices, models, counts)
def test_a_chunked_prompt_computes_the_same_and_costs_more(draw, device, model, count):
    r = made(device, model, "fp16", count)
    whole = draw.draw(st.integers(2, 8192))
    cut = draw.draw(st.integers(1, whole - 1))
    parts = [prompt_batch(cut, 0.0, r.window_tok), prompt_batch(whole - cut, cut, r.window_tok)]
    one = prompt_batch(whole, 0.0, r.window_tok)
    for name in ("prompt_tok", "prompt_area_tok2", "window_area_tok2"):
        assert sum(getattr(p, name) for p in parts) == pytest.approx(getattr(one, name))
    costs = [iteration(r, p) for p in parts]
    assert sum(c.time_s for c in costs) > iteration(r, one).time_s


@given(devices, st.sampled_from([m for m in MODELS if FOOTPRINTS[m].experts]), counts)
def test_experts_touched_grow_from_those_of_one_token_to_all(device, name, count):
    model = FOOTPRINTS[name]
    r = made(device, model, "fp16", count)
    n = np.array([1.0, 2.0, 10.0, 1e5])
    touched = -np.expm1(-r.expert_rate * n)
    assert touched[0] == pytest.approx(model.experts_active / model.experts)
    assert np.all(np.diff(touched) > 0.0)
    assert touched[-1] == pytest.approx(1.0)
    assert touched[2] < 10.0 * touched[0]


@given(devices, models, formats)
def test_waiting_costs_less_than_any_step(device, model, weights):
    r = made(device, model, weights)
    empty = iteration(r, Batch())
    assert empty.energy_j >= r.idle_w * empty.time_s
    assume(r.weight_byte > 0.0)
    assert empty.energy_j > r.static_w * empty.time_s
