"""The oracle of the kernel: every iteration by itself, in plain Python, with nothing clever.

Slow: some 10,000 iterations a second with a few sequences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.serving.plain_server import PlainServer
from tree6g.compute.serving.requests import FloatArray, Requests
from tree6g.compute.serving.result import Bins, Served
from tree6g.compute.serving.settings import EngineSettings


def serve_stepwise(
    replica: Replica,
    settings: EngineSettings,
    asked: Requests,
    *,
    until_s: float = math.inf,
    bin_s: float | None = None,
    gap_edges_s: FloatArray | None = None,
) -> Served:
    """Answer requests one iteration at a time; arguments and result of `serve`."""
    server = PlainServer(replica, settings, asked)
    while server.clock_s < until_s:
        server.arrive()
        work = server.schedule()
        if work:
            server.iterate(work)
        elif server.coming:
            server.clock_s = min(server.coming[0].arrival_s, until_s)
        elif math.isinf(until_s):
            break
        else:
            server.clock_s = until_s
    if server.clock_s > until_s:
        server.close()
    return _result(server, asked, bin_s, gap_edges_s)


def _result(
    server: PlainServer, asked: Requests, bin_s: float | None, edges_s: FloatArray | None
) -> Served:
    def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """A field of all requests as numbers. [request]."""
        return np.array([getattr(r, name) for r in server.all], dtype=np.float64)

    def whole(name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """A field of all requests as whole numbers. [request]."""
        return np.array([getattr(r, name) for r in server.all], dtype=np.int64)

    idle_j = server.r.idle_w * (server.clock_s - server.busy_s)
    edges = np.array([]) if edges_s is None else edges_s
    gaps = np.bincount(
        np.searchsorted(edges, server.gaps_s, side="right"), minlength=len(edges) + 1
    )
    return Served(
        requests=asked,
        outcome=whole("outcome"),
        scheduled_s=column("scheduled_s"),
        first_token_s=column("first_token_s"),
        finish_s=column("left_s"),
        produced_tok=whole("produced"),
        cached_tok=np.maximum(whole("cached"), 0),
        preemptions=whole("preemptions"),
        prefill_j=column("prefill_j"),
        decode_j=column("decode_j"),
        recompute_j=column("recompute_j"),
        iterations=server.iterations,
        passes=server.iterations,
        end_s=server.clock_s,
        busy_s=server.busy_s,
        energy_j=server.energy_j + idle_j,
        idle_j=idle_j,
        running_time_s=server.running_time_s,
        waiting_time_s=server.waiting_time_s,
        token_gap_edges_s=edges,
        token_gaps=gaps.astype(np.float64) if len(edges) else np.zeros(1),
        bins=None if bin_s is None else _binned(server, bin_s),
    )


def _binned(server: PlainServer, step: float) -> Bins:
    table = np.zeros((math.ceil(server.clock_s / step), 3))
    for start, length, prefill_j, decode_j in server.spent:
        for at, part_s in _parts(start, start + length, step, len(table)):
            table[at] += np.array([prefill_j, decode_j, length]) * (part_s / length)
    starts = step * np.arange(len(table))
    lasts = np.minimum(step, server.clock_s - starts)
    return Bins(
        step_s=step,
        prefill_j=table[:, 0],
        decode_j=table[:, 1],
        idle_j=server.r.idle_w * np.maximum(lasts - table[:, 2], 0.0),
        busy_s=table[:, 2],
    )


def _parts(start: float, end: float, step: float, count: int) -> Iterator[tuple[int, float]]:
    for at in range(int(start / step), min(int(end / step) + 1, count)):
        part = min(end, (at + 1) * step) - max(start, at * step)
        if part > 0.0:
            yield at, part
