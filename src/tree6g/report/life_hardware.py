"""Hardware that a service of a ledger holds, with its share, as `lifecycle.service` takes it.

Of a node a service holds the share that it has of the energy which services were attributed on it.

- Servers and baseband are what their record says; the cells of a site are one station.
- Links and nodes of transport and core have no record of their equipment: they are as many routers
  as their power would feed, so the carbon of making follows the joules.
- Terminals are phones for as long as answers are in progress, out of the hours that phones are in
  use. Reading and typing are not counted, so that is a lower bound; and only where the boundary has
  terminals, as for their joules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tree6g import data
from tree6g.ledger.schema import OVERHEAD_COMPONENTS
from tree6g.lifecycle.hardware import ROUTER, ROUTER_W, Embodied, embodied, in_use, of_server
from tree6g.lifecycle.service import Held

STATION: Final = "base-station"
ROUTED: Final = ("transport", "core")
TERMINALS: Final = "terminals"
_RECORD: Final = re.compile(r"(?:(\d+) x )?([\w.-]+)")
Row = Mapping[str, Any]


def held(
    flows: Sequence[Row],
    nodes: Mapping[str, Row],
    service: str,
    time_s: float,
    session_s: float | None,
    problems: list[str],
) -> tuple[Held, ...]:
    """Hardware of every node that the service's energy was attributed on.

    Args:
        flows: Energy from components to services.
        nodes: Entity of each node.
        service: The service.
        time_s: Over which time.
        session_s: Seconds of its answers in progress; None: not counted.
        problems: Gains what is not known.
    """
    found: list[Held] = []
    stations: set[str] = set()
    own = [*dict.fromkeys(row["node"] for row in flows if row["service"] == service)]
    for node in own:
        entity = nodes.get(node, {})
        if entity.get("what") == TERMINALS:
            continue
        same = {node}
        if entity.get("what") == "cell":  # one station for the sectors of a site
            site = str(entity.get("site"))
            if site in stations:
                continue
            stations.add(site)
            same = {n for n, e in nodes.items() if e["what"] == "cell" and e["site"] == site}
        rows = [row for row in flows if row["node"] in same]
        made = _made(entity, joules_of(r for r in rows if not _overhead(r)) / time_s)
        if not made:
            told = entity.get("record") or "no record"
            problems.append(f"embodied carbon of {node} ({told}) is left out: not known")
        share = _share(rows, service)
        found += [Held(node=node, made=one, count=n, share_frac=share) for one, n in made]
    return (*found, *_terminals(own, nodes, time_s, session_s, problems))


def _terminals(
    own: Sequence[str],
    nodes: Mapping[str, Row],
    time_s: float,
    session_s: float | None,
    problems: list[str],
) -> tuple[Held, ...]:
    """Phones in use for the service on average."""
    what = {node: entity["what"] for node, entity in nodes.items()}
    if TERMINALS not in what.values():
        problems.append("embodied carbon of terminals is left out: the ledger has none")
    elif not any(what.get(node) == TERMINALS for node in own):
        problems.append("embodied carbon of terminals is left out: --boundary full has them")
    elif not session_s:
        problems.append("embodied carbon of terminals is left out: no sessions are counted")
    else:
        count = session_s / time_s
        return (Held(node=TERMINALS, made=in_use(), count=count, share_frac=1.0),)
    return ()


def _made(entity: Row, power_w: float) -> tuple[tuple[Embodied, float], ...]:
    """What an entity is made of; nothing where no figure is known."""
    if entity.get("what") == "cell":
        return ((embodied(STATION), 1.0),)
    if entity.get("tier") in ROUTED:
        return ((embodied(ROUTER), power_w / ROUTER_W),)
    name, count = recorded(entity)
    inside = entity.get("tier") in ("edge", "cloud") or entity.get("what") == "baseband"
    if not inside or name not in data.table("accelerators"):
        return ()
    return of_server(name, count)


def recorded(entity: Row) -> tuple[str, int]:
    """Accelerator and count of a record such as `2 x h100-sxm, llama-3.1-8b`."""
    match = _RECORD.match(str(entity.get("record") or ""))
    return (match[2], int(match[1] or 1)) if match else ("", 0)


def _share(rows: Sequence[Row], service: str) -> float:
    total = joules_of(rows)
    return (
        joules_of(row for row in rows if row["service"] == service) / total if total > 0.0 else 0.0
    )


def _overhead(row: Row) -> bool:
    return row["component"] in OVERHEAD_COMPONENTS


def joules_of(rows: Iterable[Row]) -> float:
    """Joules of flows."""
    return math.fsum(row["energy_j"] for row in rows)
