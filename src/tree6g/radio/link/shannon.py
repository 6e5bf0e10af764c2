"""From path loss to rate: thermal noise, SINR and attenuated Shannon capacity."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray

NOISE_DBM_PER_HZ: Final = -174.0  # thermal noise at 290 K
TERMINAL_NOISE_FIGURE_DB: Final = 9.0  # TR 38.901 Table 7.8-1
STATION_NOISE_FIGURE_DB: Final = 5.0  # TR 38.901 Table 7.8-1
TERMINAL_POWER_W: Final = 10.0 ** (23.0 / 10.0) / 1e3  # power class 3, 23 dBm, TS 38.101-1

LATENCY_S: Final = 4e-3  # one-way user-plane latency, ITU-R M.2410 requirement for eMBB


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkQuality:
    """Implementation loss of a link (TR 38.803 Table 5.2.7-1; same form as TR 36.942 Annex A).

    Attributes:
        attenuation: Share alpha of Shannon capacity that the modem reaches.
        sinr_min_db: Below this nothing is received.
        sinr_max_db: Above this the highest modulation and code rate is in use.
    """

    attenuation: float
    sinr_min_db: float
    sinr_max_db: float


# One layer, link adaptation included: a floor for massive MIMO, which sends several layers.
DOWNLINK: Final = LinkQuality(attenuation=0.6, sinr_min_db=-10.0, sinr_max_db=30.0)
UPLINK: Final = LinkQuality(attenuation=0.4, sinr_min_db=-10.0, sinr_max_db=22.0)


def sinr_db(
    loss_db: npt.ArrayLike,
    *,
    power_w: float,
    gain_dbi: float,
    bandwidth_hz: float,
    noise_figure_db: float,
    interference_margin_db: float = 0.0,
) -> FloatArray:
    """Ratio of received power to noise and interference over a bandwidth.

    SINR = P + G - L - (N0 + 10 lg B + NF + IM), all in dB. Other cells enter by a fixed rise of the
    noise floor, not by their momentary load.

    Args:
        loss_db: Path loss with shadowing. [link]
        power_w: Transmitted power, spread evenly over the bandwidth.
        gain_dbi: Gain of both antennas together.
        bandwidth_hz: Bandwidth that the transmission occupies.
        noise_figure_db: Noise figure of the receiver.
        interference_margin_db: Rise of the noise floor by other cells.
    """
    noise_dbm = NOISE_DBM_PER_HZ + 10.0 * np.log10(bandwidth_hz) + noise_figure_db
    received_dbm = 10.0 * np.log10(power_w * 1e3) + gain_dbi - np.asarray(loss_db, dtype=float)
    return received_dbm - noise_dbm - interference_margin_db


def rate_bps(
    sinr: npt.ArrayLike, bandwidth_hz: float, *, time_frac: float = 1.0, quality: LinkQuality
) -> FloatArray:
    """Rate of a user that has the whole bandwidth for a share of time.

    R = x B alpha log2(1 + min(SINR, SINR_max)), 0 below SINR_min (attenuated and truncated
    Shannon, TR 36.942 Annex A, TR 38.803 clause 5.2.7). One layer; overhead of reference signals
    and control is inside alpha. The standard states no error; it is meant for averages over fading.
    [link]

    Args:
        sinr: SINR in dB. [link]
        bandwidth_hz: Bandwidth B.
        time_frac: Share x of time in this direction (TDD).
        quality: Implementation loss, `DOWNLINK` or `UPLINK`.
    """
    ratio_db = np.asarray(sinr, dtype=np.float64)
    capped = 10.0 ** (np.minimum(ratio_db, quality.sinr_max_db) / 10.0)
    shannon = time_frac * bandwidth_hz * quality.attenuation * np.log2(1.0 + capped)
    return np.where(ratio_db >= quality.sinr_min_db, shannon, 0.0)
