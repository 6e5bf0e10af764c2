"""Which servers are on: what a dispatch policy says that has a method `servers`.

A dispatch policy may also decide which servers are on. One that has `servers(report)` is asked at
the start of the run and every `server_period` of the scenario; it returns the nodes that are to be
on. All servers are always on under a policy without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping

from tree6g.engine.policies import Policy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """A server as it is.

    Attributes:
        node: Its name in the ledger.
        tier: `edge` or `cloud`.
        model: Model that it runs.
        state: `on`, `off`, `starting` or `stopping` (it ends what it has begun).
        running: Sequences in its batch.
        queued: Requests that wait there or are on their way.
        capacity: Sequences in its batch at most.
        start_s: Time from the order to the first request.
        start_j: Energy of that.
        failed: Whether it has failed.
    """

    node: str
    tier: str
    model: str
    state: str
    running: int
    queued: int
    capacity: int
    start_s: float
    start_j: float
    failed: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """What an operator sees when it decides.

    Attributes:
        t_s: Now.
        since_s: Time since it was asked last; 0 at the start.
        servers: All servers.
        asked_rps: Requests per second since then, by service and number of the site.
        up_bps: Harmonic mean of the terminals' rates in the uplink now, likewise; 0 without a link.
        down_bps: The same of the downlink.
    """

    t_s: float
    since_s: float
    servers: tuple[ServerReport, ...]
    asked_rps: Mapping[tuple[str, int], float]
    up_bps: Mapping[tuple[str, int], float]
    down_bps: Mapping[tuple[str, int], float]


ServerPolicy = Callable[[FleetReport], Collection[str]]


def server_policy(policy: Policy) -> ServerPolicy | None:
    """What a dispatch policy has to say of servers, None if it has nothing."""
    found: ServerPolicy | None = getattr(policy, "servers", None)
    return found
