"""A commented scenario to start from, its comments taken from the records themselves."""

from __future__ import annotations

import json
import re
import textwrap
import typing
from collections.abc import Iterator
from typing import Any, Final

from tree6g import units
from tree6g.scenario import shape
from tree6g.scenario.load import load
from tree6g.scenario.model import Scenario
from tree6g.scenario.quantities import Described, written_name
from tree6g.scenario.schema import exactly

WIDTH: Final = 96
_WORDS: Final = ("null", "true", "false", "yes", "no", "on", "off")
_PLAIN: Final = re.compile(r"[A-Za-z]([A-Za-z0-9_./() -]*[A-Za-z0-9_./()-])?")


def init_text(template: str = "street-corner") -> str:
    """A scenario of the library as YAML with every key, its meaning, unit and default.

    Keys that are optional and not set stand as comments. Each kind of record is explained where it
    occurs first.

    Args:
        template: Name of a library scenario.

    Raises:
        ScenarioError: No such scenario.
    """
    head = [
        "A scenario of tree6g. Quantities are written with their unit: 100 MHz, 20 W, 30 %.",
        "Run it with: tree6g run FILE. Every key that has a default may be left out.",
    ]
    seen: set[type[Described]] = set()
    lines = [*(f"# {line}" for line in head), "", *_record(load(template), seen)]
    return "\n".join(lines).rstrip() + "\n"


def _record(record: Described, seen: set[type[Described]]) -> Iterator[str]:
    """The lines of one record, without indentation."""
    kind = type(record)
    explain = kind not in seen
    seen.add(kind)
    for field, info in kind.model_fields.items():
        value = getattr(record, field)
        if explain:
            default = _default(field, info.get_default(call_default_factory=True))
            words = [info.description or "", _choices(info.annotation), default]
            yield from (f"# {line}" for line in textwrap.wrap(" ".join(filter(None, words)), WIDTH))
        yield from _entry(field, value, info.annotation, seen, explain=explain)
        if explain and kind is Scenario:
            yield ""


def _choices(annotation: Any) -> str:
    words = typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()
    listed = ", ".join(map(str, words))
    return f"One of {listed}." if len(words) > 1 else ""


def _default(field: str, default: Any) -> str:
    """The sentence about a field's default and, for quantities, how it is written."""
    suffix = units.suffix_of(field)
    if isinstance(default, Described | list | tuple | dict):
        return ""
    if default is None:
        return f"Optional, {units.example(suffix)}." if suffix else "Optional."
    if isinstance(default, int | float | str | bool):
        return f"Default: {_scalar(field, default)}."
    return f"Required, {units.example(suffix)}." if suffix else "Required."


def _entry(
    field: str, value: Any, annotation: Any, seen: set[type[Described]], *, explain: bool
) -> Iterator[str]:
    key = written_name(field)
    if value is None:
        among = shape.records(annotation)
        if among and explain:
            yield f"# {key}: {{{', '.join(shape.names(among[0]))}}}"
        elif explain:
            yield f"# {key}:"
    elif isinstance(value, Described):
        yield f"{key}:"
        yield from _indented(_record(value, seen))
    elif isinstance(value, tuple) and not any(isinstance(inner, Described) for inner in value):
        yield f"{key}: [{', '.join(_scalar('', inner) for inner in value)}]"
    elif isinstance(value, tuple):
        yield f"{key}:"
        for inner in value:
            yield from _item(_record(inner, seen))
    elif isinstance(value, dict):
        inner = ", ".join(f"{name}: {share!r}" for name, share in value.items())
        yield f"{key}: {{{inner}}}"
    else:
        yield f"{key}: {_scalar(field, value)}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _item(lines: Iterator[str]) -> Iterator[str]:
    """The lines of a list item: comments, the dash before the first key, the rest below it."""
    started = False
    for line in lines:
        dash = not started and not line.startswith("#")
        started = started or dash
        yield f"  - {line}" if dash else f"    {line}" if started else f"  {line}"


def _scalar(field: str, value: Any) -> str:
    """A value as it is written in YAML."""
    suffix = units.suffix_of(field)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and suffix:
        return exactly(value, suffix)
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    return f"{value:g}" if isinstance(value, float) and value == float(f"{value:g}") else str(value)
