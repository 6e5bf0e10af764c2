"""Early exits: answers that leave before the last layer, and what that saves on average."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tree6g.compute.splitting.choice import Objective, best, score
from tree6g.compute.splitting.costs import Costs
from tree6g.compute.splitting.profile import LayerProfile
from tree6g.compute.stream import FloatArray
from tree6g.errors import InfeasibleError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A classifier behind a layer.

    Attributes:
        layer: Layers before it.
        leave_frac: Share of those that get there and leave.
        flop: FLOP of its classifier, which all that get there pay.
    """

    layer: int
    leave_frac: float
    flop: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A row of a calibration: how many leave where at a threshold of confidence, and how well.

    Attributes:
        confidence: The threshold.
        exits: The exits at it.
        quality_frac: Worth of the answers relative to those of the whole model.
    """

    confidence: float
    exits: tuple[Exit, ...]
    quality_frac: float


def reach(layers: int, exits: Sequence[Exit], *, decoder: bool = False) -> FloatArray:
    """Share of the passes that get to each layer, and last to the end. [phase, layer + 1].

    Args:
        layers: Layers of the model.
        exits: Its exits.
        decoder: Prompts pass whole, since later tokens need their keys and values, and only decoded
            tokens leave early. What they leave undone in later layers, keys and values that later
            tokens would attend to, is taken to be copied from the last layer computed, at no cost;
            schemes that compute it later save less.

    Raises:
        InfeasibleError: An exit outside the model, or a share outside [0, 1].
    """
    stays = np.ones(layers + 1)
    for exit_ in exits:
        if not 0 < exit_.layer < layers or not 0.0 <= exit_.leave_frac <= 1.0:
            raise InfeasibleError(
                f"expected exits behind layers 1 to {layers - 1} with shares from 0 to 1; got "
                f"{exit_.leave_frac:g} behind layer {exit_.layer}."
            )
        stays[exit_.layer :] *= 1.0 - exit_.leave_frac
    return np.stack([np.ones(layers + 1) if decoder else stays, stays])


def with_classifiers(profile: LayerProfile, exits: Sequence[Exit]) -> LayerProfile:
    """The model with the work of its classifiers in the layers before them."""
    extra = np.zeros(profile.layers)
    for exit_ in exits:
        extra[exit_.layer - 1] += exit_.flop
    return dataclasses.replace(profile, sampled_flop=profile.sampled_flop + extra)


def expected_flop(profile: LayerProfile, exits: Sequence[Exit]) -> float:
    """Mean FLOP of a token or frame by itself, attention left out, classifiers included."""
    full = with_classifiers(profile, exits)
    arrives = reach(profile.layers, exits)[1, :-1]
    return float(arrives @ (full.flop_per_tok + full.sampled_flop))


def best_threshold(
    rows: Sequence[Threshold],
    costs: Sequence[Costs],
    objective: Objective,
    *,
    least_quality_frac: float = 0.0,
) -> tuple[int, int]:
    """The row of a calibration and the split that are best together.

    Args:
        rows: The calibration.
        costs: Costs of the splits at each row's exits. [row]
        objective: What is to be least; quality enters only by the limit here.
        least_quality_frac: Least quality that will do.

    Raises:
        InfeasibleError: No row is good enough, or no split of those that are keeps the limits.
    """
    found: list[tuple[float, int, int]] = []
    why: InfeasibleError | None = None
    for number, (row, cost) in enumerate(zip(rows, costs, strict=True)):
        if row.quality_frac < least_quality_frac:
            continue
        try:
            split = best(cost, objective)
        except InfeasibleError as error:
            why = error
            continue
        found.append((float(score(cost, objective)[split]), number, split))
    if not found:
        top = max((row.quality_frac for row in rows), default=0.0)
        raise why or InfeasibleError(
            f"expected a threshold of quality {least_quality_frac:g}; the best row has {top:g}."
        )
    _, number, split = min(found)
    return number, split
