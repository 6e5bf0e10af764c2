"""Fields of a mapping that a person wrote: values out, every fault with its line and what to do."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tree6g import units
from tree6g.errors import nearest
from tree6g.scenario.document import Document, Line, Place


class Faults:
    """The faults of one document, in the order of its lines."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: list[tuple[Line, str]] = []
        for problem in document.problems:
            self.add(problem.place, problem.text)

    def add(self, place: Place, text: str) -> None:
        """Tell a fault: what was expected, what came, what to do."""
        line = self._document.line(place)
        path = ".".join(map(str, place)) or "the file"
        where = f"{line.label}: " if line.label else ""
        self._found.append((line, f"{where}{path}: {text}"))

    def lines(self) -> tuple[str, ...]:
        """All of them, one line each."""
        return tuple(text for _, text in sorted(self._found))


class Fields:
    """Reads a mapping field by field; a fault gives the default, and is told."""

    def __init__(self, data: object, place: Place, faults: Faults) -> None:
        self.place, self.faults = place, faults
        self._data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if not isinstance(data, Mapping):
            faults.add(place, f"expected fields (key: value); got {shown(data)}.")
        self._asked: list[str] = []  # in order, for messages

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) is not None

    def raw(self, name: str) -> Any:
        """The value as it was written; None if there is none."""
        self._asked.append(name)
        return self._data.get(name)

    def fault(self, name: str, text: str) -> None:
        """Tell a fault of a field."""
        self.faults.add((*self.place, name), text)

    def text(self, name: str, default: str = "") -> str:
        """One line of printable text; a number counts as the text of its digits."""
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.fault(name, f"expected a text; got {shown(value)}.")
            return default
        text = str(value)
        if not text or not text.isprintable() or len(text) > 4096:
            self.fault(name, f"expected one line of printable text; got {shown(value)}.")
            return default
        return text

    def word(self, name: str, known: Collection[str], default: str) -> str:
        """One of some words."""
        value = self.text(name, default)
        if value != default and value not in known:
            self.fault(name, f"expected one of {', '.join(known)}; got {value!r}.")
            return default
        return value

    def quantity(
        self, name: str, suffix: str, default: float, *, low: float = 0.0, high: float = math.inf
    ) -> float:
        """A quantity with its unit, such as `10 s`, as an SI float in [low, high]."""
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.fault(
                name, f"expected {units.example(suffix)}; got {shown(value)} without a unit."
            )
            return default
        try:
            number = units.parse(value, suffix)
        except ValueError as error:
            self.fault(name, str(error))
            return default
        return self._within(name, number, suffix, default, (low, high))

    def number(self, name: str, default: float, *, low: float = 0.0, high: float = 1e12) -> float:
        """A plain number."""
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(name, f"expected a number; got {shown(value)}.")
            return default
        return self._within(name, float(value), "frac", default, (low, high))

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fault(name, f"expected true or false; got {shown(value)}.")
            return default
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """A list of names; one alone may stand without brackets."""
        value = self.raw(name)
        items = [value] if isinstance(value, str) else value
        if items is None:
            return ()
        if not isinstance(items, Sequence) or not all(isinstance(item, str) for item in items):
            self.fault(name, f"expected a list of names; got {shown(value)}.")
            return ()
        return tuple(items)

    def numbers(self, name: str) -> dict[str, float]:
        """Plain numbers from 0 by name: `{name: number, ...}`."""
        value = self.raw(name)
        if value is None:
            return {}
        inner = Fields(value, (*self.place, name), self.faults)
        names = [str(key) for key in value] if isinstance(value, Mapping) else []
        return {key: inner.number(key, 1.0) for key in names}

    def inner(self, name: str) -> list[tuple[str, Fields]]:
        """Named records inside: `{name: {...}, ...}`."""
        place = (*self.place, name)
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, Mapping):
            self.fault(name, f"expected names with fields; got {shown(value)}.")
            return []
        return [(key, Fields(item, (*place, key), self.faults)) for key, item in value.items()]

    def end(self) -> None:
        """Tell of every field that nobody asked for."""
        for name in self._data:
            if name not in self._asked:
                self.fault(name, f"unknown field. {nearest(name, self._asked)}")

    def _within(
        self, name: str, value: float, suffix: str, default: float, span: tuple[float, float]
    ) -> float:
        low, high = span
        if low <= value <= high:
            return value
        least = units.show(low, suffix)
        most = f" to {units.show(high, suffix)}" if high < math.inf else " or more"
        self.fault(name, f"expected {least}{most}; got {units.show(value, suffix)}.")
        return default


def shown(value: object) -> str:
    """A value as messages quote it, cut to a length."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
