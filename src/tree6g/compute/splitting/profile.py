"""A model as a row of layers: what each computes, reads and keeps, and what crosses each cut."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.compute.stream import FloatArray

KEPT_BYTE: Final = 2.0  # of a key, a value or a state
TEXT_BYTE_PER_TOK: Final = 4.0  # English text, and a token's number as an integer


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerProfile:
    """The layers of a model in the order of computation. Arrays are [layer].

    A decoder has one entry per decoder layer and, last, one for its output head; the look-up of the
    embedding belongs to the first layer and costs nothing. A convolutional network has one entry
    per layer, and its "token" is one frame.

    Attributes:
        name: The model.
        flop_per_tok: FLOP of matrix products per token that passes.
        sampled_flop: FLOP per sampled token: the output head.
        attention_flop: FLOP of attention per token and token of context.
        window_tok: Tokens of context that a layer sees at most; infinity: all.
        weight_byte: Bytes of weights that every pass reads.
        expert_byte: Bytes of routed experts, of which a pass reads those that its tokens choose.
        expert_frac: Share of the routed experts that one token chooses.
        kv_byte_per_tok: Bytes of keys and values per token of context.
        state_byte: Bytes of constant state per sequence.
        cut_value_per_tok: Values per token that cross the cut before each layer, and at the end
            those of the result. The first is what the input would be as values. [layer + 1]
        input_byte_per_tok: Bytes of raw input per token: what is sent if nothing is computed first.
        output_byte_per_tok: Bytes of a result.
        output_head: Whether the last entry is an output head that may stay on the device.
    """

    name: str
    flop_per_tok: FloatArray
    sampled_flop: FloatArray
    attention_flop: FloatArray
    window_tok: FloatArray
    weight_byte: FloatArray
    expert_byte: FloatArray
    expert_frac: FloatArray
    kv_byte_per_tok: FloatArray
    state_byte: FloatArray
    cut_value_per_tok: FloatArray
    input_byte_per_tok: float
    output_byte_per_tok: float
    output_head: bool = False

    @property
    def layers(self) -> int:
        """Layers, the output head included."""
        return len(self.flop_per_tok)

    @property
    def stored_byte(self) -> FloatArray:
        """Bytes of weights that a place must hold for each layer, all experts. [layer]."""
        return self.weight_byte + self.expert_byte

    def read_byte(self, tokens: float) -> FloatArray:
        """Bytes of weights that a pass over some tokens reads. [layer].

        A routed expert is read if any of the tokens chooses it: 1 - (1 - chosen share)^tokens, for
        choices that are independent and even.
        """
        return self.weight_byte + self.expert_byte * (1.0 - (1.0 - self.expert_frac) ** tokens)

    def part(self, first: int, stop: int) -> LayerProfile:
        """Layers `first` to `stop`, without the latter, as a model of their own."""
        sliced = {name: getattr(self, name)[first:stop] for name in _PER_LAYER}
        return dataclasses.replace(
            self,
            **sliced,
            cut_value_per_tok=self.cut_value_per_tok[first : stop + 1],
            output_head=self.output_head and stop == self.layers,
        )


_PER_LAYER: Final = (
    "flop_per_tok", "sampled_flop", "attention_flop", "window_tok", "weight_byte", "expert_byte",
    "expert_frac", "kv_byte_per_tok", "state_byte",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one request asks for: `prompt_tok` read, `output_tok` made; a frame is (1, 1).

    The first output token comes from the pass over the prompt, each other one from a pass over the
    token before it.
    """

    prompt_tok: int
    output_tok: int


FRAME: Final = Work(prompt_tok=1, output_tok=1)


def profile(name: str, **given: object) -> LayerProfile:
    """A profile from the fields that matter; what is not given is zero, windows are infinite.

    Args:
        name: The model.
        given: Fields of `LayerProfile`; per-layer ones as sequences, or as one number for all.
    """
    count = len(np.atleast_1d(np.asarray(given["cut_value_per_tok"]))) - 1
    per_layer = {
        field: np.broadcast_to(
            np.asarray(given.get(field, _default(field)), dtype=float), count
        ).copy()
        for field in _PER_LAYER
    }
    return LayerProfile(
        name=name,
        **per_layer,
        cut_value_per_tok=np.asarray(given["cut_value_per_tok"], dtype=float),
        input_byte_per_tok=float(given.get("input_byte_per_tok", TEXT_BYTE_PER_TOK)),  # type: ignore[arg-type]
        output_byte_per_tok=float(given.get("output_byte_per_tok", TEXT_BYTE_PER_TOK)),  # type: ignore[arg-type]
        output_head=bool(given.get("output_head", False)),
    )


def dense_decoder(
    name: str,
    *,
    layers: int,
    hidden: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    feed_forward: int,
    vocabulary: int,
    byte_per_parameter: float = 2.0,
) -> LayerProfile:
    """A dense decoder with gated feed-forward and grouped queries, its layers alike.

    Matrix parameters of a layer: 2 h a d + 2 h k d + 3 h i, for width h, a query heads and k heads
    of keys and values of width d, and feed-forward width i. Any other decoder:
    `architectures.decoder`.

    Args:
        name: The model.
        layers: Decoder layers.
        hidden: Width between layers.
        heads: Query heads.
        kv_heads: Heads of keys and values.
        head_dim: Width of a head.
        feed_forward: Width of the feed-forward part.
        vocabulary: Rows of the output head.
        byte_per_parameter: Storage of the weights; keys and values take 2 bytes.
    """
    body = float(hidden * (2 * (heads + kv_heads) * head_dim + 3 * feed_forward))
    layer = np.append(np.ones(layers), 0.0)
    head = float(vocabulary * hidden) * (1.0 - layer)
    return profile(
        name,
        flop_per_tok=2.0 * body * layer,
        sampled_flop=2.0 * head,
        attention_flop=4.0 * heads * head_dim * layer,
        weight_byte=byte_per_parameter * (body * layer + head),
        kv_byte_per_tok=2.0 * kv_heads * head_dim * KEPT_BYTE * layer,
        cut_value_per_tok=[*([float(hidden)] * (layers + 1)), 1.0],
        output_head=True,
    )


def network(
    name: str,
    *,
    flop: Sequence[float],
    parameters: Sequence[float],
    out_values: Sequence[float],
    input_values: float,
    input_byte: float,
    weight_byte: float = 4.0,
) -> LayerProfile:
    """A network that turns one frame into one result, such as a CNN.

    Args:
        name: The model.
        flop: FLOP of each layer per frame. [layer]
        parameters: Parameters of each layer. [layer]
        out_values: Values that leave each layer, shortcuts that pass it included. [layer]
        input_values: Values of the input tensor.
        input_byte: Bytes of a frame as it is sent raw: one per value before scaling, less as JPEG.
        weight_byte: Bytes of a stored parameter.
    """
    return profile(
        name,
        flop_per_tok=np.asarray(flop, dtype=float),
        weight_byte=weight_byte * np.asarray(parameters, dtype=float),
        cut_value_per_tok=[float(input_values), *map(float, out_values)],
        input_byte_per_tok=input_byte,
        output_byte_per_tok=4.0 * float(out_values[-1]),
    )


def _default(field: str) -> float:
    return np.inf if field == "window_tok" else 0.0
