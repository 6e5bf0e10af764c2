"""The roofline against what a pencil gives, term by term."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tree6g import data
from tree6g.compute.accelerator import (
    CONSTANTS,
    Accelerator,
    accelerator,
    at_clock,
    clock_states,
    with_constants,
)
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import Footprint, footprint
from tree6g.compute.replica import Parallel, Stored, replica, spread, stored
from tree6g.compute.roofline import (
    Batch,
    alone,
    decode_batch,
    iteration,
    median_gap_s,
    prompt_batch,
    saturated,
    window_area_tok2,
)
from tree6g.compute.serial import answer
from tree6g.errors import DataError, InfeasibleError

# Round numbers: 1e12 byte/s at 80 %, 1e14 FLOP/s at 50 %, 100 W waiting, 200 W working, 500 W most.
DEVICE = Accelerator(
    name="round", engine="none", fp16_flop_per_s=1e14, fp8_flop_per_s=2e14, int8_flop_per_s=None,
    bandwidth_byte_per_s=1e12, memory_byte=4e10, tdp_w=500.0, idle_bare_w=50.0,
    idle_context_w=100.0, interconnect_byte_per_s=1e11, static_w=200.0, energy_j_per_byte=1e-10,
    energy_j_per_kv_byte=2e-10, energy_j_per_flop=1e-12, weight_efficiency_frac=0.8,
    kv_efficiency_frac=0.5, compute_efficiency_frac=0.5, compute_efficiency_8bit_frac=0.25,
    layer_s=1e-4, expert_layer_s=2e-4, prompt_layer_s=3e-4, sequence_s=5e-5,
    sequence_doubling_frac=0.1, allreduce_s=1e-5, u95_frac=0.2,
)  # fmt: skip
DENSE = Footprint(
    name="round", parameters=1_000_000_000, step_parameters=900_000_000, expert_parameters=0,
    experts=0, experts_active=0, moe_layers=0, prompt_flop_per_tok=1.6e9, vision_flop_per_tok=0.0,
    decode_flop_per_tok=1.6e9, head_flop=2e8, attention_flop=1e5, decode_attention_flop=1e5,
    window_attention_flop=0.0, window_tok=0.0, kv_value_per_tok=1e4, window_kv_value_per_tok=0.0,
    state_value=0.0, recurrent_flop_per_tok=0.0, layers=10, hidden=1000, vocabulary=100_000,
    vision_parameters=0, encoder_parameters=0, embedding_parameters=100_000_000,
    head_parameters=100_000_000, tied=False,
)  # fmt: skip
EXPERTS = dataclasses.replace(
    DENSE, parameters=9_000_000_000, expert_parameters=8_000_000_000, experts=8, experts_active=2,
    moe_layers=10,
)  # fmt: skip
WINDOWS = dataclasses.replace(
    DENSE, window_attention_flop=3e5, window_tok=100.0, window_kv_value_per_tok=3e4
)
STATE = dataclasses.replace(DENSE, state_value=1e6)
WEIGHT_S = 1.8e9 / 0.8e12
PARALLEL = Parallel()


def _made(model=DENSE, device=DEVICE, parallel=PARALLEL, **options):
    return spread(device, model, stored(device, model, "fp16"), parallel, **options)


@pytest.fixture
def r():
    return _made()


def test_a_decode_step_reads_weights_and_cache_and_pays_the_host(r):
    cost = iteration(r, decode_batch(4.0, 1000.0))
    flop = 4 * (1.6e9 + 2e8)
    kv_byte = 1000 * 2e4
    assert cost.time_s == pytest.approx(
        math.hypot(WEIGHT_S, flop / 0.5e14) + kv_byte / 0.5e12 + 10 * 1e-4 + 4 * 5e-5, rel=1e-12
    )
    dynamic_j = 1e-10 * 1.8e9 + 2e-10 * (kv_byte + 4 * 2e4) + 1e-12 * (flop + 1e5 * 1000)
    assert cost.energy_j == pytest.approx(200.0 * cost.time_s + dynamic_j, rel=1e-12)


def test_a_prompt_computes_its_matrices_and_half_the_square_of_its_attention(r):
    cost = iteration(r, prompt_batch(1000.0))
    flop = 1000 * 1.6e9 + 2e8 + 1e5 * 1000**2 / 2
    host_s = 10 * (1e-4 + 3e-4) + 5e-5
    assert cost.time_s == pytest.approx(math.hypot(WEIGHT_S, flop / 0.5e14) + host_s, rel=1e-12)


def test_a_second_chunk_attends_to_the_first_and_reads_it(r):
    batch = prompt_batch(100.0, done=400.0)
    assert batch.prompt_area_tok2 == 100 * 400 + 100**2 / 2
    assert batch.prefix_tok == 400
    assert prompt_batch(500.0).prompt_area_tok2 == pytest.approx(
        prompt_batch(400.0).prompt_area_tok2 + batch.prompt_area_tok2
    )
    light = iteration(r, prompt_batch(100.0))
    assert iteration(r, batch).time_s - light.time_s > 400 * 2e4 / 0.5e12


@pytest.mark.parametrize("tokens", [1.0, 3.0, 16.0, 400.0])
def test_tokens_touch_experts_as_independent_draws_do(tokens):
    cost = iteration(_made(EXPERTS), decode_batch(tokens, 0.0))
    touched = 1.0 - (1.0 - 2 / 8) ** tokens
    flop = tokens * (1.6e9 + 2e8) + touched * 2 * 8e9 * 16  # tiles of 16 rows, used or empty
    read_s = WEIGHT_S + touched * 1.6e10 / 0.8e12
    host_s = 10 * (1e-4 + 2e-4) + tokens * 5e-5
    assert cost.time_s == pytest.approx(math.hypot(read_s, flop / 0.5e14) + host_s, rel=1e-9)


def test_block_scaled_eight_bit_experts_have_tiles_of_64_rows_and_half_the_bytes():
    narrow = stored(DEVICE, EXPERTS, "fp8")
    assert narrow.tile_rows == 64.0
    assert stored(DEVICE, EXPERTS, "fp8-row").tile_rows == 16.0
    assert narrow.narrow_flop_per_s == 2e14
    r = spread(DEVICE, EXPERTS, narrow, Parallel())
    assert r.expert_byte == pytest.approx(8e9, rel=0.01)  # and its scales
    assert r.flop_s == pytest.approx(1.0 / (2e14 * 0.25))


def test_eight_bit_weights_without_eight_bit_arithmetic_are_unpacked():
    made = stored(DEVICE, DENSE, "int8")
    assert made.narrow_flop_per_s == 0.0
    assert spread(DEVICE, DENSE, made, Parallel()).flop_s == pytest.approx(1.0 / 0.5e14)
    assert DEVICE.reached_flop_per_s("int8") == 0.5e14
    assert DEVICE.reached_flop_per_s("fp8") == 0.5e14  # twice the peak at half the share
    assert accelerator("a100-80").narrow_flop_per_s("fp8") is None


def test_layers_with_a_window_read_no_more_than_it():
    r = _made(WINDOWS)
    short = iteration(r, decode_batch(1.0, 50.0, 50.0))
    cost = iteration(r, decode_batch(1.0, 1000.0, 100.0))
    assert cost.time_s - short.time_s == pytest.approx(
        950 * 2e4 / 0.5e12 + 50 * 6e4 / 0.5e12, rel=1e-9
    )


def test_area_inside_a_window_is_a_triangle_then_a_strip():
    assert window_area_tok2(0.0, 60.0, 100.0) == 60**2 / 2
    assert window_area_tok2(0.0, 300.0, 100.0) == 100**2 / 2 + 200 * 100
    assert window_area_tok2(150.0, 300.0, 100.0) == 150 * 100
    parts = window_area_tok2(0.0, 80.0, 100.0) + window_area_tok2(80.0, 300.0, 100.0)
    assert parts == window_area_tok2(0.0, 300.0, 100.0)
    assert window_area_tok2(0.0, 300.0, 0.0) == 0.0  # no window, no layers with one


def test_recurrent_state_is_read_and_written_per_sequence_whatever_its_context():
    r, plain = _made(STATE), _made(DENSE)
    for context in (0.0, 1e5):
        more = iteration(r, decode_batch(3.0, context)).time_s
        less = iteration(plain, decode_batch(3.0, context)).time_s
        assert more - less == pytest.approx(3 * 1e6 * 8 / 0.5e12, rel=1e-9)


def test_tensor_parallelism_shares_reads_and_pays_for_communication(r):
    four = _made(parallel=Parallel(devices=4))
    assert four.weight_s == pytest.approx(r.weight_s / 4)
    assert four.flop_s == pytest.approx(r.flop_s / 4)
    assert four.kv_s_per_tok == pytest.approx(r.kv_s_per_tok / 4)
    assert four.fixed_s == pytest.approx(10 * (1e-4 + 2 * 1e-5))
    assert four.sequence_s == pytest.approx(5e-5 * (1 + 0.1 * 2))
    assert four.token_s == pytest.approx(4 * 10 * 1000 * 2 * (3 / 4) / 1e11)
    assert (four.idle_w, four.static_w, four.limit_w) == (400.0, 800.0, 2000.0)
    assert r.token_s == 0.0


def test_each_pipeline_stage_reads_its_weights_once_per_part_of_the_batch():
    flat, deep = _made(parallel=Parallel(devices=4)), _made(parallel=Parallel(devices=4, stages=2))
    assert deep.weight_byte == 2 * flat.weight_byte
    assert deep.weight_s == pytest.approx(2 * flat.weight_s)
    assert deep.flop_s == flat.flop_s
    routed = _made(EXPERTS, parallel=Parallel(devices=4, stages=2))
    cost = iteration(routed, decode_batch(8.0, 0.0))
    touched = 1.0 - (1.0 - 2 / 8) ** 4  # four tokens in each part
    byte = 2 * (1.8e9 + touched * 1.6e10)
    flop = 8 * 1.8e9 + touched * 2 * 8e9 * 16 * 2  # tiles of either part
    kv_j = 2e-10 * 8 * 2e4
    assert cost.energy_j - routed.static_w * cost.time_s == pytest.approx(
        1e-10 * byte + 1e-12 * flop + kv_j, rel=1e-9
    )


def test_at_the_power_limit_time_stretches_and_energy_is_limit_times_time():
    hungry = dataclasses.replace(DEVICE, energy_j_per_flop=2e-11)
    cost = iteration(_made(device=hungry), prompt_batch(4096.0))
    free = iteration(_made(), prompt_batch(4096.0))
    assert cost.time_s > 1.5 * free.time_s
    assert cost.energy_j == pytest.approx(500.0 * cost.time_s, rel=1e-12)
    assert free.energy_j < 500.0 * free.time_s


@pytest.mark.parametrize("name", list(data.table("accelerators")))
def test_the_highest_clock_changes_nothing_and_lower_ones_no_idle_power(name):
    top, *lower = clock_states(name)
    device = accelerator(name)
    assert dataclasses.replace(at_clock(device, top), static_w=device.static_w) == device
    assert at_clock(device, top).static_w == pytest.approx(device.static_w)
    for state in lower:
        slow = at_clock(device, state)
        assert slow.idle_context_w == device.idle_context_w <= slow.static_w <= device.static_w
        assert 0.0 < slow.compute_efficiency_frac < device.compute_efficiency_frac
        assert slow.weight_efficiency_frac <= device.weight_efficiency_frac


@pytest.mark.parametrize("name", ["hopper", "ampere", "ada"])
def test_a_lower_clock_slows_prompts_at_once_and_decoding_below_the_knee_only(name):
    example = {"hopper": "h100-sxm", "ampere": "a100-80", "ada": "l40s"}[name]
    top, *lower = clock_states(example)
    device = dataclasses.replace(DEVICE, energy_j_per_flop=5e-13)  # far from its power limit
    fast = iteration(_made(device=device), decode_batch(1.0, 1000.0))
    prompt_s = iteration(_made(device=device), prompt_batch(4096.0)).time_s
    kinds = set()
    for state in lower:
        slow = _made(device=at_clock(device, state))
        step = iteration(slow, decode_batch(1.0, 1000.0))
        if state.bandwidth_frac == 1.0:
            kinds.add("before the knee")
            assert step.time_s == pytest.approx(fast.time_s, rel=0.01)
            assert step.energy_j < 0.9 * fast.energy_j
        elif state.bandwidth_frac < 0.9:
            kinds.add("below the knee")
            assert step.time_s > 1.1 * fast.time_s
        assert iteration(slow, prompt_batch(4096.0)).time_s > 1.2 * prompt_s
    assert kinds == {"before the knee", "below the knee"}
    assert top.bandwidth_frac == 1.0


def test_a_clock_state_of_a_round_device_by_hand():
    (_, state, *_) = clock_states("h100-sxm")
    slow = at_clock(DEVICE, state)
    assert slow.static_w == pytest.approx(100.0 + state.static_frac * 100.0)
    assert slow.compute_efficiency_frac == pytest.approx(0.5 * state.compute_frac)
    assert slow.energy_j_per_flop == pytest.approx(1e-12 * state.flop_energy_frac)
    assert slow.energy_j_per_byte == DEVICE.energy_j_per_byte


def test_a_part_of_a_gpu_is_slower_and_draws_less(r):
    half = _made(share_frac=0.5)
    assert half.weight_s == pytest.approx(2 * r.weight_s)
    assert half.flop_s == pytest.approx(2 * r.flop_s)
    assert (half.idle_w, half.static_w, half.limit_w) == (100.0, 150.0, 300.0)
    assert half.sequence_s == r.sequence_s
    assert half.fixed_s == r.fixed_s
    whole = replica(DEVICE, DENSE)
    assert replica(DEVICE, DENSE, share_frac=0.5).kv_capacity_tok == whole.kv_capacity_tok


def test_cache_takes_what_weights_leave_of_nine_tenths_of_memory():
    r = replica(DEVICE, DENSE)
    assert r.kv_capacity_tok == pytest.approx((0.9 * 4e10 - 2e9) / 2e4)


def test_steady_state_has_the_length_biased_context_and_the_prompts_of_replacements(r):
    batch, prompt, out, cv = 8.0, 100.0, 50.0, 0.5
    cost = saturated(r, batch, prompt, out, cv)
    context = prompt + 0.5 * out * (1 + cv**2)
    prompts = batch / out
    flop = batch * 1.8e9 + prompts * (prompt * 1.6e9 + 1e5 * prompt**2 / 2)
    host_s = 10 * (1e-4 + 3e-4 * (1 - math.exp(-prompts))) + batch * 5e-5
    assert cost.time_s == pytest.approx(
        math.hypot(WEIGHT_S, flop / 0.5e14) + batch * context * 2e4 / 0.5e12 + host_s, rel=1e-12
    )


def test_a_request_alone_is_its_steps_and_a_share_of_its_prompt(r):
    step, prompt = iteration(r, decode_batch(1.0, 225.0)), iteration(r, prompt_batch(200.0))
    both, decoding = alone(r, 200.0, 50.0), alone(r, 200.0, 50.0, 0.0)
    assert decoding == step
    assert both.energy_j == pytest.approx(step.energy_j + prompt.energy_j / 50)
    assert both.time_s == pytest.approx(step.time_s + prompt.time_s / 50)


def test_records_of_arrays_give_what_scalar_records_give():
    devices = [DEVICE, accelerator("h100-sxm"), accelerator("l4")]
    models = [DENSE, EXPERTS, WINDOWS, STATE]
    pairs = [(d, m, g) for d in devices for m in models for g in (1, 4)]
    every = [
        saturated(spread(d, m, stored(d, m, "fp16"), Parallel(devices=g)), 16.0, 300.0, 200.0, 0.7)
        for d, m, g in pairs
    ]

    def column(records, names):
        return {n: np.array([getattr(x, n) for x in records], dtype=float) for n in names}

    facts = ("fp16_flop_per_s", "bandwidth_byte_per_s", "tdp_w", "idle_context_w",
             "interconnect_byte_per_s", *CONSTANTS)  # fmt: skip
    numbers = [f.name for f in dataclasses.fields(Footprint) if f.name not in ("name", "remarks")]
    device = dataclasses.replace(DEVICE, **column([p[0] for p in pairs], facts))
    model = dataclasses.replace(DENSE, **column([p[1] for p in pairs], numbers))
    kept = [stored(d, m, "fp16") for d, m, _ in pairs]
    weights = Stored(**column(kept, [f.name for f in dataclasses.fields(Stored)]))
    r = spread(device, model, weights, Parallel(devices=np.array([p[2] for p in pairs])))
    cost = saturated(r, 16.0, 300.0, 200.0, 0.7)
    assert cost.time_s == pytest.approx([c.time_s for c in every], rel=1e-12)
    assert cost.energy_j == pytest.approx([c.energy_j for c in every], rel=1e-12)


def test_a_model_that_does_not_fit_is_refused_with_its_size():
    big, small = footprint(architecture("llama-3.1-70b")), footprint(architecture("llama-3.1-8b"))
    with pytest.raises(InfeasibleError, match=r"llama-3\.1-70b.*141 GB"):
        replica(accelerator("h100-sxm"), big)
    assert replica(accelerator("h100-sxm"), big, count=4).kv_capacity_tok > 1e5
    with pytest.raises(InfeasibleError, match="no link to peers"):
        replica(accelerator("jetson-agx-orin"), small, count=2)


def test_a_terminal_answers_as_the_roofline_says(r):
    made = answer(r, 500, 40)
    context = 501.0 + np.arange(39)
    steps = [iteration(r, decode_batch(1.0, c)) for c in context]
    first = iteration(r, prompt_batch(500.0))
    assert np.diff(made.time_s) == pytest.approx([c.time_s for c in steps], rel=1e-9)
    above = [first.energy_j - r.idle_w * first.time_s]
    above += [c.energy_j - r.idle_w * c.time_s for c in steps]
    assert made.energy_j == pytest.approx(above, rel=1e-9)
    assert len(answer(r, 10, 1).time_s) == 1


def test_empty_work_costs_an_empty_iteration(r):
    assert iteration(r, Batch()).time_s == pytest.approx(r.weight_s + r.fixed_s)


@pytest.mark.parametrize("name", list(data.table("accelerators")))
def test_powers_of_every_accelerator_are_in_order(name):
    device = accelerator(name)
    assert 0.0 < device.idle_bare_w <= device.idle_context_w <= device.static_w < device.tdp_w


@pytest.mark.parametrize("row", list(data.table("engine_constants")))
def test_constants_of_every_engine_lie_inside_their_physical_ranges(row):
    name, _, engine = row.partition("|")
    device = accelerator(name, engine)
    values = {constant: getattr(device, constant) for constant in CONSTANTS}
    assert all(value > 0.0 for value in values.values())
    shares = [v for n, v in values.items() if n.endswith("efficiency_frac") or "8bit" in n]
    assert max(shares) <= 0.95
    assert device.idle_context_w <= device.static_w < device.tdp_w


def test_an_unknown_device_engine_or_constant_names_the_nearest():
    with pytest.raises(DataError, match="h100-sxm"):
        accelerator("h100-smx")
    with pytest.raises(DataError, match=r"vLLM 0\.11\.1.*tree6g calibrate accelerator"):
        accelerator("h100-sxm", "another engine")
    with pytest.raises(DataError, match="static_w"):
        with_constants(DEVICE, "mine", {"statc_w": 1.0})
    with pytest.raises(DataError, match="h100-sxm"):
        clock_states("h100-smx")


def test_a_median_gap_is_that_of_decoding_while_most_iterations_have_no_prompt(r):
    # 4 sequences of 100 tokens: 4 % of a prompt per iteration, so most have none.
    found = median_gap_s(r, 4.0, 50.0, 100.0, 0.0)
    flop, kv_byte = 4 * 1.8e9, 4 * 100 * 2e4  # context: 50 + 100 / 2
    read_s = math.hypot(WEIGHT_S, flop / 0.5e14) + kv_byte / 0.5e12
    assert found == pytest.approx(read_s + 10 * 1e-4 + 4 * 5e-5, rel=1e-12)


def test_a_median_gap_is_that_with_prompts_once_most_iterations_have_one(r):
    # 200 sequences of 100 tokens: 2 prompts per iteration, none in exp(-2) of them.
    found = median_gap_s(r, 200.0, 50.0, 100.0, 0.0)
    prompts = 2 / (1 - math.exp(-2))
    flop = 200 * 1.8e9 + prompts * (50 * 1.6e9 + 1e5 * 50**2 / 2)
    read_s = math.hypot(WEIGHT_S, flop / 0.5e14) + 200 * 100 * 2e4 / 0.5e12
    assert found == pytest.approx(read_s + 10 * (1e-4 + 3e-4) + 200 * 5e-5, rel=1e-12)


def test_the_median_gap_changes_its_kind_where_half_of_the_iterations_have_prompts(r):
    half = 100.0 * math.log(2.0)  # exp(-batch / 100) = 1/2
    below, above = (median_gap_s(r, half * (1 + d), 50.0, 100.0, 0.0) for d in (-1e-6, 1e-6))
    assert above - below > 10 * 3e-4
    batches = np.array([4.0, 200.0])
    alike = [float(median_gap_s(r, b, 50.0, 100.0, 0.0)) for b in batches]
    assert median_gap_s(r, batches, 50.0, 100.0, 0.0) == pytest.approx(alike, rel=1e-12)
