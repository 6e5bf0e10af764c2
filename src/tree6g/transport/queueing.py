"""Queues of transport links: how much longer messages take for the others on their way.

A message is many packets that take turns with those of others, so that a link is shared by all
messages on it: an M/G/1 queue with processor sharing. Of a link's rate C with load rho a message of
b bits takes on average

    b / C  (1 + n),   n = rho / (1 - rho)

whatever the distribution of sizes (Kleinrock, Queueing Systems 2, 1976, section 4.4). Valid for
Poisson arrivals of messages, in the long run, below about 95 % load. Close to 1 and above it there
is no long run: over a time T from an empty link the mean number of others is at most

    n = ( (rho - 1)^+ T / 2  +  2/3 sqrt(2 sigma^2 T / pi) ) / s,    sigma^2 = 2 rho s

with s the mean time of a message alone: the mean of the fluid backlog, and of the reflected
Brownian motion without drift (Harrison, Brownian Motion and Stochastic Flow Systems, 1985), both
for exponential sizes. The smaller of the two is taken. Against simulated links with loads of 0.5,
0.96, 1 and 1.3 over 400 messages' times the figure is at most twice the mean found and at least
0.8 of it. Real packet traffic is burstier than Poisson over seconds and smoother over hours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def others(
    load_frac: npt.ArrayLike, *, alone_s: npt.ArrayLike, horizon_s: npt.ArrayLike
) -> FloatArray:
    """Mean number of other messages on a link: what a message's time there grows by, in itself.

    Equation and validity: see the module.

    Args:
        load_frac: Offered load over the rate, not below 0. [link]
        alone_s: Time of a mean message on the empty link, above 0. [link]
        horizon_s: How long the load has lasted at most.

    >>> others([0.0, 0.5, 2.0], alone_s=1.0, horizon_s=1e6).round(0).tolist()
    [0.0, 1.0, 501064.0]
    """
    load = np.asarray(load_frac, dtype=np.float64)
    alone, horizon = np.asarray(alone_s, np.float64), np.asarray(horizon_s, np.float64)
    below = load < 1.0
    steady = np.where(below, load / np.where(below, 1.0 - load, 1.0), np.inf)
    fluid_s = 0.5 * np.maximum(load - 1.0, 0.0) * horizon
    spread_s = 2.0 / 3.0 * np.sqrt(4.0 * load * alone * horizon / np.pi)
    return np.minimum(steady, (fluid_s + spread_s) / alone)
