"""The router's own counters for Prometheus: `tree_pilot_*`."""

from __future__ import annotations

from collections.abc import Iterator

from tree6g.meter.exposition_writer import Family, Sample
from tree6g.optimise.pilot.config import PHASES
from tree6g.optimise.pilot.router import Router


def families(router: Router) -> Iterator[Family]:
    """Decisions, servers and the price."""
    yield Family(
        name="tree_pilot_decisions_total",
        kind="counter",
        help="Requests by service, server that the rule chose and server that they went to last.",
        samples=[
            ({"service": service, "chosen": chosen, "server": server}, float(count))
            for (service, chosen, server), count in sorted(router.decided.items())
        ],
    )
    yield Family(
        name="tree_pilot_passed_total",
        kind="counter",
        help="Times that a server was down or full.",
        samples=[({"server": name}, float(n)) for name, n in sorted(router.passed.items())],
    )
    yield _by_server(
        "tree_pilot_running_requests",
        "Requests that a server has through this router.",
        [({"server": name}, float(s.busy)) for name, s in router.servers.items()],
    )
    yield _by_server(
        "tree_pilot_token_energy_joules",
        "Joules of a token beyond what is drawn anyway, by phase.",
        [
            ({"server": name, "kind": kind}, joules)
            for name, standing in router.servers.items()
            for kind, joules in zip(PHASES, standing.j_per_tok, strict=True)
        ],
    )
    yield _by_server(
        "tree_pilot_price_bit_equivalents_per_joule",
        "What a joule is worth in decisions: TREE so far.",
        [({}, router.price.now_beq_per_j)],
    )


def _by_server(name: str, text: str, samples: list[Sample]) -> Family:
    return Family(name=name, kind="gauge", help=text, samples=samples)
