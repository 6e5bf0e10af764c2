"""What a scenario says of the transport network between its sites and its data centres."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from tree6g.errors import nearest
from tree6g.scenario.document import Place, Problem
from tree6g.scenario.quantities import Described, Quantity
from tree6g.transport import topology as transport

Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Positive = Annotated[Quantity, Field(gt=0)]
NonNegative = Annotated[Quantity, Field(ge=0)]
REST = "*"
INTERNET = "internet"  # the place where data services leave the network


class TopologyEdge(Described):
    """A link between two nodes of the transport network, both directions."""

    name: Text
    """Unique name of the link."""
    a: Text
    """Node at one end."""
    b: Text
    """Node at the other end."""
    rate_bps: Positive
    """Capacity of each direction."""
    length_m: NonNegative = 0.0
    """Length; of a file with coordinates the great circle between its ends."""


class TopologyDemand(Described):
    """Traffic of others from one node to another, at all times."""

    source: Text
    """Node where it starts."""
    target: Text
    """Node where it ends."""
    rate_bps: NonNegative
    """How much it is."""


class Topology(Described):
    """The transport network: sites and clouds at its nodes, and what its links take."""

    file: str = ""
    """SNDlib-like JSON with nodes, links and demands, relative to the scenario's file."""
    unit_bps: Positive | None = None
    """What 1 stands for in the capacities and demands of the file, such as `1 Mbit/s`: files
    seldom say."""
    capacity: Literal["module", "installed"] = "module"
    """Capacity of a file's links: the smallest of their modules, or what is installed."""
    detour_frac: Annotated[Quantity, Field(ge=1, le=10)] = 1.0
    """Length of the fibre over the length of the link."""
    hop_latency_s: NonNegative = 0.0
    """One-way latency of each link besides the time in the fibre: of its node."""
    energy_j_per_bit: NonNegative
    """Energy of each link that grows with traffic."""
    idle_power_w: NonNegative
    """Power of each link at no traffic: of the share of its equipment that these sites hold."""
    background_frac: NonNegative = 0.0
    """Traffic of others on the links, over the demands of the file: it takes capacity and time,
    its joules are not counted."""
    places: dict[Text, Text] = Field(default_factory=dict)
    """Node of each site and cloud, by name; `*`: of all other sites; `internet`: where data
    services leave; without it, at the first cloud."""
    edges: tuple[TopologyEdge, ...] = ()
    """Links, filled in when a file is read."""
    demands: tuple[TopologyDemand, ...] = ()
    """Demands, filled in when a file is read."""

    @property
    def graph(self) -> transport.Topology:
        """Its nodes and links, with their latencies."""
        nodes = dict.fromkeys(node for edge in self.edges for node in (edge.a, edge.b))
        return transport.Topology(
            nodes=tuple(nodes),
            edges=tuple(
                transport.Edge(
                    name=edge.name,
                    a=edge.a,
                    b=edge.b,
                    rate_bps=edge.rate_bps,
                    latency_s=transport.fibre_latency_s(
                        edge.length_m, detour_frac=self.detour_frac, hop_s=self.hop_latency_s
                    ),
                    length_m=edge.length_m,
                )
                for edge in self.edges
            ),
        )

    @property
    def background(self) -> tuple[transport.Demand, ...]:
        """Traffic of others."""
        if not self.background_frac:
            return ()
        return tuple(
            transport.Demand(
                source=d.source, target=d.target, rate_bps=self.background_frac * d.rate_bps
            )
            for d in self.demands
        )

    def ends(self, clouds: Iterable[str]) -> tuple[str, ...]:
        """What paths lead to: the internet, if it has a node, and those of the clouds that have."""
        return tuple(end for end in dict.fromkeys((INTERNET, *clouds)) if end in self.places)

    def node_of(self, site: str) -> str | None:
        """The node of a site, None if it has none."""
        return self.places.get(site, self.places.get(REST))


def placed(plain: Any) -> dict[str, Any]:
    """Places in the topology of plain data, as far as they can be read."""
    topology = plain.get("topology") if isinstance(plain, dict) else None
    places = topology.get("places") if isinstance(topology, dict) else None
    return places if isinstance(places, dict) else {}


def problems(
    topology: Topology, *, sites: tuple[str, ...], clouds: tuple[str, ...]
) -> Iterator[Problem]:
    """What does not go together: ends and places that are no nodes, paths that are missing.

    Args:
        topology: The network.
        sites: Names of the sites, a layout's spelled out.
        clouds: Names of the clouds.
    """
    if not topology.edges:
        text = "expected a 'file', or links under 'edges'; got neither."
        yield Problem(place=("topology",), text=text)
        return
    found = list(_edge_problems(topology))
    if INTERNET in (*sites, *clouds):
        text = (
            f"expected another name than '{INTERNET}' for a site or a cloud: it is the place where "
        )
        text += "data services leave the network. Rename it."
        found.append(Problem(place=("topology", "places"), text=text))
    nodes = topology.graph.nodes
    for name, node in topology.places.items():
        place: Place = ("topology", "places", name)
        if name not in (REST, INTERNET, *sites, *clouds):
            text = f"expected a site or a cloud; got {name!r}. "
            text += nearest(name, (*sites, *clouds, INTERNET))
            found.append(Problem(place=place, text=text))
        if node not in nodes:
            text = f"expected a node of the topology; got {node!r}. {nearest(node, nodes)}"
            found.append(Problem(place=place, text=text))
    for demand in topology.demands:
        if unknown := {demand.source, demand.target} - set(nodes):
            text = f"expected demands between nodes; got {min(unknown)!r}."
            found.append(Problem(place=("topology", "demands"), text=text))
    yield from found or _path_problems(topology, sites, clouds)


def _edge_problems(topology: Topology) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, edge in enumerate(topology.edges):
        place: Place = ("topology", "edges", i)
        if edge.name in seen:
            text = f"expected a name of its own; got {edge.name!r} a second time."
            yield Problem(place=(*place, "name"), text=text)
        if edge.a == edge.b:
            text = f"expected a link between two nodes; got {edge.a!r} at both ends."
            yield Problem(place=place, text=text)
        seen.add(edge.name)


def _path_problems(
    topology: Topology, sites: tuple[str, ...], clouds: tuple[str, ...]
) -> Iterator[Problem]:
    network = topology.graph
    for end in topology.ends(clouds):
        reached = transport.routes(network, topology.places[end])
        for site in sites:
            node = topology.node_of(site)
            if node is None:
                text = f"expected the node of site {site!r}, or of '*'; got none."
                yield Problem(place=("topology", "places"), text=text)
            elif node not in reached:
                text = f"expected a path from {node!r} to {topology.places[end]!r}; got none."
                yield Problem(place=("topology", "places"), text=text)
    if topology.background:
        yield from _background_problems(topology, network)


def _background_problems(topology: Topology, network: transport.Topology) -> Iterator[Problem]:
    """Traffic of others that links cannot carry would stop these sites' messages for good."""
    reached = {d.source: transport.routes(network, d.source) for d in topology.demands}
    if any(d.target not in reached[d.source] for d in topology.demands):
        text = "expected a path for every demand; some have none."
        yield Problem(place=("topology", "demands"), text=text)
        return
    loads = transport.loads_bps(network, topology.background).max(axis=1)
    share = [load / e.rate_bps for load, e in zip(loads.tolist(), network.edges, strict=True)]
    fullest = max(range(len(share)), key=share.__getitem__)
    if share[fullest] >= 1.0 or math.isnan(share[fullest]):
        text = (
            f"expected traffic of others below the capacity of every link; got {share[fullest]:.3g}"
            f" of it on {network.edges[fullest].name!r}. Take less of it, or larger capacities."
        )
        yield Problem(place=("topology", "background"), text=text)
