"""Link adaptation: from SINR to CQI, MCS and the rate that is left after retransmissions."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio import bler, curve, harq, mimo
from tree6g.radio.mcs import CqiTable, McsTable, Schemes, cqi_table, mcs_table
from tree6g.radio.pathloss import FloatArray

IntArray = npt.NDArray[np.int64]

TARGET_BLER: Final = 0.1  # of CQI tables 1 and 2, TS 38.214 clause 5.2.2.1
TARGET_BLER_LOW_SE: Final = 1e-5  # of CQI table 3
BLOCK_BIT: Final = 2000.0  # the largest of the curves that `bler` was compared with
# Share of resource elements with control and reference signals (TS 38.306 clause 4.1.2).
OVERHEAD_DOWNLINK_FRAC: Final = 0.14  # 0.18 above 24 GHz
OVERHEAD_UPLINK_FRAC: Final = 0.08  # 0.10 above 24 GHz
# 14 symbols in the time of 15: the normal cyclic prefix (TS 38.211 clause 5.3.1).
PREFIX_EFFICIENCY: Final = 14.0 / 15.0

_STEP_DB: Final = 0.05
_GRID_DB: Final = np.round(np.arange(-25.0, 45.001, _STEP_DB), 2)


def rate_bps(
    sinr_db: npt.ArrayLike,
    bandwidth_hz: float,
    *,
    time_frac: float = 1.0,
    table: McsTable = "qam256",
    overhead_frac: float = OVERHEAD_DOWNLINK_FRAC,
    layers: float = 1.0,
    branches: float | None = None,
) -> FloatArray:
    """Rate of a user that has the whole bandwidth for a share of time, with real MCS.

    R = x B (14/15) (1 - OH) v e(SINR), with e from `spectral_efficiency`: the form of TS 38.306
    clause 4.1.2, with the efficiency that link adaptation reaches in place of the highest.
    Continuous and never falling with the SINR. [link]

    Args:
        sinr_db: SINR of each layer. [link]
        bandwidth_hz: Occupied bandwidth B: resource blocks times 12 subcarriers, no guard band.
        time_frac: Share x of time in this direction (TDD).
        table: MCS table; `qam64` or `qam256` uplink without transform precoding as well.
        overhead_frac: Share OH of resource elements without data.
        layers: Spatial layers v, all at this SINR.
        branches: Independent fades, as in `spectral_efficiency`.
    """
    per_symbol = spectral_efficiency(sinr_db, table=table, branches=branches)
    symbols = time_frac * bandwidth_hz * PREFIX_EFFICIENCY * (1.0 - overhead_frac)
    return symbols * layers * per_symbol


def array_rate_bps(
    sinr_db: npt.ArrayLike,
    bandwidth_hz: float,
    *,
    antennas: int,
    most_layers: int,
    time_frac: float = 1.0,
    table: McsTable = "qam256",
    overhead_frac: float = OVERHEAD_DOWNLINK_FRAC,
    csi_frac: float = 1.0,
) -> FloatArray:
    """`rate_bps` of all layers that an array sends at once, with zero-forcing.

    With `most_layers` the antennas of one terminal it is the rate of that terminal alone; with more
    it is what a cell moves to several terminals of this SINR together, so the rate by which airtime
    is to be shared when enough of them wait. Never falls with the SINR. [link]

    Args:
        sinr_db: SINR with one antenna: no array gain in the coupling gain. [link]
        bandwidth_hz: Occupied bandwidth.
        antennas: Antennas that are steered one by one (TxRU).
        most_layers: Most layers at once, see `mimo.best_layers`.
        time_frac: Share of time in this direction (TDD).
        table: MCS table.
        overhead_frac: Share of resource elements without data.
        csi_frac: Share of the channel's variance that is known, see `mimo.csi_frac`.
    """
    best = mimo.best_layers(
        sinr_db, antennas=antennas, most=most_layers, csi_frac=csi_frac,
        efficiency=lambda at_db: spectral_efficiency(at_db, table=table),
    )  # fmt: skip
    symbols = time_frac * bandwidth_hz * PREFIX_EFFICIENCY * (1.0 - overhead_frac)
    return symbols * best.efficiency


def spectral_efficiency(
    sinr_db: npt.ArrayLike,
    *,
    table: McsTable = "qam256",
    target_bler: float = TARGET_BLER,
    branches: float | None = None,
) -> FloatArray:
    """Decoded bits per symbol and layer: adapted MCS, HARQ with incremental redundancy.

    The largest goodput among the schemes whose first transmission fails in at most `target_bler` of
    the cases, and of the lowest scheme, which is kept in use below its target with as many
    retransmissions as it takes. Never falls with the SINR. The SINR is known without error; what a
    wrong one costs: `outer_loop_margin_db`. Interpolated between steps of 0.05 dB. [link]

    Args:
        sinr_db: Mean SINR of a layer. [link]
        table: MCS table.
        target_bler: Failures of first transmissions that are put up with.
        branches: Independent fades m that a transport block averages over (receive antennas times
            coherence bandwidths): the efficiency is its mean over a Gamma(m) distributed SINR
            (Nakagami-m fading), which the MCS follows. None: no fading, the most favourable case.
    """
    sinr = np.asarray(sinr_db, dtype=np.float64)
    return curve.read(sinr, _GRID_DB, _curve(table, target_bler, branches))


def mcs(
    sinr_db: npt.ArrayLike,
    *,
    table: McsTable = "qam256",
    target_bler: float = TARGET_BLER,
    block_bit: float = BLOCK_BIT,
) -> IntArray:
    """Index of the most efficient MCS that meets the target; -1 where none does. [link]."""
    return _highest(sinr_db, mcs_table(table), target_bler, block_bit)


def cqi(
    sinr_db: npt.ArrayLike, *, table: CqiTable = "qam256", block_bit: float = BLOCK_BIT
) -> IntArray:
    """Channel quality indicator that a terminal reports; 0 is out of range. [link].

    The highest CQI whose block error rate is at most 10 %, or 1e-5 for table `low-se` (TS 38.214
    clause 5.2.2.1).
    """
    target = TARGET_BLER_LOW_SE if table == "low-se" else TARGET_BLER
    return _highest(sinr_db, cqi_table(table), target, block_bit)


def outer_loop_step_db(
    acknowledged: npt.NDArray[np.bool_], *, target_bler: float = TARGET_BLER, step_db: float = 0.5
) -> FloatArray:
    """Change of the offset that a base station adds to the reported SINR.

    Down by `step_db` on a NACK, up by step p / (1 - p) on an ACK: the offset stands still on
    average only where the block error rate is the target p, whatever the error of the report
    (Pedersen et al., IEEE VTC Fall 2007). [link]
    """
    up_db = step_db * target_bler / (1.0 - target_bler)
    return np.where(acknowledged, up_db, -step_db)


def outer_loop_margin_db(
    error_std_db: float,
    *,
    bits_per_symbol: int = 4,
    code_rate: float = 0.5,
    target_bler: float = TARGET_BLER,
) -> float:
    """Back-off at which a normal error of the known SINR still gives the target error rate.

    Solves E[BLER(threshold + margin + error)] = target, where the outer loop settles. To 0.001 dB.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    at_target = bler.required_sinr_db(bits_per_symbol, code_rate, target_bler=target_bler)
    low, high = -1.0, 10.0 + 10.0 * error_std_db
    while high - low > 1e-3:
        middle = (low + high) / 2.0
        drawn_db = at_target + middle + error_std_db * nodes
        mean = weights @ bler.bler(drawn_db, bits_per_symbol, code_rate) / weights.sum()
        low, high = (middle, high) if mean > target_bler else (low, middle)
    return high


def _highest(
    sinr_db: npt.ArrayLike, schemes: Schemes, target_bler: float, block_bit: float
) -> IntArray:
    thresholds = _thresholds(schemes, target_bler, block_bit)
    met = np.asarray(sinr_db, dtype=np.float64)[..., None] >= thresholds
    best = np.argmax(np.where(met, schemes.efficiency, -1.0), axis=-1) + schemes.first_index
    return np.where(met.any(axis=-1), best, schemes.first_index - 1)


@cache
def _thresholds(schemes: Schemes, target_bler: float, block_bit: float) -> FloatArray:
    return np.array([
        bler.required_sinr_db(int(q), float(r), target_bler=target_bler, block_bit=block_bit)
        for q, r in zip(schemes.bits_per_symbol, schemes.code_rate, strict=True)
    ])  # fmt: skip


@cache
def _curve(table: McsTable, target_bler: float, branches: float | None) -> FloatArray:
    schemes = mcs_table(table)
    best = np.zeros(len(_GRID_DB))
    for index, (bits, code_rate) in enumerate(
        zip(schemes.bits_per_symbol.tolist(), schemes.code_rate.tolist(), strict=True)
    ):
        sent = harq.outcome(_GRID_DB, bits, code_rate, block_bit=BLOCK_BIT)
        allowed = (sent.failure_frac[0] <= target_bler) | (index == 0)
        best = np.maximum(best, np.where(allowed, bits * code_rate * sent.goodput_frac, 0.0))
    return best if branches is None else _faded(best, branches)


def _faded(still: FloatArray, branches: float) -> FloatArray:
    """Mean of a curve over Gamma(m) gains of mean 1: on an axis in dB, a convolution."""
    gain_db = np.arange(-40.0, 15.001, _STEP_DB)
    gain = 10.0 ** (gain_db / 10.0)
    weight = np.exp(branches * (np.log(gain) - gain + 1.0))  # density of ln gain, up to a factor
    weight /= weight.sum()
    below, above = len(gain_db[gain_db < -_STEP_DB / 2.0]), len(gain_db[gain_db > _STEP_DB / 2.0])
    padded = np.pad(still, (below, above), mode="edge")
    return np.convolve(padded, weight[::-1], mode="valid")
