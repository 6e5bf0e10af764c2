"""Where sites and users are: given places, regular grids, random layouts, files of places."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from tree6g.scenario.quantities import Described, Quantity

Coordinate = Annotated[Quantity, Field(ge=-1e6, le=1e6)]


class Position(Described):
    """A place on the ground, in metres from an origin of one's own choice."""

    x_m: Coordinate
    """East."""
    y_m: Coordinate
    """North."""


class Place(Described):
    """A site of a file of sites."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
    """Unique name."""
    x_m: Coordinate
    """East."""
    y_m: Coordinate
    """North."""
    height_m: Annotated[Quantity, Field(gt=0, le=150)] | None = None
    """Height of the antenna; None: that of the template."""
    sectors: Literal[1, 3] | None = None
    """Cells; None: those of the template."""
    bearing_deg: Quantity | None = None
    """Bearing of the first cell; None: that of the template."""


class Layout(Described):
    """Many sites like the one that is written under `sites`, their template."""

    kind: Literal["hexagonal", "poisson", "file"] = "hexagonal"
    """A hexagonal grid, places drawn at random (Poisson), or places of a file."""
    sites: Annotated[int, Field(ge=1, le=1000)] = 7
    """Sites: 1, 7, 19, 37, ... of a hexagonal grid; the expected number of a Poisson layout; not
    used with a file."""
    spacing_m: Annotated[Quantity, Field(ge=10, le=50_000)] = 500.0
    """Distance of neighbouring sites; a Poisson layout has one site per square of this side."""
    wrap_around: bool = True
    """Whether the area repeats on all sides, so that no cell is at a border; not with a file."""
    servers_at: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Numbers of the sites, from 1 in the middle on, that have the template's servers; empty: all
    have them."""
    day_curves_at: dict[str, tuple[Annotated[int, Field(ge=1)], ...]] = Field(default_factory=dict)
    """Rows of the packaged table `day_curves` with the numbers of the sites that follow them."""
    cell_power_w: tuple[Annotated[Quantity, Field(gt=0)], ...] = ()
    """Radiated power of each cell, site by site; empty: those of the template."""
    file: str | None = None
    """CSV with columns name, x_m, y_m (or lon, lat) and, if wanted, height_m, sectors, bearing_deg;
    or GeoJSON points with the same properties. Relative to the scenario's file."""
    places: tuple[Place, ...] = ()
    """What the file says, filled in when it is read."""


def _slots(value: str) -> str:
    if not re.fullmatch("[DSU]{1,40}|FDD", value):
        raise ValueError(
            f"expected slots D, S and U such as 'DDDSU', or 'FDD'; got {value!r}. One letter a slot"
        )
    return value


def _spacing(value: float) -> float:
    if value not in (15e3, 30e3, 60e3, 120e3):
        raise ValueError(f"expected 15, 30, 60 or 120 kHz; got {value / 1e3:g} kHz")
    return value


Subcarrier = Annotated[Quantity, AfterValidator(_spacing)]
SlotPattern = Annotated[str, AfterValidator(_slots)]
