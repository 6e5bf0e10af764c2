"""Targets that are looked at: each gives readings, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from tree6g.errors import MeterError
from tree6g.meter.agent.config import Target, token_of
from tree6g.meter.agent.cpu_time import read_cpu_time
from tree6g.meter.agent.files import Folder
from tree6g.meter.agent.http import Connection
from tree6g.meter.exposition import ExpositionReader, is_exposition
from tree6g.meter.plausible import doubted
from tree6g.meter.reading import Found
from tree6g.meter.recognise import PROMETHEUS, read_scrape, recognise
from tree6g.meter.sources import nvml, sysfs

MAX_READINGS: Final = 20_000  # of one look


class Source(Protocol):
    """What the agent polls; tests and recorded scrapes bring their own."""

    def look(self) -> Found:
        """What it says now.

        Raises:
            MeterError: Why it says nothing.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class Text:
    """Bytes of one target after another to readings; of Prometheus text only what moved is read."""

    def __init__(self, columns: tuple[str, ...] = ()) -> None:
        self._columns = columns
        self._reader: ExpositionReader | None = None
        self._first = b""

    def read(self, raw: bytes) -> Found:
        """What a text says.

        Raises:
            MeterError: It is of no source that is known, or was cut off.
        """
        if self._columns or not self._is_exposition(raw):
            return _bounded(recognise(raw, self._columns))
        if self._reader is None:
            self._reader = ExpositionReader()
        scrape = self._reader.read(raw)
        if not scrape.layout.complete:
            self._reader = None
            raise MeterError("the text ends before its `# EOF`; it was cut off or is too large.")
        found = read_scrape(scrape)
        if found.format == PROMETHEUS:
            self._reader = None
            raise MeterError(f"expected a source that is known; {' '.join(found.problems[-1:])}")
        return _bounded(doubted(found))

    def _is_exposition(self, raw: bytes) -> bool:
        if self._reader is not None and raw[:1] == self._first:
            return True
        self._first = raw[:1]
        return raw[:2] != b"\x1f\x8b" and is_exposition(raw)


class Web:
    """A URL."""

    def __init__(self, target: Target) -> None:
        self._connection = Connection(
            target.where,
            timeout_s=target.timeout_s,
            max_byte=target.max_byte,
            token=token_of(target),
        )
        self._text = Text(target.columns)

    def look(self) -> Found:
        """What it answers now."""
        return self._text.read(self._connection.get())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class File:
    """A file whose content changes, such as a text file of a collector."""

    def __init__(self, target: Target) -> None:
        self._path, self._max_byte = Path(target.where), target.max_byte
        self._text = Text(target.columns)

    def look(self) -> Found:
        """What it holds now."""
        try:
            with self._path.open("rb") as file:
                raw = file.read(self._max_byte + 1)
        except OSError as error:
            raise MeterError(f"cannot read {self._path}: {error.strerror or error}.") from error
        if len(raw) > self._max_byte:
            raise MeterError(f"expected at most {self._max_byte:,} byte in {self._path}.")
        return self._text.read(raw)

    def close(self) -> None:
        """Nothing is held."""


class Machine:
    """Counters of this machine: powercap and hwmon, NVIDIA cards, or CPU time."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def look(self) -> Found:
        """What they say now."""
        if self._target.way == "nvml":
            found = nvml.read_nvml()
        elif self._target.way == "cpu_time":
            found = read_cpu_time(self._target.cpu.pid if self._target.cpu else None)
        else:
            tree = sysfs.folder(Path(self._target.where))
            found = sysfs.read_sysfs(tree) if tree else Found(format="")
        if not found.format:
            why = " ".join(found.problems) or f"no powercap or hwmon below {self._target.where}."
            raise MeterError(why)
        return found

    def close(self) -> None:
        """Nothing is held."""


def source_of(target: Target) -> Source:
    """The source of a target; nothing is asked yet, and one of OTLP listens.

    Raises:
        ScenarioError: Its token is not there, or where to listen is no place.
        MeterError: It cannot listen there.
    """
    if target.way == "url":
        return Web(target)
    if target.way == "file":
        return File(target)
    if target.way == "files":
        return Folder(target)
    if target.way == "otlp":
        from tree6g.meter.otlp.source import Otlp  # it brings a server

        return Otlp(target.where, token_of(target))
    return Machine(target)


def _bounded(found: Found) -> Found:
    if len(found.readings) > MAX_READINGS:
        count = len(found.readings)
        raise MeterError(f"expected at most {MAX_READINGS:,} readings of a target; got {count:,}.")
    return found
