"""A server with continuous batching: iteration level, event-exact, runs of decoding in closed form.

Each iteration decodes one token of every running sequence and fills the rest of its token budget
with chunks of prompts, first come first served (the scheduling of vLLM and Sarathi). A sequence
is admitted when a place in the batch is free and its whole context, prompt and answer, fits into
the KV cache beside those already there: a conservative reservation, so nothing is ever preempted.
Real engines do not know the length of the answer; they admit more and sometimes recompute.

Between two events the batch stays the same and its context grows by one token per sequence, so
iteration j of a run takes a + b j: a whole run costs k a + b k (k-1) / 2, and the iteration that an
arrival falls into is the root of a quadratic. `skip=False` computes every iteration by itself.

The class keeps an event clock of its own. It is a pure function from requests to times and energy
that can be cut anywhere: `advance(1); advance(2)` gives what `advance(2)` gives.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections import deque

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.roofline import Batch, decode_batch, iteration
from tree6g.compute.stream import FloatArray, IntArray, Stream, expand


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request at the server; nobody waits for its first token longer than until `give_up_s`."""

    id: int
    arrival_s: float
    prompt_tok: int
    output_tok: int
    give_up_s: float = math.inf


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of an iteration: sequences, tokens, and tokens of context in the cache."""

    max_sequences: int
    token_budget: int
    kv_capacity_tok: float


@dataclasses.dataclass(slots=True)
class Usage:
    """Busy time and energy above idle, split into what decoding needs and what prompts add."""

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
        job: Job of each token. [token]
        number: Its number in the answer, from 1. [token]
        leaves_s: When it leaves the server; the last may be after the interval. [token]
        gap_s: Time since the token before it, for the first since admission. [token]
        prompts: Jobs whose prompt was finished.
        lost: Jobs that were refused or given up, with the time.
        iterations: Iterations so far.
    """

    usage: Usage
    job: IntArray
    number: IntArray
    leaves_s: FloatArray
    gap_s: FloatArray
    prompts: tuple[int, ...]
    lost: tuple[tuple[int, float], ...]
    iterations: int


@dataclasses.dataclass(slots=True)
class _Prompt:
    job: Job
    admitted_s: float
    done_tok: int = 0


class BatchServer:
    """A replica with its queue."""

    def __init__(self, replica: Replica, limits: Limits, *, skip: bool = True) -> None:
        self.replica = replica
        self.limits = limits
        self.clock_s = 0.0
        self.iterations = 0
        self.waiting_tok = 0.0
        self._answered = 0
        self._answered_tok = 0
        self._skip = skip
        self._inbox: list[tuple[float, int, Job]] = []
        self._waiting: deque[Job] = deque()
        self._prompts: deque[_Prompt] = deque()
        self._ends: list[tuple[int, int, Job]] = []  # heap by the iteration of the last token
        self._context_tok = 0.0
        self._reserved_tok = 0.0
        self._streams: list[Stream] = []
        self._iteration_end_s: list[float] = []
        self._previous_end_s = 0.0
        self._usage = Usage()
        self._last = Usage()
        self._last_start_s = 0.0
        self._tail = Usage()
        self._tail_span_s = (0.0, 0.0)
        self._finished_prompts: list[int] = []
        self._lost: list[tuple[int, float]] = []

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return len(self._ends) + len(self._prompts)

    def expected_wait_s(self, coming: int = 0) -> float:
        """Wait for a place in the batch if one more came now; 0 while there are places.

        What a server can know: the place in the queue, the mean answer so far, the time of an
        iteration of the batch as it is. Prompts ahead in the queue are not included.

        Args:
            coming: Jobs that are known to be on their way here.
        """
        queued = len(self._waiting) + len(self._inbox) + coming
        ahead = self.running + queued - self.limits.max_sequences + 1
        if ahead <= 0 or not self._answered:
            return 0.0
        batch = decode_batch(float(max(len(self._ends), 1)), self._context_tok)
        answer_s = self._answered_tok / self._answered * iteration(self.replica, batch).time_s
        return ahead * answer_s / self.limits.max_sequences

    def submit(self, job: Job) -> None:
        """Hand over a job; all jobs that arrive before t must be here before `advance(t)`."""
        if job.prompt_tok + job.output_tok > self.limits.kv_capacity_tok:
            self._lost.append((job.id, job.arrival_s))
            return
        heapq.heappush(self._inbox, (job.arrival_s, job.id, job))
        self.waiting_tok += job.prompt_tok

    def advance(self, until_s: float) -> Progress:
        """Work until `until_s`; an iteration that has begun by then is carried over."""
        since = self.iterations
        self._usage = Usage()
        self._release_tail(until_s)
        while self.clock_s < until_s:
            while self._inbox and self._inbox[0][0] <= self.clock_s:
                self._waiting.append(heapq.heappop(self._inbox)[2])
            chunks = self._form_prompts()
            if chunks:
                self._iterate(chunks)
            elif self._ends:
                self._decode(until_s)
            else:
                self.clock_s = min(self._inbox[0][0] if self._inbox else until_s, until_s)
        if self.iterations > since and self.clock_s > until_s:
            self._cut(until_s)
        return self._report(since)

    def _form_prompts(self) -> list[tuple[_Prompt, int]]:
        """Chunks of prompts for the budget that decoding leaves, oldest first."""
        budget = self.limits.token_budget - len(self._ends)
        chunks = []
        for prompt in self._prompts:
            size = min(prompt.job.prompt_tok - prompt.done_tok, budget)
            if size > 0:
                chunks.append((prompt, size))
                budget -= size
        while budget > 0 and self._admissible():
            job = self._waiting.popleft()
            self._reserved_tok += job.prompt_tok + job.output_tok
            self._prompts.append(_Prompt(job, self.clock_s))
            size = min(job.prompt_tok, budget)
            chunks.append((self._prompts[-1], size))
            budget -= size
        return chunks

    def _admissible(self) -> bool:
        """Whether the first that still waits can join the batch; those who left are dropped."""
        while self._waiting and self._waiting[0].give_up_s <= self.clock_s:
            job = self._waiting.popleft()
            self.waiting_tok -= job.prompt_tok
            self._lost.append((job.id, job.give_up_s))
        if not self._waiting or self.running >= self.limits.max_sequences:
            return False
        head = self._waiting[0]
        need = self._reserved_tok + head.prompt_tok + head.output_tok
        return need <= self.limits.kv_capacity_tok

    def _iterate(self, chunks: list[tuple[_Prompt, int]]) -> None:
        """One iteration with prompts in it."""
        decoding = len(self._ends)
        ending = sum(size == p.job.prompt_tok - p.done_tok for p, size in chunks)
        batch = Batch(
            prompt_tok=sum(size for _, size in chunks),
            prompt_area_tok2=sum(size * p.done_tok + 0.5 * size**2 for p, size in chunks),
            prefix_tok=sum(p.done_tok for p, _ in chunks),
            decoding=decoding,
            context_tok=self._context_tok,
            sampled=decoding + ending,
            sequences=decoding + len(chunks),
        )
        cost = iteration(self.replica, batch)
        used = Usage(prefill_s=cost.time_s)
        used.prefill_j = cost.energy_j - self.replica.idle_w * cost.time_s
        if decoding:
            alone = iteration(self.replica, decode_batch(decoding, self._context_tok))
            used.decode_s = alone.time_s
            used.decode_j = alone.energy_j - self.replica.idle_w * alone.time_s
            used.prefill_s -= used.decode_s
            used.prefill_j -= used.decode_j
        self._account(used, used, cost.time_s, [self.clock_s + cost.time_s])
        self._after_decoding(1)
        for prompt, size in chunks:
            prompt.done_tok += size
        while self._prompts and self._prompts[0].done_tok == self._prompts[0].job.prompt_tok:
            self._begin_stream(self._prompts.popleft())

    def _decode(self, until_s: float) -> None:
        """A run of iterations that only decode, up to the next event."""
        r, sequences = self.replica, float(len(self._ends))
        first = iteration(r, decode_batch(sequences, self._context_tok))
        growth_s = r.kv_s_per_tok * sequences
        slope_j = r.static_w * growth_s + sequences * (
            r.j_per_byte * r.kv_byte_per_tok + r.j_per_flop * r.attention_flop
        )
        most = self._ends[0][0] - self.iterations + 1 if self._skip else 1
        count = run_length(first.time_s, growth_s, self._event_s(until_s) - self.clock_s, most)
        raw_j = _uncapped_j(r, sequences, self._context_tok, first.time_s)
        energy = (raw_j, slope_j, r.limit_w * first.time_s, r.limit_w * growth_s)
        taken_s = count * first.time_s + growth_s * count * (count - 1) / 2.0
        total = Usage(decode_s=taken_s, decode_j=_sum_min(*energy, count) - r.idle_w * taken_s)
        last_s = first.time_s + growth_s * (count - 1)
        last_j = min(raw_j + slope_j * (count - 1), r.limit_w * last_s)
        last = Usage(decode_s=last_s, decode_j=last_j - r.idle_w * last_s)
        step = np.arange(1.0, count + 1.0)
        ends = self.clock_s + step * first.time_s + growth_s * step * (step - 1.0) / 2.0
        self._account(total, last, last_s, ends.tolist())
        self._after_decoding(count)

    def _event_s(self, until_s: float) -> float:
        """When something else than decoding may come: an arrival, or a place in the queue."""
        room = min(self.limits.max_sequences, self.limits.token_budget)
        if self.running >= room:
            return until_s
        if self._waiting:
            return min(until_s, self._waiting[0].give_up_s)
        return min(until_s, self._inbox[0][0]) if self._inbox else until_s

    def _account(self, total: Usage, last: Usage, last_s: float, ends_s: list[float]) -> None:
        self._usage.add(total)
        self._last = last
        self.clock_s = ends_s[-1]
        self._last_start_s = self.clock_s - last_s
        self._iteration_end_s += ends_s
        self.iterations += len(ends_s)

    def _after_decoding(self, count: int) -> None:
        """Contexts grow; sequences that sampled their last token leave."""
        self._context_tok += count * len(self._ends)
        while self._ends and self._ends[0][0] < self.iterations:
            job = heapq.heappop(self._ends)[2]
            self._answered += 1
            self._answered_tok += job.output_tok
            self._context_tok -= job.prompt_tok + job.output_tok
            self._reserved_tok -= job.prompt_tok + job.output_tok

    def _begin_stream(self, prompt: _Prompt) -> None:
        """The prompt is done and its first token is sampled, if anybody still waits for it."""
        job = prompt.job
        self.waiting_tok -= job.prompt_tok
        if job.give_up_s < self.clock_s:
            self._lost.append((job.id, self.clock_s))
            self._reserved_tok -= job.prompt_tok + job.output_tok
            return
        first = self.iterations - 1
        stream = Stream(
            job=job.id, first=first, output_tok=job.output_tok, admitted_s=prompt.admitted_s
        )
        self._streams.append(stream)
        self._finished_prompts.append(job.id)
        if job.output_tok > 1:
            heapq.heappush(self._ends, (first + job.output_tok - 1, job.id, job))
            self._context_tok += job.prompt_tok + 1
        else:
            self._reserved_tok -= job.prompt_tok + job.output_tok

    def _release_tail(self, until_s: float) -> None:
        """Count the part of the carried-over iteration that lies in this interval."""
        start_s, end_s = self._tail_span_s
        if end_s <= start_s:
            return
        frac = min(1.0, (until_s - start_s) / (end_s - start_s))
        self._usage.add(self._tail, frac)
        self._tail.add(self._tail, -frac)
        self._tail_span_s = (until_s, end_s)

    def _cut(self, until_s: float) -> None:
        """Carry over the part of the last iteration that lies after the interval."""
        frac = (self.clock_s - until_s) / (self.clock_s - self._last_start_s)
        self._usage.add(self._last, -frac)
        self._tail = Usage()
        self._tail.add(self._last, frac)
        self._tail_span_s = (until_s, self.clock_s)

    def _report(self, since: int) -> Progress:
        ends_s = np.array(self._iteration_end_s, dtype=np.float64)
        job, number, leaves_s, gap_s = expand(self._streams, since, self._previous_end_s, ends_s)
        if len(ends_s):
            self._previous_end_s = float(ends_s[-1])
        self._iteration_end_s = []
        self._streams = [s for s in self._streams if s.first + s.output_tok > self.iterations]
        prompts, self._finished_prompts = tuple(self._finished_prompts), []
        lost, self._lost = tuple(self._lost), []
        return Progress(
            usage=self._usage,
            job=job,
            number=number,
            leaves_s=leaves_s,
            gap_s=gap_s,
            prompts=prompts,
            lost=lost,
            iterations=self.iterations,
        )


def run_length(first_s: float, growth_s: float, budget_s: float, most: int) -> int:
    """Iterations of a run that begin before its time budget is used up, between 1 and `most`.

    The k-th begins after k a + b k (k-1) / 2: the least k for which that reaches the budget is the
    root of a quadratic, put right by one where rounding has moved it.
    """

    def begins_s(k: int) -> float:
        return k * first_s + growth_s * k * (k - 1) / 2.0

    if most <= 1 or begins_s(most - 1) < budget_s:
        return max(most, 1)
    half = first_s - growth_s / 2.0
    root = 2.0 * budget_s / (half + math.sqrt(half**2 + 2.0 * growth_s * max(budget_s, 0.0)))
    k = min(max(math.ceil(root), 1), most)
    while k > 1 and begins_s(k - 1) >= budget_s:
        k -= 1
    while k < most and begins_s(k) < budget_s:
        k += 1
    return k


def _uncapped_j(r: Replica, sequences: float, context_tok: float, time_s: float) -> float:
    moved = r.weight_byte + r.kv_byte_per_tok * (context_tok + sequences)
    flop = (r.body_flop_per_tok + r.head_flop) * sequences + r.attention_flop * context_tok
    return r.static_w * time_s + r.j_per_byte * moved + r.j_per_flop * flop


def _sum_min(e: float, de: float, g: float, dg: float, count: int) -> float:
    """Sum over j < count of min(e + de j, g + dg j); the two lines cross once at most."""
    last = count - 1
    below = e <= g
    if below == (e + de * last <= g + dg * last):
        return _series(e, de, count) if below else _series(g, dg, count)
    split = min(max(math.floor((g - e) / (de - dg)) + 1, 1), last)
    head, tail = ((e, de), (g, dg)) if below else ((g, dg), (e, de))
    before = _series(*head, split)
    return before + _series(tail[0] + tail[1] * split, tail[1], count - split)


def _series(first: float, step: float, count: int) -> float:
    return count * first + step * count * (count - 1) / 2.0
