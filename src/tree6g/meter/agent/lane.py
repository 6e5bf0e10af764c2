"""Looks of one target one after the other, and the series that are away for a while.

A series that is not in a look, and comes back with the same process behind it, has counted on from
where it was. So the last reading of a series that went is kept: taken as new it would be counted
from zero, and all of it twice.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from tree6g.meter.agent import look as looks
from tree6g.meter.deltas import Look, is_same_process
from tree6g.meter.reading import Reading

MAX_AWAY: Final = 5000

_Name = tuple[str, str]


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

    @property
    def changed(self) -> bool:
        """Whether the series of the next look are others than those of the last one."""
        return self._next_shape != self._shape

    def step(self, look: Look) -> Look | None:
        """Plan the next look; what it is to be held against, None if it is the first."""
        self.next, self._next_shape = look, looks.shape(look.readings)
        self._next_away = self._away
        if self.look is None or not self.changed:
            return self.look
        now = {(r.kind, r.name): r for r in look.readings}
        last = {(r.kind, r.name): r for r in self.look.readings}
        away = {**self._away, **last}
        kept = [(name, r) for name, r in away.items() if name not in now and r.form != "gauge"]
        self._next_away = dict(kept[-MAX_AWAY:])
        back = [
            old
            for name, old in self._away.items()
            if name in now and name not in last and is_same_process(old, now[name])
        ]
        return dataclasses.replace(self.look, readings=[*self.look.readings, *back])

    def commit(self) -> None:
        """The next look is durable."""
        if self.next is not None:
            self.look, self._shape, self._away = self.next, self._next_shape, self._next_away
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

    def state(self) -> dict[str, bytes]:
        """What has to be durable together with the rows of the next look."""
        if self.next is None:
            return {}
        made = {f"{self._key}look": looks.numbers(self.next)}
        if self.changed:
            made[f"{self._key}form"] = looks.form(self.next.readings)
        if self._next_away is not self._away:
            away = Look(time_s=0.0, readings=list(self._next_away.values()))
            made[f"{self._key}away"] = json.dumps(
                [looks.form(away.readings).decode(), looks.numbers(away).hex()]
            ).encode()
        return made

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Go on from the last durable look."""
        form, numbers = state.get(f"{self._key}form"), state.get(f"{self._key}look")
        if form is not None and numbers is not None:
            self.look = looks.look_of(form, numbers)
            self._shape = looks.shape(self.look.readings)
        if f"{self._key}away" in state:
            form_text, hexed = json.loads(state[f"{self._key}away"])
            away = looks.look_of(form_text.encode(), bytes.fromhex(hexed))
            self._away = {(r.kind, r.name): r for r in away.readings}
