"""Phase 4: from the cell to the host."""

from __future__ import annotations

import itertools

import numpy as np

from tree6g.compute.batching import jobs
from tree6g.engine.crowd import UP, IntArray
from tree6g.engine.outages import send_again
from tree6g.engine.paths import passing_s
from tree6g.engine.world import Host, Tick, World
from tree6g.radio.pathloss import FloatArray


def carry(world: World, tick: Tick) -> None:
    """Prompts cross the link of their host, if there is one, and wait at the server."""
    if not tick.prompts:
        return
    request, reached_s, bit = (np.concatenate(column) for column in zip(*tick.prompts, strict=True))
    number = world.requests.host[request]
    order = np.argsort(number.astype(np.int32), kind="stable")
    edges = np.flatnonzero(np.diff(number[order], prepend=-2, append=-2))
    for first, last in itertools.pairwise(edges.tolist()):
        mine = order[first:last]
        host = world.hosts[int(number[mine[0]])]
        _hand_over(world, host, request[mine], reached_s[mine], bit[mine])


def _hand_over(
    world: World, host: Host, request: IntArray, reached_s: FloatArray, bit: FloatArray
) -> None:
    """Prompts of one host."""
    requests, arrival_s = world.requests, reached_s
    if host.link is not None:
        cell = world.cell_of(request)
        arrival_s = reached_s + passing_s(world, host.link, cell, bit, UP)
        _carry(world, host, requests.service[request], cell, bit)
    if host.batch is None:
        return
    prompt_tok = requests.prompt_tok[request]
    host.coming -= len(request)
    host.coming_tok -= float(prompt_tok.sum())
    if host.out:
        for one in request.tolist():
            send_again(world, one)
        return
    service = requests.service[request]
    patience_s = np.array([one.spec.patience_s for one in world.ai])
    chunk_tok = np.array([one.spec.tokens_per_chunk if one.streams else 0 for one in world.ai])
    host.batch.submit_all(
        jobs(
            id=request,
            arrival_s=arrival_s,
            prompt_tok=prompt_tok,
            output_tok=requests.output_tok[request],
            give_up_s=requests.arrival_s[request] + patience_s[service],
            kind=service,
            chunk_tok=chunk_tok[service],
        )
    )


def _carry(world: World, host: Host, service: IntArray, cell: IntArray, bit: FloatArray) -> None:
    """Bits on the link of a host, by cell and service."""
    pair = cell * len(world.ai) + service
    sums, counts = np.bincount(pair, weights=bit), np.bincount(pair)
    for key in np.flatnonzero(counts).tolist():
        index, which = divmod(key, len(world.ai))
        name, sent_bit = world.ai[which].spec.name, float(sums[key])
        world.carry(index, name, sent_bit, host.link, kind=UP, count=int(counts[key]))
