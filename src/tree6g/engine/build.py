"""From a scenario to the network of a run: nodes, spectrum, servers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from tree6g.compute.accelerator import accelerator, language_model
from tree6g.compute.batching import BatchServer, Limits
from tree6g.compute.roofline import Replica, iteration, prompt_batch, replica
from tree6g.engine.airtime import Pool
from tree6g.engine.policies import Policy, policy
from tree6g.engine.workload import draw_requests
from tree6g.engine.world import Ai, Carrier, Cell, Host, Source, World, link_node
from tree6g.errors import DataError, InfeasibleError, ScenarioError
from tree6g.metric.profile import class_profile
from tree6g.radio.drop import drop_loss_db
from tree6g.radio.link import shannon as radio
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import station_power
from tree6g.scenario.model import (
    AiService,
    BaseStation,
    Cloud,
    DataService,
    Devices,
    Scenario,
    Server,
    Site,
)
from tree6g.scenario.trace import Trace
from tree6g.traffic.messages import PoissonSources, periodic

PLACES: Final = 4096  # positions drawn for the sources of a data service; more sources share them
EDGE_DB: Final = 1e-6  # keeps the edge of the cell on the near side of rounding
LONG_PROMPT_TOK: Final = 1024.0  # the prompt whose time per token policies reckon with


def build(
    scenario: Scenario, traces: dict[str | None, Trace], chosen: Policy | None = None
) -> World:
    """The world of a run, drawn with one random stream per purpose.

    Args:
        scenario: What to build.
        traces: Traces by AI service; None: all AI requests.
        chosen: Policy in place of the scenario's.

    Raises:
        ScenarioError: Parts that do not go together.
        InfeasibleError: A model that does not fit.
    """
    users, places, arrivals, requests = np.random.SeedSequence(scenario.seed).spawn(4)
    ai = _ai_services(scenario)
    cells = [
        _cell(scenario, site, np.random.default_rng(user), place)
        for site, user, place in zip(
            scenario.sites,
            users.spawn(len(scenario.sites)),
            places.spawn(len(scenario.sites)),
            strict=True,
        )
    ]
    hosts = list(_hosts(scenario, frozenset(s.spec.name for s in ai)))
    _check_nodes(scenario, cells, hosts)
    drawn, end_s = draw_requests(scenario, ai, traces, requests)
    return World(
        scenario=scenario,
        step_s=scenario.step_s,
        arrivals_end_s=end_s,
        cells=cells,
        hosts=hosts,
        links=scenario.links,
        ai=ai,
        sources=list(_sources(scenario, arrivals)),
        policy=chosen or policy(scenario.policy),
        requests=drawn,
        traces={name or "*": trace.source for name, trace in traces.items()},
        delay_budget_s={
            s.name: s.delay_budget_s
            for s in scenario.services
            if isinstance(s, DataService) and s.delay_budget_s is not None
        },
    )


def _check_nodes(scenario: Scenario, cells: Sequence[Cell], hosts: Sequence[Host]) -> None:
    """Every node of the ledger has a name of its own, else two would share their joules."""
    nodes = [name for cell in cells for name in (cell.node, cell.terminals)]
    nodes += [host.node for host in hosts if host.spec is not None]
    nodes += [link_node(cell.site, link) for cell in cells for link in scenario.links]
    for node, count in Counter(nodes).items():
        if count > 1:
            raise ScenarioError(
                f"expected a node of its own for every cell, server, link and site's terminals; "
                f"got '{node}' {count} times. Rename a server or a site: '<site>.cell' and "
                "'<site>.devices' are taken."
            )


def _ai_services(scenario: Scenario) -> list[Ai]:
    specs = [s for s in scenario.services if isinstance(s, AiService)]
    return [
        Ai(index=i, spec=spec, profile=class_profile(spec.token_class, spec.alpha_bit_per_tok))
        for i, spec in enumerate(specs)
    ]


def _sources(scenario: Scenario, seeds: np.random.SeedSequence) -> Iterator[Source]:
    specs = [s for s in scenario.services if isinstance(s, DataService)]
    streams = iter(seeds.spawn(len(specs) * len(scenario.sites)))
    for cell in range(len(scenario.sites)):
        for spec in specs:
            rng = np.random.default_rng(next(streams))
            arrivals = (
                periodic(rng, spec.sources, spec.period_s)
                if spec.arrival == "periodic"
                else PoissonSources(rng=rng, sources=spec.sources, period_s=spec.period_s)
            )
            yield Source(spec=spec, cell=cell, arrivals=arrivals)


def _cell(
    scenario: Scenario, site: Site, rng: np.random.Generator, places: np.random.SeedSequence
) -> Cell:
    base = site.base_station
    try:
        station = station_power(
            base.model,
            bandwidth_hz=base.bandwidth_hz,
            anchor_w=base.anchor_power_w,
            transmit_power_w=base.transmit_power_w,
            sleep=base.sleep,
        )
    except DataError as error:
        raise ScenarioError(f"base station of site '{site.name}': {error}") from error
    loss_db = _losses(scenario, site, rng, places, station.transmit_power_w)
    up = [s.name for s in scenario.services if isinstance(s, AiService) or s.direction == "up"]
    down = [s.name for s in scenario.services if isinstance(s, AiService) or s.direction == "down"]
    return Cell(
        node=f"{site.name}.cell",
        site=site.name,
        pue=site.pue,
        station=station,
        uplink=_uplink(site, up, loss_db),
        downlink=_downlink(site, down, loss_db, station.transmit_power_w),
        terminals=f"{site.name}.devices",
    )


def _losses(
    scenario: Scenario,
    site: Site,
    rng: np.random.Generator,
    places: np.random.SeedSequence,
    power_w: float,
) -> dict[str, FloatArray]:
    """Path loss of the terminals of each service; AI services share the users.

    Who would hear less than the least SINR is taken to be at the cell's edge: it would be served by
    a neighbour. [terminal]
    """
    base = site.base_station
    reach_db = min(
        _downlink_sinr(base, np.zeros(1), power_w)[0] - radio.DOWNLINK.sinr_min_db,
        _uplink_sinr(base, np.zeros(1), 1.0)[0] - radio.UPLINK.sinr_min_db,
    )

    def drop(stream: np.random.Generator, count: int) -> FloatArray:
        loss_db = drop_loss_db(
            stream,
            count,
            environment=site.environment,
            radius_m=site.radius_m,
            frequency_hz=base.frequency_hz,
            h_bs_m=site.height_m,
        )
        return np.minimum(loss_db, reach_db - EDGE_DB)

    users = drop(rng, scenario.population.users)
    streams = places.spawn(len(scenario.services))
    return {
        s.name: users
        if isinstance(s, AiService)
        else drop(np.random.default_rng(stream), min(s.sources, PLACES))
        for s, stream in zip(scenario.services, streams, strict=True)
    }


def _downlink_sinr(base: BaseStation, loss_db: FloatArray, power_w: float) -> FloatArray:
    return radio.sinr_db(
        loss_db,
        power_w=power_w,
        gain_dbi=base.antenna_gain_dbi,
        bandwidth_hz=base.bandwidth_hz,
        noise_figure_db=radio.TERMINAL_NOISE_FIGURE_DB,
        interference_margin_db=base.interference_margin_db,
    )


def _uplink_sinr(base: BaseStation, loss_db: FloatArray, band_frac: float) -> FloatArray:
    return radio.sinr_db(
        loss_db,
        power_w=radio.TERMINAL_POWER_W,
        gain_dbi=base.antenna_gain_dbi,
        bandwidth_hz=base.bandwidth_hz * band_frac,
        noise_figure_db=radio.STATION_NOISE_FIGURE_DB,
        interference_margin_db=base.interference_margin_db,
    )


def _uplink(site: Site, services: Sequence[str], loss_db: dict[str, FloatArray]) -> Carrier:
    """Reserved parts of the band, and the rest for the others; a terminal fills its part."""
    base = site.base_station
    reserved = {s: f for s, f in base.uplink_share.items() if f > 0.0 and s in services}
    others = tuple(s for s in services if s not in reserved)
    pools = [Pool(frac, (name,)) for name, frac in reserved.items()]
    rest = 1.0 - math.fsum(reserved.values())
    time_frac = 1.0 - base.downlink_frac
    if (others and rest < 1e-6) or (services and time_frac <= 0.0):
        raise ScenarioError(
            f"expected uplink spectrum for {', '.join(others or services)} at site '{site.name}'; "
            "got none. Lower downlink_frac or what uplink_share reserves."
        )
    if others:
        pools.append(Pool(rest, others))
    rates = {
        name: radio.rate_bps(
            _uplink_sinr(base, loss_db[name], pool.band_frac),
            base.bandwidth_hz * pool.band_frac,
            time_frac=time_frac,
            quality=radio.UPLINK,
        )
        for pool in pools
        for name in pool.services
    }
    return Carrier(time_frac=time_frac, pools=tuple(pools), rate_bps=rates)


def _downlink(
    site: Site, services: Sequence[str], loss_db: dict[str, FloatArray], power_w: float
) -> Carrier:
    base = site.base_station
    if services and base.downlink_frac <= 0.0:
        raise ScenarioError(
            f"expected downlink_frac above 0 at site '{site.name}'; got 0. "
            f"{', '.join(services)} needs it."
        )
    rates = {
        name: radio.rate_bps(
            _downlink_sinr(base, loss_db[name], power_w),
            base.bandwidth_hz,
            time_frac=base.downlink_frac,
            quality=radio.DOWNLINK,
        )
        for name in services
    }
    pools = (Pool(1.0, tuple(services)),)
    return Carrier(time_frac=base.downlink_frac, pools=pools, rate_bps=rates)


def _hosts(scenario: Scenario, services: frozenset[str]) -> Iterator[Host]:
    """Hosts of each site, terminals first, then the clouds from the nearest on."""
    for i, site in enumerate(scenario.sites):
        if scenario.devices is not None:
            yield _terminals(scenario, site, i, scenario.devices, services)
        for server in site.servers:
            yield _server(site, server, "edge", services, site_index=i)
    latency = {link.to: link.latency_s for link in scenario.links}
    for cloud in sorted(scenario.clouds, key=lambda c: latency[c.name]):
        for server in cloud.servers:
            yield _server(cloud, server, "cloud", services, scenario=scenario)


def _server(
    place: Site | Cloud,
    server: Server,
    tier: str,
    services: frozenset[str],
    *,
    site_index: int | None = None,
    scenario: Scenario | None = None,
) -> Host:
    try:
        constants = replica(
            accelerator(server.accelerator),
            language_model(server.model),
            weights=server.weights,
            count=server.count,
            share_frac=server.share_frac,
        )
    except InfeasibleError as error:
        raise InfeasibleError(f"server '{server.name}' of '{place.name}': {error}") from error
    limits = Limits(
        max_sequences=server.max_batch,
        token_budget=max(server.token_budget, server.max_batch),
        kv_capacity_tok=constants.kv_capacity_tok,
    )
    links = scenario.links if scenario is not None else ()
    return Host(
        node=f"{place.name}.{server.name}",
        tier=tier,
        place=place.name,
        site=site_index,
        pue=place.pue,
        link=next((link for link in links if link.to == place.name), None),
        spec=server,
        model=server.model,
        services=frozenset(server.services) or services,
        replica=constants,
        batch=BatchServer(constants, limits),
        free_s=np.empty(0),
        prompt_s_per_tok=_prompt_s_per_tok(constants),
    )


def _terminals(
    scenario: Scenario, site: Site, index: int, devices: Devices, services: frozenset[str]
) -> Host:
    constants = replica(
        accelerator(devices.accelerator), language_model(devices.model), weights=devices.weights
    )
    return Host(
        node=f"{site.name}.devices",
        tier="device",
        place=site.name,
        site=index,
        pue=1.0,
        link=None,
        spec=None,
        model=devices.model,
        services=frozenset(devices.services) or services,
        replica=constants,
        batch=None,
        free_s=np.zeros(round(devices.capable_frac * scenario.population.users)),
        prompt_s_per_tok=_prompt_s_per_tok(constants),
    )


def _prompt_s_per_tok(constants: Replica) -> float:
    return iteration(constants, prompt_batch(LONG_PROMPT_TOK)).time_s / LONG_PROMPT_TOK
