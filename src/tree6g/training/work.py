"""What a pass over one token or image computes in training, by method.

A forward pass multiplies activations with weights (matrices) and with one another (pairs of tokens,
attention). Backward, a matrix that is trained costs twice its forward pass: gradients of what came
in, and of itself. A frozen one costs once: only what came in needs a gradient. Pairs have no
weights, so both factors need one, always. Per token with N parameters in matrices, N_A in adapters:

    full    2 N + 4 N                     = 6 N      (pre-training and full fine-tuning)
    LoRA    2 N + 2 N + (2 + 4) N_A       = 4 N + 6 N_A: a third less, not ten thousand times less
    QLoRA   as LoRA; unpacking the 4-bit weights takes time, not matrix FLOP

plus three times the pairs' FLOP. Computing activations again instead of keeping them adds one
forward pass. Matrix FLOP only, as `compute.model.counts` counts them; embeddings count as the head.

Hu et al. 2021, arXiv 2106.09685 (LoRA); Dettmers et al. 2023, arXiv 2305.14314 (QLoRA);
Kaplan et al. 2020, arXiv 2001.08361 (6 N).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal, get_args

from tree6g.compute.model import counts
from tree6g.compute.model.architecture import Architecture
from tree6g.compute.model.convolution import Network
from tree6g.compute.model.lora import DEFAULT_TARGETS, Adapter, adapter
from tree6g.errors import DataError, nearest

Method = Literal["pretrain", "full", "lora", "qlora"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
ADAPTED: Final = ("lora", "qlora")
RANK: Final = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trainee:
    """A model as training sees it, for one length of sequence.

    Attributes:
        name: Its name.
        unit: What a sample is made of: `token` or `image`.
        sequence: Units of one sample: tokens of a sequence; 1 image.
        parameters: All that it stores.
        quantised: Of these, the matrices of its layers, which QLoRA stores in 4 bits.
        matrix_flop: FLOP of a forward pass with weights, per unit.
        pair_flop: FLOP of a forward pass between tokens, per unit.
        layers: Layers of the stack.
        hidden: Width between them; of a convolutional network the mean values that a layer hands
            on, per image.
        adapter: Adapters of LoRA; None where all is trained.
    """

    name: str
    unit: Literal["token", "image"]
    sequence: int
    parameters: int
    quantised: int
    matrix_flop: float
    pair_flop: float
    layers: int
    hidden: float
    adapter: Adapter | None = None

    @property
    def trained(self) -> int:
        """Parameters that are trained."""
        return self.parameters if self.adapter is None else self.adapter.parameters


def method_of(name: str) -> Method:
    """A method by its name.

    Raises:
        DataError: No such method; the message names the nearest.
    """
    for method in METHODS:
        if name.strip().lower() == method:
            return method
    raise DataError(f"expected a method of training; got {name!r}. {nearest(name, METHODS)}")


def trainee(
    model: Architecture,
    method: Method,
    *,
    sequence: int,
    rank: int = RANK,
    targets: Sequence[str] = DEFAULT_TARGETS,
) -> Trainee:
    """A model with tokens, trained on sequences of that length; causal kernels skip the future.

    Raises:
        DataError: The sequence is empty, or no matrix has a name among the targets.
    """
    if sequence < 1:
        raise DataError(f"expected sequences of at least one token; got {sequence}.")
    whole = counts.forward_flop(model, sequence, causal=True, encoder_tok=sequence)
    pairs = counts.pairs_flop(model, sequence, causal=True)
    parts = counts.parameters(model)
    return Trainee(
        name=model.name,
        unit="token",
        sequence=sequence,
        parameters=parts.total,
        quantised=parts.body + parts.routed + parts.encoder,
        matrix_flop=(whole - pairs) / sequence,
        pair_flop=pairs / sequence,
        layers=len(model.layers) + (len(model.encoder.layers) if model.encoder else 0),
        hidden=float(model.hidden),
        adapter=adapter(model, rank, targets) if method in ADAPTED else None,
    )


def image_trainee(network: Network, method: Method) -> Trainee:
    """A convolutional network, all of which is trained; its unit is the image.

    Raises:
        DataError: The method attaches adapters, which are defined for matrices.
    """
    if method in ADAPTED:
        raise DataError(
            f"expected pretrain or full for '{network.name}', a convolutional network; got "
            f"{method}. Adapters are attached to matrices of models with tokens."
        )
    values = sum(layer.values for layer in network.layers)
    return Trainee(
        name=network.name,
        unit="image",
        sequence=1,
        parameters=network.parameters,
        quantised=0,
        matrix_flop=float(network.flop),
        pair_flop=0.0,
        layers=len(network.layers),
        hidden=values / len(network.layers),
    )


def flop_per_unit(model: Trainee, *, recompute: bool = False) -> float:
    """FLOP of a training step per token or image.

    Args:
        model: What is trained.
        recompute: Whether activations are computed again in the backward pass.
    """
    forward = model.matrix_flop + model.pair_flop
    backward = 2.0 * model.pair_flop
    if model.adapter is None:
        backward += 2.0 * model.matrix_flop
    else:
        own = float(model.adapter.flop_per_tok)
        forward, backward = forward + own, backward + model.matrix_flop + 2.0 * own
    return forward + backward + (forward if recompute else 0.0)
