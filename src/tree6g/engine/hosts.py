"""Who may answer requests: terminals, edge servers, clouds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from tree6g.compute.accelerator import accelerator, locked, metered
from tree6g.compute.batching import BatchServer, Limits
from tree6g.compute.model.catalogue import tokens_per_result
from tree6g.compute.replica import Replica, replica
from tree6g.compute.roofline import iteration, prompt_batch
from tree6g.engine.world import Host, terminals_node
from tree6g.errors import InfeasibleError
from tree6g.scenario.model import AiService, Cloud, Devices, Scenario, Server, Site
from tree6g.scenario.model_config import model_footprint
from tree6g.scenario.variants import model_of, quality_of, told_as

LONG_PROMPT_TOK: Final = 1024.0  # the prompt whose time per token policies reckon with


def hosts(
    scenario: Scenario, sites: Sequence[Site], users: Sequence[int], services: frozenset[str]
) -> Iterator[Host]:
    """Hosts of each site, terminals first, then the clouds from the nearest on.

    Args:
        scenario: What to build.
        sites: Its sites, a layout's spelled out.
        users: Users of each site.
        services: AI services.
    """
    known = _Known(scenario)
    for i, site in enumerate(sites):
        if scenario.devices is not None:
            yield _terminals(users[i], site, i, scenario.devices, services, known)
        for server in site.servers:
            yield _server(site, server, "edge", services, known, site_index=i)
    latency = {link.to: link.latency_s for link in scenario.links}
    for cloud in sorted(scenario.clouds, key=lambda c: latency[c.name]):
        for server in cloud.servers:
            yield _server(cloud, server, "cloud", services, known, scenario=scenario)


def _server(
    place: Site | Cloud,
    server: Server,
    tier: str,
    services: frozenset[str],
    known: _Known,
    *,
    site_index: int | None = None,
    scenario: Scenario | None = None,
) -> Host:
    try:
        constants = known.replica_of(server)
    except InfeasibleError as error:
        raise InfeasibleError(f"server '{server.name}' of '{place.name}': {error}") from error
    links = scenario.links if scenario is not None else ()
    return Host(
        node=f"{place.name}.{server.name}",
        tier=tier,
        place=place.name,
        site=site_index,
        pue=place.pue,
        link=next((link for link in links if link.to == place.name), None),
        spec=server,
        model=known.name_of(server),
        services=frozenset(server.services) or services,
        replica=constants,
        batch=BatchServer(constants, limits_of(server, constants), kinds=len(services)),
        free_s=np.empty(0),
        prompt_s_per_tok=known.prompt_s_per_tok(constants),
    )


def qualities(service: AiService, answering: Sequence[Host]) -> dict[str, float]:
    """Stated qualities of a service, with those of its hosts under the names of the ledger."""
    own = [
        h.model for h in answering if service.name in h.services and h.model != model_of(h.model)
    ]
    return {**service.quality, **{name: quality_of(service.quality, name) for name in own}}


def tokens_of_results(answering: Sequence[Host]) -> dict[str, float]:
    """What a result of each network counts as in tokens: the factor r of METRIC rule 4."""
    found = {host.model: tokens_per_result(model_of(host.model)) for host in answering}
    return {model: tokens for model, tokens in found.items() if tokens is not None}


def replica_of(server: Server) -> Replica:
    """Constants of an iteration of a server.

    Raises:
        InfeasibleError: Its model does not fit.
    """
    device = locked(accelerator(server.accelerator), server.clock)
    return replica(
        metered(device, server.idle_power_w, server.energy_scale),
        model_footprint(server.model),
        weights=server.weights,
        count=server.count,
        share_frac=server.share_frac,
    )


def limits_of(server: Server, constants: Replica) -> Limits:
    """Bounds of an iteration of a server."""
    return Limits(
        max_sequences=server.max_batch,
        token_budget=max(server.token_budget, server.max_batch),
        kv_capacity_tok=constants.kv_capacity_tok,
    )


class _Known:
    """Constants of the servers so far: those that are alike have one record for theirs."""

    def __init__(self, scenario: Scenario) -> None:
        ai = (s for s in scenario.services if isinstance(s, AiService))
        self._stated = tuple(service.quality for service in ai)
        self._replicas: dict[tuple[object, ...], Replica] = {}
        self._prompt_s_per_tok: dict[int, float] = {}

    def name_of(self, runs: Server | Devices) -> str:
        """What the ledger calls a model."""
        return told_as(runs.model, runs.weights, self._stated)

    def replica_of(self, server: Server) -> Replica:
        """Constants of an iteration of a server.

        Raises:
            InfeasibleError: Its model does not fit.
        """
        key = (
            server.accelerator, server.model, server.weights, server.count, server.share_frac,
            server.clock, server.idle_power_w, server.energy_scale,
        )  # fmt: skip
        found = self._replicas.get(key)
        if found is None:
            found = self._replicas[key] = replica_of(server)
        return found

    def prompt_s_per_tok(self, constants: Replica) -> float:
        """As `long_prompt_s_per_tok`, of constants that are kept here."""
        found = self._prompt_s_per_tok.get(id(constants))
        if found is None:
            found = self._prompt_s_per_tok[id(constants)] = long_prompt_s_per_tok(constants)
        return found


def _terminals(
    users: int,
    site: Site,
    index: int,
    devices: Devices,
    services: frozenset[str],
    known: _Known,
) -> Host:
    constants = replica(
        accelerator(devices.accelerator),
        model_footprint(devices.model),
        weights=devices.weights,
    )
    return Host(
        node=terminals_node(site.name),
        tier="device",
        place=site.name,
        site=index,
        pue=1.0,
        link=None,
        spec=None,
        model=known.name_of(devices),
        services=frozenset(devices.services) or services,
        replica=constants,
        batch=None,
        free_s=np.zeros(round(devices.capable_frac * users)),
        prompt_s_per_tok=long_prompt_s_per_tok(constants),
    )


def long_prompt_s_per_tok(constants: Replica) -> float:
    """Time per token of a long prompt, which policies reckon with."""
    return (
        iteration(constants, prompt_batch(LONG_PROMPT_TOK, window_tok=constants.window_tok)).time_s
        / LONG_PROMPT_TOK
    )
