"""A server as the engine of a network sees it: jobs in, tokens and joules of each step out.

The server itself is `serving`: paged cache, preemption, chunks of prompts, priorities left aside.
Here jobs carry the engine's numbers, may be handed over in any order before their step, and what
happened is told step by step. The same numbers come out whether the kernel is compiled or not, so
it is compiled only in a process that has loaded a compiler anyway; there all servers of a network
take a step in one call.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence

import numpy as np

from tree6g.compute import batches
from tree6g.compute.batches import Step, above_idle
from tree6g.compute.desk import NO_JOBS, NO_S, NONE, Desk, Job, Jobs, Usage, jobs
from tree6g.compute.replica import Replica
from tree6g.compute.roofline import Batch, decode_batch, iteration
from tree6g.compute.serving.requests import FloatArray, IntArray
from tree6g.compute.serving.result import GAVE_UP, PENDING, REFUSED, RUNNING, SERVED
from tree6g.compute.serving.settings import EngineSettings
from tree6g.compute.serving.state import ServerState
from tree6g.compute.serving.tokens import TokenReader

__all__ = [
    "BatchServer",
    "Job",
    "Jobs",
    "Limits",
    "Progress",
    "Step",
    "Usage",
    "advance_all",
    "answers_s",
    "jobs",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of an iteration: sequences, tokens, and tokens of context in the cache."""

    max_sequences: int
    token_budget: int
    kv_capacity_tok: float

    def settings(self) -> EngineSettings:
        """The same as settings of an engine, whose prompts share no prefixes."""
        return EngineSettings(
            token_budget=self.token_budget,
            max_sequences=self.max_sequences,
            kv_capacity_tok=self.kv_capacity_tok,
            prefix_cache=False,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What happened during one `advance`.

    Attributes:
        usage: Use of the accelerators inside the interval.
        job: Job of each token that ends a chunk. [token]
        number: Its number in the answer, from 1. [token]
        leaves_s: When it leaves the server; the last may be after the interval. [token]
        sampled: All tokens, and how long their sessions have run since the token before them, for a
            first one since admission. [kind, 2]
        prompts: Jobs whose prompt was finished. [job]
        lost: Jobs that were refused or given up, with the time.
        iterations: Iterations so far.
    """

    usage: Usage
    job: IntArray
    number: IntArray
    leaves_s: FloatArray
    sampled: FloatArray
    prompts: IntArray
    lost: tuple[tuple[int, float], ...]
    iterations: int


class BatchServer:
    """A replica with its queue.

    Attributes:
        replica: Constants of an iteration.
        limits: Its bounds.
        kinds: Kinds of jobs.
        desk: All that changes.
    """

    def __init__(
        self, replica: Replica, limits: Limits, *, kinds: int = 1, skip: bool = True
    ) -> None:
        self.replica = replica
        self.limits = limits
        self.kinds, self._skip = kinds, skip
        state = ServerState(
            replica,
            limits.settings(),
            log_tokens=True,
            remember=False,
            skip=skip,
            compiled=sys.modules.get("numba") is not None,
        )
        self.desk = Desk(state=state, reader=TokenReader(state, kinds))

    @property
    def clock_s(self) -> float:
        """Until when it has worked: what was asked for, or the end of an iteration after it."""
        return max(self.desk.state.clock_s, self.desk.told_s)

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return self.desk.state.running

    @property
    def queued(self) -> int:
        """Jobs that wait for a place in it."""
        return int(self.desk.state.waiting) + self.desk.inbox_count

    @property
    def waiting_tok(self) -> float:
        """Prompt tokens of jobs that have no token yet."""
        return float(self.desk.state.waiting_tok + self.desk.inbox_tok)

    def expected_wait_s(self, coming: int = 0) -> float:
        """Wait for a place in the batch if one more came now; 0 while there are places.

        What a server can know: the place in the queue, the mean answer so far, the time of an
        iteration of the batch as it is. Prompts ahead in the queue are not included.

        Args:
            coming: Jobs that are known to be on their way here.
        """
        ahead = self.running + self.queued + coming - self.limits.max_sequences + 1
        if ahead <= 0:
            return 0.0
        return ahead * self.answer_s() / self.limits.max_sequences

    def answer_s(self) -> float:
        """Time of a mean answer in the batch as it is; 0 if there was none yet."""
        server = self.desk.state
        answered, answered_tok = server.answered()
        if not answered:
            return 0.0
        batch = decode_batch(float(max(server.decoding(), 1)), *map(float, server.context_tok()))
        return answered_tok / answered * float(iteration(self.replica, batch).time_s)

    def submit(self, job: Job) -> None:
        """Hand over a job; all jobs that arrive before t must be here before `advance(t)`."""
        self.submit_all(jobs(**dataclasses.asdict(job)))

    def submit_all(self, some: Jobs, prompt_tok: int | None = None) -> None:
        """Hand over jobs, in any order; the tokens of their prompts, if they are known."""
        self.desk.inbox.append(some)
        self.desk.inbox_tok += int(some.whole[1].sum()) if prompt_tok is None else prompt_tok
        self.desk.inbox_count += len(some)

    def abandon(self) -> list[tuple[int, int]]:
        """Drop all jobs and start anew, empty; returns the jobs and the tokens that each has.

        The times and joules of what was done stay told; an iteration under way is not finished.
        """
        desk = self.desk
        tokens = desk.state.progress(desk.open)
        found = list(zip(desk.job[desk.open].tolist(), tokens.tolist(), strict=True))
        found += [(number, 0) for number in self._in_order().whole[0].tolist()]
        self.desk = BatchServer(self.replica, self.limits, kinds=self.kinds, skip=self._skip).desk
        self.desk.told_s = desk.told_s
        return found

    def advance(self, until_s: float) -> Progress:
        """Work until `until_s`; an iteration that has begun by then is carried over."""
        if self.desk.state.is_compiled:
            return self._advance_compiled(until_s)
        desk = self.desk
        self._hand_over(until_s)
        if desk.rests():
            desk.told_s = until_s
            return self._nothing()
        desk.state.advance(until_s)
        desk.told_s, desk.untold = until_s, False
        tokens = desk.reader.read()
        return Progress(
            usage=desk.use(above_idle(desk.state.usage(until_s), self.replica.idle_w)),
            job=desk.job[tokens.request],
            number=tokens.number,
            leaves_s=tokens.time_s,
            sampled=tokens.sampled,
            prompts=desk.job[tokens.begun],
            lost=self._lost(),
            iterations=desk.state.iterations,
        )

    def begin(self, until_s: float) -> list[Progress]:
        """As `advance`, but what happened may be told only by the next `advance`."""
        if self.desk.state.is_compiled:
            return [self._advance_compiled(until_s)]
        self._hand_over(until_s)
        self.desk.state.advance(until_s)
        self.desk.told_s, self.desk.untold = until_s, True
        return []

    def rest(self, until_s: float) -> list[Progress]:
        """As `begin`, but no iteration begins; one that has begun by now is finished."""
        self.desk.state.rest(until_s)
        return self.begin(until_s)

    def next_arrival_s(self) -> float:
        """When the next job comes of those that were handed over; infinity: none."""
        return min((float(some.real[0].min()) for some in self.desk.inbox), default=math.inf)

    def sequences(self) -> tuple[IntArray, IntArray]:
        """Jobs in the batch and in its queue, and the tokens that each has. [sequence]."""
        desk = self.desk
        outcome = desk.state.outcomes(desk.open)
        here = desk.open[(outcome == RUNNING) | (outcome == PENDING)]
        return desk.job[here], desk.state.progress(here)

    def next_work(self, prompt_tok: IntArray) -> Batch:
        """About what the next iteration computes, with these prompts as far as they fit."""
        server = self.desk.state
        decoding = float(server.decoding())
        context_tok, window_tok = map(float, server.context_tok())
        tok = min(float(prompt_tok.sum()), self.limits.token_budget - decoding)
        area_tok2 = 0.5 * float((prompt_tok.astype(np.float64) ** 2).sum())
        return Batch(
            prompt_tok=tok, prompt_area_tok2=area_tok2, window_area_tok2=0.0,
            decoding=decoding, context_tok=context_tok, window_context_tok=window_tok,
            sampled=decoding + len(prompt_tok), sequences=decoding + len(prompt_tok),
            prompts_frac=float(len(prompt_tok) > 0),
        )  # fmt: skip

    def room_frac(self) -> float:
        """Share of its places, or of its memory, that is free: the lesser."""
        used_tok = float(self.desk.state.context_tok()[0] + self.desk.state.waiting_tok)
        places_frac = (self.running + self.queued) / self.limits.max_sequences
        return 1.0 - max(places_frac, used_tok / self.limits.kv_capacity_tok)

    def _advance_compiled(self, until_s: float) -> Progress:
        did = batches.step([self.desk], [self.replica.idle_w], self.kinds, until_s)
        return Progress(
            usage=did.usage[0],
            job=did.job,
            number=did.number,
            leaves_s=did.leaves_s,
            sampled=did.sampled[0],
            prompts=did.prompts,
            lost=tuple(zip(did.lost.tolist(), did.lost_s.tolist(), strict=True)),
            iterations=self.desk.state.iterations,
        )

    def _nothing(self) -> Progress:
        return Progress(
            usage=Usage(), job=NONE, number=NONE, leaves_s=NO_S, prompts=NONE, lost=(),
            sampled=np.zeros((self.kinds, 2)), iterations=self.desk.state.iterations,
        )  # fmt: skip

    def _in_order(self) -> Jobs:
        """The inbox as one, by arrival and then by job."""
        whole = np.concatenate([NO_JOBS.whole, *(some.whole for some in self.desk.inbox)], axis=1)
        real = np.concatenate([NO_JOBS.real, *(some.real for some in self.desk.inbox)], axis=1)
        if (real[0, 1:] <= real[0, :-1]).any():
            order = np.argsort(real[0], kind="stable")  # runs in order are merged
            when_s = real[0, order]
            if (when_s[1:] == when_s[:-1]).any():
                order = np.lexsort((whole[0], real[0]))
            whole, real = whole[:, order], real[:, order]
        return Jobs(whole, real)

    def _hand_over(self, until_s: float) -> None:
        if not self.desk.inbox:
            return
        self.desk.make_room()
        desk, some = self.desk, self._in_order()
        early = int(np.searchsorted(some.real[0], until_s))
        later = Jobs(some.whole[:, early:], some.real[:, early:])
        desk.inbox = [later] if len(later) else []
        if not early:
            return
        number, prompt_tok, output_tok, kind, chunk_tok = some.whole[:, :early]
        desk.inbox_tok -= int(prompt_tok.sum())
        desk.inbox_count -= early
        # A time that rounding has put before the last step belongs to this one.
        arrival_s = np.maximum(some.real[0, :early], desk.told_s)
        give_up_s = np.maximum(some.real[1, :early] - arrival_s, np.finfo(float).tiny)
        first = desk.state.enter(arrival_s, give_up_s, prompt_tok, output_tok)
        desk.reader.note(first, kind, chunk_tok)
        last = first + early
        desk.open = np.append(desk.open, np.arange(first, last))
        desk.job[first:last] = number

    def _lost(self) -> tuple[tuple[int, float], ...]:
        """Jobs that left without an answer since the last step."""
        desk = self.desk
        outcome = desk.state.outcomes(desk.open)
        gone = (outcome == REFUSED) | (outcome == GAVE_UP)
        lost = desk.open[gone]
        desk.open = desk.open[(outcome != SERVED) & ~gone]
        if not len(lost):
            return ()
        left_s = desk.state.finish_s(lost).tolist()
        return tuple(zip(desk.job[lost].tolist(), left_s, strict=True))


def answers_s(servers: Sequence[BatchServer]) -> FloatArray:
    """As `answer_s`, of servers that share the constants of an iteration. [server]."""
    states = [server.desk.state for server in servers]
    answered, tok = np.array([state.answered() for state in states], dtype=np.float64).T
    decoding = np.array([max(state.decoding(), 1) for state in states], dtype=np.float64)
    context = np.array([state.context_tok() for state in states], dtype=np.float64).T
    time_s = iteration(servers[0].replica, decode_batch(decoding, *context)).time_s
    mean_tok = np.divide(tok, answered, out=np.zeros(len(states)), where=answered > 0.0)
    return np.asarray(mean_tok * time_s, dtype=np.float64)


def advance_all(servers: Sequence[BatchServer], until_s: float) -> Step:
    """Let servers that have the same kinds of jobs work until `until_s`, see `advance`."""
    if not servers:
        return joined([], 0)
    kinds = servers[0].kinds
    if all(server.desk.state.is_compiled for server in servers):
        desks = [server.desk for server in servers]
        return batches.step(desks, [s.replica.idle_w for s in servers], kinds, until_s)
    return joined([server.advance(until_s) for server in servers], kinds)


def joined(did: Sequence[Progress], kinds: int) -> Step:
    """Steps of single servers as one."""
    lost = [np.array([job for job, _ in one.lost], dtype=np.int64) for one in did]
    lost_s = [left_s for one in did for _, left_s in one.lost]
    return Step(
        usage=tuple(one.usage for one in did),
        job=np.concatenate([NONE, *(one.job for one in did)]),
        number=np.concatenate([NONE, *(one.number for one in did)]),
        leaves_s=np.concatenate([NO_S, *(one.leaves_s for one in did)]),
        tokens=np.array([len(one.job) for one in did], dtype=np.int64),
        sampled=np.array([one.sampled for one in did]).reshape(len(did), kinds, 2),
        prompts=np.concatenate([NONE, *(one.prompts for one in did)]),
        begun=np.array([len(one.prompts) for one in did], dtype=np.int64),
        lost=np.concatenate([NONE, *lost]),
        lost_s=np.array(lost_s, dtype=np.float64),
        losses=np.array([len(one) for one in lost], dtype=np.int64),
    )
