"""Answers on their way: from iterations of a batch to tokens with their times."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer on its way: token n leaves at the end of iteration `first + n - 1`."""

    job: int
    first: int
    output_tok: int
    admitted_s: float


def expand(
    streams: list[Stream], since: int, previous_end_s: float, ends_s: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Tokens sampled in iterations `since` and later.

    Args:
        streams: Answers that were running.
        since: Number of the first iteration.
        previous_end_s: End of the iteration before it.
        ends_s: End of each iteration. [iteration]

    Returns:
        Job, number in the answer from 1, time, and time since the token before it, for the first
        token since admission. [token]
    """
    none = np.empty(0, dtype=np.intp)
    if not len(ends_s) or not streams:
        return none, none, np.empty(0), np.empty(0)
    job, first, length = (
        np.array([getattr(s, name) for s in streams], dtype=np.intp)
        for name in ("job", "first", "output_tok")
    )
    admitted_s = np.array([s.admitted_s for s in streams])
    low = np.maximum(since - first, 0)
    count = np.maximum(np.minimum(length, since + len(ends_s) - first) - low, 0)
    owner = np.repeat(np.arange(len(job)), count)
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    number = low[owner] + offset + 1
    at = first[owner] + number - 1 - since
    starts_s = np.concatenate([[previous_end_s], ends_s[:-1]])
    since_s = np.where(number == 1, admitted_s[owner], starts_s[at])
    return job[owner], number, ends_s[at], ends_s[at] - since_s
