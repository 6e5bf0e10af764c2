"""What the scenario records look like from outside: names as written, what a path leads to."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator
from typing import Any, Final

from tree6g.errors import nearest
from tree6g.scenario.quantities import Described, written_name

Record = type[Described]
TAG: Final = "kind"  # the field that tells the records of a union apart


def bare(annotation: Any) -> Any:
    """A type without its Annotated metadata and without None."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        return bare(rest[0]) if len(rest) == 1 else annotation
    return annotation


def records(annotation: Any, value: object = None) -> tuple[Record, ...]:
    """The records that a value of this type may be, narrowed by what its tag says."""
    kind = bare(annotation)
    if isinstance(kind, type) and issubclass(kind, Described):
        return (kind,)
    if typing.get_origin(kind) not in (types.UnionType, typing.Union):
        return ()
    found = tuple(r for a in typing.get_args(kind) for r in records(a))
    tag = value.get(TAG) if isinstance(value, dict) else None
    tagged = tuple(r for r in found if tag in typing.get_args(r.model_fields[TAG].annotation))
    return tagged or found


def item(annotation: Any) -> Any | None:
    """The type of a list's items, None if it is no list."""
    kind = bare(annotation)
    return typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else None


def entry(annotation: Any) -> Any | None:
    """The type of a mapping's values, None if it is no free mapping."""
    kind = bare(annotation)
    return typing.get_args(kind)[1] if typing.get_origin(kind) is dict else None


def field_of(record: Record, name: str) -> str | None:
    """The field that a written or full name stands for."""
    if name in record.model_fields:
        return name
    return next((f for f in record.model_fields if written_name(f) == name), None)


def names(record: Record) -> list[str]:
    """The written names of a record's fields."""
    return [written_name(field) for field in record.model_fields]


def child(annotation: Any, part: str | int, value: object) -> Any | None:
    """The type of one part of a value of this type, None if there is none."""
    if isinstance(part, int):
        return item(annotation)
    for record in records(annotation, value):
        field = field_of(record, part)
        if field is not None:
            return record.model_fields[field].annotation
    return entry(annotation)


def step(value: object, part: str | int) -> Any:
    """One part of plain data, None if it is not there."""
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and -1 < part < len(value):
        return value[part]
    return None


def key_in(value: object, field: str) -> str:
    """The key under which a field stands in data, its written name if it does not."""
    short = written_name(field)
    return field if isinstance(value, dict) and field in value and short not in value else short


def hint(name: str, among: tuple[Record, ...]) -> str:
    """The clause that helps after a wrong name: near names, also one record further in.

    >>> from tree6g.scenario.model import Site
    >>> hint("bandwith", (Site,))
    "Did you mean 'base_station.bandwidth'?"
    """
    own = [n for record in among for n in names(record)]
    near = difflib.get_close_matches(name, own, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    inner = {path: path.rpartition(".")[2] for record in among for path in _inner(record)}
    last = difflib.get_close_matches(name, inner.values(), n=1, cutoff=0.8)
    ending = [path for path, end in inner.items() if end in last or end.endswith(f"_{name}")]
    if ending:
        return f"Did you mean {' or '.join(repr(path) for path in ending[:3])}?"
    return nearest(name, own)


def _inner(record: Record) -> Iterator[str]:
    for field, info in record.model_fields.items():
        for inner in records(info.annotation):
            yield from (f"{written_name(field)}.{name}" for name in names(inner))
