"""Which split is best: by energy, latency, both, or what it adds to TREE, within limits."""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tree6g.compute.splitting.costs import Costs
from tree6g.compute.stream import FloatArray
from tree6g.errors import InfeasibleError

Aim = Literal["energy", "latency", "weighted", "tree"]
AIMS: Final = ("energy", "latency", "weighted", "tree")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What the tokens of a request are worth, and when (METRIC rules 4 and 5).

    Attributes:
        alpha_bit_per_tok: Worth of an output token.
        input_weight_frac: Worth of a prompt token relative to it (k_in).
        ttft_s: Budget of the first token.
        tpot_s: Budget of each token after it.
    """

    alpha_bit_per_tok: float
    input_weight_frac: float
    ttft_s: float
    tpot_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What is to be least, and what must hold.

    Attributes:
        aim: `energy` (J), `latency` (s), `weighted` (J + price of time), `tree`: utility over
            energy, or utility less `tree_beq_per_j` times energy if that is given. The latter is
            the right one within a network: a request raises the network's TREE by its own ratio
            only as far as the rest of the network lets it.
        j_per_s: Price of a second under `weighted`.
        worth: Of the tokens, for `tree`.
        tree_beq_per_j: TREE of the network that the request is part of.
        ttft_limit_s: Limit of the time to the first token.
        tpot_limit_s: Limit of the mean time per further token.
        latency_limit_s: Limit of the whole answer.
        device_layers: Layers that stay on the device at least, as privacy may ask for.
    """

    aim: Aim = "energy"
    j_per_s: float = 0.0
    worth: Worth | None = None
    tree_beq_per_j: float | None = None
    ttft_limit_s: float = np.inf
    tpot_limit_s: float = np.inf
    latency_limit_s: float = np.inf
    device_layers: int = 0


def utility_beq(costs: Costs, worth: Worth) -> FloatArray:
    """Utility of the tokens that come on time. [split].

    Token n is on time by ttft budget + (n - 1) tpot budget; prompt tokens if the first one is.
    """
    tokens = on_time_tok(costs.ttft_s, costs.tpot_s, costs.work.output_tok, worth)
    first = costs.ttft_s <= worth.ttft_s
    counted = worth.input_weight_frac * costs.work.prompt_tok * first + tokens
    return costs.quality_frac * worth.alpha_bit_per_tok * counted


def on_time_tok(
    ttft_s: FloatArray, tpot_s: FloatArray, output_tok: float, worth: Worth
) -> FloatArray:
    """Tokens on time in an answer with even gaps. [split].

    Token n = 1 + i is late by (ttft - budget) + i (tpot - budget), a straight line in i: on time
    are all, none, the first ones or the last ones.
    """
    behind = ttft_s - worth.ttft_s
    slope = tpot_s - worth.tpot_s
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(slope == 0.0, 0.0, -behind / slope)
    early = np.clip(np.floor(crossing) + 1.0, 0.0, output_tok)
    late = output_tok - np.clip(np.ceil(crossing), 0.0, output_tok)
    level = np.where(behind <= 0.0, output_tok, 0.0)
    return np.where(slope == 0.0, level, np.where(slope > 0.0, early, late))


def score(costs: Costs, objective: Objective) -> FloatArray:
    """What is to be least, without the limits. [split].

    Raises:
        InfeasibleError: `tree` without a worth of tokens.
    """
    if objective.aim == "energy":
        return costs.energy_j
    if objective.aim == "latency":
        return costs.latency_s
    if objective.aim == "weighted":
        return costs.energy_j + objective.j_per_s * costs.latency_s
    if objective.worth is None:
        raise InfeasibleError("expected a worth of tokens with aim 'tree'; got none.")
    earned = utility_beq(costs, objective.worth)
    if objective.tree_beq_per_j is not None:
        return objective.tree_beq_per_j * costs.energy_j - earned
    return -earned / costs.energy_j


def allowed(costs: Costs, objective: Objective) -> npt.NDArray[np.bool_]:
    """Which splits fit into memory and keep the limits. [split]."""
    return (
        costs.fits
        & (costs.ttft_s <= objective.ttft_limit_s)
        & (costs.tpot_s <= objective.tpot_limit_s)
        & (costs.latency_s <= objective.latency_limit_s)
        & ((costs.cuts >= objective.device_layers).all(axis=0))
    )


def best(costs: Costs, objective: Objective) -> int:
    """Number of the best split among those of `costs`; of equals the first.

    Raises:
        InfeasibleError: No split fits and keeps the limits; the message says how near one comes.
    """
    may = allowed(costs, objective)
    if not may.any():
        raise InfeasibleError(_why_none(costs, objective))
    return int(np.argmin(np.where(may, score(costs, objective), np.inf)))


def ranked(costs: Costs, objective: Objective) -> npt.NDArray[np.intp]:
    """Numbers of the allowed splits, the best first."""
    may = np.flatnonzero(allowed(costs, objective))
    return may[np.argsort(score(costs, objective)[may], kind="stable")]


def _why_none(costs: Costs, objective: Objective) -> str:
    if not costs.fits.any():
        over = (costs.held_byte - costs.memory_byte[:, None]).max(axis=0).min()
        return (
            "expected a split whose parts fit into the memory of their places; the nearest lacks "
            f"{over / 1e9:.3g} GB. Use fewer bits, a smaller model or larger devices."
        )
    most = int(costs.cuts.max())
    if objective.device_layers > most:
        return (
            f"expected at most {most} layers to stay on the device; got {objective.device_layers}."
        )
    fit = costs.fits
    least = ", ".join(
        f"{name} {values[fit].min():.3g} s (limit {limit:.3g} s)"
        for name, values, limit in (
            ("first token", costs.ttft_s, objective.ttft_limit_s),
            ("per token", costs.tpot_s, objective.tpot_limit_s),
            ("answer", costs.latency_s, objective.latency_limit_s),
        )
        if np.isfinite(limit)
    )
    return (
        f"expected a split within the limits; the least of those that fit, each by itself: {least}."
    )
