"""Chunks of prompts: who gets how much of an iteration, and what such an iteration costs."""

from __future__ import annotations

from tree6g.compute.serving.account import (
    count_energy,
    count_gaps,
    count_time,
    fill_bins,
    keep_last,
    log_run,
    share,
)
from tree6g.compute.serving.blocks import (
    cached_blocks,
    extend_chain,
    newly_pinned,
    take_blocks,
    use_chain,
)
from tree6g.compute.serving.constants import mixed_cost, window_area_tok2
from tree6g.compute.serving.layout import (
    AREA_FLOP,
    BLOCK_BITS,
    BLOCK_TOK,
    BUDGET,
    CACHED,
    CHUNK_AT,
    CHUNKS,
    CLOCK_S,
    CONTEXT_J,
    CONTEXT_TOK,
    DEADLINE_S,
    DECODING,
    DONE,
    FINISH_S,
    FLOP_J,
    FREE,
    HEAD_FLOP,
    KV_J,
    KV_S,
    NOBODY,
    OWN_J,
    PARTIAL,
    PHASE,
    PHASE_AT,
    PLACES,
    PREEMPTED,
    PRODUCED,
    PROMPT_FLOP,
    PROMPT_TOK,
    RECOMPUTE_J,
    REQUEST_PREFILL_J,
    RUNS_PROMPT,
    S_PER_J,
    SCHEDULED_S,
    STATE_J,
    STATIC_W,
    STATUS,
    WAITING_TIME_S,
    WINDOW_AREA_FLOP,
    WINDOW_CONTEXT_TOK,
    WINDOW_J,
    WINDOW_KV_J,
    WINDOW_KV_S,
    WINDOW_TOK,
    F,
    Q,
)
from tree6g.compute.serving.queue import (
    enter_order,
    first_waiting,
    leave_queue,
    lose_patient,
    preempt,
)
from tree6g.compute.serving.requests import FloatArray, IntArray


def partial_chunk(n: IntArray, q: IntArray) -> int:
    """Tokens of the prompt under way that fit into the budget beside decoding."""
    i = n[PARTIAL]
    if i == NOBODY:
        return 0
    at = i * Q
    left = q[at + PROMPT_TOK] + q[at + PRODUCED] - q[at + DONE]
    return int(min(left, n[BUDGET] - n[DECODING]))


def partial_blocks(n: IntArray, q: IntArray, chunk_tok: int) -> int:
    """Blocks that the next chunk of the prompt under way takes."""
    if chunk_tok == 0:
        return 0
    up = n[BLOCK_TOK] - 1
    bits = n[BLOCK_BITS]
    done = q[n[PARTIAL] * Q + DONE]
    return int(((done + chunk_tok + up) >> bits) - ((done + up) >> bits))


def make_room(
    c: FloatArray,
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
) -> bool:
    """Give all who run their next blocks, preempt until there are enough; whether it had to."""
    preempted = False
    while True:
        need = n[n[PHASE_AT] + n[PHASE]]
        if n[PARTIAL] != NOBODY:
            need += partial_blocks(n, q, partial_chunk(n, q))
        if need <= n[FREE]:
            take_blocks(n, g, need)
            return preempted
        preempt(c, x, n, f, q, w, g)
        preempted = True


def schedule_chunk(n: IntArray, q: IntArray, g: IntArray, i: int, count: int, chunk: int) -> None:
    """Enter a chunk whose blocks are taken as number `count` of this iteration."""
    at = n[CHUNK_AT] + 2 * count
    n[at] = i
    n[at + 1] = chunk
    extend_chain(n, q, g, i, q[i * Q + DONE] + chunk)


def form_chunks(
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
    preempted: bool,  # noqa: FBT001 - compiled
) -> None:
    """Chunks of this iteration, the prompt under way first."""
    count = 0
    left = n[BUDGET] - n[DECODING]
    if n[PARTIAL] != NOBODY:
        chunk = partial_chunk(n, q)
        schedule_chunk(n, q, g, n[PARTIAL], 0, chunk)
        left -= chunk
        count = 1
    while not preempted and left > 0 and n[DECODING] + count < n[PLACES]:
        i = first_willing(x, n, f, q, w)
        if i == NOBODY:
            break
        chunk = admit(x, n, f, q, w, g, i, left)
        if chunk == 0:
            break
        schedule_chunk(n, q, g, i, count, chunk)
        left -= chunk
        count += 1
    n[CHUNKS] = count


def first_willing(x: FloatArray, n: IntArray, f: FloatArray, q: IntArray, w: IntArray) -> int:
    """The first that waits and has not given up; those who have are dropped."""
    i = first_waiting(n, q, w)
    while i != NOBODY and q[i * Q + PRODUCED] == 0 and f[i * F + DEADLINE_S] <= x[CLOCK_S]:
        leave_queue(n, w)
        lose_patient(n, q, i)
        f[i * F + FINISH_S] = f[i * F + DEADLINE_S]
        x[WAITING_TIME_S] -= x[CLOCK_S] - f[i * F + DEADLINE_S]
        i = first_waiting(n, q, w)
    return i


def admit(
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
    i: int,
    left: int,
) -> int:
    """Admit the first that waits if the blocks of its first chunk are free; returns the chunk."""
    at = i * Q
    bits = n[BLOCK_BITS]
    whole = q[at + PROMPT_TOK] + q[at + PRODUCED]
    hit = cached_blocks(n, q, g, i, whole)
    chunk = min(whole - (hit << bits), left)
    need = (chunk + n[BLOCK_TOK] - 1) >> bits
    if need + newly_pinned(q, g, i, hit) > n[FREE]:
        return 0
    leave_queue(n, w)
    use_chain(n, q, g, i, hit)
    take_blocks(n, g, need)
    q[at + STATUS] = RUNS_PROMPT
    q[at + DONE] = hit << bits
    if q[at + CACHED] < 0:
        q[at + CACHED] = hit << bits
        f[i * F + SCHEDULED_S] = x[CLOCK_S]
    enter_order(n, q, i)
    return int(chunk)


def compute_chunks(
    c: FloatArray, x: FloatArray, n: IntArray, f: FloatArray, q: IntArray, runs: FloatArray
) -> None:
    """The cost of an iteration with chunks, shared among all in it."""
    count = n[CHUNKS]
    decoding = n[DECODING]
    tokens, ending, read_s, read_j, flop = work_of_chunks(c, n, q)
    context_j = c[CONTEXT_J] * n[CONTEXT_TOK] + c[WINDOW_J] * n[WINDOW_CONTEXT_TOK]
    context_s = c[KV_S] * n[CONTEXT_TOK] + c[WINDOW_KV_S] * n[WINDOW_CONTEXT_TOK]
    free_s, dynamic_j = mixed_cost(
        c, tokens, decoding, ending, decoding + count, flop, read_s + context_s, read_j + context_j
    )
    time_s = max(free_s, dynamic_j * c[S_PER_J])
    energy_j = c[STATIC_W] * time_s + dynamic_j
    decoders_j = decoding * c[OWN_J] + context_j
    token_j = c[KV_J] + c[WINDOW_KV_J] + c[FLOP_J] * c[PROMPT_FLOP]
    chunks_j = token_j * tokens + c[STATE_J] * count + read_j
    chunks_j += c[FLOP_J] * (c[HEAD_FLOP] * ending + flop)
    each_j = (energy_j - decoders_j - chunks_j) / (tokens + decoding)
    share_chunks(c, n, f, q, each_j)
    if decoding > 0:
        share(x, n, each_j)
    decode_j = decoders_j + each_j * decoding
    frac = tokens / (tokens + decoding)
    count_energy(x, energy_j - decode_j, decode_j, frac, time_s)
    keep_last(x, time_s, energy_j - decode_j, decode_j, frac)
    fill_bins(x, n, time_s, 0.0, 1, energy_j - decode_j, decode_j, 0.0)
    count_gaps(c, x, n, time_s, 0.0, 1, decoding)
    log_run(n, runs, x[CLOCK_S], time_s, 0.0, 1)
    count_time(x, n, decoding + count, time_s, 1)


def work_of_chunks(c: FloatArray, n: IntArray, q: IntArray) -> tuple[int, int, float, float, float]:
    """Tokens, prompts that end, seconds and joules to read what came before, attention's FLOP."""
    window = n[WINDOW_TOK]
    tokens = 0
    ending = 0
    prefix = 0
    window_prefix = 0
    area = 0.0
    window_area = 0.0
    for k in range(n[CHUNKS]):
        at = n[n[CHUNK_AT] + 2 * k] * Q
        chunk = n[n[CHUNK_AT] + 2 * k + 1]
        done = q[at + DONE]
        tokens += chunk
        prefix += done
        area += chunk * (done + 0.5 * chunk)
        if window > 0:
            window_prefix += min(done, window)
            window_area += window_area_tok2(done, done + chunk, window)
        if done + chunk == q[at + PROMPT_TOK] + q[at + PRODUCED]:
            ending += 1
    read_s = c[KV_S] * prefix + c[WINDOW_KV_S] * window_prefix
    read_j = c[KV_J] * prefix + c[WINDOW_KV_J] * window_prefix
    flop = c[AREA_FLOP] * area + c[WINDOW_AREA_FLOP] * window_area
    return tokens, ending, read_s, read_j, flop


def share_chunks(c: FloatArray, n: IntArray, f: FloatArray, q: IntArray, each_j: float) -> None:
    """Joules of each chunk: what it causes, and its tokens' share of what all cause."""
    window = n[WINDOW_TOK]
    token_j = c[KV_J] + c[WINDOW_KV_J] + c[FLOP_J] * c[PROMPT_FLOP] + each_j
    for k in range(n[CHUNKS]):
        i = n[n[CHUNK_AT] + 2 * k]
        chunk = n[n[CHUNK_AT] + 2 * k + 1]
        at = i * Q
        done = q[at + DONE]
        flop = c[AREA_FLOP] * (chunk * (done + 0.5 * chunk))
        own_j = token_j * chunk + c[KV_J] * done + c[STATE_J]
        if window > 0:
            flop += c[WINDOW_AREA_FLOP] * window_area_tok2(done, done + chunk, window)
            own_j += c[WINDOW_KV_J] * min(done, window)
        if done + chunk == q[at + PROMPT_TOK] + q[at + PRODUCED]:
            flop += c[HEAD_FLOP]
        own_j += c[FLOP_J] * flop
        phase = RECOMPUTE_J if q[at + PREEMPTED] > 0 else REQUEST_PREFILL_J
        f[i * F + phase] += own_j
