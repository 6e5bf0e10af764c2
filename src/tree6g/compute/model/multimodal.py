"""Vision-language models: a decoder of text behind an encoder of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from tree6g.compute.model import vision
from tree6g.compute.model.architecture import Architecture, FeedForward, Mixer, Tower
from tree6g.compute.model.decoder import STYLES, Style, decoder, heads
from tree6g.compute.model.fields import Fields
from tree6g.compute.model.parts import chain, cross_attention, dense, experts

Text = Callable[[Fields, str], Architecture]

# Fields that a config may leave out because they are the defaults of its class in transformers.
_LLAMA_7B: Final[Mapping[str, Any]] = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}
_TEXT_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "llama": _LLAMA_7B,
    "mistral": {**_LLAMA_7B, "intermediate_size": 14336, "num_key_value_heads": 8},
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262208,
        "sliding_window": 4096,
    },
}


def text_part(f: Fields) -> Fields:
    """The config of the decoder, with the defaults of its family where it leaves fields out."""
    inner = f.part("text_config", "llm_config")
    inner = inner.merged(_TEXT_DEFAULTS.get(inner.text("model_type"), {}))
    return inner.over("tie_word_embeddings", f)


def with_vision(text: Architecture, tower: Tower, f: Fields) -> Architecture:
    """The model of both, under the remarks that both readings left."""
    return dataclasses.replace(text, vision=tower, remarks=tuple(f.remarks))


def llava(f: Fields, name: str, read: Text) -> Architecture:
    """LLaVA: CLIP, a projector of two matrices; LLaVA-NeXT has a token more and tiles."""
    inner = text_part(f)
    text = read(inner, name)
    seen = f.part("vision_config")
    p = (vision.siglip if "siglip" in seen.text("model_type") else vision.clip)(seen)
    projector = chain((p.hidden, text.hidden, text.hidden), name="projector", bias=True)
    tower = vision.tower(p, tokens=(p.positions // 2) * 2, projector=projector)
    if f.text("model_type") == "llava_next":
        tower = dataclasses.replace(tower, other_parameters=tower.other_parameters + text.hidden)
        f.remark(
            "tiles: the tokens of a picture are those of one tile times the tiles it is cut to"
        )
    return with_vision(text, tower, f)


def qwen_vl(f: Fields, name: str, read: Text) -> Architecture:
    """Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Qwen3.5; older files hold the decoder at the top."""
    inner = text_part(f) if f.has("text_config") else f
    text = read(inner, name)
    seen = f.part("vision_config")
    kind = f.text("model_type")
    seen = seen.merged({"model_type": kind})
    if kind == "qwen2_vl":
        seen = seen.merged({"depth": 32, "embed_dim": 1280, "num_heads": 16, "hidden_size": 3584})
    f.remark(f"pictures are taken as {vision.USUAL_SIDE_PX} x {vision.USUAL_SIDE_PX} pixels")
    return with_vision(text, vision.qwen(seen, text.hidden), f)


def gemma3(f: Fields, name: str, read: Text) -> Architecture:
    """Gemma 3: SigLIP, its patches pooled to 256 tokens, a normed projection."""
    text = read(text_part(f), name)
    p = vision.siglip(f.part("vision_config").merged({"image_size": 896, "patch_size": 14}))
    tokens = f.positive("mm_tokens_per_image", default=256)
    tower = vision.tower(
        p, tokens=tokens, projector=chain((p.hidden, text.hidden), name="projector", bias=False)
    )
    more = tower.other_parameters + p.hidden
    return with_vision(text, dataclasses.replace(tower, other_parameters=more), f)


def llama4(f: Fields, name: str, read: Text) -> Architecture:
    """Llama 4 with its encoder of pictures."""
    del read
    text = llama4_text(text_part(f), name)
    if not f.has("vision_config"):
        f.remark("vision_config is missing: the encoder of pictures is left out")
        return dataclasses.replace(text, remarks=tuple(f.remarks))
    return with_vision(text, vision.llama4(f.part("vision_config"), text.hidden), f)


def llama4_text(f: Fields, name: str) -> Architecture:
    """Llama 4: three layers of chunked attention, then a whole one; experts every so manyth.

    A chunk counts as a window of its size: a token sees half a chunk on average, a window's
    token all of it, so long contexts are charged up to twice in these layers.
    """
    period = f.positive("interleave_moe_layer_step", default=1)
    routed = f.sequence("moe_layers") or tuple(
        range(period - 1, f.depth("num_hidden_layers"), period)
    )
    plain = f.sequence("no_rope_layers")
    chunk = f.positive("attention_chunk_size", default=8192)

    def window(f: Fields, layer: int) -> int:
        """Chunk that a layer sees in tokens, 0 for all."""
        del f
        local = bool(plain[layer]) if layer < len(plain) else (layer + 1) % 4 != 0
        return chunk if local else 0

    def forward(f: Fields, layer: int) -> FeedForward:
        """Feed-forward part of a layer, dense or of experts."""
        hidden = f.positive("hidden_size")
        if layer not in routed:
            return dense(hidden, f.positive("intermediate_size_mlp"))
        inner = f.positive("intermediate_size")
        return experts(
            hidden,
            inner,
            count=f.positive("num_local_experts"),
            active=f.positive("num_experts_per_tok"),
            shared_inner=inner,
        )

    return decoder(f, name, Style(window=window, forward=forward))


def mllama(f: Fields, name: str, read: Text) -> Architecture:
    """Llama 3.2 Vision: some layers attend to the picture instead of the text."""
    del read
    inner = text_part(f)
    text = mllama_text(inner, name)
    return with_vision(text, vision.mllama(f.part("vision_config"), text.hidden), f)


def mllama_text(f: Fields, name: str) -> Architecture:
    """The decoder of Llama 3.2 Vision; its embedding has eight rows more than its head."""
    crossing = f.sequence("cross_attention_layers")
    shape = dataclasses.replace(heads(f, Style()), norm="head")

    def mix(f: Fields, layer: int) -> Mixer | None:
        """Mixer of the layers that attend to the picture, None for the others."""
        del f
        return cross_attention(shape, other_parameters=2) if layer in crossing else None

    model = decoder(f, name, Style(mix=mix))
    more = model.embedding_parameters + 8 * model.hidden
    return dataclasses.replace(model, embedding_parameters=more)


def chameleon(f: Fields, name: str, read: Text) -> Architecture:
    """Chameleon: pictures are tokens of its vocabulary; queries and keys are normed per head."""
    del read
    f = f.merged(_LLAMA_7B)
    f.remark("the tokenizer of pictures (VQ-VAE) is left out")
    style = Style(norm="heads", query_key_values=2)
    model = decoder(f, name, style)
    return dataclasses.replace(model, remarks=tuple(f.remarks))


def phi3_v(f: Fields, name: str, read: Text) -> Architecture:
    """Phi-3-vision: CLIP ViT-L/14-336, patches joined by four, two separators."""
    text = STYLES["phi3"]
    del read
    model = decoder(f, name, text)
    p = vision.clip(
        Fields({
            "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
            "num_attention_heads": 16, "image_size": 336, "patch_size": 14,
        })
    )  # fmt: skip
    wide = 4 * p.hidden
    tower = vision.tower(
        p, tokens=(p.positions - 1) // 4,
        projector=chain((wide, model.hidden, model.hidden), name="projector", bias=True),
    )  # fmt: skip
    more = tower.other_parameters + 2 * wide
    f.remark("the encoder of pictures is CLIP ViT-L/14-336, as its code says")
    return with_vision(model, dataclasses.replace(tower, other_parameters=more), f)


def nemotron_vl(f: Fields, name: str, read: Text) -> Architecture:
    """Nemotron Nano VL: RADIO (ViT-H/16), patches shuffled by four, a projector of two matrices."""
    text = read(text_part(f), name)
    size, patch = f.positive("force_image_size", default=512), f.positive("patch_size", default=16)
    count = (size // patch) ** 2
    hidden = f.positive("vit_hidden_size", default=1280)
    own = 10  # class tokens and registers of C-RADIOv2-H
    most = 2048 // patch
    p = vision.Patches(
        hidden=hidden, layers=32, heads=16, inner=4 * hidden, patch=3 * patch**2,
        positions=count + own, added=own, patch_bias=False, last_norms=0,
        other_parameters=(most**2 + own) * hidden,
    )  # fmt: skip
    ratio = f.number("downsample_ratio", 0.5)
    wide, between = int(hidden / ratio**2), f.positive("projector_hidden_size", default=20480)
    tower = vision.tower(
        p, tokens=int(count * ratio**2),
        projector=chain((wide, between, text.hidden), name="projector", bias=False),
    )  # fmt: skip
    more = tower.other_parameters + wide
    f.remark("the encoder of pictures is taken as ViT-H with the sizes of C-RADIOv2-H")
    return with_vision(text, dataclasses.replace(tower, other_parameters=more), f)


READERS: Final[Mapping[str, Callable[[Fields, str, Text], Architecture]]] = {
    "llava": llava,
    "llava_next": llava,
    "qwen2_vl": qwen_vl,
    "qwen2_5_vl": qwen_vl,
    "qwen3_vl": qwen_vl,
    "qwen3_vl_moe": qwen_vl,
    "qwen3_5": qwen_vl,
    "qwen3_5_moe": qwen_vl,
    "gemma3": gemma3,
    "llama4": llama4,
    "mllama": mllama,
    "chameleon": chameleon,
    "phi3_v": phi3_v,
    "NemotronH_Nano_VL": nemotron_vl,
    "NemotronH_Nano_VL_V2": nemotron_vl,
}
