"""What waits for the air at each cell as a scheduler sees it: worth, budgets, airtime."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from tree6g.engine.airtime import Messages, picked
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.lanes import BoolArray, Line
from tree6g.engine.world import Ai, Cell, World
from tree6g.engine.worth import first_s, next_s, token_beq
from tree6g.radio.pathloss import FloatArray

PROMPT_FRAC: Final = 0.1  # of the time to the first token, for the way of the prompt


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queue:
    """What waits at one cell. Arrays are [message].

    Attributes:
        row: Rows of the line.
        known_s: From when the cell knows of each.
        worth_beq: See `Air`, as those below.
        ready_s: See `Air`.
        due_s: See `Air`.
        bit: See `Air`.
        air_s: See `Air`.
        terminal: See `Air`.
        earns: Whether it is worth something itself: a prompt is not, its answer is.
    """

    row: IntArray
    known_s: FloatArray
    worth_beq: FloatArray
    ready_s: FloatArray
    due_s: FloatArray
    bit: FloatArray
    air_s: FloatArray
    terminal: IntArray
    earns: BoolArray


def queues(
    world: World, kind: str, line: Line, rows: IntArray, air_s: FloatArray
) -> Iterator[tuple[Cell, Queue]]:
    """What waits at each cell in a direction, by arrival."""
    if not len(rows):
        return
    lane = np.repeat(line.lane, np.diff(line.first))[rows]
    some = picked(line.messages, rows)
    worth_beq, due_s = _worth(world, kind, some, world.lanes.service[lane])
    cell, terminal = world.lanes.cell[lane], _terminal(world, lane, some)
    order = np.lexsort((some["ready_s"], cell))
    for at in np.split(order, np.flatnonzero(np.diff(cell[order])) + 1):
        here = world.cells[int(cell[at[0]])]
        yield (
            here,
            Queue(
                row=rows[at],
                known_s=some["heard_s"][at],
                worth_beq=worth_beq[at],
                ready_s=some["ready_s"][at],
                due_s=due_s[at] - here.carrier(kind).latency_s,
                bit=some["left_bit"][at],
                air_s=air_s[rows[at]],
                terminal=terminal[at],
                earns=(some["ref"][at] < 0) | (kind == DOWN),
            ),
        )


def _terminal(world: World, lane: IntArray, some: Messages) -> IntArray:
    """Terminals by one number: those of the users first, then those of each data service."""
    users = len(world.radio.users)
    start, at = {}, users
    for name in world.lanes.names:
        crowd = world.radio.crowd_of[name]
        shared = crowd is world.radio.users
        start[name] = 0 if shared else at
        at += 0 if shared else len(crowd)
    first = np.array([start[name] for name in world.lanes.names])
    return np.asarray(first[world.lanes.service[lane]] + some["terminal"], dtype=np.int64)


def _worth(
    world: World, kind: str, some: Messages, service: IntArray
) -> tuple[FloatArray, FloatArray]:
    """What messages are worth if they are on time, and by when their users must have them.

    The prompt of a request is worth the whole answer that is expected; it may take `PROMPT_FRAC` of
    the time to the first token. Where U is not linear, see `worth.token_beq`.
    """
    worth_beq, due_s = some["left_bit"].copy(), np.full(len(some), np.inf)
    by_name = {source.spec.name: source.spec for source in world.sources}
    ai = {service.spec.name: service for service in world.ai}
    for n in np.flatnonzero(np.bincount(service)).tolist():
        rows, name = np.flatnonzero(service == n), world.lanes.names[n]
        if name in by_name:
            worth_beq[rows] *= by_name[name].weight
            due_s[rows] = some["ready_s"][rows] + world.delay_budget_s.get(name, math.inf)
        else:
            worth_beq[rows], due_s[rows] = _token_worth(world, kind, ai[name], picked(some, rows))
    return worth_beq, due_s


def _token_worth(
    world: World, kind: str, service: Ai, some: Messages
) -> tuple[FloatArray, FloatArray]:
    """The same of an AI service; tensors that change hands are worth nothing, at any time."""
    requests, ref = world.requests, some["ref"]
    profile, name = service.profile, service.spec.name
    value_beq = token_beq(service, world.mean_output_tok[name])
    prompt_tok = profile.k_in * requests.prompt_tok[ref]
    arrival_s = requests.arrival_s[ref]
    if kind == UP:
        worth_beq = value_beq * (prompt_tok + world.mean_output_tok[name])
        due_s = arrival_s + PROMPT_FRAC * first_s(service)
        return np.where(ref >= 0, worth_beq, 0.0), np.where(ref >= 0, due_s, np.inf)
    first = some["number"] == some["tok"]
    worth_beq = value_beq * (some["tok"] + np.where(first, prompt_tok, 0.0))
    due_s = arrival_s + first_s(service) + (some["number"] - some["tok"]) * next_s(service)
    return np.where(ref >= 0, worth_beq, 0.0), np.where(ref >= 0, due_s, np.inf)
