"""A device that answers one request at a time, as a phone does."""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.roofline import decode_batch, iteration, prompt_batch
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

    Thermal throttling is not included: phones slow down after minutes of use (`clock_states`).
    """
    prompt = iteration(r, prompt_batch(prompt_tok, window_tok=r.window_tok))
    context_tok = prompt_tok + 1.0 + np.arange(output_tok - 1.0)
    step = iteration(r, decode_batch(1.0, context_tok, np.minimum(context_tok, r.window_tok)))
    energy_j = step.energy_j - r.idle_w * step.time_s
    return Answer(
        time_s=np.cumsum(np.concatenate([[prompt.time_s], step.time_s])),
        energy_j=np.concatenate([[prompt.energy_j - r.idle_w * prompt.time_s], energy_j]),
    )
