"""Models that learn, in NumPy: softmax regression and small networks, whole or by adapters.

A model is a row of layers, h <- relu(h W + b), the last one without relu; its loss is the mean
cross entropy of the softmax of the last layer. Without hidden layers it is softmax regression. What
is learnt is a tuple of arrays, so that updates can be averaged, packed and sent alike.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Parameters = tuple[FloatArray, ...]


class Learner(Protocol):
    """What a client trains."""

    def start(self, rng: np.random.Generator) -> Parameters:
        """Parameters before the first step."""

    def scores(self, learnt: Parameters, x: FloatArray) -> FloatArray:
        """Logits. [sample, class]."""

    def gradient(
        self, learnt: Parameters, x: FloatArray, y: IntArray
    ) -> tuple[FloatArray, Parameters]:
        """Loss of each sample, and the gradient of their mean."""

    @property
    def flop_per_sample(self) -> float:
        """Multiplications and additions of matrix products, both ways, for one sample."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network all of whose weights are learnt: W1, b1, W2, b2, ...

    Attributes:
        widths: Values in, of each hidden layer, classes out.
    """

    widths: tuple[int, ...]

    def start(self, rng: np.random.Generator) -> Parameters:
        """Normal weights of variance 2 / inputs (He et al. 2015); no hidden layers: zeros."""
        pairs = list(itertools.pairwise(self.widths))
        scale = float(len(pairs) > 1)
        weights = [scale * rng.normal(0.0, np.sqrt(2.0 / a), (a, b)) for a, b in pairs]
        return tuple(part for w in weights for part in (w, np.zeros(w.shape[1])))

    def scores(self, learnt: Parameters, x: FloatArray) -> FloatArray:
        """Logits. [sample, class]."""
        return forward(learnt, x)[-1]

    def gradient(
        self, learnt: Parameters, x: FloatArray, y: IntArray
    ) -> tuple[FloatArray, Parameters]:
        """Loss of each sample, and the gradient of their mean by back-propagation."""
        passed = forward(learnt, x)
        loss, back = softmax_loss(passed[-1], y)
        found: list[FloatArray] = []
        for layer in reversed(range(len(learnt) // 2)):
            found = [passed[layer].T @ back, back.sum(axis=0), *found]
            if layer:
                back = (back @ learnt[2 * layer].T) * (passed[layer] > 0.0)
        return loss, tuple(found)

    @property
    def flop_per_sample(self) -> float:
        """2 N forward, 2 N for the weights and 2 N for the inputs of all layers but the first."""
        sizes = [a * b for a, b in itertools.pairwise(self.widths)]
        return 6.0 * sum(sizes) - 2.0 * sizes[0]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adapted:
    """A frozen network with low-rank adapters: W + A B in each layer (Hu et al. 2021).

    What is learnt is A1, B1, A2, B2, ...; A is random and B zero at the start, so that the network
    begins as it was. Biases stay frozen.

    Attributes:
        base: The frozen network.
        rank: Rank r of all adapters; layers that are narrower have that of their narrow side.
    """

    base: Parameters
    rank: int

    @property
    def weights(self) -> tuple[FloatArray, ...]:
        """Frozen matrices."""
        return self.base[::2]

    def merged(self, adapters: Parameters) -> Parameters:
        """The frozen network with adapters folded in."""
        return merged(self.base, adapters)

    def start(self, rng: np.random.Generator) -> Parameters:
        """A normal with variance 1 / inputs, B zero."""
        parts = []
        for w in self.weights:
            r = min(self.rank, *w.shape)
            parts += [rng.normal(0.0, np.sqrt(1.0 / w.shape[0]), (w.shape[0], r))]
            parts += [np.zeros((r, w.shape[1]))]
        return tuple(parts)

    def scores(self, learnt: Parameters, x: FloatArray) -> FloatArray:
        """Logits. [sample, class]."""
        return forward(self.merged(learnt), x)[-1]

    def gradient(
        self, learnt: Parameters, x: FloatArray, y: IntArray
    ) -> tuple[FloatArray, Parameters]:
        """As of the network, through the adapters alone: dA = x' (g B'), dB = (x A)' g."""
        passed, thin, last = [x], [], len(self.weights) - 1
        for layer, (w, b) in enumerate(zip(self.weights, self.base[1::2], strict=True)):
            thin.append(passed[-1] @ learnt[2 * layer])
            out = passed[-1] @ w + thin[-1] @ learnt[2 * layer + 1] + b
            passed.append(out if layer == last else np.maximum(out, 0.0))
        loss, back = softmax_loss(passed[-1], y)
        found: list[FloatArray] = []
        for layer in reversed(range(last + 1)):
            a, b = learnt[2 * layer : 2 * layer + 2]
            narrow = back @ b.T
            found = [passed[layer].T @ narrow, thin[layer].T @ back, *found]
            if layer:
                back = (back @ self.weights[layer].T + narrow @ a.T) * (passed[layer] > 0.0)
        return loss, tuple(found)

    @property
    def flop_per_sample(self) -> float:
        """4 N of the frozen part, less 2 of its first layer, and 6 of the adapters likewise."""
        sizes = [w.size for w in self.weights]
        thin = [min(self.rank, *w.shape) * sum(w.shape) for w in self.weights]
        first_a = min(self.rank, *self.weights[0].shape) * self.weights[0].shape[0]
        return 4.0 * sum(sizes) - 2.0 * sizes[0] + 6.0 * sum(thin) - 2.0 * first_a


def forward(weights: Parameters, x: FloatArray) -> list[FloatArray]:
    """Values of all layers, the input first and the logits last. [layer][sample, width]."""
    passed, last = [x], len(weights) // 2 - 1
    for layer in range(last + 1):
        out = passed[-1] @ weights[2 * layer] + weights[2 * layer + 1]
        passed.append(out if layer == last else np.maximum(out, 0.0))
    return passed


def softmax_loss(scores: FloatArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
    """Cross entropy of each sample, and the gradient of their mean by the logits."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(y))
    back = np.exp(shifted - log_sum)
    loss: FloatArray = log_sum[:, 0] - shifted[rows, y]
    back[rows, y] -= 1.0
    return loss, back / len(y)


def merged(base: Parameters, adapters: Parameters) -> Parameters:
    """The network with its adapters folded in: W + A B."""
    weights = [w + a @ b for w, a, b in zip(base[::2], adapters[::2], adapters[1::2], strict=True)]
    return tuple(part for pair in zip(weights, base[1::2], strict=True) for part in pair)


def values(parts: Sequence[FloatArray]) -> int:
    """Numbers in all arrays."""
    return sum(part.size for part in parts)
