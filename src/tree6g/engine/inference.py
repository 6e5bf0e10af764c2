"""Phase 5: servers and terminals compute; their tokens leave as chunks."""

from __future__ import annotations

import numpy as np

from tree6g.compute.batching import Usage
from tree6g.engine import lanes
from tree6g.engine.airtime import by_cell, unsorted
from tree6g.engine.crowd import DOWN, IntArray
from tree6g.engine.delivery import BoolArray, deliver_tokens, lose
from tree6g.engine.paths import passing_s
from tree6g.engine.world import Ai, Host, Tick, TokenTable, World

# Text of a further token in the same chunk: English has about 4 characters per token (typical; the
# scenario's prompt_byte_per_tok has the same default).
TEXT_BYTE_PER_TOK = 4.0


def advance(world: World, tick: Tick) -> None:
    """Every host works until the end of the step."""
    for host in world.hosts:
        if host.batch is None:
            _advance_terminals(world, host, tick)
        else:
            _advance_server(world, host, tick)


def _advance_server(world: World, host: Host, tick: Tick) -> None:
    assert host.batch is not None  # noqa: S101 - told apart by the caller
    progress = host.batch.advance(tick.t1_s)
    host.used = progress.usage
    host.busy.add(progress.usage)
    for request, _ in progress.lost:
        lose(world, request)
    demand_prompts(world, host, progress.prompts)
    tokens = TokenTable(
        ref=progress.job,
        number=progress.number,
        leaves_s=progress.leaves_s,
        gap_s=progress.gap_s,
        energy_j=np.empty(0),
    )
    demand_tokens(world, host, tokens)
    for service in world.ai:
        mine = world.requests.service[tokens.ref] == service.index
        if mine.any():
            send_chunks(world, host, service, tokens, mine)


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
        tok = float(world.requests.prompt_tok[mine].sum())
        host.demand_in_tok += tok
        world.book.do(host.node, service.spec.name, "token_in", 0.0, model=host.model, demand=tok)


def demand_tokens(world: World, host: Host, tokens: TokenTable) -> None:
    """Tokens sampled now, and how long their sessions have run since the token before."""
    services = world.requests.service[tokens.ref]
    for service in world.ai:
        mine = services == service.index
        tok = float(mine.sum())
        host.demand_out_tok += tok
        world.book.do(
            host.node,
            service.spec.name,
            "token_out",
            0.0,
            model=host.model,
            demand=tok,
            session_s=float(tokens.gap_s[mine].sum()),
        )


def send_chunks(world: World, host: Host, service: Ai, tokens: TokenTable, mine: BoolArray) -> None:
    """Tokens of a service as chunks on their way to the cells of their users.

    A chunk leaves with its last token: every `tokens_per_chunk` tokens and at the end of the
    answer; a service that does not stream sends all at the end.
    """
    requests, spec = world.requests, service.spec
    number = tokens.number
    end = number == requests.output_tok[tokens.ref]
    full = number % spec.tokens_per_chunk == 0 if service.streams else np.zeros_like(end)
    leaving = mine & (end | full)
    ref, number = tokens.ref[leaving], number[leaving]
    size = (number - 1) % spec.tokens_per_chunk + 1 if service.streams else number
    bit = 8.0 * (spec.chunk_byte + (size - 1) * TEXT_BYTE_PER_TOK)
    ready_s = tokens.leaves_s[leaving]
    terminal = world.terminal_of(ref)
    serving = world.radio.users.serving[terminal]
    if host.link is not None:
        ready_s = ready_s + passing_s(world, host.link, serving, bit, DOWN)
    order = np.argsort(ready_s, kind="stable")
    order = order[np.argsort(serving[order].astype(np.int32), kind="stable")]
    ref, number, size, serving = (column[order] for column in (ref, number, size, serving))
    batch = unsorted(ready_s[order], bit[order], terminal[order], ref=ref, number=number, tok=size)
    for index, part in by_cell(serving, batch, ordered=True):
        if host.link is not None:
            sent_bit = float(part["bit"].sum())
            world.carry(index, spec.name, sent_bit, host.link, kind=DOWN, count=len(part))
    lanes.hold(world, spec.name, batch)
