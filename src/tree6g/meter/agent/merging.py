"""From what targets gave at one tick to rows: energy inside of other energy, and tenants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tree6g.meter.agent.config import Config, Target
from tree6g.meter.agent.cover import Coverage
from tree6g.meter.agent.inside import PREFIX, WAIT, Container, Part
from tree6g.meter.agent.pieces import WORK, Pieces, named
from tree6g.meter.agent.rows import Tick
from tree6g.meter.agent.tenants import Divided, Division
from tree6g.meter.agent.tracker import Seen, Tracker


class Merging:
    """The relations between targets; `step` plans, `commit` makes it so."""

    def __init__(self, config: Config) -> None:
        self._targets = {target.name: target for target in config.targets}
        wait_s = WAIT * config.interval_s
        self._containers = {
            name: Container(name, self._targets[name].contains or (), wait_s)
            for name in _inside_first(self._targets)
        }
        self._fronts: dict[str, list[str]] = {}
        for target in config.targets:
            if target.tenants_of:
                self._fronts.setdefault(target.tenants_of, []).append(target.name)
        self._divisions = {
            name: Division(name, max(self._targets[front].settle_s for front in fronts))
            for name, fronts in self._fronts.items()
        }
        self._stale: list[str] = []
        self._is_front = {front for fronts in self._fronts.values() for front in fronts}

    def step(
        self,
        tick: Tick,
        cover: Coverage,
        seen: Mapping[str, Seen],
        trackers: Mapping[str, Tracker],
        time_s: float,
    ) -> dict[str, str]:
        """Put the pieces of a tick into rows and coverage.

        Returns:
            Targets whose energy until their next look is in the rows of another, and why.
        """
        cuts = self._energy(tick, cover, seen, trackers, time_s)
        for name, each in seen.items():
            if name not in self._divisions and name not in self._is_front:
                tick.deeds(name, each.pieces.deeds)
                tick.waits(name, each.pieces.waits)
                tick.running(name, each.pieces.running)
                cover.add(name, [c for c in each.cover if c.quantity == "work"])
            tick.blocks(each.pieces.blocks, name)
        for name, division in self._divisions.items():
            self._divide(name, division, tick, cover, seen, trackers[name], time_s)
        return cuts

    def end(self, tick: Tick, cover: Coverage) -> None:
        """What waits, as nobody's."""
        for name, division in self._divisions.items():
            _write(name, division.end(), tick, cover)

    def commit(self) -> None:
        """The rows are durable."""
        for each in self._all():
            each.commit()

    def drop(self) -> None:
        """They are not."""
        for each in self._all():
            each.drop()

    def move(self, by_s: float) -> None:
        """The agent's time jumped."""
        for container in self._containers.values():
            container.move(by_s)

    def state(self) -> dict[str, bytes | None]:
        """What has to be durable together with the rows; None: what is so no more."""
        made: dict[str, bytes | None] = dict.fromkeys(self._stale)
        for each in self._all():
            made |= each.state()
        return made

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Go on from the last durable tick; sums that the config asks for no more are dropped.

        Otherwise they would be taken up where they were, should it ask for them again one day.
        """
        names = {f"{PREFIX}{name}" for name in self._containers}
        self._stale = [key for key in state if key.startswith(PREFIX) and key not in names]
        for each in self._all():
            each.restore(state)

    def _all(self) -> list[Container | Division]:
        return [*self._containers.values(), *self._divisions.values()]

    def _energy(
        self,
        tick: Tick,
        cover: Coverage,
        seen: Mapping[str, Seen],
        trackers: Mapping[str, Tracker],
        time_s: float,
    ) -> dict[str, str]:
        parts: dict[str, Part] = {}
        for name, tracker in trackers.items():
            if name not in self._containers:
                each = seen.get(name)
                if each is not None:
                    tick.joules(name, each.pieces.joules)
                    cover.add(name, [c for c in each.cover if c.quantity == "energy"])
                parts[name] = _part(tracker, each)
        cuts: dict[str, str] = {}
        for name, container in self._containers.items():
            mine = {part: parts[part] for part in container.parts}
            settled = container.step(seen.get(name), mine, time_s)
            tick.joules(name, settled.joules)
            cover.add(name, settled.cover)
            known = trackers[name].look is not None
            parts[name] = Part(answered=not settled.waiting, known=known, energy_j=settled.energy_j)
            for part in settled.cut:
                cuts[part] = f"its energy is in that of '{name}', which did not wait for it longer"
        return cuts

    def _divide(
        self,
        name: str,
        division: Division,
        tick: Tick,
        cover: Coverage,
        seen: Mapping[str, Seen],
        tracker: Tracker,
        time_s: float,
    ) -> None:
        total = seen.get(name)
        look = tracker.planned or tracker.look
        work = [r for r in look.readings if r.kind in WORK] if look else []
        kinds, models = {r.kind for r in work}, {named(r.model) for r in work}
        pieces = {f: seen[f].pieces if f in seen else Pieces() for f in self._fronts[name]}
        divided = division.step(total, kinds, pieces, time_s, models=models)
        _write(name, divided, tick, cover)
        for front, own in pieces.items():
            deeds, waits = division.own(own)
            tick.deeds(front, deeds)
            tick.waits(front, waits)
            if front in seen:
                cover.add(front, [c for c in seen[front].cover if c.quantity == "work"])


def _write(name: str, divided: Divided, tick: Tick, cover: Coverage) -> None:
    for front, deed in divided.deeds:
        tick.deeds(name, [deed], by=front)
    tick.waits(name, divided.waits, by="")
    cover.add(name, divided.cover)


def _part(tracker: Tracker, seen: Seen | None) -> Part:
    known = tracker.look is not None and not tracker.cut
    energy_j = seen.pieces.energy_j if seen is not None else 0.0
    return Part(answered=seen is not None, known=known, energy_j=energy_j)


def _inside_first(targets: Mapping[str, Target]) -> Iterator[str]:
    """Targets that contain others, each after what is inside of it."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        """What is inside of it, then itself."""
        for part in targets[name].contains or ():
            yield from visit(part)
        if targets[name].contains and name not in done:
            done.add(name)
            yield name

    for name in targets:
        yield from visit(name)
