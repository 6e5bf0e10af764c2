"""Decoders whose layers are not all attention: Mamba, Nemotron-H, Jamba, Qwen3-Next and others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from tree6g.compute.model.architecture import Architecture, FeedForward, Layer, Linear, Mixer
from tree6g.compute.model.decoder import Style, decoder, heads, qwen_experts, shared
from tree6g.compute.model.fields import Fields
from tree6g.compute.model.parts import attention, dense, experts
from tree6g.compute.model.recurrent import (
    Delta,
    SelectiveState,
    StateSpace,
    delta_net,
    linear_attention,
    mamba,
    mamba2,
    short_convolution,
)


def stack(
    f: Fields, name: str, layers: Sequence[Layer], *, tied: bool = False, head_bias: bool = False
) -> Architecture:
    """A decoder of given layers with an embedding, one last norm and a head."""
    hidden, vocabulary = f.positive("hidden_size", "d_model"), f.positive("vocab_size")
    kept: list[Layer] = []
    for layer in layers:
        kept.append(shared(layer, kept))
    return Architecture(
        name=name,
        kind="decoder",
        hidden=hidden,
        vocabulary=vocabulary,
        layers=tuple(kept),
        embedding_parameters=vocabulary * hidden,
        head=Linear(name="head", inputs=hidden, outputs=vocabulary, bias=head_bias),
        tied=f.flag("tie_word_embeddings", default=tied),
        other_parameters=hidden,
        remarks=tuple(f.remarks),
    )


def nemotron_h(f: Fields, name: str) -> Architecture:
    """Nemotron-H: a letter per layer: M Mamba-2, * attention, - feed-forward, E experts."""
    kinds = _nemotron_kinds(f)
    hidden = f.positive("hidden_size")
    shape = heads(f, Style())
    if not f.has("head_dim") and f.has("attention_head_dim"):
        shape = dataclasses.replace(shape, head_dim=f.positive("attention_head_dim"))
    state = StateSpace(
        hidden=hidden,
        heads=f.positive("mamba_num_heads", default=1 if "M" not in kinds else None),
        head_dim=f.positive("mamba_head_dim", default=1 if "M" not in kinds else None),
        groups=f.positive("n_groups", "mamba_n_groups", default=8),
        state=f.positive("ssm_state_size", "mamba_state_dim", default=128),
        taps=f.positive("conv_kernel", default=4),
        bias=f.flag("use_bias"),
        tap_bias=f.flag("use_conv_bias", default=True),
    )
    layers = []
    for kind in kinds:
        mixing = {"M": mamba2(state), "*": attention(shape)}.get(kind)
        forward = {"-": _nemotron_dense, "E": _nemotron_experts}.get(kind)
        layers.append(
            Layer(
                mixers=(mixing,) if mixing else (),
                feed_forwards=(forward(f),) if forward else (),
                other_parameters=hidden,
            )
        )
    return stack(f, name, layers)


def _nemotron_kinds(f: Fields) -> str:
    pattern = f.text("hybrid_override_pattern")
    words = f.sequence("layers_block_type")
    letters = {
        "mamba": "M", "linear_attention": "M", "attention": "*", "full_attention": "*",
        "mlp": "-", "moe": "E",
    }  # fmt: skip
    kinds = pattern or "".join(letters.get(str(word), "?") for word in words)
    if not kinds or set(kinds) - set("M*-E"):
        f.faults.append("hybrid_override_pattern must be letters M, *, - and E; got " + repr(kinds))
    return kinds


def _nemotron_dense(f: Fields) -> FeedForward:
    inner = f.positive("intermediate_size")
    return dense(f.positive("hidden_size"), inner, gated=False, bias=f.flag("mlp_bias"))


def _nemotron_experts(f: Fields) -> FeedForward:
    hidden, rank = f.positive("hidden_size"), f.whole("moe_latent_size", default=0)
    width = rank or hidden
    made = experts(
        width,
        f.positive("moe_intermediate_size"),
        count=f.positive("n_routed_experts"),
        active=f.positive("num_experts_per_tok"),
        gated=False,
        correction=True,
    )
    shared_inner = f.whole("moe_shared_expert_intermediate_size", default=0)
    count = f.whole("n_shared_experts", default=1)
    beside = dense(hidden, shared_inner * count, gated=False).linears if shared_inner else ()
    router = Linear(name="router", inputs=hidden, outputs=made.experts)
    routed = tuple(part for part in made.linears if part.routed)
    around = (
        (
            Linear(name="latent_in", inputs=hidden, outputs=rank),
            Linear(name="latent_out", inputs=rank, outputs=hidden),
        )
        if rank
        else ()
    )
    return dataclasses.replace(made, linears=(*routed, router, *around, *beside))


def mamba_1(f: Fields, name: str) -> Architecture:
    """Mamba of the first kind: one norm and one mixer per layer."""
    hidden = f.positive("hidden_size", "d_model")
    inner = f.positive("intermediate_size", default=f.positive("expand", default=2) * hidden)
    mixer = mamba(
        SelectiveState(
            hidden=hidden,
            inner=inner,
            state=f.positive("state_size", default=16),
            taps=f.positive("conv_kernel", default=4),
            rank=_rank(f, "time_step_rank", hidden),
            bias=f.flag("use_bias"),
            tap_bias=f.flag("use_conv_bias", default=True),
        )
    )
    count = f.depth("num_hidden_layers", "n_layer")
    layer = Layer(mixers=(mixer,), other_parameters=hidden)
    return stack(f, name, [layer] * count, tied=True)


def mamba_2(f: Fields, name: str) -> Architecture:
    """Mamba-2: one norm and one mixer per layer."""
    hidden = f.positive("hidden_size", "d_model")
    head_dim = f.positive("head_dim", default=64)
    inner = f.positive("expand", default=2) * hidden
    mixer = mamba2(
        StateSpace(
            hidden=hidden,
            heads=f.positive("num_heads", default=inner // head_dim),
            head_dim=head_dim,
            groups=f.positive("n_groups", default=8),
            state=f.positive("state_size", default=128),
            taps=f.positive("conv_kernel", default=4),
            bias=f.flag("use_bias"),
            tap_bias=f.flag("use_conv_bias", default=True),
        )
    )
    layer = Layer(mixers=(mixer,), other_parameters=hidden)
    return stack(f, name, [layer] * f.depth("num_hidden_layers", "n_layer"))


def jamba(f: Fields, name: str) -> Architecture:
    """Jamba: attention every so manyth layer, Mamba between, experts every so manyth."""
    hidden, inner = f.positive("hidden_size"), f.positive("intermediate_size")
    shape = heads(f, Style())
    state = SelectiveState(
        hidden=hidden,
        inner=f.positive("mamba_expand", default=2) * hidden,
        state=f.positive("mamba_d_state", default=16),
        taps=f.positive("mamba_d_conv", default=4),
        rank=_rank(f, "mamba_dt_rank", hidden),
        bias=f.flag("mamba_proj_bias"),
        tap_bias=f.flag("mamba_conv_bias", default=True),
        norms=True,
    )
    seen = (f.positive("attn_layer_period", default=8), f.whole("attn_layer_offset", default=4))
    routed = (
        f.positive("expert_layer_period", default=2),
        f.whole("expert_layer_offset", default=1),
    )
    count = f.positive("num_experts", default=16)
    many = (
        experts(hidden, inner, count=count, active=f.positive("num_experts_per_tok", default=2))
        if count > 1
        else dense(hidden, inner)
    )
    layers = [
        Layer(
            mixers=(attention(shape) if n % seen[0] == seen[1] else mamba(state),),
            feed_forwards=(many if n % routed[0] == routed[1] else dense(hidden, inner),),
            other_parameters=2 * hidden,
        )
        for n in range(f.depth("num_hidden_layers"))
    ]
    return stack(f, name, layers)


def _state(f: Fields, *, norm: bool = True) -> StateSpace:
    """Mamba-2 with the field names of Bamba, Granite and Falcon-H1."""
    hidden = f.positive("hidden_size")
    inner = f.positive("mamba_d_ssm", default=f.positive("mamba_expand", default=2) * hidden)
    count = f.positive("mamba_n_heads", default=128)
    head_dim = inner // count
    if f.config.get("mamba_d_head") not in (None, "auto"):
        head_dim = f.positive("mamba_d_head")
    return StateSpace(
        hidden=hidden,
        heads=count,
        head_dim=head_dim,
        groups=f.positive("mamba_n_groups", default=1),
        state=f.positive("mamba_d_state", default=256),
        taps=f.positive("mamba_d_conv", default=4),
        bias=f.flag("mamba_proj_bias"),
        tap_bias=f.flag("mamba_conv_bias", default=True),
        norm=norm,
    )


def bamba(f: Fields, name: str) -> Architecture:
    """Bamba: attention in the layers that are listed, Mamba-2 in the others."""
    hidden, shape = f.positive("hidden_size"), heads(f, Style())
    seen = f.sequence("attn_layer_indices")
    forward = dense(hidden, f.positive("intermediate_size"), bias=f.flag("mlp_bias"))
    layers = [
        Layer(
            mixers=(attention(shape) if n in seen else mamba2(_state(f)),),
            feed_forwards=(forward,),
            other_parameters=2 * hidden,
        )
        for n in range(f.depth("num_hidden_layers"))
    ]
    return stack(f, name, layers)


def granite_hybrid(f: Fields, name: str) -> Architecture:
    """Granite 4: Mamba-2 or attention by `layer_types`, experts if there are any, one shared."""
    hidden, shape = f.positive("hidden_size"), heads(f, Style())
    kinds = f.sequence("layer_types", "layers_block_type")
    parts = []
    if f.whole("num_local_experts", default=0):
        parts.append(
            experts(
                hidden,
                f.positive("intermediate_size"),
                count=f.positive("num_local_experts"),
                active=f.positive("num_experts_per_tok"),
            )
        )
    parts.append(dense(hidden, f.positive("shared_intermediate_size")))
    layers = [
        Layer(
            mixers=(
                attention(shape) if kind in ("attention", "full_attention") else mamba2(_state(f)),
            ),
            feed_forwards=tuple(parts),
            other_parameters=2 * hidden,
        )
        for kind in kinds or ["mamba"] * f.depth("num_hidden_layers")
    ]
    return stack(f, name, layers)


def falcon_h1(f: Fields, name: str) -> Architecture:
    """Falcon-H1: attention and Mamba-2 side by side in every layer."""
    hidden, shape = f.positive("hidden_size"), heads(f, Style())
    layer = Layer(
        mixers=(attention(shape), mamba2(_state(f, norm=f.flag("mamba_rms_norm")))),
        feed_forwards=(dense(hidden, f.positive("intermediate_size"), bias=f.flag("mlp_bias")),),
        other_parameters=2 * hidden,
    )
    return stack(f, name, [layer] * f.depth("num_hidden_layers"))


def qwen3_next(f: Fields, name: str) -> Architecture:
    """Qwen3-Next and Qwen3.5: three layers of the gated delta rule, then one of gated attention."""
    kinds = f.sequence("layer_types")
    period = f.positive("full_attention_interval", default=4)
    delta = delta_net(
        Delta(
            hidden=f.positive("hidden_size"),
            key_heads=f.positive("linear_num_key_heads"),
            value_heads=f.positive("linear_num_value_heads"),
            key_dim=f.positive("linear_key_head_dim"),
            value_dim=f.positive("linear_value_head_dim"),
            taps=f.positive("linear_conv_kernel_dim", default=4),
        )
    )
    whole = attention(dataclasses.replace(heads(f, Style(norm="head")), gated=True))

    def mix(f: Fields, layer: int) -> Mixer:
        """Mixer of a layer: whole attention or gated delta rule."""
        del f
        named = kinds[layer] if layer < len(kinds) else None
        seen = named == "full_attention" if named else (layer + 1) % period == 0
        return whole if seen else delta

    routed = f.has("num_experts")
    style = Style(norm="head", mix=mix, forward=qwen_experts if routed else None)
    if f.whole("mtp_num_hidden_layers", default=0):
        f.remark("layers that predict tokens further ahead are left out: plain decoding skips them")
    return decoder(f, name, style)


def minimax(f: Fields, name: str) -> Architecture:
    """MiniMax-Text-01: seven layers of linear attention, then one of softmax attention."""
    kinds = f.sequence("layer_types", "attn_type_list")
    shape = heads(f, Style())
    wide = dataclasses.replace(shape, kv_heads=shape.heads)
    layers = [
        Layer(
            mixers=(attention(shape) if kind in (1, "full_attention") else linear_attention(wide),),
            feed_forwards=(
                experts(
                    shape.hidden,
                    f.positive("intermediate_size"),
                    count=f.positive("num_local_experts"),
                    active=f.positive("num_experts_per_tok"),
                ),
            ),
            other_parameters=2 * shape.hidden,
        )
        for kind in kinds
    ]
    if not kinds:
        f.faults.append("attn_type_list or layer_types is missing")
    return stack(f, name, layers)


def lfm2(f: Fields, name: str) -> Architecture:
    """LFM2: short convolutions, with attention in some layers."""
    hidden, kinds = f.positive("hidden_size"), f.sequence("layer_types")
    seen = f.sequence("full_attn_idxs")
    count = f.depth("num_hidden_layers")
    inner = _lfm2_inner(f)
    taps, bias = f.positive("conv_L_cache", default=3), f.flag("conv_bias")
    shape = heads(f, Style(norm="head"))
    layers = []
    for n in range(count):
        whole = kinds[n] == "full_attention" if n < len(kinds) else n in seen
        mixer = attention(shape) if whole else short_convolution(hidden, taps, bias=bias)
        layers.append(
            Layer(
                mixers=(mixer,), feed_forwards=(dense(hidden, inner),), other_parameters=2 * hidden
            )
        )
    return stack(f, name, layers, tied=f.flag("tie_embedding", default=True))


def _lfm2_inner(f: Fields) -> int:
    """Width inside: given, or two thirds of it rounded up to a multiple."""
    inner = f.positive("block_ff_dim", "intermediate_size")
    if not f.flag("block_auto_adjust_ff_dim", default=True):
        return inner
    inner = int(f.number("block_ffn_dim_multiplier", 1.0) * int(2 * inner / 3))
    multiple = f.positive("block_multiple_of", default=256)
    return multiple * math.ceil(inner / multiple)


def _rank(f: Fields, field: str, hidden: int) -> int:
    auto = f.config.get(field) in (None, "auto")
    return math.ceil(hidden / 16) if auto else f.positive(field)
