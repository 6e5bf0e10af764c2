"""A model from a Hugging Face `config.json` alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from tree6g.compute.model import encoders, hybrid, latent, legacy, multimodal
from tree6g.compute.model.architecture import Architecture
from tree6g.compute.model.decoder import STYLES, Style, decoder
from tree6g.compute.model.fields import Fields
from tree6g.errors import DataError

Reader = Callable[[Fields, str], Architecture]

_READERS: Final[Mapping[str, Reader]] = {
    "deepseek_v2": latent.deepseek,
    "deepseek_v3": latent.deepseek,
    "deepseek_v32": latent.deepseek,
    "kimi_k2": latent.deepseek,
    "glm_moe_dsa": latent.deepseek,
    "glm4_moe_lite": latent.deepseek,
    "nemotron_h": hybrid.nemotron_h,
    "mamba": hybrid.mamba_1,
    "falcon_mamba": hybrid.mamba_1,
    "mamba2": hybrid.mamba_2,
    "jamba": hybrid.jamba,
    "bamba": hybrid.bamba,
    "granitemoehybrid": hybrid.granite_hybrid,
    "falcon_h1": hybrid.falcon_h1,
    "qwen3_next": hybrid.qwen3_next,
    "qwen3_5_text": hybrid.qwen3_next,
    "qwen3_5_moe_text": hybrid.qwen3_next,
    "minimax": hybrid.minimax,
    "minimax_text_01": hybrid.minimax,
    "lfm2": hybrid.lfm2,
    "gpt2": legacy.gpt2,
    "gpt_bigcode": legacy.gpt2,
    "gpt_neox": legacy.gpt_neox,
    "gptj": legacy.gptj,
    "falcon": legacy.falcon,
    "RefinedWebModel": legacy.falcon,
    "RefinedWeb": legacy.falcon,
    "bloom": legacy.bloom,
    "opt": legacy.opt,
    "mpt": legacy.mpt,
    "phi": legacy.phi,
    "phi3small": legacy.phi3small,
    "llama4_text": multimodal.llama4_text,
    "mllama_text_model": multimodal.mllama_text,
    "bert": encoders.bert,
    "roberta": encoders.bert,
    "xlm-roberta": encoders.bert,
    "distilbert": encoders.bert,
    "deberta-v2": encoders.deberta,
    "vit": encoders.vit,
    "deit": encoders.vit,
    "clip_vision_model": encoders.vit,
    "siglip_vision_model": encoders.vit,
    "clip": encoders.clip,
    "siglip": encoders.clip,
    "t5": encoders.t5,
    "mt5": encoders.t5,
    "umt5": encoders.t5,
    "bart": encoders.bart,
    "mbart": encoders.bart,
    "whisper": encoders.whisper,
}
_SAME: Final[Mapping[str, str]] = {  # names under which parts of a config go
    "qwen2_vl": "qwen2",
    "qwen2_vl_text": "qwen2",
    "qwen2_5_vl": "qwen2",
    "qwen2_5_vl_text": "qwen2",
    "qwen3_vl_text": "qwen3",
    "qwen3_vl_moe_text": "qwen3_moe",
    "hunyuan": "hunyuan_v1_moe",
    "MiniMaxText01": "minimax",
    "minimax_m1": "minimax",
}


def known() -> tuple[str, ...]:
    """The values of `model_type` that are read with what is particular about them."""
    return tuple(sorted({*STYLES, *_READERS, *multimodal.READERS, *_SAME}))


def from_config(config: Mapping[str, Any], name: str) -> Architecture:
    """The architecture that a `config.json` describes.

    A `model_type` that is not known but has the field names of Llama is counted as a decoder in
    the manner of Llama, and `remarks` of the result say so.

    Args:
        config: The fields of the file.
        name: What to call the model.

    Raises:
        DataError: Fields are missing or wrong; all of them are named at once.
    """
    if not isinstance(config, Mapping):
        raise DataError(
            f"Expected a config.json with fields for model '{name}'; got {type(config).__name__}."
        )
    fields = Fields(config)
    kind = fields.text("model_type")
    if kind in multimodal.READERS:
        model = multimodal.READERS[kind](fields, name, _decoder)
    else:
        model = _decoder(fields, name)
    if not fields.faults:
        fields.faults += _too_many_experts(model)
    fields.done(name)
    return dataclasses.replace(model, remarks=tuple(dict.fromkeys(model.remarks)))


def _too_many_experts(model: Architecture) -> list[str]:
    """A fault where a token would pass more routed experts than there are."""
    routed = [part for layer in model.layers for part in layer.feed_forwards]
    return [
        f"experts per token must be at most the {part.experts} that there are; got {part.active}"
        for part in routed
        if part.active > part.experts
    ]


def _decoder(fields: Fields, name: str) -> Architecture:
    kind = fields.text("model_type")
    kind = _SAME.get(kind, kind)
    if kind in _READERS:
        return _READERS[kind](fields, name)
    if kind in STYLES:
        return decoder(fields, name, STYLES[kind])
    if fields.has("text_config") and not fields.has("hidden_size"):
        fields.remark(f"model_type '{kind}' is not known: only its decoder of text is counted")
        return _decoder(multimodal.text_part(fields), name)
    told = f"model_type '{kind}' is not known" if kind else "there is no model_type"
    fields.remark(f"{told}: counted as a decoder in the manner of Llama")
    if fields.has("num_experts", "num_local_experts", "n_routed_experts"):
        fields.faults.append(
            f"model_type '{kind}' is not known and has experts, whose form differs by family"
        )
    return decoder(fields, name, Style())
