"""Decoders with latent attention: DeepSeek-V2, V3, V3.2, Kimi K2, GLM-5, MiniCPM3."""

from __future__ import annotations

import dataclasses

from tree6g.compute.model.architecture import Architecture, Mixer
from tree6g.compute.model.decoder import Style, decoder, routed_after
from tree6g.compute.model.fields import Fields
from tree6g.compute.model.parts import Latent, latent_attention, without_index


def deepseek(f: Fields, name: str) -> Architecture:
    """A decoder with latent attention; layers that predict further tokens are left out."""
    if f.whole("num_nextn_predict_layers", default=0):
        f.remark("layers that predict tokens further ahead are left out: plain decoding skips them")
    model = decoder(f, name, Style(mix=_mixer, forward=routed_after))
    return dataclasses.replace(model, remarks=tuple(f.remarks))


def _mixer(f: Fields, layer: int) -> Mixer:
    index_heads = f.whole("index_n_heads", default=0)
    kinds = f.sequence("indexer_types")
    shared = layer < len(kinds) and kinds[layer] == "shared"
    if index_heads:
        f.remark(
            "sparse attention: all tokens are kept and scored by the index, attention reads the "
            "tokens that it picks"
        )
    mixer = latent_attention(
        Latent(
            hidden=f.positive("hidden_size"),
            heads=f.positive("num_attention_heads"),
            query_rank=f.whole("q_lora_rank", default=0),
            kv_rank=f.positive("kv_lora_rank"),
            plain_dim=f.positive("qk_nope_head_dim"),
            rotary_dim=f.positive("qk_rope_head_dim"),
            value_dim=f.positive("v_head_dim"),
            bias=f.flag("attention_bias"),
            index_heads=index_heads,
            index_dim=f.positive("index_head_dim") if index_heads else 0,
            index_tok=f.positive("index_topk") if index_heads else 0,
        )
    )
    return without_index(mixer) if shared else mixer
