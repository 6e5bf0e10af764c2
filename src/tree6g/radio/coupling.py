"""Coupling gain between every terminal and every cell, attachment, and geometry (SIR, SINR).

Path loss, line of sight, penetration and shadowing belong to the site; only the antenna pattern
differs between its cells. Large-scale fading alone: no fast fading.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tree6g.radio import shadowing
from tree6g.radio.antenna import PANEL, Antenna, gain_dbi
from tree6g.radio.building import Glass, penetration_db
from tree6g.radio.drop import BoolArray, Terminals
from tree6g.radio.layout import Layout, nearest_copy_m
from tree6g.radio.pathloss import (
    SHADOWING,
    Environment,
    FloatArray,
    breakpoint_m,
    effective_height_m,
    los_probability,
    pathloss_db,
    shadowing_std_db,
)

IntArray = npt.NDArray[np.intp]

# TR 38.901 Table 7.6.3.1-2: correlation distance of the line-of-sight state
# (all but SMa from memory)
LOS_CORRELATION_M: Final[dict[Environment, float]] = {
    "uma": 50.0,
    "umi": 50.0,
    "rma": 60.0,
    "inh-mixed": 10.0,
    "inh-open": 10.0,
    "sma": 50.0,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surroundings:
    """What stands in the way, as random fields over the ground, one of each kind per site."""

    los: shadowing.Field
    shadow: shadowing.Field
    height: shadowing.Field


def surroundings(rng: np.random.Generator, layout: Layout) -> Surroundings:
    """Draw the surroundings of a layout: kept, they give moving terminals consistent losses.

    They do not repeat with a layout that wraps around: who is put back at the other border meets
    other surroundings there.
    """
    los, shadow, height = (shadowing.field(rng, layout.sites) for _ in range(3))
    return Surroundings(los=los, shadow=shadow, height=height)


def coupling_gain_db(
    rng: np.random.Generator,
    layout: Layout,
    terminals: Terminals,
    *,
    environment: Environment,
    frequency_hz: float,
    antenna: Antenna | Sequence[Antenna] = PANEL,
    fields: Surroundings | Literal["independent"] | None = None,
    glass: Glass = "release-19",
) -> FloatArray:
    """Gain between each terminal and each cell, antennas included, shadowed. [terminal, cell].

    G = A(azimuth, zenith) - PL(d, LOS, h_E) - shadowing - penetration. Terminals radiate evenly
    (0 dBi). The probability of line of sight goes by the way outdoors, the loss by the whole way.

    Args:
        rng: Draws what `fields` does not give.
        layout: Sites and cells.
        terminals: Terminals.
        environment: See `pathloss`.
        frequency_hz: Carrier frequency.
        antenna: Antenna of all cells, or one of each. [cell]
        fields: Surroundings from `surroundings`, so that the result depends on places alone; drawn
            anew if None; `independent` draws every link by itself, which is faster and gives the
            same distribution of a drop.
        glass: See `building.wall_loss_db`.
    """
    to_m = nearest_copy_m(layout, terminals.position_m)  # [terminal, site, 2]
    loss_db = site_loss_db(
        rng,
        layout,
        terminals,
        np.hypot(to_m[..., 0], to_m[..., 1]),
        environment=environment,
        frequency_hz=frequency_hz,
        fields=surroundings(rng, layout) if fields is None else fields,
        glass=glass,
    )
    return antenna_gain_dbi(layout, terminals, to_m, antenna) - loss_db[:, layout.cell_site]


def antenna_gain_dbi(
    layout: Layout,
    terminals: Terminals,
    to_m: FloatArray,
    antenna: Antenna | Sequence[Antenna],
) -> FloatArray:
    """Gain of each cell's antenna towards each terminal. [terminal, cell].

    Args:
        layout: Sites and cells.
        terminals: Terminals.
        to_m: Vectors of `nearest_copy_m`. [terminal, site, 2]
        antenna: Antenna of all cells, or one of each. [cell]
    """
    below_m = layout.site_m[:, 2] - terminals.position_m[:, 2:]  # [terminal, site]
    zenith = np.pi / 2.0 + np.arctan2(below_m, np.hypot(to_m[..., 0], to_m[..., 1]))
    azimuth = np.arctan2(to_m[..., 1], to_m[..., 0])
    kinds = [antenna] * layout.cells if isinstance(antenna, Antenna) else list(antenna)
    result = np.empty((terminals.count, layout.cells))
    # Cells of a site that differ in their bearing alone share the angle of their array.
    alike: dict[tuple[int, float, Antenna], list[int]] = {}
    for cell, kind in enumerate(kinds):
        key = (int(layout.cell_site[cell]), float(layout.tilt_rad[cell]), kind)
        alike.setdefault(key, []).append(cell)
    for (site, tilt, kind), cells in alike.items():
        across = azimuth[:, site, None] - layout.bearing_rad[cells]
        result[:, cells] = gain_dbi(kind, across, zenith[:, site, None], np.array([tilt]))
    return result


def site_loss_db(
    rng: np.random.Generator,
    layout: Layout,
    terminals: Terminals,
    distance_m: FloatArray,
    *,
    environment: Environment,
    frequency_hz: float,
    fields: Surroundings | Literal["independent"],
    glass: Glass = "release-19",
) -> FloatArray:
    """Path loss, shadowing and penetration between terminals and sites. [terminal, site].

    Args:
        rng: Draws what `fields` does not give.
        layout: Sites.
        terminals: Terminals.
        distance_m: Horizontal distances. [terminal, site]
        environment: See `pathloss`.
        frequency_hz: Carrier frequency.
        fields: See `coupling_gain_db`.
        glass: See `building.wall_loss_db`.
    """
    h_bs, h_ut = layout.site_m[:, 2], terminals.position_m[:, 2:]
    outside_m = np.maximum(distance_m - terminals.indoor_distance_m[:, None], 0.0)
    draws = _Draws(rng=rng, fields=fields, terminals=terminals, sites=layout.sites)
    probability = los_probability(environment, outside_m, h_ut, h_bs_m=h_bs)
    los = draws.uniform("los", LOS_CORRELATION_M[environment]) < probability
    height_m: FloatArray = np.ones(1)
    if environment == "uma" and float(h_ut.max(initial=0.0)) > 13.0:
        uniform = draws.uniform("height", LOS_CORRELATION_M[environment])
        height_m = effective_height_m(distance_m, h_ut, uniform)
    loss_db = pathloss_db(
        environment,
        distance_m,
        los,
        frequency_hz=frequency_hz,
        h_bs_m=h_bs,
        h_ut_m=h_ut,
        environment_height_m=height_m,
    )
    beyond = np.zeros(1, dtype=np.bool_)
    if SHADOWING[environment].far_db != SHADOWING[environment].los_db:
        beyond = distance_m > breakpoint_m(
            environment, frequency_hz=frequency_hz, h_bs_m=h_bs, h_ut_m=h_ut
        )
    loss_db += draws.shadow_db(environment, los, beyond)
    through_db = penetration_db(
        frequency_hz,
        indoor=terminals.indoor,
        indoor_distance_m=terminals.indoor_distance_m,
        high_loss=terminals.high_loss,
        in_car=terminals.in_car,
        normal=terminals.penetration_normal,
        low_wall="low-a" if environment == "sma" else "low",
        glass=glass,
    )
    return loss_db + through_db[:, None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Draws:
    """Random numbers of links: of the place if there are fields, else of the link alone."""

    rng: np.random.Generator
    fields: Surroundings | Literal["independent"]
    terminals: Terminals
    sites: int

    def normal(
        self, kind: str, correlation_m: npt.ArrayLike, layer: npt.ArrayLike = 0
    ) -> FloatArray:
        """Standard normal numbers, correlated over the ground. [terminal, site]."""
        if isinstance(self.fields, str):
            return self.rng.standard_normal((self.terminals.count, self.sites))
        field: shadowing.Field = getattr(self.fields, kind)
        return shadowing.normal(field, self.terminals.position_m, correlation_m, layer=layer)

    def shadow_db(self, environment: Environment, los: BoolArray, beyond: BoolArray) -> FloatArray:
        """Shadowing in dB with the spread of TR 38.901. [terminal, site]."""
        indoor = self.terminals.indoor[:, None]
        std_db = shadowing_std_db(environment, los, indoor=indoor, beyond_breakpoint=beyond)
        scale = SHADOWING[environment]
        outdoor_m = np.where(los, scale.los_m, scale.nlos_m)
        layer = np.where(indoor, 2, np.where(los, 0, 1))
        return std_db * self.normal("shadow", np.where(indoor, scale.indoor_m, outdoor_m), layer)

    def uniform(self, kind: str, correlation_m: float) -> FloatArray:
        """Uniform numbers in (0, 1), correlated over the ground. [terminal, site]."""
        if isinstance(self.fields, str):
            return self.rng.random((self.terminals.count, self.sites))
        return shadowing.uniform(self.normal(kind, correlation_m))


def strongest_cell(gain_db: FloatArray) -> IntArray:
    """Cell with the greatest gain, without handover margin. [terminal]."""
    return np.argmax(gain_db, axis=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Geometry:
    """What a terminal receives when all cells send with full power. Each [terminal]."""

    coupling_gain_db: FloatArray
    sir_db: FloatArray
    sinr_db: FloatArray


def geometry(
    gain_db: FloatArray, serving: npt.ArrayLike, *, power_w: npt.ArrayLike, noise_w: float
) -> Geometry:
    """Serving gain, SIR (infinite without another cell) and SINR with all cells at full power.

    Args:
        gain_db: Coupling gains. [terminal, cell]
        serving: Serving cell of each terminal. [terminal]
        power_w: Transmitted power. [cell] or one number
        noise_w: Noise over the same bandwidth, noise figure included.
    """
    row = np.arange(len(gain_db))
    cell = np.asarray(serving, dtype=np.intp)
    received_w = 10.0 ** (gain_db / 10.0) * np.asarray(power_w, dtype=np.float64)
    wanted_w = received_w[row, cell]
    received_w[row, cell] = 0.0  # subtracting it from the sum would lose digits
    others_w = received_w.sum(axis=1)
    with np.errstate(divide="ignore"):  # without another cell the SIR is infinite
        sir_db = 10.0 * np.log10(wanted_w / others_w)
    return Geometry(
        coupling_gain_db=gain_db[row, cell],
        sir_db=sir_db,
        sinr_db=10.0 * np.log10(wanted_w / (others_w + noise_w)),
    )
