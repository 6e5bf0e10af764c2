"""Phase 4: from the cell to the host."""

from __future__ import annotations

import numpy as np

from tree6g.compute.batching import Jobs, jobs
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
    request, reached_s, bit, number = request[order], reached_s[order], bit[order], number[order]
    edges = np.flatnonzero(np.diff(number, prepend=-2, append=-2)).tolist()
    hosts = [world.hosts[n] for n in number[edges[:-1]].tolist()]
    for host, first, last in zip(hosts, edges[:-1], edges[1:], strict=True):
        if host.link is not None:
            mine = slice(first, last)
            cell = world.cell_of(request[mine])
            reached_s[mine] += passing_s(world, host.link, cell, bit[mine], UP)
            _carry(world, host, world.requests.service[request[mine]], cell, bit[mine])
    some = _jobs(world, request, reached_s)
    tok = np.add.reduceat(some.whole[1], edges[:-1]).tolist()
    for host, prompt_tok, first, last in zip(hosts, tok, edges[:-1], edges[1:], strict=True):
        _hand_over(world, host, some.part(first, last), prompt_tok)


def _jobs(world: World, request: IntArray, arrival_s: FloatArray) -> Jobs:
    """Prompts as jobs of their servers."""
    requests, service = world.requests, world.requests.service[request]
    patience_s = np.array([one.spec.patience_s for one in world.ai])
    chunk_tok = np.array([one.spec.tokens_per_chunk if one.streams else 0 for one in world.ai])
    return jobs(
        id=request,
        arrival_s=arrival_s,
        prompt_tok=requests.prompt_tok[request],
        output_tok=requests.output_tok[request],
        give_up_s=requests.arrival_s[request] + patience_s[service],
        kind=service,
        chunk_tok=chunk_tok[service],
    )


def _hand_over(world: World, host: Host, some: Jobs, prompt_tok: int) -> None:
    """Prompts of one host, and the tokens in them."""
    if host.batch is None:
        return
    host.coming -= len(some)
    host.coming_tok -= float(prompt_tok)
    if host.out:
        for one in some.whole[0].tolist():
            send_again(world, one)
    else:
        host.batch.submit_all(some, prompt_tok)


def _carry(world: World, host: Host, service: IntArray, cell: IntArray, bit: FloatArray) -> None:
    """Bits on the link of a host, by cell and service."""
    pair = cell * len(world.ai) + service
    sums, counts = np.bincount(pair, weights=bit), np.bincount(pair)
    for key in np.flatnonzero(counts).tolist():
        index, which = divmod(key, len(world.ai))
        name, sent_bit = world.ai[which].spec.name, float(sums[key])
        world.carry(index, name, sent_bit, host.link, kind=UP, count=int(counts[key]))
