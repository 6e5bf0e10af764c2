"""The network of a run as records: nodes, services, and the state that the phases change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tree6g.compute.batching import BatchServer, Usage
from tree6g.compute.replica import Replica
from tree6g.engine.airtime import Messages, Pool
from tree6g.engine.book import Book
from tree6g.engine.crowd import UP, IntArray, Radio
from tree6g.engine.lanes import Lanes
from tree6g.engine.policies import Policy
from tree6g.engine.policies.sleep import SleepPolicy
from tree6g.engine.price import Price
from tree6g.engine.rest import Rest
from tree6g.engine.switch import ON, Fleet, Switch
from tree6g.engine.tally import Tally
from tree6g.metric.profile import Profile
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import StationPower
from tree6g.radio.step_tables import Windows
from tree6g.scenario.model import AiService, DataService, Link, Scenario, Server, Site
from tree6g.scenario.station import BaseStation
from tree6g.scenario.topology import INTERNET
from tree6g.traffic.sources import Traffic

if TYPE_CHECKING:
    from tree6g.engine.backbone import Backbone
    from tree6g.engine.baseband import Processor
    from tree6g.engine.learning_state import Learning
    from tree6g.engine.listening import Listening
    from tree6g.engine.motion import Motion
    from tree6g.engine.schedule import Schedule
    from tree6g.engine.split_answers import Shared

# Outcome of a request.
RUNNING, SERVED, LOST = 0, 1, 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ai:
    """An AI service with its profile and its number among the AI services."""

    index: int
    spec: AiService
    profile: Profile

    @property
    def streams(self) -> bool:
        """Whether tokens are sent as they come, not all at the end."""
        return self.profile.deadline_s is None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenTable:
    """Tokens that left a host. Arrays are [token].

    Attributes:
        ref: Request.
        number: Number in the answer, from 1.
        leaves_s: When it left.
        gap_s: Time since the token before it, for the first since its request was admitted.
        energy_j: Energy above idle, where it is known per token.
    """

    ref: IntArray
    number: IntArray
    leaves_s: FloatArray
    gap_s: FloatArray
    energy_j: FloatArray

    def where(self, mask: npt.NDArray[np.bool_]) -> TokenTable:
        """The tokens of a mask."""
        kept = {f.name: getattr(self, f.name)[mask] for f in dataclasses.fields(self)}
        return TokenTable(**kept)

    def joined(self, other: TokenTable) -> TokenTable:
        """These tokens and others."""
        fields = [f.name for f in dataclasses.fields(self)]
        both = {name: (getattr(self, name), getattr(other, name)) for name in fields}
        return TokenTable(**{name: np.concatenate(pair) for name, pair in both.items()})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One direction of a cell.

    Attributes:
        time_frac: Share of time of this direction.
        latency_s: Latency of a message without queue.
        pools: Parts of the spectrum, each shared by some services.
    """

    time_frac: float
    latency_s: float
    pools: tuple[Pool, ...]

    def pool_of(self, service: str) -> Pool:
        """The part of the spectrum that a service uses."""
        for pool in self.pools:
            if service in pool.services:
                return pool
        raise KeyError(service)


@dataclasses.dataclass(slots=True, kw_only=True)
class Cell:
    """A cell with its two carriers and what they did in the current step.

    Attributes:
        index: Its number among all cells.
        node: Node of the ledger.
        site: Name of its site.
        site_index: Number of its site.
        pue: Of the site.
        spec: What the scenario says of its base station.
        station: Power states with everything on.
        rest: What sleeps of it, and when.
        uplink: Direction to the network.
        downlink: Direction to the terminals.
        terminals: Node of the terminals at its site.
        on: Whether it serves; whoever changes it calls `engine.radio.attach`.
        out: Whether it has failed.
        band_frac: Share of its bandwidth in use; whoever changes this or the next two calls
            `engine.radio.refresh`.
        downlink_db: Change of power and gain of the downlink by muted antennas, at most 0.
        uplink_db: Change of gain of the uplink by muted antennas, at most 0.
    """

    index: int
    node: str
    site: str
    site_index: int
    pue: float
    spec: BaseStation
    station: StationPower
    rest: Rest
    uplink: Carrier
    downlink: Carrier
    terminals: str
    on: bool = True
    out: bool = False
    band_frac: float = 1.0
    downlink_db: float = 0.0
    uplink_db: float = 0.0

    def carrier(self, kind: str) -> Carrier:
        """Its carrier in the direction of `bit_ul` or `bit_dl`."""
        return self.uplink if kind == UP else self.downlink

    def push(self, kind: str, service: str, batch: Messages) -> None:
        """Queue messages that become ready in the coming step."""
        self.carrier(kind).pool_of(service).push(service, batch)


@dataclasses.dataclass(slots=True, kw_only=True)
class Host:
    """Someone who answers requests: a server, or (without `batch`) the terminals of a site.

    Attributes:
        node: Node of the ledger.
        tier: `edge`, `cloud` or `device`.
        place: Site or cloud.
        site: Index of the site, None for a cloud.
        pue: Of its place.
        link: Its link of each site, None beside the cell.
        spec: What the scenario says, None for terminals.
        model: Model that answers, as the ledger has it (`scenario.variants`).
        services: AI services that it answers.
        replica: Constants of an iteration.
        batch: Its queue and batch.
        free_s: When each terminal is free. [user]
        prompt_s_per_tok: Time of a prompt token in a long prompt.
        answers: Tokens under way on terminals.
        coming: Prompts that are on their way to it.
        coming_tok: Their tokens.
        used: Use of the accelerators in this step.
        busy: The same over the run.
        demand_in_tok: Prompt tokens computed in the run.
        demand_out_tok: Answer tokens sampled in the run.
        out: Whether it has failed.
        switch: Whether it is on.
        number: Its number among all hosts.
        known: Iterations of its replica that `engine.prospects` has worked out.
    """

    node: str
    tier: str
    place: str
    site: int | None
    pue: float
    link: Link | None
    spec: Server | None
    model: str
    services: frozenset[str]
    replica: Replica
    batch: BatchServer | None
    free_s: FloatArray
    prompt_s_per_tok: float
    answers: TokenTable | None = None
    coming: int = 0
    coming_tok: float = 0.0
    used: Usage = dataclasses.field(default_factory=Usage)
    busy: Usage = dataclasses.field(default_factory=Usage)
    demand_in_tok: float = 0.0
    demand_out_tok: float = 0.0
    out: bool = False
    switch: Switch = dataclasses.field(default_factory=Switch)
    number: int = -1
    known: Any = None

    @property
    def open(self) -> bool:
        """Whether it takes requests."""
        return self.switch.state == ON and not self.out


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Requests:
    """All AI requests of a run. Arrays are [request], in order of arrival."""

    service: IntArray
    site: IntArray
    user: IntArray
    arrival_s: FloatArray
    prompt_tok: IntArray
    output_tok: IntArray
    host: IntArray
    delivered_tok: IntArray
    late_tok: IntArray
    late_in_tok: IntArray
    first_s: FloatArray
    last_s: FloatArray
    outcome: IntArray

    def __len__(self) -> int:
        return len(self.arrival_s)


@dataclasses.dataclass(slots=True, kw_only=True)
class Source:
    """A data service with the arrivals of all its sources, site by site."""

    spec: DataService
    arrivals: Traffic


@dataclasses.dataclass(slots=True, kw_only=True)
class World:
    """Everything that a run knows: what is fixed first, then what the phases change.

    `sites` are those of the scenario, a layout's spelled out; cells follow them site by site.
    `windows` are the times of the running step in which cells have traffic, by direction; `workers`
    the threads that cells may be spread over, which changes no result. `incoming` are messages that
    came in within a step, by direction and service; `chunks` token chunks that have not reached
    their cells, and downlink messages whose terminals have not been told of them, by service.
    `network` is what `engine.choosing` keeps of hosts and sites; `fleet` is of `engine.standby`.
    """

    scenario: Scenario
    step_s: float
    arrivals_end_s: float
    sites: Sequence[Site]
    cells: Sequence[Cell]
    radio: Radio
    hosts: Sequence[Host]
    links: Sequence[Link]
    ai: Sequence[Ai]
    sources: Sequence[Source]
    policy: Policy
    sleep_policy: SleepPolicy
    lanes: Lanes
    tally: Tally
    requests: Requests
    delay_budget_s: Mapping[str, float]
    mean_output_tok: Mapping[str, float]
    traces: Mapping[str, str]
    motion: Motion | None = None
    listening: Listening | None = None
    learning: Learning | None = None
    backbone: Backbone | None = None
    schedule: Schedule | None = None
    direction: Mapping[str, str] = dataclasses.field(default_factory=dict)
    incoming: list[tuple[str, str, Messages]] = dataclasses.field(default_factory=list)
    chunks: dict[str, Messages] = dataclasses.field(default_factory=dict)
    shared: Sequence[Shared] = ()
    processors: Mapping[int, Processor] = dataclasses.field(default_factory=dict)
    workers: int = 1
    windows: dict[str, Windows] = dataclasses.field(default_factory=dict)
    book: Book = dataclasses.field(default_factory=Book)
    next_request: int = 0
    again: list[int] = dataclasses.field(default_factory=list)
    rerouted: int = 0
    broken: int = 0
    severed: set[int] = dataclasses.field(default_factory=set)
    candidates: dict[tuple[int, int, int], tuple[Host, ...]] = dataclasses.field(
        default_factory=dict
    )
    network: Any = None
    fleet: Fleet = dataclasses.field(default_factory=Fleet)
    price: Price = dataclasses.field(default_factory=Price)
    cut_layer: dict[int, int] = dataclasses.field(default_factory=dict)
    carried_bit: dict[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    link_peak_frac: dict[str, float] = dataclasses.field(default_factory=dict)

    def carry(
        self,
        cell: int,
        service: str,
        bit: float,
        link: Link | None = None,
        *,
        kind: str = "",
        count: float = 1.0,
    ) -> None:
        """Note bits on a link of a site, by default its first one, or on the paths to a cloud.

        By default they go to the internet, where the transport network has a node for it.

        Without `kind` they go the way of the data service; `count` is the messages that they are.
        """
        network = self.backbone
        leaves = network is not None and INTERNET in network.links
        if link is None and self.links and not leaves:
            link = self.links[0]
        if network is not None and (link is None or link.to in network.links):
            cloud = next(iter(network.links), None) if link is None else link.to
            if cloud is not None:
                site = self.cells[cell].site_index
                network.carry(
                    self.book, cloud, site, service, bit, kind or self.direction[service], count
                )
        elif link is not None:
            node = link_node(self.cells[cell].site, link)
            self.carried_bit[node, service] = self.carried_bit.get((node, service), 0.0) + bit
            self.book.do(node, service, "bit_carried", bit, demand=bit)

    def latencies_s(self, kind: str) -> FloatArray:
        """Latency of a message without queue. [cell]."""
        return np.array([cell.carrier(kind).latency_s for cell in self.cells])

    def terminal_of(self, request: npt.ArrayLike) -> IntArray:
        """The terminal of requests among the users. [request]."""
        which = np.asarray(request, dtype=np.int64)
        return self.radio.users.terminal(self.requests.site[which], self.requests.user[which])

    def cell_of(self, request: npt.ArrayLike) -> IntArray:
        """The cell that serves the users of requests now. [request]."""
        return self.radio.users.serving[self.terminal_of(request)]

    def service_of(self, request: int) -> Ai:
        """The service of a request."""
        return self.ai[int(self.requests.service[request])]


def shared_node(cell: Cell) -> str:
    """Node of the ledger for what other operators pay of a shared station."""
    return f"{cell.site}.shared"


def link_node(site: str, link: Link) -> str:
    """Node of the ledger for a site's share of a link."""
    return f"{site}-{link.to}.link"


def terminals_node(site: str) -> str:
    """Node of the ledger for the terminals at a site."""
    return f"{site}.devices"


@dataclasses.dataclass(slots=True, kw_only=True)
class Tick:
    """One step, and what its phases hand to one another.

    Attributes:
        t0_s: Start.
        t1_s: End.
        requests: AI requests that arrived.
        prompts: Prompts that left the uplink, in batches: request, time at the site, bits.
    """

    t0_s: float
    t1_s: float
    requests: range = range(0)
    prompts: list[tuple[IntArray, FloatArray, FloatArray]] = dataclasses.field(default_factory=list)

    @property
    def step_s(self) -> float:
        """Length of the step."""
        return self.t1_s - self.t0_s
