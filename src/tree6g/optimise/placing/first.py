"""What terminals take on first: answers of their own, or a model that they share with a server.

A terminal takes a request if it is expected well within its budgets and the terminal is free, which
is the rule of the plan's dispatch policy; the others go to a server. A terminal answers one request
at a time and, while it does, sends others on: a loss system of one place, which takes 1 / (1 + a)
of what comes, with a the arrivals that it would take times their mean time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.engine import prospects, splitting
from tree6g.engine.crowd import UP
from tree6g.engine.policies import SAFE_FRAC, Query
from tree6g.engine.split_answers import Shared, way_of
from tree6g.engine.world import Host, Tick, World
from tree6g.optimise.placement.problem import FloatArray
from tree6g.optimise.placing.groups import Group

DEVICE, SPLIT = "device", "split"  # tiers of the options that a dispatch policy is shown
CUTS: Final = 5  # cuts of a shared model that are tried


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class First:
    """What terminals of a group take. Joules and worth are per request of the group.

    Attributes:
        tier: `device` or `split`.
        cut: Layers on the terminal, if the model is shared.
        taken: Share of each sampled request that they take. [request]
        energy_j: Of what they take, above idle, as far as it counts.
        worth_beq: Of what they take, on time.
        server_s: Time at the server that shares the model.
    """

    tier: str
    cut: int | None
    taken: FloatArray
    energy_j: float
    worth_beq: float
    server_s: float = 0.0


def alone(world: World, group: Group, query: Query, *, counts: bool) -> First | None:
    """Terminals that answer by themselves; None where none can, or none would be in time.

    Args:
        world: The network.
        group: Its users.
        query: What a policy is told of their requests.
        counts: Whether terminals are inside the boundary.
    """
    host = _terminals(world, group)
    if host is None:
        return None
    made = [
        prospects.computing(host, round(p), o, 0)
        for p, o in zip(group.prompt_tok.tolist(), group.output_tok.tolist(), strict=True)
    ]
    tpot_s, joules = (np.array(column) for column in zip(*made, strict=True))
    first_s = group.prompt_tok * host.prompt_s_per_tok
    fits = group.prompt_tok + group.output_tok <= host.replica.kv_capacity_tok
    timely = fits & in_time(query, first_s, tpot_s)
    lasts_s = first_s + (group.output_tok - 1.0) * tpot_s
    worth = worths(group, host.model, first_s, tpot_s)
    taken = timely * _free(group, len(host.free_s), timely * lasts_s)
    return _first(DEVICE, None, taken, joules * counts, worth, np.zeros(len(taken)))


def shared(
    world: World, group: Group, one: Shared, query: Query, *, counts: tuple[bool, bool]
) -> list[First]:
    """A model that terminals share with a server, at some cuts, over the air as it is now.

    Args:
        world: The network.
        group: Its users.
        one: The shared model.
        query: What a policy is told of their requests.
        counts: Whether terminals and the server are inside the boundary.
    """
    capable = one.capable.get(group.site, 0)
    if not capable:
        return []
    tick = Tick(t0_s=0.0, t1_s=world.step_s)
    rows = [
        _looped(world, one, int(terminal), tick, (p, o), counts)
        for terminal, p, o in zip(
            group.terminal, group.prompt_tok.tolist(), group.output_tok.tolist(), strict=True
        )
        if world.radio.rate_bps[UP][group.name][terminal] > 0.0
    ]
    if len(rows) < len(group.terminal):  # somebody there has no link
        return []
    first_s, tpot_s, joules, server_s = np.array(rows).transpose(1, 2, 0)  # [cut, request]
    found = []
    for cut in _cuts(one, group, joules):
        timely = in_time(query, first_s[cut], tpot_s[cut])
        lasts_s = first_s[cut] + (group.output_tok - 1.0) * tpot_s[cut]
        worth = worths(group, one.host.model, first_s[cut], tpot_s[cut])
        taken = timely * _free(group, capable, timely * lasts_s)
        made = _first(SPLIT, cut, taken, joules[cut], worth, server_s[cut])
        found += [made] if made is not None else []
    return found


def in_time(query: Query, first_s: FloatArray, tpot_s: FloatArray) -> np.ndarray:
    """As `engine.policies.on_time`, of many. [request]."""
    if query.streams:
        early = first_s <= SAFE_FRAC * query.ttft_budget_s
        return np.asarray(early & (tpot_s <= query.tpot_budget_s))
    whole_s = first_s + (query.mean_output_tok - 1.0) * tpot_s
    return np.asarray(whole_s <= SAFE_FRAC * query.ttft_budget_s)


def worths(group: Group, model: str, first_s: FloatArray, tpot_s: FloatArray) -> FloatArray:
    """Worth on time of the sampled requests. [request]."""
    pace_s = np.broadcast_to(tpot_s, first_s.shape)
    found = [
        prospects.worths(
            group.service, model, prompt_tok=round(p), output_tok=o, ttft_s=f, tpot_s=t
        )[1]
        for p, o, f, t in zip(
            group.prompt_tok.tolist(), group.output_tok.tolist(), first_s.tolist(), pace_s.tolist(),
            strict=True,
        )
    ]  # fmt: skip
    return np.array(found)


def _first(
    tier: str,
    cut: int | None,
    taken: FloatArray,
    joules: FloatArray,
    worth: FloatArray,
    server_s: FloatArray,
) -> First | None:
    if not taken.any():
        return None
    return First(
        tier=tier,
        cut=cut,
        taken=taken,
        energy_j=float((taken * joules).mean()),
        worth_beq=float((taken * worth).mean()),
        server_s=float((taken * server_s).mean()),
    )


def _free(group: Group, terminals: int, lasts_s: FloatArray) -> float:
    """Share of the requests that find their terminal free."""
    offered = group.mean_rps / max(float(group.weight.sum()), 1e-12) / max(terminals, 1)
    return 1.0 / (1.0 + offered * float(lasts_s.mean()))


def _terminals(world: World, group: Group) -> Host | None:
    for host in world.hosts:
        if host.batch is None and host.site == group.site and group.name in host.services:
            return host
    return None


def _looped(
    world: World,
    one: Shared,
    terminal: int,
    tick: Tick,
    tok: tuple[float, float],
    counts: tuple[bool, bool],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """First token, pace, joules and time at the server of a request at every cut. [cut]."""
    prompt_tok, output_tok = tok
    way, sequences = way_of(world, one, terminal, tick), splitting.sequences_of(one)
    loops = (
        one.costs.prompt(max(1, round(prompt_tok)), sequences),
        one.costs.token(prompt_tok + 0.5 * output_tok, sequences),
    )
    times = (1.0, max(output_tok - 1.0, 0.0))
    cell = world.cells[int(world.radio.users.serving[terminal])]
    sender_w = cell.carrier(UP).time_frac * world.scenario.population.terminal.anchor_power_w
    air_w = way.air_w - (0.0 if counts[0] else sender_w)
    joules = np.zeros(one.costs.layers + 1)
    for n, loop in zip(times, loops, strict=True):
        up_bit, down_bit = 8.0 * loop.up_byte, 8.0 * loop.down_byte
        joules += n * (
            counts[0] * loop.device_j
            + counts[1] * one.host.pue * loop.server_j
            + up_bit * air_w / way.air_bps
            + down_bit * way.down_air_w / way.down_bps
            + way.j_per_bit * (up_bit + down_bit)
        )
    server_s = sum(n * loop.server_s for n, loop in zip(times, loops, strict=True)) / sequences
    return loops[0].time_s(way), loops[1].time_s(way), joules, np.asarray(server_s)


def _cuts(one: Shared, group: Group, joules: FloatArray) -> Sequence[int]:
    """Cuts inside the model that fit: evenly some, and the one with the least joules."""
    fits = one.costs.allowed(round(group.mean_prompt_tok), max(1, round(group.mean_output_tok)))
    inside = np.flatnonzero(fits)
    inside = inside[(inside > 0) & (inside < one.costs.layers)]
    if not len(inside):
        return []
    spread = inside[np.unique(np.linspace(0, len(inside) - 1, CUTS).round().astype(np.int64))]
    best = inside[int(np.argmin(joules[inside].mean(axis=1)))]
    return sorted({int(best), *(int(cut) for cut in spread)})


def expected_s(query: Query, network_s: float, output_tok: float) -> tuple[float, float]:
    """Time that a server has to the first token, and per token, for a mean request."""
    if query.streams:
        return SAFE_FRAC * query.ttft_budget_s - network_s, query.tpot_budget_s
    whole_s = SAFE_FRAC * query.ttft_budget_s - network_s
    return 0.5 * whole_s, math.inf if output_tok <= 1.0 else 0.5 * whole_s / (output_tok - 1.0)
