"""What a run of iterations adds: joules, busy time, bins, gaps between tokens, the log.

Iteration j of a run takes a + b j seconds and e + d j joules of decoding; a run with prompts is one
iteration. All sums are closed forms.
"""

from __future__ import annotations

import math

from tree6g.compute.serving.layout import (
    BEGAN_S,
    BIN_STEP_S,
    BINS,
    BINS_AT,
    BUSY_S,
    CLOCK_S,
    DECODE_J,
    DECODE_S,
    DECODING,
    EDGES,
    EDGES_AT,
    ENERGY_J,
    EPOCH,
    EPOCH_J,
    GAP_AT,
    ITERATIONS,
    LAST_DECODE_J,
    LAST_PREFILL_FRAC,
    LAST_PREFILL_J,
    LAST_S,
    LOGGING,
    PARTIAL,
    PREFILL_J,
    PREFILL_S,
    RUNNING_TIME_S,
    RUNS,
    SHARE_J,
    SUMS,
    WAITING,
    WAITING_TIME_S,
)
from tree6g.compute.serving.requests import FloatArray, IntArray


def run_length(first_s: float, growth_s: float, budget_s: float, most: int) -> int:
    """Iterations of a run that begin before its time budget is used up, between 1 and `most`.

    The k-th begins after k a + b k (k-1) / 2: the least k for which that reaches the budget is the
    root of a quadratic, put right by one where rounding has moved it.
    """
    if most <= 1 or series(first_s, growth_s, most - 1) < budget_s:
        return max(most, 1)
    half = first_s - growth_s / 2.0
    root = 2.0 * budget_s / (half + math.sqrt(half * half + 2.0 * growth_s * max(budget_s, 0.0)))
    k = min(max(math.ceil(root), 1), most)
    while k > 1 and series(first_s, growth_s, k - 1) >= budget_s:
        k -= 1
    while k < most and series(first_s, growth_s, k) < budget_s:
        k += 1
    return int(k)


def series(first: float, step: float, count: int) -> float:
    """Sum of `count` terms of first + step j."""
    return count * first + step * (0.5 * count * (count - 1))


def share(x: FloatArray, n: IntArray, each_j: float) -> None:
    """Give each decoding sequence the same joules, through one sum for all."""
    x[SHARE_J] += each_j
    while x[SHARE_J] >= EPOCH_J:
        x[SHARE_J] -= EPOCH_J
        n[EPOCH] += 1


def count_time(x: FloatArray, n: IntArray, sequences: int, taken_s: float, count: int) -> None:
    """Iterations, busy time, and integrals of who runs and waits."""
    x[BEGAN_S] = x[CLOCK_S] + (taken_s - x[LAST_S])
    x[BUSY_S] += taken_s
    x[RUNNING_TIME_S] += sequences * taken_s
    x[WAITING_TIME_S] += n[WAITING] * taken_s
    x[CLOCK_S] += taken_s
    n[ITERATIONS] += count


def count_energy(
    x: FloatArray, prefill_j: float, decode_j: float, prefill_frac: float, taken_s: float
) -> None:
    """Sums of energy by phase; time is shared as tokens are."""
    x[PREFILL_J] += prefill_j
    x[DECODE_J] += decode_j
    x[ENERGY_J] += prefill_j + decode_j
    prefill_s = prefill_frac * taken_s
    x[PREFILL_S] += prefill_s
    x[DECODE_S] += taken_s - prefill_s


def keep_last(
    x: FloatArray, last_s: float, prefill_j: float, decode_j: float, prefill_frac: float
) -> None:
    """Remember the last iteration, for who cuts it at the end of an interval."""
    x[LAST_S] = last_s
    x[LAST_PREFILL_J] = prefill_j
    x[LAST_DECODE_J] = decode_j
    x[LAST_PREFILL_FRAC] = prefill_frac


def log_run(n: IntArray, runs: FloatArray, start_s: float, a: float, b: float, count: int) -> None:
    """Note when the iterations of a run end: start + (j+1) a + b j (j+1) / 2."""
    if n[LOGGING] == 0:
        return
    at = 4 * n[RUNS]
    runs[at] = start_s
    runs[at + 1] = a
    runs[at + 2] = b
    runs[at + 3] = count
    n[RUNS] += 1


def gap_bin(c: FloatArray, n: IntArray, gap_s: float) -> int:
    """Bin of a gap; the search begins where the last one ended."""
    edges = n[EDGES]
    at = n[EDGES_AT]
    h = n[GAP_AT]
    while h > 0 and gap_s < c[at + h - 1]:
        h -= 1
    while h < edges and gap_s >= c[at + h]:
        h += 1
    n[GAP_AT] = h
    return int(h)


def count_gaps(
    c: FloatArray, x: FloatArray, n: IntArray, a: float, b: float, count: int, weight: int
) -> None:
    """Put `weight` gaps of a + b j for every j below `count` into the histogram."""
    edges = n[EDGES]
    if edges == 0 or weight == 0:
        return
    h = gap_bin(c, n, a)
    j = 0
    while j < count:
        upto = count
        if h < edges and a + b * (count - 1) >= c[n[EDGES_AT] + h]:
            edge = c[n[EDGES_AT] + h]
            upto = min(max(math.ceil((edge - a) / b), j), count)
            while upto > j and a + b * (upto - 1) >= edge:
                upto -= 1
            while upto < count and a + b * upto < edge:
                upto += 1
        x[SUMS + h] += weight * (upto - j)
        j = upto
        h += 1
    n[GAP_AT] = h - 1


def fill_bins(
    x: FloatArray, n: IntArray, a: float, b: float, count: int, prefill_j: float, e: float, d: float
) -> None:
    """Spread a run that begins at the clock over the bins that it touches.

    What lies after the last bin goes into one more; see `state`, which makes more bins.
    """
    if n[BINS] == 0:
        return
    start = x[CLOCK_S]
    whole_s = series(a, b, count)
    end = start + whole_s
    step = x[BIN_STEP_S]
    at = int(start / step)
    while (at + 1) * step <= start:
        at += 1
    since = start
    given_j = 0.0
    while since < end:
        here = min(at, n[BINS])
        upto = end
        total_j = series(e, d, count)
        if here < n[BINS] and (at + 1) * step < end:
            upto = (at + 1) * step
            total_j = energy_until(a, b, count, e, d, upto - start)
        put = n[BINS_AT] + 3 * here
        x[put] += prefill_j * ((upto - since) / whole_s)
        x[put + 1] += total_j - given_j
        x[put + 2] += upto - since
        since = upto
        given_j = total_j
        at += 1


def energy_until(a: float, b: float, count: int, e: float, d: float, after_s: float) -> float:
    """Joules of a run until some time after its start; an iteration's are spread evenly."""
    whole = run_length(a, b, after_s, count) - 1
    part = min((after_s - series(a, b, whole)) / (a + b * whole), 1.0)
    return series(e, d, whole) + part * (e + d * whole)


def sequences_now(n: IntArray) -> int:
    """Sequences in the batch."""
    return int(n[DECODING] + (1 if n[PARTIAL] >= 0 else 0))
