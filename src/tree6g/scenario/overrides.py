"""Overrides such as `sites.0.base_station.bandwidth=50 MHz` on the plain data of a scenario.

A part of the path is a field by its written or full name; in a list an index, the `name` of an
item, or `*` for all items that have what follows. The value is read as in a YAML file.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from tree6g.errors import ScenarioError, nearest
from tree6g.scenario import shape
from tree6g.scenario.document import Document, Line, Place, Problem, read_yaml
from tree6g.scenario.model import Scenario, Site
from tree6g.scenario.quantities import Described, written_name

AFTER_FILE: Final = 1_000_000_000  # overrides come after every line of a file
# Short cuts of the command line: the power of a site is what its cell radiates.
SHORT_CUTS: Final[Mapping[tuple[type[Described], str], tuple[str, ...]]] = {
    (Site, "power"): ("base_station", "transmit_power"),
}


class _NoSuchPlaceError(Exception):
    """A path leads nowhere; the message says what stands there instead."""


class _Target(NamedTuple):
    """A place to set, and the other name of the same field if the data hold it under that."""

    place: Place
    stale: str | None = None


def apply(document: Document, overrides: Sequence[str]) -> Document:
    """A copy of a document with the overrides in it, in their order, and their problems added."""
    document = dataclasses.replace(document, data=copy.deepcopy(document.data))
    problems = list(document.problems)
    lines = dict(document.lines)
    for i, override in enumerate(overrides):
        line = Line(AFTER_FILE + i, f"--set {override}")
        try:
            value = _value(override)
            for place, stale in _places(override, document.data):
                _set(document.data, place, copy.deepcopy(value), stale)
                _forget(lines, place)
                lines[place] = line
        except _NoSuchPlaceError as error:
            place = (f"--set {override}",)
            lines[place] = line
            problems.append(Problem(place=place, text=str(error)))
    return dataclasses.replace(document, problems=tuple(problems), lines=lines)


def _value(override: str) -> Any:
    _, equals, text = override.partition("=")
    if not equals:
        raise _NoSuchPlaceError(f"expected PATH=VALUE; got {override!r}.")
    try:
        return read_yaml(text, "").data
    except ScenarioError as error:
        raise _NoSuchPlaceError(f"expected a value as in YAML; got {text!r}.") from error


def _places(override: str, data: Any) -> list[_Target]:
    found: list[_Target] = []
    path = override.partition("=")[0]
    _follow(data, Scenario, tuple(path.strip().split(".")), (), found)
    return found


def _follow(
    value: Any, annotation: Any, parts: tuple[str, ...], place: Place, found: list[_Target]
) -> None:
    if not parts:
        found.append(_Target(place))
        return
    inner = shape.item(annotation)
    if inner is not None:
        _follow_list(value, inner, parts, place, found)
    elif shape.records(annotation):
        _follow_record(value, annotation, parts, place, found)
    elif (entry := shape.entry(annotation)) is not None:
        _follow(shape.step(value, parts[0]), entry, parts[1:], (*place, parts[0]), found)
    else:
        raise _NoSuchPlaceError(
            f"expected a path that ends at {shown(place)!r}; got {'.'.join(parts)!r} after it."
        )


def _follow_record(
    value: Any, annotation: Any, parts: tuple[str, ...], place: Place, found: list[_Target]
) -> None:
    among = shape.records(annotation, value)
    for record in among:
        parts = (*SHORT_CUTS.get((record, parts[0]), parts[:1]), *parts[1:])
        field = shape.field_of(record, parts[0])
        if field is not None:
            key = shape.key_in(value, field)
            inner = record.model_fields[field].annotation
            if len(parts) == 1:  # under the name of the override, for it says what a number means
                found.append(_Target((*place, parts[0]), stale=key if key != parts[0] else None))
            else:
                _follow(shape.step(value, key), inner, parts[1:], (*place, key), found)
            return
    where = f" in {shown(place)!r}" if place else ""
    raise _NoSuchPlaceError(
        f"expected a field{where}; got {parts[0]!r}. {shape.hint(parts[0], among)}"
    )


def _follow_list(
    value: Any, inner: Any, parts: tuple[str, ...], place: Place, found: list[_Target]
) -> None:
    items = value if isinstance(value, list) else []
    if parts[0] == "*":
        _follow_all(items, inner, parts, place, found)
        return
    known = {str(x["name"]): i for i, x in enumerate(items) if isinstance(x, dict) and "name" in x}
    for end in range(len(parts), 0, -1):  # names may hold dots
        name = ".".join(parts[:end])
        index = known.get(name, int(name) if name.isdecimal() and len(name) < 9 else -1)
        if -1 < index < len(items):
            _follow(items[index], inner, parts[end:], (*place, index), found)
            return
    counted = f"an index below {len(items)}" if items else "nothing, for there is no item"
    raise _NoSuchPlaceError(
        f"expected in {shown(place)!r} {counted}, or a name, or '*'; got {parts[0]!r}. "
        f"{nearest(parts[0], known)}"
    )


def _follow_all(
    items: list[Any], inner: Any, parts: tuple[str, ...], place: Place, found: list[_Target]
) -> None:
    """Follow the path in each item that has it; none having it is a fault."""
    before = len(found)
    wrong: _NoSuchPlaceError | None = None
    for i, item in enumerate(items):
        try:
            _follow(item, inner, parts[1:], (*place, i), found)
        except _NoSuchPlaceError as error:
            wrong = error
    if len(found) == before:
        raise wrong or _NoSuchPlaceError(f"expected items in {shown(place)!r}; there are none.")


def _set(data: Any, place: Place, value: Any, stale: str | None) -> None:
    at = data
    for i, part in enumerate(place[:-1]):
        inner = shape.step(at, part)
        if inner is None and isinstance(at, dict):
            inner = at[part] = {}
        if not isinstance(inner, dict if isinstance(place[i + 1], str) else list):
            raise _NoSuchPlaceError(
                f"expected fields in {shown(place[: i + 1])!r}; got {inner!r:.60} there."
            )
        at = inner
    at[place[-1]] = value
    if stale is not None:
        at.pop(stale, None)


def _forget(lines: dict[Place, Line], place: Place) -> None:
    """What stood below a place has been replaced."""
    for old in [p for p in lines if p[: len(place)] == place]:
        del lines[old]


def shown(place: Place) -> str:
    """A place as people write it."""
    return ".".join(written_name(p) if isinstance(p, str) else str(p) for p in place)
