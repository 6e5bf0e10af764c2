"""What chance decides in an episode: who asks for what when, and how shadowing changes.

Everything is drawn in blocks of steps from one generator per episode, so that an episode does not
depend on how many others run beside it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np

from tree6g.optimise.environment.network import Network, Stream
from tree6g.radio.pathloss import FloatArray
from tree6g.traffic.lengths import draw_lengths

BLOCK: Final = 16  # steps drawn at once


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shadowing:
    """Slow changes of the users' gains around what the scenario drops.

    A first-order Gauss-Markov process in dB for each user (Gudmundson, Electronics Letters 27(23),
    1991: the correlation falls by 1/e over a distance, here as the time to walk it). The mean over
    time is the scenario's own gain. No fading within a step: rates are means over it.

    Attributes:
        std_db: Standard deviation; 4 dB is that of TR 38.901 UMa and UMi in line of sight.
        time_s: Time over which the correlation falls by 1/e; 25 s is 37 m (UMa in line of sight,
            TR 38.901 Table 7.5-6) at 1.5 m/s.
    """

    std_db: float = 4.0
    time_s: float = 25.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """What comes in the steps of a block. Arrays are [step, cell, user].

    Attributes:
        offered_bit: Bits of messages and of answers yet to be made.
        prompt_tok: Prompt tokens of those answers; only AI users.
        shadow: Standard normal numbers.
    """

    offered_bit: FloatArray
    prompt_tok: FloatArray
    shadow: FloatArray


class Draws:
    """The chance of one episode after the other, from a generator that somebody else seeds."""

    def __init__(self, network: Network, step_s: float) -> None:
        self._network = network
        self._step_s = step_s
        self._ai = max((s.users.stop for s in network.ai), default=0)
        self._poisson = np.zeros(network.users)
        self._period_s = np.full(network.users, np.inf)
        for stream in network.streams:
            if stream.periodic:
                self._period_s[stream.users] = 1.0 / stream.rate_per_s
            else:
                self._poisson[stream.users] = step_s * stream.rate_per_s
        self._poisson = self._poisson * network.present
        self._message_bit = network.by_user("message_bit") * network.present
        self._some_periodic = bool(np.isfinite(self._period_s).any())

    def phases(self, rng: np.random.Generator) -> FloatArray:
        """Where in their period the users with fixed times begin, from 0 to 1. [cell, user]."""
        return rng.random(self._network.present.shape)

    def first_shadow(self, rng: np.random.Generator) -> FloatArray:
        """Standard normal start of shadowing. [cell, user]."""
        return rng.standard_normal(self._network.present.shape)

    def block(self, rng: np.random.Generator, first: int, phase: FloatArray) -> Block:
        """The block of steps from a first one on."""
        count = rng.poisson(self._poisson, (BLOCK, *self._poisson.shape)).astype(np.float64)
        if self._some_periodic:
            edge = (first + np.arange(BLOCK + 1.0))[:, None, None] * self._step_s
            count += np.diff(np.floor(edge / self._period_s + phase), axis=0)
        offered = count * self._message_bit
        prompt = np.zeros((*count.shape[:2], self._ai))
        for stream in self._network.ai:
            _draw_requests(rng, stream, count, offered, prompt)
        return Block(
            offered_bit=offered, prompt_tok=prompt, shadow=rng.standard_normal(count.shape)
        )


def _draw_requests(
    rng: np.random.Generator,
    stream: Stream,
    count: FloatArray,
    offered: FloatArray,
    prompt: FloatArray,
) -> None:
    """Lengths of the requests of a service, summed where one user has several in a step."""
    step, cell, user = np.nonzero(count[..., stream.users])
    if not len(step) or stream.lengths is None:
        return
    user += stream.users.start
    many = count[step, cell, user].astype(np.int64)
    which = np.repeat(np.arange(len(many)), many)
    asked, answered = draw_lengths(rng, stream.lengths, len(which))
    prompt[step, cell, user] = np.bincount(which, weights=asked)
    offered[step, cell, user] = stream.bit_per_tok * np.bincount(which, weights=answered)


def correlation(shadowing: Shadowing, step_s: float) -> float:
    """Correlation of shadowing from one step to the next."""
    return math.exp(-step_s / shadowing.time_s)
