"""Convolutional networks as tables of layers: parameters, FLOP and what each hands on.

FLOP are two per multiply and add of convolutions and linear layers, as a FLOP counter of a tensor
library counts them; norms, activations, pooling and additions count nothing. Norms store two values
per channel. Checked layer by layer; see `tree6g validate counts`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tree6g.errors import DataError

Shape = tuple[int, ...]  # channels, height, width; or features alone


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionLayer:
    """A layer, or a block that is not cut inside.

    Attributes:
        name: Its name in the network.
        kind: `conv`, `up`, `linear`, `relu`, `pool`, `norm`, `flatten` or `block`.
        shape: What it hands on: channels x height x width, or features.
        parameters: What it stores.
        flop: FLOP for one picture.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int = 0
    flop: int = 0

    @property
    def values(self) -> int:
        """Values that it hands on."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network for one size of picture.

    Attributes:
        name: Its name.
        shape: The picture: channels, height, width.
        layers: Its layers in order; a cut behind one sends what it hands on, and in networks with
            links over several layers only cuts behind blocks are cuts of all links.
    """

    name: str
    shape: Shape
    layers: tuple[ConvolutionLayer, ...]

    @property
    def parameters(self) -> int:
        """What the network stores."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def flop(self) -> int:
        """FLOP for one picture."""
        return sum(layer.flop for layer in self.layers)


class Drawing:
    """A network as it is drawn: each call adds a layer behind the last one."""

    def __init__(self, shape: Shape) -> None:
        self.shape: Shape = shape
        self.layers: list[ConvolutionLayer] = []

    def conv(
        self,
        name: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = False,
        norm: bool = False,
    ) -> None:
        """A convolution with square kernel; a norm behind it stores two values per channel.

        Raises:
            DataError: The kernel is larger than the padded picture.
        """
        before, _, _ = self.shape
        pad = kernel // 2 if padding is None else padding
        high, wide = (self._out(side, kernel, stride, pad) for side in self.shape[1:])
        weights = channels * (before // groups) * kernel**2
        stored = weights + channels * (int(bias) + 2 * int(norm))
        self._add(name, "conv", (channels, high, wide), stored, 2 * weights * high * wide)

    def up(
        self,
        name: str,
        channels: int,
        kernel: int,
        *,
        stride: int,
        padding: int,
        bias: bool = False,
        norm: bool = False,
    ) -> None:
        """A transposed convolution: the whole kernel for each pixel, a larger picture."""
        before, high, wide = self.shape
        weights = before * channels * kernel**2
        stored = weights + channels * (int(bias) + 2 * int(norm))
        sides = [(side - 1) * stride - 2 * padding + kernel for side in (high, wide)]
        self._add(name, "up", (channels, *sides), stored, 2 * weights * high * wide)

    def linear(self, name: str, features: int, *, bias: bool = True) -> None:
        """A fully connected layer."""
        weights = math.prod(self.shape) * features
        self._add(name, "linear", (features,), weights + int(bias) * features, 2 * weights)

    def pool(self, name: str, kernel: int, *, stride: int, padding: int = 0) -> None:
        """Maximum or mean over a square."""
        sides = [self._out(side, kernel, stride, padding) for side in self.shape[1:]]
        self._add(name, "pool", (self.shape[0], *sides))

    def mean(self, name: str) -> None:
        """Mean over the whole picture."""
        self._add(name, "pool", (self.shape[0], 1, 1))

    def same(self, name: str, kind: str) -> None:
        """A layer that changes no shape and stores nothing: activation, response norm."""
        self._add(name, kind, self.shape)

    def flatten(self, name: str) -> None:
        """All values in a row."""
        self._add(name, "flatten", (math.prod(self.shape),))

    def reshape(self, shape: Shape) -> None:
        """Go on from another shape: a picture scaled up, channels put beside each other."""
        self.shape = shape

    @contextmanager
    def block(self, name: str) -> Iterator[None]:
        """What is drawn inside becomes one layer, which hands on what its last layer does."""
        first = len(self.layers)
        yield
        inner = self.layers[first:]
        made = ConvolutionLayer(
            name=name,
            kind="block",
            shape=self.shape,
            parameters=sum(layer.parameters for layer in inner),
            flop=sum(layer.flop for layer in inner),
        )
        self.layers[first:] = [made]

    def done(self, name: str, shape: Shape) -> Network:
        """The network."""
        return Network(name=name, shape=shape, layers=tuple(self.layers))

    def _out(self, side: int, kernel: int, stride: int, padding: int) -> int:
        size = (side + 2 * padding - kernel) // stride + 1
        if size < 1:
            raise DataError(
                f"expected a picture of at least {kernel - 2 * padding} pixels where a kernel of "
                f"{kernel} is laid; got {side}. Take a larger picture."
            )
        return size

    def _add(
        self, name: str, kind: str, shape: Sequence[int], parameters: int = 0, flop: int = 0
    ) -> None:
        self.shape = tuple(shape)
        self.layers.append(
            ConvolutionLayer(
                name=name, kind=kind, shape=self.shape, parameters=parameters, flop=flop
            )
        )
