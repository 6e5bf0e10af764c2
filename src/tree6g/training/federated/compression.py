"""Updates packed for the air: fewer bits per value, or fewer values, with error feedback.

What packing loses stays with the client and is added to its next update (Seide et al. 2014;
Karimireddy et al. 2019), so that it is late and not lost.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tree6g.training.federated.models import FloatArray, Parameters, values

FLOAT_BIT: Final = 32
WHOLE_BIT: Final = {"fp64": 64, "fp32": FLOAT_BIT, "fp16": 16, "int8": 8, "int4": 4}
FLOATS: Final = {"fp64": np.float64, "fp32": np.float32, "fp16": np.float16}
FORMATS: Final = (*WHOLE_BIT, "topk")


def pack(update: Parameters, form: str, keep_frac: float = 1.0) -> Parameters:
    """An update as its receiver reads it.

    Args:
        update: Values.
        form: `fp64`, `fp32`, `fp16`: rounded; `int8`, `int4`: whole multiples
            of 1/127 or 1/7 of the largest value, array by array; `topk`: the largest values alone.
        keep_frac: Share of the values that `topk` keeps, of all arrays together, at least one.
    """
    if form == "topk":
        return _largest(update, keep_frac)
    if form in FLOATS:
        return tuple(part.astype(FLOATS[form]).astype(np.float64) for part in update)
    top = 2 ** (WHOLE_BIT[form] - 1) - 1
    return tuple(_rounded(part, top) for part in update)


def packed_bit(parts: Parameters, form: str, keep_frac: float = 1.0) -> float:
    """Bits of a packed update: values, scales of integers, places of single values."""
    count = values(parts)
    if form == "topk":
        return float(kept(count, keep_frac) * (FLOAT_BIT + place_bit(count)))
    scales = FLOAT_BIT * len(parts) if form in ("int8", "int4") else 0
    return float(WHOLE_BIT[form] * count + scales)


def kept(count: int, keep_frac: float) -> int:
    """Values that `topk` keeps."""
    return max(1, round(keep_frac * count))


def place_bit(count: int) -> int:
    """Bits that tell one of so many places."""
    return max(1, math.ceil(math.log2(count)))


def _rounded(part: FloatArray, top: int) -> FloatArray:
    largest = float(np.abs(part).max(initial=0.0))
    if largest == 0.0:
        return part
    return np.asarray(np.rint(part * (top / largest)) * (largest / top))


def _largest(update: Parameters, keep_frac: float) -> Parameters:
    flat = np.concatenate([part.ravel() for part in update])
    keep = kept(len(flat), keep_frac)
    chosen = np.argsort(-np.abs(flat), kind="stable")[:keep]
    thin = np.zeros_like(flat)
    thin[chosen] = flat[chosen].astype(np.float32)
    edges = np.cumsum([part.size for part in update])[:-1]
    pieces = zip(np.split(thin, edges), update, strict=True)
    return tuple(piece.reshape(part.shape) for piece, part in pieces)
