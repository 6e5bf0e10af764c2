"""A device that answers one request at a time, as a phone does."""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.compute.roofline import Replica, decode_batch, iteration, prompt_batch
from tree6g.compute.stream import FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer from start to end.

    Attributes:
        time_s: When each token is there, after the start. [token]
        energy_j: Energy above idle since the token before it. [token]
    """

    time_s: FloatArray
    energy_j: FloatArray


def answer(r: Replica, prompt_tok: int, output_tok: int) -> Answer:
    """Times and energy of an answer, batch of one; same physics as `roofline.iteration`.

    Contexts grow by one token per iteration, so times and energy per iteration rise linearly.
    Thermal throttling is not included: phones slow down after minutes of use.
    """
    prompt = iteration(r, prompt_batch(prompt_tok))
    first, second = (iteration(r, decode_batch(1.0, prompt_tok + n)) for n in (1.0, 2.0))
    j = np.arange(output_tok - 1.0)
    step_s = first.time_s + j * (second.time_s - first.time_s)
    raw_j = first.energy_j + j * (second.energy_j - first.energy_j)
    energy_j = np.minimum(raw_j, r.limit_w * step_s) - r.idle_w * step_s
    return Answer(
        time_s=np.cumsum(np.concatenate([[prompt.time_s], step_s])),
        energy_j=np.concatenate([[prompt.energy_j - r.idle_w * prompt.time_s], energy_j]),
    )
