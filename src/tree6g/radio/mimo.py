"""Gain of many antennas: beamforming, layers of one user, several users at once.

Closed forms for independent Rayleigh fading, after Marzetta, Larsson, Yang and Ngo, Fundamentals
of Massive MIMO (Cambridge, 2016), chapter 3, and Bjornson, Hoydis and Sanguinetti, Massive MIMO
Networks (Foundations and Trends 11(3-4), 2017): no channel matrix is drawn. Not covered: line of
sight between users in one direction, correlated antennas (fewer layers than these forms say),
hybrid analogue beams.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tree6g.errors import InfeasibleError
from tree6g.radio.pathloss import FloatArray

Precoding = Literal["zero-forcing", "maximum-ratio"]

MAX_LAYERS: Final = 12  # orthogonal DMRS ports of type 2, TS 38.211 clause 7.4.1.1
MAX_LAYERS_PER_USER: Final = 8  # downlink, TS 38.211 clause 7.3.1.3; 4 in the uplink


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layers:
    """Number of layers that serves most bits at once.

    Attributes:
        layers: Layers in use. [link]
        sinr_db: SINR of each of them. [link]
        efficiency: Bits per symbol of all of them together. [link]
    """

    layers: npt.NDArray[np.int64]
    sinr_db: FloatArray
    efficiency: FloatArray


def layer_sinr_db(
    sinr_db: npt.ArrayLike,
    layers: int,
    *,
    antennas: int,
    precoding: Precoding = "zero-forcing",
    csi_frac: float = 1.0,
) -> FloatArray:
    """SINR of each of several layers that share the power of an array.

    With S the SINR that one antenna with all the power would give, M antennas, K layers and a share
    c of the channel's variance known: zero-forcing gives c (M - K + 1) S/K / (1 + (1 - c) S
    (K-1)/K), maximum ratio c M S/K / (1 + S (K-1)/K). The signal is the mean of the post-processing
    gain, which is Gamma(M - K + 1) distributed (Gore, Heath and Paulraj, IEEE Commun. Lett. 6(11),
    2002); the ergodic rate lies between those with M - K (the bound of Marzetta et al. 2016, Table
    3.1) and with M - K + 1. Other cells' precoded signals arrive without array gain, so that
    interference stays as in S. [link]

    Args:
        sinr_db: SINR with one antenna; the array gain must not be in the coupling gain as well.
        layers: Layers K, 1 to M; to one user or to many.
        antennas: Antennas M that are steered one by one (TxRU).
        precoding: Zero-forcing nulls the other layers; maximum ratio only adds up the own.
        csi_frac: Share c of the channel's variance that is known, see `csi_frac`.

    Raises:
        InfeasibleError: More layers than antennas.
    """
    if not 1 <= layers <= antennas:
        raise InfeasibleError(
            f"expected 1 to {antennas} layers on {antennas} antennas; got {layers}. "
            "Use fewer layers or more antennas."
        )
    forcing = precoding == "zero-forcing"
    gain = csi_frac * (antennas - layers + 1 if forcing else antennas)
    if forcing and csi_frac == 1.0:  # the others are not heard
        return np.asarray(sinr_db, dtype=np.float64) + 10.0 * math.log10(gain / layers)
    single = 10.0 ** (np.asarray(sinr_db, dtype=np.float64) / 10.0)
    others = single * (layers - 1) / layers
    disturbance = 1.0 + others * (1.0 - csi_frac if forcing else 1.0)
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(gain * single / layers / disturbance))


def csi_frac(pilot_sinr_db: npt.ArrayLike, pilots: int) -> FloatArray:
    """Share of the channel's variance that an estimate from pilots holds.

    c = t x / (1 + t x) with t pilot symbols at SINR x, interference of other cells' pilots in the
    SINR (linear MMSE; Marzetta et al. 2016, eq. 3.8). [link]
    """
    energy = pilots * 10.0 ** (np.asarray(pilot_sinr_db, dtype=np.float64) / 10.0)
    return np.asarray(energy / (1.0 + energy))


def best_layers(
    sinr_db: npt.ArrayLike,
    *,
    antennas: int,
    most: int = MAX_LAYERS,
    efficiency: Callable[[FloatArray], FloatArray],
    precoding: Precoding = "zero-forcing",
    csi_frac: float = 1.0,
) -> Layers:
    """Number of layers with the highest sum of rates, users of equal SINR.

    With one layer every antenna adds power; each further layer takes a degree of freedom and a
    share of the power from the others. The fewest layers win a tie. [link]

    Args:
        sinr_db: SINR with one antenna.
        antennas: Antennas that are steered one by one.
        most: Most layers: users that wait, times their antennas; not above the antennas.
        efficiency: Bits per symbol at a SINR in dB, such as `adaptation.spectral_efficiency`.
        precoding: As in `layer_sinr_db`.
        csi_frac: As in `layer_sinr_db`.

    Raises:
        InfeasibleError: No antenna or no layer.
    """
    counts, each_db, sums = _by_count(sinr_db, antennas, most, efficiency, precoding, csi_frac)
    best = np.argmax(sums, axis=0)
    return Layers(
        layers=counts[best],
        sinr_db=np.take_along_axis(each_db, best[None], axis=0)[0],
        efficiency=np.take_along_axis(sums, best[None], axis=0)[0],
    )


def best_efficiency(
    sinr_db: npt.ArrayLike,
    *,
    antennas: int,
    most: int = MAX_LAYERS,
    efficiency: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    """`best_layers(...).efficiency` with zero-forcing and a channel that is known. [link]."""
    *_, sums = _by_count(sinr_db, antennas, most, efficiency, "zero-forcing", 1.0)
    return np.asarray(sums.max(axis=0))


def _by_count(
    sinr_db: npt.ArrayLike,
    antennas: int,
    most: int,
    efficiency: Callable[[FloatArray], FloatArray],
    precoding: Precoding,
    csi_frac: float,
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Numbers of layers; for each of them the SINR of a layer and the sum of the rates."""
    counts = np.arange(1, max(1, min(most, antennas)) + 1)
    each_db = np.stack([
        layer_sinr_db(sinr_db, int(k), antennas=antennas, precoding=precoding, csi_frac=csi_frac)
        for k in counts
    ])  # fmt: skip
    return counts, each_db, efficiency(each_db) * counts.reshape(-1, *(1,) * (each_db.ndim - 1))
