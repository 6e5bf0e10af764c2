"""A step of many servers at once, in a process that has loaded a compiler.

`batching` does the same for one server after the other. What is told is told server by server.
"""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tree6g.compute.desk import Desk, Jobs, Known, Usage
from tree6g.compute.serving import together
from tree6g.compute.serving.requests import FloatArray, IntArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """What happened at some servers during one step. Whose a row is, `count` arrays tell.

    Attributes:
        usage: Use of the accelerators inside the step. [server]
        job: Job of each token that ends a chunk. [token]
        number: Its number in the answer, from 1. [token]
        leaves_s: When it leaves the server; the last may be after the step. [token]
        tokens: How many they are. [server]
        sampled: All tokens, and how long their sessions have run since the token before them, for a
            first one since admission. [server, kind, 2]
        prompts: Jobs whose prompt was finished. [prompt]
        begun: How many they are. [server]
        lost: Jobs that were refused or given up. [loss]
        lost_s: When. [loss]
        losses: How many they are. [server]
    """

    usage: tuple[Usage, ...]
    job: IntArray
    number: IntArray
    leaves_s: FloatArray
    tokens: IntArray
    sampled: FloatArray
    prompts: IntArray
    begun: IntArray
    lost: IntArray
    lost_s: FloatArray
    losses: IntArray


def step(desks: Sequence[Desk], idle_w: Sequence[float], kinds: int, until_s: float) -> Step:
    """Let all servers work until `until_s`; their state is that of compiled code.

    Args:
        desks: The servers. [server]
        idle_w: Power of each when idle.
        kinds: Kinds of jobs.
        until_s: End of the step.
    """
    for desk in desks:
        desk.make_room()
    table = np.array([_known(desk).row for desk in desks])
    entered = _enter(desks, table, until_s)
    what = _run(desks, table, until_s)
    told = _tell(desks, table, kinds)
    usage, lost = _close(desks, table, entered, until_s)
    used = tuple(
        Usage() if rests else desk.use(above_idle(row, watts))
        for desk, row, watts, rests in zip(
            desks, usage.tolist(), idle_w, (what == together.RESTED).tolist(), strict=True
        )
    )
    for desk in desks:
        desk.told_s = until_s
    return Step(usage=used, **told, **lost)


def above_idle(whole: Sequence[float], idle_w: float) -> Usage:
    """Use from the start above idle, of `ServerState.usage`."""
    prefill_j, decode_j, prefill_s, decode_s = whole
    return Usage(prefill_j - idle_w * prefill_s, decode_j - idle_w * decode_s, prefill_s, decode_s)


def _enter(desks: Sequence[Desk], table: IntArray, until_s: float) -> IntArray:
    """Jobs that arrive in the step go to their servers; jobs and their tokens. [server, 2]."""
    entered = np.zeros((len(desks), 2), dtype=np.int64)
    first = _edges([desk.inbox_count for desk in desks])
    if not first[-1]:
        return entered
    inbox = [some for desk in desks for some in desk.inbox]
    whole = np.concatenate([some.whole for some in inbox], axis=1)
    real = np.concatenate([some.real for some in inbox], axis=1)
    order, spare = np.arange(first[-1]), np.empty(first[-1], dtype=np.int64)
    loop = together.compiled(together.enter_all)
    loop(table, first, whole, real, until_s, _told_s(desks), order, spare, entered)
    for desk, (count, tok), low, high in zip(
        desks, entered.tolist(), first[:-1].tolist(), first[1:].tolist(), strict=True
    ):
        later = order[low + count : high]
        desk.inbox = [Jobs(whole[:, later], real[:, later])] if len(later) else []
        desk.inbox_count -= count
        desk.inbox_tok -= tok
    return entered


def _run(desks: Sequence[Desk], table: IntArray, until_s: float) -> IntArray:
    """Iterations of the step; what became of each server. Addresses are brought up to date."""
    what = np.full(len(desks), together.RUN)
    loop, told_s = together.compiled(together.run_all), _told_s(desks)
    while not loop(table, until_s, told_s, what):
        for n in np.flatnonzero(what == together.FULL).tolist():
            desks[n].state.make_log()
            table[n] = _known(desks[n]).row
    return what


def _tell(desks: Sequence[Desk], table: IntArray, kinds: int) -> dict[str, Any]:
    """Tokens of the step, which are read by it."""
    sizes = np.empty((len(desks), 3), dtype=np.int64)
    together.compiled(together.log_sizes)(table, sizes)
    readers = [desk.reader for desk in desks]
    old = [len(reader.streams) // 3 for reader in readers]
    since = np.array([reader.since for reader in readers])
    first = _edges(sizes[:, 0] + old)
    streams, spans = np.empty((2, 3 * first[-1]), dtype=np.int64)
    under_way = np.concatenate([reader.streams for reader in readers])
    count = together.compiled(together.span_all)(
        table, since, _edges(old), under_way, first, streams, spans
    )
    job, number = np.empty((2, count), dtype=np.int64)
    leaves_s, ends_s = np.empty(count), np.empty(sizes[:, 2].max())
    sampled = np.zeros((len(desks), kinds, 2))
    begun, counts = np.empty(sizes[:, 0].sum(), dtype=np.int64), np.empty_like(sizes)
    together.compiled(together.tell_all)(
        table, since, first, streams, spans, ends_s, sampled.ravel(), kinds, job, number,
        leaves_s, begun, counts,
    )  # fmt: skip
    kept = 3 * _edges(counts[:, 1])
    for reader, done, low, high in zip(
        readers, sizes[:, 2].tolist(), kept[:-1].tolist(), kept[1:].tolist(), strict=True
    ):
        reader.since += done
        reader.streams = streams[low:high]
    told, prompts = int(counts[:, 0].sum()), int(counts[:, 2].sum())
    return {
        "job": job[:told], "number": number[:told], "leaves_s": leaves_s[:told],
        "tokens": counts[:, 0], "sampled": sampled, "prompts": begun[:prompts],
        "begun": counts[:, 2],
    }  # fmt: skip


def _close(
    desks: Sequence[Desk], table: IntArray, entered: IntArray, until_s: float
) -> tuple[FloatArray, dict[str, Any]]:
    """Use of each server from the start; jobs that left without an answer."""
    first = _edges([len(desk.open) for desk in desks])
    there = np.concatenate([desk.open for desk in desks])
    most = len(there) + int(entered[:, 0].sum())
    (stays, lost), lost_s = np.empty((2, most), dtype=np.int64), np.empty(most)
    counts, usage = np.empty_like(entered), np.empty((len(desks), 4))
    together.compiled(together.close_all)(
        table, until_s, first, there, entered, stays, lost, lost_s, counts, usage
    )
    edges = _edges(counts[:, 0]).tolist()
    for desk, (low, high) in zip(desks, itertools.pairwise(edges), strict=True):
        desk.open = stays[low:high]
    count = int(counts[:, 1].sum())
    return usage, {"lost": lost[:count], "lost_s": lost_s[:count], "losses": counts[:, 1]}


def _told_s(desks: Sequence[Desk]) -> FloatArray:
    return np.array([desk.told_s for desk in desks])


def _known(desk: Desk) -> Known:
    """Where the arrays of a server are; looked up when one of them is another."""
    reader = desk.reader
    arrays = (*desk.state.arrays(), desk.job, reader.about, reader.last_s)
    if desk.known is None or not all(map(operator.is_, arrays, desk.known.arrays)):
        row = [array.__array_interface__["data"][0] for array in arrays]
        desk.known = Known(arrays, row)
    return desk.known


def _edges(counts: Sequence[int] | IntArray) -> IntArray:
    """First row of each, and the end of the last."""
    found = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=found[1:])
    return found
