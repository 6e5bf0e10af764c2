"""Training at one place: mini-batch gradient descent, pulled to where it began (FedProx)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from tree6g.errors import InfeasibleError
from tree6g.training.federated.models import FloatArray, IntArray, Learner, Parameters


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """How a client trains.

    Attributes:
        epochs: Passes over its samples.
        batch: Samples of a step; 0: all of them.
        step_size: Factor on the gradient.
        proximal: Weight mu of (mu/2) |w - w0|^2, w0 the parameters that it was given (Li et al.
            2020, FedProx); 0: none.
    """

    epochs: int
    batch: int
    step_size: float
    proximal: float = 0.0

    def steps(self, samples: int) -> int:
        """Steps of gradient descent with so many samples."""
        return self.epochs * (-(-samples // self.batch) if self.batch else 1)


def descend(
    learner: Learner,
    given: Parameters,
    x: FloatArray,
    y: IntArray,
    how: Descent,
    rng: np.random.Generator,
) -> tuple[Parameters, float]:
    """Parameters after training, and the root mean square of the losses seen on the way.

    Batches are drawn without replacement, anew in each epoch; a batch of all samples keeps their
    order, and is plain gradient descent.

    Raises:
        InfeasibleError: The parameters grow beyond all bounds.
    """
    learnt, seen = given, []
    with np.errstate(over="ignore", invalid="ignore"):
        for rows in _batches(len(y), how, rng):
            loss, slope = learner.gradient(learnt, x[rows], y[rows])
            seen.append(loss)
            if how.proximal:
                slope = tuple(
                    g + how.proximal * (w - w0)
                    for w, g, w0 in zip(learnt, slope, given, strict=True)
                )
            learnt = tuple(w - how.step_size * g for w, g in zip(learnt, slope, strict=True))
        rms = float(np.sqrt(np.mean(np.concatenate(seen) ** 2)))
    if not (np.isfinite(rms) and all(np.isfinite(part).all() for part in learnt)):
        raise InfeasibleError(
            f"expected training that converges; with step_size {how.step_size:g} the parameters "
            "grew beyond all bounds. Use a smaller step_size."
        )
    return learnt, rms


def _batches(samples: int, how: Descent, rng: np.random.Generator) -> Iterator[IntArray]:
    """Rows of each step."""
    size = how.batch if 0 < how.batch < samples else samples
    for _ in range(how.epochs):
        order = rng.permutation(samples) if size < samples else np.arange(samples)
        for first in range(0, samples, size):
            yield order[first : first + size]
