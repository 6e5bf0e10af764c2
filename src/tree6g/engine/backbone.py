"""The transport network of a run: paths between sites and clouds, and what is on their links.

Bits to and from a cloud at a node of the topology take the path of least latency from the node of
the site that serves the user. A message waits for the latency of the path and for its turn on the
link that is slowest for it: a message is many packets, which follow one another from link to link.
How much others slow it down there comes from what was on the link in the step before
(`transport.queueing`), so that a step's messages do not depend on their order; traffic of others
that the scenario states is on it at all times. A link that is full for several steps has been so
for that long.

Each link on a path of the run is a node of the ledger, tier transport.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from tree6g.engine.crowd import UP, IntArray
from tree6g.errors import ScenarioError
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.model import DataService, Link, Scenario, Site
from tree6g.scenario.topology import Topology
from tree6g.transport.queueing import others
from tree6g.transport.topology import Route, loads_bps, routes
from tree6g.transport.topology import Topology as Network

if TYPE_CHECKING:
    from tree6g.engine.book import Book

FULL_FRAC: Final = 0.95  # load from which a link counts as full
PACKET_BIT: Final = 12_000.0  # of links without messages of this run: 1500 bytes


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Backbone:
    """Paths and links. Arrays of links are [link, 2]: from a to b, and back.

    Attributes:
        said: What the scenario says.
        network: Its nodes and links.
        links: A record for each cloud at a node, for those who ask for one; first the internet's,
            if it has a node.
        routes: By cloud (and `internet`), the path from each site. [site]
        used: Links on some path.
        rate_bps: Capacity of each link. [link, 1]
        others_bps: Traffic of others.
        message_bit: Size of a message of each data service.
        bit: Bits carried in the running step.
        count: Messages carried in it.
        by_service: The same bits by link and service.
        shared: Messages that a message shares each link with.
        full_s: How long each link has been full.
        peak_frac: Load of the fullest step, others included.
    """

    said: Topology
    network: Network
    links: Mapping[str, Link]
    routes: Mapping[str, tuple[Route, ...]]
    used: tuple[int, ...]
    rate_bps: FloatArray
    others_bps: FloatArray
    message_bit: Mapping[str, float]
    bit: FloatArray
    count: FloatArray
    shared: FloatArray
    full_s: FloatArray
    peak_frac: FloatArray
    by_service: dict[tuple[int, str], float] = dataclasses.field(default_factory=dict)
    pace_s_per_bit: dict[tuple[str, str], FloatArray] = dataclasses.field(default_factory=dict)

    def node(self, number: int) -> str:
        """Node of the ledger for a link."""
        return f"{self.network.edges[number].name}.link"

    @property
    def nodes(self) -> list[str]:
        """Nodes of the ledger for all links on paths."""
        return [self.node(number) for number in self.used]

    def latency_s(self, cloud: str, site: int) -> float:
        """One-way latency between a site and a cloud, without others."""
        return self.routes[cloud][site].latency_s

    def energy_j_per_bit(self, cloud: str, site: int) -> float:
        """Energy of all links between a site and a cloud."""
        return self.said.energy_j_per_bit * len(self.routes[cloud][site].edges)

    def delay_s(
        self, cloud: str, site: IntArray, bit: npt.ArrayLike, kind: str
    ) -> npt.NDArray[np.float64]:
        """One-way time of messages between sites and a cloud. [message].

        Args:
            cloud: The cloud.
            site: Site of each message. [message]
            bit: Bits of each. [message]
            kind: `bit_ul` to the cloud, `bit_dl` from it.
        """
        latency_s = np.array([route.latency_s for route in self.routes[cloud]])
        pace = self._pace(cloud, kind)
        found: FloatArray = latency_s[site] + np.asarray(bit, dtype=np.float64) * pace[site]
        return found

    def carry(
        self, book: Book, cloud: str, site: int, service: str, bit: float, kind: str, count: float
    ) -> None:
        """Put bits on every link of a path."""
        if service in self.message_bit:
            count = bit / self.message_bit[service]
        path = self.routes[cloud][site]
        path = path if kind == UP else path.back
        for number, backwards in zip(path.edges, path.backwards, strict=True):
            self.bit[number, int(backwards)] += bit
            self.count[number, int(backwards)] += count
            self.by_service[number, service] = self.by_service.get((number, service), 0.0) + bit
            book.do(self.node(number), service, "bit_carried", bit, demand=bit)

    def settle(self, step_s: float) -> None:
        """The step is over: what its links carried slows down the next one's messages."""
        load = (self.others_bps + self.bit / step_s) / self.rate_bps
        np.maximum(self.peak_frac, load, out=self.peak_frac)
        full = load >= FULL_FRAC
        self.full_s[full] += step_s
        self.full_s[~full] = 0.0
        mean_bit = np.where(self.count > 0.0, self.bit / np.maximum(self.count, 1e-300), PACKET_BIT)
        self._share(load, mean_bit, np.maximum(self.full_s, step_s))
        self.bit[:], self.count[:] = 0.0, 0.0
        self.by_service.clear()

    def carried(self, number: int) -> dict[str, float]:
        """Bits of the running step on a link, by service."""
        return {s: bit for (n, s), bit in sorted(self.by_service.items()) if n == number}

    def _share(self, load: FloatArray, mean_bit: FloatArray, horizon_s: FloatArray) -> None:
        self.shared = others(load, alone_s=mean_bit / self.rate_bps, horizon_s=horizon_s)
        self.pace_s_per_bit.clear()

    def _pace(self, cloud: str, kind: str) -> FloatArray:
        """Seconds per bit on the slowest link of each site's path. [site]."""
        key = (cloud, kind)
        if key not in self.pace_s_per_bit:
            link_s = (1.0 + self.shared) / self.rate_bps
            paths = [p if kind == UP else p.back for p in self.routes[cloud]]
            found = [
                max(
                    (link_s[n, int(b)] for n, b in zip(p.edges, p.backwards, strict=True)),
                    default=0,
                )
                for p in paths
            ]
            self.pace_s_per_bit[key] = np.array(found, dtype=np.float64)
        return self.pace_s_per_bit[key]


def backbone(scenario: Scenario, sites: Sequence[Site]) -> Backbone | None:
    """The transport network of a scenario, None if it has no topology.

    Args:
        scenario: What to build.
        sites: Its sites, a layout's spelled out.

    Raises:
        ScenarioError: A site of a random layout without a node.
    """
    said = scenario.topology
    if said is None:
        return None
    network = said.graph
    clouds = said.ends(cloud.name for cloud in scenario.clouds)
    paths = {cloud: tuple(_paths(said, network, cloud, sites)) for cloud in clouds}
    used = {n for path in paths.values() for route in path for n in route.edges}
    rate_bps = np.array([[edge.rate_bps] for edge in network.edges])
    shape = (len(network.edges), 2)
    found = Backbone(
        said=said,
        network=network,
        links={cloud: _link(said, network, cloud, paths[cloud]) for cloud in clouds},
        routes=paths,
        used=tuple(sorted(used)),
        rate_bps=rate_bps,
        others_bps=loads_bps(network, said.background),
        message_bit={
            s.name: 8.0 * s.message_byte for s in scenario.services if isinstance(s, DataService)
        },
        bit=np.zeros(shape),
        count=np.zeros(shape),
        shared=np.zeros(shape),
        full_s=np.zeros(shape),
        peak_frac=np.zeros(shape),
    )
    found.settle(scenario.step_s)
    return found


def _paths(said: Topology, network: Network, cloud: str, sites: Sequence[Site]) -> Iterator[Route]:
    """The path from each site to a cloud."""
    reached = routes(network, said.places[cloud])
    for site in sites:
        node = said.node_of(site.name)
        if node is None or node not in reached:
            raise ScenarioError(
                f"expected a node with a path to '{cloud}' for site '{site.name}'; got none. Name "
                "one under 'topology.places', or one of all other sites: '*'."
            )
        yield reached[node].back


def _link(said: Topology, network: Network, cloud: str, paths: Sequence[Route]) -> Link:
    """A cloud's paths in one record: the nearest site's latency, the slowest rate."""
    rates = [network.edges[number].rate_bps for path in paths for number in path.edges]
    hops = sum(len(path.edges) for path in paths) / len(paths)
    return Link(
        to=cloud,
        rate_bps=min(rates, default=1e15),
        latency_s=min(path.latency_s for path in paths),
        energy_j_per_bit=said.energy_j_per_bit * hops,
        idle_power_w=0.0,
    )
