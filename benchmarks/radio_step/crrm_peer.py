"""The same steps by CRRM 2.0.2: `crrm_peer.py SOURCE OUT USERS`.

Steps in which all move are taken without its incremental update, which would only slow them down.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import CRRM
import numpy as np

SECTORS = 3


def simulator(data: np.lib.npyio.NpzFile, *, incremental: bool) -> CRRM.Simulator:
    """The same cells and users."""
    parameters = CRRM.Parameters(
        cell_locations=data["site_m"],
        ue_initial_locations=data["place_m"],
        n_sectors=SECTORS,
        pathloss_model_name="UMa",
        LOS=True,
        fc_GHz=3.5,
        bw_MHz=20.0,
        p_W=80.0,
        h_BS_default=25.0,
        h_UT_default=1.5,
        shadow_fading=True,
        smart_update=incremental,
    )
    result = CRRM.Simulator(parameters)
    result.g.sf_values_db = data["shadow_db"]
    result.g.antenna_gain.sector_angles += np.pi / 6.0  # sectors at 30, 150 and 270 degrees
    result.update()
    return result


def timed(sim: CRRM.Simulator, move: Callable[[int], None], steps: int) -> dict[str, object]:
    """CPU of every step, and what the last one found."""
    spent = []
    for number in range(steps):
        start = time.process_time()
        move(number)
        sim.update()
        spent.append(time.process_time() - start)
    return {
        "cpu_s": spent,
        "serving": sim.a.data,
        "sinr_db": 10.0 * np.log10(sim.sinr.data[:, 0]),
        "rate_bps": 1e6 * sim.tp.data[:, 0],
    }


def main(source: Path, out: Path, users: int) -> None:
    """Take the steps."""
    data = np.load(source / f"{users}.npz")
    walk_m, movers, stroll_m = data["walk_m"], data["movers"], data["stroll_m"]
    place_m = data["place_m"]

    sim = simulator(data, incremental=False)

    def every(number: int) -> None:
        place_m[:, :2] = walk_m[number]
        sim.set_ue_locations(slice(None), place_m)

    results = {"all": timed(sim, every, len(walk_m))}
    sim = simulator(data, incremental=True)
    sim.set_ue_locations(np.arange(users), place_m)
    sim.update()

    def some(number: int) -> None:
        place_m[movers[number], :2] = stroll_m[number]
        sim.set_ue_locations(movers[number], place_m[movers[number]])

    results["moved"] = timed(sim, some, len(movers))
    flat = {f"{case}_{k}": v for case, found in results.items() for k, v in found.items()}
    np.savez(out, **flat)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
