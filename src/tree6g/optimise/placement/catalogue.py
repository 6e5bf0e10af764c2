"""Variants from the catalogue: models in storage formats on the accelerators of the three tiers.

Time and energy of a token are those of one iteration that decodes a full batch
(`compute.roofline.iteration`), energy above idle and per sequence; prompts are not in it. A cut is
taken to share time, energy and memory by layers, the head and the embedding with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import footprint
from tree6g.compute.model.formats import stored_byte, weight_format
from tree6g.compute.replica import ACTIVATION_BYTE, replica
from tree6g.compute.roofline import decode_batch, iteration
from tree6g.errors import InfeasibleError
from tree6g.optimise.placement.ways import Variants


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model in a storage format.

    Attributes:
        name: Of the catalogue.
        weights: Storage format.
        worth_bit_per_tok: Bit-equivalents of one of its tokens: alpha times quality.
    """

    name: str
    weights: str
    worth_bit_per_tok: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one replica has at a tier.

    Attributes:
        accelerator: Of the catalogue.
        batch: Sequences in its batch.
        share_frac: Part of the accelerator that it holds.
    """

    accelerator: str
    batch: int = 1
    share_frac: float = 1.0


def variants(
    models: Sequence[Model], places: tuple[Place, Place, Place], context_tok: float
) -> Variants:
    """Time, energy and memory of models on terminal, edge and cloud.

    Args:
        models: Models in formats.
        places: Terminal, edge, cloud.
        context_tok: Mean context of a sequence.

    A model that does not fit a tier takes infinite time there, so no way has it there. On the
    terminal that holds for all of the model; parts of it are limited by the terminal's memory.
    """
    shape = len(models), len(places)
    s_per_tok, j_per_tok = np.full(shape, np.inf), np.zeros(shape)
    memory_byte, handed_on = np.empty(shape), np.empty(len(models))
    for number, model in enumerate(models):
        found = footprint(architecture(model.name))
        handed_on[number] = 8.0 * ACTIVATION_BYTE * found.hidden
        memory_byte[number] = stored_byte(found, weight_format(model.weights))
        for tier, place in enumerate(places):
            try:
                made = replica(
                    accelerator(place.accelerator),
                    found,
                    weights=model.weights,
                    share_frac=place.share_frac,
                )
            except InfeasibleError:  # it stays infinite
                continue
            inside_tok = min(context_tok, made.window_tok) if made.window_tok else 0.0
            step = iteration(
                made, decode_batch(place.batch, place.batch * context_tok, place.batch * inside_tok)
            )
            kept_byte = made.kv_byte_per_tok * context_tok + made.state_byte / 2.0
            kept_byte += made.window_kv_byte_per_tok * inside_tok
            memory_byte[number, tier] += place.batch * kept_byte
            s_per_tok[number, tier] = step.time_s
            above_j = step.energy_j - made.idle_w * step.time_s
            j_per_tok[number, tier] = above_j / place.batch
    share = [0.0, *(place.share_frac for place in places[1:])]
    return Variants(
        names=tuple(f"{model.name} {model.weights}" for model in models),
        worth_bit_per_tok=np.array([model.worth_bit_per_tok for model in models]),
        memory_byte=memory_byte,
        handed_on_bit_per_tok=handed_on,
        s_per_tok=s_per_tok,
        j_per_tok=j_per_tok,
        accelerators=np.tile(share, (len(models), 1)),
        batch=np.tile([float(place.batch) for place in places], (len(models), 1)),
    )
