"""A model in a format of weights as one choice: `llama-3.1-8b int4`.

Where a service states a quality for a model in a format, that is the name under which the ledger
has its work, so that worth can be told apart. Elsewhere the model's name alone is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def variant_name(model: str, weights: str) -> str:
    """The name of a model in a format."""
    return f"{model} {weights}"


def model_of(name: str) -> str:
    """The model of a name, with a format or without.

    >>> model_of("llama-3.1-8b int4"), model_of("llama-3.1-8b")
    ('llama-3.1-8b', 'llama-3.1-8b')
    """
    return name.partition(" ")[0]


def quality_of(quality: Mapping[str, float], name: str) -> float:
    """The stated quality of a model: that in its format, else that of the model, else 1.

    >>> quality_of({"a": 0.9, "a int4": 0.8}, "a int4"), quality_of({"a": 0.9}, "a int4")
    (0.8, 0.9)
    """
    return quality.get(name, quality.get(model_of(name), 1.0))


def told_as(model: str, weights: str, stated: Iterable[Mapping[str, float]]) -> str:
    """What the ledger calls a model: with its format where some service states a quality for that.

    Args:
        model: The model.
        weights: Format of its weights.
        stated: `quality` of each service.
    """
    name = variant_name(model, weights)
    return name if any(name in quality for quality in stated) else model
