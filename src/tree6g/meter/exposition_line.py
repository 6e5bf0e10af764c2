r"""What one line of Prometheus text means: the plain statement, by characters where needed.

    name{label="value",...} number [timestamp] [# {exemplar labels} number [timestamp]]

Also `{"a name in quotes",label="value"} number`. In label values `\\`, `\"` and `\n` are
escapes; another backslash stands for itself, as Prometheus reads it.

Sources: Prometheus exposition formats (text 0.0.4), OpenMetrics 1.0.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
from typing import Final, NamedTuple

_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:.]*)\s*=\s*\"")
_QUOTED: Final = re.compile(r"((?:[^\"\\]|\\.)*)\"")
_SPACE: Final = re.compile(r"[ \t]*")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_NUMERIC: Final = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf(?:inity)?|nan))"
_NUMBER: Final = re.compile(_NUMERIC, re.ASCII)
_PAIR: Final = re.compile(r"([a-zA-Z_]\w*)=\"([^\"\\]*)\"", re.ASCII)
_PLAIN: Final = r"[a-zA-Z_]\w*=\"[^\"\\]*\""
_USUAL: Final = re.compile(  # no escapes, no spaces, nothing behind the number
    rf"([a-zA-Z_:][\w:]*)(?:\{{((?:{_PLAIN}(?:,{_PLAIN})*,?)?)\}})? ({_NUMERIC})", re.ASCII
)
SHOWN: Final = 80  # characters of a bad line


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """Name and labels, the labels in the order of their names.

    Attributes:
        name: Name as in the text, with `_total`, `_bucket`, `_sum`, `_count`, `_created`.
        labels: Names and values.
    """

    name: str
    labels: tuple[tuple[str, str], ...]

    def label(self, *names: str) -> str | None:
        """The first of these labels that is there and not empty."""
        found = dict(self.labels)
        return next((found[name] for name in names if found.get(name)), None)

    def without(self, *names: str) -> tuple[tuple[str, str], ...]:
        """The labels but these."""
        return tuple(pair for pair in self.labels if pair[0] not in names)

    @property
    def text(self) -> str:
        """As it is written."""
        inner = ",".join(f'{name}="{value}"' for name, value in self.labels)
        return f"{self.name}{{{inner}}}" if inner else self.name


class Sample(NamedTuple):
    """One line with a number; `head` is all that stands before it, if nothing stands behind."""

    series: Series
    value: float
    time: float | None
    head: bytes | None


def sample(line: bytes) -> Sample:
    """The sample of a line.

    Raises:
        ValueError: It is none; the message says what was expected and shows the line.
    """
    text = _text(line)
    usual = _USUAL.fullmatch(text)
    if usual is None:
        return sample_by_characters(text)
    labels = dict(_PAIR.findall(usual[2] or ""))
    if len(labels) != (usual[2] or "").count('="'):
        return sample_by_characters(text)
    series = _shared(usual[1], tuple(_label(*item) for item in sorted(labels.items())))
    return Sample(series, float(usual[3]), None, text[: usual.start(3)].encode())


@functools.lru_cache(maxsize=20_000)
def _shared(name: str, labels: tuple[tuple[str, str], ...]) -> Series:
    """One object for all targets that have this series: a hundred of one kind share them."""
    return Series(sys.intern(name), labels)


@functools.lru_cache(maxsize=20_000)
def _label(name: str, value: str) -> tuple[str, str]:
    """One object for all series with this label."""
    return name, value


def sample_by_characters(text: str) -> Sample:
    """The sample of a line, with escapes, spaces, time stamps, exemplars and quoted names.

    Raises:
        ValueError: It is none.
    """
    series, at = _series(text)
    body, mark, exemplar = text[at:].partition(" # ")
    words = body.split()
    if not 1 <= len(words) <= 2:
        raise ValueError(f"expected a number after {series.text[:SHOWN]}; got {body[:SHOWN]!r}.")
    time = _number(words[1]) if len(words) == 2 else None
    if mark and not exemplar.lstrip().startswith("{"):
        raise ValueError(f"expected an exemplar after ' # '; got {exemplar[:SHOWN]!r}.")
    plain = time is None and not mark and text[at:] == f" {words[0]}"
    return Sample(series, _number(words[0]), time, text[: at + 1].encode() if plain else None)


def metadata(line: bytes) -> tuple[str, str, str] | None:
    """Word (HELP, TYPE, UNIT), family and rest of a line that starts with `#`; None for remarks.

    Raises:
        ValueError: The line is not text, or a TYPE without a type.
    """
    words = _text(line).split(None, 3)
    if len(words) < 2 or words[0] != "#" or words[1] not in {"HELP", "TYPE", "UNIT"}:
        return None
    if words[1] == "TYPE" and len(words) != 4:
        raise ValueError(f"expected '# TYPE name type'; got {' '.join(words)[:SHOWN]!r}.")
    family = words[2].strip('"') if len(words) > 2 else ""
    return words[1], family, words[3].strip() if len(words) > 3 else ""


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}: {line[:SHOWN]!r}.") from error


def _number(word: str) -> float:
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"expected a number; got {word[:SHOWN]!r}.")
    return float(word)


def _series(text: str) -> tuple[Series, int]:
    """The series at the start of a line, and where it ends."""
    start = _SPACE.match(text).end()  # type: ignore[union-attr]  # matches the empty text
    named = _NAME.match(text, start)
    at = named.end() if named else start
    name = named[0] if named else ""
    at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
    if at == len(text) or text[at] != "{":
        if not name or not (at == len(text) or text[at - 1] in " \t"):
            raise ValueError(f"expected a name and a number; got {text[:SHOWN]!r}.")
        return Series(name, ()), named.end() if named else at
    labels, at, quoted = _labels(text, at + 1)
    if bool(name) == bool(quoted):
        raise ValueError(f"expected one name of a series; got {text[:SHOWN]!r}.")
    return Series(name or quoted, labels), at


def _labels(text: str, at: int) -> tuple[tuple[tuple[str, str], ...], int, str]:
    """Labels from behind the brace on, where they end, and a name in quotes among them."""
    found: dict[str, str] = {}
    quoted = ""
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] == "}":
            return tuple(sorted(found.items())), at + 1, quoted
        name, value, at = _pair(text, at)
        if (name is None and quoted) or name in found:
            raise ValueError(f"label {name or value!r} twice in {text[:SHOWN]!r}.")
        if name is None:
            quoted = value
        else:
            found[name] = value
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "}":
            raise ValueError(f"expected ',' or '}}' after a label in {text[:SHOWN]!r}.")


def _pair(text: str, at: int) -> tuple[str | None, str, int]:
    """Name and value of one label; the name is None for a text in quotes alone."""
    if text[at : at + 1] == '"':
        first, at = _quoted(text, at + 1)
        equals = re.compile(r"\s*=\s*\"").match(text, at)
        if equals is None:
            return None, first, at
        value, at = _quoted(text, equals.end())
        return first, value, at
    label = _LABEL.match(text, at)
    if label is None:
        raise ValueError(f'expected label="value"; got {text[at : at + SHOWN]!r}.')
    value, at = _quoted(text, label.end())
    return label[1], value, at


def _quoted(text: str, at: int) -> tuple[str, int]:
    found = _QUOTED.match(text, at)
    if found is None:
        raise ValueError(f"a quote is not closed in {text[:SHOWN]!r}.")
    return _ESCAPE.sub(_unescape, found[1]), found.end()


def _unescape(escape: re.Match[str]) -> str:
    return {"n": "\n", "\\": "\\", '"': '"'}.get(escape[1], escape[0])
