"""Room for the requests of a server, and how they are put there."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tree6g.compute.serving import layout as at
from tree6g.compute.serving.requests import FloatArray, IntArray, Requests

FIRST_ROOM: Final = 1024  # for requests, at first; what is not written takes no memory


def roomy(count: int, room: int) -> int:
    """Room for so many requests where there was too little."""
    return max(count, 2 * room, FIRST_ROOM)


def longer(array: npt.NDArray[Any], count: int) -> Any:
    """An array with zeros behind it; those that are never written take no memory."""
    if count <= len(array):
        return array
    found = np.zeros(count, dtype=array.dtype)
    found[: len(array)] = array
    return found


def write(asked: Requests, reals: FloatArray, whole: IntArray) -> None:
    """Put requests into rows of `f` and `q` that are all 0."""
    count = len(asked)
    reals[:, at.ARRIVAL_S] = asked.arrival_s
    np.add(asked.arrival_s, asked.give_up_s, out=reals[:, at.DEADLINE_S])
    reals[:, at.SCHEDULED_S : at.FINISH_S + 1] = np.nan
    whole[:count, at.PROMPT_TOK] = asked.prompt_tok
    whole[:count, at.OUTPUT_TOK] = asked.output_tok
    whole[:count, at.PRIORITY] = asked.priority
    whole[:count, at.PREFIX_ID] = asked.prefix_id
    whole[:count, at.PREFIX_TOK] = asked.prefix_tok
    whole[:count, at.CACHED] = -1
