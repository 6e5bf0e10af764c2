"""In what weights are stored: bytes per value of each part of a model, scales included.

Vectors (norms, biases) count as the body: they are below 0.05 % of a language model. A tied
embedding is stored once, as the head. GGUF formats name a mixture of kinds of block: the means are
those of Llama 3.1 8B, and within 3 % for other dense models whose widths are multiples of 256;
narrower ones (Qwen2.5 0.5B) fall back to larger blocks and take up to a third more.
"""

from __future__ import annotations

import dataclasses
from functools import cache

from tree6g import data
from tree6g.compute.model.footprint import Footprint
from tree6g.errors import DataError, nearest

TABLE = "weight_formats"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WeightFormat:
    """Bytes per value by part, scales included.

    Attributes:
        name: Row of the packaged table.
        body: Layers without routed experts.
        routed: Routed experts.
        embedding: The input embedding.
        head: The head.
        vision: The encoder of pictures.
        whole_body: Whether a model with routed experts keeps all else in 16 bits (MXFP4).
    """

    name: str
    body: float
    routed: float
    embedding: float
    head: float
    vision: float
    whole_body: bool = False


@cache
def weight_format(name: str) -> WeightFormat:
    """A format of the packaged table; case does not matter.

    Raises:
        DataError: No such format; the message names the nearest.
    """
    rows = data.table(TABLE)
    known = {key.lower(): key for key in rows}
    key = known.get(name.strip().lower())
    if key is None:
        raise DataError(f"expected a format of weights; got {name!r}. {nearest(name, rows)}")
    row = rows[key]
    parts = ("body", "routed", "embedding", "head", "vision")
    return WeightFormat(
        name=key,
        whole_body=key == "mxfp4",
        **{part: data.number(row, f"{part}_bit") / 8.0 for part in parts},
    )


def names() -> tuple[str, ...]:
    """All formats, in the order of the table."""
    return tuple(data.table(TABLE))


def stored_byte(model: Footprint, kind: WeightFormat) -> float:
    """Bytes of all weights of a model."""
    own = model.embedding_parameters - (model.head_parameters if model.tied else 0)
    embedding = own * kind.embedding  # of a tied one only the positions are left
    front = (model.vision_parameters + model.encoder_parameters) * kind.vision
    head = model.head_parameters * kind.head
    body = _body_parameters(model) * _body_byte(model, kind)
    return body + head + embedding + front + expert_byte(model, kind)


def step_byte(model: Footprint, kind: WeightFormat) -> float:
    """Bytes that every decode step reads whatever the batch: body and head, no routed experts."""
    body = (model.step_parameters - model.head_parameters) * _body_byte(model, kind)
    return body + model.head_parameters * kind.head


def expert_byte(model: Footprint, kind: WeightFormat) -> float:
    """Bytes of all routed experts."""
    return model.expert_parameters * kind.routed


def _body_byte(model: Footprint, kind: WeightFormat) -> float:
    return 2.0 if kind.whole_body and model.expert_parameters else kind.body


def _body_parameters(model: Footprint) -> int:
    stored_head = 0 if model.tied else model.head_parameters
    others = model.embedding_parameters + stored_head + model.expert_parameters
    return model.parameters - others - model.vision_parameters - model.encoder_parameters
