"""The header of a run's ledger, and the tables that stand once: entities, services, coverage."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

import numpy as np

from tree6g.engine import (
    baseband,
    hosts,
    learning,
    listening,
    load,
    motion,
    outages,
    power,
    schedule,
    sleep,
    splitting,
    standby,
)
from tree6g.engine.backbone import FULL_FRAC
from tree6g.engine.ledger import TRAFFIC, node_tiers
from tree6g.engine.policies.own import OwnPolicy
from tree6g.engine.world import (
    LOST,
    SERVED,
    Cell,
    World,
    link_node,
    shared_node,
    terminals_node,
)
from tree6g.ledger.meta import Meta, digest
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.profile import Profile, data_profile, service_meta
from tree6g.scenario.load import config_hash, dump
from tree6g.scenario.model import DataService
from tree6g.version import __version__

# About 2.5 billion prompts a day of 700 million weekly users (OpenAI, July 2025) are 0.15 per user
# and hour; ten times a busy hour of that is far beyond today's use.
STRESS_PER_USER_HOUR: Final = 10.0
# Above it the mean wait of an M/D/1 queue is more than half of a message's own time on the link.
LINK_BUSY_FRAC: Final = 0.5
LINKS_SHOWN: Final = 5
EARTH: Final = "EARTH: P = N_TRX (P0 + slope P_out); Auer et al., IEEE Wireless Comm. 18(5) 2011"
TR38864: Final = "relative power of TR 38.864 V18.1.0 clause 5.1"
TR38840: Final = "relative power of TR 38.840 V16.0.0 clause 8.1"
LINKS: Final = {
    "shannon": "attenuated Shannon rates of TR 38.803",
    "mcs": "rates of the MCS tables of TS 38.214 with HARQ",
}
SOURCES: Final = {
    power.ROOFLINE: (
        "t = hypot(W/BW, FLOP/F) + KV/BW + host times, E = P_static t + e_B bytes + e_F FLOP, "
        "constants of table accelerators; state idle is context idle over the whole time, prefill "
        "and decode are above it, and so is train (training.federated.device), unmeasured"
    ),
    power.HOST: "host_power of the scenario per accelerator, always on",
    baseband.BASEBAND: baseband.SOURCE,
    power.LINK: "P_idle t + e bits, both of the scenario",
    power.SITE: "(PUE - 1) x joules of the equipment",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestCount:
    """What became of the AI requests.

    Attributes:
        arrived: All of them.
        served: Answered whole.
        on_time: Of these, without a late token.
        lost: Refused, given up or unfinished at the end.
    """

    arrived: int
    served: int
    on_time: int
    lost: int


def count_requests(world: World) -> RequestCount:
    """Outcome of all requests; arrived = served + lost."""
    requests = world.requests
    served = requests.outcome == SERVED
    return RequestCount(
        arrived=len(requests),
        served=int(served.sum()),
        on_time=int((served & (requests.late_tok == 0)).sum()),
        lost=int((requests.outcome == LOST).sum()),
    )


def requests_per_user_hour(world: World) -> float:
    """AI requests per person and hour of the time in which they arrive."""
    people = len(world.radio.users)
    return len(world.requests) / people / (world.arrivals_end_s / 3600.0)


def first_meta(world: World) -> Meta:
    """The header before the run."""
    scenario = world.scenario
    plain = dump(scenario)
    return Meta(
        boundary=scenario.boundary,
        attribution_interval_s=scenario.ledger_interval_s,
        services=_services(world),
        attribution=scenario.attribution,
        idle_rule=scenario.idle_rule,
        scenario=plain,
        scenario_hash=_configuration_hash(world),
        producer=f"tree6g {__version__}",
        sources=_sources(world),
    )


def _configuration_hash(world: World) -> str:
    """Hash of all that decides the rows: the scenario, and the traces that replace its requests."""
    own = config_hash(world.scenario)
    return digest({"scenario": own, "traces": dict(world.traces)}) if world.traces else own


def last_meta(world: World, meta: Meta) -> Meta:
    """The header after it: phase weights, control sums, what a reader must know."""
    count = count_requests(world)
    rate = requests_per_user_hour(world)
    control = {
        "energy_j": {node: math.fsum(steps) for node, steps in sorted(world.book.control.items())},
        "requests": dataclasses.asdict(count),
        "requests_per_user_hour": rate,
        "traces": dict(world.traces),
        **learning.control(world),
    }
    return dataclasses.replace(
        meta,
        phase_weights=tuple(_phase_weights(world)),
        control=control,
        notes=tuple(_notes(world, rate)),
    )


def write_tables(world: World, writer: LedgerWriter, end_s: float) -> None:
    """Entities, services, and the coverage of every source over the whole run."""
    rows = _entities(world)
    writer.append("entity", {name: [row[name] for row in rows] for name in rows[0]})
    writer.append("service", _service_columns(world))
    for source in (TRAFFIC, *sorted(world.book.sources)):
        writer.append(
            "coverage",
            {
                "t0_s": [0.0],
                "t1_s": end_s,
                "source": source,
                "quantity": "work" if source == TRAFFIC else "energy",
                "status": "ok",
            },
        )


def _services(world: World) -> dict[str, dict[str, Any]]:
    ai = {
        s.spec.name: service_meta(
            "ai",
            s.profile,
            weight=s.spec.weight,
            quality=hosts.qualities(s.spec, world.hosts),
            tokenizer=hosts.tokens_of_results(world.hosts) if s.spec.result == "image" else None,
            token_class=s.spec.token_class,
            slice=s.spec.slice,
            qos=s.spec.qos,
        )
        for s in world.ai
    }
    data = {
        s.name: service_meta(
            "data", data_profile(s.delay_budget_s), weight=s.weight, slice=s.slice, qos=s.qos
        )
        for s in world.scenario.services
        if isinstance(s, DataService)
    }
    return ai | data | _learning(world)


def _learning(world: World) -> dict[str, dict[str, Any]]:
    """Learning as a service whose bits and joules have no worth of their own."""
    asked = world.scenario.learning
    if asked is None:
        return {}
    return {asked.name: service_meta("internal", Profile(id="none"), slice=asked.slice)}


def _service_columns(world: World) -> dict[str, list[Any]]:
    services = _services(world)
    return {
        "service": list(services),
        "kind": [s["kind"] for s in services.values()],
        "slice": [s["slice"] for s in services.values()],
        "qos": [s["qos"] for s in services.values()],
        "token_class": [s["token_class"] for s in services.values()],
        "profile": [s["profile"]["id"] for s in services.values()],
        "profile_hash": [digest(s["profile"]) for s in services.values()],
    }


def _sources(world: World) -> dict[str, str]:
    texts = [station_source(cell) for cell in world.cells]
    links = {cell.spec.link for cell in world.cells}
    rates = " and ".join(LINKS[link] for link in sorted(links))
    return {
        **SOURCES,
        power.STATION: "; ".join(dict.fromkeys(texts)),
        listening.TERMINAL: _terminal_source(world),
        TRAFFIC: f"queues of the simulation: {rates}, TR 38.901 path loss",
    }


def _terminal_source(world: World) -> str:
    """What of the terminals' radios is counted, and where the watts come from."""
    terminal = world.scenario.population.terminal
    anchor = f"{terminal.anchor_power_w:g} W while a terminal sends at 23 dBm"
    anchor += f" ({terminal.anchor_source or 'no source stated'})"
    if world.listening is None:
        return f"{anchor}; nothing else of it"
    return (
        f"{TR38840}, anchored at {anchor}; all of a terminal while it is connected, under the "
        "service of its last message"
    )


def station_source(cell: Cell) -> str:
    """The power model, and where its watts come from."""
    anchor_w = cell.spec.anchor_power_w
    if not cell.station.model.startswith("tr38864") or anchor_w is None:
        return EARTH
    source = cell.spec.anchor_source or "no source stated"
    return f"{TR38864}, anchored at {anchor_w:g} W of full downlink ({source})"


def _entities(world: World) -> list[dict[str, Any]]:
    scenario, tiers = world.scenario, node_tiers(world)
    rows = [
        _entity(c.node, tiers, c.site, "ran network operator full", "cell", c.station.model)
        for c in world.cells
    ]
    shared = {shared_node(c): c for c in world.cells if c.rest.operator_share_frac < 1.0}
    rows += [
        _entity(node, tiers, c.site, "full", "other operators' share", c.station.model)
        for node, c in shared.items()
    ]
    rented = {cloud.name for cloud in scenario.clouds if cloud.rented}
    for host in world.hosts:
        if host.spec is not None:
            inside = "full" if host.place in rented else "operator full"
            record = f"{host.spec.count} x {host.spec.accelerator}, {host.model}"
            rows.append(_entity(host.node, tiers, host.place, inside, "server", record))
    rows += [
        _entity(
            each.node, tiers, world.sites[each.site].name, "ran network operator full", "baseband",
            f"{each.count} x {each.spec.accelerator}",
        )
        for each in world.processors.values()
        if each.count
    ]  # fmt: skip
    device = scenario.devices
    terminal = f"{device.accelerator}, {device.model}" if device else ""
    rows += [
        _entity(terminals_node(site.name), tiers, site.name, "full", "terminals", terminal)
        for site in world.sites
    ]
    links = [(site.name, link) for link in world.links for site in world.sites]
    rows += [
        _entity(link_node(site, link), tiers, site, "network operator full", "link", link.to)
        for site, link in links
    ]
    network = world.backbone
    for number in network.used if network is not None else ():
        assert network is not None  # noqa: S101 - just looked at
        edge = network.network.edges[number]
        node, record = network.node(number), f"{edge.a} - {edge.b}"
        rows.append(_entity(node, tiers, "", "network operator full", "link", record))
    return rows


def inside(world: World) -> frozenset[str]:
    """Nodes inside the scenario's boundary."""
    bound = world.scenario.boundary
    return frozenset(r["node"] for r in _entities(world) if bound in r["boundaries"].split())


def _entity(
    node: str, tiers: dict[str, str], site: str, boundaries: str, what: str, record: str
) -> dict[str, Any]:
    return {
        "node": node,
        "tier": tiers.get(node, "transport"),
        "boundaries": boundaries,
        "site": site or None,
        "what": what,
        "record": record or None,
    }


def _phase_weights(world: World) -> list[dict[str, Any]]:
    """Seconds of an accelerator per prompt and per answer token, of this run.

    So a token-weighted share of a host is its share of the time in which the host was busy. Where
    it shares its accelerators with the baseband, which demands seconds of a whole one, so do they.
    """
    rows = []
    sharing = {each.node for each in world.processors.values() if each.shared_count}
    for host in world.hosts:
        whole = 1.0
        if host.node in sharing and host.spec is not None:
            whole = host.spec.count * host.spec.share_frac
        pairs = (
            ("token_in", host.busy.prefill_s, host.demand_in_tok),
            ("token_out", host.busy.decode_s, host.demand_out_tok),
        )
        rows += [
            {
                "kind": k,
                "weight": whole * s / tok,
                "node": host.node,
                "model": host.model,
                "unit": "s",
            }
            for k, s, tok in pairs
            if tok > 0.0
        ]
    return rows


def _transport_notes(world: World) -> list[str]:
    """Links of the topology that were so full that messages waited for one another."""
    network = world.backbone
    if network is None:
        return []
    peak = network.peak_frac.max(axis=1)
    busy = [(network.network.edges[n].name, float(peak[n])) for n in network.used]
    notes = [
        f"The transport link {name} carried up to {load:.0%} of one direction's rate within a step"
        + ("; above 95 % its waits are bounds, not means." if load > FULL_FRAC else ".")
        for name, load in busy
        if load > LINK_BUSY_FRAC
    ]
    return notes[:LINKS_SHOWN] + (
        [f"So did {len(notes) - LINKS_SHOWN} more."] if len(notes) > LINKS_SHOWN else []
    )


def _policy_notes(world: World) -> list[str]:
    """A dispatch policy from somebody's file, by its name and hash."""
    if not isinstance(world.policy, OwnPolicy):
        return []
    file = world.policy.file
    return [f"Requests were dispatched by the policy {file.name} (SHA-256 {file.sha256[:12]})."]


def _notes(world: World, rate: float) -> list[str]:
    notes = []
    if len(world.requests):
        note = f"Each user sends {rate:.3g} AI requests per hour (requests_per_user_hour)"
        if rate > STRESS_PER_USER_HOUR:
            note += (
                f": above {STRESS_PER_USER_HOUR:g} this is a stress test, far beyond today's use "
                "of about 0.15"
            )
        notes.append(note + ".")
    notes += _policy_notes(world)
    notes += schedule.notes(world)
    notes += [f"Requests come from the trace {source}." for source in world.traces.values()]
    notes += listening.notes(world)
    notes += [
        f"The link to {to} carried up to {load:.0%} of its rate within a step, both directions "
        "together; it has no queue here, so delays over it are too short."
        for to, load in world.link_peak_frac.items()
        if load > LINK_BUSY_FRAC
    ]
    notes += [*_transport_notes(world), *outages.notes(world)]
    notes += [*load.notes(world), *motion.notes(world)]
    notes += [*sleep.notes(world), *standby.notes(world), *splitting.notes(world)]
    notes += learning.notes(world)
    answered = np.unique(world.requests.host).tolist()
    tiers = sorted({world.hosts[host].tier for host in answered if host >= 0})
    if len(tiers) > 1:
        notes.append(f"Requests were answered by {', '.join(tiers)}.")
    return notes
