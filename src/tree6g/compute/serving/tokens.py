"""When each token leaves: from the log of runs and of begun streams to tokens with their times."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from tree6g.compute.serving.requests import FloatArray, IntArray
from tree6g.compute.serving.room import longer, roomy
from tree6g.compute.serving.state import ServerState
from tree6g.compute.serving.streams import find_ends


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
    """Reads the tokens of a server that logs them, after every advance.

    Attributes:
        since: Iterations that have been read.
        streams: Streams under way, see `streams`.
        about: Kind and chunk of each request. [2 request]
        last_s: When the last token of each left. [request]
    """

    def __init__(self, server: ServerState, kinds: int) -> None:
        self._server = server
        self._kinds = kinds
        self.since = 0
        self.streams = np.empty(0, dtype=np.int64)
        self.about = np.empty(0, dtype=np.int64)
        self.last_s = np.empty(0)

    def note(self, first: int, kind: IntArray, chunk_tok: IntArray) -> None:
        """Kinds of requests, and tokens of their chunks (0: all in one), from a number on."""
        last = first + len(kind)
        self.make_room(last)
        self.about[2 * first : 2 * last : 2] = kind
        self.about[2 * first + 1 : 2 * last : 2] = chunk_tok

    def make_room(self, count: int) -> None:
        """Room for so many requests."""
        if count > len(self.last_s):
            room = roomy(count, len(self.last_s))
            self.last_s, self.about = longer(self.last_s, room), longer(self.about, 2 * room)

    def read(self) -> Tokens:
        """Tokens of the iterations since it was last called."""
        runs, begun = self._server.take_log()
        sampled = np.zeros((self._kinds, 2))
        if not len(runs) and not len(self.streams):
            return Tokens(request=_NONE, number=_NONE, time_s=_NO_S, sampled=sampled, begun=_NONE)
        streams = np.concatenate([self.streams, begun]) if len(begun) else self.streams
        spans, count = self._server.spans(streams, self.since)
        iterations = int(runs[3::4].sum())
        request, number = np.empty((2, count), dtype=np.int64)
        time_s = np.empty(count)
        ends_s = np.empty(iterations)
        find_ends(runs, len(runs) // 4, ends_s)
        told = self._server.fill_tokens(
            streams, spans, 0, len(streams) // 3, self.since, self.about, self.last_s, ends_s,
            sampled.ravel(), 0, request, number, time_s, 0,
        )  # fmt: skip
        self.since += iterations
        self.streams = streams.reshape(-1, 3)[spans[2::3] == 0].ravel()
        return Tokens(
            request=request[:told],
            number=number[:told],
            time_s=time_s[:told],
            sampled=sampled,
            begun=begun[::3][begun[1::3] == 1],
        )


_NONE: Final = np.empty(0, dtype=np.int64)
_NO_S: Final = np.empty(0)
