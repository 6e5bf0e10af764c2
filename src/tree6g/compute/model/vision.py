"""Encoders of pictures: CLIP, SigLIP, ViT, and those of Qwen, Llama 4, Mllama and Nemotron."""

from __future__ import annotations

import dataclasses

from tree6g.compute.model.architecture import Layer, Linear, Tower
from tree6g.compute.model.fields import Fields
from tree6g.compute.model.parts import Heads, attention, chain, dense

USUAL_SIDE_PX = 1024  # of a picture where an encoder takes pictures of any size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """A stack of equal layers over patches, with biases and layer norms (Dosovitskiy et al. 2021).

    Attributes:
        hidden: Width.
        layers: How many.
        heads: Heads.
        inner: Width inside the feed-forward part.
        patch: Values of a patch: channels times its area (times frames).
        positions: Positions that the layers see, class tokens included.
        added: Class tokens and registers among them.
        patch_bias: Whether the embedding of patches has a bias.
        gated: Whether the feed-forward part has a gate.
        bias: Whether attention and feed-forward part have biases.
        norm_values: Parameters per normed value.
        last_norms: Norms around the layers.
        other_parameters: Embeddings of positions, class token.
        layer_parameters: Further parameters per layer.
    """

    hidden: int
    layers: int
    heads: int
    inner: int
    patch: int
    positions: int
    added: int = 0
    patch_bias: bool = True
    gated: bool = False
    bias: bool = True
    norm_values: int = 2
    last_norms: int = 1
    other_parameters: int = 0
    layer_parameters: int = 0


def tower(p: Patches, *, tokens: int, projector: tuple[Linear, ...] = ()) -> Tower:
    """The encoder, with the tokens that its positions become and its projector."""
    return Tower(
        layers=layers(p),
        hidden=p.hidden,
        positions=p.positions,
        tokens=tokens,
        added=p.added,
        stem=(Linear(name="patch", inputs=p.patch, outputs=p.hidden, bias=p.patch_bias),),
        projector=projector,
        other_parameters=p.last_norms * p.norm_values * p.hidden + p.other_parameters,
    )


def layers(p: Patches) -> tuple[Layer, ...]:
    """The layers of such an encoder."""
    shape = Heads(
        hidden=p.hidden, heads=p.heads, kv_heads=p.heads, head_dim=max(p.hidden // p.heads, 1),
        bias=p.bias, output_bias=p.bias,
    )  # fmt: skip
    layer = Layer(
        mixers=(attention(shape),),
        feed_forwards=(dense(p.hidden, p.inner, gated=p.gated, bias=p.bias),),
        other_parameters=2 * p.norm_values * p.hidden + p.layer_parameters,
    )
    return (layer,) * p.layers


def clip(f: Fields) -> Patches:
    """CLIP's encoder of pictures: class token, positions, norms before and behind."""
    hidden, count, patch = _sizes(f)
    return Patches(
        hidden=hidden,
        layers=f.depth("num_hidden_layers", default=12),
        heads=f.positive("num_attention_heads", default=12),
        inner=f.positive("intermediate_size", default=4 * hidden),
        patch=patch,
        positions=count + 1,
        added=1,
        patch_bias=False,
        last_norms=2,
        other_parameters=(count + 2) * hidden,
    )


def siglip(f: Fields, *, pooled: bool = True) -> Patches:
    """SigLIP's encoder: positions, one norm behind, and a pooling head that is stored.

    The head is left out with `vision_use_head: false`, as in Gemma 3, or where it is counted apart.
    """
    hidden, count, patch = _sizes(f)
    inner = f.positive("intermediate_size", default=4 * hidden)
    head = 4 * hidden * (hidden + 1) + inner * (2 * hidden + 1) + 4 * hidden
    head = head if pooled and f.flag("vision_use_head", default=True) else 0
    return Patches(
        hidden=hidden,
        layers=f.depth("num_hidden_layers", default=12),
        heads=f.positive("num_attention_heads", default=12),
        inner=inner,
        patch=patch,
        positions=count,
        other_parameters=count * hidden + head,
    )


def vit(f: Fields) -> Patches:
    """ViT and DeiT: class token (DeiT one more), positions, one norm behind."""
    hidden, count, patch = _sizes(f)
    own = 2 if f.text("model_type") == "deit" else 1
    return Patches(
        hidden=hidden,
        layers=f.depth("num_hidden_layers", default=12),
        heads=f.positive("num_attention_heads", default=12),
        inner=f.positive("intermediate_size", default=4 * hidden),
        patch=patch,
        positions=count + own,
        added=own,
        other_parameters=(count + 2 * own) * hidden,
    )


def qwen(f: Fields, outer: int) -> Tower:
    """The encoders of Qwen2-VL, Qwen2.5-VL and Qwen3-VL, for a picture of 1024 x 1024.

    Windows inside the encoder of Qwen2.5-VL are not modelled: its attention counts the whole
    picture.
    """
    kind = f.text("model_type")
    hidden = f.positive("embed_dim", default=f.positive("hidden_size"))
    newest, windowed = kind.startswith(("qwen3", "qwen3_vl")), kind.startswith("qwen2_5")
    inner = (
        f.positive("intermediate_size")
        if newest or windowed
        else int(f.number("mlp_ratio", 4.0) * hidden)
    )
    patch, merge = f.positive("patch_size", default=14), f.positive("spatial_merge_size", default=2)
    count = (USUAL_SIDE_PX // (patch * merge)) ** 2 * merge**2
    wide = hidden * merge**2
    deep = len(f.sequence("deepstack_visual_indexes")) if newest else 0
    out = (
        f.positive("out_hidden_size", default=outer)
        if newest or windowed
        else f.positive("hidden_size")
    )
    norm = 1 if windowed else 2
    p = Patches(
        hidden=hidden,
        layers=f.depth("depth"),
        heads=f.positive("num_heads"),
        inner=inner,
        patch=f.positive("in_channels", "in_chans", default=3)
        * f.positive("temporal_patch_size", default=2)
        * patch**2,
        positions=count,
        patch_bias=newest,
        gated=windowed,
        norm_values=norm,
        last_norms=1,
        other_parameters=f.whole("num_position_embeddings", default=0) * hidden + deep * 2 * wide,
    )
    merger = chain((wide, wide, out), name="merger", bias=True)
    return tower(p, tokens=count // merge**2, projector=merger * (1 + deep))


def llama4(f: Fields, outer: int) -> Tower:
    """Llama 4: class token, norms before and behind, four patches shuffled into one token."""
    hidden, count, patch = _sizes(f)
    inner, ratio = f.positive("intermediate_size"), f.number("pixel_shuffle_ratio", 0.5)
    p = Patches(
        hidden=hidden,
        layers=f.depth("num_hidden_layers"),
        heads=f.positive("num_attention_heads"),
        inner=inner,
        patch=patch,
        positions=count + 1,
        added=1,
        patch_bias=False,
        last_norms=2,
        other_parameters=(count + 2) * hidden,
    )
    shuffled = int(hidden / ratio**2)
    between = f.positive("projector_input_dim", default=4096)
    wide = f.positive("projector_output_dim", default=4096)
    out = f.positive("vision_output_dim", default=wide)
    if shuffled != inner:
        f.faults.append(
            f"{f.path}intermediate_size must be hidden_size / pixel_shuffle_ratio^2 = {shuffled}; "
            f"got {inner}"
        )
    projector = (
        *chain((inner, between), name="adapter", bias=False),
        *chain((wide, wide), name="adapter", bias=False),
        *chain((out, outer), name="projector", bias=False),
    )
    return tower(p, tokens=int(count * ratio**2), projector=projector)


def mllama(f: Fields, outer: int) -> Tower:
    """Llama 3.2 Vision: a stack over tiles, a gated stack behind it, features of several layers."""
    hidden, count, patch = _sizes(f)
    inner, tiles = f.positive("intermediate_size"), f.positive("max_num_tiles", default=4)
    local = f.depth("num_hidden_layers", default=32)
    gated = f.depth("num_global_layers", default=8)
    ratios = len(f.sequence("supported_aspect_ratios")) or f.positive(
        "max_aspect_ratio_id", default=8
    )
    tokens = count + 1
    per_ratio = (ratios + 1) * tiles * hidden
    positions = 1 + tokens * hidden + (ratios + 1) * tiles * tokens * hidden
    p = Patches(
        hidden=hidden,
        layers=local + gated,
        heads=f.positive("attention_heads", "num_attention_heads", default=16),
        inner=inner,
        patch=patch,
        positions=tokens * tiles,
        added=tiles,
        patch_bias=False,
        bias=False,
        last_norms=2,
        other_parameters=hidden + positions + 2 * (per_ratio + 1) + 2 * gated
        + (local + gated) * (inner + hidden),
    )  # fmt: skip
    wide = hidden * (1 + len(f.sequence("intermediate_layers_indices")))
    projector = chain((f.positive("vision_output_dim", default=wide), outer), name="projector",
                      bias=True)  # fmt: skip
    return tower(p, tokens=tokens * tiles, projector=projector)


def _sizes(f: Fields) -> tuple[int, int, int]:
    """Width, patches of a picture, and values of a patch."""
    hidden, patch = f.positive("hidden_size", default=768), f.positive("patch_size", default=16)
    side = f.positive("image_size", default=224)
    return hidden, (side // patch) ** 2, f.positive("num_channels", default=3) * patch**2
