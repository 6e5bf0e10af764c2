"""Block error rate of the NR data channels from the theory of finite blocks and two constants."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray

# The LDPC code of NR with its decoder against the best code of its length: fitted to the points
# between 0.3 % and 99.7 % (1,819) of the link-level curves of Sionna (PDSCH, PUSCH; Apache-2.0).
GAP_DB: Final = 0.85  # loss in SNR
SPREAD: Final = 1.1  # width of the transition against the theory

MOTHER_RATE: Final = 0.2  # LDPC base graph 2, TS 38.212 clause 5.3.2; below it bits are repeated
LARGEST_BLOCK_BIT: Final = 8448  # of a code block, base graph 1, TS 38.212 clause 5.2.2
CRC_BIT: Final = 24  # of a code block and of a transport block above 3824 bits, TS 38.212

_GRID_DB: Final = np.arange(-30.0, 45.01, 0.25)
_NODES: Final = 48  # Gauss-Hermite nodes: capacity within 1e-4 bit at 45 dB


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constellation:
    """Gray-labelled square QAM with bit-interleaved coded modulation over AWGN.

    Attributes:
        capacity: Bits per symbol at the SNR of the grid, rising. [snr]
        dispersion: Variance of the information density, bit^2 per symbol. [snr]
    """

    capacity: FloatArray
    dispersion: FloatArray


def bler(
    sinr_db: npt.ArrayLike,
    bits_per_symbol: int,
    code_rate: float,
    *,
    block_bit: float = 2000.0,
) -> FloatArray:
    """Probability that a code block is not decoded, one transmission over AWGN.

    p = Q((n C(g) - k) / (s sqrt(n V))): the normal approximation of Polyanskiy, Poor and Verdu
    (IEEE Trans. Inf. Theory 56(5), 2010, eq. 1) with capacity C and dispersion V of bit-interleaved
    QAM (Caire, Taricco and Biglieri, IEEE Trans. Inf. Theory 44(3), 1998) at a SNR g that is
    `GAP_DB` below the true one, and s = `SPREAD`. k bits are sent in n symbols, a whole number. V
    is taken at the SNR where C = k / n, or less above it, so that p falls with the SINR. Below the
    mother rate of the code, coded bits are repeated and their energy adds up.

    Args:
        sinr_db: SINR per symbol and layer, interference taken as noise. Any shape
        bits_per_symbol: Modulation order: 2, 4, 6, 8 or 10.
        code_rate: Information bits per coded bit.
        block_bit: Bits k of the code block, its CRC included.

    Valid for: AWGN or a channel whose effective SINR is given; blocks of 24 to 8,448 bits. Against
    the curves, root mean square error of the SNR at equal BLER: 0.10 dB for blocks of 500 to 2,000
    bits (largest 0.30 dB), 0.36 dB for 100 bits (1.4 dB), 0.9 dB for 24 bits (median 0.3 dB);
    `tests/validation/test_bler_against_curves.py`. Code rates below 0.24 are in no curve.
    """
    repeats = max(1.0, MOTHER_RATE / code_rate)
    symbols = math.ceil(block_bit / (code_rate * repeats * bits_per_symbol) - 1e-9)
    gain_db = 10.0 * math.log10(repeats) - GAP_DB
    return _normal_approximation(
        np.asarray(sinr_db, dtype=np.float64) + gain_db, bits_per_symbol, symbols, block_bit
    )


def transport_bler(
    sinr_db: npt.ArrayLike, bits_per_symbol: int, code_rate: float, *, transport_bit: float
) -> FloatArray:
    """Probability that a transport block fails: any of its code blocks does.

    1 - (1 - p)^c with c code blocks of equal size (TS 38.212 clause 5.2.2); errors of the blocks
    are independent over AWGN.
    """
    blocks = code_blocks(transport_bit)
    block_bit = (transport_bit + CRC_BIT) / blocks + (CRC_BIT if blocks > 1 else 0)
    single = bler(sinr_db, bits_per_symbol, code_rate, block_bit=block_bit)
    return -np.expm1(blocks * np.log1p(-np.minimum(single, 1.0 - 1e-16)))


def code_blocks(transport_bit: float) -> int:
    """Code blocks of a transport block (TS 38.212 clause 5.2.2, base graph 1)."""
    with_crc = transport_bit + CRC_BIT
    if with_crc <= LARGEST_BLOCK_BIT:
        return 1
    return math.ceil(with_crc / (LARGEST_BLOCK_BIT - CRC_BIT))


def required_sinr_db(
    bits_per_symbol: int, code_rate: float, *, target_bler: float, block_bit: float = 2000.0
) -> float:
    """SINR at which the block error rate falls to a target, to 0.001 dB."""
    low, high = -40.0, 60.0
    while high - low > 1e-3:
        middle = (low + high) / 2.0
        fails = bler(middle, bits_per_symbol, code_rate, block_bit=block_bit) > target_bler
        low, high = (middle, high) if fails else (low, middle)
    return high


@cache
def constellation(bits_per_symbol: int) -> Constellation:
    """Capacity and dispersion of a square QAM by Gauss-Hermite integration, per symbol.

    A square QAM is two independent amplitude modulations; the density of a received value y is
    i = sum over bits b of 1 - lg2(sum_x p(y|x) / sum_{x with the same b} p(y|x)).
    """
    levels = 2 ** (bits_per_symbol // 2)
    amplitude = 2.0 * np.arange(levels) - (levels - 1.0)
    amplitude /= math.sqrt(2.0 * np.mean(amplitude**2))  # half the energy in each dimension
    labels = np.arange(levels) ^ (np.arange(levels) >> 1)  # Gray
    bits = (labels[:, None] >> np.arange(bits_per_symbol // 2)) & 1
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum() / levels
    moments = np.array([_moments(s, amplitude, bits, nodes, weights) for s in _noise_std()])
    capacity = np.maximum.accumulate(2.0 * moments[:, 0])
    return Constellation(capacity=capacity, dispersion=2.0 * moments[:, 1])


def _noise_std() -> FloatArray:
    return np.sqrt(0.5 * 10.0 ** (-_GRID_DB / 10.0))


def _moments(
    std: float,
    amplitude: FloatArray,
    bits: npt.NDArray[np.int64],
    nodes: FloatArray,
    weights: FloatArray,
) -> tuple[float, float]:
    """Mean and variance of the information density of one dimension."""
    received = amplitude[:, None] + std * nodes  # [level, node]
    exponent = -((received[..., None] - amplitude) ** 2) / (2.0 * std**2)
    likelihood = np.exp(exponent - exponent.max(axis=-1, keepdims=True))  # [level, node, level]
    density = np.zeros(received.shape)
    for bit in bits.T:
        same = likelihood @ (bit[:, None] == bit)  # [level, node, sent level]
        own = np.einsum("lnl->ln", same)
        density += 1.0 - np.log2(likelihood.sum(axis=-1) / own)
    mean = float((density * weights).sum())
    return mean, float((density**2 * weights).sum()) - mean**2


def _normal_approximation(
    snr_db: FloatArray, bits_per_symbol: int, symbols: int, block_bit: float
) -> FloatArray:
    qam = constellation(bits_per_symbol)
    capacity = np.interp(snr_db, _GRID_DB, qam.capacity)
    rate = min(block_bit / symbols, qam.capacity[-1])
    nominal = float(np.interp(np.interp(rate, qam.capacity, _GRID_DB), _GRID_DB, qam.dispersion))
    falling = np.minimum(np.interp(snr_db, _GRID_DB, qam.dispersion), nominal)
    dispersion = np.where(capacity > rate, falling, nominal)
    spread_bit = SPREAD * np.sqrt(symbols * dispersion)
    return _q((symbols * capacity - block_bit) / (spread_bit + 1e-9))


def _q(z: FloatArray) -> FloatArray:
    """Tail of the normal distribution; NumPy has no erfc."""
    tail = np.frompyfunc(math.erfc, 1, 1)(np.asarray(z) / math.sqrt(2.0))
    return np.asarray(0.5 * tail.astype(np.float64) if isinstance(tail, np.ndarray) else 0.5 * tail)
