"""A radio step of a whole network, stated in plain NumPy.

Positions -> coupling gain -> attachment -> SINR under the cells' load -> spectral efficiency ->
share of the cell. `step` takes the compiled kernel instead where that is installed and covers the
case; both agree to 0.001 dB.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tree6g.errors import ScenarioError
from tree6g.radio.antenna import PANEL, Antenna, gain_dbi
from tree6g.radio.building import Glass, penetration_db
from tree6g.radio.coupling import Surroundings, antenna_gain_dbi, site_loss_db
from tree6g.radio.drop import Terminals
from tree6g.radio.layout import Layout, nearest_copy_m
from tree6g.radio.link.shannon import DOWNLINK, LinkQuality
from tree6g.radio.pathloss import Environment, FloatArray, pathloss_db

IntArray = npt.NDArray[np.intp]

CHUNK: Final = 2048  # terminals at once: bounds the matrices over cells


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """Spectral efficiency as a staircase over SINR, as link adaptation by a table gives it.

    Attributes:
        threshold_db: Least SINR of each step, ascending; nothing is received below the first.
            [step]
        spectral_efficiency: Bits per second and hertz from there on. [step]
    """

    threshold_db: FloatArray
    spectral_efficiency: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """Cells that transmit, and how their links are modelled.

    Attributes:
        layout: Sites and cells.
        environment: See `pathloss`.
        frequency_hz: Carrier frequency.
        bandwidth_hz: Bandwidth that every cell uses.
        noise_w: Noise of a terminal over that bandwidth, noise figure included.
        power_w: Transmitted power of each cell; 0: switched off. [cell]
        load_frac: Share of time or of the band in which each cell transmits. [cell]
        surroundings: Fields that draw line of sight, effective height and shadowing; or `los` or
            `nlos`: all links alike, without shadowing.
        antenna: Antenna of all cells.
        flat: Whether the antenna's element counts across only, without column and tilt.
        adaptation: From SINR to spectral efficiency.
        time_frac: Share of time in this direction (TDD).
        glass: See `building.wall_loss_db`.
    """

    layout: Layout
    environment: Environment
    frequency_hz: float
    bandwidth_hz: float
    noise_w: float
    power_w: FloatArray
    load_frac: FloatArray
    surroundings: Surroundings | Literal["los", "nlos"]
    antenna: Antenna = PANEL
    flat: bool = False
    adaptation: Steps | LinkQuality = DOWNLINK
    time_frac: float = 1.0
    glass: Glass = "release-19"

    def __post_init__(self) -> None:
        """Check what cannot be computed with.

        Raises:
            ScenarioError: Powers or loads are not one for each cell, or no cell transmits.
        """
        cells = (self.layout.cells,)
        for name in ("power_w", "load_frac"):
            shape = np.shape(getattr(self, name))
            if shape != cells:
                raise ScenarioError(f"{name} needs one value for each of {cells[0]} cells: {shape}")
        if not np.any(self.power_w > 0.0):
            raise ScenarioError("no cell transmits: power_w is 0 everywhere; switch one on")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """What the terminals receive. Each [terminal].

    Attributes:
        serving: The cell that is received strongest.
        sinr_db: SINR while the cell transmits to the terminal.
        spectral_efficiency: Bits per second and hertz at that SINR.
        rate_bps: Rate when the cell divides its time evenly among its terminals.
    """

    serving: IntArray
    sinr_db: FloatArray
    spectral_efficiency: FloatArray
    rate_bps: FloatArray


def snapshot(network: Network, terminals: Terminals, loss_db: npt.ArrayLike = 0.0) -> Snapshot:
    """One full step, in chunks of terminals.

    SINR = P_s g_s / (N + sum over the other cells of l_c P_c g_c), with s the cell of greatest
    P_c g_c and l_c the other cells' load.

    Args:
        network: Cells.
        terminals: Terminals.
        loss_db: Further loss of a terminal on all its links. [terminal] or one number
    """
    further_db = np.broadcast_to(np.asarray(loss_db, dtype=np.float64), terminals.count)
    serving = np.empty(terminals.count, dtype=np.intp)
    sinr_db = np.empty(terminals.count)
    for start in range(0, terminals.count, CHUNK):
        part = np.arange(start, min(start + CHUNK, terminals.count))
        chosen = terminals.select(part)
        gain_db = coupling_gain_db(network, chosen) - further_db[part, None]
        serving[part], sinr_db[part] = attached(network, gain_db)
    return shared(network, serving, sinr_db, spectral_efficiency(network.adaptation, sinr_db))


def coupling_gain_db(network: Network, terminals: Terminals) -> FloatArray:
    """Gain between terminals and cells, antennas and walls included. [terminal, cell]."""
    layout = network.layout
    to_m = nearest_copy_m(layout, terminals.position_m)
    antenna_dbi = pattern_dbi(network, terminals, to_m)
    distance_m = np.hypot(to_m[..., 0], to_m[..., 1])
    if isinstance(network.surroundings, str):
        loss_db = pathloss_db(
            network.environment,
            distance_m,
            network.surroundings == "los",
            frequency_hz=network.frequency_hz,
            h_bs_m=layout.site_m[:, 2],
            h_ut_m=terminals.position_m[:, 2:],
        )
        loss_db = loss_db + wall_db(network, terminals)[:, None]
    else:
        loss_db = site_loss_db(
            np.random.default_rng(0),  # not drawn from: the fields give everything
            layout,
            terminals,
            distance_m,
            environment=network.environment,
            frequency_hz=network.frequency_hz,
            fields=network.surroundings,
            glass=network.glass,
        )
    return antenna_dbi - loss_db[:, layout.cell_site]


def pattern_dbi(network: Network, terminals: Terminals, to_m: FloatArray) -> FloatArray:
    """Gain of the cells' antennas towards the terminals. [terminal, cell]."""
    layout = network.layout
    if not network.flat:
        return antenna_gain_dbi(layout, terminals, to_m, network.antenna)
    azimuth = np.arctan2(to_m[..., 1], to_m[..., 0])[:, layout.cell_site] - layout.bearing_rad
    element = dataclasses.replace(network.antenna, elements=1, tilting="electrical")
    return gain_dbi(element, azimuth, np.full_like(azimuth, np.pi / 2.0), np.zeros(1))


def wall_db(network: Network, terminals: Terminals) -> FloatArray:
    """Loss of walls and cars. [terminal]."""
    return penetration_db(
        network.frequency_hz,
        indoor=terminals.indoor,
        indoor_distance_m=terminals.indoor_distance_m,
        high_loss=terminals.high_loss,
        in_car=terminals.in_car,
        normal=terminals.penetration_normal,
        low_wall="low-a" if network.environment == "sma" else "low",
        glass=network.glass,
    )


def attached(network: Network, gain_db: FloatArray) -> tuple[IntArray, FloatArray]:
    """Strongest cell of each terminal and SINR there. [terminal] each."""
    received_w = 10.0 ** (gain_db / 10.0) * network.power_w
    serving = np.argmax(received_w, axis=1)
    row = np.arange(len(serving))
    wanted_w = received_w[row, serving]
    received_w[row, serving] = 0.0  # subtracting it from the sum would lose digits
    return serving, 10.0 * np.log10(wanted_w / (network.noise_w + received_w @ network.load_frac))


def spectral_efficiency(adaptation: Steps | LinkQuality, sinr_db: FloatArray) -> FloatArray:
    """Bits per second and hertz at an SINR. [terminal]."""
    if isinstance(adaptation, LinkQuality):
        capped = 10.0 ** (np.minimum(sinr_db, adaptation.sinr_max_db) / 10.0)
        return np.where(
            sinr_db >= adaptation.sinr_min_db, adaptation.attenuation * np.log2(1.0 + capped), 0.0
        )
    step = np.searchsorted(adaptation.threshold_db, sinr_db, side="right")
    return np.concatenate([[0.0], adaptation.spectral_efficiency])[step]


def shared(
    network: Network, serving: IntArray, sinr_db: FloatArray, efficiency: FloatArray
) -> Snapshot:
    """Divide every cell's time evenly among its terminals: R = x B eta / n. [terminal]."""
    members = np.bincount(serving, minlength=network.layout.cells)
    return Snapshot(
        serving=serving,
        sinr_db=sinr_db,
        spectral_efficiency=efficiency,
        rate_bps=network.time_frac * network.bandwidth_hz * efficiency / members[serving],
    )
