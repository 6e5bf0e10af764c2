"""Local optima of many links: one power after the other, from many starts at once."""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.optimise.interference.links import FloatArray, Links, per_joule

POINTS: Final = 33  # tried for each power
SWEEPS: Final = 45
ALL_OVER: Final = 3  # sweeps in which a power may go anywhere
SHRINK: Final = 0.6  # of the window about the present power, per sweep


def starts(links: Links, seed: int, random: int) -> FloatArray:
    """Where to begin: all full, each link alone, and at random. [start, link]."""
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(size=(random, links.count)) ** 2
    corners = np.concatenate([np.ones((1, links.count)), np.eye(links.count), drawn])
    return corners * links.power_limit_w


def climbed(links: Links, start_w: FloatArray) -> FloatArray:
    """Powers at which no single change of one power brings more. [start, link].

    G is smooth and the limits are separate, so such a point is stationary; it need not be global.
    A power is chosen from the whole range first, then from ever smaller windows about where it is.
    """
    power = start_w.copy()
    window = 1.0
    for sweep in range(SWEEPS):
        window *= 1.0 if sweep < ALL_OVER else SHRINK
        for link in range(links.count):
            _choose(links, power, link, window)
    return power


def _choose(links: Links, power: FloatArray, link: int, window: float) -> None:
    """The best of some values of one power at all starts, the present one among them."""
    limit, now = links.power_limit_w[link], power[:, link, np.newaxis]
    tried = np.linspace(-1.0, 1.0, POINTS) * window * limit
    values = np.clip(now + tried, 0.0, limit)
    points = np.repeat(power[:, np.newaxis], POINTS, axis=1)
    points[:, :, link] = values
    reached = per_joule(links, points.reshape(-1, links.count)).reshape(values.shape)
    best = np.argmax(reached, axis=1)
    power[:, link] = values[np.arange(len(power)), best]


def steepness(links: Links, power_w: FloatArray) -> float:
    """How far a point is from stationary: the gain that its slope still promises, as a share of G.

    The projected derivative times the limit, the greatest of all links, by central differences.
    """
    step = 1e-6 * np.maximum(links.power_limit_w, 1e-300)
    base = float(per_joule(links, power_w[np.newaxis])[0])
    worst = 0.0
    for link in range(links.count):
        up, down = power_w.copy(), power_w.copy()
        up[link] = min(power_w[link] + step[link], links.power_limit_w[link])
        down[link] = max(power_w[link] - step[link], 0.0)
        values = per_joule(links, np.stack([up, down])) - base
        gain = float(values.max())
        worst = max(worst, gain * 1e6 / max(base, 1e-300))
    return worst
