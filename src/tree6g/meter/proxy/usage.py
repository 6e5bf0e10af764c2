"""What an answer says of its tokens: `usage` of OpenAI, `timings` of llama.cpp, counts of Ollama.

A number that is no whole number from 0 to `MOST_TOK` is as good as none. Nothing is guessed: what
an answer does not say stays None.

Sources: OpenAI's API reference (chat, completions, embeddings, responses); llama.cpp, README of
tools/server; Ollama, docs/api.md.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

MOST_TOK: Final = 1_000_000_000  # of one request; more is no number of tokens


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer; None: the server does not say.

    Attributes:
        prompt_tok: Of the prompt, those from a cache included.
        cached_tok: Of these, from a cache.
        output_tok: Of the output, those of reasoning included.
        reasoning_tok: Of these, reasoning that the user does not see.
    """

    prompt_tok: int | None = None
    cached_tok: int | None = None
    output_tok: int | None = None
    reasoning_tok: int | None = None


def usage_of(data: object) -> Usage | None:
    """What a JSON answer, or one event of a stream, says; None if it says nothing.

    Several answers in a list, which llama.cpp gives for several prompts, are added up.
    """
    if isinstance(data, list):
        return added(usage_of(item) for item in data if isinstance(item, Mapping))
    if not isinstance(data, Mapping):
        return None
    inner = data.get("response")  # an event of the responses API holds the whole answer
    if isinstance(inner, Mapping):
        return usage_of(inner)
    said = [_openai(data), _llama_cpp(data), _ollama(data)]
    found = [usage for usage in said if usage is not None]
    return _first(found) if found else None


def added(parts: Iterable[Usage | None]) -> Usage | None:
    """The sum; what one of them does not say, the sum does not say."""
    found = list(parts)
    if not found or any(part is None for part in found):
        return None
    return Usage(**{name: _sum(getattr(part, name) for part in found) for name in _FIELDS})


def loads(raw: bytes) -> object:
    """JSON as Python; None for anything else."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


_FIELDS: Final = tuple(field.name for field in dataclasses.fields(Usage))


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(v for v in known if v is not None)


def _first(found: list[Usage]) -> Usage:
    """Each number from the first that says it; a part that is above its whole is not known."""
    said: dict[str, int | None] = {
        name: next((n for u in found if (n := getattr(u, name)) is not None), None)
        for name in _FIELDS
    }
    for part, whole in (("cached_tok", "prompt_tok"), ("reasoning_tok", "output_tok")):
        inside, all_of_it = said[part], said[whole]
        if inside is not None and (all_of_it is None or inside > all_of_it):
            said[part] = None
    return Usage(**said)


def _openai(data: Mapping[str, Any]) -> Usage | None:
    usage = data.get("usage")
    if not isinstance(usage, Mapping):
        return None
    return Usage(
        prompt_tok=_count(usage, "prompt_tokens", "input_tokens"),
        cached_tok=_detail(usage, ("prompt_tokens_details", "input_tokens_details"), "cached"),
        output_tok=_count(usage, "completion_tokens", "output_tokens"),
        reasoning_tok=_detail(
            usage, ("completion_tokens_details", "output_tokens_details"), "reasoning"
        ),
    )


def _detail(usage: Mapping[str, Any], names: tuple[str, ...], what: str) -> int | None:
    found = (usage.get(name) for name in names)
    counts = (_count(inner, f"{what}_tokens") for inner in found if isinstance(inner, Mapping))
    return next((n for n in counts if n is not None), None)


def _llama_cpp(data: Mapping[str, Any]) -> Usage | None:
    timings = data.get("timings")
    times: Mapping[str, Any] = timings if isinstance(timings, Mapping) else {}
    computed, cached = _count(times, "prompt_n"), _count(times, "cache_n")
    prompt = _count(data, "tokens_evaluated")
    if prompt is None and computed is not None and cached is not None:
        prompt = computed + cached
    if cached is None and computed is not None and prompt is not None and prompt >= computed:
        cached = prompt - computed
    output = _count(times, "predicted_n")
    output = _count(data, "tokens_predicted") if output is None else output
    if prompt is None and output is None:
        return None
    return Usage(prompt_tok=prompt, cached_tok=cached, output_tok=output)


def _ollama(data: Mapping[str, Any]) -> Usage | None:
    prompt, output = _count(data, "prompt_eval_count"), _count(data, "eval_count")
    if prompt is None and output is None:
        return None
    return Usage(prompt_tok=prompt, output_tok=output)


def _count(data: Mapping[str, Any], *names: str) -> int | None:
    """The first of these that is a count."""
    for name in names:
        value = data.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOK:
            return value
    return None
