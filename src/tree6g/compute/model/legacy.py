"""Decoders with field names of their own: GPT-2, GPT-NeoX, Falcon, BLOOM, OPT, MPT, Phi, ..."""

from __future__ import annotations

import dataclasses

from tree6g.compute.model.architecture import Architecture, Layer, Linear
from tree6g.compute.model.fields import Fields
from tree6g.compute.model.parts import Heads, attention, dense


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A stack of equal layers with a feed-forward part without gate.

    Attributes:
        shape: Its attention.
        layers: How many.
        inner: Width inside the feed-forward part.
        bias: Whether the feed-forward part has biases.
        norms: Norms per layer.
        norm_values: Parameters per normed value.
        positions: Embeddings of positions.
        last_norm: Whether there is a norm behind the stack.
        head_bias: Whether the head has a bias.
        other_parameters: Further norms around the stack.
    """

    shape: Heads
    layers: int
    inner: int
    bias: bool
    norms: int = 2
    norm_values: int = 2
    positions: int = 0
    last_norm: bool = True
    head_bias: bool = False
    other_parameters: int = 0


def build(f: Fields, name: str, plain: Plain, *, tied: bool) -> Architecture:
    """The architecture of such a stack."""
    hidden, vocabulary = plain.shape.hidden, f.positive("vocab_size")
    normed = plain.norm_values * hidden
    layer = Layer(
        mixers=(attention(plain.shape),),
        feed_forwards=(dense(hidden, plain.inner, gated=False, bias=plain.bias),),
        other_parameters=plain.norms * normed,
    )
    return Architecture(
        name=name,
        kind="decoder",
        hidden=hidden,
        vocabulary=vocabulary,
        layers=(layer,) * plain.layers,
        embedding_parameters=vocabulary * hidden,
        position_parameters=plain.positions * hidden,
        head=Linear(name="head", inputs=hidden, outputs=vocabulary, bias=plain.head_bias),
        tied=f.flag("tie_word_embeddings", default=tied),
        other_parameters=plain.other_parameters + (normed if plain.last_norm else 0),
        remarks=tuple(f.remarks),
    )


def _shape(hidden: int, count: int, *, kv_heads: int = 0, bias: bool = True) -> Heads:
    return Heads(
        hidden=hidden, heads=count, kv_heads=kv_heads or count, head_dim=max(hidden // count, 1),
        bias=bias, output_bias=bias,
    )  # fmt: skip


def gpt2(f: Fields, name: str) -> Architecture:
    """GPT-2 and GPT-BigCode (StarCoder, with one head of keys and values)."""
    hidden, count = f.positive("n_embd", "hidden_size"), f.positive("n_head", "num_attention_heads")
    one = f.text("model_type") == "gpt_bigcode" and f.flag("multi_query", default=True)
    plain = Plain(
        shape=_shape(hidden, count, kv_heads=1 if one else count),
        layers=f.depth("n_layer", "num_hidden_layers"),
        inner=f.positive("n_inner", default=4 * hidden),
        bias=True,
        positions=f.positive("n_positions", "max_position_embeddings"),
    )
    return build(f, name, plain, tied=True)


def gpt_neox(f: Fields, name: str) -> Architecture:
    """GPT-NeoX and Pythia."""
    bias = f.flag("attention_bias", default=True)
    plain = Plain(
        shape=_shape(f.positive("hidden_size"), f.positive("num_attention_heads"), bias=bias),
        layers=f.depth("num_hidden_layers"),
        inner=f.positive("intermediate_size"),
        bias=True,
    )
    return build(f, name, plain, tied=False)


def gptj(f: Fields, name: str) -> Architecture:
    """GPT-J: attention and feed-forward part side by side behind one norm."""
    hidden = f.positive("n_embd")
    plain = Plain(
        shape=_shape(hidden, f.positive("n_head"), bias=False),
        layers=f.depth("n_layer"),
        inner=f.positive("n_inner", default=4 * hidden),
        bias=True,
        norms=1,
        head_bias=True,
    )
    return build(f, name, plain, tied=False)


def falcon(f: Fields, name: str) -> Architecture:
    """Falcon: one head of keys and values, or with the newer layers a few, and two norms."""
    hidden = f.positive("hidden_size", "n_embed")
    count = f.positive("num_attention_heads", "n_head")
    newer, bias = f.flag("new_decoder_architecture"), f.flag("bias")
    one = f.flag("multi_query", default=True)
    kv_heads = f.positive("num_kv_heads", "n_head_kv", default=count) if newer else 1
    kv_heads = kv_heads if newer or one else count
    norms = f.whole("num_ln_in_parallel_attn", default=2 if newer else 1)
    plain = Plain(
        shape=_shape(hidden, count, kv_heads=kv_heads, bias=bias),
        layers=f.depth("num_hidden_layers", "n_layer"),
        inner=f.positive("ffn_hidden_size", default=4 * hidden),
        bias=bias,
        norms=norms if f.flag("parallel_attn", default=True) else 2,
    )
    return build(f, name, plain, tied=True)


def bloom(f: Fields, name: str) -> Architecture:
    """BLOOM: biases everywhere, a norm behind the embedding, no embedding of positions."""
    hidden = f.positive("hidden_size", "n_embed")
    plain = Plain(
        shape=_shape(hidden, f.positive("n_head", "num_attention_heads")),
        layers=f.depth("n_layer", "num_hidden_layers"),
        inner=4 * hidden,
        bias=True,
        other_parameters=2 * hidden,
    )
    return build(f, name, plain, tied=True)


def opt(f: Fields, name: str) -> Architecture:
    """OPT: learned positions, two more than are used; an embedding may be narrower."""
    hidden = f.positive("hidden_size")
    narrow = f.positive("word_embed_proj_dim", default=hidden)
    bias = f.flag("enable_bias", default=True)
    before = f.flag("do_layer_norm_before", default=True)
    plain = Plain(
        shape=_shape(hidden, f.positive("num_attention_heads"), bias=bias),
        layers=f.depth("num_hidden_layers"),
        inner=f.positive("ffn_dim"),
        bias=bias,
        positions=f.positive("max_position_embeddings") + 2,
        last_norm=before and not f.flag("_remove_final_layer_norm"),
    )
    model = build(f, name, plain, tied=True)
    if narrow == hidden:
        return model
    return dataclasses.replace(
        model,
        embedding_parameters=model.vocabulary * narrow,
        head=Linear(name="head", inputs=narrow, outputs=model.vocabulary),
        stem=(
            Linear(name="project_in", inputs=narrow, outputs=hidden),
            Linear(name="project_out", inputs=hidden, outputs=narrow),
        ),
    )


def mpt(f: Fields, name: str) -> Architecture:
    """MPT: no biases, norms without them."""
    hidden = f.positive("d_model", "hidden_size")
    plain = Plain(
        shape=_shape(hidden, f.positive("n_heads", "num_attention_heads"), bias=False),
        layers=f.depth("n_layers", "num_hidden_layers"),
        inner=f.positive("expansion_ratio", default=4) * hidden,
        bias=False,
        norm_values=1,
    )
    return build(f, name, plain, tied=True)


def phi(f: Fields, name: str) -> Architecture:
    """Phi-1.5 and Phi-2: attention and feed-forward part side by side behind one norm."""
    hidden, count = f.positive("hidden_size"), f.positive("num_attention_heads")
    kv_heads = f.positive("num_key_value_heads", default=count)
    plain = Plain(
        shape=_shape(hidden, count, kv_heads=kv_heads),
        layers=f.depth("num_hidden_layers"),
        inner=f.positive("intermediate_size"),
        bias=True,
        norms=1,
        head_bias=True,
    )
    return build(f, name, plain, tied=False)


def phi3small(f: Fields, name: str) -> Architecture:
    """Phi-3-small: a gated feed-forward part, block-sparse attention in every second layer.

    A sparse layer reads the last `blocksparse_num_local_blocks` blocks and every
    `blocksparse_vert_stride`th block before them; keys and values of all blocks are kept.
    """
    hidden, count = f.positive("hidden_size"), f.positive("num_attention_heads")
    shape = _shape(hidden, count, kv_heads=f.positive("num_key_value_heads"))
    whole = attention(shape)
    window = f.positive("blocksparse_num_local_blocks") * f.positive("blocksparse_block_size")
    far = shape.pair_flop // f.positive("blocksparse_vert_stride")
    sparse = dataclasses.replace(
        whole, kind="sparse", context_flop=far, decode_context_flop=far,
        window_flop=shape.pair_flop - far, window_tok=window,
    )  # fmt: skip
    period = f.positive("dense_attention_every_n_layers")
    inner = f.positive("ff_intermediate_size", "intermediate_size")
    parts = (dense(hidden, inner, bias=True),)
    layers = tuple(
        Layer(
            mixers=(whole if (n + 1) % period == 0 else sparse,),
            feed_forwards=parts,
            other_parameters=4 * hidden,
        )
        for n in range(f.depth("num_hidden_layers"))
    )
    model = build(f, name, Plain(shape=shape, layers=1, inner=inner, bias=True), tied=True)
    f.remark("block-sparse layers: all keys and values are kept, part of them is read")
    return dataclasses.replace(model, layers=layers, remarks=tuple(f.remarks))
