"""What a model is: matrices, what attends to what, and what is kept per token. Records only.

A model is a stack of layers. A layer holds mixers, which carry information between tokens
(attention, state-space layers, convolutions), and feed-forward parts, which work on each token
alone. Both are lists of matrices plus a few integers that say what a token costs and what it
leaves behind, so that every count is a sum over these records and no family needs its own formula.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

Kind = Literal["decoder", "encoder", "encoder-decoder", "vision"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A matrix product, or several equal ones.

    Attributes:
        name: What it is called where adapters are attached: `q`, `k`, `v`, `o`, `gate`, `up`, ...
        inputs: Width of what comes in.
        outputs: Width of what goes out.
        bias: Whether a bias of the width of the output is added.
        stored: Equal matrices that are stored, as of experts.
        used: How many of them a token passes; a stored one that is passed twice counts twice.
        routed: Whether a router chooses which of them a token passes.
    """

    name: str
    inputs: int
    outputs: int
    bias: bool = False
    stored: int = 1
    used: int = 1
    routed: bool = False

    @property
    def parameters(self) -> int:
        """All that is stored, biases included."""
        return self.stored * self.outputs * (self.inputs + int(self.bias))

    @property
    def active_parameters(self) -> int:
        """What a token passes, biases included."""
        return min(self.used, self.stored) * self.outputs * (self.inputs + int(self.bias))

    @property
    def flop_per_tok(self) -> int:
        """Two per weight that a token passes; the additions of a bias are not counted."""
        return 2 * self.used * self.inputs * self.outputs


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mixer:
    """What carries information from token to token.

    Attributes:
        kind: `attention`, `window`, `latent`, `sparse`, `cross`, `mamba`, `mamba2`, `delta`,
            `linear` or `convolution`.
        linears: Matrices that each token passes.
        memory_linears: Matrices that each token of the other sequence passes once: keys and values
            of cross attention.
        other_parameters: Norms, sinks, convolutions and other small vectors.
        context_flop: FLOP per token and token of all the context that it sees.
        decode_context_flop: The same in decode; latent attention absorbs matrices there.
        window_flop: FLOP per token and token inside its window.
        window_tok: Longest context that `window_flop` and `window_kv_values` apply to; 0: none.
        kv_values: Values kept per token for as long as the sequence lives.
        window_kv_values: Values kept per token inside the window only.
        memory_kv_values: Values kept per token of the other sequence.
        state_values: Values kept per sequence, however long it is.
        recurrent_flop: FLOP per token of recurrences and convolutions, which are no matrix product.
    """

    kind: str
    linears: tuple[Linear, ...]
    memory_linears: tuple[Linear, ...] = ()
    other_parameters: int = 0
    context_flop: int = 0
    decode_context_flop: int = 0
    window_flop: int = 0
    window_tok: int = 0
    kv_values: int = 0
    window_kv_values: int = 0
    memory_kv_values: int = 0
    state_values: int = 0
    recurrent_flop: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """What works on each token alone: one network, or experts with a router.

    Attributes:
        linears: Its matrices; those of routed experts say so.
        other_parameters: Correction of the router, norms inside.
        experts: Routed experts; 0: a dense network.
        active: Routed experts that a token passes.
    """

    linears: tuple[Linear, ...]
    other_parameters: int = 0
    experts: int = 0
    active: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of a stack; equal layers may share one record.

    Attributes:
        mixers: Mostly one; two with cross attention or with parallel heads; none where a layer is
            only a feed-forward part.
        feed_forwards: Mostly one.
        other_parameters: Norms around them.
    """

    mixers: tuple[Mixer, ...] = ()
    feed_forwards: tuple[FeedForward, ...] = ()
    other_parameters: int = 0

    def linears(self) -> Iterator[Linear]:
        """All matrices, those for the other sequence included."""
        for mixer in self.mixers:
            yield from mixer.linears
            yield from mixer.memory_linears
        for part in self.feed_forwards:
            yield from part.linears


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    """A second stack in front of the first: an encoder of text, sound or pictures.

    Attributes:
        layers: Its layers.
        hidden: Its width.
        positions: Positions of a usual input: patches of a picture, frames of 30 s of sound; 0: as
            many as there are tokens.
        tokens: Tokens that these become for the first stack.
        added: Of the positions, those that are no patch: class tokens.
        stem: Matrices that each other position passes before the layers.
        projector: Matrices that each token passes after them.
        other_parameters: Norms, embeddings of positions.
    """

    layers: tuple[Layer, ...]
    hidden: int
    positions: int = 0
    tokens: int = 0
    added: int = 0
    stem: tuple[Linear, ...] = ()
    projector: tuple[Linear, ...] = ()
    other_parameters: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A model, without its weights.

    Attributes:
        name: Its name.
        kind: `decoder`, `encoder`, `encoder-decoder` or `vision` (a classifier of pictures).
        hidden: Width between layers.
        vocabulary: Rows of the embedding of tokens; 0: none.
        layers: The stack; of an encoder-decoder, the decoder.
        embedding_parameters: The embedding of tokens.
        position_parameters: Embeddings of positions and of segments.
        head: The output matrix; None: there is none.
        tied: Whether the head is the embedding and not stored again.
        stem: Matrices that each token passes before the layers.
        other_parameters: Norms around the stack and what else is stored once.
        encoder: Encoder of an encoder-decoder.
        vision: Encoder of pictures of a vision-language model.
        positions: Positions of a usual input of a `vision` model.
        added: Of these, those that are no patch: class tokens.
        remarks: What was assumed or left out when this was read.
    """

    name: str
    kind: Kind
    hidden: int
    vocabulary: int
    layers: tuple[Layer, ...]
    embedding_parameters: int = 0
    position_parameters: int = 0
    head: Linear | None = None
    tied: bool = False
    stem: tuple[Linear, ...] = ()
    other_parameters: int = 0
    encoder: Tower | None = None
    vision: Tower | None = None
    positions: int = 0
    added: int = 0
    remarks: tuple[str, ...] = ()
