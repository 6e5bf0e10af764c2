"""Three constants of an engine on a device, fitted to the first requests of its log.

- compute efficiency: share of the peak of arithmetic that prompts reach;
- memory efficiency: share of the peak bandwidth at which weights, keys, values and states are read;
- time per step: everything an iteration takes however little it does: scheduling, launches,
  synchronisation of cards.

They have the same meaning for every device, engine and model. What the packaged table says of the
device's times per layer and per sequence is inside the third; the bytes that cards exchange per
token stay as they are. No power limit: if the device slows down to keep one, the efficiencies say
so. The whole log is simulated, for requests share the server with those that come later; times of
the fitted requests alone are compared.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final

import numpy as np

from tree6g.calibrate.request_logs import RequestLog
from tree6g.calibrate.result import FloatArray
from tree6g.calibrate.simplex import minimum
from tree6g.compute.replica import Replica
from tree6g.compute.serving.requests import requests
from tree6g.compute.serving.run import serve
from tree6g.compute.serving.settings import EngineSettings

MEASURES: Final = ("e2e", "ttft", "tpot")
FITTED: Final = 100  # requests that are fitted, the first by arrival
FLOOR_S: Final = 1.0  # below it, differences of the time to the first token count less
_LOST: Final = 3.0  # logarithmic error of a request that the simulation does not answer
_START: Final = ((1.0, 1.0, 1.0), (0.7, 0.8, 4.0))  # of the constants a priori


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """What the device could do at most, all of its cards together."""

    flop_per_s: float
    byte_per_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """The three constants."""

    compute_frac: float
    memory_frac: float
    step_s: float

    def applied(self, replica: Replica, peaks: Peaks) -> Replica:
        """The replica with these constants in place of its own."""
        slower = replica.weight_byte / (peaks.byte_per_s * self.memory_frac) / replica.weight_s
        per_byte_s = 1.0 / (peaks.byte_per_s * self.memory_frac)
        return dataclasses.replace(
            replica,
            weight_s=replica.weight_s * slower,
            expert_s=replica.expert_s * slower,
            state_s=replica.state_s * slower,
            kv_s_per_tok=replica.kv_byte_per_tok * per_byte_s,
            window_kv_s_per_tok=replica.window_kv_byte_per_tok * per_byte_s,
            flop_s=1.0 / (peaks.flop_per_s * self.compute_frac),
            fixed_s=self.step_s,
            prompt_s=0.0,
            sequence_s=0.0,
            limit_w=math.inf,
        )


def times(log: RequestLog, replica: Replica, settings: EngineSettings) -> dict[str, FloatArray]:
    """Simulated times of all requests by measure [request]; nan for those not answered."""
    asked = requests(
        log.arrival_s,
        log.input_tok,
        log.output_tok,
        prefix_id=np.arange(len(log)),  # what a preempted request finds of itself in the cache
        prefix_tok=log.input_tok,
    )
    done = serve(replica, settings, asked)
    return {"e2e": done.e2e_s, "ttft": done.ttft_s, "tpot": done.tpot_s}


def measured(log: RequestLog) -> dict[str, FloatArray]:
    """The log's own times by measure [request]; no pace where there is one token."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pace_s = (log.last_s - log.first_s) / (log.output_tok - 1.0)
    return {
        "e2e": log.last_s,
        "ttft": log.first_s,
        "tpot": np.where(log.output_tok > 1, pace_s, np.nan),
    }


def fit(
    log: RequestLog, replica: Replica, peaks: Peaks, settings: EngineSettings
) -> tuple[Constants, float]:
    """Constants that give the first requests their times, and the error that is left.

    Least mean of |log(simulated / measured)| over end-to-end times, times to the first token and
    times per token of the first `FITTED` requests, so that no single one decides. A second is added
    to both times to the first token: what an engine that has just started takes longer for its
    first prompts is none of the constants.
    """
    cost = _cost(log, replica, peaks, settings)
    prior = np.array(
        [
            1.0 / (replica.flop_s * peaks.flop_per_s),
            replica.weight_byte / (replica.weight_s * peaks.byte_per_s),
            replica.fixed_s,
        ]
    )
    found = [minimum(cost, np.log(prior * np.array(scale))) for scale in _START]
    at, least = min(found, key=lambda pair: pair[1])
    at, least = minimum(cost, at, step=0.05)
    return _constants(at), least


def _constants(at: FloatArray) -> Constants:
    compute, memory, step_s = (float(value) for value in np.exp(at))
    return Constants(compute_frac=compute, memory_frac=memory, step_s=step_s)


def _cost(
    log: RequestLog, replica: Replica, peaks: Peaks, settings: EngineSettings
) -> Callable[[FloatArray], float]:
    first = min(FITTED, len(log))
    known = {name: value[:first] for name, value in measured(log).items()}

    def cost(at: FloatArray) -> float:
        """Mean distance of simulated and measured latencies, in logarithms."""
        if not (np.abs(at) < 12.0).all() or (np.exp(at[:2]) > 1.5).any():
            return math.inf  # beyond the device's peaks
        simulated = times(log, _constants(at).applied(replica, peaks), settings)
        total = 0.0
        for name, value in known.items():
            there = np.isfinite(value)
            floor_s = FLOOR_S if name == "ttft" else 0.0
            ours_s = simulated[name][:first][there]
            off = np.abs(np.log((ours_s + floor_s) / (value[there] + floor_s)))
            total += float(np.where(np.isfinite(off), off, _LOST).mean()) if there.any() else 0.0
        return total / len(known)

    return cost
