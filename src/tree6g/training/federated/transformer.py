"""A small transformer over pictures that learns, whole or by adapters on queries and values.

A vision transformer (Dosovitskiy et al. 2021): patches of 2 x 2 pixels become tokens, layers of
attention and of a feed-forward part (GELU) have norms before them, and the head sees the mean of
all tokens. Parameters stay arrays of NumPy, as of `models`, so that updates are averaged, packed
and sent alike. Values and gradients are torch's (extra `torch`), on one thread; torch draws no
random numbers, so that a seed gives the same model again on the same machine. FLOP and sizes are
those of `compute.model` for the record that `Transformer.architecture` makes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tree6g.compute.model import counts, vision
from tree6g.compute.model.architecture import Architecture, Linear
from tree6g.compute.model.lora import DEFAULT_TARGETS, adapter
from tree6g.errors import DataError, InfeasibleError
from tree6g.training.federated.models import Adapted, FloatArray, IntArray, Parameters

PATCH_PX: Final = 2  # side of a patch
# Parameters before the layers, of a layer, and of these where matrices of queries and values are.
BEFORE, LAYER, QUERY, VALUE = 3, 16, 2, 6
TINY: Final = 1e-5  # is added to variances


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """A transformer all of whose weights are learnt.

    Parameters in their order: matrix and bias of patches, embedding of positions; of each layer
    gain and bias of a norm, matrix and bias of queries, keys, values and output, gain and bias of a
    norm, matrix and bias of both parts of the feed-forward; gain and bias of a norm, matrix and
    bias of the head. Matrices are [inputs, outputs].

    Attributes:
        side_px: Side of the pictures, which come as rows of pixels.
        width: Width between layers.
        heads: Heads of attention, which share the width.
        inner: Width inside the feed-forward part of each layer.
        classes: Classes.
        exact: Whether torch computes in 64 bits and not in 32, as accelerators do.
    """

    side_px: int
    width: int
    heads: int
    inner: tuple[int, ...]
    classes: int
    exact: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be cut into equal parts."""
        if self.side_px % PATCH_PX:
            raise DataError(f"expected pictures with an even side; got {self.side_px} pixels.")
        if min(self.width, self.heads) < 1 or self.width % self.heads:
            raise DataError(f"expected a width that {self.heads} heads share; got {self.width}.")
        if not self.inner:
            raise DataError("expected a transformer of at least one layer; got none.")

    @property
    def tokens(self) -> int:
        """Patches of a picture."""
        return (self.side_px // PATCH_PX) ** 2

    def architecture(self) -> Architecture:
        """Its record, from which it is counted."""
        norm_values = 2
        layers = [
            vision.layers(
                vision.Patches(
                    hidden=self.width, layers=1, heads=self.heads, inner=inner,
                    patch=PATCH_PX**2, positions=self.tokens, norm_values=norm_values,
                )
            )
            for inner in self.inner
        ]  # fmt: skip
        return Architecture(
            name="transformer", kind="vision", hidden=self.width, vocabulary=0,
            layers=tuple(one for some in layers for one in some),
            stem=(Linear(name="patch", inputs=PATCH_PX**2, outputs=self.width, bias=True),),
            head=Linear(name="head", inputs=self.width, outputs=self.classes, bias=True),
            position_parameters=self.tokens * self.width,
            other_parameters=norm_values * self.width, positions=self.tokens,
        )  # fmt: skip

    def start(self, rng: np.random.Generator) -> Parameters:
        """Normal matrices and positions of variance 1 / inputs; gains are 1, biases 0."""
        d, patch = self.width, PATCH_PX**2
        parts = [*_linear(rng, patch, d), rng.normal(0.0, 0.5, (self.tokens, d))]
        for inner in self.inner:
            parts += _norm(d)
            for _ in range(4):
                parts += _linear(rng, d, d)
            parts += [*_norm(d), *_linear(rng, d, inner), *_linear(rng, inner, d)]
        return (*parts, *_norm(d), *_linear(rng, d, self.classes))

    def scores(self, learnt: Parameters, x: FloatArray) -> FloatArray:
        """Logits. [sample, class]."""
        return self.scores_with(learnt, (), x)

    def scores_with(self, base: Parameters, adapters: Parameters, x: FloatArray) -> FloatArray:
        """Logits of a transformer with adapters, or without any. [sample, class]."""
        with _one_thread() as torch, torch.no_grad():
            frozen, added = self._tensors(torch, base), self._tensors(torch, adapters)
            return _array(self._logits(torch, frozen, added, self._patches(torch, x)))

    def gradient(
        self, learnt: Parameters, x: FloatArray, y: IntArray
    ) -> tuple[FloatArray, Parameters]:
        """Loss of each sample, and the gradient of their mean."""
        with _one_thread() as torch:
            parts = self._tensors(torch, learnt, learns=True)
            return self._slopes(torch, parts, [], parts, x, y)

    def adapter_gradient(
        self, base: Parameters, learnt: Parameters, x: FloatArray, y: IntArray
    ) -> tuple[FloatArray, Parameters]:
        """The same by the adapters alone."""
        with _one_thread() as torch:
            added = self._tensors(torch, learnt, learns=True)
            return self._slopes(torch, self._tensors(torch, base), added, added, x, y)

    @property
    def flop_per_sample(self) -> float:
        """Three times the forward pass; patches need no gradient of pixels."""
        whole = counts.forward_flop(self.architecture(), self.tokens)
        return float(3 * whole - self.stem_flop)

    @property
    def stem_flop(self) -> int:
        """FLOP that make tokens of a picture."""
        return self.tokens * sum(part.flop_per_tok for part in self.architecture().stem)

    def _slopes(
        self, torch: Any, parts: list[Any], added: list[Any], by: list[Any], x: FloatArray,
        y: IntArray,
    ) -> tuple[FloatArray, Parameters]:  # fmt: skip
        logits = self._logits(torch, parts, added, self._patches(torch, x))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y), reduction="none")
        slopes = torch.autograd.grad(loss.mean(), by)
        return _array(loss.detach()), tuple(_array(slope) for slope in slopes)

    def _tensors(self, torch: Any, parts: Parameters, *, learns: bool = False) -> list[Any]:
        form = np.float64 if self.exact else np.float32
        made = [torch.from_numpy(part.astype(form)) for part in parts]
        return [one.requires_grad_() for one in made] if learns else made

    def _patches(self, torch: Any, x: FloatArray) -> Any:
        """Pictures as tokens. [sample, token, pixel]."""
        side = self.side_px // PATCH_PX
        cut = x.reshape(len(x), side, PATCH_PX, side, PATCH_PX).transpose(0, 1, 3, 2, 4)
        return self._tensors(torch, (cut.reshape(len(x), self.tokens, PATCH_PX**2),))[0]

    def _logits(self, torch: Any, parts: list[Any], added: list[Any], patches: Any) -> Any:
        """The forward pass. [sample, class]."""
        before, behind = parts[:BEFORE], parts[-4:]
        state = patches @ before[0] + before[1] + before[2]
        for n in range(len(self.inner)):
            own = parts[BEFORE + n * LAYER : BEFORE + (n + 1) * LAYER]
            state = self._layer(torch, own, added[4 * n : 4 * n + 4], state)
        mean = _normed(torch, state, *behind[:2]).mean(dim=1)
        return mean @ behind[2] + behind[3]

    def _layer(self, torch: Any, own: list[Any], added: list[Any], state: Any) -> Any:
        seen = _normed(torch, state, *own[:2])
        q, k, v = (seen @ own[n] + own[n + 1] for n in (QUERY, QUERY + 2, VALUE))
        if added:
            q, v = q + seen @ added[0] @ added[1], v + seen @ added[2] @ added[3]
        size = self.width // self.heads
        cut = (*seen.shape[:2], self.heads, size)
        q, k, v = (part.reshape(cut).transpose(1, 2) for part in (q, k, v))
        share = torch.softmax(q @ k.transpose(2, 3) / size**0.5, dim=-1)
        heard = (share @ v).transpose(1, 2).reshape(seen.shape)
        state = state + heard @ own[8] + own[9]
        seen = _normed(torch, state, *own[10:12])
        return state + torch.nn.functional.gelu(seen @ own[12] + own[13]) @ own[14] + own[15]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdaptedTransformer(Adapted):
    """A frozen transformer with adapters on queries and values of each layer.

    What is learnt is A_q, B_q, A_v, B_v of the first layer and so on: r (d_in + d_out) values per
    matrix (`compute.model.lora`).

    Attributes:
        model: The transformer, whose parameters are `base`.
    """

    model: Transformer

    @property
    def weights(self) -> tuple[FloatArray, ...]:
        """Matrices that adapters are attached to."""
        return tuple(self.base[n] for n in self._places())

    def merged(self, adapters: Parameters) -> Parameters:
        """Parameters with the adapters folded in."""
        parts = list(self.base)
        for n, a, b in zip(self._places(), adapters[::2], adapters[1::2], strict=True):
            parts[n] = parts[n] + a @ b
        return tuple(parts)

    def scores(self, learnt: Parameters, x: FloatArray) -> FloatArray:
        """Logits. [sample, class]."""
        return self.model.scores_with(self.base, learnt, x)

    def gradient(
        self, learnt: Parameters, x: FloatArray, y: IntArray
    ) -> tuple[FloatArray, Parameters]:
        """As of the transformer, by the adapters alone."""
        return self.model.adapter_gradient(self.base, learnt, x, y)

    @property
    def flop_per_sample(self) -> float:
        """Frozen matrices twice, adapters and pairs of tokens three times, as of `training.work`.

        Less what nothing needs: gradients of the tokens before the first layer, and of its keys,
        which nothing that is learnt goes into.
        """
        model, shape = self.model.architecture(), self.model
        rank = min(self.rank, shape.width)
        pairs = counts.pairs_flop(model, shape.tokens)
        own = shape.tokens * adapter(model, rank, DEFAULT_TARGETS).flop_per_tok
        both_ways = 2 * counts.forward_flop(model, shape.tokens) - shape.stem_flop
        first = pairs // len(shape.inner) // 2
        first += shape.tokens * (3 * 2 * shape.width**2 + 2 * 2 * shape.width * rank)
        return float(both_ways + pairs + 3 * own - first)

    def _places(self) -> list[int]:
        layers = range(len(self.model.inner))
        return [BEFORE + n * LAYER + at for n in layers for at in (QUERY, VALUE)]


def need() -> None:
    """Ask for torch before anything is computed.

    Raises:
        InfeasibleError: It is not installed.
    """
    _library()


def _linear(rng: np.random.Generator, inputs: int, outputs: int) -> list[FloatArray]:
    return [rng.normal(0.0, inputs**-0.5, (inputs, outputs)), np.zeros(outputs)]


def _norm(width: int) -> list[FloatArray]:
    return [np.ones(width), np.zeros(width)]


def _normed(torch: Any, state: Any, gain: Any, bias: Any) -> Any:
    return torch.nn.functional.layer_norm(state, gain.shape, gain, bias, TINY)


def _array(tensor: Any) -> FloatArray:
    found: npt.NDArray[Any] = tensor.numpy()
    return found.astype(np.float64)


@contextmanager
def _one_thread() -> Iterator[Any]:
    """Torch with one thread, on which sums have one order; its user's threads come back."""
    torch = _library()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch
    finally:
        torch.set_num_threads(before)


def _library() -> Any:
    try:
        return import_module("torch")
    except ImportError as error:
        raise InfeasibleError(
            "expected the package 'torch', which computes transformers; it is not installed. "
            "Run: pip install 'tree6g[torch]'"
        ) from error
