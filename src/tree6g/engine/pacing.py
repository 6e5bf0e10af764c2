"""When servers compute, if a scheduler says so: iteration by iteration through a step.

Between two iterations a server rests: it draws idle power, and what comes waits. An iteration that
has begun is finished. Prompts join at the next iteration.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tree6g.compute.batching import BatchServer, Progress, Usage
from tree6g.compute.roofline import Batch as Work
from tree6g.compute.roofline import iteration
from tree6g.engine import paths
from tree6g.engine.crowd import IntArray
from tree6g.engine.policies.schedule import Batch, Pacing
from tree6g.engine.schedule import Schedule
from tree6g.engine.world import Host, Tick, World
from tree6g.engine.worth import first_s, next_s, token_beq
from tree6g.errors import ScenarioError
from tree6g.radio.pathloss import FloatArray

# Intervals of the scheduler that are kept for a token's way over the air.
AIR_INTERVALS: Final = 2.0


def paces(world: World) -> bool:
    """Whether the scheduler of a run says when servers compute."""
    return world.schedule is not None and isinstance(world.schedule.rule, Pacing)


def advance(world: World, host: Host, tick: Tick) -> Progress:
    """Let a server work and rest until the end of a step."""
    server, t_s = host.batch, tick.t0_s
    assert server is not None  # noqa: S101 - told apart by the caller
    did = server.rest(t_s)
    while (t_s := max(t_s, server.clock_s)) < tick.t1_s:
        begins_s = _start_s(world, host, server, t_s)
        if begins_s > t_s:
            coming_s = max(_after(server.next_arrival_s()), _after(t_s))
            t_s = min(begins_s, coming_s, tick.t1_s)
            did += server.rest(t_s)
        else:
            did += server.begin(_after(t_s))
    return _joined([*did, server.advance(tick.t1_s)])


def _after(t_s: float) -> float:
    return math.nextafter(t_s, math.inf)


def _start_s(world: World, host: Host, server: BatchServer, t_s: float) -> float:
    """When the scheduler wants the next iteration to begin; infinity: there is nobody.

    Raises:
        ScenarioError: It gave no time.
    """
    plan = world.schedule
    assert plan is not None  # noqa: S101 - see `paces`
    assert isinstance(plan.rule, Pacing)  # noqa: S101 - see `paces`
    job, produced = server.sequences()
    if not len(job):
        return math.inf
    begins_s = plan.rule.start(_batch(world, plan, host, server, t_s, job, produced))
    if not isinstance(begins_s, int | float) or math.isnan(begins_s):
        raise ScenarioError(
            f"expected a time in seconds from the scheduler for server '{host.node}'; "
            f"got {begins_s!r}."
        )
    return float(begins_s)


def _batch(
    world: World, plan: Schedule, host: Host, server: BatchServer, t_s: float, job: IntArray,
    produced: IntArray,
) -> Batch:  # fmt: skip
    due_s, budget_s, worth_beq = _tokens(world, plan, host, job, produced)
    work = server.next_work(world.requests.prompt_tok[job[produced == 0]])
    taken_s = float(iteration(server.replica, work).time_s)
    return Batch(
        t_s=t_s,
        price_beq_per_j=plan.price_beq_per_j,
        caution=plan.caution,
        worth_beq=worth_beq,
        due_s=due_s,
        budget_s=budget_s,
        iteration_s=taken_s,
        shared_j=host.pue * _shared_j(server),
        room_frac=server.room_frac(),
    )


def _shared_j(server: BatchServer) -> float:
    """Joules above idle of an iteration with nothing in it: weights, and the time to read them."""
    alone, idle_w = iteration(server.replica, Work()), server.replica.idle_w
    return float(alone.energy_j - idle_w * alone.time_s)


def _tokens(
    world: World, plan: Schedule, host: Host, job: IntArray, produced: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Due times at the server, budgets and worth of the next tokens. [sequence]."""
    requests = world.requests
    service = requests.service[job]
    table = np.array([_terms(world, n) for n in range(len(world.ai))])
    first, further, prompt_beq, token_beq = table[service].T
    cell = world.cells[int(world.cell_of(job[:1])[0])]
    way_s = paths.latency_s(world, host.link, cell.site_index) + cell.downlink.latency_s
    way_s += AIR_INTERVALS * plan.interval_s
    due_s = requests.arrival_s[job] + first + produced * further - way_s
    worth_beq = token_beq + np.where(produced == 0, prompt_beq * requests.prompt_tok[job], 0.0)
    return due_s, first, worth_beq


def _terms(world: World, number: int) -> tuple[float, float, float, float]:
    """Budgets of the first and of further tokens; worth of a prompt token and of an answer's.

    A service with one deadline spreads it over twice its mean answer.
    """
    service = world.ai[number]
    value_beq = token_beq(service, world.mean_output_tok[service.spec.name])
    budget_s, further_s = first_s(service), next_s(service)
    if not service.streams:
        further_s = 0.5 * budget_s / max(world.mean_output_tok[service.spec.name], 1.0)
        budget_s = 0.5 * budget_s
    return budget_s, further_s, value_beq * service.profile.k_in, value_beq


def _joined(did: list[Progress]) -> Progress:
    """What a server did in pieces, as one."""
    usage = Usage()
    for one in did:
        usage.add(one.usage)
    return Progress(
        usage=usage,
        job=np.concatenate([one.job for one in did]),
        number=np.concatenate([one.number for one in did]),
        leaves_s=np.concatenate([one.leaves_s for one in did]),
        sampled=np.sum([one.sampled for one in did], axis=0),
        prompts=np.concatenate([one.prompts for one in did]),
        lost=tuple(lost for one in did for lost in one.lost),
        iterations=did[-1].iterations,
    )
