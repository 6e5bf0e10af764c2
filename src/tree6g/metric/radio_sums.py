"""Joules, bits and use of carriers of a radio access network, summed over a window."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from tree6g.ledger.reading import named_sql
from tree6g.metric.cells import Book
from tree6g.metric.histogram import sound
from tree6g.metric.part import ratio

DELIVERED: Final = {"dl": "bit_dl", "ul": "bit_ul"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    """Sums over the covered time of a window (use of carriers: over the window).

    Attributes:
        site: Site of every node inside the boundary that has rows.
        tier: Its tier.
        energy_j: Joules by node.
        node_bit: Bits by node and kind.
        service_bit: Bits by service and kind.
        volume_bit: Bits by node and service, delivered ones and those that a node carried.
        demand: Use of a node by its services, by node and kind of bits; where it is stated.
        used_s: Carrier time used, by node and direction.
        available_s: Carrier time available, by node and direction.
    """

    site: Mapping[str, str]
    tier: Mapping[str, str]
    energy_j: Mapping[str, float]
    node_bit: Mapping[tuple[str, str], float]
    service_bit: Mapping[tuple[str, str], float]
    volume_bit: Mapping[tuple[str, str], float]
    demand: Mapping[tuple[str, str], Mapping[str, float]]
    used_s: Mapping[tuple[str, str], float]
    available_s: Mapping[tuple[str, str], float]

    def total_bit(self, kind: str) -> float:
        """Bits of one kind."""
        return math.fsum(bits for (_, k), bits in self.service_bit.items() if k == kind)

    def prb_frac(
        self, direction: str, *, node: str | None = None, service: str | None = None
    ) -> float | None:
        """Used share of the physical resource blocks that are available; None if not known.

        A service used of a node's what its share of the demand on the node is.
        """
        nodes = [n for n, d in self.available_s if d == direction and node in {None, n}]
        used_s = [
            self.used_s[n, direction] * share
            for n in nodes
            if (share := self._share(n, direction, service)) is not None
        ]
        if len(used_s) < len(nodes):
            return None
        return ratio(math.fsum(used_s), math.fsum(self.available_s[n, direction] for n in nodes))

    def _share(self, node: str, direction: str, service: str | None) -> float | None:
        """Share of a service in the use of a node; None where the use is not told apart."""
        if service is None or not self.used_s[node, direction] > 0:
            return 1.0
        uses = self.demand.get((node, DELIVERED[direction]), {})
        whole = math.fsum(uses.values())
        return uses.get(service, 0.0) / whole if whole > 0 else None


def read_radio(book: Book, *, carried: bool = False) -> Radio:
    """Sums of the nodes inside the book's boundary.

    Args:
        book: The ledger inside a boundary.
        carried: Whether bits that a node carried belong to the volume, as in the core.
    """
    span = [book.t0_s, book.t1_s]
    asked = (("energy", ()), ("work", (6,)), ("prb", ()))
    energy, work, prb = (
        sound(
            book.connection.execute(named_sql("metric", f"kpi_{table}"), span).fetchall(),
            table,
            optional=optional,
        )
        for table, optional in asked
    )
    counted = {*DELIVERED.values(), *(("bit_carried",) if carried else ())}
    node_bit: dict[tuple[str, str], float] = defaultdict(float)
    service_bit: dict[tuple[str, str], float] = defaultdict(float)
    volume_bit: dict[tuple[str, str], float] = defaultdict(float)
    demands: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for node, _, _, service, kind, amount, demand in work:
        node_bit[node, kind] += amount
        service_bit[service, kind] += amount
        volume_bit[node, service] += amount if kind in counted else 0.0
        if demand is not None:
            demands[node, kind][service] = demand
    prb = [row for row in prb if row[0] in set(book.inside)]
    places = [row[:3] for row in (*energy, *work)]
    return Radio(
        site={node: site for node, site, _ in places},
        tier={node: tier for node, _, tier in places},
        energy_j={node: joules for node, _, _, joules in energy},
        node_bit=node_bit,
        service_bit=service_bit,
        volume_bit=volume_bit,
        demand=demands,
        used_s={(node, kind): used_s for node, kind, used_s, _ in prb},
        available_s={(node, kind): available_s for node, kind, _, available_s in prb},
    )


def split(
    energy_j: Mapping[str, float],
    volume_bit: Mapping[tuple[str, str], float],
    place_of: Mapping[str, str],
) -> tuple[dict[str, float], float]:
    """Energy of services by data volume: E_x = sum over places of E DV_x / DV.

    Args:
        energy_j: Joules by node.
        volume_bit: Bits by node and service.
        place_of: Which nodes are one network function.

    Returns:
        Joules by service, and those of places without any bits.
    """
    energy: dict[str, float] = defaultdict(float)
    volume: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for node, joules in energy_j.items():
        energy[place_of[node]] += joules
    for (node, service), bits in volume_bit.items():
        volume[place_of[node]][service] += bits
    parts: dict[str, list[float]] = defaultdict(list)
    loose = []
    for place, joules in energy.items():
        whole = math.fsum(volume[place].values())
        if not whole > 0:
            loose.append(joules)
            continue
        for service, bits in volume[place].items():
            parts[service].append(joules * (bits / whole))
    return {service: math.fsum(joules) for service, joules in parts.items()}, math.fsum(loose)
