"""Energy inside of other energy: the outer one's rows are what is left of it, no joule twice.

Sums are compared from the outer meter's look to its next: rest = outer - what is inside, and what
the clocks of the two make negative for once is carried on, so over time rows of the rest and of
what is inside add up to the outer meter. If something inside does not answer, the outer one waits
for it; if that lasts too long its rows are written whole, and the energy of the missing one is left
out up to its next look, for it is in them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tree6g.meter.agent.pieces import Joules
from tree6g.meter.agent.tracker import Cover, Seen, dumped

WAIT: Final = 10.0  # intervals
PREFIX: Final = "/inside/"


@dataclasses.dataclass(frozen=True, slots=True)
class _Sum:
    """Since `t0_s`: energy of the outer meter and of what is inside, and what is carried over."""

    t0_s: float | None = None
    outer_j: float = 0.0
    inner_j: float = 0.0
    carry_j: float = 0.0
    estimated: bool = False


@dataclasses.dataclass(slots=True)
class Part:
    """What is known, at one tick, of one thing inside.

    Attributes:
        answered: Whether its energy up to now is settled.
        known: Whether it ever answered and is not cut off; only then it is waited for.
        energy_j: Its energy that was settled at this tick, with what is inside of it.
    """

    answered: bool
    known: bool
    energy_j: float = 0.0


@dataclasses.dataclass(slots=True)
class Settled:
    """What came of one tick.

    Attributes:
        joules: Rows of the rest.
        cover: What is said of the outer meter's energy.
        energy_j: Outer energy that is settled now.
        waiting: Whether it waits.
        cut: Parts that are not waited for any more.
    """

    joules: list[Joules] = dataclasses.field(default_factory=list)
    cover: list[Cover] = dataclasses.field(default_factory=list)
    energy_j: float = 0.0
    waiting: bool = False
    cut: tuple[str, ...] = ()


class Container:
    """One outer meter; `step` plans, `commit` makes it so."""

    def __init__(self, name: str, parts: Sequence[str], wait_s: float) -> None:
        self.name, self.parts, self._wait_s = name, tuple(parts), wait_s
        self._now = self._then = _Sum()

    def step(self, seen: Seen | None, parts: Mapping[str, Part], time_s: float) -> Settled:
        """Put together what one tick gave.

        Args:
            seen: The look of the outer meter; None: it gave none.
            parts: What is inside.
            time_s: The time of the tick.
        """
        old = self._now
        inner_j = sum(part.energy_j for part in parts.values())
        if old.t0_s is None:  # nothing of the outer one since a first look: parts are on their own
            self._then = _Sum(t0_s=seen.time_s) if seen is not None else old
            return Settled()
        total = dataclasses.replace(old, inner_j=old.inner_j + inner_j)
        if seen is None:
            self._then = total
            return Settled(waiting=True)
        if seen.broken:
            self._then = _Sum(t0_s=seen.time_s)
            return Settled(cover=[c for c in seen.cover if c.quantity == "energy"])
        estimated = old.estimated or any(p.origin != "measured" for p in seen.pieces.joules)
        outer_j = old.outer_j + seen.pieces.energy_j
        total = dataclasses.replace(total, outer_j=outer_j, estimated=estimated)
        missing = tuple(name for name, part in parts.items() if part.known and not part.answered)
        if missing and time_s - old.t0_s <= self._wait_s:
            self._then = total
            return Settled(waiting=True)
        return self._settle(total, seen, missing)

    def commit(self) -> None:
        """The rows are durable."""
        self._now = self._then

    def drop(self) -> None:
        """They are not."""
        self._then = self._now

    def move(self, by_s: float) -> None:
        """The agent's time jumped."""
        if self._now.t0_s is not None:
            self._now = self._then = dataclasses.replace(self._now, t0_s=self._now.t0_s + by_s)

    def state(self) -> dict[str, bytes]:
        """What has to be durable together with the rows."""
        return {f"{PREFIX}{self.name}": dumped(dataclasses.astuple(self._then))}

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Go on from the last durable tick."""
        raw = state.get(f"{PREFIX}{self.name}")
        if raw is not None:
            values: list[Any] = json.loads(raw)
            self._now = self._then = _Sum(*values)

    def _settle(self, total: _Sum, seen: Seen, missing: tuple[str, ...]) -> Settled:
        t0_s = total.t0_s or 0.0
        rest_j = total.outer_j - total.inner_j + total.carry_j
        made = Settled(energy_j=total.outer_j, cut=missing)
        for piece in seen.pieces.joules[:1]:
            origin = "estimated" if total.estimated else piece.origin
            if rest_j > 0.0:
                made.joules.append(
                    piece._replace(
                        t0_s=t0_s, t1_s=seen.time_s, energy_j=rest_j, origin=origin, idle_j=None
                    )
                )
        for cover in seen.cover:
            if cover.quantity == "energy":
                is_ok = not cover.reason
                made.cover.append(cover._replace(t0_s=t0_s) if is_ok else cover)
        self._then = _Sum(t0_s=seen.time_s, carry_j=min(rest_j, 0.0))
        return made
