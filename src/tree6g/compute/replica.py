"""A model on its accelerators: the constants of an iteration.

What they mean, where they hold and how far off they are: `roofline`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from tree6g.compute.accelerator import Accelerator
from tree6g.compute.model.footprint import Footprint
from tree6g.compute.model.formats import expert_byte, step_byte, stored_byte, weight_format
from tree6g.errors import InfeasibleError

Quantity = Any  # a float, or an array that broadcasts
MEMORY_FRAC: Final = 0.9  # share of memory that an engine takes for weights and KV (vLLM's default)
KV_BYTE: Final = 2.0  # keys and values are kept in 16 bits
ACTIVATION_BYTE: Final = 2.0  # what passes between devices
STATE_BYTE: Final = 8.0  # a value of recurrent state is read and written, 32 bits each
# Rows of a tile of the grouped matrix product (vLLM, fused_moe get_default_config, 2025): 64 with
# block-scaled 8-bit weights, 16 at small batches else.
TILE_ROWS: Final = {"fp8": 64.0}
FEW_ROWS: Final = 16.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """The constants of one iteration of a model on its accelerators.

    Attributes:
        weight_s: Time to read the weights that every iteration reads.
        weight_byte: Their bytes.
        expert_s: Time to read all routed experts.
        expert_byte: Their bytes.
        expert_rate: -ln(1 - k/E): the share of them that n tokens touch is 1 - exp(-rate n).
        expert_flop: FLOP of the tiles of all routed experts, used or empty.
        flop_s: Seconds per FLOP.
        prompt_flop_per_tok: Matrix FLOP per prompt token, head excluded.
        body_flop_per_tok: Matrix FLOP per decoded token, head excluded.
        head_flop: FLOP of the head per sampled token.
        attention_flop: FLOP of attention per prompt token and token of context.
        window_attention_flop: The same in layers with a window, per token inside it.
        decode_attention_flop: FLOP of attention per decoded token and token of context.
        window_decode_attention_flop: The same in layers with a window.
        window_tok: Width of the window; 0: none.
        kv_s_per_tok: Time to read the keys and values of a token of context.
        kv_byte_per_tok: Their bytes.
        window_kv_s_per_tok: The same of layers with a window, per token inside it.
        window_kv_byte_per_tok: Their bytes.
        state_s: Time to read and write the recurrent state of a sequence.
        state_byte: Its bytes, both ways.
        fixed_s: Time per iteration that nothing changes.
        prompt_s: What an iteration with prompts in it takes longer.
        sequence_s: Time per sequence.
        token_s: Time per token: links of tensor parallelism.
        idle_w: Power of the waiting replica, all of its accelerators.
        static_w: Power of an iteration apart from bytes and FLOP.
        limit_w: Power limit.
        j_per_byte: Energy per byte of weights and state.
        j_per_kv_byte: Energy per byte of keys and values.
        j_per_flop: Energy per FLOP.
        kv_capacity_tok: Tokens of context that fit.
        u95_frac: Uncertainty of its energy.
    """

    weight_s: float
    weight_byte: float
    expert_s: float = 0.0
    expert_byte: float = 0.0
    expert_rate: float = 0.0
    expert_flop: float = 0.0
    flop_s: float
    prompt_flop_per_tok: float
    body_flop_per_tok: float
    head_flop: float
    attention_flop: float
    window_attention_flop: float = 0.0
    decode_attention_flop: float
    window_decode_attention_flop: float = 0.0
    window_tok: float = 0.0
    kv_s_per_tok: float
    kv_byte_per_tok: float
    window_kv_s_per_tok: float = 0.0
    window_kv_byte_per_tok: float = 0.0
    state_s: float = 0.0
    state_byte: float = 0.0
    fixed_s: float
    prompt_s: float = 0.0
    sequence_s: float
    token_s: float
    idle_w: float
    static_w: float
    limit_w: float
    j_per_byte: float
    j_per_kv_byte: float
    j_per_flop: float
    kv_capacity_tok: float
    u95_frac: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The weights of a model in a storage format, and the arithmetic that an accelerator has.

    Attributes:
        dense_byte: Bytes that every step reads.
        expert_byte: Bytes of all routed experts.
        tile_rows: Rows that the grouped product of experts computes at least per expert.
        narrow_flop_per_s: Peak of the 8-bit arithmetic that is used; 0: 16-bit arithmetic is.
    """

    dense_byte: Quantity
    expert_byte: Quantity
    tile_rows: Quantity
    narrow_flop_per_s: Quantity


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """How a replica is spread over devices.

    Attributes:
        devices: Accelerators of the replica; those of a stage share its layers by tensor or
            expert parallelism.
        stages: Pipeline stages.
    """

    devices: Quantity = 1
    stages: Quantity = 1


def replica(
    accelerator: Accelerator,
    model: Footprint,
    *,
    weights: str = "fp16",
    count: int = 1,
    stages: int = 1,
    share_frac: float = 1.0,
) -> Replica:
    """A model on its accelerators.

    Args:
        accelerator: The device.
        model: The model.
        weights: Storage format of the weights.
        count: Devices, used with tensor or expert parallelism inside a stage.
        stages: Pipeline stages among them.
        share_frac: Part of compute, bandwidth and active power that the model may use, as with
            partitioned GPUs; memory, idle power and host times stay whole.

    Raises:
        InfeasibleError: The weights do not fit, there are more stages than layers, or the device
            has no link to peers.
    """
    if stages > model.layers:
        raise InfeasibleError(
            f"expected at most {model.layers} pipeline stages for '{model.name}', a layer each; "
            f"got {stages}."
        )
    held = stored_byte(model, weight_format(weights))
    room = count * accelerator.memory_byte * MEMORY_FRAC - held
    constants = spread(
        accelerator,
        model,
        stored(accelerator, model, weights),
        Parallel(devices=count, stages=stages),
        share_frac=share_frac,
    )
    per_tok = constants.kv_byte_per_tok + constants.window_kv_byte_per_tok
    if room < max(per_tok, 1.0):
        raise InfeasibleError(
            f"expected model '{model.name}' in {weights} ({held / 1e9:.3g} GB) to fit into "
            f"{MEMORY_FRAC:.0%} of {count} x '{accelerator.name}' "
            f"({accelerator.memory_byte / 1e9:.3g} GB each). Use more accelerators or fewer bits."
        )
    if count > 1 and accelerator.interconnect_byte_per_s is None:
        raise InfeasibleError(
            f"expected count: 1 for '{accelerator.name}', which has no link to peers; got {count}."
        )
    return dataclasses.replace(constants, kv_capacity_tok=room / max(per_tok, 1.0))


def stored(accelerator: Accelerator, model: Footprint, weights: str) -> Stored:
    """The weights of a model in a storage format.

    8-bit weights use 8-bit arithmetic where there is any; all others are unpacked to 16 bits.

    Raises:
        DataError: No such format.
    """
    kind = weight_format(weights)
    return Stored(
        dense_byte=step_byte(model, kind),
        expert_byte=expert_byte(model, kind),
        tile_rows=TILE_ROWS.get(kind.name, FEW_ROWS),
        narrow_flop_per_s=accelerator.narrow_flop_per_s(kind.name) or 0.0,
    )


def spread(
    accelerator: Accelerator,
    model: Footprint,
    weights: Stored,
    parallel: Parallel,
    *,
    share_frac: float = 1.0,
) -> Replica:
    """The constants of a replica, whether it fits or not; KV capacity is left at 0.

    Arithmetic only: records that hold arrays give arrays, which is how constants are fitted.
    """
    a, m, g = accelerator, model, parallel.devices
    bandwidth = g * share_frac * a.bandwidth_byte_per_s
    read_s = parallel.stages / (bandwidth * a.weight_efficiency_frac)
    kv_s = KV_BYTE / (bandwidth * a.kv_efficiency_frac)
    active_frac = m.experts_active / np.maximum(m.experts, 1)
    return Replica(
        weight_s=weights.dense_byte * read_s,
        weight_byte=weights.dense_byte * parallel.stages,
        expert_s=weights.expert_byte * read_s,
        expert_byte=weights.expert_byte * parallel.stages,
        expert_rate=-np.log1p(-np.minimum(active_frac, 1.0 - 1e-9)) / parallel.stages,
        expert_flop=2.0 * m.expert_parameters * weights.tile_rows * parallel.stages,
        flop_s=1.0 / (g * share_frac * _reached_flop_per_s(a, weights)),
        prompt_flop_per_tok=m.prompt_flop_per_tok,
        body_flop_per_tok=m.decode_flop_per_tok,
        head_flop=m.head_flop,
        attention_flop=m.attention_flop,
        window_attention_flop=m.window_attention_flop,
        decode_attention_flop=m.decode_attention_flop,
        window_decode_attention_flop=m.window_attention_flop,
        window_tok=m.window_tok,
        kv_s_per_tok=m.kv_value_per_tok * kv_s,
        kv_byte_per_tok=m.kv_value_per_tok * KV_BYTE,
        window_kv_s_per_tok=m.window_kv_value_per_tok * kv_s,
        window_kv_byte_per_tok=m.window_kv_value_per_tok * KV_BYTE,
        state_s=m.state_value * STATE_BYTE / KV_BYTE * kv_s,
        state_byte=m.state_value * STATE_BYTE,
        fixed_s=m.layers * (a.layer_s + 2.0 * a.allreduce_s * (g > 1))
        + m.moe_layers * a.expert_layer_s,
        prompt_s=m.layers * a.prompt_layer_s,
        sequence_s=a.sequence_s * (1.0 + a.sequence_doubling_frac * np.log2(g)),
        token_s=_link_s_per_tok(a, m, g),
        idle_w=g * a.idle_context_w,
        static_w=g * (a.idle_context_w + share_frac * (a.static_w - a.idle_context_w)),
        limit_w=g * (a.idle_context_w + share_frac * (a.tdp_w - a.idle_context_w)),
        j_per_byte=a.energy_j_per_byte,
        j_per_kv_byte=a.energy_j_per_kv_byte,
        j_per_flop=a.energy_j_per_flop,
        kv_capacity_tok=0.0,
        u95_frac=a.u95_frac,
    )


def _reached_flop_per_s(accelerator: Accelerator, weights: Stored) -> Quantity:
    a = accelerator
    wide = a.fp16_flop_per_s * a.compute_efficiency_frac
    narrow = weights.narrow_flop_per_s * a.compute_efficiency_8bit_frac
    return np.where(weights.narrow_flop_per_s > 0.0, narrow, wide)


def _link_s_per_tok(accelerator: Accelerator, model: Footprint, devices: Quantity) -> Quantity:
    link = accelerator.interconnect_byte_per_s
    if link is None:
        return 0.0 * devices
    sent_byte = 4.0 * model.layers * model.hidden * ACTIVATION_BYTE * (devices - 1) / devices
    return sent_byte / link
