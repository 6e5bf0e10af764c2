"""Scenario files as plain data that still knows on which line each value stands.

YAML is read from its events, never through constructors: no tags, no Python objects, no dates, and
aliases only up to a number of values. Scalars follow the core schema of YAML 1.2, so `3.5e9` is a
number and `no` is a word.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tree6g.errors import ScenarioError

MAX_BYTE: Final = 262_144
MAX_VALUES: Final = 20_000  # aliases counted with what they stand for
MAX_DEPTH: Final = 40
SCENARIO: Final = "a scenario"
SUFFIXES: Final = (".yaml", ".yml", ".toml")

Place = tuple[str | int, ...]


class Line(NamedTuple):
    """Where a value was written: sorts in the order of the file, then of the overrides."""

    number: int
    label: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault at one place of a scenario; `text` starts with what was expected."""

    place: Place
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Plain data with the lines that its values come from.

    Attributes:
        data: Dicts, lists, texts, numbers, booleans and None.
        lines: Line of each value by its place; what is missing stands where its parent stands.
        problems: Faults that left the data readable, such as a key that is there twice.
        name: The file for messages, empty for data that came from a program.
    """

    data: Any
    lines: dict[Place, Line] = dataclasses.field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    name: str = ""

    def line(self, place: Place) -> Line:
        """The line of a place, or of the nearest thing around it."""
        for end in range(len(place), -1, -1):
            if place[:end] in self.lines:
                return self.lines[place[:end]]
        return Line(0, self.name)


def read_file(path: Path, *, what: str = SCENARIO) -> Document:
    """A scenario file; `what` names in messages what else is wanted.

    Raises:
        ScenarioError: Not a readable file of at most 256 KiB in UTF-8, or not YAML or TOML.
    """
    if path.suffix not in SUFFIXES:
        raise ScenarioError(f"expected a file {', '.join(SUFFIXES)}; got '{path}'.")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTE + 1)
    except (OSError, ValueError) as error:
        raise ScenarioError(f"expected a file of {what}; got '{path}': {error}.") from error
    return read_bytes(raw, str(path), toml=path.suffix == ".toml", what=what)


def read_bytes(raw: bytes, name: str, *, toml: bool = False, what: str = SCENARIO) -> Document:
    """A scenario from the bytes of a file; `name` and `what` stand in messages.

    Raises:
        ScenarioError: As for `read_file`.
    """
    if len(raw) > MAX_BYTE:
        raise ScenarioError(f"{name}: expected {what} of at most {MAX_BYTE // 1024} KiB.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        got = raw[error.start : error.start + 1]
        raise ScenarioError(f"{name}:{line}: expected text in UTF-8; got byte {got!r}.") from error
    document = read_toml(text, name) if toml else read_yaml(text, name)
    if document.data is None or document.data == {}:
        advice = " Try 'tree6g init'." if what == SCENARIO else ""
        raise ScenarioError(f"{name}: expected {what}; got an empty file.{advice}")
    return document


def read_toml(text: str, name: str) -> Document:
    """A TOML text; lines are found by a light scan of its keys.

    Raises:
        ScenarioError: Not TOML.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        match = re.search(r"^(.*?)\s*\(at line (\d+), column \d+\)$", str(error))
        where, what = (f":{match[2]}", match[1]) if match else ("", str(error))
        raise ScenarioError(f"{name}{where}: expected TOML; got: {what}.") from error
    return Document(data=data, lines=_toml_lines(text, name), name=name)


def read_yaml(text: str, name: str) -> Document:
    """A YAML text with one document.

    Raises:
        ScenarioError: Not YAML, several documents, nested too deep, or too many values.
    """
    reader = _YamlReader(name)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context
        what = "a tab" if re.search(r"\btab\b|'\\t'", str(what)) else what
        number = mark.line + 1 if mark else 1
        advice = "Indent with spaces" if what == "a tab" else "Check indentation and quotes"
        raise ScenarioError(f"{name}:{number}: expected YAML; got: {what}. {advice}.") from error
    except yaml.YAMLError as error:
        what = str(error).splitlines()[0]
        raise ScenarioError(f"{name}: expected YAML; got: {what}.") from error
    return Document(
        data=reader.root.get("value"),
        lines=reader.lines,
        problems=tuple(reader.problems),
        name=name,
    )


@dataclasses.dataclass(slots=True)
class _Frame:
    """A collection under construction; `key` is the next key of a mapping, None between pairs."""

    into: Any
    place: Place
    anchor: str | None
    start: int
    key: str | None = None


class _YamlReader:
    """Builds plain data from YAML events, without recursion."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root: dict[str, Any] = {}
        self.lines: dict[Place, Line] = {}
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take one event."""
        number = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise ScenarioError(f"{self.name}:{number}: expected one document; got a second.")
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), number)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, number)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event, number)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            frame = self._stack.pop()
            self._remember(frame.anchor, frame.into, self._values - frame.start)

    def _open(self, event: Any, number: int) -> None:
        into: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._refuse_tag(event, number)
        if len(self._stack) >= MAX_DEPTH:
            raise ScenarioError(
                f"{self.name}:{number}: expected at most {MAX_DEPTH} levels; got more."
            )
        place = self._put(into, number)
        start = self._values - 1
        self._stack.append(_Frame(into=into, place=place, anchor=event.anchor, start=start))

    def _scalar(self, event: Any, number: int) -> None:
        self._refuse_tag(event, number)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.into, dict) and frame.key is None:
            self._key(frame, event.value, number)
            return
        value = _core(event.value) if event.implicit[0] else event.value
        self._put(value, number)
        self._remember(event.anchor, value, 1)

    def _key(self, frame: _Frame, key: str, number: int) -> None:
        place = (*frame.place, key)
        if key in frame.into:
            first = self.lines[place].number
            text = f"expected each key once; got it again in line {number}, first in line {first}."
            self.problems.append(Problem(place=place, text=text))
        frame.key = key
        self.lines[place] = Line(number, f"{self.name}:{number}")

    def _alias(self, anchor: str, number: int) -> None:
        if anchor not in self._anchors:
            raise ScenarioError(
                f"{self.name}:{number}: expected an anchor that is complete; got '*{anchor}'."
            )
        value, count = self._anchors[anchor]
        self._count(count - 1, number)
        self._put(copy.deepcopy(value), number)

    def _put(self, value: object, number: int) -> Place:
        self._count(1, number)
        if not self._stack:
            self.root["value"] = value
            return ()
        frame = self._stack[-1]
        if isinstance(frame.into, list):
            place: Place = (*frame.place, len(frame.into))
            frame.into.append(value)
            self.lines[place] = Line(number, f"{self.name}:{number}")
            return place
        if frame.key is None:
            raise ScenarioError(f"{self.name}:{number}: expected a word as key; got a collection.")
        place = (*frame.place, frame.key)
        frame.into[frame.key] = value
        frame.key = None
        return place

    def _count(self, values: int, number: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise ScenarioError(
                f"{self.name}:{number}: expected at most {MAX_VALUES:,} values, aliases included; "
                "got more."
            )

    def _remember(self, anchor: str | None, value: object, count: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, count)

    def _refuse_tag(self, event: Any, number: int) -> None:
        if event.tag is not None and event.tag != "!":
            raise ScenarioError(
                f"{self.name}:{number}: expected plain values; got the tag '{event.tag}'."
            )


_INT: Final = re.compile(r"[-+]?[0-9]{1,30}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}  # fmt: skip


def _core(text: str) -> str | int | float | bool | None:
    """A plain scalar after the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if len(text) < 400 and _FLOAT.fullmatch(text) else text


_TOML_TABLE: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_TOML_KEY: Final = re.compile(
    r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"))*)\s*="""
)
_TOML_PART: Final = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def _toml_lines(text: str, name: str) -> dict[Place, Line]:
    lines: dict[Place, Line] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in _toml_statements(text):
        header, key = _TOML_TABLE.match(line), _TOML_KEY.match(line)
        here = Line(number, f"{name}:{number}")
        if header:
            path = _toml_place(header[2], (), counts, last=header[1] == "[")
            if header[1] == "[[":
                counts[path] = counts.get(path, -1) + 1
                lines.setdefault(path, here)
                path = (*path, counts[path])
            table = path
            lines.setdefault(table, here)
        elif key:
            lines.setdefault(_toml_place(key[1], table, counts, last=False), here)
    return lines


def _toml_statements(text: str) -> Iterator[tuple[int, str]]:
    """Lines outside of multi-line strings."""
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside:
            yield number, line
        for quote in ('"""', "'''"):
            if inside in ("", quote) and line.count(quote) % 2:
                inside = "" if inside else quote
                break


def _toml_place(key: str, table: Place, counts: dict[Place, int], *, last: bool) -> Place:
    """The place of a dotted key; arrays of tables on the way stand at their latest item."""
    place = table
    parts = [part.strip("\"'") for part in _TOML_PART.findall(key)]
    for i, part in enumerate(parts):
        place = (*place, part)
        if place in counts and (last or i < len(parts) - 1):
            place = (*place, counts[place])
    return place
