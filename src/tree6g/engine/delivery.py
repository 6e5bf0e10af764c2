"""What becomes of work: delivered on time, delivered late, lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tree6g.engine import lanes
from tree6g.engine.airtime import Messages
from tree6g.engine.crowd import IntArray
from tree6g.engine.world import LOST, RUNNING, SERVED, Cell, World
from tree6g.metric.on_time import late
from tree6g.radio.pathloss import FloatArray

BoolArray = npt.NDArray[np.bool_]


def deliver_data(
    world: World,
    service: str,
    kind: str,
    cell: IntArray,
    sent: Messages,
    reached_s: FloatArray,
) -> None:
    """Messages of a data service reach their end; those after their delay budget are late.

    The budget is that of the access: what the link behind the cell adds is not counted.

    Args:
        world: The run.
        service: The service.
        kind: Direction.
        cell: Cell of each message. [message]
        sent: The messages.
        reached_s: When each is there. [message]
    """
    for index, bit in do_bits(world, service, kind, cell, sent["bit"]):
        world.carry(index, service, bit)
    budget_s = world.delay_budget_s.get(service)
    if budget_s is not None:
        tardy = reached_s - sent["ready_s"] > budget_s
        do_bits(world, service, "bit_late", cell[tardy], sent["bit"][tardy])


def do_bits(
    world: World, service: str, kind: str, cell: IntArray, bit: FloatArray
) -> list[tuple[int, float]]:
    """Book bits of messages at their cells; returns the sums, by cell."""
    sums = np.bincount(cell, weights=bit, minlength=len(world.cells))
    found = [(index, float(sums[index])) for index in np.flatnonzero(sums).tolist()]
    number = world.lanes.number.get(kind)
    if number is None:
        for index, total in found:
            world.book.do(world.cells[index].node, service, kind, total)
    else:
        at = [index for index, _ in found]
        world.tally.bit[number[world.lanes.names.index(service)][at]] += sums[at]
    return found


def deliver_tokens(world: World, ref: IntArray, number: IntArray, reached_s: FloatArray) -> None:
    """Tokens reach their users: on time or late (METRIC rule 5), per host and service.

    Args:
        world: The run.
        ref: Request of each token. [token]
        number: Its number in the answer, from 1. [token]
        reached_s: When it reaches the user. [token]
    """
    deliver_chunks(world, ref, number, np.ones_like(number), reached_s)


def deliver_chunks(
    world: World, ref: IntArray, number: IntArray, size: IntArray, reached_s: FloatArray
) -> None:
    """Chunks of tokens reach their users.

    Args:
        world: The run.
        ref: Request of each chunk. [chunk]
        number: Number of its last token in the answer, from 1. [chunk]
        size: Tokens in it. [chunk]
        reached_s: When it is there. [chunk]
    """
    if not len(ref):
        return
    requests = world.requests
    late_tok, first_late = _late(world, ref, number, size, reached_s)
    first = number == size
    tok, late, prompt = np.zeros((3, len(ref)))
    tok[:], late[:], prompt[first] = size, late_tok, requests.prompt_tok[ref[first]]
    opened = ref[first]
    requests.first_s[opened] = reached_s[first]
    requests.late_in_tok[opened] = requests.prompt_tok[opened] * first_late[first]
    oldest = int(ref.min())  # requests of a step lie close to one another
    count = np.bincount(ref - oldest)
    touched = np.flatnonzero(count) + oldest
    sums = [np.bincount(ref - oldest, weights=column)[count > 0] for column in (tok, late)]
    requests.delivered_tok[touched] += sums[0].astype(np.int64)
    requests.late_tok[touched] += sums[1].astype(np.int64)
    np.maximum.at(requests.last_s, ref, reached_s)
    pair = requests.host[ref] * len(world.ai) + requests.service[ref]
    sums = [np.bincount(pair, weights=w) for w in (tok, late, prompt, prompt * first_late)]
    for key in np.flatnonzero(sums[0]).tolist():
        host, service = divmod(key, len(world.ai))
        _book_tokens(world, host, service, [float(column[key]) for column in sums])
    complete = touched[requests.delivered_tok[touched] == requests.output_tok[touched]]
    if len(complete):
        _finish(world, complete)


def lose(world: World, request: int) -> None:
    """A request is refused, given up or unfinished; what was delivered of it stays delivered."""
    requests = world.requests
    if requests.outcome[request] != RUNNING:
        return
    requests.outcome[request] = LOST
    service = world.service_of(request).spec.name
    host = int(requests.host[request])
    node = world.hosts[host].node if host >= 0 else world.cells[int(world.cell_of(request))].node
    model = world.hosts[host].model if host >= 0 else None
    left = float(requests.output_tok[request] - requests.delivered_tok[request])
    book = world.book
    book.do(node, service, "request_lost", 1.0, model=model)
    book.do(node, service, "token_lost", left, model=model)
    if not requests.delivered_tok[request]:
        book.do(node, service, "token_in_lost", float(requests.prompt_tok[request]), model=model)


def lose_data(world: World, cell: Cell) -> None:
    """Messages still queued or held at a cell are lost; prompts are lost with their requests."""
    for pool in (*cell.uplink.pools, *cell.downlink.pools):
        for service, queue in pool.queues.items():
            bit = float(queue["bit"][queue["ref"] < 0].sum())
            world.book.do(cell.node, service, "bit_lost", bit)
    for service, held in lanes.held_at(world, cell.index):
        bit = float(held["bit"][held["ref"] < 0].sum())
        world.book.do(cell.node, service, "bit_lost", bit)


def _late(
    world: World, ref: IntArray, number: IntArray, size: IntArray, reached_s: FloatArray
) -> tuple[IntArray, BoolArray]:
    """Late tokens of each chunk, and whether the first of them is late. [chunk].

    Budgets grow with the number of a token, so that of a chunk the first ones are late.
    """
    requests = world.requests
    late_tok, first_late = np.zeros_like(number), np.zeros(len(ref), dtype=np.bool_)
    for service in world.ai:
        mine = np.flatnonzero(requests.service[ref] == service.index)
        if not len(mine):
            continue
        profile, arrival_s = service.profile, requests.arrival_s[ref[mine]]
        if profile.deadline_s is not None:
            tardy = reached_s[mine] > arrival_s + profile.deadline_s
            late_tok[mine], first_late[mine] = size[mine] * tardy, tardy
        elif profile.ttft_budget_s is not None:
            for offset in range(int(size[mine].max())):
                there = offset < size[mine]
                tardy = there & late(
                    arrival_s,
                    number[mine] - size[mine] + 1 + offset,
                    reached_s[mine],
                    ttft_budget_s=profile.ttft_budget_s,
                    tpot_budget_s=profile.tpot_budget_s or 0.0,
                )
                late_tok[mine] += tardy
                if offset == 0:
                    first_late[mine] = tardy
                if not tardy.any():
                    break
    return late_tok, first_late


def _book_tokens(world: World, host: int, service: int, amounts: list[float]) -> None:
    """Tokens of a host and a service: all, late ones, and those of their prompts."""
    at, name = world.hosts[host], world.ai[service].spec.name
    kinds = ("token_out", "token_late", "token_in", "token_in_late")
    for kind, amount in zip(kinds, amounts, strict=True):
        world.book.do(at.node, name, kind, amount, model=at.model)


def _finish(world: World, complete: IntArray) -> None:
    """Requests whose last token is there."""
    requests = world.requests
    requests.outcome[complete] = SERVED
    pair = requests.host[complete] * len(world.ai) + requests.service[complete]
    for key, count in zip(*(part.tolist() for part in np.unique_counts(pair)), strict=True):
        number, service = divmod(key, len(world.ai))
        host, name = world.hosts[number], world.ai[service].spec.name
        world.book.do(host.node, name, "request", float(count), model=host.model)
    world.book.requests.append(complete)


def finished_columns(world: World, finished: IntArray) -> dict[str, Any]:
    """Rows of the ledger for requests that were served, by column."""
    requests = world.requests
    at, output = requests.host[finished], requests.output_tok[finished]
    arrival_s, first_s, last_s = (
        column[finished] for column in (requests.arrival_s, requests.first_s, requests.last_s)
    )
    pace_s = (last_s - first_s) / np.maximum(output - 1, 1)
    return {
        "id": finished,
        "service": words([service.spec.name for service in world.ai], requests.service[finished]),
        "arrival_s": arrival_s,
        "node": words([host.node for host in world.hosts], at),
        "token_in": requests.prompt_tok[finished].astype(np.float64),
        "token_out": output.astype(np.float64),
        "token_late": requests.late_tok[finished].astype(np.float64),
        "ue": world.terminal_of(finished),
        "model": words([host.model for host in world.hosts], at),
        "cut_layer": [world.cut_layer.get(request) for request in finished.tolist()]
        if world.cut_layer
        else None,
        "token_in_late": requests.late_in_tok[finished].astype(np.float64),
        "ttft_s": first_s - arrival_s,
        "tpot_s": pa.array(pace_s, mask=output < 2),
        "e2e_s": last_s - arrival_s,
    }


def words(names: Sequence[str], at: IntArray) -> pa.DictionaryArray:
    """Names by number as a column of text, each name once and in the order in which they come."""
    number = {name: n for n, name in enumerate(dict.fromkeys(names))}
    codes = np.array([number[name] for name in names], dtype=np.int32)[at]
    first = np.full(len(number), len(codes))
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # the earliest row is written last
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order))
    there = [list(number)[n] for n in order.tolist() if first[n] < len(codes)]
    return pa.DictionaryArray.from_arrays(place[codes], pa.array(there, pa.string()))
