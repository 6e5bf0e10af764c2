"""Retransmissions that are combined with what was received before (hybrid ARQ)."""

from __future__ import annotations

import dataclasses
import math
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tree6g.radio import bler
from tree6g.radio.pathloss import FloatArray

Combining = Literal["incremental", "chase", "none"]
MAX_TRANSMISSIONS: Final = 4  # typical setting of base stations; the standard leaves it open


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What becomes of a block that is sent until it is decoded or given up.

    Attributes:
        failure_frac: Not decoded after 1, 2, ... transmissions. [attempt, ...]
        transmissions: Mean number sent, given-up blocks included. [...]
        lost_frac: Given up by HARQ; left to RLC. [...]
        goodput_frac: Decoded blocks per transmission: what is left of the nominal rate. [...]
    """

    failure_frac: FloatArray
    transmissions: FloatArray
    lost_frac: FloatArray
    goodput_frac: FloatArray


def outcome(
    sinr_db: npt.ArrayLike,
    bits_per_symbol: int,
    code_rate: float,
    *,
    block_bit: float = 2000.0,
    combining: Combining = "incremental",
    max_transmissions: int = MAX_TRANSMISSIONS,
) -> Outcome:
    """Transmissions, loss and goodput of a block at a constant SINR.

    With p_t the probability that t transmissions together do not decode: E[T] = 1 + p_1 + ... +
    p_(m-1), and by renewal-reward the goodput is (1 - p_m) / E[T] of the nominal rate (Caire and
    Tuninetti, IEEE Trans. Inf. Theory 47(5), 2001). That uses p_t as the probability that all of
    the first t attempts fail: a decoder that fails with more would have failed with less.

    Incremental redundancy is one block at code rate R / t down to the mother rate of the code;
    Chase combining is the same block at t times the SINR; `none` forgets what failed. Equal SINR in
    all transmissions, no error of the feedback.

    Args:
        sinr_db: SINR of each transmission. Any shape
        bits_per_symbol: Modulation order.
        code_rate: Code rate of one transmission.
        block_bit: Bits of the code block, its CRC included.
        combining: What the receiver does with a block that failed.
        max_transmissions: First transmission included, >= 1.
    """
    sinr = np.asarray(sinr_db, dtype=np.float64)
    attempts = range(1, max_transmissions + 1)
    failures = [_failure(sinr, bits_per_symbol, code_rate, block_bit, combining, t)
                for t in attempts]  # fmt: skip
    failure_frac = np.minimum.accumulate(np.stack(failures), axis=0)
    transmissions = 1.0 + failure_frac[:-1].sum(axis=0)
    return Outcome(
        failure_frac=failure_frac,
        transmissions=transmissions,
        lost_frac=failure_frac[-1],
        goodput_frac=(1.0 - failure_frac[-1]) / transmissions,
    )


def mean_delay_s(transmissions: npt.ArrayLike, round_trip_s: float) -> FloatArray:
    """Mean delay that retransmissions add: one round trip for each after the first."""
    return (np.asarray(transmissions, dtype=np.float64) - 1.0) * round_trip_s


def _failure(
    sinr_db: FloatArray,
    bits_per_symbol: int,
    code_rate: float,
    block_bit: float,
    combining: Combining,
    attempt: int,
) -> FloatArray:
    if combining == "incremental":
        return bler.bler(sinr_db, bits_per_symbol, code_rate / attempt, block_bit=block_bit)
    if combining == "chase":
        sinr_db = sinr_db + 10.0 * math.log10(attempt)
        return bler.bler(sinr_db, bits_per_symbol, code_rate, block_bit=block_bit)
    return bler.bler(sinr_db, bits_per_symbol, code_rate, block_bit=block_bit) ** attempt
