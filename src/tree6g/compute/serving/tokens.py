"""When each token leaves: from the log of runs and of begun streams to tokens with their times."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from tree6g.compute.serving.requests import FloatArray, IntArray
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
        self._streams = np.empty(0, dtype=np.int64)  # those under way, see `streams`
        self._last_s = np.empty(0)  # when the last token of each request left. [request]

    def read(self) -> Tokens:
        """Tokens of the iterations since it was last called."""
        runs, begun = self._server.take_log()
        if not len(runs) and not len(self._streams):
            return NOTHING
        streams = np.concatenate([self._streams, begun]) if len(begun) else self._streams
        spans, count = self._server.spans(streams, self._since)
        iterations = int(runs[3::4].sum())
        self._make_room(self._server.total)
        request, number = np.empty((2, count), dtype=np.int64)
        time_s, gap_s = np.empty((2, count))
        self._server.fill_tokens(
            runs, streams, spans, self._since, self._last_s, np.empty(iterations),
            request, number, time_s, gap_s,
        )  # fmt: skip
        self._since += iterations
        self._streams = streams.reshape(-1, 3)[spans[2::3] == 0].ravel()
        first = begun[::3][begun[1::3] == 1]
        return Tokens(request=request, number=number, time_s=time_s, gap_s=gap_s, begun=first)

    def _make_room(self, requests: int) -> None:
        missing = requests - len(self._last_s)
        if missing > 0:
            more = np.zeros(max(missing, len(self._last_s)))
            self._last_s = np.concatenate([self._last_s, more])


_NONE = np.empty(0, dtype=np.int64)
NOTHING: Final = Tokens(
    request=_NONE, number=_NONE, time_s=np.empty(0), gap_s=np.empty(0), begun=_NONE
)
