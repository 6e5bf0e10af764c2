"""Look at targets again and again and keep what they say, as it came."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import math
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tree6g.errors import MeterError
from tree6g.meter.agent.config import Target, load, token_of
from tree6g.meter.agent.http import Connection
from tree6g.meter.fetch import fetch, is_url
from tree6g.meter.scrapes.log import MAX_BYTE, Entry, Log, append
from tree6g.meter.sources import sysfs
from tree6g.scenario.document import SUFFIXES, read_file

Fetch = Callable[[], bytes]
Say = Callable[[str], None]
THREADS: Final = 8
INTERVAL_S: Final = 10.0
RECORDED: Final = ("url", "file", "sysfs")  # ways that give a text


@dataclasses.dataclass(slots=True)
class Counts:
    """What a recorder has done."""

    looks: int = 0
    failed_looks: int = 0
    raw_byte: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is recorded and how often.

    Attributes:
        fetchers: What gives the bytes of each target.
        told: What the log says of each.
        interval_s: Time between looks.
        config: Text of the agent's configuration, None without one.
        left_out: Targets of it that have no bytes to keep, in words.
    """

    fetchers: Mapping[str, Fetch]
    told: Mapping[str, Mapping[str, Any]]
    interval_s: float
    config: str | None = None
    left_out: tuple[str, ...] = ()


def plan_of(words: Sequence[str], interval_s: float | None = None) -> Plan:
    """What the words of a command name: one configuration, or targets.

    Raises:
        MeterError: Two targets of one name, or a configuration without any that has bytes.
        ScenarioError: A configuration with faults.
    """
    if len(words) == 1 and Path(words[0]).suffix in SUFFIXES:
        return _plan_of_config(Path(words[0]), interval_s)
    targets = named_targets(words)
    return Plan(
        fetchers={name: fetcher(where) for name, where in targets.items()},
        told=told(targets),
        interval_s=interval_s or INTERVAL_S,
    )


def _plan_of_config(path: Path, interval_s: float | None) -> Plan:
    """The targets of an agent's configuration; the log keeps it, with its phase weights in it."""
    config = load(path)
    body = dict(read_file(path).data)
    if config.phase_weights:
        body["phase_weights"] = [dict(row) for row in config.phase_weights]
    kept = {t.name: t for t in config.targets if t.way in RECORDED}
    if not kept:
        raise MeterError(f"expected a target of {', '.join(RECORDED)} in {path}; there is none.")
    return Plan(
        fetchers={name: _of_target(target) for name, target in kept.items()},
        told=told({name: target.where for name, target in kept.items()}),
        interval_s=interval_s or config.interval_s,
        config=yaml.safe_dump(body, sort_keys=False),
        left_out=tuple(
            f"target '{t.name}' is left out: {t.way} has no text to keep"
            for t in config.targets
            if t.way not in RECORDED
        ),
    )


def _of_target(target: Target) -> Fetch:
    if target.way != "url":
        return fetcher(target.where)
    return Connection(
        target.where,
        timeout_s=target.timeout_s,
        max_byte=target.max_byte,
        token=token_of(target),
    ).get


def named_targets(words: Sequence[str]) -> dict[str, str]:
    """`[NAME=]URL|FILE|FOLDER` by name; without one it is made of the address.

    Raises:
        MeterError: Two of one name.
    """
    found: dict[str, str] = {}
    for word in words:
        name, sign, where = word.partition("=")
        if not sign or "/" in name or ":" in name:
            name, where = _name_of(word), word
        if name in found:
            raise MeterError(f"two targets are called {name!r}; write NAME=URL.")
        found[name] = where
    return found


def fetcher(where: str, *, timeout_s: float = 5.0) -> Fetch:
    """What gives the bytes of a target: an address, a file, or a folder with powercap or hwmon."""
    if not is_url(where) and Path(where).is_dir():
        return lambda: _folder(Path(where))
    return lambda: fetch(where, quiet_s=timeout_s, whole_s=timeout_s)


class Recorder:
    """Looks at each target at the multiples of an interval."""

    def __init__(
        self,
        log: Log,
        fetchers: Mapping[str, Fetch],
        *,
        say: Say = lambda _: None,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        """Nothing is looked at yet.

        Args:
            log: Where it is kept.
            fetchers: What gives the bytes of each target.
            say: Is told when a target is lost or back.
            now_s: UNIX time; None: that of now, which then goes on whatever is done to the clock.
        """
        self.counts = Counts()
        self.stop = threading.Event()
        self._log, self._fetchers, self._say = log, fetchers, say
        self._now_s = now_s or _steady()
        self._lost: set[str] = set()

    def run(self, length_s: float = math.inf) -> None:
        """Record until the time is over or `stop` is set.

        Raises:
            MeterError: The log cannot be written.
        """
        begun_s = time.monotonic()
        while not self.stop.is_set():
            self.look()
            left_s = begun_s + length_s - time.monotonic()
            interval_s = self._log.interval_s
            wait_s = interval_s - self._now_s() % interval_s
            if left_s <= wait_s:
                return
            self.stop.wait(wait_s)

    def look(self) -> None:
        """Look at all targets once, several at a time; each look is durable."""
        with concurrent.futures.ThreadPoolExecutor(min(THREADS, len(self._fetchers))) as pool:
            asked = {name: pool.submit(self._ask, get) for name, get in self._fetchers.items()}
        for name, future in asked.items():
            entry = future.result()
            append(self._log, name, entry)
            self.counts.looks += 1
            self.counts.failed_looks += bool(entry.why)
            self.counts.raw_byte += len(entry.raw)
            self._tell(name, entry)

    def _ask(self, get: Fetch) -> Entry:
        begun_s = self._now_s()
        try:
            raw, why = get(), ""
            if len(raw) > MAX_BYTE:
                raw, why = b"", f"expected at most {MAX_BYTE:,} byte; got {len(raw):,}"
        except MeterError as error:
            raw, why = b"", " ".join(str(error).split())[:600]
        return Entry(time_s=0.5 * (begun_s + self._now_s()), raw=raw, why=why)

    def _tell(self, name: str, entry: Entry) -> None:
        if entry.why and name not in self._lost:
            self._lost.add(name)
            self._say(f"target '{name}' is lost: {entry.why}")
        elif not entry.why and name in self._lost:
            self._lost.discard(name)
            self._say(f"target '{name}' is back")


def _steady() -> Callable[[], float]:
    shift_s = time.time() - time.monotonic()
    return lambda: time.monotonic() + shift_s


def _folder(path: Path) -> bytes:
    tree = sysfs.folder(path)
    if not tree:
        raise MeterError(f"no powercap or hwmon below {path}.")
    return json.dumps(tree, sort_keys=True).encode()


def _name_of(where: str) -> str:
    parts = urllib.parse.urlsplit(where) if is_url(where) else None
    text = f"{parts.hostname}-{parts.port or ''}" if parts else Path(where).name or "root"
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "target"


def told(targets: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What `log.json` holds of targets: no user, no password, no query."""
    return {name: {"where": _public(where)} for name, where in targets.items()}


def _public(where: str) -> str:
    if not is_url(where):
        return where
    parts = urllib.parse.urlsplit(where)
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", ""))
