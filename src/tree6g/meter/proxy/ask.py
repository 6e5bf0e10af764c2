"""What a request asks for, from its path and body.

Bytes change in one case alone: a stream of OpenAI's API whose client did not ask for `usage`. Then
the server is asked for it, and `answer` takes the chunk that brings it out again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from tree6g.meter.proxy.usage import loads

MAX_NAME: Final = 200
_GENERATING: Final = (
    "/chat/completions", "/completions", "/completion", "/responses", "/infill", "/api/chat",
    "/api/generate",
)  # fmt: skip
_EMBEDDING: Final = ("/embeddings", "/embedding", "/api/embed")
_ASKABLE: Final = ("/chat/completions", "/v1/completions")
_LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens", "n_predict")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that is counted.

    Attributes:
        model: Model, or adapter, by the request; empty if it names none.
        generates: Whether output tokens are to be expected.
        stream: Whether the answer is asked for piece by piece.
        body_byte: Length of the body; None if it is too large to be read.
        most_tok: Most output tokens that the client allows; None if it sets no limit.
        asking: Body that asks for the usage as well; None if the client does, or nothing can be
            asked.
    """

    model: str = ""
    generates: bool = True
    stream: bool = False
    body_byte: int | None = None
    most_tok: int | None = None
    asking: bytes | None = None


def is_counted(method: str, path: str) -> bool:
    """Whether a request makes a server compute tokens."""
    return method == "POST" and _plain(path).endswith((*_GENERATING, *_EMBEDDING))


def call_of(path: str, body: bytes | None) -> Call:
    """What a request asks for.

    Args:
        path: Path of a request that `is_counted`.
        body: Its body; None if it is too large to be read, and then nothing is known of it.
    """
    generates = _plain(path).endswith(_GENERATING)
    data = loads(body) if body else None
    if body is None or not isinstance(data, Mapping):
        return Call(generates=generates, body_byte=None if body is None else len(body))
    model, stream = data.get("model"), data.get("stream") is True
    limits = (data.get(name) for name in _LIMITS)
    return Call(
        model=model[:MAX_NAME] if isinstance(model, str) else "",
        generates=generates,
        stream=stream,
        body_byte=len(body),
        most_tok=next((n for n in limits if type(n) is int and n >= 0), None),
        asking=_asking(body, data) if stream and _plain(path).endswith(_ASKABLE) else None,
    )


def renamed(body: bytes, model: str) -> bytes:
    """A body that asks for another model; one that is no JSON object stays as it is."""
    data = loads(body)
    if not isinstance(data, Mapping):
        return body
    return json.dumps({**data, "model": model}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _plain(path: str) -> str:
    return path.partition("?")[0].rstrip("/")


def _asking(body: bytes, data: Mapping[str, Any]) -> bytes | None:
    """The body with `include_usage`; None if the client asks for it, or asks for what is wrong."""
    options = data.get("stream_options")
    if "stream_options" not in data and json.detect_encoding(body).startswith("utf-8"):
        start = body.find(b"{") + 1  # a mapping: the first brace is its own
        return body[:start] + b'"stream_options":{"include_usage":true},' + body[start:]
    if options is not None and not isinstance(options, Mapping):
        return None  # the server shall say what is wrong with it
    if options and options.get("include_usage"):
        return None
    asked = {**data, "stream_options": {**(options or {}), "include_usage": True}}
    return json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")
