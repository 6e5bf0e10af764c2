"""Power of the terminals in the uplink: open loop with fractional compensation of the path loss."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray

MAX_POWER_DBM: Final = 23.0  # power class 3, TS 38.101-1 Table 6.2.1-1
P0_DBM: Final = -80.0  # per 180 kHz; typical of macro cells with alpha 0.8, set by each operator
ALPHA: Final = 0.8  # typical; the values allowed are 0, 0.4, 0.5, ..., 1 (TS 38.331 `Alpha`)
REFERENCE_HZ: Final = 180e3  # 2^mu M resource blocks of 15 kHz * 2^mu: M blocks of 180 kHz

_MIN_POWER_DBM: Final = -40.0  # minimum output power up to 20 MHz, TS 38.101-1 Table 6.3.1-1


def uplink_power_dbm(
    loss_db: npt.ArrayLike,
    bandwidth_hz: npt.ArrayLike,
    *,
    p0_dbm: float = P0_DBM,
    alpha: float = ALPHA,
    max_power_dbm: float = MAX_POWER_DBM,
) -> FloatArray:
    """Power of a terminal over the bandwidth that it is given.

    P = min(P_max, P0 + 10 lg(B / 180 kHz) + alpha PL) (TS 38.213 clause 7.1.1, without the terms
    for the transport format and the closed loop). With alpha 1 all terminals below P_max arrive
    with P0 per 180 kHz; below 1 those far away arrive weaker and disturb other cells less.
    [terminal]

    Args:
        loss_db: Path loss that the terminal measures, antennas included: -coupling gain.
        bandwidth_hz: Bandwidth of its grant. Scalar or [terminal]
        p0_dbm: Received power per 180 kHz aimed at with full compensation.
        alpha: Share of the path loss that is compensated, 0 to 1.
        max_power_dbm: Most that the terminal may send.
    """
    blocks_db = 10.0 * np.log10(np.asarray(bandwidth_hz, dtype=np.float64) / REFERENCE_HZ)
    wanted_dbm = p0_dbm + blocks_db + alpha * np.asarray(loss_db, dtype=np.float64)
    return np.asarray(np.clip(wanted_dbm, _MIN_POWER_DBM, max_power_dbm))


def uplink_power_w(
    loss_db: npt.ArrayLike,
    bandwidth_hz: npt.ArrayLike,
    *,
    p0_dbm: float = P0_DBM,
    alpha: float = ALPHA,
    max_power_dbm: float = MAX_POWER_DBM,
) -> FloatArray:
    """`uplink_power_dbm` in watts. [terminal]."""
    power_dbm = uplink_power_dbm(
        loss_db, bandwidth_hz, p0_dbm=p0_dbm, alpha=alpha, max_power_dbm=max_power_dbm
    )
    return np.asarray(10.0 ** (power_dbm / 10.0) / 1e3)


def headroom_bandwidth_hz(
    loss_db: npt.ArrayLike,
    *,
    p0_dbm: float = P0_DBM,
    alpha: float = ALPHA,
    max_power_dbm: float = MAX_POWER_DBM,
) -> FloatArray:
    """Bandwidth at which a terminal reaches its maximum power. [terminal].

    Where a grant is wider, its power per resource block falls: the power headroom of TS 38.213
    clause 7.7.1 is negative there.
    """
    spare_db = max_power_dbm - p0_dbm - alpha * np.asarray(loss_db, dtype=np.float64)
    return np.asarray(REFERENCE_HZ * 10.0 ** (spare_db / 10.0))
