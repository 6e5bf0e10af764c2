"""Exact integers of a model: parameters, FLOP of a forward pass, values kept per token.

FLOP are those of matrix products, two per multiply and add, as a FLOP counter of a tensor library
counts them: no norms, activations, softmax, biases or recurrences. Checked against such a counter
for nine models, exactly; see `tree6g validate counts`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tree6g.compute.model.architecture import Architecture, Layer, Linear, Mixer, Tower
from tree6g.errors import DataError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Where the parameters of a model are; they sum to `total`.

    Attributes:
        total: All that is stored.
        embedding: The embedding of tokens; the head too, if the two are one matrix.
        position: Embeddings of positions.
        head: The head where it is stored on its own.
        body: The layers without routed experts, and the norms around them.
        routed: Routed experts.
        encoder: The encoder of an encoder-decoder.
        vision: The encoder of pictures with its projector.
        active: What a token passes: all but routed experts that are not chosen; embedding, vision
            and encoder included.
    """

    total: int
    embedding: int
    position: int
    head: int
    body: int
    routed: int
    encoder: int
    vision: int
    active: int


def parameters(model: Architecture) -> Parameters:
    """The parameters of a model."""
    head = 0 if model.tied or model.head is None else model.head.parameters
    if model.tied and model.head is not None and model.head.bias:
        head = model.head.outputs  # of a tied head only its bias is its own
    layers = sum(layer_parameters(layer) for layer in model.layers)
    routed = sum(layer_routed_parameters(layer) for layer in model.layers)
    stem = sum(part.parameters for part in model.stem)
    body = layers - routed + stem + model.other_parameters
    encoder = tower_parameters(model.encoder) if model.encoder else 0
    vision = tower_parameters(model.vision) if model.vision else 0
    rest = model.embedding_parameters + model.position_parameters + head + body + encoder + vision
    chosen = sum(
        part.active_parameters for layer in model.layers for part in layer.linears() if part.routed
    )
    return Parameters(
        total=rest + routed,
        embedding=model.embedding_parameters,
        position=model.position_parameters,
        head=head,
        body=body,
        routed=routed,
        encoder=encoder,
        vision=vision,
        active=rest + chosen,
    )


def layer_parameters(layer: Layer) -> int:
    """All parameters of a layer."""
    small = sum(m.other_parameters for m in layer.mixers)
    small += sum(part.other_parameters for part in layer.feed_forwards)
    return sum(part.parameters for part in layer.linears()) + small + layer.other_parameters


def layer_routed_parameters(layer: Layer) -> int:
    """Parameters of the routed experts of a layer."""
    return sum(part.parameters for part in layer.linears() if part.routed)


def tower_parameters(tower: Tower) -> int:
    """All parameters of an encoder in front, with its projector."""
    outside = sum(part.parameters for part in (*tower.stem, *tower.projector))
    return sum(layer_parameters(layer) for layer in tower.layers) + outside + tower.other_parameters


def layer_flop_per_tok(layer: Layer) -> int:
    """FLOP of the matrices that a token of the layer's own sequence passes."""
    own = [part for mixer in layer.mixers for part in mixer.linears]
    own += [part for forward in layer.feed_forwards for part in forward.linears]
    return _flop_per_tok(own)


def memory_flop_per_tok(layer: Layer) -> int:
    """FLOP of the matrices that a token of the other sequence passes: keys and values."""
    return _flop_per_tok(part for mixer in layer.mixers for part in mixer.memory_linears)


def head_flop(model: Architecture) -> int:
    """FLOP of the head for one token."""
    return model.head.flop_per_tok if model.head else 0


def layer_flop(layer: Layer, tokens: int, *, causal: bool = False, memory_tok: int = 0) -> int:
    """FLOP of a layer for `tokens` new tokens without a cache.

    Args:
        layer: The layer.
        tokens: New tokens S.
        causal: Whether kernels skip what lies in the future: S^2 / 2 pairs, and of a window W
            S W - W^2 / 2; without it all S^2 pairs are computed, as by a plain matrix product.
        memory_tok: Tokens of the other sequence, for cross attention.
    """
    flop = layer_flop_per_tok(layer) * tokens + memory_flop_per_tok(layer) * memory_tok
    return flop + sum(_pairs_flop(m, tokens, memory_tok, causal=causal) for m in layer.mixers)


def forward_flop(
    model: Architecture,
    tokens: int,
    *,
    causal: bool = False,
    last_only: bool = False,
    encoder_tok: int | None = None,
) -> int:
    """FLOP of a forward pass over `tokens` tokens, pictures excluded.

    Args:
        model: The model; one for pictures takes its patches as tokens.
        tokens: Tokens of the first stack, S.
        causal: Whether kernels skip what lies in the future of a token.
        last_only: Whether the head runs for the last token only.
        encoder_tok: Tokens of the encoder of an encoder-decoder; as many if not given.

    Raises:
        DataError: The number of tokens is not positive.
    """
    if tokens < 1:
        raise DataError(f"expected at least one token; got {tokens}.")
    both_ways = model.kind in ("encoder", "vision")
    memory_tok, before = 0, 0
    if model.encoder is not None:
        memory_tok = encoder_tok or model.encoder.positions or tokens
        before = tower_flop(model.encoder, memory_tok)
    layers = sum(
        layer_flop(layer, tokens, causal=causal and not both_ways, memory_tok=memory_tok)
        for layer in model.layers
    )
    stem = _flop_per_tok(model.stem) * max(tokens - model.added, 0)
    sampled = 1 if last_only or model.kind == "vision" else tokens
    return before + stem + layers + head_flop(model) * sampled


def pairs_flop(model: Architecture, tokens: int, *, causal: bool = False) -> int:
    """FLOP of `forward_flop` that multiply one token's activations with another's.

    The rest multiply activations with weights. An encoder of an encoder-decoder is given as many
    tokens; pairs are those of the first stack and of that encoder.
    """
    both_ways = model.kind in ("encoder", "vision")
    own = sum(
        _pairs_flop(m, tokens, tokens, causal=causal and not both_ways) for m in mixers(model)
    )
    if model.encoder is None:
        return own
    before = [m for layer in model.encoder.layers for m in layer.mixers]
    return own + sum(_pairs_flop(m, tokens, 0, causal=False) for m in before)


def tower_flop(tower: Tower, positions: int) -> int:
    """FLOP of an encoder over that many positions, its projector for the tokens they become."""
    tokens = positions * tower.tokens // tower.positions if tower.positions else positions
    layers = sum(layer_flop(layer, positions) for layer in tower.layers)
    return (
        _flop_per_tok(tower.stem) * max(positions - tower.added, 0)
        + layers
        + _flop_per_tok(tower.projector) * tokens
    )


def kv_values_per_tok(model: Architecture) -> int:
    """Values of keys, values and latents kept per token, windows counted as if they kept all."""
    return sum(m.kv_values + m.window_kv_values for m in mixers(model))


def state_values(model: Architecture) -> int:
    """Values kept per sequence whatever its length: states of recurrences and convolutions."""
    return sum(m.state_values for m in mixers(model))


def cache_values(model: Architecture, context_tok: int) -> int:
    """Values kept for one sequence of that length: full layers keep all, windows their width."""
    kept = sum(
        m.kv_values * context_tok + m.window_kv_values * min(context_tok, m.window_tok)
        for m in mixers(model)
    )
    return kept + state_values(model)


def mixers(model: Architecture) -> list[Mixer]:
    """All mixers of the stack, in order."""
    return [mixer for layer in model.layers for mixer in layer.mixers]


def _flop_per_tok(parts: Iterable[Linear]) -> int:
    return sum(part.flop_per_tok for part in parts)


def _pairs_flop(mixer: Mixer, tokens: int, memory_tok: int, *, causal: bool) -> int:
    if mixer.kind == "cross":
        return mixer.context_flop * tokens * memory_tok
    whole = tokens * tokens
    if not causal:
        return (mixer.context_flop + mixer.window_flop) * whole
    width = min(tokens, mixer.window_tok)
    doubled = 2 * tokens * width - width * width  # pairs inside, twice; the FLOP of one are even
    return (mixer.context_flop * whole + mixer.window_flop * doubled) // 2
