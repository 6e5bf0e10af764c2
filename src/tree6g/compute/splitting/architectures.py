"""A profile of layers from an architecture, whatever its layers are."""

from __future__ import annotations

import numpy as np

from tree6g.compute.model import counts
from tree6g.compute.model.architecture import Architecture
from tree6g.compute.model.footprint import LayerFootprint, per_layer
from tree6g.compute.replica import STATE_BYTE
from tree6g.compute.splitting.profile import KEPT_BYTE, LayerProfile, profile
from tree6g.errors import InfeasibleError


def decoder(
    model: Architecture, *, byte_per_parameter: float = 2.0, kv_byte: float = KEPT_BYTE
) -> LayerProfile:
    """The layers of a decoder and its output head, prompts of text.

    Encoders of pictures and of encoder-decoders are no part of it. A layer that both sees all and
    has a window is taken to have the window. Attention of decode is counted like that of a prompt,
    which for latent attention with absorbed matrices is too few FLOP: it enters the energy of
    decode only, and there less than the bytes do.

    Args:
        model: The architecture.
        byte_per_parameter: Storage of the weights.
        kv_byte: Bytes of a kept key or value.

    Raises:
        InfeasibleError: A model that does not make tokens one after the other.
    """
    if model.kind != "decoder" or model.head is None:
        raise InfeasibleError(
            f"expected a decoder with an output head to split; '{model.name}' is: {model.kind}."
        )
    layers = per_layer(model)
    head_parameters = float(model.head.parameters)
    values = {
        "flop_per_tok": [x.flop_per_tok for x in layers],
        "attention_flop": [x.attention_flop + x.window_attention_flop for x in layers],
        "weight_byte": [byte_per_parameter * x.step_parameters for x in layers],
        "expert_byte": [byte_per_parameter * x.expert_parameters for x in layers],
        "expert_frac": [_chosen(layer) for layer in model.layers],
        "kv_byte_per_tok": [kv_byte * _kept(x) for x in layers],
        "state_byte": [STATE_BYTE * x.state_value for x in layers],
    }
    return profile(
        model.name,
        **{name: [*column, 0.0] for name, column in values.items()}
        | {"weight_byte": [*values["weight_byte"], byte_per_parameter * head_parameters]},
        window_tok=[*(float(x.window_tok) or np.inf for x in layers), np.inf],
        sampled_flop=[*([0.0] * len(layers)), float(counts.head_flop(model))],
        cut_value_per_tok=[
            float(model.hidden),
            *(float(x.hidden_value_per_tok) for x in layers),
            1.0,
        ],
        output_head=True,
    )


def _kept(layer: LayerFootprint) -> float:
    return layer.kv_value_per_tok + layer.window_kv_value_per_tok


def _chosen(layer: object) -> float:
    """Share of the routed experts that a token passes, 0 without any."""
    parts = [f for f in getattr(layer, "feed_forwards", ()) if f.experts]
    return parts[0].active / parts[0].experts if parts else 0.0
