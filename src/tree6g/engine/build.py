"""From a scenario to the network of a run: cells, terminals, hosts, arrivals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tree6g.engine import cells, hosts, learning, listening, places, radio, split_answers, terminals
from tree6g.engine.backbone import Backbone, backbone
from tree6g.engine.baseband import Processor, processors
from tree6g.engine.crowd import DOWN, UP, Radio
from tree6g.engine.lanes import lanes
from tree6g.engine.policies import Policy, policy
from tree6g.engine.policies.schedule import Scheduler
from tree6g.engine.policies.sleep import SleepPolicy, sleep_policy
from tree6g.engine.schedule import schedule
from tree6g.engine.tally import tally
from tree6g.engine.workload import draw_requests
from tree6g.engine.world import (
    Ai,
    Cell,
    Host,
    Requests,
    Source,
    World,
    link_node,
    shared_node,
    terminals_node,
)
from tree6g.engine.worth import profile_of
from tree6g.errors import ScenarioError
from tree6g.scenario.model import AiService, DataService, Scenario, Site
from tree6g.scenario.trace import Trace
from tree6g.traffic.patterns import Asked, traffic


def build(
    scenario: Scenario,
    traces: dict[str | None, Trace],
    chosen: Policy | None = None,
    sleeping: SleepPolicy | None = None,
    scheduling: Scheduler | None = None,
) -> World:
    """The world of a run, drawn with one random stream per purpose.

    Args:
        scenario: What to build.
        traces: Traces by AI service; None: all AI requests.
        chosen: Policy in place of the scenario's.
        sleeping: Sleep policy in place of the scenario's.
        scheduling: Scheduler in place of the scenario's.

    Raises:
        ScenarioError: Parts that do not go together.
        InfeasibleError: A model that does not fit.
    """
    users, drops, arrivals, requests, ground = np.random.SeedSequence(scenario.seed).spawn(5)
    ai = _ai_services(scenario)
    sites, networks = places.expand(scenario, np.random.default_rng(ground))
    all_cells = list(cells.cells(scenario, sites))
    if networks:
        air, moving = terminals.together(scenario, sites, all_cells, networks, users, drops)
    else:
        air, moving = terminals.isolated(scenario, sites, all_cells, users, drops), None
    network = backbone(scenario, sites)
    all_hosts = _hosts(_linked(scenario, network), sites, air, ai)
    processing = processors(sites, all_hosts)
    _check_nodes(scenario, sites, all_cells, all_hosts, network, processing)
    drawn, end_s = draw_requests(scenario, air.users, sites, ai, traces, requests)
    table = lanes(all_cells, scenario.senders)
    world = World(
        scenario=scenario,
        lanes=table,
        tally=tally(table, len(all_cells)),
        step_s=scenario.step_s,
        arrivals_end_s=end_s,
        sites=sites,
        cells=all_cells,
        radio=air,
        motion=moving,
        listening=listening.listening(scenario, all_cells, air),
        hosts=all_hosts,
        links=scenario.links,
        backbone=network,
        schedule=schedule(scenario, scheduling),
        direction={s.name: DOWN if s.direction == "down" else UP for s in _data_services(scenario)},
        shared=tuple(split_answers.shared(scenario, ai, all_hosts)),
        processors=processing,
        ai=ai,
        sources=list(_sources(scenario, sites, arrivals)),
        policy=chosen or policy(scenario.policy),
        sleep_policy=sleeping or sleep_policy(scenario.sleep_policy),
        requests=drawn,
        mean_output_tok={s.spec.name: _mean_output_tok(drawn, s) for s in ai},
        traces={name or "*": trace.source for name, trace in traces.items()},
        delay_budget_s=_delay_budgets_s(scenario),
    )
    radio.attach(world)
    return learning.joined(world)


def _hosts(scenario: Scenario, sites: Sequence[Site], air: Radio, ai: Sequence[Ai]) -> list[Host]:
    """All hosts with their numbers."""
    at_home = np.diff(air.users.first).tolist()
    found = list(hosts.hosts(scenario, sites, at_home, frozenset(s.spec.name for s in ai)))
    for number, host in enumerate(found):
        host.number = number
    return found


def _linked(scenario: Scenario, network: Backbone | None) -> Scenario:
    """The scenario with a link to every cloud: those of the topology have one record each."""
    if network is None:
        return scenario
    return scenario.model_copy(update={"links": (*scenario.links, *network.links.values())})


def _check_nodes(
    scenario: Scenario,
    sites: Sequence[Site],
    cells: Sequence[Cell],
    hosts: Sequence[Host],
    network: Backbone | None,
    processing: Mapping[int, Processor],
) -> None:
    """Every node of the ledger has a name of its own, else two would share their joules."""
    nodes = [cell.node for cell in cells]
    nodes += [terminals_node(site.name) for site in sites]
    nodes += [host.node for host in hosts if host.spec is not None]
    nodes += [link_node(site.name, link) for site in sites for link in scenario.links]
    nodes += [each.node for each in processing.values() if each.count]
    # Cells of a site have one together.
    nodes += sorted({shared_node(cell) for cell in cells if cell.rest.operator_share_frac < 1.0})
    nodes += network.nodes if network is not None else []
    for node, count in Counter(nodes).items():
        if count > 1:
            raise ScenarioError(
                f"expected a node of its own for every cell, server, link and site's terminals; "
                f"got '{node}' {count} times. Rename a server or a site: '<site>.cell', "
                "'<site>.devices', '<site>.baseband' and '<site>.shared' may be taken."
            )


def _ai_services(scenario: Scenario) -> list[Ai]:
    specs = [s for s in scenario.services if isinstance(s, AiService)]
    return [Ai(index=i, spec=spec, profile=profile_of(spec)) for i, spec in enumerate(specs)]


def _delay_budgets_s(scenario: Scenario) -> dict[str, float]:
    budgets = {s.name: s.delay_budget_s for s in _data_services(scenario)}
    return {name: budget_s for name, budget_s in budgets.items() if budget_s is not None}


def _data_services(scenario: Scenario) -> list[DataService]:
    return [s for s in scenario.services if isinstance(s, DataService)]


def _mean_output_tok(requests: Requests, service: Ai) -> float:
    """Mean answer of a service over the run, as an operator knows it from earlier days."""
    mine = requests.output_tok[requests.service == service.index]
    return float(mine.mean()) if len(mine) else 1.0


def _sources(
    scenario: Scenario, sites: Sequence[Site], seeds: np.random.SeedSequence
) -> Iterator[Source]:
    """The sources of all sites of each data service, as one stream."""
    specs = _data_services(scenario)
    for spec, stream in zip(specs, seeds.spawn(len(specs)), strict=True):
        asked = Asked(
            arrival=spec.arrival,
            pattern=spec.pattern,
            sites=len(sites),
            sources=spec.sources,
            message_byte=spec.message_byte,
            period_s=spec.period_s / spec.growth,
            curve=spec.day_curve,
            by_site=places.own_hours(spec.day_curve, sites),
        )
        yield Source(spec=spec, arrivals=traffic(asked, stream))
