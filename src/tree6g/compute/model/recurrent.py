"""Layers with a state of constant size: Mamba, delta rule, linear attention, short convolutions."""

from __future__ import annotations

import dataclasses

from tree6g.compute.model.architecture import Linear, Mixer
from tree6g.compute.model.parts import Heads


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StateSpace:
    """A Mamba-2 layer (arXiv 2405.21060).

    Attributes:
        hidden: Width of the layer.
        heads: Heads.
        head_dim: Width of a head.
        groups: Groups that share B and C.
        state: States per value.
        taps: Length of the causal convolution.
        bias: Whether the projections have biases.
        tap_bias: Whether the convolution has.
        norm: Whether the gated output is normed.
    """

    hidden: int
    heads: int
    head_dim: int
    groups: int
    state: int
    taps: int
    bias: bool = False
    tap_bias: bool = True
    norm: bool = True


def mamba2(s: StateSpace) -> Mixer:
    """Mamba-2: gate, values, B, C and steps in one projection, a convolution, a state per head.

    The recurrence is counted as 6 FLOP per value and state (decay, outer product and sum, read).
    """
    inner = s.heads * s.head_dim
    channels = inner + 2 * s.groups * s.state
    return Mixer(
        kind="mamba2",
        linears=(
            Linear(name="in", inputs=s.hidden, outputs=inner + channels + s.heads, bias=s.bias),
            Linear(name="out", inputs=inner, outputs=s.hidden, bias=s.bias),
        ),
        other_parameters=channels * (s.taps + int(s.tap_bias)) + 3 * s.heads + s.norm * inner,
        state_values=inner * s.state + channels * s.taps,
        recurrent_flop=6 * inner * s.state + 2 * channels * s.taps,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SelectiveState:
    """A Mamba layer of the first kind (arXiv 2312.00752).

    Attributes:
        hidden: Width of the layer.
        inner: Width of the states.
        state: States per value.
        taps: Length of the convolution.
        rank: Rank of the step sizes.
        bias: Whether the projections have biases.
        tap_bias: Whether the convolution has.
        norms: Whether steps, B and C are normed (Jamba).
    """

    hidden: int
    inner: int
    state: int
    taps: int
    rank: int
    bias: bool = False
    tap_bias: bool = True
    norms: bool = False


def mamba(s: SelectiveState) -> Mixer:
    """Mamba of the first kind."""
    small = s.inner * (s.taps + int(s.tap_bias)) + s.inner * s.state + s.inner
    return Mixer(
        kind="mamba",
        linears=(
            Linear(name="in", inputs=s.hidden, outputs=2 * s.inner, bias=s.bias),
            Linear(name="x", inputs=s.inner, outputs=s.rank + 2 * s.state),
            Linear(name="dt", inputs=s.rank, outputs=s.inner, bias=True),
            Linear(name="out", inputs=s.inner, outputs=s.hidden, bias=s.bias),
        ),
        other_parameters=small + s.norms * (s.rank + 2 * s.state),
        state_values=s.inner * (s.state + s.taps),
        recurrent_flop=6 * s.inner * s.state + 2 * s.inner * s.taps,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Gated delta rule (arXiv 2412.06464) as in Qwen3-Next.

    Attributes:
        hidden: Width of the layer.
        key_heads: Heads of queries and keys.
        value_heads: Heads of values.
        key_dim: Width of a key.
        value_dim: Width of a value.
        taps: Length of the convolution.
    """

    hidden: int
    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    taps: int


def delta_net(d: Delta) -> Mixer:
    """Gated delta net: a matrix of key by value per head as its state, 8 FLOP per element."""
    keys, values = d.key_heads * d.key_dim, d.value_heads * d.value_dim
    channels, matrix = 2 * keys + values, d.value_heads * d.key_dim * d.value_dim
    return Mixer(
        kind="delta",
        linears=(
            Linear(name="in", inputs=d.hidden, outputs=channels + values),
            Linear(name="ba", inputs=d.hidden, outputs=2 * d.value_heads),
            Linear(name="out", inputs=values, outputs=d.hidden),
        ),
        other_parameters=channels * d.taps + 2 * d.value_heads + d.value_dim,
        state_values=matrix + channels * d.taps,
        recurrent_flop=8 * matrix + 2 * channels * d.taps,
    )


def linear_attention(h: Heads) -> Mixer:
    """Lightning attention (MiniMax): a matrix of key by value per head, a gated and normed output.

    Matrices: one for queries, keys and values, one for the gate, one for the output.
    """
    inner, matrix = h.heads * h.head_dim, h.heads * h.head_dim**2
    return Mixer(
        kind="linear",
        linears=(
            Linear(name="qkv", inputs=h.hidden, outputs=3 * inner),
            Linear(name="gate", inputs=h.hidden, outputs=inner),
            Linear(name="o", inputs=inner, outputs=h.hidden),
        ),
        other_parameters=inner,
        state_values=matrix,
        recurrent_flop=5 * matrix,
    )


def short_convolution(hidden: int, taps: int, *, bias: bool) -> Mixer:
    """Gated short convolution (LFM2): three streams in, a causal convolution, one out."""
    return Mixer(
        kind="convolution",
        linears=(
            Linear(name="in", inputs=hidden, outputs=3 * hidden, bias=bias),
            Linear(name="out", inputs=hidden, outputs=hidden, bias=bias),
        ),
        other_parameters=hidden * (taps + int(bias)),
        state_values=hidden * taps,
        recurrent_flop=2 * hidden * taps + 2 * hidden,
    )
