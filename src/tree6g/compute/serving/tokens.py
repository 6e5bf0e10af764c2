"""When each token leaves: from the log of runs and of begun streams to tokens with their times."""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.compute.serving.requests import FloatArray, IntArray
from tree6g.compute.serving.result import SERVED
from tree6g.compute.serving.state import ServerState


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tokens:
    """Tokens in order of their streams, then of their numbers; arrays are [token].

    Attributes:
        request: Request, as `submit` numbered it.
        number: Number in its answer, from 1.
        time_s: When it left; the last may lie after the time advanced to.
        gap_s: Time since the token before it, for the first since it was scheduled.
        begun: Requests whose first token is among them.
    """

    request: IntArray
    number: IntArray
    time_s: FloatArray
    gap_s: FloatArray
    begun: IntArray


class TokenReader:
    """Reads the tokens of a server that logs them, after every advance."""

    def __init__(self, server: ServerState) -> None:
        self._server = server
        self._since = 0
        # Streams under way: request, number of their first token, its iteration. A request that
        # was preempted has one for each stretch.
        self._streams = np.empty((0, 3), dtype=np.int64)
        self._last_s: dict[int, float] = {}

    def read(self) -> Tokens:
        """Tokens of the iterations since it was last called."""
        runs, begun = self._server.take_log()
        ends_s = end_times_s(runs)
        since, self._since = self._since, self._since + len(ends_s)
        streams = np.concatenate([self._streams, begun])
        low, high, over = self._spans(streams, since)
        count = high - low
        self._streams = streams[~over]
        ended = streams[over, 0]
        owner = np.repeat(np.arange(len(streams)), count)
        offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        number = low[owner] + offset
        time_s = ends_s[streams[owner, 2] + number - streams[owner, 1] - since]
        request = streams[owner, 0]
        gap_s = self._gaps_s(request, number, time_s)
        for i in ended.tolist():
            if self._server.outcome(i) == SERVED:
                self._last_s.pop(i, None)
        first = begun[begun[:, 1] == 1, 0]
        return Tokens(request=request, number=number, time_s=time_s, gap_s=gap_s, begun=first)

    def _spans(
        self, streams: IntArray, since: int
    ) -> tuple[IntArray, IntArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """First and one past the last number of the tokens of each stream, and if it has ended."""
        request, number, iteration = streams.T
        there, decodes = self._server.progress(request)
        later: dict[int, int] = {}
        end = there + 1
        over = ~decodes
        for k in range(len(streams) - 1, -1, -1):
            if int(request[k]) in later:
                end[k] = later[int(request[k])]
                over[k] = True
            later[int(request[k])] = int(number[k])
        low = number + np.maximum(since - iteration, 0)
        return low, np.maximum(end, low), over

    def _gaps_s(self, request: IntArray, number: IntArray, time_s: FloatArray) -> FloatArray:
        """Time since the token before; that of the last one read is remembered."""
        gap_s = np.diff(time_s, prepend=0.0)
        starts = np.flatnonzero(np.diff(request, prepend=-1))
        scheduled_s = self._server.scheduled_s(request[starts])
        for k, start in enumerate(starts):
            before_s = self._last_s.get(int(request[start]), 0.0)
            gap_s[start] = time_s[start] - (scheduled_s[k] if number[start] == 1 else before_s)
        lasts = np.append(starts[1:], len(request)) - 1
        for last in lasts[: len(starts)]:
            self._last_s[int(request[last])] = float(time_s[last])
        return gap_s


def end_times_s(runs: FloatArray) -> FloatArray:
    """End of every iteration of runs (start, a, b, count): start + (j+1) a + b j (j+1) / 2."""
    count = runs[:, 3].astype(np.int64)
    run = np.repeat(np.arange(len(runs)), count)
    j = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    start_s, a, b = runs[run, 0], runs[run, 1], runs[run, 2]
    return start_s + ((j + 1) * a + b * (0.5 * (j + 1) * j))
