"""The one summary of a model that timing and energy use, and the same layer by layer."""

from __future__ import annotations

import dataclasses

from tree6g.compute.model import counts
from tree6g.compute.model.architecture import Architecture, Layer, Mixer, Tower
from tree6g.compute.model.convolution import Network


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a model stores, reads and computes, summed over its layers.

    Sums over windows: a model with windows of several sizes is given the mean size, weighted by
    the FLOP in each, and `remarks` say so.

    Attributes:
        name: Name of the model.
        parameters: All that is stored.
        step_parameters: Read by every decode step whatever the batch: no input embedding (a tied
            one counts once, as the head), no encoder, no vision, no routed experts.
        expert_parameters: All routed experts of all layers.
        experts: Routed experts per layer that has any; 0: dense.
        experts_active: Of these, how many a token passes.
        moe_layers: Layers with routed experts.
        prompt_flop_per_tok: Matrix FLOP per prompt token, head excluded. Of a vision-language model
            with `vision_flop_per_tok` in it: its prompts are taken as pictures.
        vision_flop_per_tok: Of these, the encoder of pictures, per token that a picture becomes;
            subtract it for prompts of text.
        decode_flop_per_tok: Matrix FLOP per decoded token, head excluded.
        head_flop: FLOP of the head per sampled token.
        attention_flop: FLOP per prompt token and token of context, in layers that see all of it.
        decode_attention_flop: The same in decode; differs for latent attention, whose matrices are
            absorbed there.
        window_attention_flop: FLOP per token and token inside the window.
        window_tok: Width of the window; 0: none.
        kv_value_per_tok: Values kept per token in layers that keep all.
        window_kv_value_per_tok: Values kept per token inside the window.
        state_value: Values kept per sequence whatever its length.
        recurrent_flop_per_tok: FLOP of recurrences and convolutions, which are no matrix product
            and in none of the other figures.
        layers: Layers of the stack.
        hidden: Width between layers.
        vocabulary: Rows of the embedding.
        vision_parameters: Encoder of pictures with its projector.
        encoder_parameters: Encoder of an encoder-decoder, which reads the prompt.
        embedding_parameters: Input embedding, positions included; a tied one too.
        head_parameters: The head, tied or not.
        tied: Whether the head is the embedding and not stored again.
        remarks: What was assumed.
    """

    name: str
    parameters: int
    step_parameters: int
    expert_parameters: int
    experts: int
    experts_active: int
    moe_layers: int
    prompt_flop_per_tok: float
    vision_flop_per_tok: float
    decode_flop_per_tok: float
    head_flop: float
    attention_flop: float
    decode_attention_flop: float
    window_attention_flop: float
    window_tok: float
    kv_value_per_tok: float
    window_kv_value_per_tok: float
    state_value: float
    recurrent_flop_per_tok: float
    layers: int
    hidden: int
    vocabulary: int
    vision_parameters: int
    encoder_parameters: int
    embedding_parameters: int
    head_parameters: int
    tied: bool
    remarks: tuple[str, ...] = ()


def footprint(model: Architecture) -> Footprint:
    """The summary of a model.

    An encoder-decoder reads its prompt in the encoder; its decoder keeps keys and values of the
    prompt once for cross attention. A model without a head (an encoder) decodes nothing: its
    decode figures are those of one more token and have no use.
    """
    p, all_mixers = counts.parameters(model), counts.mixers(model)
    own = sum(counts.layer_flop_per_tok(layer) for layer in model.layers)
    vision = vision_flop_per_tok(model.vision) if model.vision else 0.0
    widest, told = _window(all_mixers)
    routed = [f for layer in model.layers for f in layer.feed_forwards if f.experts]
    head = model.head.inputs * model.head.outputs if model.head else 0
    memory = sum(part.parameters for m in all_mixers for part in m.memory_linears)
    return Footprint(
        name=model.name,
        parameters=p.total,
        step_parameters=p.body - memory + (head if model.tied else p.head),
        expert_parameters=p.routed,
        experts=max((f.experts for f in routed), default=0),
        experts_active=max((f.active for f in routed), default=0),
        moe_layers=sum(any(f.experts for f in layer.feed_forwards) for layer in model.layers),
        prompt_flop_per_tok=_prompt_flop_per_tok(model, own) + vision,
        vision_flop_per_tok=vision,
        decode_flop_per_tok=float(own + sum(part.flop_per_tok for part in model.stem)),
        head_flop=float(counts.head_flop(model)),
        attention_flop=_prompt_attention_flop(model, all_mixers),
        decode_attention_flop=float(sum(m.decode_context_flop for m in all_mixers)),
        window_attention_flop=float(sum(m.window_flop for m in all_mixers)),
        window_tok=widest,
        kv_value_per_tok=float(sum(m.kv_values + m.memory_kv_values for m in all_mixers)),
        window_kv_value_per_tok=float(sum(m.window_kv_values for m in all_mixers)),
        state_value=float(counts.state_values(model)),
        recurrent_flop_per_tok=float(sum(m.recurrent_flop for m in all_mixers)),
        layers=len(model.layers),
        hidden=model.hidden,
        vocabulary=model.vocabulary,
        vision_parameters=p.vision,
        encoder_parameters=p.encoder,
        embedding_parameters=p.embedding + p.position,
        head_parameters=head,
        tied=model.tied,
        remarks=(*model.remarks, *told),
    )


def image_footprint(model: Network) -> Footprint:
    """The summary of a network for one size of picture: the unit of its work is the image.

    A picture that comes in counts as a prompt of one token and costs all its FLOP; what comes out
    is the one token that the same pass gives, and nothing is kept. Layers are those with weights.
    Activations are in no figure, so their memory and traffic are not counted.
    """
    return Footprint(
        name=model.name,
        parameters=model.parameters,
        step_parameters=model.parameters,
        expert_parameters=0,
        experts=0,
        experts_active=0,
        moe_layers=0,
        prompt_flop_per_tok=float(model.flop),
        vision_flop_per_tok=0.0,
        decode_flop_per_tok=0.0,
        head_flop=0.0,
        attention_flop=0.0,
        decode_attention_flop=0.0,
        window_attention_flop=0.0,
        window_tok=0.0,
        kv_value_per_tok=0.0,
        window_kv_value_per_tok=0.0,
        state_value=0.0,
        recurrent_flop_per_tok=0.0,
        layers=sum(layer.flop > 0 for layer in model.layers),
        hidden=0,
        vocabulary=0,
        vision_parameters=0,
        encoder_parameters=0,
        embedding_parameters=0,
        head_parameters=0,
        tied=False,
        remarks=("convolutions at the share of peak that products of language models reach",),
    )


def text_prompts(model: Footprint) -> Footprint:
    """The same model with prompts of text: nothing passes the encoder of pictures."""
    plain = model.prompt_flop_per_tok - model.vision_flop_per_tok
    return dataclasses.replace(model, prompt_flop_per_tok=plain, vision_flop_per_tok=0.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayerFootprint:
    """One layer, for cutting a model between places.

    Attributes:
        parameters: All that it stores.
        step_parameters: Of these, read by every decode step: no routed experts.
        expert_parameters: Its routed experts.
        flop_per_tok: Matrix FLOP per token.
        attention_flop: FLOP per token and token of context that it sees.
        window_attention_flop: FLOP per token and token inside its window.
        window_tok: Width of that window; 0: none.
        kv_value_per_tok: Values kept per token.
        window_kv_value_per_tok: Values kept per token inside the window.
        state_value: Values kept per sequence.
        hidden_value_per_tok: Values per token that cross a cut behind it.
    """

    parameters: int
    step_parameters: int
    expert_parameters: int
    flop_per_tok: float
    attention_flop: float
    window_attention_flop: float
    window_tok: float
    kv_value_per_tok: float
    window_kv_value_per_tok: float
    state_value: float
    hidden_value_per_tok: int


def per_layer(model: Architecture) -> tuple[LayerFootprint, ...]:
    """The layers of the stack in order; embedding, head, encoder and vision are in none."""
    return tuple(_layer(layer, model.hidden) for layer in model.layers)


def vision_flop_per_tok(tower: Tower) -> float:
    """FLOP of an encoder of pictures per token that a usual picture becomes."""
    if not (tower.positions and tower.tokens):
        return 0.0
    return counts.tower_flop(tower, tower.positions) / tower.tokens


def _layer(layer: Layer, hidden: int) -> LayerFootprint:
    routed = counts.layer_routed_parameters(layer)
    stored = counts.layer_parameters(layer)
    width, _ = _window(layer.mixers)
    return LayerFootprint(
        parameters=stored,
        step_parameters=stored - routed,
        expert_parameters=routed,
        flop_per_tok=float(counts.layer_flop_per_tok(layer)),
        attention_flop=float(sum(m.context_flop for m in layer.mixers)),
        window_attention_flop=float(sum(m.window_flop for m in layer.mixers)),
        window_tok=width,
        kv_value_per_tok=float(sum(m.kv_values + m.memory_kv_values for m in layer.mixers)),
        window_kv_value_per_tok=float(sum(m.window_kv_values for m in layer.mixers)),
        state_value=float(sum(m.state_values for m in layer.mixers)),
        hidden_value_per_tok=hidden,
    )


def _prompt_flop_per_tok(model: Architecture, own: int) -> float:
    """What a token of the prompt passes: the stack, or the encoder and the decoder's keys."""
    if model.encoder is None:
        return float(own + sum(part.flop_per_tok for part in model.stem))
    e = model.encoder
    layers = sum(counts.layer_flop_per_tok(layer) for layer in e.layers)
    keys = sum(counts.memory_flop_per_tok(layer) for layer in model.layers)
    return float(layers + keys + sum(part.flop_per_tok for part in (*e.stem, *e.projector)))


def _prompt_attention_flop(model: Architecture, decoder: list[Mixer]) -> float:
    """An encoder sees both ways: counted twice, since prompts are charged half the square."""
    if model.encoder is None:
        both_ways = 2.0 if model.kind in ("encoder", "vision") else 1.0
        return both_ways * sum(m.context_flop for m in decoder)
    return 2.0 * sum(m.context_flop for layer in model.encoder.layers for m in layer.mixers)


def _window(all_mixers: list[Mixer] | tuple[Mixer, ...]) -> tuple[float, tuple[str, ...]]:
    """The mean window weighted by what is computed in it, and a remark if there are several."""
    seen = [m for m in all_mixers if m.window_tok]
    sizes = {m.window_tok for m in seen}
    if len(sizes) < 2:
        return float(next(iter(sizes), 0)), ()
    weight = sum(m.window_flop for m in seen)
    mean = sum(m.window_tok * m.window_flop for m in seen) / weight
    return mean, (f"windows of {min(sizes)} to {max(sizes)} tokens are taken as {mean:.0f}",)
