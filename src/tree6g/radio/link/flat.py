"""A network and its terminals as the kernel reads them: flat arrays, levels in powers of two."""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.radio import shadowing
from tree6g.radio.coupling import LOS_CORRELATION_M
from tree6g.radio.drop import Terminals
from tree6g.radio.link.shannon import LinkQuality
from tree6g.radio.link.snapshot import Network, wall_db
from tree6g.radio.pathloss import (
    LIGHT_M_PER_S,
    SHADOWING,
    URBAN_LOS,
    URBAN_LOS_RANGE_M,
    URBAN_NLOS,
    FloatArray,
)

F32Array = npt.NDArray[np.float32]
F64Array = npt.NDArray[np.float64]
I64Array = npt.NDArray[np.int64]

OCTAVE_DB: Final = 10.0 * float(np.log10(2.0))  # a factor of two


class Cells(NamedTuple):
    """A network as flat arrays, cells ordered by site. Levels in powers of two.

    Attributes:
        site: x, y, height. [site, 3]
        wrap: Translations. [copy, 2]
        first: First cell of each site, and the end. [site + 1]
        cell: Bearing, level of power and gain, load, tilt. [cell, 4]
        name: Number of the cell in the layout. [cell]
        urban: Path loss: LOS a, b, e; NLOS a, b, h; breakpoint per squared metre; 1 / range of
            sight in powers of two per metre; 1 in UMa, 0 in UMi. [9]
        panel: Elements, spacing, attenuation per squared radian, greatest attenuation. [4]
        noise: Noise power.
        sight: 0: none, 1: line of sight, 2: drawn from fields.
        flat: Whether only the pattern across counts.
        turn: Height of a floor; turns of the phase of successive waves by floor and by layer. [3]
        reach: Of the fields of sight, effective height, shadowing with sight and without: 1 /
            correlation distance and layer of a terminal outdoors, the same indoors. [4, 4]
        shadow: Standard deviations of shadowing with and without line of sight and indoors. [3]
        wave: Wave vectors in turns, by field. [4, wave, 2]
        phase: Cosine and negative sine of the phases, scaled. [4, site, 2, wave]
    """

    site: F64Array
    wrap: F64Array
    first: I64Array
    cell: F64Array
    name: I64Array
    urban: F32Array
    panel: F64Array
    noise: float
    sight: int
    flat: bool
    turn: F64Array
    reach: F64Array
    shadow: F64Array
    wave: F64Array
    phase: F32Array


class Users(NamedTuple):
    """Terminals that moved, or all, as flat arrays. Each [moved].

    Attributes:
        position: x, y, height. [moved, 3]
        indoor: Whether in a building.
        inside: Way inside the building.
        loss: Loss on all links, in powers of two.
    """

    position: F64Array
    indoor: npt.NDArray[np.bool_]
    inside: F64Array
    loss: F64Array


class Received(NamedTuple):
    """What comes out. Each [terminal]."""

    serving: I64Array
    sinr_db: F64Array
    efficiency: F64Array


class Adaptation(NamedTuple):
    """Staircase, or without steps attenuated Shannon capacity: share, least and greatest SINR."""

    threshold_db: F64Array
    efficiency: F64Array
    shannon: F64Array


def flat_users(network: Network, terminals: Terminals, loss_db: npt.ArrayLike) -> Users:
    """Terminals as arrays; walls and cars are looked at only where there are any."""
    loss = np.full(terminals.count, 1.0 / OCTAVE_DB) * np.asarray(loss_db, dtype=np.float64)
    if terminals.indoor.any() or terminals.in_car.any():
        loss += wall_db(network, terminals) / OCTAVE_DB
    return Users(
        position=np.ascontiguousarray(terminals.position_m, dtype=np.float64),
        indoor=np.ascontiguousarray(terminals.indoor),
        inside=np.ascontiguousarray(terminals.indoor_distance_m, dtype=np.float64),
        loss=loss,
    )


@functools.lru_cache(maxsize=4)
def flat_adaptation(network: Network) -> Adaptation:
    """Adaptation as arrays; of staircase and Shannon one is empty."""
    how = network.adaptation
    if isinstance(how, LinkQuality):
        shannon = np.array([how.attenuation, how.sinr_min_db, how.sinr_max_db])
        return Adaptation(threshold_db=np.empty(0), efficiency=np.empty(0), shannon=shannon)
    return Adaptation(
        threshold_db=np.ascontiguousarray(how.threshold_db, dtype=np.float64),
        efficiency=np.ascontiguousarray(how.spectral_efficiency, dtype=np.float64),
        shannon=np.array([0.0, 0.0, 0.0]),
    )


@functools.lru_cache(maxsize=4)
def flat_cells(network: Network) -> Cells:
    """A network as the kernel reads it; kept for the next step."""
    layout, antenna = network.layout, network.antenna
    name = np.argsort(layout.cell_site, kind="stable")
    shadow = SHADOWING[network.environment]
    sight_m = LOS_CORRELATION_M[network.environment]
    wave, phase, waves = _waves(network)
    drawn = not isinstance(network.surroundings, str)
    across = 12.0 / np.radians(antenna.beamwidth_deg) ** 2 if antenna.beamwidth_deg else 0.0
    return Cells(
        site=np.ascontiguousarray(layout.site_m, dtype=np.float64),
        wrap=np.ascontiguousarray(layout.wrap_m, dtype=np.float64),
        first=np.searchsorted(layout.cell_site[name], np.arange(layout.sites + 1)),
        cell=_cell_table(network)[name],
        name=name,
        urban=_urban(network),
        panel=np.array(
            [
                antenna.elements,
                antenna.spacing,
                across / OCTAVE_DB,
                antenna.attenuation_db / OCTAVE_DB,
            ]
        ),
        noise=float(network.noise_w),
        sight=2 if drawn else int(network.surroundings == "los"),
        flat=network.flat,
        turn=np.array([shadowing.FLOOR_M, 1.0 / waves, shadowing.LAYER_TURN]),
        reach=np.array(
            [
                [1.0 / sight_m, 0.0, 1.0 / sight_m, 0.0],
                [1.0 / sight_m, 0.0, 1.0 / sight_m, 0.0],
                [1.0 / shadow.los_m, 0.0, 1.0 / shadow.indoor_m, 2.0],
                [1.0 / shadow.nlos_m, 1.0, 1.0 / shadow.indoor_m, 2.0],
            ]
        ),
        shadow=np.array([shadow.los_db, shadow.nlos_db, shadow.indoor_db]) / OCTAVE_DB,
        wave=wave,
        phase=phase,
    )


def _cell_table(network: Network) -> FloatArray:
    """Bearing from -pi to pi, level of power and gain, load, tilt. [cell, 4]."""
    layout = network.layout
    bearing = (layout.bearing_rad + np.pi) % (2.0 * np.pi) - np.pi
    power = np.asarray(network.power_w, dtype=np.float64)
    on = np.log2(power, out=np.full_like(power, -1e4), where=power > 0.0)  # -1e4: switched off
    gain = network.antenna.gain_dbi / OCTAVE_DB
    return np.column_stack([bearing, on + gain, network.load_frac, layout.tilt_rad])


def _urban(network: Network) -> npt.NDArray[np.float32]:
    """Path loss of UMa and UMi over the binary logarithm of the squared distance."""
    kind: Final = network.environment
    if kind not in ("uma", "umi"):
        raise NotImplementedError
    decades = 0.5 * np.log10(2.0) / OCTAVE_DB  # of distance, from octaves of its square
    f_lg = np.log10(network.frequency_hz / 1e9)
    a, b, e = URBAN_LOS[kind]
    los = [(a + 20.0 * f_lg) / OCTAVE_DB, b * decades, 2.0 * e * decades]
    a, b, c, e = URBAN_NLOS[kind]
    nlos = [(a + c * f_lg) / OCTAVE_DB, b * decades, e / OCTAVE_DB]
    per_m = 4.0 * network.frequency_hz / LIGHT_M_PER_S
    reach = np.log2(np.e) / URBAN_LOS_RANGE_M[kind]
    return np.array([*los, *nlos, per_m, reach, float(kind == "uma")], dtype=np.float32)


def _waves(network: Network) -> tuple[FloatArray, F32Array, int]:
    """Waves and phases of all fields, padded to fours, and how many waves there are."""
    around = network.surroundings
    if isinstance(around, str):
        return np.zeros((4, 4, 2)), np.zeros((4, network.layout.sites, 2, 4), np.float32), 4
    fields = (around.los, around.height, around.shadow, around.shadow)
    waves = len(fields[0].wave)
    wave = np.stack([f.wave for f in fields]) / (2.0 * np.pi)
    phase = np.stack([f.phase_rad for f in fields])
    both = np.stack([np.cos(phase), -np.sin(phase)], axis=2) * np.sqrt(2.0 / waves)
    more = -waves % 4
    wave = np.pad(wave, [(0, 0), (0, more), (0, 0)])
    return wave, np.pad(both, [(0, 0)] * 3 + [(0, more)]).astype(np.float32), waves
