"""Penetration into buildings and cars after 3GPP TR 38.901 clause 7.4.3."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray

Wall = Literal["low", "high", "low-a"]
Glass = Literal["release-14", "release-19"]

OBLIQUE_DB: Final = 5.0  # PL_npi: loss of the wall under non-perpendicular incidence
INSIDE_DB_PER_M: Final = 0.5  # Table 7.4.3-2: PL_in = 0.5 d2D-in
CAR_DB: Final = (9.0, 5.0)  # clause 7.4.3.2: mean and standard deviation, windows without metal
# Table 7.4.3-1: loss a + b f (f in GHz). The study of 7-24 GHz changed infrared-reflecting glass.
_MATERIAL: Final = {
    "glass": (2.0, 0.2),
    "concrete": (5.0, 4.0),
    "plywood": (1.03, 0.17),
    "release-14": (23.0, 0.3),
    "release-19": (25.4, 0.11),
}
_STD_DB: Final = {"low": 4.4, "high": 6.5, "low-a": 4.4}  # sigma_P of Table 7.4.3-2


def wall_loss_db(wall: Wall, frequency_hz: float, *, glass: Glass = "release-19") -> float:
    """Loss through the external wall, PL_tw (TR 38.901 equation 7.4-3).

    PL_tw = 5 - 10 lg sum p_i 10^(-L_i/10). `low`: 0.3 glass, 0.7 concrete; `high`: 0.7
    infrared-reflecting glass, 0.3 concrete; `low-a` (SMa): 0.3 glass, 0.7 plywood.
    """
    parts: dict[Wall, tuple[tuple[float, str], ...]] = {
        "low": ((0.3, "glass"), (0.7, "concrete")),
        "high": ((0.7, glass), (0.3, "concrete")),
        "low-a": ((0.3, "glass"), (0.7, "plywood")),
    }
    through = 0.0
    for share, material in parts[wall]:
        a, b = _MATERIAL[material]
        through += share * 10.0 ** (-(a + b * frequency_hz / 1e9) / 10.0)
    return OBLIQUE_DB - 10.0 * float(np.log10(through))


def penetration_db(
    frequency_hz: float,
    *,
    indoor: npt.ArrayLike,
    indoor_distance_m: npt.ArrayLike,
    high_loss: npt.ArrayLike,
    in_car: npt.ArrayLike,
    normal: npt.ArrayLike,
    low_wall: Literal["low", "low-a"] = "low",
    glass: Glass = "release-19",
) -> FloatArray:
    """Loss between the street and the terminal (TR 38.901 equations 7.4-2 and 7.4-4). [terminal].

    Buildings: PL_tw + 0.5 d2D-in + sigma_P z; cars: 9 + 5 z; 0 for terminals in the open.

    Args:
        frequency_hz: Carrier frequency; the standard's range is 0.5 to 100 GHz (cars 0.6 to 60).
        indoor: Whether the terminal is in a building. [terminal]
        indoor_distance_m: Way inside the building, d2D-in. [terminal]
        high_loss: Whether that building is of the high-loss kind. [terminal]
        in_car: Whether the terminal is in a car. [terminal]
        normal: A standard normal draw z of each terminal, the same for all its links.
        low_wall: Kind of the other buildings: `low`, or `low-a` in SMa.
        glass: Infrared-reflecting glass, 23 + 0.3 f up to Release 18 or 25.4 + 0.11 f dB.
    """
    z = np.asarray(normal, dtype=np.float64)
    inside_db = INSIDE_DB_PER_M * np.asarray(indoor_distance_m, dtype=np.float64)
    high = wall_loss_db("high", frequency_hz, glass=glass) + inside_db + _STD_DB["high"] * z
    low = wall_loss_db(low_wall, frequency_hz) + inside_db + _STD_DB[low_wall] * z
    building_db = np.where(np.asarray(high_loss, dtype=bool), high, low)
    mean_db, std_db = CAR_DB
    outside_db = np.where(np.asarray(in_car, dtype=bool), mean_db + std_db * z, 0.0)
    return np.where(np.asarray(indoor, dtype=bool), building_db, outside_db)
