"""Phase 2: a host for every new request, by the policy; its prompt goes on the air."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from tree6g.compute.batching import BatchServer
from tree6g.compute.serial import answer
from tree6g.engine import choosing, outages, paths, prospects, split_option, splitting
from tree6g.engine.airtime import messages
from tree6g.engine.crowd import UP, IntArray
from tree6g.engine.delivery import lose
from tree6g.engine.policies import Option, Prospect, Query
from tree6g.engine.radio import push
from tree6g.engine.world import Ai, Cell, Host, Tick, TokenTable, World
from tree6g.errors import ScenarioError
from tree6g.scenario.variants import quality_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request that looks for a host, and where its user is."""

    request: int
    service: Ai
    home: int
    user: int
    cell: Cell
    arrival_s: float
    prompt_tok: int


class _Server:
    """A server as it was at the start of the step; works out what is asked for, once."""

    def __init__(self, host: Host, batch: BatchServer) -> None:
        self.host, self.batch = host, batch
        self.clock_s, self.waiting_tok = batch.clock_s, batch.waiting_tok
        self.running, self.queued = batch.running, batch.queued
        self.capacity = batch.limits.max_sequences
        self._wait_s: dict[int, float] = {}

    def expected_wait_s(self, coming: int) -> float:
        """Wait for a place in the batch with so many on their way."""
        if self.running + self.queued + coming < self.capacity:
            return 0.0
        known = self._wait_s.get(coming)
        if known is None:
            known = self._wait_s[coming] = self.batch.expected_wait_s(coming)
        return known


class _Foresight:
    """The prospect of an option, worked out when it is asked for, and once."""

    __slots__ = ("_asked", "_found")

    def __init__(self, *asked: Any) -> None:
        self._asked = asked
        self._found: Prospect | None = None

    def __call__(self) -> Prospect:
        if self._found is None:
            self._found = prospects.prospect(*self._asked)
        return self._found


def assign(world: World, tick: Tick) -> None:
    """Ask the policy for each request of the step."""
    rows = np.arange(tick.requests.start, tick.requests.stop)
    again = outages.take(world)
    if again:
        rows = np.concatenate([again, rows])
    if not len(rows):
        return
    if choosing.applies(world):
        _assign_all(world, rows, tick)
    else:
        _assign_each(world, rows, tick)


def _assign_all(world: World, rows: IntArray, tick: Tick) -> None:
    """All at once, by the array form of the policy."""
    host = choosing.choose(world, rows)
    for request in rows[host < 0].tolist():
        lose(world, request)
    sent = rows[host >= 0]
    service = world.requests.service[sent]
    found, first = np.unique(service, return_index=True)
    for index in found[np.argsort(first)].tolist():  # as they come, so that sums add up alike
        _send_prompts(world, world.ai[index], sent[service == index], tick)


def _assign_each(world: World, rows: IntArray, tick: Tick) -> None:
    """One by one, for any policy and any host."""
    prompts: dict[int, list[int]] = {}
    servers = {
        host.number: _Server(host, host.batch) for host in world.hosts if host.batch is not None
    }
    carried, known = prospects.Carried(world, rows), dict[int, Query]()
    for asked in _asked(world, rows):
        request = asked.request
        if splitting.takes(world, request):
            continue
        hosts = [h for h in _candidates(world, asked) if _can(h, asked)]
        options = [_option(world, h, servers.get(h.number), asked, carried) for h in hosts]
        shared = splitting.shared_by(world, request)
        if shared is not None:
            options.append(split_option.option(world, shared, request, tick))
        choice = _chosen(world, asked, _query(world, asked, known), options)
        if choice is None:
            lose(world, request)
        elif shared is not None and choice == len(hosts):
            splitting.begin(world, shared, request)
        elif _takes(world, hosts[choice], asked, tick):
            prompts.setdefault(asked.service.index, []).append(request)
    for service, requests in prompts.items():
        _send_prompts(world, world.ai[service], np.array(requests), tick)


def _chosen(world: World, asked: _Asked, query: Query, options: Sequence[Option]) -> int | None:
    """What the policy says.

    Raises:
        ScenarioError: It is no choice.
    """
    choice = world.policy(query, options)
    if choice is not None and not _is_index(choice, len(options)):
        raise ScenarioError(
            f"expected the index of an option (of {len(options)}), or None, from the dispatch "
            f"policy for service '{asked.service.spec.name}'; got {choice!r}."
        )
    return choice


def _takes(world: World, host: Host, asked: _Asked, tick: Tick) -> bool:
    """Hand a request to a host; whether its prompt is to be sent there."""
    world.requests.host[asked.request] = host.number
    if host.batch is None:
        _answer_on_terminal(world, host, asked.request, tick)
        return False
    host.coming += 1
    host.coming_tok += float(asked.prompt_tok)
    return True


def _asked(world: World, rows: IntArray) -> Iterator[_Asked]:
    """The requests of the step."""
    requests = world.requests
    columns = (
        rows, requests.service[rows], requests.site[rows], requests.user[rows],
        world.cell_of(rows), requests.arrival_s[rows], requests.prompt_tok[rows],
    )  # fmt: skip
    for request, service, home, user, cell, arrival_s, prompt_tok in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        yield _Asked(
            request=request,
            service=world.ai[service],
            home=home,
            user=user,
            cell=world.cells[cell],
            arrival_s=arrival_s,
            prompt_tok=prompt_tok,
        )


def _candidates(world: World, asked: _Asked) -> Sequence[Host]:
    """Hosts of a service at a place: terminals at home, servers at the serving site, clouds."""
    site = asked.cell.site_index
    key = (asked.service.index, asked.home, site)
    found = world.candidates.get(key)
    if found is None:
        name = asked.service.spec.name
        found = world.candidates[key] = tuple(
            host
            for host in world.hosts
            if name in host.services
            and host.site in ((asked.home,) if host.batch is None else (None, site))
        )
    return found


def _is_index(choice: object, count: int) -> bool:
    """Whether a policy's choice is one; yes and no are none."""
    whole = isinstance(choice, Integral) and not isinstance(choice, bool)
    return whole and choice in range(count)


def _can(host: Host, asked: _Asked) -> bool:
    """Whether a candidate can: all servers, and terminals that run a model."""
    if host.batch is None:
        return asked.user < len(host.free_s)
    return host.open and not asked.cell.out


def _query(world: World, asked: _Asked, known: dict[int, Query]) -> Query:
    """What the policy is told; `known` holds what the service decides of it."""
    same = known.get(asked.service.index)
    if same is None:
        same = known[asked.service.index] = choosing.query_of(world, asked.service)
    return Query(
        service=same.service,
        site=asked.cell.site_index,
        arrival_s=asked.arrival_s,
        prompt_tok=asked.prompt_tok,
        ttft_budget_s=same.ttft_budget_s,
        tpot_budget_s=same.tpot_budget_s,
        streams=same.streams,
        mean_output_tok=same.mean_output_tok,
        quality_min_frac=same.quality_min_frac,
        tree_beq_per_j=world.price.beq_per_j,
    )


def _option(
    world: World,
    host: Host,
    server: _Server | None,
    asked: _Asked,
    carried: prospects.Carried,
) -> Option:
    prompt_tok = float(asked.prompt_tok)
    latency_s = paths.latency_s(world, host.link, asked.cell.site_index)
    if server is None:
        wait_s = max(0.0, float(host.free_s[asked.user]) - asked.arrival_s)
        network_s, running, queued, capacity = 0.0, int(wait_s > 0.0), 0, 1
    else:
        ahead_tok = server.waiting_tok + host.coming_tok
        queue_s = ahead_tok * host.prompt_s_per_tok + server.expected_wait_s(host.coming)
        # What the server gets done of it between its last step and this arrival.
        done_s = max(0.0, asked.arrival_s - server.clock_s)
        wait_s = max(0.0, queue_s - done_s)
        radio_s = asked.cell.uplink.latency_s + asked.cell.downlink.latency_s
        network_s, running = 2.0 * latency_s + radio_s, server.running
        queued, capacity = server.queued + host.coming, server.capacity
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
        quality_frac=quality_of(asked.service.spec.quality, host.model),
        foresee=_Foresight(world, host, asked.request, ttft_s, carried, running + queued),
    )


def _send_prompts(world: World, service: Ai, request: IntArray, tick: Tick) -> None:
    requests, spec = world.requests, service.spec
    tokens = requests.prompt_tok[request]
    bit = 8.0 * (spec.prompt_byte_per_tok * tokens + spec.request_overhead_byte)
    ready_s = np.maximum(requests.arrival_s[request], tick.t0_s)  # those who ask again, now
    terminal = world.terminal_of(request)
    push(world, UP, spec.name, messages(ready_s, bit, terminal, ref=request, tok=tokens))


def _answer_on_terminal(world: World, host: Host, request: int, tick: Tick) -> None:
    """A terminal answers by itself, one request after the other; nothing goes on the air.

    As at a server, a context that does not fit into its memory is refused.
    """
    requests, spec = world.requests, world.service_of(request).spec
    user, arrival_s = requests.user[request], float(requests.arrival_s[request])
    prompt, output = int(requests.prompt_tok[request]), int(requests.output_tok[request])
    start_s = max(arrival_s, float(host.free_s[user]), tick.t0_s)
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
