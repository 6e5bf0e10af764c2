"""When each token leaves: from the log of runs and of begun streams to tokens with their times."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from tree6g.compute.serving.requests import FloatArray, IntArray
from tree6g.compute.serving.state import ServerState


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tokens:
    """Tokens that end a chunk, in order of their streams, then of their numbers.

    Attributes:
        request: Request, as the server numbered it. [token]
        number: Number in its answer, from 1. [token]
        time_s: When it left; the last may lie after the time advanced to. [token]
        sampled: All tokens, and how long their sessions have run since the token before them, for
            the first since it was scheduled. [kind, 2]
        begun: Requests whose first token is among them.
    """

    request: IntArray
    number: IntArray
    time_s: FloatArray
    sampled: FloatArray
    begun: IntArray


class TokenReader:
    """Reads the tokens of a server that logs them, after every advance."""

    def __init__(self, server: ServerState, kinds: int) -> None:
        self._server = server
        self._kinds = kinds
        self._since = 0
        self._streams = np.empty(0, dtype=np.int64)  # those under way, see `streams`
        self._about = np.empty(0, dtype=np.int64)  # kind and chunk. [2 request]
        self._last_s = np.empty(0)  # when the last token of each request left. [request]

    def note(self, first: int, kind: IntArray, chunk_tok: IntArray) -> None:
        """Kinds of requests, and tokens of their chunks (0: all in one), from a number on."""
        last = first + len(kind)
        missing = last - len(self._last_s)
        if missing > 0:
            room = np.zeros(max(missing, len(self._last_s)))
            self._last_s = np.concatenate([self._last_s, room])
            self._about = np.concatenate([self._about, np.zeros(2 * len(room), dtype=np.int64)])
        self._about[2 * first : 2 * last : 2] = kind
        self._about[2 * first + 1 : 2 * last : 2] = chunk_tok

    def read(self) -> Tokens:
        """Tokens of the iterations since it was last called."""
        runs, begun = self._server.take_log()
        sampled = np.zeros((self._kinds, 2))
        if not len(runs) and not len(self._streams):
            return Tokens(request=_NONE, number=_NONE, time_s=_NO_S, sampled=sampled, begun=_NONE)
        streams = np.concatenate([self._streams, begun]) if len(begun) else self._streams
        spans, count = self._server.spans(streams, self._since)
        iterations = int(runs[3::4].sum())
        request, number = np.empty((2, count), dtype=np.int64)
        time_s = np.empty(count)
        told = self._server.fill_tokens(
            runs, streams, spans, self._since, self._about, self._last_s, np.empty(iterations),
            sampled.ravel(), request, number, time_s,
        )  # fmt: skip
        self._since += iterations
        self._streams = streams.reshape(-1, 3)[spans[2::3] == 0].ravel()
        return Tokens(
            request=request[:told],
            number=number[:told],
            time_s=time_s[:told],
            sampled=sampled,
            begun=begun[::3][begun[1::3] == 1],
        )


_NONE: Final = np.empty(0, dtype=np.int64)
_NO_S: Final = np.empty(0)
