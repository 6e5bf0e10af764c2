"""What a run of a server or a fleet comes to: latencies, goodput, tokens on time, joules."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tree6g.compute.serving import measures
from tree6g.compute.serving.fleet import FleetServed
from tree6g.compute.serving.measures import Budgets, FloatArray, Spread, Verdict
from tree6g.compute.serving.result import GAVE_UP, REFUSED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of a run; times count from arrival at the server.

    Attributes:
        requests: Requests that came.
        served: Answered whole.
        refused: Longer than the KV cache.
        gave_up: Left before their first token.
        preemptions: How often a running sequence lost its blocks.
        ttft_s: Time to the first token.
        tpot_s: Time per further token, a value per request.
        itl_s: Gap between tokens, a value per token; from a histogram.
        e2e_s: Time to the last token.
        queue_s: Time to the first iteration.
        goodput_hz: Requests per second of the trace that met all budgets.
        goodput_frac: Their share of all requests.
        on_time_frac: Share of the tokens asked for that came by METRIC rule 5.
        fluidity: Mean worth of a token by when it came, see `measures`.
        fairness: Jain's index of the answers' pace, tokens per second from arrival to end.
        saturation: Whether the server keeps up.
        input_tok: Prompt tokens of served requests, cached ones included.
        cached_tok: Of these, found in the cache.
        output_tok: Tokens produced.
        tok_per_s: Tokens produced per second of the run.
        span_s: From the first arrival to the last, at least 1 s.
        end_s: End of the run.
        busy_frac: Mean share of the time in which a replica worked.
        mean_running: Sequences that run on average, all replicas (Little's law holds exactly).
        mean_waiting: Requests that wait on average, those on the way between replicas included.
        energy_j: Energy of the accelerators and of transfers between them.
        prefill_j: For prompts.
        decode_j: For further tokens.
        recompute_j: For what was computed again after preemption.
        idle_j: While nothing ran.
        rest_j: While replicas were off or starting.
        transfer_j: To move keys and values between replicas.
        unaccounted_frac: How far the parts miss the whole: rounding.
    """

    requests: int
    served: int
    refused: int
    gave_up: int
    preemptions: int
    ttft_s: Spread
    tpot_s: Spread
    itl_s: Spread
    e2e_s: Spread
    queue_s: Spread
    goodput_hz: float
    goodput_frac: float
    on_time_frac: float
    fluidity: float
    fairness: float | None
    saturation: Verdict
    input_tok: float
    cached_tok: float
    output_tok: float
    tok_per_s: float
    span_s: float
    end_s: float
    busy_frac: float
    mean_running: float
    mean_waiting: float
    energy_j: float
    prefill_j: float
    decode_j: float
    recompute_j: float
    idle_j: float
    rest_j: float
    transfer_j: float
    unaccounted_frac: float


def summary(done: FleetServed, budgets: Budgets) -> Summary:
    """Figures of a run under the budgets of a token class.

    Tokens on time and fluidity take the tokens of an answer as evenly paced between its first and
    its last; a pause inside an answer is in its pace, not where it was.

    Args:
        done: The run.
        budgets: Finite budgets of first token and pace.
    """
    asked, served = done.requests, done.served
    ttft_s = done.first_token_s - asked.arrival_s
    whole_s = np.where(served, done.finish_s, np.nan)
    e2e_s = whole_s - asked.arrival_s
    met = measures.meets(asked.arrival_s, done.first_token_s, whole_s, asked.output_tok, budgets)
    early_tok, worth = evenly_paced(done, budgets)
    span_s = max(float(asked.arrival_s[-1] - asked.arrival_s[0]), 1.0)
    end_s = max(done.end_s, 1e-300)
    offered_tok = float(asked.output_tok.sum())
    made_tok = float(sum(server.produced_tok.sum() for server in done.servers))
    pace = np.where(served, asked.output_tok / np.where(served, e2e_s, 1.0), 0.0)
    return Summary(
        requests=len(asked),
        served=int(served.sum()),
        refused=int((done.outcome == REFUSED).sum()),
        gave_up=int((done.outcome == GAVE_UP).sum()),
        preemptions=int(done.preemptions.sum()),
        ttft_s=measures.spread(ttft_s),
        tpot_s=measures.spread(measures.tpot_s(done.first_token_s, whole_s, asked.output_tok)),
        itl_s=_gaps(done, whole_s),
        e2e_s=measures.spread(e2e_s),
        queue_s=measures.spread(done.scheduled_s - asked.arrival_s),
        goodput_hz=float(met.sum()) / span_s,
        goodput_frac=float(met.mean()),
        on_time_frac=early_tok / offered_tok,
        fluidity=worth / offered_tok,
        fairness=measures.jain(pace),
        saturation=measures.saturation(asked.arrival_s, done.worked_on_s),
        input_tok=float(asked.prompt_tok[served].sum()),
        cached_tok=float(done.cached_tok[served].sum()),
        output_tok=made_tok,
        tok_per_s=made_tok / end_s,
        span_s=span_s,
        end_s=done.end_s,
        busy_frac=sum(s.busy_s for s in done.servers) / (len(done.servers) * end_s),
        mean_running=sum(s.running_time_s for s in done.servers) / end_s,
        mean_waiting=_waiting_time_s(done) / end_s,
        energy_j=done.energy_j,
        prefill_j=math.fsum(done.prefill_j),
        decode_j=math.fsum(done.decode_j),
        recompute_j=math.fsum(done.recompute_j),
        idle_j=done.idle_j,
        rest_j=done.rest_j,
        transfer_j=math.fsum(done.transfer_j),
        unaccounted_frac=done.unaccounted_frac,
    )


def _waiting_time_s(done: FleetServed) -> float:
    """Time that requests have waited, all together: in queues, and on the way between replicas."""
    moved_s = 0.0 if done.on_the_way_s is None else float(done.on_the_way_s.sum())
    return sum(server.waiting_time_s for server in done.servers) + moved_s


def evenly_paced(done: FleetServed, budgets: Budgets) -> tuple[float, float]:
    """Tokens on time, and the sum of their worth (`measures.fluency`).

    Answers that were not finished count with their first token only, if there was one.
    """
    asked = done.requests
    whole_s = np.where(done.served, done.finish_s, np.nan)
    pace_s = measures.tpot_s(done.first_token_s, whole_s, asked.output_tok)
    begun = np.isfinite(done.first_token_s)
    count = np.where(done.served, asked.output_tok, 1).astype(np.float64)[begun]
    answers = (
        (done.first_token_s - asked.arrival_s)[begun],
        np.where(np.isfinite(pace_s), pace_s, 0.0)[begun],
        count,
        budgets,
    )
    early = measures.paced_on_time(*answers)
    return float(early.sum()), float(measures.paced_fluency(*answers).sum())


def _gaps(done: FleetServed, whole_s: FloatArray) -> Spread:
    """Gaps between tokens; their sum is exact, from first to last token of each answer."""
    if not len(done.token_gap_edges_s):
        return measures.spread(np.empty(0))
    total_s = float(np.nansum(whole_s - done.first_token_s))
    return measures.spread_of_histogram(done.token_gap_edges_s, done.token_gaps, total_s)
