"""Bytes that devices exchange in training with data, tensor and pipeline parallelism.

A ring all-reduce of S bytes over n devices moves 2 (n - 1)/n S per device. Per update and device:

    data      one all-reduce of the gradients of the part of the model that the device holds
    tensor    four all-reduces of the activations of each of its layers, two of them backwards
    pipeline  activations once forwards and their gradients once backwards over a stage's border

Narayanan et al. 2021, arXiv 2104.04473, section 3. Sharded optimisers (ZeRO 1 and 2) move as much
as data parallelism, ZeRO 3 half as much again. Overlap with computing is the caller's.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from tree6g.errors import DataError
from tree6g.training.work import Trainee

VALUE_BYTE: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How devices share the work.

    Attributes:
        data: Copies of the model, each with a part of the batch.
        tensor: Devices that share every layer.
        pipeline: Stages of layers, one after the other.
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1

    def __post_init__(self) -> None:
        """Refuse layouts without devices."""
        for name in ("data", "tensor", "pipeline"):
            if getattr(self, name) < 1:
                raise DataError(f"expected {name} of at least 1; got {getattr(self, name)}.")

    @property
    def devices(self) -> int:
        """All devices."""
        return self.data * self.tensor * self.pipeline


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Bytes that one device sends per update, by reason."""

    data_byte: float
    tensor_byte: float
    pipeline_byte: float

    @property
    def byte(self) -> float:
        """All of them."""
        return self.data_byte + self.tensor_byte + self.pipeline_byte


def all_reduce_byte(byte: float, devices: int) -> float:
    """Bytes that each device sends in a ring all-reduce.

    >>> all_reduce_byte(100.0, 4)
    150.0
    """
    return 2.0 * (devices - 1) / devices * byte


def exchange(model: Trainee, layout: Layout, batch: float) -> Exchange:
    """Bytes per device and update.

    Args:
        model: What is trained.
        layout: How devices share it.
        batch: Tokens or images of an update, all copies together.

    Raises:
        DataError: A convolutional network shared by tensor or pipeline: not modelled.
    """
    if model.unit == "image" and layout.tensor * layout.pipeline > 1:
        raise DataError(
            f"expected '{model.name}', a convolutional network, in whole copies; got tensor "
            f"{layout.tensor}, pipeline {layout.pipeline}. Use data parallelism alone."
        )
    held = VALUE_BYTE * model.trained / (layout.tensor * layout.pipeline)
    activations = VALUE_BYTE * model.hidden * batch / layout.data
    layers = model.layers / layout.pipeline
    return Exchange(
        data_byte=all_reduce_byte(held, layout.data),
        tensor_byte=4.0 * layers * all_reduce_byte(activations, layout.tensor),
        pipeline_byte=2.0 * activations / layout.tensor * (layout.pipeline - 1) / layout.pipeline,
    )
