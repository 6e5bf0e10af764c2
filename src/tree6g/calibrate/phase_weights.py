"""What a prompt token, an output token and a cached token cost on a server, by a short load.

    cost = w_in prompt + w_out decode + w_step steps + w_cached cached + w_request requests

by least squares of relative errors with no constant below 0. `decode` are the output tokens after
the first of each answer, which comes out of the prompt's pass. `steps` are passes of the model:
tokens decoded side by side share one, so a token costs w_out + w_step / batch. Weights of a ledger
are per token, so they hold at the batch they are written for. Idle cost per second is measured and
taken off. What else a machine does makes all runs of a while dearer: each round has a factor of its
own, the median of its runs' costs over the fitted ones, and the factors' geometric mean is 1.

Not included: that tokens cost more behind a longer context (lengths of the load: about 5 to 280
prompt tokens, 1 to 85 output tokens); speculative decoding; requests that are preempted.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.costs import cost_of
from tree6g.calibrate.endpoint import Endpoint
from tree6g.calibrate.phase_load import Load, Progress, Run, measure
from tree6g.calibrate.result import Constant, Fit, percent
from tree6g.errors import DataError, ScenarioError

FloatArray = NDArray[np.float64]

TERMS: Final = ("prompt", "decode", "step", "cached", "request")
SAMPLES: Final = 200
FOLDS: Final = 5
USUAL_TOGETHER: Final = 4
SEED: Final = 7
NOISY_FRAC: Final = 0.15
UNITS: Final[Mapping[str, str]] = {"s": "CPU s", "j": "J"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Fitted cost of each term, and what the data say of it.

    Attributes:
        cost: Cost per unit of each of `TERMS`; 0 where the load does not tell it.
        low: Lower ends of 95 % intervals.
        high: Upper ends.
        told: Which terms the load has.
        held_out_frac: Mean error of runs that were left out of the fit.
        kind_out_frac: The same where all runs of their kind were left out.
        fitted_frac: Mean error of fitted runs.
        slowest_frac: How much more the dearest round cost than the cheapest.
    """

    cost: FloatArray
    low: FloatArray
    high: FloatArray
    told: NDArray[np.bool_]
    held_out_frac: float
    kind_out_frac: float
    fitted_frac: float
    slowest_frac: float

    def of(self, term: str) -> float:
        """Cost per unit of a term."""
        return float(self.cost[TERMS.index(term)])

    def per_token(self, batch: float) -> dict[str, float]:
        """Weight of each kind of work at a batch, as a ledger takes them.

        The first output token of an answer costs nothing of its own; the weight of a request is
        less by the weight of a token, but not below 0.
        """
        out = self.of("decode") + self.of("step") / batch
        return {
            "token_in": self.of("prompt"),
            "token_in_cached": self.of("cached"),
            "token_out": out,
            "token_reasoning": out,
            "request": max(0.0, self.of("request") - out),
        }


def fit(
    url: str,
    *,
    model: str | None = None,
    pid: int | None = None,
    energy: str | None = None,
    busy: str | None = None,
    minutes: float = 1.0,
    together: int | None = None,
    batch: float | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Run a short load on an OpenAI-compatible endpoint and fit what its tokens cost.

    Args:
        url: Address of the server.
        model: Model to ask for, where the server has several; the rows are then of this model.
        pid: Process whose CPU seconds count, its children included; None: the one at the port.
        energy: Meter whose joules count in place of them.
        busy: `timings`: the time that the server says it was busy, of requests one by one.
        minutes: How long.
        together: Requests side by side at most; None: those the server has room for, else 4.
        batch: Tokens decoded side by side in the work that the weights are for; None: `together`.
        progress: Is told how far it is.

    Raises:
        ScenarioError: Options that contradict one another.
        MeterError: The server or the meter cannot be read.
        DataError: The load does not tell the constants apart.
    """
    if not 0.0 < minutes <= 600.0:
        raise ScenarioError(f"expected --minutes above 0 and up to 600; got {minutes:g}.")
    endpoint = Endpoint(url, model=model)
    meter = cost_of(endpoint.host, endpoint.port, pid=pid, energy=energy, busy=busy)
    slots = endpoint.slots()
    asked = together or slots or USUAL_TOGETHER
    load = measure(
        endpoint,
        meter,
        minutes=minutes,
        together=min(asked, slots or asked),
        seed=SEED,
        progress=progress,
    )
    weights = fitted(load)
    at = batch or float(load.together)
    unit = UNITS[meter.unit]
    return Fit(
        kind="phase-weights",
        rows=len(load.runs),
        error=weights.held_out_frac,
        headline=f"{len(load.runs)} runs, {meter.what}: runs left out of the fit are off by "
        f"{percent(weights.held_out_frac)} on average, kinds of runs left out by "
        f"{percent(weights.kind_out_frac)}, fitted runs by {percent(weights.fitted_frac)}. At "
        f"batches of {at:g} an output token costs {_ratio(weights, at)} prompt tokens.",
        constants=tuple(_constants(weights, load, at, meter.unit)),
        problems=tuple(_problems(weights, load, slots)),
        table=rows_text(weights, at, unit=unit, model=model, url=url),
    )


def fitted(load: Load, *, seed: int = SEED) -> Weights:
    """Costs of the terms with intervals and errors from the runs of a load.

    Raises:
        DataError: Runs cost nothing, so that there is nothing to fit.
    """
    amounts, cost = _design(load)
    if not (cost > 0.0).all():
        raise DataError(
            f"expected every run to cost something; {int((cost <= 0.0).sum())} of {len(cost)} did "
            "not. Is it the right process or meter, and fine enough for runs of this length?"
        )
    told = np.any(amounts > 0.0, axis=0)
    relative = amounts / cost[:, None]
    rounds = np.array([run.round for run in load.runs])
    best, factor = in_rounds(relative, rounds)
    rng = np.random.default_rng(seed)
    kinds = np.array([run.mix for run in load.runs])
    even = relative * factor[rounds, None]
    drawn = np.array([nonnegative(even[_resampled(kinds, rng)]) for _ in range(SAMPLES)])
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    fold = rng.permutation(len(cost)) % FOLDS
    return Weights(
        cost=best,
        low=low,
        high=high,
        told=told,
        held_out_frac=_left_out(relative, rounds, fold),
        kind_out_frac=_left_out(relative, rounds, np.unique(kinds, return_inverse=True)[1]),
        fitted_frac=float(np.abs(even @ best - 1.0).mean()),
        slowest_frac=float(factor.max() / factor.min() - 1.0),
    )


def nonnegative(relative: FloatArray) -> FloatArray:
    """Non-negative x of the least sum of squares of `relative` x - 1, exactly.

    Unless the least of all is allowed, every set of columns above 0 is tried, for there are few.

    Args:
        relative: Amounts over costs `[run, term]`.

    >>> nonnegative(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])).round(3).tolist()
    [0.778, 0.444]
    """
    count = relative.shape[1]
    size = np.sqrt((relative**2).sum(axis=0))
    present = np.flatnonzero(size > 0.0)
    unit = relative / np.where(size > 0.0, size, 1.0)
    square, toward = unit.T @ unit, unit.sum(axis=0)
    best, most = np.zeros(count), 0.0
    whole = np.linalg.lstsq(square[np.ix_(present, present)], toward[present], rcond=None)[0]
    if (whole >= 0.0).all():  # the least of all, and allowed
        best[present] = whole / size[present]
        return best
    for some in itertools.chain.from_iterable(
        itertools.combinations(present, n) for n in range(1, len(present) + 1)
    ):
        at = list(some)
        found = np.linalg.lstsq(square[np.ix_(at, at)], toward[at], rcond=None)[0]
        explained = float(toward[at] @ found)  # of the sum of squares of ones
        if (found >= 0.0).all() and explained > most * (1.0 + 1e-12):
            best, most = np.zeros(count), explained
            best[at] = found / size[at]
    return best


def in_rounds(
    relative: FloatArray, rounds: NDArray[np.intp], *, turns: int = 8
) -> tuple[FloatArray, FloatArray]:
    """Costs of the terms, and what each round's costs are over them; NaN for rounds without runs.

    Args:
        relative: Amounts over costs `[run, term]`.
        rounds: Round of each run `[run]`.
        turns: How often both are found from each other.
    """
    factor = np.ones(int(rounds.max()) + 1)
    best = nonnegative(relative)
    for _ in range(turns):
        over = -np.log(np.maximum(relative @ best, 1e-9))
        found = [
            np.median(over[rounds == n]) if (rounds == n).any() else np.nan
            for n in range(len(factor))
        ]
        factor = np.exp(np.array(found) - np.nanmean(found))
        best = nonnegative(relative * factor[rounds, None])
    return best, factor


def rows_text(weights: Weights, batch: float, *, unit: str, model: str | None, url: str) -> str:
    """The weights as YAML rows, as `phase_weights` of a ledger or a meter has them."""
    whose = f", model: {json.dumps(model)}" if model else ""
    head = (
        f"# Phase weights of {url}: {unit} per token, at batches of {batch:g}.\n"
        f"# Runs left out of the fit are off by {percent(weights.held_out_frac)} on average.\n"
        "# Written by tree6g fit phase-weights.\n"
    )
    rows = (
        f"- {{kind: {kind}, weight: {weight:.6g}{whose}}}\n"
        for kind, weight in weights.per_token(batch).items()
    )
    return head + "".join(rows)


def _design(load: Load) -> tuple[FloatArray, FloatArray]:
    """Amounts of each term `[run, term]`, and costs without idle `[run]`."""
    amounts = np.array([_amounts(run) for run in load.runs], dtype=np.float64)
    batched = any(run.steps < run.decode_tok for run in load.runs)
    if not batched:  # steps are the decoded tokens themselves
        amounts[:, TERMS.index("step")] = 0.0
    cost = np.array([run.cost - load.idle_per_s * run.time_s for run in load.runs])
    return amounts, cost


def _amounts(run: Run) -> tuple[float, ...]:
    return (run.prompt_tok, run.decode_tok, run.steps, run.cached_tok or 0, run.requests)


def _resampled(kinds: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.intp]:
    """Runs drawn with replacement, as many of each kind as there are."""
    parts = []
    for kind in np.unique(kinds):
        mine = np.flatnonzero(kinds == kind)
        parts.append(rng.choice(mine, len(mine)))
    return np.concatenate(parts)


def _left_out(relative: FloatArray, rounds: NDArray[np.intp], fold: NDArray[np.intp]) -> float:
    """Mean error of runs told by a fit without their fold, of folds that alone tell no term.

    The factor of a round is that of its other runs.
    """
    told = np.full(len(relative), np.nan)
    for one in np.unique(fold):
        mine, rest = relative[fold == one], relative[fold != one]
        if ((mine > 0.0).any(axis=0) <= (rest > 0.0).any(axis=0)).all():
            best, factor = in_rounds(rest, rounds[fold != one])
            told[fold == one] = mine @ best * _known(factor, rounds[fold == one])
    return float(np.nanmean(np.abs(told - 1.0)))


def _known(factor: FloatArray, rounds: NDArray[np.intp]) -> FloatArray:
    """Factors of rounds `[run]`; 1 for those that had no other run."""
    inside = rounds < len(factor)
    found = np.where(inside, factor[np.minimum(rounds, len(factor) - 1)], 1.0)
    return np.where(np.isnan(found), 1.0, found)


def _ratio(weights: Weights, batch: float) -> str:
    per_token = weights.per_token(batch)
    if not per_token["token_in"]:
        return "many"
    return f"{per_token['token_out'] / per_token['token_in']:.2g}"


_NAMES: Final = {
    "prompt": "prompt token", "decode": "output token by itself",
    "step": "pass of the model, shared by the tokens of a batch", "cached": "cached prompt token",
    "request": "request",
}  # fmt: skip


def _constants(weights: Weights, load: Load, batch: float, unit: str) -> Iterator[Constant]:
    """Cost of each term with its interval, then the weight of an output token at the batch."""
    for i, term in enumerate(TERMS):
        if not weights.told[i]:
            continue
        untold = weights.low[i] <= 0.0
        yield Constant(
            name=f"{term}_{unit}",
            value=float(weights.cost[i]),
            low=float(weights.low[i]),
            high=float(weights.high[i]),
            remark=_NAMES[term] + ("; not told from 0" if untold else ""),
        )
    yield Constant(
        name=f"token_out_{unit}",
        value=weights.per_token(batch)["token_out"],
        remark=f"output token at batches of {batch:g}, as written",
    )
    yield Constant(
        name=f"idle_{unit}_per_s", value=load.idle_per_s, remark="while nobody asks; taken off"
    )


def _problems(weights: Weights, load: Load, slots: int | None) -> Iterator[str]:
    told = dict(zip(TERMS, weights.told, strict=True))
    if weights.slowest_frac > NOISY_FRAC:
        yield (
            f"the dearest round cost {percent(weights.slowest_frac)} more than the cheapest: "
            "something else used the machine"
        )
    if not told["cached"]:
        known = any(run.cached_tok is not None for run in load.runs)
        why = "it took none from its cache" if known else "the server does not count them"
        yield f"cached prompt tokens are not told: {why}; their weight is written as 0"
    if not told["step"]:
        yield "batches are not told: no tokens were decoded side by side"
    elif slots is None:
        yield (
            f"the server does not say how many requests it works on side by side; {load.together} "
            "were taken to keep step"
        )
