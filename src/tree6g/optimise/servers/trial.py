"""One server at one load, simulated as the engine simulates it."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.serving.measures import paced_on_time
from tree6g.compute.serving.requests import FloatArray, requests
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
        on_time_frac: Share of the tokens that were asked for and came on time.
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
        on_time_frac=float(_on_time_tok(done, asked).sum()) / float(asked.output_tok.sum()),
    )


def _on_time_tok(done: Served, asked: Demand) -> FloatArray:
    """Tokens on time of each request, those of evenly paced answers (METRIC rule 5). [request]."""
    found = np.zeros(len(asked))
    for number, budgets in enumerate(asked.budgets):
        rows = (asked.service == number) & done.served
        count = asked.output_tok[rows].astype(np.float64)
        if math.isfinite(budgets.e2e_s):
            found[rows] = np.where(done.e2e_s[rows] <= budgets.e2e_s, count, 0.0)
        elif math.isfinite(budgets.ttft_s + budgets.tpot_s):
            pace_s = np.nan_to_num(done.tpot_s[rows])
            found[rows] = paced_on_time(done.ttft_s[rows], pace_s, count, budgets)
        else:
            found[rows] = count
    return found
