"""A figure of servers over load: what was simulated, and the curves fitted to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tree6g.calibrate.result import Curve, Plot
from tree6g.optimise.servers.choice import Running
from tree6g.optimise.servers.pool import Option, Pool

STEPS = 101  # of a fitted line


def plot(settings: Sequence[Running]) -> Plot:
    """Power above idle of a server over its token rate, today and as the plan sets it up."""
    return Plot(
        name="servers-over-load",
        title="Power of a server above idle, over load",
        reads="A fuller batch shares the reading of weights, so power bends down with load. "
        "Crosses are simulations of the run's own requests, lines the curves fitted to them.",
        x_label="output tokens per second of a server",
        y_label="W above idle",
        curves=tuple(curve for running in settings for curve in _curves(running)),
    )


def _curves(running: Running) -> Iterator[Curve]:
    pool, chosen = running.pool, running.option
    yield from _pair(pool, pool.today, "today")
    if chosen is not None and chosen.setting != pool.today.setting:
        yield from _pair(pool, chosen, "plan")


def _pair(pool: Pool, option: Option, name: str) -> Iterator[Curve]:
    """Simulated points and the fitted line of a setting."""
    panel = f"{', '.join(pool.names)}: {pool.spec.model} on {pool.spec.accelerator}"
    rate_tps = np.array([point.rate_tps for point in option.points])
    active_w = np.array([point.active_w for point in option.points])
    line_tps = np.linspace(0.0, float(rate_tps.max()), STEPS)
    yield Curve(panel=panel, name=f"{name}, simulated", x=rate_tps, y=active_w, form="points")
    line_w = option.curve.active_w(line_tps)
    yield Curve(panel=panel, name=f"{name}, fitted", x=line_tps, y=line_w)
