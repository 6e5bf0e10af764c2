"""Costs of every place and every hop at every cut, from which the costs of any split add up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tree6g.compute.splitting.hop import Compression, Hop
from tree6g.compute.splitting.profile import LayerProfile, Work
from tree6g.compute.splitting.stage import (
    Pass,
    Stage,
    decode_pass,
    pass_cost,
    prompt_pass,
)
from tree6g.compute.stream import FloatArray
from tree6g.errors import InfeasibleError

PREFILL, DECODE = 0, 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceTable:
    """A place. Phases are prefill and decode, the latter over all of its passes.

    Attributes:
        s: Time of the layers below each cut. [phase, cut]
        j: Energy of the layers below each cut. [phase, cut]
        fixed_s: Time on top if the place begins at a cut and has any layer. [phase, cut]
        fixed_j: Its energy. [phase, cut]
        tail_s: Time on top if its part ends at a cut: the output head on the device. [phase, cut]
        tail_j: Its energy. [phase, cut]
        held_byte: Weights, keys, values and state of the layers below each cut. [cut]
        wait_w: Power while others work for the request.
        memory_byte: Its memory.
        name: Its name.
    """

    s: FloatArray
    j: FloatArray
    fixed_s: FloatArray
    fixed_j: FloatArray
    tail_s: FloatArray
    tail_j: FloatArray
    held_byte: FloatArray
    wait_w: float
    memory_byte: float
    name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HopTable:
    """A hop whose lower side holds the layers below each cut. All arrays are [phase, cut].

    Attributes:
        up_byte: Bytes upwards.
        down_byte: Bytes downwards.
        up_s: Time to send them that the request waits for.
        down_s: Time to receive what comes back that the request waits for.
        rtt_s: Round trips that it waits for.
        radio_j: Energy of the lower place's radio.
        network_j: Energy of the network.
    """

    up_byte: FloatArray
    down_byte: FloatArray
    up_s: FloatArray
    down_s: FloatArray
    rtt_s: FloatArray
    radio_j: FloatArray
    network_j: FloatArray

    @property
    def wait_s(self) -> FloatArray:
        """Time that the request spends on the hop. [phase, cut]."""
        return self.up_s + self.down_s + self.rtt_s

    @property
    def energy_j(self) -> FloatArray:
        """Energy of the hop. [phase, cut]."""
        return self.radio_j + self.network_j


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Everything that a split costs, place by place and hop by hop.

    Attributes:
        places: From the device on.
        hops: Between each place and the next.
        layers: The last cut: all layers are below it.
        work: What the request asks for.
        quality_frac: Worth of a token by cut, 1 where no tensor is packed. [cut]
    """

    places: tuple[PlaceTable, ...]
    hops: tuple[HopTable, ...]
    layers: int
    work: Work
    quality_frac: FloatArray


def tables(
    profile: LayerProfile,
    stages: Sequence[Stage],
    hops: Sequence[Hop],
    work: Work,
    *,
    packing: Compression,
    reach: FloatArray | None = None,
    head_on_device: bool = False,
) -> Tables:
    """The costs of a request at every cut.

    A cut is the number of layers below it. A hop at cut 0 carries the raw input up and the results
    down; a stream of tokens then comes back without a round trip per token. A hop between layers
    carries one tensor up and one result down per pass. A hop above the last layer carries nothing.

    Args:
        profile: The model.
        stages: The places, the device first.
        hops: Between each place and the next.
        work: What the request asks for.
        packing: How cut tensors are packed.
        reach: Share of the passes that get to each layer, and last to the end; early exits make it
            fall. None: all. [phase, layer + 1]
        head_on_device: The output head stays on the device, so that neither the prompt nor the
            answer is seen elsewhere as text: hidden values come down in place of tokens.

    Raises:
        InfeasibleError: Places and hops do not go together, or there is no head to keep.
    """
    if len(hops) != len(stages) - 1 or not stages:
        raise InfeasibleError(
            f"expected one hop less than places; got {len(stages)} places and {len(hops)} hops."
        )
    if head_on_device and not profile.output_head:
        raise InfeasibleError(f"expected a model with an output head; '{profile.name}' has none.")
    body = profile.part(0, profile.layers - 1) if head_on_device else profile
    head = profile.part(profile.layers - 1, profile.layers) if head_on_device else None
    reached = np.ones((2, body.layers + 1)) if reach is None else reach[:, : body.layers + 1]
    return Tables(
        places=tuple(
            _place(body, place, work, reached, head if number == 0 else None)
            for number, place in enumerate(stages)
        ),
        hops=tuple(_hop(body, h, work, packing, reached, loop=head is not None) for h in hops),
        layers=body.layers,
        work=work,
        quality_frac=_quality(body.layers, packing, head_on_device=head_on_device),
    )


def passes(profile: LayerProfile, work: Work) -> tuple[tuple[float, Pass], tuple[float, Pass]]:
    """How often each phase passes the model, and what one pass does."""
    decoded = float(work.output_tok - 1)
    return (
        (1.0, prompt_pass(profile, float(work.prompt_tok))),
        (decoded, decode_pass(profile, work.prompt_tok + 1.0, decoded)),
    )


def _place(
    body: LayerProfile, place: Stage, work: Work, reach: FloatArray, head: LayerProfile | None
) -> PlaceTable:
    costs = [(n, pass_cost(body, place, p)) for n, p in passes(body, work)]
    arrives = reach[:, :-1]
    begins = np.column_stack([arrives, [0.0, 0.0]])
    tail = _tail(head, place, work, body.layers)
    return PlaceTable(
        s=np.array([_below(n * r * c.layer_s) for r, (n, c) in zip(arrives, costs, strict=True)]),
        j=np.array([_below(n * r * c.layer_j) for r, (n, c) in zip(arrives, costs, strict=True)]),
        fixed_s=np.array([n * c.fixed_s * r for r, (n, c) in zip(begins, costs, strict=True)]),
        fixed_j=np.array([n * c.fixed_j * r for r, (n, c) in zip(begins, costs, strict=True)]),
        tail_s=tail[0],
        tail_j=tail[1],
        held_byte=_below(_held(body, place, work)),
        wait_w=place.wait_w * place.overhead_frac,
        memory_byte=place.memory_byte,
        name=place.name,
    )


def _held(body: LayerProfile, place: Stage, work: Work) -> FloatArray:
    """Bytes of each layer at the end of an answer, for all sequences that share the place."""
    tokens = np.minimum(float(work.prompt_tok + work.output_tok), body.window_tok)
    kept = body.kv_byte_per_tok * tokens + body.state_byte
    return place.weight_frac * body.stored_byte + place.sequences * kept


def _tail(
    head: LayerProfile | None, place: Stage, work: Work, layers: int
) -> tuple[FloatArray, FloatArray]:
    """The output head on the device: a pass of its own unless the body ends there too."""
    if head is None:
        return np.zeros((2, layers + 1)), np.zeros((2, layers + 1))
    elsewhere = np.append(np.ones(layers), 0.0)
    costs = [(n, pass_cost(head, place, p)) for n, p in passes(head, work)]
    time = [n * (c.layer_s.sum() + c.fixed_s * elsewhere) for n, c in costs]
    energy = [n * (c.layer_j.sum() + c.fixed_j * elsewhere) for n, c in costs]
    return np.array(time), np.array(energy)


def _hop(
    body: LayerProfile,
    hop: Hop,
    work: Work,
    packing: Compression,
    reach: FloatArray,
    *,
    loop: bool,
) -> HopTable:
    often = np.array([[1.0], [float(work.output_tok - 1)]])
    used = often * np.append(np.ones(body.layers), 0.0) * reach
    hidden = float(packing.byte(body.cut_value_per_tok)[-1])
    back = hidden if loop else body.output_byte_per_tok
    prompt, token = (packing.byte(body.cut_value_per_tok, n) for n in (work.prompt_tok, 1.0))
    prompt[0] = body.input_byte_per_tok * work.prompt_tok
    token[0] = body.output_byte_per_tok
    up_byte = used * (np.stack([prompt, token]) + hop.header_byte)
    down_byte = used * (back + hop.header_byte)
    waited = used.copy()
    if not loop:  # tokens of a model above the hop stream down: nobody waits, nothing goes up
        up_byte[DECODE, 0] = waited[DECODE, 0] = 0.0
    up_s = up_byte * 8.0 / hop.up_bps
    down_s = down_byte * 8.0 / hop.down_bps
    return HopTable(
        up_byte=up_byte,
        down_byte=down_byte,
        up_s=np.where(waited > 0.0, up_s, 0.0),
        down_s=np.where(waited > 0.0, down_s, 0.0),
        rtt_s=waited * hop.rtt_s,
        radio_j=hop.sender_w * up_s + hop.receiver_w * down_s,
        network_j=8.0 * (hop.up_j_per_bit * up_byte + hop.down_j_per_bit * down_byte),
    )


def _quality(layers: int, packing: Compression, *, head_on_device: bool) -> FloatArray:
    packed = np.full(layers + 1, packing.quality_frac)
    packed[-1] = 1.0
    if not head_on_device:
        packed[0] = 1.0
    return packed


def _below(per_layer: FloatArray) -> FloatArray:
    """Sums of the layers below each cut. [cut]."""
    return np.append(0.0, np.cumsum(per_layer))
