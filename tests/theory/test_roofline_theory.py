"""The roofline against what a pencil gives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tree6g import data
from tree6g.compute.accelerator import accelerator, language_model
from tree6g.compute.replica import replica
from tree6g.compute.roofline import Batch, decode_batch, iteration, prompt_batch, saturated
from tree6g.compute.serial import answer
from tree6g.errors import DataError, InfeasibleError

H100, LLAMA = accelerator("h100-sxm"), language_model("llama-3.1-8b")


@pytest.fixture
def r():
    return replica(H100, LLAMA)


def test_a_decode_step_of_one_sequence_is_the_time_to_read_the_weights(r):
    cost = iteration(r, decode_batch(1.0, 0.0))
    weights_s = 8_030_261_248 * 2.0 / (3.35e12 * 0.89)
    flop_s = 2.0 * (8_030_261_248 - 128_256 * 4096) / (989.4e12 * 0.64)
    host_s = 0.38e-3 + 32 * 45e-6 + 68e-6
    assert cost.time_s == pytest.approx(math.hypot(weights_s, flop_s) + host_s, rel=1e-9)


def test_a_long_prompt_is_bound_by_arithmetic(r):
    cost = iteration(r, prompt_batch(8192.0))
    flop = 2.0 * r.body_flop_per_tok / 2.0 * 8192 + r.attention_flop * 8192**2 / 2 + r.head_flop
    assert cost.time_s == pytest.approx(flop * r.flop_s, rel=0.03)


def test_energy_never_exceeds_the_power_limit(r):
    cost = iteration(r, prompt_batch(8192.0))
    assert cost.energy_j == pytest.approx(700.0 * cost.time_s)
    light = iteration(r, decode_batch(1.0, 100.0))
    assert light.energy_j < 700.0 * light.time_s


def test_an_iteration_draws_more_than_idle(r):
    for batch in (decode_batch(1.0, 0.0), decode_batch(256.0, 1e5), prompt_batch(10.0)):
        cost = iteration(r, batch)
        assert cost.energy_j > r.idle_w * cost.time_s


def test_batching_lowers_the_energy_of_a_token(r):
    energy = [saturated(r, b, 100.0, 400.0, 0.7).energy_j / b for b in (1, 8, 64, 256)]
    assert energy == sorted(energy, reverse=True)
    assert energy[0] > 10.0 * energy[-1]


def test_keys_and_values_take_128_kibibyte_per_token_of_llama_8b():
    assert LLAMA.kv_byte_per_tok == 131_072


def test_a_part_of_a_gpu_is_slower_and_draws_less(r):
    half = replica(H100, LLAMA, share_frac=0.5)
    batch = decode_batch(32.0, 32_000.0)
    assert iteration(half, batch).time_s > 1.5 * iteration(r, batch).time_s
    assert half.idle_w == r.idle_w
    assert half.static_w == pytest.approx((r.idle_w + r.static_w) / 2.0)
    assert half.kv_capacity_tok == r.kv_capacity_tok


def test_tensor_parallelism_shares_weights_and_pays_for_communication():
    model = language_model("llama-3.1-70b")
    four, eight = (replica(H100, model, count=n) for n in (4, 8))
    assert eight.weight_s == pytest.approx(four.weight_s / 2.0)
    assert eight.fixed_s == four.fixed_s > replica(H100, LLAMA).fixed_s
    assert eight.link_s_per_tok > 0.0
    assert eight.idle_w == 2.0 * four.idle_w


def test_a_model_that_does_not_fit_is_refused_with_its_size():
    with pytest.raises(InfeasibleError, match=r"llama-3\.1-70b"):
        replica(H100, language_model("llama-3.1-70b"))
    with pytest.raises(InfeasibleError, match="no link to peers"):
        replica(accelerator("jetson-agx-orin"), LLAMA, count=2)


def test_fewer_bits_are_read_faster():
    times = [
        iteration(replica(H100, LLAMA, weights=w), decode_batch(1.0, 0.0)).time_s
        for w in ("fp16", "fp8", "int4")
    ]
    assert times == sorted(times, reverse=True)


def test_eight_bit_arithmetic_needs_a_device_that_has_it():
    a100 = accelerator("a100-80")
    assert a100.flop_per_s["fp8"] == a100.flop_per_s["fp16"]
    assert H100.flop_per_s["fp8"] == pytest.approx(2.0 * H100.flop_per_s["fp16"], rel=1e-3)


def test_a_terminal_answers_as_the_roofline_says(r):
    made = answer(r, 500, 40)
    context = 501.0 + np.arange(39)
    steps = [iteration(r, decode_batch(1.0, c)) for c in context]
    first = iteration(r, prompt_batch(500.0))
    assert np.diff(made.time_s) == pytest.approx([c.time_s for c in steps], rel=1e-9)
    idle = r.idle_w
    above = [first.energy_j - idle * first.time_s]
    above += [c.energy_j - idle * c.time_s for c in steps]
    assert made.energy_j == pytest.approx(above, rel=1e-9)


def test_an_answer_of_one_token_is_the_prompt_alone(r):
    assert len(answer(r, 10, 1).time_s) == 1


@pytest.mark.parametrize("name", list(data.table("accelerators")))
def test_powers_of_every_accelerator_are_in_order(name):
    device = accelerator(name)
    assert 0.0 < device.idle_bare_w <= device.idle_context_w < device.static_w < device.tdp_w


@pytest.mark.parametrize("name", list(data.table("models")))
def test_parameter_counts_follow_from_the_config(name):
    row, model = data.row("models", name), language_model(name)
    d, h = model.hidden, model.head_dim
    block = 2.0 * d * model.heads * h + 2.0 * d * model.kv_heads * h
    block += 3.0 * d * data.number(row, "feed_forward") + 2.0 * d
    block += data.number(row, "attention_bias") * (model.heads + 2 * model.kv_heads) * h
    block += data.number(row, "query_key_norm") * 2.0 * h
    embeddings = (1 if model.tied else 2) * model.head_parameters
    assert model.parameters == embeddings + model.layers * block + d + model.vision_parameters


def test_an_unknown_device_names_the_nearest():
    with pytest.raises(DataError, match="h100-sxm"):
        accelerator("h100-smx")


def test_empty_work_costs_an_empty_iteration(r):
    assert iteration(r, Batch()).time_s == pytest.approx(r.weight_s + r.fixed_s)
