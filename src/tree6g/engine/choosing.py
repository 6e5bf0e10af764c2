"""All requests of a step to their hosts at once, for policies that have an array form.

What `dispatch` does request by request, as one loop over arrays: a request that is sent to a server
is on its way there for those after it. The loop is compiled in a process that has loaded a
compiler; else the same source runs as plain Python, and the same hosts come out.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.compute.batching import BatchServer, answers_s
from tree6g.engine import paths, prospects
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.policies import Policy, Query, table
from tree6g.engine.policies.table import LATENCY_S, LOAD_FRAC, NOBODY, TIER, TIERS, TTFT_S
from tree6g.engine.world import Ai, Host, World
from tree6g.radio.air_step import is_compiled
from tree6g.radio.pathloss import FloatArray

Pick = Callable[[FloatArray, FloatArray, int], int]


class Asked(NamedTuple):
    """Requests that look for a host. Arrays are [request].

    Attributes:
        place: Row of the candidates: service and site together.
        service: Number of the service.
        site: Site of the cell that serves the user.
        arrival_s: When each was sent.
        prompt_tok: Length of the prompt.
        radio_s: Latency of the cell, both ways.
        cut: Whether the cell is out, so that no server is reached.
    """

    place: IntArray
    service: IntArray
    site: IntArray
    arrival_s: FloatArray
    prompt_tok: IntArray
    radio_s: FloatArray
    cut: npt.NDArray[np.bool_]


class Servers(NamedTuple):
    """Hosts as they were at the start of the step. Arrays are [host], but `latency_s`.

    Attributes:
        tier: By number.
        latency_s: One-way latency of the transport. [host, site]
        prompt_s_per_tok: Time of a prompt token.
        clock_s: Until when it has worked.
        waiting_tok: Prompt tokens that wait there.
        running: Sequences in the batch.
        queued: Requests that wait.
        capacity: Places in the batch.
        answer_s: Time of a mean answer, 0 where it has answered nobody.
        coming: Prompts on their way; the loop adds to it.
        coming_tok: Their tokens; the loop adds to it.
        out: Whether it has failed, or is not on.
    """

    tier: FloatArray
    latency_s: FloatArray
    prompt_s_per_tok: FloatArray
    clock_s: FloatArray
    waiting_tok: FloatArray
    running: IntArray
    queued: IntArray
    capacity: IntArray
    answer_s: FloatArray
    coming: IntArray
    coming_tok: FloatArray
    out: npt.NDArray[np.bool_]


class Network(NamedTuple):
    """What of it stays for the whole run.

    Attributes:
        first: First candidate of each place in `host`, and the end of the last one. [place + 1]
        host: Candidates, place by place, nearest first.
        asked: What services ask for, as `policies.table` has it. [service, field]
        tier: Tier of each host, by number. [host]
        latency_s: One-way latency of the transport. [host, site]
        prompt_s_per_tok: Time of a prompt token. [host]
    """

    first: IntArray
    host: IntArray
    asked: FloatArray
    tier: FloatArray
    latency_s: FloatArray
    prompt_s_per_tok: FloatArray


def array_form(policy: Policy) -> Pick | None:
    """The array form of a policy, None if it has none."""
    module = sys.modules.get(getattr(policy, "__module__", ""))
    if module is None or getattr(module, "choose", None) is not policy:
        return None
    ours = module.__name__.startswith(f"{Policy.__module__}.")
    return getattr(module, "pick", None) if ours else None


def applies(world: World) -> bool:
    """Whether all requests of a step can be sent to their hosts at once."""
    if world.shared or any(host.batch is None for host in world.hosts):
        return False
    return array_form(world.policy) is not None


def choose(world: World, rows: IntArray, *, loop: Callable[..., Any] | None = None) -> IntArray:
    """The host of each request, `NOBODY` where it is refused; hosts count those on their way.

    Args:
        world: The run.
        rows: Requests in the order in which they are sent. [request]
        loop: The loop in place of `loop_of` the policy.
    """
    pick = array_form(world.policy)
    assert pick is not None  # noqa: S101 - see `applies`
    if world.network is None:
        world.network = network(world)
    fixed: Network = world.network
    requests, sites = world.requests, len(world.sites)
    cell = world.cell_of(rows)
    site = np.array([c.site_index for c in world.cells])[cell]
    service = requests.service[rows]
    asked = Asked(
        place=service * sites + site,
        service=service,
        site=site,
        arrival_s=requests.arrival_s[rows],
        prompt_tok=requests.prompt_tok[rows],
        radio_s=(world.latencies_s(UP) + world.latencies_s(DOWN))[cell],
        cut=np.array([c.out for c in world.cells])[cell],
    )
    servers = _servers(world, fixed, len(rows))
    found = np.empty(len(rows), dtype=np.int64)
    loop = loop or loop_of(pick, compiled=is_compiled())
    options = np.zeros((table.OPTIONS, max(len(world.hosts), 1)))
    loop(asked, servers, fixed.first, fixed.host, fixed.asked, options, found)
    for host, coming, tok in zip(
        world.hosts, servers.coming.tolist(), servers.coming_tok.tolist(), strict=True
    ):
        host.coming, host.coming_tok = coming, tok
    requests.host[rows] = found
    return found


def choose_all(
    asked: Asked,
    servers: Servers,
    first: IntArray,
    candidate: IntArray,
    query: FloatArray,
    options: FloatArray,
    found: IntArray,
    rule: Pick | None = None,
) -> None:
    """The loop; arguments as `Asked`, `Servers` and `Network`, `options` is room for a request's.

    Compiled, `rule` is `pick`.
    """
    there = np.empty(options.shape[1], dtype=np.int64)
    for r in range(len(found)):
        count = 0
        for at in range(first[asked.place[r]], first[asked.place[r] + 1]):
            h = candidate[at]
            if not (servers.out[h] or asked.cut[r]):
                fill(asked, servers, r, h, options, count)
                there[count] = h
                count += 1
        wanted = query[asked.service[r]]
        chosen = pick(wanted, options, count) if rule is None else rule(wanted, options, count)
        found[r] = NOBODY
        if chosen >= 0:
            h = there[chosen]
            found[r] = h
            servers.coming[h] += 1
            servers.coming_tok[h] += asked.prompt_tok[r]


def fill(asked: Asked, servers: Servers, r: int, h: int, options: FloatArray, at: int) -> None:
    """What a request may expect of a server, as `dispatch` has it of a single one."""
    queued = servers.queued[h] + servers.coming[h]
    ahead = servers.running[h] + queued - servers.capacity[h] + 1
    wait_s = 0.0
    if ahead > 0 and servers.answer_s[h] > 0.0:
        wait_s = ahead * servers.answer_s[h] / servers.capacity[h]
    ahead_tok = servers.waiting_tok[h] + servers.coming_tok[h]
    queue_s = ahead_tok * servers.prompt_s_per_tok[h] + wait_s
    done_s = max(0.0, asked.arrival_s[r] - servers.clock_s[h])
    network_s = 2.0 * servers.latency_s[h, asked.site[r]] + asked.radio_s[r]
    own_s = float(asked.prompt_tok[r]) * servers.prompt_s_per_tok[h]
    options[TTFT_S, at] = max(0.0, queue_s - done_s) + own_s + network_s
    options[LOAD_FRAC, at] = (servers.running[h] + queued) / servers.capacity[h]
    options[TIER, at] = servers.tier[h]
    options[LATENCY_S, at] = servers.latency_s[h, asked.site[r]]


def pick(asked: FloatArray, options: FloatArray, count: int) -> int:
    """Stands for the policy's own in the source of the loop."""
    raise NotImplementedError


def loop_of(rule: Pick, *, compiled: bool) -> Callable[..., Any]:
    """The loop with a policy's rule in it."""
    return _compiled(rule) if compiled else functools.partial(choose_all, rule=rule)


@functools.cache
def _compiled(rule: Pick) -> Callable[..., Any]:
    """The loop with a policy's rule in it, compiled."""
    from tree6g.radio.link.compiler import compiled_together

    return compiled_together(
        [table.sooner, table.as_near, table.first_of_tier, table.first_of_all, table.least,
         rule, fill, choose_all]
    )  # fmt: skip


def network(world: World) -> Network:
    """What the run's hosts, sites and services are to a request."""
    hosts, sites = world.hosts, range(len(world.sites))
    rows = [
        [h.number for h in hosts if service.spec.name in h.services and h.site in (None, site)]
        for service in world.ai
        for site in sites
    ]
    return Network(
        first=np.cumsum([0, *map(len, rows)], dtype=np.int64),
        host=np.array([number for row in rows for number in row], dtype=np.int64),
        asked=np.array([_asked_of(world, service) for service in world.ai]),
        tier=np.array([TIERS.index(host.tier) for host in hosts], dtype=np.float64),
        latency_s=np.array(
            [[paths.latency_s(world, host.link, site) for site in sites] for host in hosts]
        ).reshape(len(hosts), len(sites)),
        prompt_s_per_tok=np.array([host.prompt_s_per_tok for host in hosts], dtype=np.float64),
    )


def _asked_of(world: World, service: Ai) -> list[float]:
    """The columns of `policies.table` for a service."""
    query = query_of(world, service)
    found = [0.0] * table.ASKED
    found[table.BUDGET_S] = query.ttft_budget_s
    found[table.TPOT_BUDGET_S] = query.tpot_budget_s
    found[table.STREAMS] = float(query.streams)
    found[table.OUTPUT_TOK] = query.mean_output_tok
    found[table.QUALITY_MIN] = query.quality_min_frac
    return found


def query_of(world: World, service: Ai) -> Query:
    """What a policy is told of a request, as far as its service decides it."""
    spec, profile = service.spec, service.profile
    budget_s = profile.ttft_budget_s or profile.deadline_s
    paced = service.streams and profile.tpot_budget_s is not None
    least = spec.quality_min_frac
    return Query(
        service=spec.name,
        site=0,
        arrival_s=0.0,
        prompt_tok=0,
        ttft_budget_s=math.inf if budget_s is None else budget_s,
        tpot_budget_s=profile.tpot_budget_s or math.inf if paced else math.inf,
        streams=service.streams,
        mean_output_tok=world.mean_output_tok[spec.name],
        quality_min_frac=prospects.quality_min_frac(spec.token_class) if least is None else least,
    )


def _servers(world: World, fixed: Network, more: int) -> Servers:
    """Hosts now; `more` is the most requests that may be sent to one."""
    hosts = world.hosts
    batches = [host.batch for host in hosts if host.batch is not None]
    reals, whole = np.float64, np.int64
    return Servers(
        tier=fixed.tier,
        latency_s=fixed.latency_s,
        prompt_s_per_tok=fixed.prompt_s_per_tok,
        clock_s=np.array([batch.clock_s for batch in batches], dtype=reals),
        waiting_tok=np.array([batch.waiting_tok for batch in batches], dtype=reals),
        running=np.array([batch.running for batch in batches], dtype=whole),
        queued=np.array([batch.queued for batch in batches], dtype=whole),
        capacity=np.array([batch.limits.max_sequences for batch in batches], dtype=whole),
        answer_s=_answers_s(hosts, more),
        coming=np.array([host.coming for host in hosts], dtype=whole),
        coming_tok=np.array([host.coming_tok for host in hosts], dtype=reals),
        out=np.array([not host.open for host in hosts], dtype=np.bool_),
    )


def _answers_s(hosts: Sequence[Host], more: int) -> FloatArray:
    """Time of a mean answer, where somebody may have to wait for one. [host]."""
    found = np.zeros(len(hosts))
    alike: dict[int, list[tuple[int, BatchServer]]] = {}
    for n, host in enumerate(hosts):
        assert host.batch is not None  # noqa: S101 - see `applies`
        there = host.batch.running + host.batch.queued + host.coming
        if there + more >= host.batch.limits.max_sequences:
            alike.setdefault(id(host.replica), []).append((n, host.batch))
    for some in alike.values():
        found[[n for n, _ in some]] = answers_s([batch for _, batch in some])
    return found
