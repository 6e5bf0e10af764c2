"""What joins two places: rates, delay, joules per bit, and how a cut tensor is packed for it."""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

import numpy as np

from tree6g.compute.stream import FloatArray
from tree6g.errors import DataError, nearest

Packing = Literal["fp32", "fp16", "fp8", "int8", "int4", "topk"]
HEADER_BYTE: Final = 83.0  # IP, TCP and one TLS record around a message (typical)
INT4_GROUP: Final = 32  # values that share one 16-bit scale
TOPK_FRAC: Final = 0.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """The way between two neighbouring places.

    Attributes:
        up_bps: Rate from the device's side to the other.
        down_bps: Rate back.
        rtt_s: Time that a message and its answer take without any bits.
        sender_w: Power of the lower place's radio while it sends.
        receiver_w: Power of the lower place's radio while it receives.
        up_j_per_bit: Joules of the network per bit upwards.
        down_j_per_bit: Joules of the network per bit downwards.
        header_byte: Bytes around each message.
    """

    up_bps: float
    down_bps: float
    rtt_s: float
    sender_w: float = 0.0
    receiver_w: float = 0.0
    up_j_per_bit: float = 0.0
    down_j_per_bit: float = 0.0
    header_byte: float = HEADER_BYTE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """How a cut tensor is packed.

    What packing costs in quality is a fact of model and task: it is stated by whoever uses it,
    never reckoned here. Packing and unpacking take no time: a pass over a few thousand values.

    Attributes:
        name: Of the packing.
        byte_per_value: Bytes per value, scales per group and positions included.
        byte_per_tok: Bytes per token on top: scales per token.
        quality_frac: Worth of a token made through the packed tensor, relative to one made without.
    """

    name: str
    byte_per_value: float
    byte_per_tok: float = 0.0
    quality_frac: float = 1.0

    def byte(self, value_per_tok: FloatArray, tokens: float = 1.0) -> FloatArray:
        """Bytes of the tensor of some tokens. [cut]."""
        packed = value_per_tok * self.byte_per_value + self.byte_per_tok
        return tokens * np.where(value_per_tok > 0.0, packed, 0.0)


def compression(
    name: str = "fp16", *, quality_frac: float = 1.0, kept_frac: float = TOPK_FRAC
) -> Compression:
    """A packing by name.

    `int8`: one 16-bit scale per token; `int4`: one per 32 values; `topk`: the largest values in 16
    bits, each with a 16-bit position.

    Args:
        name: fp32, fp16, fp8, int8, int4 or topk.
        quality_frac: What a token made so is worth, stated by the user; 1: no loss.
        kept_frac: Share of the values that `topk` keeps.

    Raises:
        DataError: No such packing, or a share outside (0, 1].
    """
    sizes = {
        "fp32": (4.0, 0.0),
        "fp16": (2.0, 0.0),
        "fp8": (1.0, 0.0),
        "int8": (1.0, 2.0),
        "int4": (0.5 + 2.0 / INT4_GROUP, 0.0),
        "topk": (4.0 * kept_frac, 0.0),
    }
    if name not in sizes:
        raise DataError(f"expected a packing of the cut; got {name!r}. {nearest(name, sizes)}")
    if not 0.0 < kept_frac <= 1.0 or not quality_frac >= 0.0:
        raise DataError(
            "expected a kept share in (0, 1] and a quality of at least 0; got "
            f"{kept_frac:g} and {quality_frac:g}."
        )
    per_value, per_tok = sizes[name]
    return Compression(
        name=name, byte_per_value=per_value, byte_per_tok=per_tok, quality_frac=quality_frac
    )
