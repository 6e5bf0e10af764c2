"""A place that computes: seconds and joules of its work, and what else shares its passes."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from tree6g.compute.accelerator import Accelerator
from tree6g.compute.splitting.profile import LayerProfile
from tree6g.compute.stream import FloatArray

Idle = Literal["shared", "own", "free"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a pass through some layers costs at a place.

    Attributes:
        name: The place.
        s_per_flop: Seconds per FLOP.
        s_per_weight_byte: Seconds per byte of weights.
        s_per_kv_byte: Seconds per byte of keys, values and state.
        layer_s: Host and launch time per layer and pass.
        expert_layer_s: What a layer with routed experts takes longer.
        prompt_layer_s: What a layer takes longer in a pass over a prompt.
        step_s: Host time per pass.
        sequence_s: Host time per sequence and pass.
        static_w: Power during a pass that moves nothing and computes nothing.
        limit_w: Power limit; a pass that would draw more takes longer.
        j_per_flop: Energy of a FLOP.
        j_per_byte: Energy of a byte of weights or state from memory.
        j_per_kv_byte: Energy of a byte of keys and values, attention over it included.
        wait_w: Power that this request is charged with while other places work for it: the idle
            power of a device or server of its own, 0 where others use the time.
        memory_byte: Memory for weights, keys and values.
        sequences: Sequences that share each pass, this one included: the load of the place. The
            others get one token each per pass, at a context like that of this request.
        overhead_frac: Joules at the meter per joule of the accelerator and its host (PUE).
        weight_frac: Bytes of a weight as stored here over those of the profile.
    """

    name: str
    s_per_flop: float
    s_per_weight_byte: float
    s_per_kv_byte: float
    layer_s: float
    expert_layer_s: float
    prompt_layer_s: float
    step_s: float
    sequence_s: float
    static_w: float
    limit_w: float
    j_per_flop: float
    j_per_byte: float
    j_per_kv_byte: float
    wait_w: float
    memory_byte: float
    sequences: float = 1.0
    overhead_frac: float = 1.0
    weight_frac: float = 1.0


def stage(
    accelerator: Accelerator,
    *,
    weights: str = "fp16",
    count: int = 1,
    sequences: float = 1.0,
    host_w: float = 0.0,
    pue: float = 1.0,
    idle: Idle = "shared",
    memory_frac: float = 0.9,
    weight_frac: float = 1.0,
) -> Stage:
    """A place with accelerators of one kind.

    Args:
        accelerator: The device.
        weights: Storage of the weights, which decides the arithmetic.
        count: Devices, used with tensor parallelism; their exchange costs two all-reduces a layer.
        sequences: Sequences that share each pass.
        host_w: Power of the host while a pass runs.
        pue: Site power over equipment power.
        idle: `shared`: others use the time in which the place does nothing for this request;
            `own`: it waits for this request alone, at its idle power; `free`: only energy above
            idle is counted, as with a phone that would be on anyway.
        memory_frac: Share of memory for weights, keys and values (vLLM's default; on a phone the
            system and the applications want far more).
        weight_frac: Bytes of a weight as stored here over those of the profile.
    """
    rate = count * accelerator.reached_flop_per_s(weights)
    bandwidth = count * accelerator.bandwidth_byte_per_s
    idle_w = count * accelerator.idle_context_w
    free_w = idle_w if idle == "free" else 0.0
    return Stage(
        name=accelerator.name,
        s_per_flop=1.0 / rate,
        s_per_weight_byte=1.0 / (bandwidth * accelerator.weight_efficiency_frac),
        s_per_kv_byte=1.0 / (bandwidth * accelerator.kv_efficiency_frac),
        layer_s=accelerator.layer_s + (2.0 * accelerator.allreduce_s if count > 1 else 0.0),
        expert_layer_s=accelerator.expert_layer_s,
        prompt_layer_s=accelerator.prompt_layer_s,
        step_s=0.0,
        sequence_s=accelerator.sequence_s,
        static_w=count * accelerator.static_w + host_w - free_w,
        limit_w=count * accelerator.tdp_w + host_w - free_w,
        j_per_flop=accelerator.energy_j_per_flop,
        j_per_byte=accelerator.energy_j_per_byte,
        j_per_kv_byte=accelerator.energy_j_per_kv_byte,
        wait_w=idle_w + host_w if idle == "own" else 0.0,
        memory_byte=count * accelerator.memory_byte * memory_frac,
        sequences=sequences,
        overhead_frac=pue,
        weight_frac=weight_frac,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """What one pass does for a request.

    Attributes:
        tokens: Tokens of the request that pass.
        sampled: Of these, those that get an output.
        area_tok2: Sum over them of the context that each attends to, where arithmetic bounds it:
            in prompts; elsewhere reading keys and values does. [layer]
        read_tok: Tokens of context whose keys and values are read. [layer]
        prompt: Whether it is a pass over a prompt.
    """

    tokens: float
    sampled: float
    area_tok2: FloatArray
    read_tok: FloatArray
    prompt: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassCost:
    """Time and this request's joules of a pass: per layer, and once if any layer is at the place.

    Attributes:
        layer_s: Time. [layer]
        layer_j: Energy. [layer]
        fixed_s: Time per pass.
        fixed_j: Energy of that time.
    """

    layer_s: FloatArray
    layer_j: FloatArray
    fixed_s: float
    fixed_j: float


def prompt_pass(profile: LayerProfile, tokens: float) -> Pass:
    """The pass over a prompt, causal: token i attends to i tokens, or to the window."""
    area = context_sum(1.0, tokens, profile.window_tok)
    none = np.zeros(profile.layers)
    return Pass(
        tokens=tokens, sampled=1.0, area_tok2=_triangle(area, tokens, profile), read_tok=none,
        prompt=True,
    )  # fmt: skip


def decode_pass(profile: LayerProfile, first_tok: float, passes: float) -> Pass:
    """The mean of `passes` passes over one token each, whose contexts grow from `first_tok` on."""
    context = context_sum(first_tok, passes, profile.window_tok) / max(passes, 1.0)
    return Pass(
        tokens=1.0, sampled=1.0, area_tok2=np.zeros(profile.layers), read_tok=context,
    )  # fmt: skip


def verify_pass(profile: LayerProfile, context_tok: float, tokens: float) -> Pass:
    """The pass that judges `tokens` drafts at once after a context."""
    read = np.minimum(context_tok, profile.window_tok)
    return Pass(
        tokens=tokens, sampled=tokens, area_tok2=np.zeros(profile.layers), read_tok=read,
    )  # fmt: skip


def pass_cost(profile: LayerProfile, place: Stage, work: Pass) -> PassCost:
    """Time and energy of a pass at a place, layer by layer; equation of `roofline.iteration`.

        t_l = hypot(W_l s_w, FLOP_l s_f) + KV_l s_kv + t_layer
        E_l = (P_static t_l + e_byte W_l) n/(n + m) + e_kv KV_own + e_flop FLOP_own

    for n tokens of the request and m of the sequences that share the pass: static power and weights
    are shared by tokens, the rest is paid by its causer. Where the whole pass would draw more than
    the limit, it takes as long as the limit asks for. The bound is taken layer by layer, so that
    costs add up over layers: of alike layers the sum is the roofline of the whole. The empty rows
    that grouped products of experts compute are left out (10 % of the energy of an expert model at
    a batch of 64), and so are links between accelerators of one place.
    """
    others = place.sequences - 1.0
    tokens = work.tokens + others
    share = work.tokens / tokens
    weights = place.weight_frac * profile.read_byte(tokens)
    other_tok = np.minimum(np.maximum(work.read_tok, work.tokens), profile.window_tok)
    products = profile.flop_per_tok * tokens + profile.sampled_flop * (work.sampled + others)
    flop = products + profile.attention_flop * work.area_tok2
    kv = profile.kv_byte_per_tok * (work.read_tok + others * other_tok)
    state = profile.state_byte * place.sequences
    time = (
        np.hypot(weights * place.s_per_weight_byte, flop * place.s_per_flop)
        + (kv + state) * place.s_per_kv_byte
        + place.layer_s
        + place.expert_layer_s * (profile.expert_byte > 0.0)
        + place.prompt_layer_s * work.prompt
    )
    quiet = profile.attention_flop * (work.tokens * work.read_tok + others * other_tok)
    moving = place.j_per_byte * (weights + state) + place.j_per_flop * (flop + quiet)
    moving = moving + place.j_per_kv_byte * (kv + profile.kv_byte_per_tok * tokens)
    if np.isfinite(place.limit_w) and place.limit_w > place.static_w:
        time = np.maximum(time, moving / (place.limit_w - place.static_w))
    own_flop = (
        profile.flop_per_tok * work.tokens
        + profile.sampled_flop * work.sampled
        + profile.attention_flop * (work.area_tok2 + work.tokens * work.read_tok)
    )
    own_kv = profile.kv_byte_per_tok * (work.read_tok + work.tokens)
    energy = place.static_w * share * time + place.j_per_kv_byte * own_kv
    energy = energy + place.j_per_byte * (weights * share + profile.state_byte)
    energy = energy + place.j_per_flop * own_flop
    fixed_s = place.step_s + place.sequence_s * place.sequences
    return PassCost(
        layer_s=time,
        layer_j=place.overhead_frac * energy,
        fixed_s=fixed_s,
        fixed_j=place.overhead_frac * place.static_w * share * fixed_s,
    )


def context_sum(first_tok: float, count: float, window_tok: FloatArray) -> FloatArray:
    """Sum of min(context, window) over `count` contexts that grow by one from `first_tok`."""
    free = np.clip(window_tok - first_tok + 1.0, 0.0, count)  # contexts inside the window
    inside = free * first_tok + 0.5 * free * (free - 1.0)
    beyond = count - free
    return inside + np.where(beyond > 0.0, beyond * np.where(beyond > 0.0, window_tok, 0.0), 0.0)


def _triangle(area: FloatArray, tokens: float, profile: LayerProfile) -> FloatArray:
    """Pairs that attend: half the square where all is seen, as `roofline.prompt_batch` counts."""
    return np.where(profile.window_tok >= tokens, 0.5 * tokens**2, area)
