"""Where the users are in every step: 19 sites with three sectors, 500 m apart, no wrap-around."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tree6g.radio.drop import drop_terminals
from tree6g.radio.layout import Layout, hexagonal

STEPS = {570: 40, 5_700: 12, 57_000: 4}
MOVED_FRAC = 0.1
STRIDE_M = 10.0
SHADOWING_DB = 4.0  # one value for a user, as the peer draws it
LEAST_M = 35.0  # TR 38.901 Table 7.2-1


def main(folder: Path) -> None:
    """Write one file for each number of users."""
    folder.mkdir(parents=True)
    layout = hexagonal(2, 500.0, h_bs_m=25.0, wrap_around=False)
    for users, steps in STEPS.items():
        rng = np.random.default_rng(users)
        indoors = drop_terminals(rng, layout, users, environment="uma")
        place = np.column_stack([indoors.position_m[:, :2], np.full(users, 1.5)])
        movers = [rng.permutation(users)[: round(MOVED_FRAC * users)] for _ in range(steps)]
        np.savez(
            folder / f"{users}.npz",
            site_m=layout.site_m,
            place_m=place,
            shadow_db=rng.normal(0.0, SHADOWING_DB, users),
            walk_m=np.stack([walked(rng, layout, place, np.arange(users)) for _ in range(steps)]),
            movers=np.stack(movers),
            stroll_m=np.stack([walked(rng, layout, place, m) for m in movers]),
            height_m=indoors.position_m[:, 2],
            indoor=indoors.indoor,
            indoor_distance_m=indoors.indoor_distance_m,
            high_loss=indoors.high_loss,
            in_car=indoors.in_car,
            penetration_normal=indoors.penetration_normal,
        )


def walked(
    rng: np.random.Generator, layout: Layout, place_m: np.ndarray, users: np.ndarray
) -> np.ndarray:
    """New places x, y of some users near their old ones; who would come too near a site stays."""
    old = place_m[users, :2]
    new = old + rng.normal(0.0, STRIDE_M, old.shape)
    away = np.hypot(*(new[:, None, :] - layout.site_m[None, :, :2]).transpose(2, 0, 1))
    return np.where(away.min(axis=1)[:, None] >= LEAST_M, new, old)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
