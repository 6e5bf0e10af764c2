"""The grid of a sweep: values of a scenario that vary, and every combination of them."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tree6g.errors import ScenarioError

OPENING: Final = {"[": "]", "{": "}", "'": "'", '"': '"'}
SEED: Final = "seed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One value of the scenario that varies.

    Attributes:
        path: Its path, as in `--set`.
        values: Its values as a person writes them, each once.
    """

    path: str
    values: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One combination of values: a design that every seed runs.

    Attributes:
        values: Value by path, in the order of the axes.
    """

    values: Mapping[str, str]

    @property
    def overrides(self) -> tuple[str, ...]:
        """The changes of the scenario that make it this design."""
        return tuple(f"{path}={value}" for path, value in self.values.items())

    @property
    def label(self) -> str:
        """The design in words; what does not vary has none."""
        return ", ".join(self.overrides) or "as it is"


def read_axes(over: Sequence[str] | Mapping[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """Axes from `path=a,b,c` texts, or from values by path.

    A comma inside brackets or quotes does not separate values.

    Raises:
        ScenarioError: A text that is no axis, a value or a path given twice, or the seed, which
            the number of seeds decides; all faults at once.

    >>> read_axes(["population.users=10,20"])
    (Axis(path='population.users', values=('10', '20')),)
    """
    if isinstance(over, Mapping):
        axes = [
            Axis(path=path, values=tuple(map(_written, values))) for path, values in over.items()
        ]
    else:
        axes = [_axis(text) for text in over]
    problems = [text for i, axis in enumerate(axes) for text in _faults(axis, axes[:i])]
    if problems:
        raise ScenarioError("\n".join(problems), problems)
    return tuple(axes)


def points(axes: Sequence[Axis]) -> tuple[Point, ...]:
    """Every combination, the last axis varying fastest; one point where nothing varies."""
    chosen = itertools.product(*(axis.values for axis in axes))
    paths = [axis.path for axis in axes]
    return tuple(Point(values=dict(zip(paths, values, strict=True))) for values in chosen)


def _axis(text: str) -> Axis:
    path, _, values = text.partition("=")
    return Axis(path=path.strip(), values=_split(values))


def _faults(axis: Axis, before: Sequence[Axis]) -> list[str]:
    shown = f"{axis.path}={','.join(axis.values)}"
    if not axis.path or not axis.values or "" in axis.values:
        return [f"expected --over PATH=V1,V2,...; got {shown!r}."]
    if axis.path == SEED:
        return ["expected --seeds N for several seeds; got 'seed' among the values that vary."]
    found = []
    if axis.path in {other.path for other in before}:
        found.append(f"expected each path once; got --over {axis.path!r} twice.")
    twice = [value for i, value in enumerate(axis.values) if value in axis.values[:i]]
    return found + [f"expected each value of {axis.path!r} once; got {v!r} twice." for v in twice]


def _split(text: str) -> tuple[str, ...]:
    parts = [""]
    closing: list[str] = []
    for char in text:
        if closing and char == closing[-1]:
            closing.pop()
        elif char in OPENING and not (closing and closing[-1] in "'\""):
            closing.append(OPENING[char])
        if char == "," and not closing:
            parts.append("")
        else:
            parts[-1] += char
    return tuple(part.strip() for part in parts)


def _written(value: Any) -> str:
    """A value as text that YAML reads back; text stays as it is."""
    return value if isinstance(value, str) else json.dumps(value)
