"""A profile of layers from a convolutional network: one frame in, one result out."""

from __future__ import annotations

import math

from tree6g.compute.model.convolution import Network
from tree6g.compute.splitting.profile import LayerProfile, network


def frames(model: Network, *, byte_per_parameter: float = 2.0) -> LayerProfile:
    """The layers of a network for one picture, sent raw as one byte per value.

    Args:
        model: The network.
        byte_per_parameter: Storage of the weights.
    """
    pixels = math.prod(model.shape)
    return network(
        model.name,
        flop=[float(layer.flop) for layer in model.layers],
        parameters=[float(layer.parameters) for layer in model.layers],
        out_values=[float(layer.values) for layer in model.layers],
        input_values=float(pixels),
        input_byte=float(pixels),
        weight_byte=byte_per_parameter,
    )
