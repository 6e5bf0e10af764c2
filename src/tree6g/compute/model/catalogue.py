"""Packaged models by name, and which of them a repository or a colloquial name means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from tree6g import data
from tree6g.compute.model.architecture import Architecture
from tree6g.compute.model.config import from_config
from tree6g.errors import DataError, nearest

TABLE: Final = "models"
# What checkpoints of one architecture differ in: how they were trained on, and how they are stored.
_VARIANTS: Final = (
    "instruct", "chat", "it", "pt", "hf", "base", "thinking", "reasoning", "preview", "latest",
    "fp8", "bf16", "fp16", "f16", "nvfp4", "mxfp4", "awq", "gptq", "gguf", "mlx", "int4", "int8",
    "4bit", "8bit", "w4a16", "w8a8", "w8a16", "dynamic", "quantized", "bnb",
)  # fmt: skip
_SUFFIX: Final = re.compile(rf"[-_.:](?:{'|'.join(_VARIANTS)}|\d{{4}}|\d{{6,8}})$")
_PREFIX: Final = re.compile(r"^(?:meta|nvidia|google|microsoft|ibm)[-_]")


@cache
def architecture(name: str) -> Architecture:
    """The architecture of a packaged model.

    Args:
        name: A row of the table, or what `find` understands.

    Raises:
        DataError: No such model; the message names the nearest.
    """
    found = find(name)
    if convolutional(found):
        raise DataError(
            f"expected a model with tokens; '{found}' is a convolutional network, which has layers "
            "only. `tree6g model show` prints them."
        )
    return from_config(data.model_config(found), found)


def names() -> tuple[str, ...]:
    """All packaged models but convolutional networks, in the order of the table."""
    return tuple(name for name in data.table(TABLE) if not convolutional(name))


def image_names() -> tuple[str, ...]:
    """All packaged convolutional networks, whose result is not a token."""
    return tuple(name for name in data.table(TABLE) if convolutional(name))


def tokens_per_result(name: str) -> float | None:
    """Tokens that a result of a packaged network counts as; None for models with tokens.

    Declared, not measured (METRIC rule 4): a picture as patches of 16 by 16 pixels of what comes
    out, a label or a frame with boxes as one.
    """
    if name not in data.table(TABLE) or not convolutional(name):
        return None
    return data.number(data.row(TABLE, name), "tokens_per_result")


def convolutional(name: str) -> bool:
    """Whether a row of the table is a convolutional network."""
    return data.text(data.row(TABLE, name), "kind") == "convolutional"


@cache
def find(text: str) -> str:
    """The packaged model that a name or a Hugging Face repository means.

    Case, separators, the owner and what only says how a checkpoint was trained or stored
    (`-Instruct`, `-it`, `-FP8`, a date, `Meta-`) do not matter.

    >>> find("meta-llama/Meta-Llama-3.1-8B-Instruct")
    'llama-3.1-8b'

    Raises:
        DataError: No packaged model is meant, or several could be.
    """
    wanted = text.strip().lower()
    exact, short = _index()
    if wanted in exact:
        return exact[wanted]
    for key in _shortened(wanted):
        if key in short:
            return short[key]
    longer = sorted({name for key, name in short.items() if key.startswith(_key(wanted))}, key=len)
    if wanted and longer and all(_key(name).startswith(_key(longer[0])) for name in longer):
        return longer[0]
    if wanted and longer:
        raise DataError(
            f"expected one model; {text!r} may be {', '.join(longer[:6])}. Name one of them."
        )
    raise DataError(
        f"expected a packaged model or a repository of one; got {text!r}. "
        f"{nearest(wanted.rpartition('/')[2], data.table(TABLE))} "
        "Add yours with: tree6g model add NAME config.json"
    )


@cache
def _index() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Names and repositories as they are written, and what is left of them without variants."""
    exact: dict[str, str] = {}
    short: dict[str, str] = {}
    rows = data.table(TABLE)
    for name in rows:
        exact[name] = name
        short.setdefault(_key(name), name)
    for name, row in rows.items():
        for repository in filter(None, data.text(row, "repositories").split(";")):
            exact.setdefault(repository.lower(), name)
            for key in _shortened(repository.lower()):
                short.setdefault(key, name)
    return exact, short


def _shortened(text: str) -> list[str]:
    """A name without its owner, then without one variant after the other."""
    bare = text.rpartition("/")[2]
    keys = [_key(bare)]
    while True:
        shorter = _SUFFIX.sub("", bare)
        if shorter == bare:
            shorter = _PREFIX.sub("", bare)
        if shorter == bare:
            return keys
        bare = shorter
        keys.append(_key(bare))


def _key(text: str) -> str:
    return re.sub(r"[-_:\s]", "", text.lower())
