"""Memory of training: weights, gradients, optimiser and kept activations, in bytes.

    full    2 N weights + 2 N gradients + 12 N (32-bit master copy and the two moments of Adam)
    LoRA    2 N frozen weights + 16 N_A of the adapters
    QLoRA   4.127 bit per weight of the layers (NF4, double quantisation), 2 N of the rest + 16 N_A

Mixed precision after Micikevicius et al. 2018 (arXiv 1710.03740) and Rajbhandari et al. 2020 (ZeRO,
arXiv 1910.02054). Activations: 34 byte per token, layer and unit of width if attention is not kept
(Korthikanti et al. 2022, arXiv 2205.05198, eq. 2 without its attention term), 2 if the whole layer
is computed again. Valid for dense decoders whose feed-forward part is about four times as wide as
they are; of a convolutional network what each layer hands on is kept, 2 byte per value. Not
included: buffers of kernels and of communication, and fragmentation.
"""

from __future__ import annotations

from typing import Final

from tree6g.training.work import Method, Trainee

WEIGHT_BYTE: Final = 2.0
GRADIENT_BYTE: Final = 2.0
OPTIMISER_BYTE: Final = 12.0
NF4_BYTE: Final = 4.127 / 8.0
KEPT_BYTE: Final = 34.0
RECOMPUTED_BYTE: Final = 2.0


def weight_byte(model: Trainee, method: Method) -> float:
    """Bytes of the weights that a pass reads, without adapters."""
    if method == "qlora":
        rest = model.parameters - model.quantised
        return NF4_BYTE * model.quantised + WEIGHT_BYTE * rest
    return WEIGHT_BYTE * model.parameters


def state_byte(model: Trainee, method: Method) -> float:
    """Weights, gradients and optimiser, all devices together, nothing stored twice."""
    learned = (GRADIENT_BYTE + OPTIMISER_BYTE) * model.trained
    if model.adapter is not None:
        learned += WEIGHT_BYTE * model.trained
    return weight_byte(model, method) + learned


def activation_byte(model: Trainee, samples: float, *, recompute: bool = False) -> float:
    """Activations kept of a forward pass over some samples, until their backward pass."""
    units = samples * model.sequence
    if model.unit == "image":
        return WEIGHT_BYTE * units * model.layers * model.hidden
    per_value = RECOMPUTED_BYTE if recompute else KEPT_BYTE
    one_layer = KEPT_BYTE * units * model.hidden if recompute else 0.0
    return per_value * units * model.hidden * model.layers + one_layer


def traffic_byte(model: Trainee, method: Method, passes: float, samples: float) -> float:
    """Bytes that one update moves to and from memory: a lower bound.

    Weights are read forwards and backwards in each pass over a part of the batch, activations
    written and read once, and the optimiser reads and writes all its state once. What kernels move
    besides, between operations that are not fused, is not in it.

    Args:
        model: What is trained.
        method: How.
        passes: Parts of the batch that are passed one after the other.
        samples: Samples of the whole batch.
    """
    weights = 2.0 * passes * weight_byte(model, method)
    optimiser = 2.0 * (WEIGHT_BYTE + GRADIENT_BYTE + OPTIMISER_BYTE) * model.trained
    return weights + 2.0 * activation_byte(model, samples) + optimiser
