"""Phase 5: servers and terminals compute; their tokens leave as chunks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tree6g.compute import batching
from tree6g.compute.batching import Step, Usage
from tree6g.engine import lanes, pacing
from tree6g.engine.airtime import messages
from tree6g.engine.crowd import DOWN, IntArray
from tree6g.engine.delivery import deliver_tokens, lose
from tree6g.engine.paths import passing_s
from tree6g.engine.world import Ai, Host, Tick, TokenTable, World
from tree6g.radio.pathloss import FloatArray

# Text of a further token in the same chunk: English has about 4 characters per token (typical; the
# scenario's prompt_byte_per_tok has the same default).
TEXT_BYTE_PER_TOK = 4.0


def advance(world: World, tick: Tick) -> None:
    """Every host works until the end of the step."""
    servers = [(host, host.batch) for host in world.hosts if host.batch is not None]
    if pacing.paces(world):
        each = [pacing.advance(world, host, tick) for host, _ in servers]
        did = batching.joined(each, len(world.ai))
    else:
        did = batching.advance_all([batch for _, batch in servers], tick.t1_s)
    number = np.array([host.number for host, _ in servers], dtype=np.int64)
    for request in did.lost.tolist():
        lose(world, request)
    rows = zip(did.usage, _prompts(world, did).tolist(), did.sampled.tolist(), strict=True)
    for host in world.hosts:
        if host.batch is None:
            _advance_terminals(world, host, tick)
        else:
            _book(world, host, *next(rows))
    tokens = TokenTable(
        ref=did.job, number=did.number, leaves_s=did.leaves_s, gap_s=_NO_S, energy_j=_NO_S
    )
    _send(world, np.repeat(number, did.tokens), tokens)


def _prompts(world: World, did: Step) -> FloatArray:
    """Prompt tokens computed. [server, service]."""
    shape = len(did.usage), len(world.ai)
    server = np.repeat(np.arange(shape[0]), did.begun)
    pair = server * shape[1] + world.requests.service[did.prompts]
    tok = world.requests.prompt_tok[did.prompts]
    found = np.bincount(pair, weights=tok, minlength=shape[0] * shape[1])
    return np.asarray(found, dtype=np.float64).reshape(shape)


def _book(
    world: World,
    host: Host,
    usage: Usage,
    asked: Sequence[float],
    sampled: Sequence[Sequence[float]],
) -> None:
    """What a server did: its use, and the demand that attribution goes by.

    Args:
        world: The run.
        host: The server.
        usage: Its use in the step.
        asked: As `_prompts`. [service]
        sampled: Tokens, and time that their sessions have run. [service, 2]
    """
    host.used = usage
    host.busy.add(usage)
    for service, tok in zip(world.ai, asked, strict=True):
        _demand_in(world, host, service, tok)
    for service, (tok, session_s) in zip(world.ai, sampled, strict=True):
        _demand_out(world, host, service, tok, session_s)


def _advance_terminals(world: World, host: Host, tick: Tick) -> None:
    """Tokens that leave in this step, with all of their joules.

    What the run's end cuts off, at most a prompt or a token per terminal, is not counted.
    """
    host.used = Usage()
    if host.answers is None or not len(host.answers.ref):
        return
    due = host.answers.leaves_s < tick.t1_s
    tokens, host.answers = host.answers.where(due), host.answers.where(~due)
    first = tokens.number == 1
    host.used = Usage(
        prefill_j=float(tokens.energy_j[first].sum()),
        decode_j=float(tokens.energy_j[~first].sum()),
        prefill_s=float(tokens.gap_s[first].sum()),
        decode_s=float(tokens.gap_s[~first].sum()),
    )
    host.busy.add(host.used)
    demand_prompts(world, host, tokens.ref[first])
    demand_tokens(world, host, tokens)
    if len(tokens.ref):
        deliver_tokens(world, tokens.ref, tokens.number, tokens.leaves_s)


def demand_prompts(world: World, host: Host, refs: IntArray) -> None:
    """Prompt tokens computed now: the demand that attribution goes by."""
    for service in world.ai:
        mine = refs[world.requests.service[refs] == service.index]
        _demand_in(world, host, service, float(world.requests.prompt_tok[mine].sum()))


def demand_tokens(world: World, host: Host, tokens: TokenTable) -> None:
    """Tokens sampled now, and how long their sessions have run since the token before."""
    services = world.requests.service[tokens.ref]
    for service in world.ai:
        mine = services == service.index
        _demand_out(world, host, service, float(mine.sum()), float(tokens.gap_s[mine].sum()))


def _demand_in(world: World, host: Host, service: Ai, tok: float) -> None:
    host.demand_in_tok += tok
    world.book.do(host.node, service.spec.name, "token_in", 0.0, model=host.model, demand=tok)


def _demand_out(world: World, host: Host, service: Ai, tok: float, session_s: float) -> None:
    host.demand_out_tok += tok
    name = service.spec.name
    world.book.do(
        host.node, name, "token_out", 0.0, model=host.model, demand=tok, session_s=session_s
    )


def send_chunks(world: World, host: Host, service: Ai, tokens: TokenTable, *, after: int) -> int:
    """Tokens of one answer as chunks on their way to its user; the last token that has left.

    A chunk leaves with its last token: every `tokens_per_chunk` tokens and at the end of the
    answer; a service that does not stream sends all at the end. It begins after token `after`.
    """
    leaving = tokens.number == world.requests.output_tok[tokens.ref]
    if service.streams:
        leaving |= tokens.number % service.spec.tokens_per_chunk == 0
    rows = np.flatnonzero(leaving)
    if not len(rows):
        return after
    left = tokens.number[rows]
    size = np.diff(left, prepend=after)
    _send_service(world, service, np.full(len(leaving), host.number), tokens, rows, size)
    return int(left[-1])


def _send(world: World, host: IntArray, tokens: TokenTable) -> None:
    """Tokens of all servers on their way; services in the order in which they come."""
    service = world.requests.service[tokens.ref]
    pairs = np.flatnonzero(np.bincount(host * len(world.ai) + service))  # host by host
    order = dict.fromkeys((pairs % len(world.ai)).tolist())
    for index in order:
        rows = np.flatnonzero(service == index)
        spec, number = world.ai[index].spec, tokens.number[rows]
        size = (number - 1) % spec.tokens_per_chunk + 1 if world.ai[index].streams else number
        _send_service(world, world.ai[index], host, tokens, rows, size)


def _send_service(
    world: World, service: Ai, host: IntArray, tokens: TokenTable, at: IntArray, size: IntArray
) -> None:
    """Chunks of a service on their way, by the last token of each.

    Args:
        world: The run.
        service: The service.
        host: Host of each token, in order. [token]
        tokens: Tokens.
        at: Those that end a chunk of the service.
        size: Tokens in their chunks. [of `at`]
    """
    if not len(at):
        return
    spec, ref, number = service.spec, tokens.ref[at], tokens.number[at]
    byte = spec.chunk_byte + (size - 1) * TEXT_BYTE_PER_TOK
    bit = np.asarray(8.0 * byte, dtype=np.float64)
    terminal = world.terminal_of(ref)
    serving = world.radio.users.serving[terminal]
    leaves_s = tokens.leaves_s[at]
    ready_s = _carry(world, service, host[at], serving, bit, leaves_s)
    batch = messages(ready_s, bit, terminal, ref=ref, number=number, tok=size)
    lanes.hold(world, spec.name, batch)


def _carry(
    world: World,
    service: Ai,
    host: IntArray,
    serving: IntArray,
    bit: FloatArray,
    leaves_s: FloatArray,
) -> FloatArray:
    """Chunks cross the links of their hosts; returns when they are at their cells. [chunk]."""
    ready_s = leaves_s
    for n in np.flatnonzero(np.bincount(host)).tolist():
        link = world.hosts[n].link
        if link is None:
            continue
        mine = np.flatnonzero(host == n)
        at, sent_bit = serving[mine], bit[mine]
        ready_s = ready_s.copy() if ready_s is leaves_s else ready_s
        ready_s[mine] += passing_s(world, link, at, sent_bit, DOWN)
        sums, counts = np.bincount(at, weights=sent_bit), np.bincount(at)
        for cell in np.flatnonzero(counts).tolist():
            name, count = service.spec.name, int(counts[cell])
            world.carry(cell, name, float(sums[cell]), link, kind=DOWN, count=count)
    return ready_s


_NO_S = np.empty(0)
