"""A fleet that starts and stops replicas by what waits.

At every arrival the controller looks at the replicas that are on:

- if more than `start_waiting` requests wait per replica that is on or starting, one more starts; it
  takes requests `start_s` later and draws `start_w` until then;
- a replica that has had nothing to do for `idle_s` since an arrival at which it was seen so stops;
  it draws `off_w`. `least` always stay on.

A replica that starts again has an empty prefix cache in reality; here it keeps its cache, which
favours scaling where prefixes are shared. A controller that looks on its own clock as well would
stop replicas a little sooner in quiet times.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tree6g.compute.serving.fleet import (
    Fleet,
    FleetServed,
    Rests,
    belongs,
    chooser,
    finished_s,
    together,
)
from tree6g.compute.serving.requests import FloatArray, IntArray, Requests
from tree6g.compute.serving.result import Bins, Served
from tree6g.compute.serving.state import ServerState
from tree6g.errors import DataError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """When replicas start and stop, and what that takes.

    Attributes:
        least: Replicas that are always on.
        start_waiting: Waiting requests per replica above which one more starts.
        idle_s: A replica stops after this time without work.
        start_s: From the order to the first request: boot, load the weights, capture graphs.
        start_w: Power of its accelerators meanwhile.
        off_w: Power of its accelerators when it is off: 0, or bare idle if only the engine stops.

    Raises:
        DataError: A number cannot be.
    """

    least: int = 1
    start_waiting: float = 4.0
    idle_s: float = 60.0
    start_s: float = 60.0
    start_w: float = 0.0
    off_w: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        least = {
            "least": 1,
            "start_waiting": 0,
            "idle_s": 0,
            "start_s": 0,
            "start_w": 0,
            "off_w": 0,
        }
        for name, low in least.items():
            if not low <= getattr(self, name) < math.inf:
                raise DataError(f"expected {name} from {low}; got {getattr(self, name)!r}.")


@dataclasses.dataclass(slots=True)
class _Power:
    """What a replica is doing: on, starting until, off since, empty since."""

    on: bool
    ready_s: float = 0.0
    off_since_s: float | None = None
    empty_since_s: float | None = 0.0
    off: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    starting: list[tuple[float, float]] = dataclasses.field(default_factory=list)


def serve_scaled(
    fleet: Fleet,
    scaling: Scaling,
    asked: Requests,
    *,
    session_id: IntArray | None = None,
    bin_s: float | None = None,
    gap_edges_s: FloatArray | None = None,
) -> FleetServed:
    """Serve all requests with a fleet of up to `fleet.count` replicas.

    Args:
        fleet: The replicas there can be, and their routing among those that are on.
        scaling: When they start and stop.
        asked: Requests.
        session_id: As for `serve_fleet`.
        bin_s: Width of bins of energy.
        gap_edges_s: Edges of the histogram of gaps between tokens.

    Raises:
        DataError: More replicas are to be on than there are.
    """
    if scaling.least > fleet.count:
        raise DataError(f"expected at most {fleet.count} replicas to stay on; got {scaling.least}.")
    servers = [
        ServerState(fleet.replica, fleet.settings, bin_s=bin_s, gap_edges_s=gap_edges_s)
        for _ in range(fleet.count)
    ]
    powers = [
        _Power(on=k < scaling.least, off_since_s=None if k < scaling.least else 0.0)
        for k in range(fleet.count)
    ]
    choose = chooser(fleet, servers, belongs(asked, session_id))
    went = np.empty(len(asked), dtype=np.int64)
    for row, arrival_s in enumerate(asked.arrival_s.tolist()):
        there = _look(scaling, servers, powers, arrival_s)
        went[row] = choose(row, arrival_s, there)
        servers[went[row]].submit(asked.where(slice(row, row + 1)))
        powers[went[row]].empty_since_s = None
    end_s = finished_s(servers)
    for server in servers:
        server.advance(end_s)
    rests = tuple(_rests(power, end_s) for power in powers)
    return _rested(together(asked, went, [s.served() for s in servers]), rests, fleet, scaling)


def _look(
    scaling: Scaling, servers: Sequence[ServerState], powers: Sequence[_Power], now_s: float
) -> list[int]:
    """Stop who is idle, start who is needed; returns who may take a request now."""
    for server in servers:
        server.advance(now_s)
    on = [k for k, power in enumerate(powers) if power.on]
    for k in reversed(on):
        if sum(power.on for power in powers) > scaling.least:
            _stop_if_idle(scaling, servers[k], powers[k], now_s)
    on = [k for k, power in enumerate(powers) if power.on]
    waiting = sum(servers[k].waiting for k in on)
    off = [k for k, power in enumerate(powers) if not power.on]
    if off and waiting > scaling.start_waiting * len(on):
        _start(scaling, powers[off[0]], now_s)
    return [k for k in on if powers[k].ready_s <= now_s]


def _stop_if_idle(scaling: Scaling, server: ServerState, power: _Power, now_s: float) -> None:
    """A replica without work stops once that has lasted."""
    if server.running or server.waiting or power.ready_s > now_s:
        power.empty_since_s = None
        return
    if power.empty_since_s is None:
        power.empty_since_s = now_s
    stop_s = max(power.empty_since_s, power.ready_s) + scaling.idle_s
    if stop_s <= now_s:
        power.on, power.off_since_s = False, stop_s


def _start(scaling: Scaling, power: _Power, now_s: float) -> None:
    if power.off_since_s is not None and power.off_since_s < now_s:
        power.off.append((power.off_since_s, now_s))
    power.on, power.off_since_s = True, None
    power.ready_s, power.empty_since_s = now_s + scaling.start_s, None
    power.starting.append((now_s, power.ready_s))


def _rests(power: _Power, end_s: float) -> Rests:
    """Intervals that are no ordinary ones, cut at the end."""
    off = [*power.off]
    if power.off_since_s is not None and power.off_since_s < end_s:
        off.append((power.off_since_s, end_s))
    starting = [(a, min(b, end_s)) for a, b in power.starting if a < end_s]
    return Rests(
        off_s=np.array(off, dtype=np.float64).reshape(-1, 2),
        starting_s=np.array(starting, dtype=np.float64).reshape(-1, 2),
    )


def _rested(
    done: FleetServed, rests: tuple[Rests, ...], fleet: Fleet, scaling: Scaling
) -> FleetServed:
    """Energy as if always on, less the idle power of time off or starting, plus its own."""
    idle_w, rest_j, saved_j = fleet.replica.idle_w, [], []
    servers = []
    for server, rest in zip(done.servers, rests, strict=True):
        off_s, starting_s = _length_s(rest.off_s), _length_s(rest.starting_s)
        rest_j.append(scaling.off_w * off_s + scaling.start_w * starting_s)
        saved_j.append(idle_w * (off_s + starting_s))
        servers.append(_without_idle(server, rest, saved_j[-1], rest_j[-1], idle_w))
    return dataclasses.replace(
        done,
        servers=tuple(servers),
        energy_j=math.fsum(server.energy_j for server in servers),
        idle_j=math.fsum(server.idle_j for server in servers),
        rests=rests,
        rest_j=math.fsum(rest_j),
    )


def _without_idle(
    server: Served, rest: Rests, saved_j: float, rest_j: float, idle_w: float
) -> Served:
    """A replica whose idle energy is that of the time when it was on; energy with its rest."""
    bins = server.bins
    if bins is not None:
        away_s = resting_s(rest.off_s, bins) + resting_s(rest.starting_s, bins)
        bins = dataclasses.replace(bins, idle_j=np.maximum(bins.idle_j - idle_w * away_s, 0.0))
    changed: dict[str, Any] = {"bins": bins, "idle_j": server.idle_j - saved_j}
    return dataclasses.replace(server, energy_j=server.energy_j - saved_j + rest_j, **changed)


def resting_s(intervals_s: FloatArray, bins: Bins) -> FloatArray:
    """Seconds of intervals in each bin. [bin]."""
    edges = bins.step_s * np.arange(len(bins.busy_s) + 1)
    inside = np.minimum(intervals_s[:, 1:], edges[1:]) - np.maximum(intervals_s[:, :1], edges[:-1])
    return np.asarray(np.maximum(inside, 0.0).sum(axis=0))


def _length_s(intervals_s: FloatArray) -> float:
    return float((intervals_s[:, 1] - intervals_s[:, 0]).sum())
