"""Encoders and encoder-decoders: BERT, RoBERTa, DeBERTa, ViT, CLIP, T5, BART, Whisper."""

from __future__ import annotations

import dataclasses

from tree6g.compute.model import vision
from tree6g.compute.model.architecture import Architecture, Layer, Linear, Tower
from tree6g.compute.model.fields import Fields
from tree6g.compute.model.parts import Heads, attention, cross_attention, dense


def bert(f: Fields, name: str) -> Architecture:
    """BERT, RoBERTa and DistilBERT without a head, with the pooling layer where there is one."""
    hidden = f.positive("hidden_size", "dim")
    distilled = f.text("model_type") == "distilbert"
    segments = 0 if distilled else f.whole("type_vocab_size", default=2)
    layers = _post_norm(f, hidden)
    pooler = 0 if distilled else hidden * hidden + hidden
    vocabulary = f.positive("vocab_size")
    positions = f.positive("max_position_embeddings") + segments
    return Architecture(
        name=name, kind="encoder", hidden=hidden, vocabulary=vocabulary, layers=layers,
        embedding_parameters=vocabulary * hidden, position_parameters=positions * hidden,
        other_parameters=2 * hidden + pooler,
        remarks=(*f.remarks, "counted without a head"),
    )  # fmt: skip


def deberta(f: Fields, name: str) -> Architecture:
    """DeBERTa-v2 and v3: relative positions shared by all layers, a convolution in the largest.

    Its attention also projects and scores the relative positions; these FLOP, which do not depend
    on the input, and the convolution are left out.
    """
    hidden = f.positive("hidden_size")
    layers = _post_norm(f, hidden)
    taps = f.whole("conv_kernel_size", default=0)
    convolution = taps * hidden * hidden + 3 * hidden if taps else 0
    relative = f.flag("relative_attention")
    buckets = 2 * f.positive("position_buckets", "max_position_embeddings") if relative else 0
    normed = 2 * hidden if relative and "layer_norm" in f.text("norm_rel_ebd") else 0
    vocabulary = f.positive("vocab_size")
    plain = (
        f.positive("max_position_embeddings")
        if f.flag("position_biased_input", default=True)
        else 0
    )
    return Architecture(
        name=name, kind="encoder", hidden=hidden, vocabulary=vocabulary, layers=layers,
        embedding_parameters=vocabulary * hidden,
        position_parameters=(buckets + plain + f.whole("type_vocab_size", default=0)) * hidden,
        other_parameters=2 * hidden + normed + convolution,
        remarks=(*f.remarks, "counted without a head"),
    )  # fmt: skip


def vit(f: Fields, name: str) -> Architecture:
    """A classifier of pictures: ViT, DeiT, or an encoder of CLIP or SigLIP alone."""
    p = _patches(f)
    classes = f.text("model_type") in ("vit", "deit")
    labels = f.whole("num_labels", default=f.length("id2label")) if classes else 0
    head = Linear(name="head", inputs=p.hidden, outputs=labels, bias=True) if labels else None
    return Architecture(
        name=name, kind="vision", hidden=p.hidden, vocabulary=0, layers=vision.layers(p), head=head,
        stem=(Linear(name="patch", inputs=p.patch, outputs=p.hidden, bias=p.patch_bias),),
        position_parameters=p.other_parameters,
        other_parameters=p.last_norms * p.norm_values * p.hidden,
        positions=p.positions, added=p.added, remarks=tuple(f.remarks),
    )  # fmt: skip


def _patches(f: Fields) -> vision.Patches:
    kind = f.text("model_type")
    if kind.startswith("clip"):
        return vision.clip(f)
    return vision.siglip(f) if kind.startswith("siglip") else vision.vit(f)


def clip(f: Fields, name: str) -> Architecture:
    """CLIP and SigLIP with both encoders: text as the first stack, pictures as its vision."""
    text, seen = f.part("text_config"), f.part("vision_config")
    plain = f.text("model_type") == "clip"
    hidden = text.positive("hidden_size", default=512 if plain else 768)
    p = vision.Patches(
        hidden=hidden,
        layers=text.depth("num_hidden_layers", default=12),
        heads=text.positive("num_attention_heads", default=8 if plain else 12),
        inner=text.positive("intermediate_size", default=2048 if plain else 3072),
        patch=1,
        positions=1,
    )
    vocabulary = text.positive("vocab_size", default=49408 if plain else 32000)
    length = text.positive("max_position_embeddings", default=77 if plain else 64)
    if plain:
        patches, common = vision.clip(seen), f.positive("projection_dim", default=512)
        picture = (Linear(name="projector", inputs=patches.hidden, outputs=common),)
        head = Linear(name="head", inputs=hidden, outputs=common)
        tower, own = vision.tower(patches, tokens=1, projector=picture), 1
    else:
        patches = vision.siglip(seen, pooled=False)
        tower, own = _pooled(vision.tower(patches, tokens=1), patches), 2
        head = Linear(name="head", inputs=hidden, outputs=hidden, bias=True)
    return Architecture(
        name=name, kind="encoder", hidden=hidden, vocabulary=vocabulary, layers=vision.layers(p),
        embedding_parameters=vocabulary * hidden, position_parameters=length * hidden, head=head,
        other_parameters=2 * hidden + own, vision=tower, remarks=tuple(f.remarks),
    )  # fmt: skip


def _pooled(tower: Tower, p: vision.Patches) -> Tower:
    """SigLIP's head: one query attends to all patches, then a feed-forward part."""
    square = Linear(name="pool", inputs=p.hidden, outputs=p.hidden, bias=True)
    inner = dense(p.hidden, p.inner, gated=False, bias=True).linears
    return dataclasses.replace(
        tower,
        projector=(square, square, square, square, *inner),
        other_parameters=tower.other_parameters + 3 * p.hidden,
    )


def t5(f: Fields, name: str) -> Architecture:
    """T5 and its kin: relative positions in the first layer of each stack, no biases."""
    hidden, inner = f.positive("d_model"), f.positive("d_ff")
    count = f.positive("num_heads")
    shape = Heads(hidden=hidden, heads=count, kv_heads=count, head_dim=f.positive("d_kv"))
    forward = dense(hidden, inner, gated="gated" in f.text("feed_forward_proj", "relu"))
    depth = f.depth("num_layers")
    reading = Layer(
        mixers=(attention(shape),), feed_forwards=(forward,), other_parameters=2 * hidden
    )
    writing = Layer(
        mixers=(attention(shape), cross_attention(shape)),
        feed_forwards=(forward,),
        other_parameters=3 * hidden,
    )
    relative = f.positive("relative_attention_num_buckets", default=32) * count
    vocabulary = f.positive("vocab_size")
    return Architecture(
        name=name,
        kind="encoder-decoder",
        hidden=hidden,
        vocabulary=vocabulary,
        layers=(writing,) * f.depth("num_decoder_layers", default=depth),
        embedding_parameters=vocabulary * hidden,
        position_parameters=relative,
        head=Linear(name="head", inputs=hidden, outputs=vocabulary),
        tied=f.flag("tie_word_embeddings", default=True),
        other_parameters=hidden,
        encoder=Tower(layers=(reading,) * depth, hidden=hidden, other_parameters=hidden + relative),
        remarks=tuple(f.remarks),
    )


def bart(f: Fields, name: str) -> Architecture:
    """BART: learned positions in both stacks, norms behind each part and behind the embedding."""
    hidden, vocabulary = f.positive("d_model"), f.positive("vocab_size")
    positions = (f.positive("max_position_embeddings") + 2) * hidden
    norms = 2 if f.text("model_type") == "bart" else 4  # mBART: one more behind each stack
    reading = _speaking(f, "encoder", hidden, crossing=False)
    writing = _speaking(f, "decoder", hidden, crossing=True)
    return Architecture(
        name=name,
        kind="encoder-decoder",
        hidden=hidden,
        vocabulary=vocabulary,
        layers=(writing,) * f.depth("decoder_layers"),
        embedding_parameters=vocabulary * hidden,
        position_parameters=positions,
        head=Linear(name="head", inputs=hidden, outputs=vocabulary),
        tied=f.flag("tie_word_embeddings", default=True),
        other_parameters=norms * hidden,
        encoder=Tower(
            layers=(reading,) * f.depth("encoder_layers"),
            hidden=hidden,
            other_parameters=positions + norms * hidden,
        ),
        remarks=tuple(f.remarks),
    )


def whisper(f: Fields, name: str) -> Architecture:
    """Whisper: two convolutions over 30 s of sound, then both stacks; keys have no bias."""
    hidden, vocabulary = f.positive("d_model"), f.positive("vocab_size")
    frames = f.positive("max_source_positions", default=1500)
    bands = f.positive("num_mel_bins", default=80)
    reading = _speaking(f, "encoder", hidden, crossing=False, key_bias=False)
    writing = _speaking(f, "decoder", hidden, crossing=True, key_bias=False)
    return Architecture(
        name=name,
        kind="encoder-decoder",
        hidden=hidden,
        vocabulary=vocabulary,
        layers=(writing,) * f.depth("decoder_layers"),
        embedding_parameters=vocabulary * hidden,
        position_parameters=f.positive("max_target_positions", default=448) * hidden,
        head=Linear(name="head", inputs=hidden, outputs=vocabulary),
        tied=f.flag("tie_word_embeddings", default=True),
        other_parameters=2 * hidden,
        encoder=Tower(
            layers=(reading,) * f.depth("encoder_layers"),
            hidden=hidden,
            positions=frames,
            tokens=frames,
            stem=(  # the first runs on each frame, the second on every second
                Linear(name="conv1", inputs=3 * bands, outputs=hidden, bias=True, used=2),
                Linear(name="conv2", inputs=3 * hidden, outputs=hidden, bias=True),
            ),
            other_parameters=frames * hidden + 2 * hidden,
        ),
        remarks=tuple(f.remarks),
    )


def _speaking(f: Fields, side: str, hidden: int, *, crossing: bool, key_bias: bool = True) -> Layer:
    """A layer of BART or Whisper: biases and layer norms throughout."""
    count = f.positive(f"{side}_attention_heads")
    shape = Heads(
        hidden=hidden, heads=count, kv_heads=count, head_dim=max(hidden // count, 1),
        bias=True, key_bias=key_bias, output_bias=True,
    )  # fmt: skip
    mixers = (attention(shape), cross_attention(shape)) if crossing else (attention(shape),)
    return Layer(
        mixers=mixers,
        feed_forwards=(dense(hidden, f.positive(f"{side}_ffn_dim"), gated=False, bias=True),),
        other_parameters=2 * hidden * (len(mixers) + 1),
    )


def _post_norm(f: Fields, hidden: int) -> tuple[Layer, ...]:
    count = f.positive("num_attention_heads", "n_heads")
    shape = Heads(
        hidden=hidden, heads=count, kv_heads=count, head_dim=max(hidden // count, 1),
        bias=True, output_bias=True,
    )  # fmt: skip
    layer = Layer(
        mixers=(attention(shape),),
        feed_forwards=(
            dense(hidden, f.positive("intermediate_size", "hidden_dim"), gated=False, bias=True),
        ),
        other_parameters=4 * hidden,
    )
    return (layer,) * f.depth("num_hidden_layers", "n_layers")
