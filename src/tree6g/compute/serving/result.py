"""What a server did: times and joules of every request, totals, and what rows of a ledger need."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tree6g.compute.serving.requests import FloatArray, IntArray, Requests

# Where a request is, `Served.outcome`.
PENDING, RUNNING, SERVED, REFUSED, GAVE_UP = 0, 1, 2, 3, 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bins:
    """Energy and busy time in steps of time from 0 s on; arrays are [bin].

    An iteration's joules are spread evenly over its duration. `idle_j` is that of the part of the
    bin before `Served.end_s`.
    """

    step_s: float
    prefill_j: FloatArray
    decode_j: FloatArray
    idle_j: FloatArray
    busy_s: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """Results of a server; arrays are [request], times nan where it did not come to that.

    Energy is the whole of the replica's, idle power of busy time included: the sum of `prefill_j`,
    `decode_j` and `recompute_j` over the requests plus `idle_j` is `energy_j`. How an iteration is
    shared among its requests: see `serving`.

    Attributes:
        requests: What was asked.
        outcome: `SERVED`, `REFUSED`, `GAVE_UP`, or how far it is (`RUNNING`, `PENDING`).
        scheduled_s: Start of the first iteration with a part of the prompt.
        first_token_s: End of the iteration that sampled the first token.
        finish_s: When the last token was there, or when it left without.
        produced_tok: Tokens delivered.
        cached_tok: Tokens of the prompt that were in the prefix cache when first scheduled.
        preemptions: How often its blocks were taken away.
        prefill_j: Energy for the prompt until the first token.
        decode_j: Energy for the further tokens.
        recompute_j: Energy for prompt and tokens that were computed again after a preemption.
        iterations: Iterations of the engine.
        passes: Turns of the simulator's loop; with skipping fewer.
        end_s: Until when the server was simulated; it began at 0 s.
        busy_s: Time with an iteration under way.
        energy_j: All energy from 0 to `end_s`, counted by iterations, not by requests.
        idle_j: The part of it when nothing ran.
        running_time_s: Integral of the number of running sequences (L of Little's law, times time).
        waiting_time_s: Integral of the number of requests that wait, preempted ones included.
        token_gap_edges_s: Edges of the histogram of gaps between tokens. [edge]
        token_gaps: Gaps counted per bin: below the first edge, between, above. [edge + 1]
        bins: Energy by time, if asked for.
    """

    requests: Requests
    outcome: IntArray
    scheduled_s: FloatArray
    first_token_s: FloatArray
    finish_s: FloatArray
    produced_tok: IntArray
    cached_tok: IntArray
    preemptions: IntArray
    prefill_j: FloatArray
    decode_j: FloatArray
    recompute_j: FloatArray
    iterations: int
    passes: int
    end_s: float
    busy_s: float
    energy_j: float
    idle_j: float
    running_time_s: float
    waiting_time_s: float
    token_gap_edges_s: FloatArray
    token_gaps: FloatArray
    bins: Bins | None

    @property
    def served(self) -> npt.NDArray[np.bool_]:
        """Requests that were answered whole, [request]."""
        return self.outcome == SERVED

    @property
    def ttft_s(self) -> FloatArray:
        """Time to the first token, queueing included, [request]."""
        return self.first_token_s - self.requests.arrival_s

    @property
    def e2e_s(self) -> FloatArray:
        """Time to the last token, [request]."""
        return np.where(self.served, self.finish_s - self.requests.arrival_s, np.nan)

    @property
    def tpot_s(self) -> FloatArray:
        """Time per output token after the first; nan for answers of one token, [request]."""
        more = np.where(self.requests.output_tok > 1, self.requests.output_tok - 1, np.nan)
        return (self.e2e_s - self.ttft_s) / more

    @property
    def request_j(self) -> FloatArray:
        """All energy of a request, idle time apart, [request]."""
        return self.prefill_j + self.decode_j + self.recompute_j

    @property
    def unaccounted_frac(self) -> float:
        """How far the requests' joules and idle miss the total: rounding, below 1e-9."""
        shared_j = float(self.request_j.sum()) + self.idle_j
        return abs(shared_j - self.energy_j) / max(self.energy_j, 1e-300)
