"""The pools of servers of a run, with what the run measured of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tree6g.compute.serial import answer
from tree6g.engine.hosts import limits_of, replica_of
from tree6g.engine.world import Host, World
from tree6g.optimise.servers.demand import Demand, demand
from tree6g.optimise.servers.pool import Pool, options
from tree6g.optimise.servers.trial import trial
from tree6g.scenario.model import AiService, Server

Sums = Mapping[tuple[str, ...], float]
ACTIVE = ("prefill", "decode")


def pools(
    world: World, energy: Sums, tokens: Sums, ttft_s: Mapping[str, float], seconds: float
) -> tuple[Pool, ...]:
    """Pools that answered something, with their options.

    Args:
        world: The run, built again.
        energy: Joules by node, component, state and service.
        tokens: Amounts by node, kind and service.
        ttft_s: Mean time to the first token by service, as users had it.
        seconds: Length of the run.
    """
    found = []
    for alike in _alike(world.hosts):
        nodes = {host.node for host in alike}
        here: dict[str, float] = defaultdict(float)
        for (node, kind, service), count in tokens.items():
            if node in nodes and kind == "token_out" and count > 0.0:
                here[service] += count
        if here:
            joules = dict.fromkeys(("idle", *ACTIVE), 0.0)
            for key, j in energy.items():
                if key[0] in nodes and key[2] in joules:
                    joules[key[2]] += j
            found.append(_pool(world, alike, here, tokens, ttft_s, joules, seconds))
    return tuple(found)


def _alike(hosts: Sequence[Host]) -> Iterator[tuple[Host, ...]]:
    """Hosts of a place whose servers differ by name alone."""
    groups: dict[tuple[str, Server], list[Host]] = defaultdict(list)
    for host in hosts:
        if host.spec is not None:
            groups[host.place, host.spec.model_copy(update={"name": "server"})].append(host)
    yield from (tuple(group) for group in groups.values())


def _pool(
    world: World,
    alike: Sequence[Host],
    here: Mapping[str, float],
    tokens: Sums,
    ttft_s: Mapping[str, float],
    joules: Mapping[str, float],
    seconds: float,
) -> Pool:
    first = alike[0]
    assert first.spec is not None  # noqa: S101 - `_alike` takes servers alone
    every: dict[str, float] = defaultdict(float)
    for (_, kind, service), count in tokens.items():
        every[service] += count if kind == "token_out" else 0.0
    share = {name: count / every[name] for name, count in here.items()}
    asked = demand(world, share, _network_s(world, first, share, len(alike), ttft_s))
    found = options(first.spec, len(alike), asked, first.pue)
    today = found[0]
    return Pool(
        place=first.place,
        names=tuple(host.spec.name for host in alike if host.spec is not None),
        spec=first.spec,
        demand_tps=asked.rate_tps,
        work_frac=_work(world, first, asked),
        idle_w=joules["idle"] / seconds,
        active_w=sum(joules[state] for state in ACTIVE) / seconds,
        expected_scale=first.pue * world.arrivals_end_s / seconds,
        today=today,
        options=(today,) if _is_bound(world, alike) else found,
    )


def _network_s(
    world: World,
    host: Host,
    share: Mapping[str, float],
    servers: int,
    ttft_s: Mapping[str, float],
) -> float:
    """What users wait for their first token beside the server, at least 0."""
    assert host.spec is not None  # noqa: S101 - as above
    constants = replica_of(host.spec)
    asked = demand(world, share).part(1.0 / servers)
    point = trial(constants, limits_of(host.spec, constants).settings(), asked)
    known = [ttft_s[name] for name in share if name in ttft_s]
    if point is None or not known:
        return 0.0
    return max(max(known) - point.ttft_s, 0.0)


def _work(world: World, host: Host, asked: Demand) -> dict[str, float]:
    """Share of each service in the work: its requests by the joules of one, answered alone."""
    work: dict[str, float] = {}
    for ai in world.ai:
        rows = asked.service == ai.index
        if rows.any():
            prompt, output = asked.prompt_tok[rows].mean(), asked.output_tok[rows].mean()
            alone = answer(host.replica, round(prompt), max(round(output), 1))
            work[ai.spec.name] = float(rows.sum() * alone.energy_j.sum())
    total = sum(work.values())
    return {name: part / total for name, part in work.items()}


def _is_bound(world: World, alike: Sequence[Host]) -> bool:
    """Whether something else needs these servers as they are: baseband, a split, an outage."""
    names = {host.spec.name for host in alike if host.spec is not None}
    basebands = {
        site.base_station.baseband.server for site in world.sites if site.base_station.baseband
    }
    splits = {
        service.split.server
        for service in world.scenario.services
        if isinstance(service, AiService) and service.split is not None
    }
    return bool(names & (basebands | splits)) or bool(world.scenario.outages)


def joule_per_tok(
    world: World, made_tok: Mapping[str, float], energy: Sums, tokens: Sums
) -> dict[str, float]:
    """Joules above idle per output token, shared by tokens at each server, by service.

    Args:
        world: The run, built again.
        made_tok: Output tokens by service.
        energy: Joules by node, component, state and service.
        tokens: Amounts by node, kind and service.
    """
    joules = dict.fromkeys(made_tok, 0.0)
    for host in world.hosts:
        active_j = sum(j for k, j in energy.items() if k[0] == host.node and k[2] in ACTIVE)
        here = {name: tokens.get((host.node, "token_out", name), 0.0) for name in made_tok}
        total = sum(here.values())
        for name, count in here.items():
            joules[name] += active_j * count / total if total > 0.0 else 0.0
    return {name: joule / made_tok[name] for name, joule in joules.items()}
