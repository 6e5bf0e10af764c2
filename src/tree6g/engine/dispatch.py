"""Phase 2: a host for every new request, by the policy; its prompt goes on the air."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from numbers import Integral

import numpy as np

from tree6g.compute.serial import answer
from tree6g.engine import paths, prospects, split_option, splitting
from tree6g.engine.airtime import messages
from tree6g.engine.crowd import UP, IntArray
from tree6g.engine.delivery import lose
from tree6g.engine.policies import Option, Query
from tree6g.engine.radio import push
from tree6g.engine.world import Ai, Host, Tick, TokenTable, World
from tree6g.errors import ScenarioError


def assign(world: World, tick: Tick) -> None:
    """Ask the policy for each request of the step."""
    prompts: dict[int, list[int]] = {}
    for request in tick.requests:
        if splitting.takes(world, request):
            continue
        hosts = [h for h in _candidates(world, request) if _can(world, h, request)]
        options = [_option(world, h, request) for h in hosts]
        shared = splitting.shared_by(world, request)
        if shared is not None:
            options.append(split_option.option(world, shared, request, tick))
        choice = _asked(world, request, options)
        if choice is None:
            lose(world, request)
        elif shared is not None and choice == len(hosts):
            splitting.begin(world, shared, request)
        elif _takes(world, hosts[choice], request):
            prompts.setdefault(int(world.requests.service[request]), []).append(request)
    for service, requests in prompts.items():
        _send_prompts(world, world.ai[service], np.array(requests))


def _asked(world: World, request: int, options: Sequence[Option]) -> int | None:
    """What the policy says.

    Raises:
        ScenarioError: It is no choice.
    """
    choice = world.policy(_query(world, request), options)
    if choice is not None and not _is_index(choice, len(options)):
        raise ScenarioError(
            f"expected the index of an option (of {len(options)}), or None, from the dispatch "
            f"policy for service '{world.service_of(request).spec.name}'; got {choice!r}."
        )
    return choice


def _takes(world: World, host: Host, request: int) -> bool:
    """Hand a request to a host; whether its prompt is to be sent there."""
    world.requests.host[request] = host.number
    if host.batch is None:
        _answer_on_terminal(world, host, request)
        return False
    host.coming += 1
    host.coming_tok += float(world.requests.prompt_tok[request])
    return True


def _candidates(world: World, request: int) -> Sequence[Host]:
    """Hosts of a service at a place: terminals at home, servers at the serving site, clouds."""
    home = int(world.requests.site[request])
    site = world.cells[int(world.cell_of(request))].site_index
    service = int(world.requests.service[request])
    found = world.candidates.get((service, home, site))
    if found is None:
        name = world.ai[service].spec.name
        found = world.candidates[service, home, site] = tuple(
            host
            for host in world.hosts
            if name in host.services
            and host.site in ((home,) if host.batch is None else (None, site))
        )
    return found


def _is_index(choice: object, count: int) -> bool:
    """Whether a policy's choice is one; yes and no are none."""
    whole = isinstance(choice, Integral) and not isinstance(choice, bool)
    return whole and choice in range(count)


def _can(world: World, host: Host, request: int) -> bool:
    """Whether a candidate can: all servers, and terminals that run a model."""
    return host.batch is not None or bool(world.requests.user[request] < len(host.free_s))


def _query(world: World, request: int) -> Query:
    requests, service = world.requests, world.service_of(request)
    profile, spec = service.profile, service.spec
    budget_s = profile.ttft_budget_s or profile.deadline_s
    paced = service.streams and profile.tpot_budget_s is not None
    asked = spec.quality_min_frac
    return Query(
        service=service.spec.name,
        site=world.cells[int(world.cell_of(request))].site_index,
        arrival_s=float(requests.arrival_s[request]),
        prompt_tok=int(requests.prompt_tok[request]),
        ttft_budget_s=math.inf if budget_s is None else budget_s,
        tpot_budget_s=profile.tpot_budget_s or math.inf if paced else math.inf,
        streams=service.streams,
        mean_output_tok=world.mean_output_tok[spec.name],
        quality_min_frac=(prospects.quality_min_frac(spec.token_class) if asked is None else asked),
    )


def _option(world: World, host: Host, request: int) -> Option:
    prompt_tok = float(world.requests.prompt_tok[request])
    site = world.cells[int(world.cell_of(request))].site_index
    latency_s = paths.latency_s(world, host.link, site)
    if host.batch is None:
        free_s = host.free_s[world.requests.user[request]]
        wait_s = max(0.0, float(free_s - world.requests.arrival_s[request]))
        network_s, running, queued, capacity = 0.0, int(wait_s > 0.0), 0, 1
    else:
        ahead_tok = host.batch.waiting_tok + host.coming_tok
        queue_s = ahead_tok * host.prompt_s_per_tok + host.batch.expected_wait_s(host.coming)
        # What the server gets done of it between its last step and this arrival.
        done_s = max(0.0, float(world.requests.arrival_s[request]) - host.batch.clock_s)
        wait_s = max(0.0, queue_s - done_s)
        cell = world.cells[int(world.cell_of(request))]
        radio_s = cell.uplink.latency_s + cell.downlink.latency_s
        network_s, running = 2.0 * latency_s + radio_s, host.batch.running
        queued = host.batch.queued + host.coming
        capacity = host.batch.limits.max_sequences
    ttft_s = wait_s + prompt_tok * host.prompt_s_per_tok + network_s
    return Option(
        node=host.node,
        tier=host.tier,
        latency_s=latency_s,
        expected_ttft_s=ttft_s,
        running=running,
        queued=queued,
        capacity=capacity,
        model=host.model,
        quality_frac=world.service_of(request).spec.quality.get(host.model, 1.0),
        foresee=cache(lambda: prospects.prospect(world, host, request, ttft_s)),
    )


def _send_prompts(world: World, service: Ai, request: IntArray) -> None:
    requests, spec = world.requests, service.spec
    tokens = requests.prompt_tok[request]
    bit = 8.0 * (spec.prompt_byte_per_tok * tokens + spec.request_overhead_byte)
    ready_s, terminal = requests.arrival_s[request], world.terminal_of(request)
    push(world, UP, spec.name, messages(ready_s, bit, terminal, ref=request, tok=tokens))


def _answer_on_terminal(world: World, host: Host, request: int) -> None:
    """A terminal answers by itself, one request after the other; nothing goes on the air.

    As at a server, a context that does not fit into its memory is refused.
    """
    requests, spec = world.requests, world.service_of(request).spec
    user, arrival_s = requests.user[request], float(requests.arrival_s[request])
    prompt, output = int(requests.prompt_tok[request]), int(requests.output_tok[request])
    start_s = max(arrival_s, float(host.free_s[user]))
    made = answer(host.replica, prompt, output)
    fits = prompt + output <= host.replica.kv_capacity_tok
    if not fits or start_s + made.time_s[0] > arrival_s + spec.patience_s:
        lose(world, request)
        return
    host.free_s[user] = start_s + made.time_s[-1]
    table = TokenTable(
        ref=np.full(output, request),
        number=np.arange(1, output + 1),
        leaves_s=start_s + made.time_s,
        gap_s=np.diff(made.time_s, prepend=0.0),
        energy_j=made.energy_j,
    )
    host.answers = table if host.answers is None else host.answers.joined(table)
