"""Jobs of a server, and what stands at its desk: who is to come, who is there, what was told."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.compute.serving.requests import FloatArray, IntArray
from tree6g.compute.serving.room import longer, roomy
from tree6g.compute.serving.state import ServerState
from tree6g.compute.serving.tokens import TokenReader

NONE: Final[IntArray] = np.empty(0, dtype=np.int64)
NO_S: Final[FloatArray] = np.empty(0)


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

    def part(self, first: int, last: int) -> Jobs:
        """Those from the first one on, up to the last one, which is not among them."""
        return Jobs(self.whole[:, first:last], self.real[:, first:last])


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


class Known(NamedTuple):
    """Where the arrays of a server stand in memory, as long as they are these.

    Attributes:
        arrays: The arrays, as `serving.together` has them.
        row: Their addresses.
    """

    arrays: tuple[npt.NDArray[Any], ...]
    row: list[int]


@dataclasses.dataclass(slots=True, kw_only=True)
class Desk:
    """What changes at a server while it works.

    Attributes:
        state: The server itself.
        reader: Tells its tokens.
        inbox: Jobs that have not been handed over.
        inbox_tok: Tokens of their prompts.
        inbox_count: How many they are.
        job: Job of each request of the server, and room.
        open: Requests that have not left, by the server's number.
        used: Use above idle from the start.
        told_s: Until when it was asked to work.
        untold: Whether there may be tokens that `reader` has not read.
        known: Where the arrays are; None: not looked up yet.
    """

    state: ServerState
    reader: TokenReader
    inbox: list[Jobs] = dataclasses.field(default_factory=list)
    inbox_tok: int = 0
    inbox_count: int = 0
    job: IntArray = dataclasses.field(default_factory=lambda: NONE)
    open: IntArray = dataclasses.field(default_factory=lambda: NONE)
    used: Usage = dataclasses.field(default_factory=Usage)
    told_s: float = 0.0
    untold: bool = False
    known: Known | None = None

    def rests(self) -> bool:
        """Whether all that was handed over is done and told: then only time passes."""
        state = self.state
        idle = not (state.running or state.waiting or self.untold)
        return idle and state.clock_s <= self.told_s

    def make_room(self) -> None:
        """Room for all that is in the inbox."""
        if not self.inbox:
            return
        count = self.state.total + self.inbox_count
        if count > len(self.job):
            self.job = longer(self.job, roomy(count, len(self.job)))
        self.reader.make_room(count)
        self.state.make_room(count)

    def use(self, whole: Usage) -> Usage:
        """Use since it was last told, of that from the start."""
        used = Usage(whole.prefill_j, whole.decode_j, whole.prefill_s, whole.decode_s)
        used.add(self.used, -1.0)
        self.used = whole
        return used


NO_JOBS: Final = jobs(id=NONE, arrival_s=NO_S, prompt_tok=NONE, output_tok=NONE, give_up_s=0.0)
