"""A transport network: nodes, links, shortest paths, and what demands put on each link.

Links are full duplex: their rate holds for each direction by itself. Traffic between two nodes
takes the path of least latency, all of it the same one; of equal paths the one with fewer links,
then the one whose links come first. That is how IP networks with costs by length route without
traffic engineering; networks that spread load over several paths have less on their fullest link.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import InfeasibleError

FloatArray = npt.NDArray[np.float64]

EARTH_M: Final = 6_371_008.8  # mean radius, WGS 84
# Light in fibre: c over the group index 1.468 of standard single-mode fibre at 1550 nm (data sheet
# of Corning SMF-28).
FIBRE_M_PER_S: Final = 299_792_458.0 / 1.468


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A link between two nodes.

    Attributes:
        name: Its name.
        a: One end.
        b: The other; forward is from a to b.
        rate_bps: Capacity of each direction.
        latency_s: One-way latency without a queue.
        length_m: Length, 0 where it is not known.
    """

    name: str
    a: str
    b: str
    rate_bps: float
    latency_s: float
    length_m: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A steady flow from one node to another."""

    source: str
    target: str
    rate_bps: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path from one node to another.

    Attributes:
        edges: Numbers of its links, in order. [hop]
        backwards: Whether each is used from b to a. [hop]
        latency_s: Latency of them all.
        length_m: Length of them all.
    """

    edges: tuple[int, ...]
    backwards: tuple[bool, ...]
    latency_s: float
    length_m: float

    @property
    def back(self) -> Route:
        """The same path the other way."""
        turned = tuple(not backwards for backwards in reversed(self.backwards))
        return dataclasses.replace(self, edges=self.edges[::-1], backwards=turned)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Topology:
    """Nodes and links."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def neighbours(self) -> dict[str, tuple[int, ...]]:
        """Links at each node, by number."""
        found: dict[str, list[int]] = {node: [] for node in self.nodes}
        for number, edge in enumerate(self.edges):
            found[edge.a].append(number)
            found[edge.b].append(number)
        return {node: tuple(numbers) for node, numbers in found.items()}


def great_circle_m(lon_deg: Sequence[float], lat_deg: Sequence[float]) -> float:
    """Distance of two points on a sphere (haversine); off the ellipsoid by less than 0.6 %.

    >>> round(great_circle_m((13.48, 10.08), (52.52, 53.55)) / 1e3)  # Berlin, Hamburg
    255
    """
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    half = np.sin(0.5 * (lat[1] - lat[0])) ** 2
    half += np.cos(lat[0]) * np.cos(lat[1]) * np.sin(0.5 * (lon[1] - lon[0])) ** 2
    return float(2.0 * EARTH_M * np.arcsin(np.sqrt(min(half, 1.0))))


def fibre_latency_s(length_m: float, *, detour_frac: float = 1.0, hop_s: float = 0.0) -> float:
    """One-way latency of a link: length x detour over the speed of light in fibre, and the node.

    Cables are longer than the great circle; the factor is the caller's to state.
    """
    return length_m * detour_frac / FIBRE_M_PER_S + hop_s


def routes(topology: Topology, source: str) -> dict[str, Route]:
    """Paths of least latency from a node to every node that can be reached (Dijkstra)."""
    start: tuple[float, tuple[int, ...], tuple[bool, ...], str] = (0.0, (), (), source)
    found: dict[str, Route] = {}
    heap = [(0.0, 0, start)]
    while heap:
        _, _, (latency_s, edges, backwards, node) = heapq.heappop(heap)
        if node in found:
            continue
        found[node] = Route(
            edges=edges,
            backwards=backwards,
            latency_s=latency_s,
            length_m=math.fsum(topology.edges[number].length_m for number in edges),
        )
        for number in topology.neighbours[node]:
            edge = topology.edges[number]
            reverse = edge.b == node
            far = edge.a if reverse else edge.b
            if far not in found:
                further_s = latency_s + edge.latency_s
                step = (further_s, (*edges, number), (*backwards, reverse), far)
                heapq.heappush(heap, (further_s, len(edges) + 1, step))
    return found


def route(topology: Topology, source: str, target: str) -> Route:
    """The path of least latency between two nodes; empty from a node to itself.

    Raises:
        InfeasibleError: There is none.
    """
    found = routes(topology, source).get(target)
    if found is None:
        raise InfeasibleError(f"expected a path from '{source}' to '{target}'; there is none.")
    return found


def loads_bps(topology: Topology, demands: Iterable[Demand]) -> FloatArray:
    """What steady demands put on each link and direction, every one on its path.

    Returns:
        Forward and backward load. [link, 2]

    Raises:
        InfeasibleError: A demand between nodes without a path.
    """
    load = np.zeros((len(topology.edges), 2))
    known: dict[str, dict[str, Route]] = {}
    for demand in demands:
        if demand.source not in known:
            known[demand.source] = routes(topology, demand.source)
        found = known[demand.source].get(demand.target)
        if found is None:
            raise InfeasibleError(
                f"expected a path from '{demand.source}' to '{demand.target}'; there is none."
            )
        for number, backwards in zip(found.edges, found.backwards, strict=True):
            load[number, int(backwards)] += demand.rate_bps
    return load
