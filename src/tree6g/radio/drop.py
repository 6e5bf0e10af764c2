"""Where the users of a cell are, and what they lose on the way."""

from __future__ import annotations

import numpy as np

from tree6g.radio.pathloss import (
    Environment,
    FloatArray,
    los_probability,
    pathloss_db,
    shadowing_std_db,
)

NEAREST_M = 10.0  # TR 38.901 gives no path loss below 10 m


def distance_m(uniform: FloatArray, radius_m: float) -> FloatArray:
    """Horizontal distances of users dropped evenly on a disc, at least 10 m from its centre.

    d = sqrt(d0^2 + u (r^2 - d0^2)) for u uniform on [0, 1). [user]
    """
    return np.sqrt(NEAREST_M**2 + uniform * (max(radius_m, NEAREST_M) ** 2 - NEAREST_M**2))


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
