"""A server under a mean load: how many answers run in it, their pace, and its joules.

Answers in a batch share its iterations, so a server is a queue with processor sharing whose rate
depends on the state: with k answers each has a token every t(k), and the share rho of its time goes
to prompts. Such a queue has, whatever the lengths of answers are,

    P(k) ~ product over j <= k of  a N t(j) / (j (1 - rho)),     a requests/s of N tokens each

up to the greatest batch K; beyond it answers wait, and the ratio of neighbouring P stays that of K.
From it follow pace and wait by Little's law, and the power above idle

    P = (1 - rho) sum of P(k) (E(k) - idle t(k)) / t(k)  +  a x joules of a prompt.

Iterations are those of `compute.roofline`. Not in it: prompts that join iterations of others (their
joules are those of a prompt alone), and that arrivals come in bursts. Engine runs of a steady load
have joules within a few per cent of it; `tests/unit/test_placing_load.py` holds it against them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.roofline import decode_batch, iteration, prompt_batch
from tree6g.optimise.placement.problem import FloatArray

CONTEXT_TOK: Final = 64  # contexts are rounded to multiples, so that a curve serves again
BUSIEST_FRAC: Final = 0.8  # of the time may go to prompts: beyond, the first token waits
FULL: Final = 0.9  # ratio of neighbouring P beyond the batch: a queue as long as ten answers
HALVINGS: Final = 24


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A server that can be loaded.

    Attributes:
        replica: Constants of its iterations.
        most: Sequences in its batch at most.
        prompt_s_per_tok: Time of a prompt token.
    """

    replica: Replica
    most: int
    prompt_s_per_tok: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Requests of one kind.

    Attributes:
        rate_rps: Requests per second.
        prompt_tok: Mean prompt.
        output_tok: Mean answer.
    """

    rate_rps: float
    prompt_tok: float
    output_tok: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A server under load.

    Attributes:
        power_w: Above idle.
        tpot_s: Mean time per token of an answer.
        wait_s: Mean wait for a place in the batch.
        prompts_frac: Share of its time that goes to prompts.
        fits: Whether the queue stays short.
    """

    power_w: float
    tpot_s: float
    wait_s: float
    prompts_frac: float
    fits: bool

    def first_s(self, machine: Machine, prompt_tok: FloatArray) -> FloatArray:
        """Time at the server until the first token. [request]."""
        own_s = prompt_tok * machine.prompt_s_per_tok / (1.0 - min(self.prompts_frac, 0.99))
        return np.asarray(self.wait_s + own_s + self.tpot_s, dtype=np.float64)


def loaded(machine: Machine, works: Sequence[Work]) -> Loaded:
    """A server under the sum of some loads."""
    some = [work for work in works if work.rate_rps > 0.0]
    rate = sum(work.rate_rps for work in some)
    tok = sum(work.rate_rps * work.output_tok for work in some)
    if tok == 0.0:
        time_s, _ = curve(machine.replica, machine.most, CONTEXT_TOK)
        return Loaded(power_w=0.0, tpot_s=float(time_s[0]), wait_s=0.0, prompts_frac=0.0, fits=True)
    context = sum(w.rate_rps * w.output_tok * (w.prompt_tok + 0.5 * w.output_tok) for w in some)
    context_tok = max(round(context / tok / CONTEXT_TOK), 1) * CONTEXT_TOK
    prompts = sum(w.rate_rps * w.prompt_tok * machine.prompt_s_per_tok for w in some)
    left = 1.0 - min(prompts, 0.99)
    time_s, above_j = curve(machine.replica, machine.most, context_tok)
    count = np.arange(1, len(time_s) + 1)
    ratio = tok * time_s / (count * left)
    beyond = float(ratio[-1])
    fits = beyond <= FULL and prompts <= BUSIEST_FRAC
    share, queue = _shares(ratio, min(beyond, FULL))
    running = float(share[1:] @ np.append(count[:-1], count[-1]))
    prompt_j = sum(w.rate_rps * _prompt_j(machine.replica, round(w.prompt_tok)) for w in some)
    return Loaded(
        power_w=left * float(share[1:] @ (above_j / time_s)) + prompt_j,
        tpot_s=running / tok,
        wait_s=queue / rate,
        prompts_frac=prompts,
        fits=fits,
    )


def most_rps(machine: Machine, work: Work, *, first_s: float, tpot_s: float) -> float:
    """Requests per second that a server takes within its budgets, 0: not even one now and then.

    Args:
        machine: The server.
        work: What they are; their rate is not looked at.
        first_s: Time that it has to the first token of a mean prompt.
        tpot_s: Time per token.
    """

    def keeps(rate_rps: float) -> bool:
        """Whether a load is within the budgets."""
        under = loaded(machine, [dataclasses.replace(work, rate_rps=rate_rps)])
        own_s = float(under.first_s(machine, np.array(work.prompt_tok)))
        return under.fits and own_s <= first_s and under.tpot_s <= tpot_s

    low, high = 1e-9, 1e-3
    if not keeps(low):
        return 0.0
    while keeps(high):
        low, high = high, 4.0 * high
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


@lru_cache(maxsize=512)
def curve(replica: Replica, most: int, context_tok: int) -> tuple[FloatArray, FloatArray]:
    """Time and joules above idle of an iteration with 1, 2, ... sequences. [sequences - 1]."""
    room = max(1, min(most, int(replica.kv_capacity_tok // max(context_tok, 1))))
    count = np.arange(1.0, room + 1.0)
    inside = min(float(context_tok), replica.window_tok)
    cost = iteration(replica, decode_batch(count, count * context_tok, count * inside))
    time_s = np.asarray(cost.time_s, dtype=np.float64)
    return time_s, np.asarray(cost.energy_j - replica.idle_w * time_s, dtype=np.float64)


@lru_cache(maxsize=4096)
def _prompt_j(replica: Replica, prompt_tok: int) -> float:
    cost = iteration(replica, prompt_batch(float(prompt_tok), window_tok=replica.window_tok))
    return float(cost.energy_j - replica.idle_w * cost.time_s)


def _shares(ratio: FloatArray, beyond: float) -> tuple[FloatArray, float]:
    """Probabilities of 0, 1, ... and of a full batch or more, and the mean queue."""
    log = np.concatenate([[0.0], np.cumsum(np.log(ratio))])
    share = np.exp(log - log.max())
    share[-1] /= 1.0 - beyond
    share /= share.sum()
    return share, float(share[-1]) * beyond / (1.0 - beyond)
