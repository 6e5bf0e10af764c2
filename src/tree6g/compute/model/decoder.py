"""Decoders in the manner of Llama: one reader, and per family what differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from tree6g.compute.model.architecture import Architecture, FeedForward, Layer, Linear, Mixer
from tree6g.compute.model.fields import Fields
from tree6g.compute.model.parts import Heads, QueryKeyNorm, attention, dense, experts

Window = Callable[[Fields, int], int]
Forward = Callable[[Fields, int], FeedForward | None]
Mix = Callable[[Fields, int], Mixer | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a family differs from Llama.

    Attributes:
        bias: Whether queries, keys and values have biases where the config does not say.
        bias_field: Field that says so.
        output_bias: Whether the output projection has one; None: as the others.
        inner_bias: Whether the feed-forward part has biases where the config does not say.
        inner_bias_field: Field that says so.
        gated: Whether the feed-forward part has a gate.
        norms: Norms per layer.
        norm_values: Parameters per normed value: 1, with a bias 2, none 0.
        norm: Norms of queries and keys.
        norm_field: Field that switches these on; empty: always.
        query_key_values: Parameters per normed value of these.
        sinks: Whether heads have learned sinks.
        tied: Whether the head is the embedding where the config does not say.
        head_bias: Whether the head has a bias where the config does not say.
        window: Window of a layer; None: all tokens are seen.
        forward: Experts of a layer, None for a dense one.
        mix: Mixer of a layer where it is no attention of this family.
    """

    bias: bool = False
    bias_field: str = "attention_bias"
    output_bias: bool | None = None
    inner_bias: bool = False
    inner_bias_field: str = "mlp_bias"
    gated: bool = True
    norms: int = 2
    norm_values: int = 1
    norm: QueryKeyNorm = "none"
    norm_field: str = ""
    query_key_values: int = 1
    sinks: bool = False
    tied: bool = False
    head_bias: bool = False
    window: Window | None = None
    forward: Forward | None = None
    mix: Mix | None = None


def heads(f: Fields, style: Style) -> Heads:
    """The attention of a config with the field names of Llama."""
    hidden = f.positive("hidden_size")
    count = f.positive("num_attention_heads")
    kv_heads = f.positive("num_key_value_heads", default=count)
    if not f.faults and count % kv_heads:
        f.faults.append(
            f"num_attention_heads must be a multiple of num_key_value_heads ({kv_heads}); "
            f"got {count}"
        )
    bias = f.flag(style.bias_field, default=style.bias)
    normed = not style.norm_field or f.flag(style.norm_field)
    return Heads(
        hidden=hidden,
        heads=count,
        kv_heads=kv_heads,
        head_dim=f.positive("head_dim", default=hidden // count),
        bias=bias,
        output_bias=bias if style.output_bias is None else style.output_bias and bias,
        norm=style.norm if normed else "none",
        norm_values=style.query_key_values,
        sinks=style.sinks,
    )


def decoder(f: Fields, name: str, style: Style) -> Architecture:
    """A decoder with the field names of Llama, with what its family does differently."""
    shape = heads(f, style)
    hidden, vocabulary = shape.hidden, f.positive("vocab_size")
    bias = f.flag(style.inner_bias_field, default=style.inner_bias)
    head_bias = f.flag("lm_head_bias", default=style.head_bias)
    layers: list[Layer] = []
    for layer in range(f.depth("num_hidden_layers", "num_layers")):
        seen = style.window(f, layer) if style.window else 0
        mixer = style.mix(f, layer) if style.mix else None
        forward = style.forward(f, layer) if style.forward else None
        if forward is None:
            inner = f.at(layer, "intermediate_size")
            forward = dense(hidden, inner, gated=style.gated, bias=bias)
        made = Layer(
            mixers=(mixer or attention(shape, window_tok=seen),),
            feed_forwards=(forward,),
            other_parameters=style.norms * style.norm_values * hidden,
        )
        layers.append(shared(made, layers))
    return Architecture(
        name=name,
        kind="decoder",
        hidden=hidden,
        vocabulary=vocabulary,
        layers=tuple(layers),
        embedding_parameters=vocabulary * hidden,
        head=Linear(name="head", inputs=hidden, outputs=vocabulary, bias=head_bias),
        tied=f.flag("tie_word_embeddings", default=style.tied),
        other_parameters=style.norm_values * hidden,
        remarks=tuple(f.remarks),
    )


def shared(made: Layer, layers: list[Layer]) -> Layer:
    """The record of an equal layer, if there is one, so that equal layers share it."""
    return next((known for known in layers[-8:] if known == made), made)


def listed(*, every: int = 0) -> Window:
    """Windows by `layer_types`; without it every so manyth layer sees everything."""

    def window(f: Fields, layer: int) -> int:
        """Window of a layer in tokens, 0 for all."""
        size = f.whole("sliding_window", default=0)
        kinds = f.sequence("layer_types")
        if kinds and layer >= len(kinds):
            f.faults.append(f"layer_types has {len(kinds)} values, too few")
        elif kinds:
            return size if kinds[layer] == "sliding_attention" else 0
        period = f.whole("sliding_window_pattern", "_sliding_window_pattern", default=every)
        if not period:
            return size
        return 0 if (layer + 1) % period == 0 else size

    return window


def _all(f: Fields, layer: int) -> int:
    del layer
    return f.whole("sliding_window", default=0)


def _upper(f: Fields, layer: int) -> int:
    """Qwen: the layers from `max_window_layers` on, if windows are used at all."""
    upper = layer >= f.whole("max_window_layers", default=0)
    return f.whole("sliding_window", default=0) if f.flag("use_sliding_window") and upper else 0


def _mixtral(f: Fields, layer: int) -> FeedForward:
    del layer
    return experts(
        f.positive("hidden_size"),
        f.positive("intermediate_size"),
        count=f.positive("num_local_experts", "num_experts"),
        active=f.positive("num_experts_per_tok"),
    )


def _oss(f: Fields, layer: int) -> FeedForward:
    del layer
    return experts(
        f.positive("hidden_size"),
        f.positive("intermediate_size"),
        count=f.positive("num_local_experts"),
        active=f.positive("num_experts_per_tok", "experts_per_token"),
        bias=True,
        router_bias=True,
    )


def qwen_experts(f: Fields, layer: int) -> FeedForward | None:
    """Experts of Qwen: every `decoder_sparse_step`th layer, one shared if it has a width."""
    period = f.positive("decoder_sparse_step", default=1)
    if layer in f.sequence("mlp_only_layers") or (layer + 1) % period:
        return None
    shared_inner = f.whole("shared_expert_intermediate_size", default=0)
    return experts(
        f.positive("hidden_size"),
        f.positive("moe_intermediate_size"),
        count=f.positive("num_experts", "num_local_experts"),
        active=f.positive("num_experts_per_tok"),
        shared_inner=shared_inner,
        shared_gate=shared_inner > 0,
    )


def routed_after(f: Fields, layer: int) -> FeedForward | None:
    """Experts as in DeepSeek-V3: first layers dense, shared experts, a correction."""
    if not f.has("n_routed_experts") or not _routed(f, layer):
        return None
    inner = f.positive("moe_intermediate_size")
    scored = f.text("topk_method", "noaux_tc") == "noaux_tc"
    return experts(
        f.positive("hidden_size"),
        inner,
        count=f.positive("n_routed_experts"),
        active=f.positive("num_experts_per_tok"),
        shared_inner=inner * f.whole("n_shared_experts", default=0),
        correction=scored,
    )


def _routed(f: Fields, layer: int) -> bool:
    """Whether a layer has experts: by `mlp_layer_types`, else from a first one on."""
    kinds = f.sequence("mlp_layer_types")
    if layer < len(kinds):
        return bool(kinds[layer] == "sparse")
    period = f.positive("moe_layer_freq", default=1)
    return layer >= f.whole("first_k_dense_replace", default=0) and layer % period == 0


def _ernie(f: Fields, layer: int) -> FeedForward | None:
    first, last = f.whole("moe_layer_start_index", default=1), f.config.get("moe_layer_end_index")
    period = f.positive("moe_layer_interval", default=1)
    until = (
        f.depth("num_hidden_layers") - 1
        if last in (None, -1)
        else f.whole("moe_layer_end_index", default=0)
    )
    if not first <= layer <= until or (layer + 1) % period:
        return None
    inner = f.positive("moe_intermediate_size")
    return experts(
        f.positive("hidden_size"),
        inner,
        count=f.positive("moe_num_experts"),
        active=f.positive("moe_k"),
        shared_inner=inner * f.whole("moe_num_shared_experts", default=0),
        bias=f.flag("use_bias"),
        correction=True,
    )


def _hunyuan(f: Fields, layer: int) -> FeedForward:
    inner = f.at(layer, "moe_intermediate_size", "intermediate_size")
    return experts(
        f.positive("hidden_size"),
        inner,
        count=f.positive("num_experts"),
        active=f.at(layer, "moe_topk"),
        shared_inner=inner * f.at(layer, "num_shared_expert", default=1),
    )


def _minimax_m2(f: Fields, layer: int) -> FeedForward:
    del layer
    return experts(
        f.positive("hidden_size"),
        f.positive("intermediate_size"),
        count=f.positive("num_local_experts"),
        active=f.positive("num_experts_per_tok"),
        correction=f.flag("use_routing_bias", default=True),
    )


_QWEN2: Final = Style(bias=True, output_bias=False, window=_upper)
_QWEN3: Final = Style(norm="head", window=_upper)
_COHERE: Final = Style(norms=1, tied=True, norm="heads", norm_field="use_qk_norm")
_OLMO2: Final = Style(norm="wide")
STYLES: Final[Mapping[str, Style]] = {
    "llama": Style(),
    "smollm3": Style(tied=True),
    "mistral": Style(window=_all),
    "ministral": Style(window=listed(every=0)),
    "mixtral": Style(forward=_mixtral, window=_all),
    "qwen2": _QWEN2,
    "qwen2_moe": dataclasses.replace(_QWEN2, forward=qwen_experts),
    "qwen3": _QWEN3,
    "qwen3_moe": dataclasses.replace(_QWEN3, forward=qwen_experts),
    "gemma": Style(tied=True),
    "gemma2": Style(tied=True, norms=4, window=listed(every=2)),
    "gemma3_text": Style(tied=True, norms=4, norm="head", window=listed(every=6)),
    "phi3": Style(window=_all),
    "phimoe": Style(
        bias=True, norm_values=2, head_bias=True, forward=_mixtral, window=_all
    ),
    "starcoder2": Style(
        bias=True, bias_field="use_bias", inner_bias=True, inner_bias_field="use_bias",
        gated=False, norm_values=2, tied=True, window=_all,
    ),
    "stablelm": Style(bias_field="use_qkv_bias", output_bias=False, norm_values=2),
    "nemotron": Style(gated=False, norm_values=2),
    "olmo": Style(norm_values=0),
    "olmo2": _OLMO2,
    "olmo3": dataclasses.replace(_OLMO2, window=listed(every=4)),
    "olmoe": dataclasses.replace(_OLMO2, forward=_mixtral),
    "cohere": _COHERE,
    "cohere2": Style(norms=1, tied=True, window=listed(every=4)),
    "glm": Style(bias=True, output_bias=False),
    "glm4": Style(bias=True, output_bias=False, norms=4),
    "glm4_moe": Style(
        bias=True, output_bias=False, norm="head", norm_field="use_qk_norm", forward=routed_after
    ),
    "exaone": Style(),
    "exaone4": Style(norm="head", window=listed(every=4)),
    "granite": Style(tied=True),
    "granitemoe": Style(tied=True, forward=_mixtral),
    "gpt_oss": Style(
        bias=True, sinks=True, forward=_oss, window=listed(every=2)
    ),
    "ernie4_5": Style(bias_field="use_bias", inner_bias_field="use_bias", tied=True),
    "ernie4_5_moe": Style(
        bias_field="use_bias", inner_bias_field="use_bias", tied=True, forward=_ernie
    ),
    "hunyuan_v1_dense": Style(norm="head", tied=True),
    "hunyuan_v1_moe": Style(norm="head", tied=True, forward=_hunyuan),
    "minimax_m2": Style(norm="wide", forward=_minimax_m2),
    "seed_oss": Style(bias=True, output_bias=False),
}  # fmt: skip
