"""What users feel of a server: waiting, pace, what came on time, and whether the server keeps up.

Definitions, all from the arrival of a request at the server:

- TTFT: first token - arrival, the queue included.
- TPOT: (E2E - TTFT) / (output tokens - 1), one value per request that has two tokens or more.
- ITL: gaps between tokens, one value per token; its tail differs from that of TPOT.
- E2E: last token - arrival. Queueing: first scheduled - arrival.
- Goodput: requests per second that meet every budget. It does not see by how much a budget is
  met or missed, and it can be raised by giving up on requests that are late already.
- On time (METRIC rule 5): token n is due at arrival + TTFT budget + (n - 1) TPOT budget. Delivering
  any token earlier never makes another one late.
- Fluidity: mean over all tokens asked for of b / (b + d), where d is the time from arrival to the
  token and b the time to when it is due. 1 at once, 1/2 exactly on its budget, 0 if it never comes:
  it falls with every delay of any token, so neither holding tokens back nor giving up raises it.
  Ours, in answer to arXiv 2410.14257 (delays that raise the usual scores) and to the fluidity index
  of arXiv 2407.07000, which resets its deadlines after a miss.

Requests that were lost have nan for what never happened.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Verdict = Literal["keeps up", "queues at times", "saturated"]

QUEUE_S: Final = 2.0  # a wait that people notice: TTFT budget of MLPerf's Llama-2-70B server
MANY_FRAC: Final = 0.01  # share of requests that have to wait so long before it is worth a word
PARTS: Final = 5  # the trace is cut into so many parts of equal count to see whether waits grow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """Times that a token service class allows; inf where it sets none.

    Attributes:
        ttft_s: Arrival to first token.
        tpot_s: Each further token.
        e2e_s: Arrival to last token.
    """

    ttft_s: float = math.inf
    tpot_s: float = math.inf
    e2e_s: float = math.inf


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A distribution in a few numbers, in the unit of its values; all 0 if there are none.

    Attributes:
        count: Values.
        mean: Their mean.
        p50: Median.
        p90: 90th percentile.
        p99: 99th percentile.
        most: Largest value.
    """

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    most: float


def spread(values: FloatArray) -> Spread:
    """The distribution of values; nan among them do not count. [value].

    >>> spread(np.array([1.0, 3.0, np.nan])).mean
    2.0
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return Spread(count=0, mean=0.0, p50=0.0, p90=0.0, p99=0.0, most=0.0)
    p50, p90, p99 = np.quantile(known, (0.5, 0.9, 0.99))
    return Spread(
        count=int(known.size),
        mean=float(known.mean()),
        p50=float(p50),
        p90=float(p90),
        p99=float(p99),
        most=float(known.max()),
    )


def spread_of_histogram(edge: FloatArray, count: FloatArray, total: float) -> Spread:
    """The distribution of values that are known by buckets only.

    Percentiles are the upper edge of their bucket, so too high by the width of a bucket at most;
    values above the last edge count as the last edge.

    Args:
        edge: Edges, rising. [edge]
        count: Values below the first edge, between edges, above the last. [edge + 1]
        total: Sum of the values.
    """
    number = float(count.sum())
    if number <= 0:
        return spread(np.empty(0))
    upper = np.append(edge, edge[-1])
    reached = np.cumsum(count)
    at = [upper[np.searchsorted(reached, q * number * (1.0 - 1e-12))] for q in (0.5, 0.9, 0.99)]
    return Spread(
        count=int(number),
        mean=total / number,
        p50=float(at[0]),
        p90=float(at[1]),
        p99=float(at[2]),
        most=float(upper[np.flatnonzero(count)[-1]]),
    )


def tpot_s(
    first_token_s: FloatArray, finish_s: FloatArray, output_tok: npt.ArrayLike
) -> FloatArray:
    """Mean time per token after the first; nan for answers of one token. [request].

    >>> tpot_s(np.array([1.0, 1.0]), np.array([3.0, 1.0]), np.array([5, 1]))
    array([0.5, nan])
    """
    further = np.asarray(output_tok, dtype=np.float64) - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(further > 0, (finish_s - first_token_s) / further, np.nan)


def meets(
    arrival_s: FloatArray,
    first_token_s: FloatArray,
    finish_s: FloatArray,
    output_tok: npt.ArrayLike,
    budgets: Budgets,
) -> BoolArray:
    """Whether each request was answered whole and within every budget. [request].

    A pace has no budget to miss where there is one token only.
    """
    pace_s = tpot_s(first_token_s, finish_s, output_tok)
    return (
        np.isfinite(finish_s)
        & (first_token_s - arrival_s <= budgets.ttft_s)
        & ~(pace_s > budgets.tpot_s)
        & (finish_s - arrival_s <= budgets.e2e_s)
    )


def due_s(number: FloatArray, budgets: Budgets) -> FloatArray:
    """Time after arrival by which token n = 1, 2, ... is due (METRIC rule 5). [token]."""
    further = np.asarray(number, dtype=np.float64) - 1.0
    pace = np.where(further > 0, np.maximum(further, 1.0) * budgets.tpot_s, 0.0)
    return budgets.ttft_s + pace


def on_time(delay_s: FloatArray, number: FloatArray, budgets: Budgets) -> BoolArray:
    """Whether each token came by its due time; a token that never came has nan. [token].

    Args:
        delay_s: Arrival of its request to the token. [token]
        number: Its number in the answer, from 1. [token]
        budgets: The budgets; `e2e_s` does not count here.
    """
    return np.asarray(delay_s) <= due_s(number, budgets)


def fluency(delay_s: FloatArray, number: FloatArray, budgets: Budgets) -> FloatArray:
    """Worth of each token by when it came, 1 at once, 1/2 when due, 0 if never; see the module.

    Args:
        delay_s: Arrival of its request to the token, nan if it never came. [token]
        number: Its number in the answer, from 1. [token]
        budgets: Finite budgets of first token and pace.
    """
    due = due_s(number, budgets)
    late = np.where(np.isnan(delay_s), np.inf, delay_s)
    return due / (due + late)


def paced_on_time(
    first_s: FloatArray, pace_s: FloatArray, count: FloatArray, budgets: Budgets
) -> FloatArray:
    """How many tokens of each evenly paced answer come on time (`on_time`). [request].

    Token n comes at first + (n - 1) pace. An answer that is slower than its budget is on time up to
    some token, one that is faster from some token on.

    Args:
        first_s: Arrival to first token. [request]
        pace_s: Time per further token. [request]
        count: Tokens. [request]
        budgets: Finite budgets.
    """
    ahead_s = budgets.ttft_s - first_s  # of the first token; each further one gains `gain_s`
    gain_s = budgets.tpot_s - pace_s
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = np.where(gain_s == 0.0, np.inf, np.abs(ahead_s) / np.abs(gain_s))
    until = np.where(gain_s >= 0.0, count, np.minimum(np.floor(turn) + 1.0, count))
    since = np.where(gain_s <= 0.0, 0.0, np.maximum(count - np.minimum(np.ceil(turn), count), 0.0))
    return np.where(ahead_s >= 0.0, until, since)


def paced_fluency(
    first_s: FloatArray, pace_s: FloatArray, count: FloatArray, budgets: Budgets
) -> FloatArray:
    """Sum of the worth (`fluency`) of the tokens of each evenly paced answer. [request].

    sum over k = 0 ... N-1 of (B + b k) / (A + c k) with A = B + first and c = b + pace, which is
    N b / c + (B - b A / c) / c (psi(A/c + N) - psi(A/c)), psi the digamma function.

    Args: as for `paced_on_time`.
    """
    whole = budgets.ttft_s + first_s
    step = budgets.tpot_s + pace_s
    rest = (budgets.ttft_s - budgets.tpot_s * whole / step) / step
    return count * budgets.tpot_s / step + rest * (
        digamma(whole / step + count) - digamma(whole / step)
    )


def digamma(x: FloatArray) -> FloatArray:
    """psi(x) of x > 0 to 1e-12: seven steps up, then the asymptotic series. [value].

    Abramowitz and Stegun, Handbook of Mathematical Functions, 6.3.5 and 6.3.18.
    """
    low = np.zeros_like(x)
    for k in range(7):
        low += 1.0 / (x + k)
    y = x + 7.0
    z = 1.0 / (y * y)
    series = z * (
        1.0 / 12.0 - z * (1.0 / 120.0 - z * (1.0 / 252.0 - z * (1.0 / 240.0 - z / 132.0)))
    )
    return np.log(y) - 0.5 / y - series - low


def jain(values: FloatArray) -> float | None:
    """Jain's index (sum x)^2 / (n sum x^2): 1 if all have the same, 1/n if one has all.

    Of Jain, Chiu, Hawe: A quantitative measure of fairness, DEC TR-301, 1984. None without values
    above 0.

    >>> jain(np.array([1.0, 1.0])), jain(np.array([2.0, 0.0]))
    (1.0, 0.5)
    """
    largest = float(values.max(initial=0.0))
    if not largest > 0.0:
        return None
    scaled = values / largest
    return float(scaled.sum() ** 2 / (scaled.size * np.square(scaled).sum()))


def saturation(arrival_s: FloatArray, scheduled_s: FloatArray) -> Verdict:
    """Whether a server keeps up with what arrives.

    `saturated`: the median wait grows from each fifth of the requests to the next and is above 2 s
    in the last, or half of all wait longer than that. `queues at times`: 1 % and more wait longer
    than 2 s. Requests that were never scheduled wait for ever. A trace that ends in a burst can
    look saturated.

    Args:
        arrival_s: Arrivals, ascending. [request]
        scheduled_s: When each was first worked on, nan if never; with its keys handed over, with
            the wait for that in it. [request]
    """
    wait_s = np.where(np.isnan(scheduled_s), np.inf, scheduled_s - arrival_s)
    if not wait_s.size:
        return "keeps up"
    parts = [p for p in np.array_split(wait_s, PARTS) if p.size]
    medians = [float(np.quantile(p, 0.5, method="lower")) for p in parts]
    grows = len(parts) == PARTS and all(
        b > a or b == math.inf for a, b in itertools.pairwise(medians)
    )
    waiting_frac = float((wait_s > QUEUE_S).mean())
    if (grows and medians[-1] > QUEUE_S) or waiting_frac > 0.5:
        return "saturated"
    return "queues at times" if waiting_frac >= MANY_FRAC else "keeps up"


def goodput_hz(met: Mapping[str, BoolArray], span_s: float) -> dict[str, float]:
    """Requests per second that meet all budgets, by token class.

    Args:
        met: Whether each request of a class meets its budgets. [request]
        span_s: Time over which they arrived.
    """
    return {name: float(flags.sum()) / span_s for name, flags in met.items()}
