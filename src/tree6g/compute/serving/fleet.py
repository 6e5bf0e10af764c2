"""Many replicas on one clock: who gets which request.

All replicas are alike and see their requests at the instant these arrive. Routing:

- `round_robin`: the next in turn. Each replica is then independent of the others, and simulated so.
- `session`: requests of one session (or, without sessions, of one prefix group) go where its first
  went, so that they find their prefix in the cache; the first of each goes where the least tokens
  wait, as do requests that belong to none.
- `least_loaded`: where the fewest prompt tokens wait for their first token, then the fewest
  sequences run.
- `shortest_queue`: where the fewest requests run and wait.
- `two_choices`: the shorter queue of two replicas drawn at random (Mitzenmacher, IEEE TPDS 12(10),
  2001).

Ties go to the replica with the lowest number. Before it decides, the router sees every replica as
it is at the arrival: runs of iterations stop there, and an iteration that has begun counts as done,
as its outcome is fixed. A router of a real cluster sees all this some milliseconds late.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from tree6g.compute.replica import Replica
from tree6g.compute.serving.requests import FloatArray, IntArray, Requests
from tree6g.compute.serving.result import SERVED, Served
from tree6g.compute.serving.settings import EngineSettings
from tree6g.compute.serving.state import ServerState
from tree6g.errors import DataError, nearest

Routing = Literal["round_robin", "session", "least_loaded", "shortest_queue", "two_choices"]
ROUTINGS: Final[tuple[str, ...]] = get_args(Routing)
NO_SESSION: Final = -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Replicas that are alike and share the requests.

    Attributes:
        replica: Constants of each.
        settings: Settings of each engine.
        count: How many.
        routing: Who gets a request, see the module.
        seed: Of the draws of `two_choices`.

    Raises:
        DataError: No replica, or no such routing.
    """

    replica: Replica
    settings: EngineSettings
    count: int = 1
    routing: str = "round_robin"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no fleet."""
        if self.count < 1:
            raise DataError(f"expected at least 1 replica; got {self.count}.")
        if self.routing not in ROUTINGS:
            raise DataError(
                f"expected a routing; got {self.routing!r}. {nearest(self.routing, ROUTINGS)}"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rests:
    """When a replica was off and when it was starting: intervals [interval, start and end]."""

    off_s: FloatArray
    starting_s: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetServed:
    """What a fleet did; arrays are [request] in the order of arrival, times nan as in `Served`.

    Attributes:
        requests: What was asked.
        replica: Who got each request.
        servers: What each replica did, all until the same `end_s`.
        outcome: As in `Served`.
        scheduled_s: Start of the first iteration with a part of the prompt.
        first_token_s: First token.
        finish_s: Last token, or leaving without.
        cached_tok: Prompt tokens found in the cache.
        preemptions: How often blocks were taken away.
        prefill_j: Energy for the prompt.
        decode_j: Energy for further tokens.
        recompute_j: Energy for what was computed again.
        end_s: End of the simulation, of all replicas.
        energy_j: All energy of all replicas and of transfers between them.
        idle_j: The part of it when nothing ran on a replica that was on.
        prompt_replica: Who computed the prompt, where that is another (`disaggregation`).
        transfer_j: Energy to move keys and values between replicas.
        handover_s: From the first token to the first iteration on the replica that decodes, nan
            where there was none; None: nothing is handed over.
        on_the_way_s: Of this, what keys and values took over the link, its queue included; 0 where
            there was none; None as above.
        rests: When each replica was off or starting (`scaling`); none where all are always on.
        rest_j: Energy of that time.
    """

    requests: Requests
    replica: IntArray
    servers: tuple[Served, ...]
    outcome: IntArray
    scheduled_s: FloatArray
    first_token_s: FloatArray
    finish_s: FloatArray
    cached_tok: IntArray
    preemptions: IntArray
    prefill_j: FloatArray
    decode_j: FloatArray
    recompute_j: FloatArray
    end_s: float
    energy_j: float
    idle_j: float
    prompt_replica: IntArray
    transfer_j: FloatArray
    handover_s: FloatArray | None = None
    on_the_way_s: FloatArray | None = None
    rests: tuple[Rests, ...] = ()
    rest_j: float = 0.0

    @property
    def served(self) -> npt.NDArray[np.bool_]:
        """Requests that were answered whole, [request]."""
        return self.outcome == SERVED

    @property
    def request_j(self) -> FloatArray:
        """All energy of a request, idle time apart, [request]."""
        return self.prefill_j + self.decode_j + self.recompute_j + self.transfer_j

    @property
    def worked_on_s(self) -> FloatArray:
        """When the last wait for work on a request ended, but for preemptions. [request]."""
        if self.handover_s is None:
            return self.scheduled_s
        handed = self.requests.output_tok > 1
        return np.where(handed, self.scheduled_s + self.handover_s, self.scheduled_s)

    @property
    def unaccounted_frac(self) -> float:
        """How far requests, idle and rest miss the energy of all replicas: rounding."""
        shared_j = math.fsum(self.request_j) + self.idle_j + self.rest_j
        return abs(shared_j - self.energy_j) / max(self.energy_j, 1e-300)

    @property
    def token_gap_edges_s(self) -> FloatArray:
        """Edges of the histogram of gaps between tokens. [edge]."""
        return self.servers[0].token_gap_edges_s

    @property
    def token_gaps(self) -> FloatArray:
        """Gaps counted per bin, all replicas together. [edge + 1]."""
        return np.sum([server.token_gaps for server in self.servers], axis=0)


def serve_fleet(
    fleet: Fleet,
    asked: Requests,
    *,
    session_id: IntArray | None = None,
    bin_s: float | None = None,
    gap_edges_s: FloatArray | None = None,
) -> FleetServed:
    """Serve all requests with a fleet.

    Args:
        fleet: The replicas.
        asked: Requests.
        session_id: Session of each [request], `NO_SESSION` for none; used by routing `session`.
        bin_s: Width of bins of energy over time.
        gap_edges_s: Edges of the histogram of gaps between tokens.
    """
    servers = [
        ServerState(fleet.replica, fleet.settings, bin_s=bin_s, gap_edges_s=gap_edges_s)
        for _ in range(fleet.count)
    ]
    if fleet.count == 1 or fleet.routing == "round_robin":
        went = np.arange(len(asked)) % fleet.count
        for number, server in enumerate(servers):
            server.submit(asked.where(went == number))
    else:
        went = _route(fleet, servers, asked, session_id)
    end_s = finished_s(servers)
    for server in servers:
        server.advance(end_s)
    return together(asked, went, [server.served() for server in servers])


def finished_s(servers: Sequence[ServerState]) -> float:
    """Let all servers finish what they have; returns when the last has."""
    for server in servers:
        server.advance(math.inf)
    return max(server.clock_s for server in servers)


def together(asked: Requests, went: IntArray, servers: Sequence[Served]) -> FleetServed:
    """The results of servers in the order of the requests.

    Args:
        asked: All requests.
        went: Which server each went to. [request]
        servers: Results of the servers, requests in the same order.
    """
    names = (
        "outcome", "scheduled_s", "first_token_s", "finish_s", "cached_tok", "preemptions",
        "prefill_j", "decode_j", "recompute_j",
    )  # fmt: skip
    if len(servers) == 1:
        columns = {name: getattr(servers[0], name) for name in names}
    else:
        back = np.empty(len(asked), dtype=np.intp)
        back[np.argsort(went, kind="stable")] = np.arange(len(asked))
        columns = {n: np.concatenate([getattr(s, n) for s in servers])[back] for n in names}
    return FleetServed(
        requests=asked,
        replica=went,
        servers=tuple(servers),
        end_s=max(server.end_s for server in servers),
        energy_j=math.fsum(server.energy_j for server in servers),
        idle_j=math.fsum(server.idle_j for server in servers),
        prompt_replica=went,
        transfer_j=np.zeros(len(asked)),
        **columns,
    )


Choose = Callable[[int, float, Sequence[int]], int]


def _route(
    fleet: Fleet, servers: Sequence[ServerState], asked: Requests, session_id: IntArray | None
) -> IntArray:
    """Send every request where the routing says, in order of arrival; returns where. [request]."""
    choose = chooser(fleet, servers, belongs(asked, session_id))
    everybody = range(fleet.count)
    went = np.empty(len(asked), dtype=np.int64)
    for row, arrival_s in enumerate(asked.arrival_s.tolist()):
        went[row] = choose(row, arrival_s, everybody)
        servers[went[row]].submit(asked.where(slice(row, row + 1)))
    return went


def belongs(asked: Requests, session_id: IntArray | None) -> IntArray:
    """What keeps requests together: the session, else the prefix group. [request]."""
    if session_id is None:
        return asked.prefix_id
    beyond = int(session_id.max(initial=NO_SESSION)) + 1
    grouped = np.where(asked.prefix_id >= 0, asked.prefix_id + beyond, NO_SESSION)
    return np.where(session_id >= 0, session_id, grouped)


def chooser(fleet: Fleet, servers: Sequence[ServerState], whose: IntArray) -> Choose:
    """The routing: who of the replicas that are there gets a request that arrives now.

    Args:
        fleet: Routing and seed.
        servers: All replicas; those that are looked at are advanced to the arrival.
        whose: What keeps requests together, `NO_SESSION` for nothing. [request]
    """
    random = np.random.default_rng(fleet.seed)
    homes: dict[int, int] = {}

    def queue_length(k: int) -> tuple[int, int]:
        """Sequences at a replica; of equal ones the first."""
        return servers[k].running + servers[k].waiting, k

    def load(k: int) -> tuple[int, int, int]:
        """Prompt tokens that wait there, then sequences; of equal ones the first."""
        return servers[k].waiting_tok, servers[k].running, k

    def seen(numbers: Sequence[int], arrival_s: float) -> Sequence[int]:
        """The same replicas, advanced to an arrival."""
        for number in numbers:
            servers[number].advance(arrival_s)
        return numbers

    def session(row: int, arrival_s: float, there: Sequence[int]) -> int:
        """Where the session is, or the emptiest replica if it is new."""
        group = int(whose[row])
        if group not in homes or homes[group] not in there:
            found = min(seen(there, arrival_s), key=load)
            if group == NO_SESSION:
                return found
            homes[group] = found
        return homes[group]

    def two_choices(_: int, arrival_s: float, there: Sequence[int]) -> int:
        """The emptier of two replicas drawn at random."""
        if len(there) == 1:
            return there[0]
        first = int(random.integers(len(there)))
        second = (first + 1 + int(random.integers(len(there) - 1))) % len(there)
        return min(seen((there[first], there[second]), arrival_s), key=queue_length)

    routings: dict[str, Choose] = {
        "round_robin": lambda row, _, there: there[row % len(there)],
        "session": session,
        "least_loaded": lambda _, arrival_s, there: min(seen(there, arrival_s), key=load),
        "shortest_queue": lambda _, arrival_s, there: min(seen(there, arrival_s), key=queue_length),
        "two_choices": two_choices,
    }
    return routings[fleet.routing]
