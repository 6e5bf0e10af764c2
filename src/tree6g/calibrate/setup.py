"""Set-ups of 3GPP's large-scale calibration and the curves that our models give for them.

TR 38.901 Table 7.8-1: 19 sites in a hexagonal grid with geographical wrap-around (an office has
12), three cells each at 30, 150 and 270 degrees, columns of 10 elements on one port with electrical
downtilt (102 degrees from zenith, offices 110), terminals with 0 dBi and a noise figure of 9 dB, no
fast fading, attachment to the strongest cell without margin, half of the buildings with high loss.
Table 7.8-1A (Release 19) adds 7 GHz and SMa with mechanical downtilt. The tables were read in
public implementations that quote them, not in the reports themselves.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio import coupling, layout
from tree6g.radio.antenna import PANEL, Antenna
from tree6g.radio.building import Glass
from tree6g.radio.drop import drop_terminals
from tree6g.radio.layout import Layout
from tree6g.radio.link.shannon import NOISE_DBM_PER_HZ, TERMINAL_NOISE_FIGURE_DB
from tree6g.radio.pathloss import Environment, FloatArray

METRICS: Final = ("coupling_gain_db", "sir_db", "sinr_db")
NAME: Final = re.compile(
    r"(?P<kind>uma|umi|indoor|inh|sma)\D*(?P<ghz>\d+(?:\.\d+)?) ?ghz(?:\D*(?P<isd>\d{3,4})\D*)?",
    re.IGNORECASE,
)
TERMINALS_PER_CELL: Final = 40
RINGS: Final = 2
# Power in dBm: up to 7 GHz; above (Table 7.8-1; SMa: Table 7.8-1A)
_POWER_DBM: Final[dict[Environment, tuple[float, float]]] = {
    "uma": (49.0, 35.0),
    "umi": (44.0, 35.0),
    "inh-open": (24.0, 24.0),
    "sma": (49.0, 49.0),
}
_ENVIRONMENT: Final[dict[str, Environment]] = {
    "uma": "uma",
    "umi": "umi",
    "indoor": "inh-open",
    "inh": "inh-open",
    "sma": "sma",
}
_SITES_M: Final[dict[Environment, tuple[float, float]]] = {
    "uma": (500.0, 25.0),
    "umi": (200.0, 10.0),
    "sma": (1299.0, 35.0),
}  # ISD, h_BS
_SUBURBAN_TILT_RAD: Final = {
    1299.0: float(np.radians(5.0)),
    1732.0: float(np.radians(2.0)),
}  # Table 7.8-1A
_VALID_HZ: Final = (0.5e9, 100e9)  # TR 38.901 clause 1
_LOW_BAND_HZ: Final = 10e9  # Table 7.8-1 tells 6 GHz from 30 and 70 GHz


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """One scenario of the calibration.

    Attributes:
        name: As in the file.
        environment: Propagation.
        layout: Sites and cells.
        antenna: Antenna of all cells.
        frequency_hz: Carrier frequency.
        bandwidth_hz: Bandwidth of signal and noise.
        power_w: Transmitted power of a cell.
        glass: Infrared-reflecting glass of the time of the calibration.
    """

    name: str
    environment: Environment
    layout: Layout
    antenna: Antenna
    frequency_hz: float
    bandwidth_hz: float
    power_w: float
    glass: Glass

    @property
    def noise_w(self) -> float:
        """Thermal noise in a terminal."""
        level_dbm = NOISE_DBM_PER_HZ + TERMINAL_NOISE_FIGURE_DB
        return float(10.0 ** ((level_dbm - 30.0) / 10.0) * self.bandwidth_hz)


def setup(name: str, *, glass: Glass) -> Setup | None:
    """Set-up of a scenario by its name, such as UMi-30GHz, Indoor-6GHz or SMa-7GHz-1299m.

    None if the name is not of that form, the frequency not of 0.5 to 100 GHz, or the site distance
    of SMa not of the standard.
    """
    match = NAME.fullmatch(name.strip())
    if match is None:
        return None
    environment = _ENVIRONMENT[match["kind"].lower()]
    grid = _grid(environment, match["isd"])
    frequency_hz = 1e9 * float(match["ghz"])
    if grid is None or not _VALID_HZ[0] <= frequency_hz <= _VALID_HZ[1]:
        return None
    low = frequency_hz < _LOW_BAND_HZ
    power_dbm = _POWER_DBM[environment][0 if low else 1]
    mechanical = dataclasses.replace(PANEL, tilting="mechanical")
    return Setup(
        name=name,
        environment=environment,
        layout=grid,
        antenna=mechanical if environment == "sma" else PANEL,
        frequency_hz=frequency_hz,
        bandwidth_hz=20e6 if low else 100e6,
        power_w=float(10.0 ** ((power_dbm - 30.0) / 10.0)),
        glass=glass,
    )


def _grid(environment: Environment, written_m: str | None) -> Layout | None:
    """Sites, at the distance written in the name or at the standard's."""
    if environment == "inh-open":
        return layout.indoor_office()
    usual_m, h_bs_m = _SITES_M[environment]
    isd_m = float(written_m or usual_m)
    tilt_rad = _SUBURBAN_TILT_RAD.get(isd_m) if environment == "sma" else layout.DOWNTILT_RAD
    if tilt_rad is None:
        return None
    return layout.hexagonal(RINGS, isd_m, h_bs_m=h_bs_m, tilt_rad=tilt_rad)


def release_of(names: Sequence[str]) -> Glass:
    """Which glass a file of scenarios was calibrated with.

    7 GHz and SMa came with Release 19 (R1-2506406), whose companies also repeated 6 GHz; a file
    without them is taken for R1-165974, or an earlier one.
    """
    later = any(
        m and (m["kind"].lower() == "sma" or float(m["ghz"]) == 7.0) for m in map(_parts, names)
    )
    return "release-19" if later else "release-14"


def _parts(name: str) -> re.Match[str] | None:
    return NAME.fullmatch(name.strip())


def percentiles_db(
    case: Setup,
    rng: np.random.Generator,
    *,
    percent: npt.ArrayLike,
    drops: int,
    per_cell: int = TERMINALS_PER_CELL,
) -> FloatArray:
    """Percentiles of coupling gain, SIR and SINR: the mean over drops. [metric, percentile].

    Every link is drawn by itself: correlation between neighbours does not change the distribution.

    Args:
        case: Set-up.
        rng: Draws terminals and links.
        percent: Percentiles, 0 to 100. [percentile]
        drops: Number of drops.
        per_cell: Terminals dropped for each cell.
    """
    wanted = np.asarray(percent, dtype=np.float64)
    total = np.zeros((len(METRICS), wanted.size))
    for _ in range(drops):
        terminals = drop_terminals(
            rng, case.layout, per_cell * case.layout.cells, environment=case.environment
        )
        gain_db = coupling.coupling_gain_db(
            rng,
            case.layout,
            terminals,
            environment=case.environment,
            frequency_hz=case.frequency_hz,
            antenna=case.antenna,
            fields="independent",
            glass=case.glass,
        )
        heard = coupling.geometry(
            gain_db, coupling.strongest_cell(gain_db), power_w=case.power_w, noise_w=case.noise_w
        )
        total += [np.percentile(getattr(heard, metric), wanted) for metric in METRICS]
    return total / drops
