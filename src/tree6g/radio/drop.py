"""Where the terminals are: dropped over the cells, around a site, or placed by the caller."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import InfeasibleError
from tree6g.radio.layout import Layout, nearest_copy_m
from tree6g.radio.pathloss import (
    NEAREST_M,
    Environment,
    FloatArray,
    los_probability,
    pathloss_db,
    shadowing_std_db,
)

BoolArray = npt.NDArray[np.bool_]

GROUND_M: Final = 1.5  # TR 38.901 Table 7.2-1: height of a terminal outdoors and on the ground
FLOOR_M: Final = 3.0  # ITU-R M.2412 Table 5b, as TR 36.873: h_UT = 3 (n_fl - 1) + 1.5
DESK_M: Final = 1.0  # TR 38.901 Table 7.2-2
LEAST_DISTANCE_M: Final[dict[Environment, float]] = {  # Tables 7.2-1 to 7.2-5
    "uma": 35.0,
    "umi": 10.0,
    "rma": 35.0,
    "inh-mixed": 0.0,
    "inh-open": 0.0,
    "sma": 35.0,
}
INDOOR_FRAC: Final[dict[Environment, float]] = {  # Tables 7.2-1, 7.2-3 (RMa, from memory) and 7.2-5
    "uma": 0.8,
    "umi": 0.8,
    "rma": 0.5,
    "inh-mixed": 0.0,
    "inh-open": 0.0,
    "sma": 0.8,
}
HIGH_LOSS_FRAC: Final = 0.5  # TR 38.901 Table 7.8-1
RESIDENTIAL_FRAC: Final = 0.9  # TR 38.901 Table 7.2-5 (SMa)
DEEP_M: Final = 25.0  # clause 7.4.3.1: greatest distance inside UMa, UMi and commercial buildings
SHALLOW_M: Final = 10.0  # clause 7.4.3.1: RMa and residential buildings
_TRIALS: Final = 1000
_CHUNK: Final = 4096  # terminals at once


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terminals:
    """Terminals, their places and the buildings around them.

    Attributes:
        position_m: x, y and height. [terminal, 3]
        indoor: Whether the terminal is in a building and the base station is not. [terminal]
        indoor_distance_m: Way inside the building, 0 outdoors. [terminal]
        high_loss: Whether the building is of the high-loss kind. [terminal]
        in_car: Whether the terminal is in a car. [terminal]
        penetration_normal: Standard normal draw of the wall's (or car's) loss, one for all links of
            a terminal (TR 38.901 clause 7.4.3). [terminal]
    """

    position_m: FloatArray
    indoor: BoolArray
    indoor_distance_m: FloatArray
    high_loss: BoolArray
    in_car: BoolArray
    penetration_normal: FloatArray

    @property
    def count(self) -> int:
        """Number of terminals."""
        return len(self.position_m)

    def select(self, which: npt.ArrayLike) -> Terminals:
        """Some of the terminals, by index or mask."""
        pick = np.asarray(which)
        names = [f.name for f in dataclasses.fields(self)]
        return Terminals(**{name: getattr(self, name)[pick] for name in names})

    def moved(self, position_m: FloatArray) -> Terminals:
        """The same terminals at other places."""
        return dataclasses.replace(self, position_m=position_m)


def outdoor(position_m: npt.ArrayLike) -> Terminals:
    """Terminals in the open at given places. [terminal, 2 or 3]; height 1.5 m if there is none."""
    place = np.asarray(position_m, dtype=np.float64)
    count = len(place)
    if place.shape[1] == 2:
        place = np.column_stack([place, np.full(count, GROUND_M)])
    no = np.zeros(count, dtype=np.bool_)
    zero = np.zeros(count)
    return Terminals(
        position_m=place,
        indoor=no,
        indoor_distance_m=zero,
        high_loss=no,
        in_car=no,
        penetration_normal=zero,
    )


def place(
    rng: np.random.Generator,
    position_m: npt.ArrayLike,
    *,
    environment: Environment,
    indoor_frac: float | None = None,
    high_loss_frac: float = HIGH_LOSS_FRAC,
    outdoor_in_car: bool | None = None,
) -> Terminals:
    """Give terminals at known places their surroundings (TR 38.901 Tables 7.2-1 to 7.2-5).

    UMa, UMi: buildings of 4 to 8 floors, the terminal on any of them; SMa: residential (90 %, two
    floors, 10 m deep) or commercial (five floors, 25 m), terminals outdoors in cars; RMa: ground
    floor, outdoors in cars; offices: all at 1 m, never behind a wall.

    Args:
        rng: Draws, the same number for every terminal.
        position_m: x and y of the terminals. [terminal, 2]
        environment: See `pathloss`.
        indoor_frac: Share in buildings; by default the standard's for the environment.
        high_loss_frac: Share of the buildings with the high-loss wall (UMa and UMi).
        outdoor_in_car: Whether terminals outdoors are in cars; by default in RMa and SMa.
    """
    xy_m = np.asarray(position_m, dtype=np.float64)[:, :2]
    count = len(xy_m)
    share = INDOOR_FRAC[environment] if indoor_frac is None else indoor_frac
    u = rng.random((7, count))
    indoor = u[0] < share
    floors, depth_m = _buildings(environment, u[1])
    floor = np.where(indoor, np.floor(u[2] * floors), 0.0)
    ground_m = DESK_M if environment in ("inh-mixed", "inh-open") else GROUND_M
    urban = environment in ("uma", "umi")
    cars = environment in ("rma", "sma") if outdoor_in_car is None else outdoor_in_car
    return Terminals(
        position_m=np.column_stack([xy_m, ground_m + FLOOR_M * floor]),
        indoor=indoor,
        indoor_distance_m=np.where(indoor, np.minimum(u[3], u[4]) * depth_m, 0.0),
        high_loss=indoor & (u[5] < high_loss_frac) & urban,
        in_car=~indoor & cars,
        penetration_normal=rng.standard_normal(count),
    )


def _buildings(environment: Environment, uniform: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Floors and greatest distance inside of the building that each terminal would be in."""
    ones = np.ones_like(uniform)
    if environment == "sma":
        home = uniform < RESIDENTIAL_FRAC
        return np.where(home, 2.0, 5.0), np.where(home, SHALLOW_M, DEEP_M)
    if environment in ("uma", "umi"):
        return 4.0 + np.floor(5.0 * uniform), DEEP_M * ones
    return ones, SHALLOW_M * ones


def drop_terminals(
    rng: np.random.Generator,
    layout: Layout,
    count: int,
    *,
    environment: Environment,
    indoor_frac: float | None = None,
    high_loss_frac: float = HIGH_LOSS_FRAC,
    outdoor_in_car: bool | None = None,
    least_distance_m: float | None = None,
) -> Terminals:
    """Drop terminals evenly over the hexagons of a grid, or over the layout's area.

    Whoever would stand closer to a site than the least distance, measured outside its building,
    is dropped anew.

    Args:
        rng: Draws places and surroundings.
        layout: Sites.
        count: Number of terminals.
        environment: See `pathloss`.
        indoor_frac: See `place`.
        high_loss_frac: See `place`.
        outdoor_in_car: See `place`.
        least_distance_m: Least horizontal distance; by default the standard's.

    Raises:
        InfeasibleError: There is no such place.
    """
    terminals = place(
        rng,
        np.zeros((count, 2)),
        environment=environment,
        indoor_frac=indoor_frac,
        high_loss_frac=high_loss_frac,
        outdoor_in_car=outdoor_in_car,
    )
    least = LEAST_DISTANCE_M[environment] if least_distance_m is None else least_distance_m
    least_m = least + terminals.indoor_distance_m
    xy_m = np.empty((count, 2))
    left = np.arange(count)
    for _ in range(_TRIALS):
        trial_m = _anywhere(rng, layout, len(left))
        good = _nearest_m(layout, trial_m) >= least_m[left]
        xy_m[left[good]] = trial_m[good]
        left = left[~good]
        if not len(left):
            break
    else:
        raise InfeasibleError(
            f"Expected room for terminals at least {least:g} m from every site; found none for "
            f"{len(left)} of {count} terminals in {_TRIALS} trials. Give a larger area or a "
            "smaller least distance."
        )
    return terminals.moved(np.column_stack([xy_m, terminals.position_m[:, 2]]))


def _nearest_m(layout: Layout, position_m: FloatArray) -> FloatArray:
    """Horizontal distance to the nearest site, in chunks that bound the matrix. [terminal]."""
    nearest = np.empty(len(position_m))
    for start in range(0, len(position_m), _CHUNK):
        part = slice(start, start + _CHUNK)
        x_m, y_m = np.moveaxis(nearest_copy_m(layout, position_m[part]), -1, 0)
        nearest[part] = np.hypot(x_m, y_m).min(axis=1)
    return nearest


def _anywhere(rng: np.random.Generator, layout: Layout, count: int) -> FloatArray:
    """Places spread evenly over the hexagons around the sites, or over the area. [terminal, 2]."""
    if layout.spacing_m:
        # A rhombus of the grid has the area of a hexagon and tiles alike; the nearest of its four
        # corners is the hexagon's site.
        step = layout.spacing_m * np.column_stack([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
        turn = np.pi / 6.0
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        corner = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
        offset = rng.random((count, 1, 2)) - corner
        vector = offset @ (spin @ step).T
        nearest = np.argmin((vector**2).sum(axis=-1), axis=1)
        site = rng.integers(layout.sites, size=count)
        return layout.site_m[site, :2] + vector[np.arange(count), nearest]
    x0, y0, x1, y1 = layout.area_m
    return np.array([x0, y0]) + rng.random((count, 2)) * np.array([x1 - x0, y1 - y0])


def around(
    rng: np.random.Generator,
    centre_m: npt.ArrayLike,
    radius_m: float,
    count: int,
    *,
    environment: Environment,
    indoor_frac: float | None = None,
    high_loss_frac: float = HIGH_LOSS_FRAC,
    outdoor_in_car: bool | None = None,
    least_distance_m: float = NEAREST_M,
) -> Terminals:
    """Drop terminals evenly on a disc around a place, at least 10 m from it.

    Args:
        rng: Draws places and surroundings.
        centre_m: x and y of the centre. [2 or 3]
        radius_m: Radius of the disc.
        count: Number of terminals.
        environment: See `pathloss`.
        indoor_frac: See `place`.
        high_loss_frac: See `place`.
        outdoor_in_car: See `place`.
        least_distance_m: Radius of the hole in the middle.
    """
    d_m = _disc_distance_m(rng.random(count), radius_m, least_distance_m)
    angle = rng.random(count) * 2.0 * np.pi
    centre = np.asarray(centre_m, dtype=np.float64)[:2]
    xy_m = centre + d_m[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return place(
        rng,
        xy_m,
        environment=environment,
        indoor_frac=indoor_frac,
        high_loss_frac=high_loss_frac,
        outdoor_in_car=outdoor_in_car,
    )


def _disc_distance_m(uniform: FloatArray, radius_m: float, least_m: float) -> FloatArray:
    return np.sqrt(least_m**2 + uniform * (max(radius_m, least_m) ** 2 - least_m**2))


def distance_m(uniform: FloatArray, radius_m: float) -> FloatArray:
    """Horizontal distances of users dropped evenly on a disc, at least 10 m from its centre.

    d = sqrt(d0^2 + u (r^2 - d0^2)) for u uniform on [0, 1). [user]
    """
    return _disc_distance_m(uniform, radius_m, NEAREST_M)


def drop_loss_db(
    rng: np.random.Generator,
    users: int,
    *,
    environment: Environment,
    radius_m: float,
    frequency_hz: float,
    h_bs_m: float,
) -> FloatArray:
    """Path loss with shadowing of users dropped at random, outdoors, 1.5 m above ground.

    Line of sight and shadowing are drawn per user without correlation between neighbours. [user]
    """
    d_m = distance_m(rng.random(users), radius_m)
    los = rng.random(users) < los_probability(environment, d_m)
    shadow_db = rng.standard_normal(users) * shadowing_std_db(environment, los)
    loss = pathloss_db(environment, d_m, los, frequency_hz=frequency_hz, h_bs_m=h_bs_m)
    return loss + shadow_db
