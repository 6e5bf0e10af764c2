"""A log of scrapes straight into a ledger: the agent itself, with the record in place of targets.

Looks count at the times at which they were taken, so the same log and configuration give the same
ledger, byte for byte, and nothing waits.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from tree6g.errors import MeterError
from tree6g.meter.agent.agent import Agent
from tree6g.meter.agent.config import Config, Target, load, load_text
from tree6g.meter.agent.counts import Counts
from tree6g.meter.agent.poll import Answer, Pauses, Poller
from tree6g.meter.agent.targets import Text
from tree6g.meter.fetch import is_url
from tree6g.meter.reading import Found
from tree6g.meter.scrapes.log import Entry, Log

NOT_LOOKED: Final = "the recorder did not look at it"
Tick = dict[str, Entry]


def config_of(log: Log, ledger: Path, file: Path | None = None) -> Config:
    """The configuration that a log is read with.

    Args:
        log: The log.
        ledger: Folder of the ledger to write.
        file: A configuration; None: that of the log, or one that names its targets and no more, so
            that all work is of service `unassigned`.

    Raises:
        ScenarioError: The configuration has faults.
        MeterError: None of its targets is in the log.
    """
    if file is not None:
        found = load(file)
    else:
        found = load_text(log.config or _plain(log), str(log.folder / "log.json"), log.folder)
    kept = tuple(_alone(t, log.targets) for t in found.targets if t.name in log.targets)
    if not kept:
        raise MeterError(
            f"expected a configuration with targets of the log ({', '.join(log.targets)}); got "
            f"{', '.join(target.name for target in found.targets)}."
        )
    return dataclasses.replace(found, ledger=ledger, targets=kept)


def _alone(target: Target, names: Iterable[str]) -> Target:
    """The target without relations to those that were not recorded."""
    contains = (
        None
        if target.contains is None
        else tuple(name for name in target.contains if name in names)
    )
    tenants_of = target.tenants_of if target.tenants_of in names else ""
    return dataclasses.replace(target, contains=contains, tenants_of=tenants_of)


def read_log(log: Log, config: Config, say: Callable[[str], None] = lambda _: None) -> Counts:
    """Write the ledger of a log.

    Returns:
        What the agent has done.

    Raises:
        LedgerError: There is a ledger already, or the disk refuses.
        MeterError: The log is empty, or damaged inside.
    """
    if config.ledger.exists() and any(config.ledger.iterdir()):
        raise MeterError(f"expected no ledger at {config.ledger}; there is one. Choose another.")
    names = [target.name for target in config.targets]
    clock = _LogClock(log.span_s()[0])
    poller = _Recorded(config.targets)
    asking = (poller, _Unhurried(config.interval_s))
    agent = Agent(config, clock, sources=dict.fromkeys(names, _Silent()), asking=asking, say=say)
    sound = False
    try:
        for number, tick in enumerate(ticks(log, names)):
            at_s = max(entry.time_s for entry in tick.values())
            if number and at_s < clock.at_s:
                say(f"looks of {at_s:.3f} come after later ones: the clock was set back; left out")
                continue
            clock.at_s, poller.tick = at_s, tick
            agent.tick()
        sound = True
    finally:
        agent.close(whole=sound)
    return agent.counts


def ticks(log: Log, names: Iterable[str]) -> Iterator[Tick]:
    """Looks that were taken together: those of one interval, each target once."""
    streams = [_named(name, log) for name in names]
    tick: Tick = {}
    number = None
    for _, name, entry in heapq.merge(*streams, key=lambda item: item[0]):
        own = math.floor(entry.time_s / log.interval_s)
        if tick and (own != number or name in tick):
            yield tick
            tick = {}
        number = own
        tick[name] = entry
    if tick:
        yield tick


def _named(name: str, log: Log) -> Iterator[tuple[float, str, Entry]]:
    return ((entry.time_s, name, entry) for entry in log.entries(name))


class _LogClock:
    """Time stands still but for what the log says."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def wall_s(self) -> float:
        """Time of the record."""
        return self.at_s

    def monotonic_s(self) -> float:
        """The same."""
        return self.at_s

    def sleep(self, seconds: float) -> None:
        """Nothing waits."""


class _Silent:
    """A source that nobody asks: its answers are in the record."""

    def look(self) -> Found:
        """Nothing."""
        raise MeterError(NOT_LOOKED)

    def close(self) -> None:
        """Nothing is held."""


class _Recorded(Poller):
    """Answers out of the record, in the place of a poller of targets."""

    def __init__(self, targets: Iterable[Target]) -> None:
        super().__init__({}, {}, lambda: 0.0)
        self.tick: Tick = {}
        self._texts: Mapping[str, Text] = {t.name: Text(t.columns) for t in targets}

    def poll(self, names: Iterable[str]) -> dict[str, Answer]:
        """What each of these said, at the time at which it said it."""
        return {name: self._answer(name) for name in names}

    def _answer(self, name: str) -> Answer:
        entry = self.tick.get(name)
        if entry is None:
            at_s = max(other.time_s for other in self.tick.values())
            return Answer(None, NOT_LOOKED, at_s)
        if entry.why:
            return Answer(None, entry.why, entry.time_s)
        try:
            return Answer(self._texts[name].read(entry.raw), "", entry.time_s)
        except MeterError as error:
            return Answer(None, " ".join(str(error).split()), entry.time_s)


class _Unhurried(Pauses):
    """The recorder has chosen when to look."""

    def due(self, name: str, time_s: float) -> bool:
        """Whenever there is a look."""
        del name, time_s
        return True


def _plain(log: Log) -> str:
    """A configuration that names the targets of a log."""
    places = {name: str(told.get("where") or name) for name, told in log.targets.items()}
    targets = {name: {"url" if is_url(at) else "file": at} for name, at in places.items()}
    body = {"name": "replay", "interval": f"{log.interval_s:g} s", "targets": targets}
    return yaml.safe_dump(body)
