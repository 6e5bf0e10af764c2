"""Radio steps of the package: `ours.py SOURCE OUT USERS`.

The same as the peer computes, to 0.001 dB: UMa path loss of TR 38.901 with line of sight
everywhere, one shadowing value for each user, the element's pattern across (65 degrees, 30 dB,
8 dBi), attachment to the strongest of 57 cells, SINR with all cells at full load, Shannon's limit,
CQI and MCS by staircase, even shares of each cell. The case `full` has what the peer has not: line
of sight, effective height and shadowing per link from fields over the ground, walls, and a tilted
array of ten elements.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tree6g.radio import coupling
from tree6g.radio.antenna import PANEL
from tree6g.radio.drop import Terminals, outdoor
from tree6g.radio.layout import hexagonal
from tree6g.radio.link.snapshot import Network, Snapshot, Steps
from tree6g.radio.link.step import step, update

# The peer's staircase: CQI by SINR, MCS = 28/15 CQI of TS 38.214 Table 5.1.3.1-2.
THRESHOLD = [0.0, 0.647142616, 0.827942164, 1.24451461, 1.97242274, 3.09029543, 5.48276965]
THRESHOLD += [7.74461798, 12.6473635, 21.4783047, 29.3764965, 45.9198013, 77.8036551, 143.879858]
THRESHOLD += [307.609681, 855.066713]
EFFICIENCY = [0.2344, 0.3770, 0.8770, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.6094, 4.2129]
EFFICIENCY += [4.8164, 5.3320, 5.8906, 6.5703, 6.9141, 7.4063]


def network(**changes: object) -> Network:
    """57 cells of 80 W: UMa at 3.5 GHz over 20 MHz, everything with line of sight."""
    staircase = Steps(
        threshold_db=10.0 * np.log10(np.maximum(THRESHOLD, 1e-20)),
        spectral_efficiency=np.array(EFFICIENCY),
    )
    every = {
        "layout": hexagonal(2, 500.0, h_bs_m=25.0, wrap_around=False),
        "environment": "uma",
        "frequency_hz": 3.5e9,
        "bandwidth_hz": 20e6,
        "noise_w": 2e-20 * 20e6,
        "power_w": np.full(57, 80.0),
        "load_frac": np.ones(57),
        "surroundings": "los",
        "flat": True,
        "adaptation": staircase,
    }
    return Network(**(every | changes))


def timed(task: Callable[[int], Snapshot], steps: int) -> tuple[list[float], Snapshot]:
    """CPU of every step, and what the last one found."""
    spent = []
    for number in range(steps):
        start = time.process_time()
        last = task(number)
        np.log2(1.0 + 10.0 ** (0.1 * last.sinr_db))  # the peer computes Shannon's limit as well
        spent.append(time.process_time() - start)
    return spent, last


def main(source: Path, out: Path, users: int) -> None:
    """Take the same steps as the peer, and those of the full model."""
    data = np.load(source / f"{users}.npz")
    cells, shadow_db = network(), data["shadow_db"]
    terminals, walk_m = outdoor(data["place_m"]), data["walk_m"]
    movers, stroll_m = data["movers"], data["stroll_m"]

    def every(number: int) -> Snapshot:
        terminals.position_m[:, :2] = walk_m[number]
        return step(cells, terminals, shadow_db)

    def some(number: int) -> Snapshot:
        nonlocal state
        terminals.position_m[movers[number], :2] = stroll_m[number]
        state = update(cells, terminals, state, movers[number], shadow_db)
        return state

    state = step(cells, terminals, shadow_db)  # compiled, or read what was compiled
    results = {"all": timed(every, len(walk_m))}
    state = step(cells, terminals, shadow_db)
    results["moved"] = timed(some, len(movers))
    results["full"] = timed(full_task(data), len(walk_m))
    written = {f"{case}_cpu_s": spent for case, (spent, _) in results.items()}
    for case, (_, last) in results.items():
        written |= {f"{case}_{name}": getattr(last, name) for name in ("serving", "sinr_db")}
        written[f"{case}_rate_bps"] = last.rate_bps
    np.savez(out, **written)


def full_task(data: np.lib.npyio.NpzFile) -> Callable[[int], Snapshot]:
    """TR 38.901 as the standard has it: sight drawn, walls, shadowing per link, tilted array."""
    names = ("indoor", "indoor_distance_m", "high_loss", "in_car", "penetration_normal")
    place_m = np.column_stack([data["place_m"][:, :2], data["height_m"]])
    terminals = Terminals(position_m=place_m, **{name: data[name] for name in names})
    walk_m, grid = data["walk_m"], network().layout
    fields = coupling.surroundings(np.random.default_rng(1), grid)
    cells = network(layout=grid, surroundings=fields, antenna=PANEL, flat=False)

    def task(number: int) -> Snapshot:
        terminals.position_m[:, :2] = walk_m[number]
        return step(cells, terminals)

    return task


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
