"""Lengths and arrivals of AI requests, distilled from published traces as a few figures."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g import data
from tree6g.traffic.messages import rate_at

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RATE_STEP_S: Final = 60.0  # the rate of the traces was measured per minute
_LEVEL: Final = re.compile(r"_p(\d{4})_tok$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestPattern:
    """What is kept of a trace.

    Attributes:
        name: Row of the packaged table.
        level_frac: Levels of the quantiles. [level]
        input_tok: Quantiles of the prompt length. [level]
        output_tok: Quantiles of the answer's length. [level]
        rank_correlation: Spearman correlation of the two.
        gap_cv: Coefficient of variation of the gaps at constant rate.
        rate_cv: Coefficient of variation of the rate per minute.
        rate_correlation: Correlation of the rates of neighbouring minutes.
    """

    name: str
    level_frac: FloatArray
    input_tok: FloatArray
    output_tok: FloatArray
    rank_correlation: float
    gap_cv: float
    rate_cv: float
    rate_correlation: float


def request_pattern(name: str) -> RequestPattern:
    """A row of the packaged table `request_lengths`.

    Raises:
        DataError: No such row; the message names the nearest.
    """
    row = data.row("request_lengths", name)
    columns = [c for c in row if c.startswith("input_") and _LEVEL.search(c)]
    levels = np.array([float(c[-8:-4]) / 1000.0 for c in columns])
    outputs = [c.replace("input_", "output_") for c in columns]
    return RequestPattern(
        name=name,
        level_frac=levels,
        input_tok=np.array([data.number(row, c) for c in columns]),
        output_tok=np.array([data.number(row, c) for c in outputs]),
        rank_correlation=data.number(row, "rank_correlation"),
        gap_cv=data.number(row, "gap_cv"),
        rate_cv=data.number(row, "rate_cv"),
        rate_correlation=data.number(row, "rate_correlation"),
    )


def with_means(
    pattern: RequestPattern, prompt_tok: float | None, answer_tok: float | None
) -> RequestPattern:
    """A pattern whose lengths are scaled to other means; None leaves them.

    Lengths keep their distribution in shares of the mean. What is drawn is rounded to whole tokens
    of at least 1, so means of a few tokens come out higher.
    """
    return dataclasses.replace(
        pattern,
        input_tok=_scaled(pattern, pattern.input_tok, prompt_tok),
        output_tok=_scaled(pattern, pattern.output_tok, answer_tok),
    )


def mean_lengths(pattern: RequestPattern) -> tuple[float, float]:
    """Mean prompt and mean answer of a pattern: the areas under its quantiles."""
    means = [float(np.trapezoid(q, pattern.level_frac))
             for q in (pattern.input_tok, pattern.output_tok)]  # fmt: skip
    return means[0], means[1]


def _scaled(pattern: RequestPattern, tok: FloatArray, mean_tok: float | None) -> FloatArray:
    if mean_tok is None:
        return tok
    return tok * (mean_tok / float(np.trapezoid(tok, pattern.level_frac)))


def draw_lengths(
    rng: np.random.Generator, pattern: RequestPattern, requests: int
) -> tuple[IntArray, IntArray]:
    """Prompt and answer lengths with the marginals and the rank correlation of a pattern.

    Gaussian copula with rho = 2 sin(pi r_S / 6) (exact for normal marginals), quantiles
    interpolated linearly. Against the Azure conversation trace: means within 1 %, rank correlation
    within 0.02; of the percentiles, half are within 0.5 % and three quarters within 4 %, but where
    the trace jumps between modes from one stored level to the next (prompts between the 35th and
    the 40th percentile) they are up to 45 % off. What a copula does not carry: repeated prompts,
    sessions, and the trace's jumps between modes inside one session.

    Returns:
        Prompt tokens and answer tokens, whole numbers of at least 1. [request]
    """
    rho = 2.0 * math.sin(math.pi * pattern.rank_correlation / 6.0)
    first = rng.standard_normal(requests)
    second = rho * first + math.sqrt(1.0 - rho**2) * rng.standard_normal(requests)
    drawn = []
    for normal, quantiles in ((first, pattern.input_tok), (second, pattern.output_tok)):
        tok = np.interp(_normal_cdf(normal), pattern.level_frac, quantiles)
        drawn.append(np.maximum(np.rint(tok), 1.0).astype(np.int64))
    return drawn[0], drawn[1]


def draw_arrivals_s(
    rng: np.random.Generator,
    pattern: RequestPattern,
    *,
    rate_per_s: float,
    duration_s: float,
    curve: tuple[float, ...] = (),
) -> FloatArray:
    """Arrivals at a mean rate with the burstiness of a pattern, ascending. [request].

    A renewal process with gamma gaps (coefficient of variation `gap_cv`) runs in operational time;
    clock time is stretched by a lognormal rate that changes every minute (AR(1)) and has mean 1
    over the run. Against the Azure conversation trace: gap variation within 5 %, dispersion of the
    counts per minute within a factor of 2 (a renewal process alone is off by 13).

    With a day curve (`messages.rate_at`) the rate of each minute follows it as well, and the mean
    rate is that over whole days.
    """
    if rate_per_s <= 0.0:
        return np.empty(0)
    steps = max(1, math.ceil(duration_s / RATE_STEP_S))
    edges_s = np.minimum(np.arange(steps + 1) * RATE_STEP_S, duration_s)
    rates = _rates(rng, pattern, steps)
    operational_s = np.concatenate([[0.0], np.cumsum(rates * np.diff(edges_s))])
    whole_s = duration_s
    if curve:
        by_day = [rate_at(curve, edge_s) for edge_s in edges_s[:-1].tolist()]
        whole_s = float((by_day * np.diff(edges_s)).sum())
        operational_s = np.concatenate([[0.0], np.cumsum(rates * by_day * np.diff(edges_s))])
    if not operational_s[-1] > 0.0:
        return np.empty(0)
    operational_s *= whole_s / operational_s[-1]
    shape = 1.0 / max(pattern.gap_cv, 1e-6) ** 2
    mean_s = 1.0 / rate_per_s
    arrivals_s = np.empty(0)
    last_s = -mean_s * rng.random()
    while last_s < whole_s:
        count = int(1.2 * (whole_s - last_s) * rate_per_s) + 16
        more_s = last_s + np.cumsum(rng.gamma(shape, mean_s / shape, count))
        arrivals_s = np.concatenate([arrivals_s, more_s])
        last_s = float(more_s[-1])
    inside = arrivals_s[(arrivals_s >= 0.0) & (arrivals_s < whole_s)]
    return np.interp(inside, operational_s, edges_s)


def _rates(rng: np.random.Generator, pattern: RequestPattern, steps: int) -> FloatArray:
    sigma = math.sqrt(math.log1p(pattern.rate_cv**2))
    keep = pattern.rate_correlation
    noise = rng.standard_normal(steps)
    level = np.empty(steps)
    level[0] = noise[0]
    for n in range(1, steps):
        level[n] = keep * level[n - 1] + math.sqrt(1.0 - keep**2) * noise[n]
    return np.exp(sigma * level)


def _normal_cdf(x: FloatArray) -> FloatArray:
    erf = np.frompyfunc(math.erf, 1, 1)
    return 0.5 * (1.0 + np.asarray(erf(x / math.sqrt(2.0)), dtype=np.float64))
