"""Attention and feed-forward parts from the widths that a config gives."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Literal

from tree6g.compute.model.architecture import FeedForward, Linear, Mixer

QueryKeyNorm = Literal["none", "head", "wide", "heads"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """Heads of softmax attention.

    Attributes:
        hidden: Width of the layer.
        heads: Query heads.
        kv_heads: Heads of keys and values.
        head_dim: Width of queries and keys.
        value_dim: Width of values; 0: as of keys.
        bias: Whether queries, keys and values have biases.
        key_bias: Whether keys have one where the others have (Whisper's have none).
        output_bias: Whether the output projection has one.
        norm: Norms of queries and keys: none, one per width of a head, one over all heads (`wide`),
            or one per head of its own (`heads`).
        norm_values: Parameters per normed value: 1, with a bias 2.
        sinks: Whether each head has a learned sink.
        gated: Whether a gate as wide as the queries comes out of the query projection.
    """

    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int = 0
    bias: bool = False
    key_bias: bool = True
    output_bias: bool = False
    norm: QueryKeyNorm = "none"
    norm_values: int = 1
    sinks: bool = False
    gated: bool = False

    @property
    def values(self) -> int:
        """Width of the values of a head."""
        return self.value_dim or self.head_dim

    @property
    def kv_width(self) -> int:
        """Keys and values of a token: k (d_k + d_v)."""
        return self.kv_heads * (self.head_dim + self.values)

    @property
    def pair_flop(self) -> int:
        """FLOP of a query with one key and its value: 2 H (d_k + d_v)."""
        return 2 * self.heads * (self.head_dim + self.values)


def attention(h: Heads, *, window_tok: int = 0) -> Mixer:
    """Softmax attention with grouped heads over all tokens before, or over a window of them."""
    seen = window_tok > 0
    return Mixer(
        kind="window" if seen else "attention",
        linears=(*_query(h), *_keys(h, h.hidden), _output(h)),
        other_parameters=_norms(h),
        context_flop=0 if seen else h.pair_flop,
        decode_context_flop=0 if seen else h.pair_flop,
        window_flop=h.pair_flop if seen else 0,
        window_tok=window_tok,
        kv_values=0 if seen else h.kv_width,
        window_kv_values=h.kv_width if seen else 0,
    )


def cross_attention(h: Heads, *, memory_hidden: int = 0, other_parameters: int = 0) -> Mixer:
    """Attention to the tokens of another sequence, whose keys and values are computed once."""
    return Mixer(
        kind="cross",
        linears=(*_query(h), _output(h)),
        memory_linears=_keys(h, memory_hidden or h.hidden),
        other_parameters=_norms(h) + other_parameters,
        context_flop=h.pair_flop,
        decode_context_flop=h.pair_flop,
        memory_kv_values=h.kv_width,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).

    Attributes:
        hidden: Width of the layer.
        heads: Heads.
        query_rank: Rank of the compressed query; 0: not compressed.
        kv_rank: Rank of the compressed keys and values, which are what is kept.
        plain_dim: Width of queries and keys without position.
        rotary_dim: Width of those with position, one key for all heads.
        value_dim: Width of values.
        bias: Whether the down projections have biases.
        index_heads: Heads of the index that picks tokens (DeepSeek-V3.2); 0: every token is seen.
        index_dim: Their width.
        index_tok: Tokens that are picked.
    """

    hidden: int
    heads: int
    query_rank: int
    kv_rank: int
    plain_dim: int
    rotary_dim: int
    value_dim: int
    bias: bool = False
    index_heads: int = 0
    index_dim: int = 0
    index_tok: int = 0


def latent_attention(m: Latent) -> Mixer:
    """Latent attention, with its index where it has one.

    Prefill expands keys and values: 2 H (d_plain + d_rotary + d_v) FLOP per pair. Decode works on
    what is kept, with the expanding matrices absorbed into query and output: 2 H (2 r + d_rotary)
    per pair, and the same FLOP per token in these matrices.
    """
    kept = m.kv_rank + m.rotary_dim
    wide = m.heads * (m.plain_dim + m.rotary_dim)
    if m.query_rank:
        query: tuple[Linear, ...] = (
            Linear(name="q_a", inputs=m.hidden, outputs=m.query_rank, bias=m.bias),
            Linear(name="q_b", inputs=m.query_rank, outputs=wide),
        )
    else:
        query = (Linear(name="q", inputs=m.hidden, outputs=wide),)
    linears = (
        *query,
        Linear(name="kv_a", inputs=m.hidden, outputs=kept, bias=m.bias),
        Linear(name="kv_b", inputs=m.kv_rank, outputs=m.heads * (m.plain_dim + m.value_dim)),
        Linear(name="o", inputs=m.heads * m.value_dim, outputs=m.hidden, bias=m.bias),
    )
    pair = 2 * m.heads * (m.plain_dim + m.rotary_dim + m.value_dim)
    absorbed = 2 * m.heads * (kept + m.kv_rank)
    norms = m.query_rank + m.kv_rank
    if not m.index_heads:
        return Mixer(
            kind="latent", linears=linears, other_parameters=norms, context_flop=pair,
            decode_context_flop=absorbed, kv_values=kept,
        )  # fmt: skip
    scores = 2 * m.index_heads * m.index_dim
    return Mixer(
        kind="sparse",
        linears=(*linears, *_index(m)),
        other_parameters=norms + 2 * m.index_dim,
        context_flop=scores,
        decode_context_flop=scores,
        window_flop=absorbed,
        window_tok=m.index_tok,
        kv_values=kept + m.index_dim,
    )


def without_index(mixer: Mixer) -> Mixer:
    """Sparse attention that takes the tokens which an earlier layer picked."""
    own = [part for part in mixer.linears if part.name.startswith("index_")]
    width = next(part.outputs for part in own if part.name == "index_k")
    return dataclasses.replace(
        mixer,
        linears=tuple(part for part in mixer.linears if part not in own),
        other_parameters=mixer.other_parameters - 2 * width,
        context_flop=0,
        decode_context_flop=0,
        kv_values=mixer.kv_values - width,
    )


def dense(
    hidden: int, inner: int, *, gated: bool = True, bias: bool = False, other_parameters: int = 0
) -> FeedForward:
    """A feed-forward network of two matrices, with a gate three."""
    return FeedForward(
        linears=_network(hidden, inner, gated=gated, bias=bias), other_parameters=other_parameters
    )


def experts(  # noqa: PLR0913  # families differ in as many ways
    hidden: int,
    inner: int,
    *,
    count: int,
    active: int,
    shared_inner: int = 0,
    shared_gate: bool = False,
    gated: bool = True,
    bias: bool = False,
    router_bias: bool = False,
    correction: bool = False,
) -> FeedForward:
    """Routed experts with their router, and beside them what every token passes.

    Args:
        hidden: Width of the layer.
        inner: Width inside a routed expert.
        count: Routed experts.
        active: Experts that a token passes.
        shared_inner: Width inside the shared experts together; 0: none.
        shared_gate: Whether a gate of one value weighs the shared ones (Qwen).
        gated: Whether each expert has a gate matrix.
        bias: Whether the matrices of the experts have biases.
        router_bias: Whether the router has one.
        correction: Whether the router has a correction per expert (DeepSeek-V3).
    """
    routed = tuple(
        dataclasses.replace(part, stored=count, used=active, routed=True)
        for part in _network(hidden, inner, gated=gated, bias=bias)
    )
    own = [Linear(name="router", inputs=hidden, outputs=count, bias=router_bias)]
    if shared_gate:
        own.append(Linear(name="shared_router", inputs=hidden, outputs=1))
    shared = _network(hidden, shared_inner, gated=gated, bias=bias) if shared_inner else ()
    return FeedForward(
        linears=(*routed, *own, *shared),
        other_parameters=count if correction else 0,
        experts=count,
        active=active,
    )


def chain(widths: Sequence[int], *, name: str, bias: bool) -> tuple[Linear, ...]:
    """Matrices one after the other, as in a projector: from each width to the next."""
    pairs = itertools.pairwise(widths)
    return tuple(Linear(name=name, inputs=a, outputs=b, bias=bias) for a, b in pairs)


def _network(hidden: int, inner: int, *, gated: bool, bias: bool) -> tuple[Linear, ...]:
    up = Linear(name="up", inputs=hidden, outputs=inner, bias=bias)
    down = Linear(name="down", inputs=inner, outputs=hidden, bias=bias)
    return (dataclasses.replace(up, name="gate"), up, down) if gated else (up, down)


def _query(h: Heads) -> tuple[Linear, ...]:
    wide = h.heads * h.head_dim * (2 if h.gated else 1)
    return (Linear(name="q", inputs=h.hidden, outputs=wide, bias=h.bias),)


def _keys(h: Heads, hidden: int) -> tuple[Linear, ...]:
    keys, values = h.kv_heads * h.head_dim, h.kv_heads * h.values
    return (
        Linear(name="k", inputs=hidden, outputs=keys, bias=h.bias and h.key_bias),
        Linear(name="v", inputs=hidden, outputs=values, bias=h.bias),
    )


def _output(h: Heads) -> Linear:
    return Linear(name="o", inputs=h.heads * h.values, outputs=h.hidden, bias=h.output_bias)


def _norms(h: Heads) -> int:
    width = {
        "none": 0,
        "head": 2 * h.head_dim,
        "wide": (h.heads + h.kv_heads) * h.head_dim,
        "heads": (h.heads + h.kv_heads) * h.head_dim,
    }[h.norm]
    return h.norm_values * width + (h.heads if h.sinks else 0)


def _index(m: Latent) -> tuple[Linear, ...]:
    return (
        Linear(name="index_q", inputs=m.query_rank, outputs=m.index_heads * m.index_dim),
        Linear(name="index_k", inputs=m.hidden, outputs=m.index_dim),
        Linear(name="index_weight", inputs=m.hidden, outputs=m.index_heads),
    )
