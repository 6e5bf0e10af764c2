"""The constants of a replica as an array, and the costs that follow from them.

All of the iteration's formula (see `roofline`) is in this file: a change of it is a change here.
Time is the larger of two lines, free and held back by the power limit, and both rise linearly with
the context:

    t = max(t_free, dynamic / (limit - static)),    energy = static t + dynamic
"""

from __future__ import annotations

import math

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.serving.layout import (
    AREA_FLOP,
    BODY_FLOP,
    CONTEXT_J,
    EXPERT_FLOP,
    EXPERT_J,
    EXPERT_RATE,
    EXPERT_S,
    FIXED_S,
    FLOP_J,
    FLOP_S,
    HEAD_FLOP,
    IDLE_W,
    KV_J,
    KV_S,
    OWN_J,
    PROMPT_FLOP,
    PROMPT_S,
    S_PER_J,
    SEQUENCE_S,
    STATE_J,
    STATE_S,
    STATIC_W,
    TABLES,
    TOKEN_S,
    WEIGHT_J,
    WEIGHT_S,
    WINDOW_AREA_FLOP,
    WINDOW_J,
    WINDOW_KV_J,
    WINDOW_KV_S,
)
from tree6g.compute.serving.requests import FloatArray
from tree6g.compute.serving.settings import EngineSettings
from tree6g.errors import InfeasibleError


def constants(r: Replica, settings: EngineSettings) -> FloatArray:
    """Constants, then seconds and dynamic joules of decoding by batch size, contexts apart.

    Raises:
        InfeasibleError: The power limit leaves nothing above the static power.
    """
    if not r.limit_w > r.static_w:
        raise InfeasibleError(
            f"expected a power limit above the {r.static_w:g} W of an empty iteration; got "
            f"{r.limit_w:g} W. Raise the limit."
        )
    c = np.zeros(TABLES)
    c[WEIGHT_S], c[EXPERT_S], c[EXPERT_RATE] = r.weight_s, r.expert_s, r.expert_rate
    c[FLOP_S], c[FIXED_S], c[SEQUENCE_S], c[TOKEN_S] = r.flop_s, r.fixed_s, r.sequence_s, r.token_s
    c[PROMPT_FLOP], c[BODY_FLOP] = r.prompt_flop_per_tok, r.body_flop_per_tok
    c[HEAD_FLOP] = r.head_flop
    c[AREA_FLOP], c[WINDOW_AREA_FLOP] = r.attention_flop, r.window_attention_flop
    c[KV_S], c[WINDOW_KV_S], c[STATE_S] = r.kv_s_per_tok, r.window_kv_s_per_tok, r.state_s
    byte = r.j_per_byte
    c[WEIGHT_J], c[EXPERT_J] = byte * r.weight_byte, byte * r.expert_byte
    c[KV_J] = r.j_per_kv_byte * r.kv_byte_per_tok
    c[WINDOW_KV_J] = r.j_per_kv_byte * r.window_kv_byte_per_tok
    c[EXPERT_FLOP], c[PROMPT_S] = r.expert_flop, r.prompt_s
    c[STATE_J], c[FLOP_J] = byte * r.state_byte, r.j_per_flop
    c[STATIC_W], c[IDLE_W] = r.static_w, r.idle_w
    c[S_PER_J] = 1.0 / (r.limit_w - r.static_w) if math.isfinite(r.limit_w) else 0.0
    c[OWN_J] = c[KV_J] + c[WINDOW_KV_J] + c[STATE_J] + c[FLOP_J] * (c[BODY_FLOP] + c[HEAD_FLOP])
    c[CONTEXT_J] = c[KV_J] + c[FLOP_J] * r.decode_attention_flop
    c[WINDOW_J] = c[WINDOW_KV_J] + c[FLOP_J] * r.window_decode_attention_flop
    return np.concatenate([c, *_tables(c, settings)])


def _tables(c: FloatArray, settings: EngineSettings) -> tuple[FloatArray, FloatArray]:
    """Seconds and dynamic joules of a decode iteration without its contexts, [sequences]."""
    count = np.arange(settings.max_sequences + 1)
    sizes = np.array([*settings.sizes, settings.max_sequences + 1])
    next_size = sizes[np.minimum(np.searchsorted(sizes, count), len(sizes) - 1)]
    padded = np.where(count <= max(settings.sizes, default=0), next_size, count).astype(float)
    padded[0] = 0.0
    touched = -np.expm1(-c[EXPERT_RATE] * padded)
    flop = (c[BODY_FLOP] + c[HEAD_FLOP]) * padded + c[EXPERT_FLOP] * touched
    time_s = np.hypot(c[WEIGHT_S] + c[EXPERT_S] * touched, flop * c[FLOP_S])
    time_s += c[FIXED_S] + (c[SEQUENCE_S] + c[STATE_S]) * count + c[TOKEN_S] * padded
    moved_j = c[WEIGHT_J] + c[EXPERT_J] * touched + (c[KV_J] + c[WINDOW_KV_J]) * padded
    return time_s, moved_j + c[STATE_J] * count + c[FLOP_J] * flop


def mixed_cost(
    c: FloatArray,
    prompt_tok: float,
    decoding: int,
    ending: int,
    sequences: int,
    attention_flop: float,
    read_s: float,
    read_j: float,
) -> tuple[float, float]:
    """Free seconds and dynamic joules of an iteration with prompts in it; nothing is padded.

    Args:
        c: Constants.
        prompt_tok: Tokens of prompts.
        decoding: Sequences that decode.
        ending: Prompts that end here.
        sequences: Sequences, both kinds.
        attention_flop: Of the prompts' attention.
        read_s: Seconds to read all contexts.
        read_j: Joules of it, with the attention of decoding.
    """
    tokens = prompt_tok + decoding
    flop = (
        c[PROMPT_FLOP] * prompt_tok
        + c[BODY_FLOP] * decoding
        + c[HEAD_FLOP] * (decoding + ending)
        + attention_flop
    )
    weight_s = c[WEIGHT_S]
    moved_j = c[WEIGHT_J]
    if c[EXPERT_RATE] > 0.0:
        touched = -math.expm1(-c[EXPERT_RATE] * tokens)
        weight_s += c[EXPERT_S] * touched
        moved_j += c[EXPERT_J] * touched
        flop += c[EXPERT_FLOP] * touched
    compute_s = flop * c[FLOP_S]
    free_s = (
        math.sqrt(weight_s * weight_s + compute_s * compute_s)
        + read_s
        + c[FIXED_S]
        + c[PROMPT_S]
        + (c[SEQUENCE_S] + c[STATE_S]) * sequences
        + c[TOKEN_S] * tokens
    )
    moved_j += (c[KV_J] + c[WINDOW_KV_J]) * tokens + c[STATE_J] * sequences
    return free_s, moved_j + read_j + c[FLOP_J] * flop


def window_area_tok2(start: float, end: float, window: float) -> float:
    """Integral of min(position, window): context that a chunk's tokens attend to in a window."""
    low = min(start, window)
    high = min(end, window)
    return 0.5 * (high * high - low * low) + window * ((end - high) - (start - low))
