"""Where the base stations stand: hexagonal grids, Poisson layouts, offices, given sites."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError
from tree6g.radio.pathloss import FloatArray

IntArray = npt.NDArray[np.intp]

DOWNTILT_RAD: Final = float(np.radians(12.0))  # TR 38.901 Table 7.8-1: theta_etilt = 102 degrees
OFFICE_TILT_RAD: Final = float(np.radians(20.0))  # TR 38.901 Table 7.8-1: 110 degrees
OFFICE_M: Final = (120.0, 50.0)  # TR 38.901 Figure 7.2-1
_FIRST_BEARING_RAD: Final = np.pi / 6.0  # 30, 150 and 270 degrees, TR 38.901 Table 7.8-1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Sites and their cells. Angles counter-clockwise from the x axis, tilt positive downwards.

    Attributes:
        site_m: x, y and height of the antenna. [site, 3]
        cell_site: Site of each cell. [cell]
        bearing_rad: Azimuth into which the cell points. [cell]
        tilt_rad: Downtilt. [cell]
        wrap_m: Translations under which the layout repeats, the first one zero; one row: no
            wrap-around. [copy, 2]
        spacing_m: Distance between neighbouring sites of a hexagonal grid, else 0.
        area_m: Corners x0, y0, x1, y1 of the area that terminals are dropped in; a hexagonal grid
            drops them in its hexagons.
    """

    site_m: FloatArray
    cell_site: IntArray
    bearing_rad: FloatArray
    tilt_rad: FloatArray
    wrap_m: FloatArray
    spacing_m: float = 0.0
    area_m: tuple[float, float, float, float]

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.site_m)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.cell_site)


def at(
    site_m: npt.ArrayLike,
    *,
    sectors: npt.ArrayLike = 3,
    tilt_rad: npt.ArrayLike = DOWNTILT_RAD,
    bearing_rad: npt.ArrayLike = _FIRST_BEARING_RAD,
    wrap_m: npt.ArrayLike = ((0.0, 0.0),),
    spacing_m: float = 0.0,
    area_m: tuple[float, float, float, float] | None = None,
) -> Layout:
    """Cells at given sites: the sectors of a site divide the circle evenly.

    Args:
        site_m: x, y and height of each site's antenna. [site, 3]
        sectors: Cells of each site; where there is one, give it an antenna that radiates evenly
            (`antenna.OMNI`), else it points one way. [site] or one number
        tilt_rad: Downtilt of each site's cells. [site] or one number
        bearing_rad: Bearing of the first cell of each site. [site] or one number
        wrap_m: Translations under which the layout repeats. [copy, 2]
        spacing_m: See `Layout`.
        area_m: See `Layout`; by default the rectangle around the sites.

    Raises:
        DataError: There is no site.
    """
    sites = np.asarray(site_m, dtype=np.float64).reshape(-1, 3)
    if not len(sites):
        raise DataError("Expected at least one site of x, y and height; got none. Add one.")
    count = np.broadcast_to(np.asarray(sectors, dtype=np.intp), len(sites))
    cell_site = np.repeat(np.arange(len(sites)), count)
    first = np.repeat(np.cumsum(count) - count, count)
    turn = (np.arange(len(cell_site)) - first) * (2.0 * np.pi / count[cell_site])
    bearing = np.broadcast_to(np.asarray(bearing_rad, dtype=np.float64), len(sites))
    tilt = np.broadcast_to(np.asarray(tilt_rad, dtype=np.float64), len(sites))
    (x0, y0), (x1, y1) = sites[:, :2].min(axis=0), sites[:, :2].max(axis=0)
    return Layout(
        site_m=sites,
        cell_site=cell_site,
        bearing_rad=bearing[cell_site] + turn,
        tilt_rad=tilt[cell_site],
        wrap_m=np.asarray(wrap_m, dtype=np.float64).reshape(-1, 2),
        spacing_m=spacing_m,
        area_m=area_m or (float(x0), float(y0), float(x1), float(y1)),
    )


def hexagonal(
    rings: int,
    isd_m: float,
    *,
    h_bs_m: float,
    sectors: int = 3,
    wrap_around: bool = True,
    tilt_rad: float = DOWNTILT_RAD,
) -> Layout:
    """A site and `rings` rings around it: 1, 7, 19, 37, ... sites of a hexagonal grid.

    The first of three sectors (30 degrees) points at a neighbouring site, so that a site's three
    cells are hexagons whose common corner it is (3GPP's figures, from memory; pointing between
    neighbours leaves the range of `calibrate.calibration`). Wrap-around repeats the
    cluster six times around itself (geographical distance, TR 38.901 Table 7.8-1).

    Args:
        rings: Rings of sites around the central one.
        isd_m: Distance between neighbouring sites.
        h_bs_m: Height of the antennas.
        sectors: Cells of a site.
        wrap_around: Whether the layout repeats without border.
        tilt_rad: Downtilt.
    """
    steps = range(-rings, rings + 1)
    axial = [(i, j) for i in steps for j in steps if abs(i + j) <= rings]
    xy_m = isd_m * np.asarray(axial, dtype=np.float64) @ _grid_basis()
    site_m = np.column_stack([xy_m, np.full(len(xy_m), h_bs_m)])
    wrap_m = np.zeros((1, 2))
    if wrap_around:
        # The cluster tiles the plane by (2n+1, -n) in grid steps and its turns by 60 degrees.
        tiles, (i, j) = [(0, 0)], (2 * rings + 1, -rings)
        for _ in range(6):
            tiles.append((i, j))
            i, j = -j, i + j
        wrap_m = isd_m * np.asarray(tiles, dtype=np.float64) @ _grid_basis()
    reach_m = isd_m / np.sqrt(3.0)
    (x0, y0), (x1, y1) = xy_m.min(axis=0) - reach_m, xy_m.max(axis=0) + reach_m
    return at(
        site_m,
        sectors=sectors,
        tilt_rad=tilt_rad,
        wrap_m=wrap_m,
        spacing_m=isd_m,
        area_m=(float(x0), float(y0), float(x1), float(y1)),
    )


def _grid_basis() -> FloatArray:
    """Unit steps of the grid, at 30 and 90 degrees."""
    angle = np.radians([30.0, 90.0])
    return np.column_stack([np.cos(angle), np.sin(angle)])


def poisson(
    rng: np.random.Generator,
    sites: float,
    side_m: float,
    *,
    h_bs_m: float,
    sectors: int = 3,
    tilt_rad: float = DOWNTILT_RAD,
    wrap_around: bool = True,
) -> Layout:
    """Sites of a homogeneous Poisson process in a square, at least one.

    Args:
        rng: Draws the number of sites, their places and their bearings.
        sites: Expected number of sites.
        side_m: Side of the square.
        h_bs_m: Height of the antennas.
        sectors: Cells of a site; each site turns its first one at random.
        tilt_rad: Downtilt.
        wrap_around: Whether the square repeats on all sides (a torus).
    """
    count = max(int(rng.poisson(sites)), 1)
    xy_m = rng.random((count, 2)) * side_m
    shifts = np.array([0.0, -side_m, side_m]) if wrap_around else np.zeros(1)
    wrap_m = np.stack(np.meshgrid(shifts, shifts), axis=-1).reshape(-1, 2)
    return at(
        np.column_stack([xy_m, np.full(count, h_bs_m)]),
        sectors=sectors,
        tilt_rad=tilt_rad,
        bearing_rad=rng.random(count) * 2.0 * np.pi,
        wrap_m=wrap_m,
        area_m=(0.0, 0.0, side_m, side_m),
    )


def indoor_office(
    *, h_bs_m: float = 3.0, sectors: int = 3, tilt_rad: float = OFFICE_TILT_RAD
) -> Layout:
    """Twelve sites 20 m apart under the ceiling of 120 m x 50 m (TR 38.901 Figure 7.2-1)."""
    x_m, y_m = np.meshgrid(np.arange(10.0, 111.0, 20.0), np.array([15.0, 35.0]))
    site_m = np.column_stack([x_m.ravel(), y_m.ravel(), np.full(x_m.size, h_bs_m)])
    length_m, width_m = OFFICE_M
    return at(site_m, sectors=sectors, tilt_rad=tilt_rad, area_m=(0.0, 0.0, length_m, width_m))


def nearest_copy_m(layout: Layout, position_m: npt.ArrayLike) -> FloatArray:
    """Vector from the nearest copy of each site to each terminal. [terminal, site, 2].

    Args:
        layout: Sites and translations under which they repeat.
        position_m: x and y (and height, unused) of each terminal. [terminal, 2 or 3]
    """
    position = np.asarray(position_m, dtype=np.float64)[:, :2]
    best = position[:, None, :] - layout.site_m[None, :, :2]
    if len(layout.wrap_m) == 1:
        return best - layout.wrap_m[0]
    away = best
    nearest2 = np.full(best.shape[:2], np.inf)
    for shift in layout.wrap_m:
        vector = away - shift
        distance2 = vector[..., 0] ** 2 + vector[..., 1] ** 2
        closer = distance2 < nearest2
        nearest2 = np.where(closer, distance2, nearest2)
        best = np.where(closer[..., None], vector, best)
    return best
