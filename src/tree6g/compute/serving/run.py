"""A trace through one server."""

from __future__ import annotations

import math

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.serving.requests import FloatArray, Requests
from tree6g.compute.serving.result import Served
from tree6g.compute.serving.settings import EngineSettings
from tree6g.compute.serving.state import ServerState
from tree6g.compute.serving.stepwise import serve_stepwise


def serve(
    replica: Replica,
    settings: EngineSettings,
    asked: Requests,
    *,
    skip: bool = True,
    until_s: float = math.inf,
    bin_s: float | None = None,
    gap_edges_s: FloatArray | None = None,
) -> Served:
    """Answer requests on one server.

    Args:
        replica: Constants of an iteration.
        settings: Settings of the engine.
        asked: The requests.
        skip: Whether runs of iterations are taken at once; else the oracle counts every one.
        until_s: When to stop: iterations that have begun by then are counted whole.
        bin_s: Width of bins of energy.
        gap_edges_s: Rising edges of the histogram of gaps between tokens.

    Raises:
        InfeasibleError: The replica cannot work within its power limit.
        DataError: The cache holds no block, or the edges do not rise.
    """
    if not skip:
        return serve_stepwise(
            replica, settings, asked, until_s=until_s, bin_s=bin_s, gap_edges_s=gap_edges_s
        )
    server = ServerState(replica, settings, bin_s=bin_s, gap_edges_s=gap_edges_s)
    server.submit(asked)
    server.advance(until_s)
    return server.served()


def gap_edges_s(first_s: float = 1e-4, last_s: float = 1e3, per_decade: int = 40) -> FloatArray:
    """Edges for gaps between tokens, evenly spaced in their logarithm."""
    decades = math.log10(last_s / first_s)
    return np.geomspace(first_s, last_s, round(decades * per_decade) + 1)
