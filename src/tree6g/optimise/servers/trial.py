"""One server at one load, simulated as the engine simulates it."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.serving.measures import paced_on_time
from tree6g.compute.serving.requests import requests
from tree6g.compute.serving.result import Served
from tree6g.compute.serving.settings import EngineSettings
from tree6g.compute.serving.state import ServerState
from tree6g.optimise.servers.demand import Demand


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a server did at a load.

    Attributes:
        rate_tps: Output tokens per second.
        batch_tok: Tokens of an iteration, mean over iterations.
        step_s: Time of an iteration, mean over iterations.
        running: Sequences that run, mean over time.
        active_w: Power above idle, mean over time.
        ttft_s: Time to the first token, mean over requests.
        on_time_frac: Share of the effective tokens that were asked for and came on time.
    """

    rate_tps: float
    batch_tok: float
    step_s: float
    running: float
    active_w: float
    ttft_s: float
    on_time_frac: float


def trial(replica: Replica, settings: EngineSettings, asked: Demand) -> Point | None:
    """Let a server answer a demand; None if it answers nobody.

    Without a compiler in the process the same kernel runs as plain Python: same numbers.
    """
    server = ServerState(replica, settings, compiled="numba" in sys.modules)
    wanted = requests(
        asked.arrival_s, asked.prompt_tok, asked.output_tok, give_up_s=asked.patience_s
    )
    server.submit(wanted)
    server.advance(math.inf)
    done = server.served()
    made_tok = float(done.produced_tok.sum())
    if not made_tok > 0.0:
        return None
    return Point(
        rate_tps=made_tok / asked.span_s,
        batch_tok=made_tok / done.iterations,
        step_s=done.busy_s / done.iterations,
        running=done.running_time_s / asked.span_s,
        active_w=(done.energy_j - replica.idle_w * done.end_s) / asked.span_s,
        ttft_s=float(np.nanmean(done.ttft_s)),
        on_time_frac=_on_time_frac(done, asked),
    )


def _on_time_frac(done: Served, asked: Demand) -> float:
    """Effective tokens that came on time over all: a prompt counts if its first token did.

    Tokens of an answer are taken to come evenly paced (METRIC rules 4 and 5).
    """
    came = offered = 0.0
    for number, (budgets, k_in) in enumerate(
        zip(asked.budgets, asked.input_worth_frac, strict=True)
    ):
        rows = asked.service == number
        prompt, answer = k_in * asked.prompt_tok[rows], asked.output_tok[rows].astype(np.float64)
        offered += float((prompt + answer).sum())
        served, ttft_s, e2e_s = done.served[rows], done.ttft_s[rows], done.e2e_s[rows]
        whole = served & ~(e2e_s > budgets.e2e_s)
        begun = whole & ~(ttft_s > budgets.ttft_s)
        if math.isfinite(budgets.ttft_s + budgets.tpot_s):
            pace_s = np.nan_to_num(done.tpot_s[rows])
            answer = paced_on_time(np.nan_to_num(ttft_s), pace_s, answer, budgets)
        came += float(prompt[begun].sum() + answer[whole].sum())
    return came / offered
