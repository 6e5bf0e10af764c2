"""A server that can be advanced to a time and goes on from there."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tree6g.compute.replica import Replica
from tree6g.compute.serving import (
    account,
    blocks,
    compiler,
    heap,
    kernel,
    prompts,
    queue,
    streams,
)
from tree6g.compute.serving import constants as costs
from tree6g.compute.serving import layout as at
from tree6g.compute.serving.counters import counters
from tree6g.compute.serving.reading import Arrays, read_served
from tree6g.compute.serving.requests import FloatArray, IntArray, Requests
from tree6g.compute.serving.result import RUNNING, Served
from tree6g.compute.serving.room import longer, roomy, write
from tree6g.compute.serving.settings import EngineSettings
from tree6g.errors import DataError

_MODULES = (heap, account, costs, blocks, queue, prompts, kernel)
_FEW = 16


@functools.cache
def compiled_kernel() -> Callable[..., Any]:
    """The kernel's loop, compiled."""
    return compiler.compiled(kernel_functions())


def kernel_functions() -> list[Callable[..., Any]]:
    """All functions of the kernel, the loop as the last."""
    functions = [
        value
        for module in _MODULES
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and name not in _SETUP
    ]
    return sorted(functions, key=lambda function: function is kernel.run_arrays)


_SETUP = ("constants", "_tables", "sequences_now", "pointer")


class ServerState:
    """A replica with its queue; a pure function of what was submitted, wherever time is cut.

    Attributes:
        replica: The constants of its iterations.
        settings: Those of its engine.
    """

    def __init__(
        self,
        replica: Replica,
        settings: EngineSettings,
        *,
        bin_s: float | None = None,
        gap_edges_s: FloatArray | None = None,
        log_tokens: bool = False,
        remember: bool = True,
        skip: bool = True,
        compiled: bool | None = None,
    ) -> None:
        """An empty server at 0 s.

        Args:
            replica: Constants of an iteration.
            settings: Settings of the engine.
            bin_s: Width of bins of energy; none without.
            gap_edges_s: Rising edges of the histogram of gaps between tokens; none without.
            log_tokens: Keep what `tokens` needs.
            remember: Keep what was asked for, which `served` needs.
            skip: Whether runs of iterations are taken at once.
            compiled: Whether to use the compiled kernel; if not given, where there is a compiler.

        Raises:
            InfeasibleError: The replica cannot work within its power limit.
            DataError: The cache holds no block, or the edges do not rise.
        """
        self.replica = replica
        self.settings = settings
        self._compiled = compiler.available() if compiled is None else compiled
        edges = np.asarray([] if gap_edges_s is None else gap_edges_s, dtype=np.float64)
        if np.any(np.diff(edges) <= 0.0):
            raise DataError("expected rising edges of the histogram of gaps between tokens.")
        table = costs.constants(replica, settings)
        self._c = self._reals(np.concatenate([table, edges]))
        self._n = self._integers(counters(replica, settings, len(table), len(edges)))
        n = self._n
        n[at.LOGGING], n[at.SKIPPING] = int(log_tokens), int(skip)
        n[at.AHEAD] = int(settings.async_scheduling)
        n[at.BINS] = 0 if bin_s is None else _FEW
        x = np.zeros(n[at.BINS_AT] + (0 if bin_s is None else 3 * (_FEW + 1)))
        x[at.BIN_STEP_S] = bin_s or 0.0
        self._x = self._reals(x)
        self._room = 0
        self._f = self._reals(np.empty(0))
        self._q = self._integers(np.empty(0, dtype=np.int32))
        self._w = self._integers(np.empty(0, dtype=np.int64))
        self._g = self._integers(np.empty(0, dtype=np.int64))
        self._runs = self._reals(np.empty(0))
        self._segments = self._integers(np.empty(0, dtype=np.int64))
        self._asked: list[Requests] | None = [] if remember else None

    def _reals(self, array: npt.NDArray[Any]) -> Any:
        return array if self._compiled else array.tolist()

    _integers = _reals

    @property
    def is_compiled(self) -> bool:
        """Whether its arrays are those of compiled code."""
        return self._compiled

    @property
    def clock_s(self) -> float:
        """Until when it has worked; after `advance` maybe later than asked, by an iteration."""
        return float(self._x[at.CLOCK_S])

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return account.sequences_now(self._n)

    @property
    def total(self) -> int:
        """Requests submitted so far."""
        return int(self._n[at.TOTAL])

    @property
    def waiting(self) -> int:
        """Requests submitted that are not in the batch: queued, or yet to arrive."""
        return int(self._n[at.WAITING] + self._n[at.TOTAL] - self._n[at.NEXT])

    @property
    def waiting_tok(self) -> int:
        """Prompt tokens of requests that have no first token yet."""
        return int(self._n[at.WAITING_TOK])

    @property
    def iterations(self) -> int:
        """Iterations so far."""
        return int(self._n[at.ITERATIONS])

    def submit(self, asked: Requests) -> range:
        """Hand over requests that arrive no earlier than those before; returns their numbers.

        All requests that arrive before t must be here before `advance(t)`.

        Raises:
            DataError: They arrive earlier than one submitted before.
        """
        n, first = self._n, int(self._n[at.TOTAL])
        if len(asked) and first and asked.arrival_s[0] < self._f[(first - 1) * at.F + at.ARRIVAL_S]:
            raise DataError(
                f"expected requests in order of arrival; got one at {asked.arrival_s[0]} s after "
                f"one at {self._f[(first - 1) * at.F + at.ARRIVAL_S]} s."
            )
        self.make_room(first + len(asked))
        last = first + len(asked)
        if self._compiled:
            write(asked, self._f.reshape(-1, at.F)[first:last], self._q.reshape(-1, at.Q)[first:])
        else:
            reals = np.zeros((len(asked), at.F))
            whole = np.zeros((len(asked), at.Q), dtype=np.int64)
            write(asked, reals, whole)
            self._f[first * at.F : last * at.F] = reals.ravel().tolist()
            self._q[first * at.Q : last * at.Q] = whole.ravel().tolist()
        self._add_groups(int(asked.prefix_id.max(initial=-1)) + 1)
        n[at.TOTAL] = last
        n[at.WAITING_TOK] += int(asked.prompt_tok.sum())
        if self._asked is not None:
            self._asked.append(asked)
        return range(first, last)

    def advance(self, until_s: float) -> None:
        """Work through all iterations that begin before `until_s`; inf: until all is done."""
        x, n = self._x, self._n
        while True:
            end_s = n[at.BINS] * x[at.BIN_STEP_S] if n[at.BINS] else math.inf
            x[at.UNTIL_S], x[at.PAUSE_S] = until_s, end_s
            if not self._run():
                self.make_log()
            elif x[at.CLOCK_S] >= end_s:
                self._add_bins()
                x = self._x
            else:
                return
            if x[at.CLOCK_S] >= until_s:
                return

    def rest(self, until_s: float) -> None:
        """Let time pass without an iteration."""
        self._x[at.CLOCK_S] = max(self._x[at.CLOCK_S], until_s)

    def receive(self, prefix_id: int, tokens: int) -> None:
        """Keys and values of a prompt arrive from another server: loose blocks of a new group.

        As much of the beginning as there are blocks that nobody holds; the oldest loose ones of
        others make way. Full blocks only; a group that is there already keeps what it has.
        """
        n = self._n
        self._add_groups(prefix_id + 1)
        at_group = prefix_id * at.G
        count = min(tokens // int(n[at.BLOCK_TOK]), int(n[at.FREE]))
        if count < 1 or not n[at.PREFIXES] or self._g[at_group + at.CHAIN]:
            return
        blocks.take_blocks(n, self._g, count)
        self._g[at_group + at.CHAIN] = count
        n[at.FREE] += count
        n[at.LOOSE] += count
        blocks.enlist(n, self._g, prefix_id)

    def _run(self) -> bool:
        function = compiled_kernel() if self._compiled else kernel.run_arrays
        arrays = (self._c, self._x, self._n, self._f, self._q, self._w, self._g)
        return bool(function(*arrays, self._runs, self._segments))

    def usage(self, until_s: float) -> tuple[float, float, float, float]:
        """Joules of prompts and of decoding, and seconds of both, from 0 to `until_s`.

        Of the last iteration only the part before that counts; time is shared as tokens are.
        """
        x = self._x
        over = max(self.clock_s - until_s, 0.0) / x[at.LAST_S] if x[at.LAST_S] > 0.0 else 0.0
        prompts_s = x[at.LAST_S] * x[at.LAST_PREFILL_FRAC]
        return (
            float(x[at.PREFILL_J] - over * x[at.LAST_PREFILL_J]),
            float(x[at.DECODE_J] - over * x[at.LAST_DECODE_J]),
            float(x[at.PREFILL_S] - over * prompts_s),
            float(x[at.DECODE_S] - over * (x[at.LAST_S] - prompts_s)),
        )

    def answered(self) -> tuple[int, int]:
        """Requests answered, and tokens of their answers."""
        return int(self._n[at.ANSWERED]), int(self._n[at.ANSWERED_TOK])

    def context_tok(self) -> tuple[int, int]:
        """Contexts of the sequences that decode, summed up: whole, and inside the window."""
        return int(self._n[at.CONTEXT_TOK]), int(self._n[at.WINDOW_CONTEXT_TOK])

    def decoding(self) -> int:
        """Sequences that decode."""
        return int(self._n[at.DECODING])

    def outcomes(self, numbers: IntArray) -> IntArray:
        """Where requests are, as in `Served.outcome`."""
        status: IntArray = self._of(self._q, at.Q, at.STATUS, numbers)
        return np.where(status == at.DECODES, RUNNING, status)

    def finish_s(self, numbers: IntArray) -> FloatArray:
        """When requests that are no longer there left."""
        found: FloatArray = self._of(self._f, at.F, at.FINISH_S, numbers)
        return found

    def progress(self, numbers: IntArray) -> IntArray:
        """Tokens that requests have by now."""
        produced = self._of(self._q, at.Q, at.PRODUCED, numbers).astype(np.int64)
        decodes = self._of(self._q, at.Q, at.STATUS, numbers) == at.DECODES
        produced[decodes] += self._n[at.ITERATIONS] - self._of(self._w, 1, 0, numbers[decodes])
        return produced

    def _of(self, array: Any, fields: int, field: int, numbers: IntArray) -> Any:
        """A field of some requests."""
        if self._compiled:
            return array[numbers * fields + field]
        kind = np.float64 if array is self._f else np.int64
        return np.array([array[i * fields + field] for i in numbers.tolist()], dtype=kind)

    def take_log(self) -> tuple[FloatArray, IntArray]:
        """Runs (start, a, b, count) and begun streams (request, number, iteration) since last."""
        n = self._n
        runs = np.array(self._runs[: 4 * n[at.RUNS]], dtype=np.float64)
        begun = np.array(self._segments[: 3 * n[at.SEGMENTS]], dtype=np.int64)
        n[at.RUNS] = n[at.SEGMENTS] = 0
        return runs, begun

    def spans(self, found: IntArray, since: int) -> tuple[IntArray, int]:
        """Spans of streams and the tokens in them, see `streams`."""
        span, count = np.empty(len(found), dtype=np.int64), len(found) // 3
        return span, streams.find_spans(self._n, self._q, self._w, found, span, 0, count, since)

    def fill_tokens(self, *columns: Any) -> int:
        """The tokens of spans, see `streams`; returns how many are told."""
        return streams.fill_tokens(self._f, self._q, *columns)

    def enter(self, *columns: Any) -> int:
        """Hand over requests without class or prefix, see `streams`; returns the first's number.

        They arrive in order, and no earlier than those before.
        """
        first = int(self._n[at.TOTAL])
        self.make_room(first + len(columns[0]))
        for row in zip(*(column.tolist() for column in columns), strict=True):
            streams.enter(self._n, self._f, self._q, *row)
        return first

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """Its arrays in the order of `layout`; compiled only."""
        return (
            self._c, self._x, self._n, self._f, self._q, self._w, self._g, self._runs,
            self._segments,
        )  # fmt: skip

    def served(self) -> Served:
        """What was done so far; requests under way with what they have.

        Raises:
            DataError: It does not remember what was asked for.
        """
        if self._asked is None:
            raise DataError("expected a server that remembers what was asked for; this one counts.")
        total = int(self._n[at.TOTAL])
        arrays = Arrays(
            c=self._c,
            x=self._x,
            n=self._n,
            f=np.asarray(self._f[: total * at.F]).reshape(total, at.F),
            q=np.asarray(self._q[: total * at.Q]).reshape(total, at.Q),
            w=self._w,
        )
        return read_served(self.replica, self._asked, arrays)

    def make_room(self, count: int) -> None:
        """Room for so many requests.

        Raises:
            DataError: They are more than a server can number.
        """
        if count <= self._room:
            return
        if count > at.KEY_MASK:
            raise DataError(
                f"expected at most {at.KEY_MASK} requests at a server. Use more servers."
            )
        room = roomy(count, self._room)
        more = room - self._room
        self._f = self._longer(self._f, more * at.F)
        self._q = self._longer(self._q, more * at.Q)
        queue_at = self._n[at.QUEUE_AT]
        waiting = self._w[queue_at:]
        by_priority = self._n[at.BY_PRIORITY]
        self._w = self._longer(self._w[:queue_at], more)
        self._w = self._longer(self._w, room if by_priority else 0)
        self._w[room : room + len(waiting)] = waiting
        self._n[at.QUEUE_AT] = room
        self._room = room

    def _longer(self, array: Any, more: int) -> Any:
        if not self._compiled:
            return array + [0] * more
        return longer(array, len(array) + more)

    def _add_groups(self, count: int) -> None:
        missing = count * at.G - len(self._g)
        if missing > 0:
            self._g = self._longer(self._g, max(missing, len(self._g)))

    def make_log(self) -> None:
        """Room for a longer log."""
        n = self._n
        if n[at.RUNS] >= n[at.RUNS_ROOM]:
            self._runs = self._longer(self._runs, 4 * max(64, n[at.RUNS_ROOM]))
            n[at.RUNS_ROOM] = len(self._runs) // 4
        else:
            more = max(n[at.PLACES] + 64, n[at.SEGMENTS_ROOM])
            self._segments = self._longer(self._segments, 3 * int(more))
            n[at.SEGMENTS_ROOM] = len(self._segments) // 3

    def _add_bins(self) -> None:
        """Twice as many; the iteration that goes beyond the old ones is spread over the new."""
        n, first = self._n, self._n[at.BINS_AT]
        old = int(n[at.BINS])
        step = float(self._x[at.BIN_STEP_S])
        x = np.asarray(self._x[: first + 3 * old])
        beyond = np.asarray(self._x[first + 3 * old : first + 3 * (old + 1)])
        count = max(2 * old, math.ceil(self.clock_s / step) + 1)
        more = np.zeros((count + 1 - old, 3))
        starts = step * np.arange(old, count + 1)
        inside = np.clip(self.clock_s - starts, 0.0, step)
        if beyond[2] > 0.0:
            more += np.outer(inside / inside.sum(), beyond)
        self._x = self._reals(np.concatenate([x, more.ravel()]))
        n[at.BINS] = count
