"""3GPP performance measurement files as XML: TS 32.435 and TS 28.532, read safely and repaired.

Safely: a document type, and with it every entity of one's own, is refused before anything is
expanded. Repaired, each time told: an XML declaration that is not first, bytes before the first
tag, a bare `&`, control characters, a file that ends too early (whole values are kept).

Both ways to list values are read: `measType p=` with `r p=`, and `measTypes` with `measResults`.

Sources: TS 32.435 clause 4; TS 28.532 clause 12.3.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Final
from xml.parsers import expat

from tree6g.errors import MeterError
from tree6g.meter.sources.rows import instant

_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]*\?>")
_ENCODING: Final = re.compile(rb"encoding\s*=\s*[\"']([\w.-]+)[\"']")
_BARE: Final = re.compile(rb"&(?!(?:amp|lt|gt|apos|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DURATION: Final = re.compile(
    r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?", re.ASCII
)
ROOTS: Final = ("measCollecFile", "measDataFile")
MAX_TEXT: Final = 100_000  # characters of one value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of one object over one granularity period, as text."""

    name: str
    node: str
    text: str
    duration_s: float | None
    end_s: float | None
    suspect: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PmFile:
    """What a file holds.

    Attributes:
        version: `fileFormatVersion`.
        vendor: Vendor's name.
        begin_s: Start of the collection by its header.
        values: All values.
        repairs: What had to be repaired.
    """

    version: str
    vendor: str
    begin_s: float | None
    values: tuple[Value, ...]
    repairs: tuple[str, ...]


def is_pm_xml(raw: bytes) -> bool:
    """Whether the root is that of a measurement file."""
    start = raw[:4000]
    return any(root.encode() in start for root in ROOTS)


def read_pm_xml(raw: bytes) -> PmFile:
    """The values of a file.

    Raises:
        MeterError: It has a document type, is not XML even when repaired, or holds no value.
    """
    try:
        return _parsed(raw, ())
    except expat.ExpatError:
        pass
    repaired, repairs = _repaired(raw)
    collector = _Collector()
    try:
        _run(repaired, collector)
    except expat.ExpatError as error:
        if not collector.values:
            raise MeterError(f"expected XML of TS 32.435 or TS 28.532; {error}.") from error
        repairs = (*repairs, f"it breaks off ({error}); whole values before that are read")
    return collector.file(repairs)


def duration_s(text: str) -> float | None:
    """Seconds of an ISO 8601 duration such as PT900S or PT15M; None if it is none."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (float(part or 0.0) for part in found.groups())
    return ((days * 24.0 + hours) * 60.0 + minutes) * 60.0 + seconds


def _parsed(raw: bytes, repairs: tuple[str, ...]) -> PmFile:
    collector = _Collector()
    _run(raw, collector)
    return collector.file(repairs)


def _run(raw: bytes, collector: _Collector) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    parser.StartDoctypeDeclHandler = _refused
    parser.EntityDeclHandler = _refused
    try:
        parser.Parse(raw, True)
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise MeterError(f"expected XML in UTF-8; {error}.") from error


def _refused(*_: object) -> None:
    raise MeterError(
        "expected a measurement file without document type; got <!DOCTYPE>. Entities are never "
        "expanded."
    )


def _repaired(raw: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The text with what can be repaired, and what that was."""
    repairs: list[str] = []
    start = raw.find(b"<")
    if start > 0:
        repairs.append(f"{start} byte stand before the first tag")
        raw = raw[start:]
    declared = _ENCODING.search(b"".join(_DECLARATION.findall(raw[:2000])))
    steps: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("the XML declaration is not at the start", lambda t: _DECLARATION.sub(b"", t)),
        ("control characters", lambda t: _CONTROL.sub(b" ", t)),
        ("a bare '&'", lambda t: _BARE.sub(b"&amp;", t)),
    )
    sound = raw.startswith(b"<?xml ")
    for what, step in steps:
        changed = step(raw)
        if changed != raw and not (sound and "declaration" in what):
            repairs.append(what)
        raw = changed
    encoding = declared[1] if declared else b"UTF-8"
    return b'<?xml version="1.0" encoding="' + encoding + b'"?>' + raw, tuple(repairs)


class _Collector:
    """Handlers of the parser: keep what belongs to a value until it is whole."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._version = self._vendor = ""
        self._begin: float | None = None
        self._names: dict[str, str] = {}
        self._results: list[tuple[str, str]] = []
        self._suspect = False
        self._node = self._p = ""
        self._duration: float | None = None
        self._end: float | None = None
        self._chars: list[str] = []
        self._size = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins, under whatever prefix of a namespace."""
        word = tag.rpartition(":")[2]
        self._chars, self._size = [], 0
        if word == "fileHeader":
            self._version = attributes.get("fileFormatVersion", "")[:100]
            self._vendor = attributes.get("vendorName", "")[:100]
        elif word in {"measCollec", "measData"} and "beginTime" in attributes:
            self._begin = instant(attributes["beginTime"])
        elif word == "measInfo":
            self._names, self._duration, self._end = {}, None, None
        elif word == "granPeriod":
            self._duration = duration_s(attributes.get("duration", ""))
            self._end = instant(attributes.get("endTime", ""))
        elif word == "measValue":
            self._node = attributes.get("measObjLdn", "")[:1000]
            self._results, self._suspect = [], False
        elif word in {"measType", "r"}:
            self._p = attributes.get("p", "")

    def text(self, chars: str) -> None:
        """Text of an element; what is beyond `MAX_TEXT` is dropped."""
        self._size += len(chars)
        if self._size <= MAX_TEXT:
            self._chars.append(chars)

    def end(self, tag: str) -> None:
        """An element ends: what it said goes where it belongs."""
        word = tag.rpartition(":")[2]
        said = "".join(self._chars).strip() if word != "measValue" else ""
        if word == "measType":
            self._names[self._p] = said[:200]
        elif word == "measTypes":
            self._names = {str(n): name[:200] for n, name in enumerate(said.split(), 1)}
        elif word == "r":
            self._results.append((self._p, said))
        elif word == "measResults":
            self._results = [(str(n), value) for n, value in enumerate(said.split(), 1)]
        elif word == "suspect":
            self._suspect = said.lower() in {"true", "1"}
        elif word == "measValue":
            self.values.extend(self._whole())
        self._chars, self._size = [], 0

    def _whole(self) -> Iterator[Value]:
        for p, said in self._results:
            yield Value(
                name=self._names.get(p, ""),
                node=self._node,
                text=said,
                duration_s=self._duration,
                end_s=self._end,
                suspect=self._suspect,
            )

    def file(self, repairs: tuple[str, ...]) -> PmFile:
        """All that was read, with the repairs that the text needed."""
        return PmFile(
            version=self._version,
            vendor=self._vendor,
            begin_s=self._begin,
            values=tuple(self.values),
            repairs=repairs,
        )
