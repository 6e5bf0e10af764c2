"""Base-station antennas after 3GPP TR 38.901 clause 7.3: element, tilted vertical array."""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Antenna:
    """A column of equal elements on one port.

    Attributes:
        elements: Number of elements in the column.
        gain_dbi: Greatest gain of an element.
        beamwidth_deg: Half-power beamwidth of an element, across and upright; 0 for an
            element that radiates evenly.
        attenuation_db: Greatest attenuation beside and behind (SLA_V and A_max).
        spacing: Distance of elements in wavelengths.
        tilting: Whether a tilt is electrical (phases of the elements) or mechanical (the panel).
    """

    elements: int = 10
    gain_dbi: float = 8.0
    beamwidth_deg: float = 65.0
    attenuation_db: float = 30.0
    spacing: float = 0.5
    tilting: Literal["electrical", "mechanical"] = "electrical"


PANEL: Final = Antenna()  # TR 38.901 Tables 7.3-1 and 7.8-1: (M, N, P) = (10, 1, 1)
OMNI: Final = Antenna(elements=1, gain_dbi=0.0, beamwidth_deg=0.0)


def gain_dbi(
    antenna: Antenna,
    azimuth_rad: npt.ArrayLike,
    zenith_rad: npt.ArrayLike,
    tilt_rad: npt.ArrayLike,
) -> FloatArray:
    """Gain of element and array in a direction. [link].

    Electrical tilt points the array's phases below the horizon and leaves the elements upright;
    mechanical tilt turns both (TR 38.901 equations 7.1-7 and 7.1-8).

    Args:
        antenna: The antenna.
        azimuth_rad: Azimuth from the bearing. [link]
        zenith_rad: Angle from straight up (pi/2: horizon). [link]
        tilt_rad: Tilt, positive downwards. [link]
    """
    azimuth = np.asarray(azimuth_rad, dtype=np.float64)
    zenith = np.asarray(zenith_rad, dtype=np.float64)
    tilt = np.asarray(tilt_rad, dtype=np.float64)
    if antenna.tilting == "mechanical":
        azimuth, zenith = turned(azimuth, zenith, tilt)
        tilt = np.zeros(1)
    return element_dbi(antenna, azimuth, zenith) + array_db(antenna, zenith, tilt)


def element_dbi(antenna: Antenna, azimuth_rad: FloatArray, zenith_rad: FloatArray) -> FloatArray:
    """Gain of one element (TR 38.901 Table 7.3-1). [link].

    G - min(min(12 ((theta - 90)/65)^2, 30) + min(12 (phi/65)^2, 30), 30), angles in degrees.
    """
    if not antenna.beamwidth_deg:
        shape = np.broadcast_shapes(azimuth_rad.shape, zenith_rad.shape)
        return np.full(shape, antenna.gain_dbi)
    most_db, width_rad = antenna.attenuation_db, np.radians(antenna.beamwidth_deg)
    turns = np.rint(azimuth_rad / (2.0 * np.pi))
    across = azimuth_rad - 2.0 * np.pi * turns
    upright_db = np.minimum(12.0 * ((zenith_rad - np.pi / 2.0) / width_rad) ** 2, most_db)
    across_db = np.minimum(12.0 * (across / width_rad) ** 2, most_db)
    return antenna.gain_dbi - np.minimum(upright_db + across_db, most_db)


def array_db(antenna: Antenna, zenith_rad: FloatArray, tilt_rad: FloatArray) -> FloatArray:
    """Gain of the vertical array over one element (TR 38.901 equation 7.3-1). [link].

    |sum_m exp(j m psi)|^2 / M, psi = 2 pi s (cos(theta) - cos(theta_tilt)): 10 lg M in the
    direction of the tilt. Nulls are cut at -60 dB.
    """
    count = antenna.elements
    if count == 1:
        return np.zeros(np.broadcast_shapes(zenith_rad.shape, tilt_rad.shape))
    half = np.pi * antenna.spacing * (np.cos(zenith_rad) + np.sin(tilt_rad))
    below = np.sin(half)
    # sin(M x) / sin(x) tends to M where the denominator vanishes
    safe = np.where(np.abs(below) < 1e-9, 1.0, below)
    ratio = np.where(np.abs(below) < 1e-9, float(count), np.sin(count * half) / safe)
    return 10.0 * np.log10(np.maximum(ratio**2 / count, 1e-6))


def turned(
    azimuth_rad: FloatArray, zenith_rad: FloatArray, tilt_rad: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Azimuth and zenith angle seen by a panel turned downwards (TR 38.901 7.1-7, 7.1-8)."""
    along = np.sin(zenith_rad) * np.cos(azimuth_rad)
    up = np.cos(zenith_rad)
    cos_tilt, sin_tilt = np.cos(tilt_rad), np.sin(tilt_rad)
    zenith = np.arccos(np.clip(cos_tilt * up + sin_tilt * along, -1.0, 1.0))
    front = cos_tilt * along - sin_tilt * up
    return np.arctan2(np.sin(azimuth_rad) * np.sin(zenith_rad), front), zenith
