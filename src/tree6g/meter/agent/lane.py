"""Looks of one target one after the other, and the series that are away for a while.

A series that is not in a look, and comes back with the same process behind it, has counted on from
where it was. So the last reading of a series that went is kept: taken as new it would be counted
from zero, and all of it twice.

What energy or power such a series would have told meanwhile is not known: it is missing. That ends
when it is back, when a new series of the same component and node takes its place (a name changed,
or energy is told in place of power), or after an hour: then it is taken for removed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from tree6g.meter.agent import look as looks
from tree6g.meter.agent.pieces import CPU, ENERGY
from tree6g.meter.deltas import Look, is_same_process
from tree6g.meter.reading import Reading

MAX_AWAY: Final = 5000
MISSING_S: Final = 3600.0

_Name = tuple[str, str]


class Missing(NamedTuple):
    """A series of energy or power that is away, since the last look that had it."""

    last: Reading
    since_s: float

    @property
    def end_s(self) -> float:
        """When it is taken for removed."""
        return self.since_s + MISSING_S


class Lane:
    """The last look, and the next one until it is durable."""

    def __init__(self, key: str) -> None:
        """Nothing was looked at yet; `key` begins the keys of the state."""
        self._key = key
        self.look: Look | None = None
        self.next: Look | None = None
        self._shape: tuple[Any, ...] | None = None
        self._next_shape: tuple[Any, ...] | None = None
        self._away: dict[_Name, Reading] = {}
        self._next_away: dict[_Name, Reading] = {}
        self._missing: dict[_Name, Missing] = {}
        self._next_missing: dict[_Name, Missing] = {}
        self.back: list[Reading] = []  # last readings of what the next look has again

    @property
    def missing(self) -> list[Missing]:
        """What was missing at the last look already."""
        return list(self._missing.values())

    @property
    def changed(self) -> bool:
        """Whether the series of the next look are others than those of the last one."""
        return self._next_shape != self._shape

    def step(self, look: Look) -> Look | None:
        """Plan the next look; what it is to be held against, None if it is the first."""
        self.next, self._next_shape = look, looks.shape(look.readings)
        self._next_away, self._next_missing, self.back = self._away, self._missing, []
        if self.look is None or not self.changed:
            return self.look
        now = {(r.kind, r.name): r for r in look.readings}
        last = {(r.kind, r.name): r for r in self.look.readings}
        away = {**self._away, **last}
        kept = [(name, r) for name, r in away.items() if name not in now and r.form != "gauge"]
        self._next_away = dict(kept[-MAX_AWAY:])
        self._next_missing = self._still_missing(now, last, look.time_s)
        self.back = [
            old
            for name, old in self._away.items()
            if name in now and name not in last and is_same_process(old, now[name])
        ]
        return dataclasses.replace(self.look, readings=[*self.look.readings, *self.back])

    def _still_missing(
        self, now: Mapping[_Name, Reading], last: Mapping[_Name, Reading], time_s: float
    ) -> dict[_Name, Missing]:
        since_s = self.look.time_s if self.look is not None else time_s
        gone = {n: Missing(r, since_s) for n, r in last.items() if r.kind in (*ENERGY, CPU)}
        found = {
            name: missing
            for name, missing in {**self._missing, **gone}.items()
            if name not in now and time_s <= missing.end_s
        }
        for new in (r for name, r in now.items() if name not in last and name not in self._missing):
            place = (new.component, new.node)
            for name, missing in found.items():
                if new.kind in ENERGY and (missing.last.component, missing.last.node) == place:
                    del found[name]  # one for one
                    break
        return found

    def commit(self) -> None:
        """The next look is durable."""
        if self.next is not None:
            self.look, self._shape, self._away = self.next, self._next_shape, self._next_away
            self._missing = self._next_missing
            self.next = None

    def drop(self) -> None:
        """It is not."""
        self.next = None

    def move(self, by_s: float) -> None:
        """The wall clock was set, and the agent's time jumped by so much.

        What sources said of their starts was in terms of the clock of before.
        """
        if self.look is not None:
            unstarted = [dataclasses.replace(r, start_s=None) for r in self.look.readings]
            self.look = Look(time_s=self.look.time_s + by_s, readings=unstarted)
        self._away = {n: dataclasses.replace(r, start_s=None) for n, r in self._away.items()}
        self._missing = {n: Missing(r, at_s + by_s) for n, (r, at_s) in self._missing.items()}

    def state(self) -> dict[str, bytes]:
        """What has to be durable together with the rows of the next look."""
        if self.next is None:
            return {}
        made = {f"{self._key}look": looks.numbers(self.next)}
        if self.changed:
            made[f"{self._key}form"] = looks.form(self.next.readings)
        if self._next_away is not self._away:
            made[f"{self._key}away"] = _packed(list(self._next_away.values()))
        if self._next_missing != self._missing:
            missing = self._next_missing.values()
            times_s = [at_s for _, at_s in missing]
            made[f"{self._key}missing"] = _packed([last for last, _ in missing], times_s)
        return made

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Go on from the last durable look."""
        form, numbers = state.get(f"{self._key}form"), state.get(f"{self._key}look")
        if form is not None and numbers is not None:
            self.look = looks.look_of(form, numbers)
            self._shape = looks.shape(self.look.readings)
        if f"{self._key}away" in state:
            away, _ = _unpacked(state[f"{self._key}away"])
            self._away = {(r.kind, r.name): r for r in away}
        if f"{self._key}missing" in state:
            lasts, times_s = _unpacked(state[f"{self._key}missing"])
            both = zip(lasts, times_s, strict=True)
            self._missing = {(r.kind, r.name): Missing(r, at_s) for r, at_s in both}


def _packed(readings: Sequence[Reading], times_s: Sequence[float] = ()) -> bytes:
    look = Look(time_s=0.0, readings=readings)
    return json.dumps([looks.form(readings).decode(), looks.numbers(look).hex(), times_s]).encode()


def _unpacked(raw: bytes) -> tuple[Sequence[Reading], Sequence[float]]:
    form_text, hexed, *times_s = json.loads(raw)
    look = looks.look_of(form_text.encode(), bytes.fromhex(hexed))
    return look.readings, times_s[0] if times_s else ()
