"""A server as the engine of a network sees it: jobs in, tokens and joules of each step out.

The server itself is `serving`: paged cache, preemption, chunks of prompts, priorities left aside.
Here jobs carry the engine's numbers, may be handed over in any order before their step, and what
happened is told step by step. The same numbers come out whether the kernel is compiled or not, so
it is compiled only in a process that has loaded a compiler anyway.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.compute.replica import Replica
from tree6g.compute.roofline import decode_batch, iteration
from tree6g.compute.serving.requests import FloatArray, IntArray
from tree6g.compute.serving.result import GAVE_UP, REFUSED, SERVED
from tree6g.compute.serving.settings import EngineSettings
from tree6g.compute.serving.state import ServerState
from tree6g.compute.serving.tokens import TokenReader


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request at the server; nobody waits for its first token longer than until `give_up_s`.

    Attributes:
        id: Its number.
        arrival_s: When it is at the server.
        prompt_tok: Tokens of the prompt.
        output_tok: Tokens of the answer.
        give_up_s: Until when it waits.
        kind: Whose it is: tokens are counted by kind.
        chunk_tok: Tokens that are told together; 0: the whole answer at its end.
    """

    id: int
    arrival_s: float
    prompt_tok: int
    output_tok: int
    give_up_s: float = math.inf
    kind: int = 0
    chunk_tok: int = 1


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """Many of them: rows of whole numbers and of times. Made by `jobs`.

    Attributes:
        whole: Job, prompt, answer, kind, chunk. [5, job]
        real: Arrival, end of patience. [2, job]
    """

    whole: IntArray
    real: FloatArray

    def __len__(self) -> int:
        return self.whole.shape[1]


def jobs(
    *,
    id: npt.ArrayLike,  # noqa: A002 - as of `Job`
    arrival_s: npt.ArrayLike,
    prompt_tok: npt.ArrayLike,
    output_tok: npt.ArrayLike,
    give_up_s: npt.ArrayLike,
    kind: npt.ArrayLike = 0,
    chunk_tok: npt.ArrayLike = 1,
) -> Jobs:
    """Jobs from columns, fields as of `Job`. Arrays are [job]."""
    count = len(np.atleast_1d(id))
    whole, real = np.empty((5, count), dtype=np.int64), np.empty((2, count))
    for row, column in enumerate((id, prompt_tok, output_tok, kind, chunk_tok)):
        whole[row] = column
    real[0], real[1] = arrival_s, give_up_s
    return Jobs(whole, real)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of an iteration: sequences, tokens, and tokens of context in the cache."""

    max_sequences: int
    token_budget: int
    kv_capacity_tok: float


@dataclasses.dataclass(slots=True)
class Usage:
    """Busy time and energy above idle of prompts and of decoding.

    Shared among them as `serving` shares an iteration among requests, time by tokens.
    """

    prefill_j: float = 0.0
    decode_j: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0

    def add(self, other: Usage, frac: float = 1.0) -> None:
        """Add a share of another usage."""
        self.prefill_j += frac * other.prefill_j
        self.decode_j += frac * other.decode_j
        self.prefill_s += frac * other.prefill_s
        self.decode_s += frac * other.decode_s


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
    """A replica with its queue."""

    def __init__(
        self, replica: Replica, limits: Limits, *, kinds: int = 1, skip: bool = True
    ) -> None:
        self.replica = replica
        self.limits = limits
        self._skip, self._kinds = skip, kinds
        settings = EngineSettings(
            token_budget=limits.token_budget,
            max_sequences=limits.max_sequences,
            kv_capacity_tok=limits.kv_capacity_tok,
            prefix_cache=False,
        )
        self._server = ServerState(
            replica,
            settings,
            log_tokens=True,
            remember=False,
            skip=skip,
            compiled=sys.modules.get("numba") is not None,
        )
        self._reader = TokenReader(self._server, kinds)
        self._inbox: list[Jobs] = []
        self._inbox_tok = 0
        self._inbox_count = 0
        self._job = np.empty(0, dtype=np.int64)  # job of each request of the server, and room
        self._open = np.empty(0, dtype=np.int64)
        self._used = Usage()
        self._told_s = 0.0

    @property
    def clock_s(self) -> float:
        """Until when it has worked: what was asked for, or the end of an iteration after it."""
        return max(self._server.clock_s, self._told_s)

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return self._server.running

    @property
    def queued(self) -> int:
        """Jobs that wait for a place in it."""
        return int(self._server.waiting) + self._inbox_count

    @property
    def waiting_tok(self) -> float:
        """Prompt tokens of jobs that have no token yet."""
        return float(self._server.waiting_tok + self._inbox_tok)

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
        server = self._server
        answered, answered_tok = server.answered()
        if not answered:
            return 0.0
        batch = decode_batch(float(max(server.decoding(), 1)), *map(float, server.context_tok()))
        return answered_tok / answered * float(iteration(self.replica, batch).time_s)

    def submit(self, job: Job) -> None:
        """Hand over a job; all jobs that arrive before t must be here before `advance(t)`."""
        self.submit_all(jobs(**dataclasses.asdict(job)))

    def submit_all(self, some: Jobs) -> None:
        """Hand over jobs, in any order."""
        self._inbox.append(some)
        self._inbox_tok += int(some.whole[1].sum())
        self._inbox_count += len(some)

    def abandon(self) -> list[tuple[int, int]]:
        """Drop all jobs and start anew, empty; returns the jobs and the tokens that each has.

        The times and joules of what was done stay told; an iteration under way is not finished.
        """
        tokens = self._server.progress(self._open)
        found = list(zip(self._job[self._open].tolist(), tokens.tolist(), strict=True))
        found += [(number, 0) for number in self._in_order().whole[0].tolist()]
        fresh = BatchServer(self.replica, self.limits, kinds=self._kinds, skip=self._skip)
        self._server, self._reader, self._used = fresh._server, fresh._reader, fresh._used
        self._inbox, self._inbox_tok, self._inbox_count = [], 0, 0
        self._job, self._open = fresh._job, fresh._open
        return found

    def advance(self, until_s: float) -> Progress:
        """Work until `until_s`; an iteration that has begun by then is carried over."""
        self._hand_over(until_s)
        if self._rests():
            self._told_s = until_s
            return self._nothing()
        self._server.advance(until_s)
        self._told_s = until_s
        tokens = self._reader.read()
        return Progress(
            usage=self._usage(until_s),
            job=self._job[tokens.request],
            number=tokens.number,
            leaves_s=tokens.time_s,
            sampled=tokens.sampled,
            prompts=self._job[tokens.begun],
            lost=self._lost(),
            iterations=self._server.iterations,
        )

    def _rests(self) -> bool:
        """Whether all that was handed over is done and told: then only time passes."""
        server = self._server
        return not (server.running or server.waiting) and server.clock_s <= self._told_s

    def _nothing(self) -> Progress:
        return Progress(
            usage=Usage(), job=_NONE, number=_NONE, leaves_s=_NO_S, prompts=_NONE, lost=(),
            sampled=np.zeros((self._kinds, 2)), iterations=self._server.iterations,
        )  # fmt: skip

    def _in_order(self) -> Jobs:
        """The inbox as one, by arrival and then by job."""
        whole = np.concatenate([_NO_JOBS.whole, *(some.whole for some in self._inbox)], axis=1)
        real = np.concatenate([_NO_JOBS.real, *(some.real for some in self._inbox)], axis=1)
        if (real[0, 1:] <= real[0, :-1]).any():
            order = np.argsort(real[0], kind="stable")  # runs in order are merged
            when_s = real[0, order]
            if (when_s[1:] == when_s[:-1]).any():
                order = np.lexsort((whole[0], real[0]))
            whole, real = whole[:, order], real[:, order]
        return Jobs(whole, real)

    def _hand_over(self, until_s: float) -> None:
        if not self._inbox:
            return
        some = self._in_order()
        early = int(np.searchsorted(some.real[0], until_s))
        later = Jobs(some.whole[:, early:], some.real[:, early:])
        self._inbox = [later] if len(later) else []
        if not early:
            return
        number, prompt_tok, output_tok, kind, chunk_tok = some.whole[:, :early]
        self._inbox_tok -= int(prompt_tok.sum())
        self._inbox_count -= early
        # A time that rounding has put before the last step belongs to this one.
        arrival_s = np.maximum(some.real[0, :early], self._told_s)
        give_up_s = np.maximum(some.real[1, :early] - arrival_s, np.finfo(float).tiny)
        first = self._server.enter(arrival_s, give_up_s, prompt_tok, output_tok)
        self._reader.note(first, kind, chunk_tok)
        last = first + early
        self._open = np.append(self._open, np.arange(first, last))
        missing = last - len(self._job)
        if missing > 0:
            room = np.zeros(max(missing, len(self._job)), dtype=np.int64)
            self._job = np.concatenate([self._job, room])
        self._job[first:last] = number

    def _usage(self, until_s: float) -> Usage:
        """Use since the last step, above idle."""
        prefill_j, decode_j, prefill_s, decode_s = self._server.usage(until_s)
        whole = Usage(
            prefill_j=prefill_j - self.replica.idle_w * prefill_s,
            decode_j=decode_j - self.replica.idle_w * decode_s,
            prefill_s=prefill_s,
            decode_s=decode_s,
        )
        used = Usage(whole.prefill_j, whole.decode_j, whole.prefill_s, whole.decode_s)
        used.add(self._used, -1.0)
        self._used = whole
        return used

    def _lost(self) -> tuple[tuple[int, float], ...]:
        """Jobs that left without an answer since the last step."""
        outcome = self._server.outcomes(self._open)
        gone = (outcome == REFUSED) | (outcome == GAVE_UP)
        lost = self._open[gone]
        self._open = self._open[(outcome != SERVED) & ~gone]
        if not len(lost):
            return ()
        left_s = self._server.finish_s(lost).tolist()
        return tuple(zip(self._job[lost].tolist(), left_s, strict=True))


_NONE: Final = np.empty(0, dtype=np.int64)
_NO_S: Final = np.empty(0)
_NO_JOBS: Final = jobs(id=_NONE, arrival_s=_NO_S, prompt_tok=_NONE, output_tok=_NONE, give_up_s=0.0)
