"""Large-scale propagation after 3GPP TR 38.901: path loss, line of sight, shadowing.

Urban macro (`uma`), urban micro in street canyons (`umi`), rural macro (`rma`), indoor office
(`inh-mixed`, `inh-open`) and suburban macro (`sma`, Release 19), for 0.5 to 100 GHz (RMa up to
30 GHz, SMa up to 37 GHz). All functions take arrays of links and broadcast. What walls and cars
add stands in `building`.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Environment = Literal["uma", "umi", "rma", "inh-mixed", "inh-open", "sma"]

LIGHT_M_PER_S: Final = 3.0e8  # TR 38.901 clause 7.4.1 uses c = 3.0e8 m/s
EFFECTIVE_HEIGHT_M: Final = 1.0  # h_E of Table 7.4.1-1 (UMi, and UMa below 13 m)
NEAREST_M: Final = 10.0  # least horizontal distance of Table 7.4.1-1 (outdoor environments)
# Table 7.4.1-1: a + b lg d3D + 20 lg f before, a + 40 lg d3D + 20 lg f - e lg(...) after breakpoint
URBAN_LOS: Final = {"uma": (28.0, 22.0, 9.0), "umi": (32.4, 21.0, 9.5)}
# Table 7.4.1-1: a + b lg d3D + c lg f - e (h_UT - 1.5)
URBAN_NLOS: Final = {"uma": (13.54, 39.08, 20.0, 0.6), "umi": (22.4, 35.3, 21.3, 0.3)}
URBAN_LOS_RANGE_M: Final = {"uma": 63.0, "umi": 36.0}  # Table 7.4.2-1
# Table 7.4.1-1 with its default values: average height of buildings, width of streets
_BUILDING_M: Final = {"rma": (5.0, 20.0), "sma": (10.0, 10.0)}
# Table 7.4.2-1, SMa: height of buildings and share of the area, commercial and residential; trees
_CLUTTER_M: Final = 30.0
_COMMERCIAL: Final = (20.0, 0.02)
_RESIDENTIAL: Final = (8.0, 0.18)
_VEGETATION_HEIGHT_M: Final = 15.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shadowing:
    """Log-normal shadowing: standard deviations (Table 7.4.1-1), correlation distances (7.5-6).

    Attributes:
        los_db: With line of sight, before the breakpoint.
        far_db: With line of sight, beyond the breakpoint.
        nlos_db: Without line of sight.
        indoor_db: From outdoors into a building.
        los_m: Correlation distance with line of sight.
        nlos_m: Correlation distance without.
        indoor_m: Correlation distance inside buildings.
    """

    los_db: float
    far_db: float
    nlos_db: float
    indoor_db: float
    los_m: float
    nlos_m: float
    indoor_m: float


def _shadowing(stds: tuple[float, ...], distances: tuple[float, ...]) -> Shadowing:
    los_db, far_db, nlos_db, indoor_db = stds
    los_m, nlos_m, indoor_m = distances
    return Shadowing(
        los_db=los_db,
        far_db=far_db,
        nlos_db=nlos_db,
        indoor_db=indoor_db,
        los_m=los_m,
        nlos_m=nlos_m,
        indoor_m=indoor_m,
    )


# Correlation distances of all but SMa are from memory. An office has no outdoor-to-indoor links:
# its columns repeat the one without line of sight.
SHADOWING: Final[dict[Environment, Shadowing]] = {
    "uma": _shadowing((4.0, 4.0, 6.0, 7.0), (37.0, 50.0, 7.0)),
    "umi": _shadowing((4.0, 4.0, 7.82, 7.0), (10.0, 13.0, 7.0)),
    "rma": _shadowing((4.0, 6.0, 8.0, 8.0), (37.0, 120.0, 120.0)),
    "inh-mixed": _shadowing((3.0, 3.0, 8.03, 8.03), (10.0, 6.0, 6.0)),
    "inh-open": _shadowing((3.0, 3.0, 8.03, 8.03), (10.0, 6.0, 6.0)),
    "sma": _shadowing((4.0, 6.0, 8.0, 8.0), (40.0, 50.0, 50.0)),
}


def los_probability(
    environment: Environment,
    d2d_m: npt.ArrayLike,
    h_ut_m: npt.ArrayLike = 1.5,
    *,
    h_bs_m: npt.ArrayLike = 35.0,
    vegetation_frac: float = 0.0,
) -> FloatArray:
    """Probability of line of sight (TR 38.901 Table 7.4.2-1).

    UMi and UMa: p = 18/d + exp(-d/r) (1 - 18/d) beyond 18 m, r = 36 m (UMi) or 63 m (UMa); UMa
    times 1 + C' 5/4 (d/100)^3 exp(-d/150), C' = ((h - 13)/10)^1.5 for terminals above 13 m. RMa:
    exp(-(d - 10)/1000). Offices: exponentials of two pieces. SMa: exp(-d sum 1/k) over commercial
    and residential buildings and trees.

    Args:
        environment: See the module.
        d2d_m: Horizontal distance outdoors (d2D-out). [link]
        h_ut_m: Height of the terminal. [link]
        h_bs_m: Height of the base-station antenna (used by SMa alone). [link]
        vegetation_frac: Share of the area under trees (SMa: 0, 0.1 or 0.2).
    """
    d_m = np.asarray(d2d_m, dtype=np.float64)
    h_ut = np.asarray(h_ut_m, dtype=np.float64)
    if environment == "inh-mixed":
        middle = np.exp(-(np.maximum(d_m, 1.2) - 1.2) / 4.7)
        return np.where(d_m < 6.5, middle, 0.32 * np.exp(-(d_m - 6.5) / 32.6))
    if environment == "inh-open":
        near = np.exp(-(np.maximum(d_m, 5.0) - 5.0) / 70.8)
        return np.where(d_m <= 49.0, near, 0.54 * np.exp(-(d_m - 49.0) / 211.7))
    if environment == "rma":
        return np.exp(-(np.maximum(d_m, 10.0) - 10.0) / 1000.0)
    if environment == "sma":
        rate = _clutter_per_m(h_ut, np.asarray(h_bs_m, dtype=np.float64), vegetation_frac)
        return np.where(d_m <= 10.0, 1.0, np.exp(-d_m * rate))
    return _urban_los_probability(environment, d_m, h_ut)


def _urban_los_probability(
    environment: Environment, d2d_m: FloatArray, h_ut_m: FloatArray
) -> FloatArray:
    d_m = np.maximum(d2d_m, 18.0)
    near = 18.0 / d_m
    base = near + np.exp(-d_m / URBAN_LOS_RANGE_M[environment]) * (1.0 - near)
    if environment == "umi":
        return base
    return np.minimum(base * (1.0 + _lift(d_m, h_ut_m)), 1.0)


def _lift(d2d_m: FloatArray, h_ut_m: FloatArray) -> FloatArray:
    """C(d2D, h_UT) of Table 7.4.1-1 note 1 and Table 7.4.2-1: what height opens up in UMa."""
    high = np.clip((h_ut_m - 13.0) / 10.0, 0.0, 1.0) ** 1.5
    along = 1.25 * (d2d_m / 100.0) ** 3 * np.exp(-d2d_m / 150.0)
    return np.where(d2d_m > 18.0, high * along, 0.0)


def _clutter_per_m(h_ut_m: FloatArray, h_bs_m: FloatArray, vegetation_frac: float) -> FloatArray:
    """Sum of 1/k of Table 7.4.2-1 (SMa): how often clutter stands in the way per metre."""
    kinds = (_COMMERCIAL, _RESIDENTIAL, (_VEGETATION_HEIGHT_M, vegetation_frac))
    # Clutter below the terminal is in nobody's way (the table clips houses alone: its terminals
    # are lower than the rest), and a mast not above the terminal counts as 1 m above it.
    rate = np.zeros_like(h_ut_m)
    for height_m, share in kinds:
        rate = rate - np.log1p(-share) * np.maximum(height_m - h_ut_m, 0.0)
    return rate / (_CLUTTER_M * np.maximum(h_bs_m - h_ut_m, 1.0))


def effective_height_m(
    d2d_m: npt.ArrayLike, h_ut_m: npt.ArrayLike, uniform: npt.ArrayLike
) -> FloatArray:
    """Effective height h_E of the surroundings in UMa (TR 38.901 Table 7.4.1-1, note 1). [link].

    1 m with probability 1 / (1 + C(d2D, h_UT)), else one of 12, 15, ..., h_UT - 1.5 m, all alike.

    Args:
        d2d_m: Horizontal distance. [link]
        h_ut_m: Height of the terminal. [link]
        uniform: A draw from [0, 1) for each link.
    """
    d_m, h_ut = np.asarray(d2d_m, dtype=np.float64), np.asarray(h_ut_m, dtype=np.float64)
    u = np.asarray(uniform, dtype=np.float64)
    low = 1.0 / (1.0 + _lift(d_m, h_ut))
    steps = np.floor((h_ut - 13.5) / 3.0) + 1.0
    # What is left of a uniform draw above `low` is uniform again, and picks the step.
    rest = np.clip((u - low) / np.maximum(1.0 - low, 1e-12), 0.0, 1.0 - 1e-12)
    chosen = 12.0 + 3.0 * np.floor(rest * np.maximum(steps, 1.0))
    return np.where((u >= low) & (steps >= 1.0), chosen, EFFECTIVE_HEIGHT_M)


def breakpoint_m(
    environment: Environment,
    *,
    frequency_hz: float,
    h_bs_m: npt.ArrayLike,
    h_ut_m: npt.ArrayLike = 1.5,
    environment_height_m: npt.ArrayLike = EFFECTIVE_HEIGHT_M,
) -> FloatArray:
    """Horizontal distance at which the ground reflection steepens the loss (Table 7.4.1-1).

    UMa and UMi (note 1): 4 (h_BS - h_E)(h_UT - h_E) f / c; RMa and SMa (note 5):
    2 pi h_BS h_UT f / c. Infinite in offices, which have none. UMa is for masts of 25 m: with lower
    ones, surroundings of their height or more count as those of the street. [link]
    """
    h_bs, h_ut = np.asarray(h_bs_m, dtype=np.float64), np.asarray(h_ut_m, dtype=np.float64)
    if environment in ("uma", "umi"):
        h_e = np.asarray(environment_height_m, dtype=np.float64)
        h_e = np.where(h_e < h_bs, h_e, EFFECTIVE_HEIGHT_M)
        above_m2 = np.maximum(h_bs - h_e, 0.0) * np.maximum(h_ut - h_e, 0.0)
        return 4.0 * above_m2 * (frequency_hz / LIGHT_M_PER_S)
    if environment in ("rma", "sma"):
        return 2.0 * np.pi * h_bs * h_ut * (frequency_hz / LIGHT_M_PER_S)
    return np.full(np.broadcast_shapes(h_bs.shape, h_ut.shape), np.inf)


def pathloss_db(
    environment: Environment,
    d2d_m: npt.ArrayLike,
    los: npt.ArrayLike,
    *,
    frequency_hz: float,
    h_bs_m: npt.ArrayLike,
    h_ut_m: npt.ArrayLike = 1.5,
    environment_height_m: npt.ArrayLike = EFFECTIVE_HEIGHT_M,
) -> FloatArray:
    """Path loss without shadowing and walls (TR 38.901 Table 7.4.1-1).

    LOS: two slopes that meet at the breakpoint (`breakpoint_m`), offices one; NLOS: the greater of
    the LOS value and the NLOS line (SMa: the line alone, as printed). Valid for 10 m < d2D < 5 km
    (RMa with line of sight 10 km, offices 1 m < d3D < 150 m), 0.5 to 100 GHz (RMa 30, SMa 37),
    terminals of 1 to 22.5 m (RMa 10, SMa 14). Error against an independent implementation (Sionna
    2.2.0; UMa, UMi, RMa at 0.7 and 3.5 GHz): at most 0.01 dB.

    Args:
        environment: See the module; standard h_BS: UMa 25, UMi 10, RMa and SMa 35, offices 3 m.
        d2d_m: Horizontal distance, taken as at least 10 m outdoors; for terminals in buildings
            d2D-out + d2D-in. [link]
        los: Whether the link has line of sight. [link]
        frequency_hz: Carrier frequency.
        h_bs_m: Height of the base-station antenna. [link]
        h_ut_m: Height of the terminal. [link]
        environment_height_m: h_E of UMa (`effective_height_m`). [link]
    """
    h_bs, h_ut = np.asarray(h_bs_m, dtype=np.float64), np.asarray(h_ut_m, dtype=np.float64)
    least_m = 0.0 if environment in ("inh-mixed", "inh-open") else NEAREST_M
    d_m = np.maximum(np.asarray(d2d_m, dtype=np.float64), least_m)
    d3d_m = np.sqrt(d_m**2 + (h_bs - h_ut) ** 2)
    if environment in ("inh-mixed", "inh-open"):
        los_db, nlos_db = _office_db(np.maximum(d3d_m, 1.0), frequency_hz)
    else:
        break_m = breakpoint_m(
            environment,
            frequency_hz=frequency_hz,
            h_bs_m=h_bs,
            h_ut_m=h_ut,
            environment_height_m=environment_height_m,
        )
        if environment in ("uma", "umi"):
            los_db, nlos_db = _urban_db(environment, d_m, d3d_m, break_m, frequency_hz, h_bs, h_ut)
        else:
            los_db, nlos_db = _open_db(environment, d_m, d3d_m, break_m, frequency_hz, h_bs, h_ut)
    if environment != "sma":
        nlos_db = np.maximum(los_db, nlos_db)
    return np.where(np.asarray(los, dtype=bool), los_db, nlos_db)


def _office_db(d3d_m: FloatArray, frequency_hz: float) -> tuple[FloatArray, FloatArray]:
    f_lg, d_lg = np.log10(frequency_hz / 1e9), np.log10(d3d_m)
    return 32.4 + 17.3 * d_lg + 20.0 * f_lg, 17.3 + 38.3 * d_lg + 24.9 * f_lg


def _urban_db(
    environment: Environment,
    d2d_m: FloatArray,
    d3d_m: FloatArray,
    break_m: FloatArray,
    frequency_hz: float,
    h_bs: FloatArray,
    h_ut: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    f_lg, d_lg = np.log10(frequency_hz / 1e9), np.log10(d3d_m)
    a, b, e = URBAN_LOS[environment]
    far_db = 40.0 * d_lg - e * np.log10(break_m**2 + (h_bs - h_ut) ** 2)
    los_db = a + 20.0 * f_lg + np.where(d2d_m <= break_m, b * d_lg, far_db)
    a, b, c, e = URBAN_NLOS[environment]
    return los_db, a + b * d_lg + c * f_lg - e * (h_ut - 1.5)


def _open_db(
    environment: Environment,
    d2d_m: FloatArray,
    d3d_m: FloatArray,
    break_m: FloatArray,
    frequency_hz: float,
    h_bs: FloatArray,
    h_ut: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    h, width_m = _BUILDING_M[environment]
    # The breakpoint is a horizontal distance: taken in space it makes the two slopes meet.
    break3d_m = np.sqrt(break_m**2 + (h_bs - h_ut) ** 2)
    near_m = np.where(d2d_m <= break_m, d3d_m, break3d_m)
    near_db = (
        20.0 * np.log10(40.0 * np.pi * near_m * (frequency_hz / 1e9) / 3.0)
        + min(0.03 * h**1.72, 10.0) * np.log10(near_m)
        - min(0.044 * h**1.72, 14.77)
        + 0.002 * np.log10(h) * near_m
    )
    los_db = near_db + 40.0 * np.log10(d3d_m / near_m)
    nlos_db = (
        161.04
        - 7.1 * np.log10(width_m)
        + 7.5 * np.log10(h)
        - (24.37 - 3.7 * (h / h_bs) ** 2) * np.log10(h_bs)
        + (43.42 - 3.1 * np.log10(h_bs)) * (np.log10(d3d_m) - 3.0)
        + 20.0 * np.log10(frequency_hz / 1e9)
        - (3.2 * np.log10(11.75 * h_ut) ** 2 - 4.97)
    )
    return los_db, nlos_db


def shadowing_std_db(
    environment: Environment,
    los: npt.ArrayLike,
    *,
    indoor: npt.ArrayLike = False,
    beyond_breakpoint: npt.ArrayLike = False,
) -> FloatArray:
    """Standard deviation of log-normal shadowing (TR 38.901 Tables 7.4.1-1 and 7.5-6). [link].

    Args:
        environment: See the module.
        los: Whether the link has line of sight. [link]
        indoor: Whether the terminal is in a building and the base station is not. [link]
        beyond_breakpoint: RMa and SMa scatter more there, with line of sight. [link]
    """
    std = SHADOWING[environment]
    clear_db = np.where(np.asarray(beyond_breakpoint, dtype=bool), std.far_db, std.los_db)
    outside_db = np.where(np.asarray(los, dtype=bool), clear_db, std.nlos_db)
    return np.where(np.asarray(indoor, dtype=bool), std.indoor_db, outside_db)
