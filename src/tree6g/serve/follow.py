"""The newest state of a ledger, and what was made from it: each once, however many ask."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from tree6g.errors import LedgerError
from tree6g.ledger import meta as header
from tree6g.ledger.reading import Ledger, open_ledger, reopen
from tree6g.metric.coverage import Span
from tree6g.serve.extent import extent, part_spans

LOOK_EVERY_S: Final = 1.0
KEPT: Final = 24
# What was made is made anew only after this many times the processor time that making it took, so
# following a ledger takes a fifth of a processor at most, however large it is.
REST: Final = 4.0

Made = TypeVar("Made")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A ledger as it stood at one look.

    Attributes:
        ledger: The ledger.
        spans: Time of its parts.
        extent: First start and last end of its rows, None for an empty one.
        number: Counts the states that were seen.
        problem: Why the newest look failed, if it did; the state is then the last good one.
    """

    ledger: Ledger
    spans: dict[Path, Span]
    extent: Span | None
    number: int
    problem: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    value: Any
    state: int
    fresh_until_s: float


class Follower:
    """Follows a ledger that may grow.

    Looks at the folder at most every `LOOK_EVERY_S`, reads the footers of new parts alone, and
    keeps the `KEPT` newest results. Safe to use from many threads; one works at a time.
    """

    def __init__(self, path: Path) -> None:
        """Open the ledger.

        Raises:
            LedgerError: There is none, or it is broken.
        """
        self.path = path
        self._lock = threading.RLock()
        self._made: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._stamp = self._header_stamp()
        self._state = _state(open_ledger(path), {}, 1)
        self._looked_s = time.monotonic()

    def state(self) -> State:
        """The ledger as it stands now, or stood less than `LOOK_EVERY_S` ago."""
        with self._lock:
            if time.monotonic() >= self._looked_s + LOOK_EVERY_S:
                self._look()
                self._looked_s = time.monotonic()
            return self._state

    def made(self, key: Hashable, make: Callable[[State], Made]) -> Made:
        """What `make` gives for the newest state, kept under `key` as long as that is fair."""
        with self._lock:
            state = self.state()
            kept = self._made.get(key)
            resting = kept is not None and time.monotonic() < kept.fresh_until_s
            if kept is not None and (kept.state == state.number or resting):
                self._made.move_to_end(key)
                return cast("Made", kept.value)
            start_s = time.thread_time()
            value = make(state)
            rest_s = REST * (time.thread_time() - start_s)
            until_s = time.monotonic() + rest_s
            self._made[key] = _Kept(value=value, state=state.number, fresh_until_s=until_s)
            self._made.move_to_end(key)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
            return value

    def _look(self) -> None:
        old = self._state
        try:
            stamp = self._header_stamp()
            same = stamp == self._stamp
            now = reopen(old.ledger) if same else open_ledger(self.path)
            if now is not old.ledger:
                self._state = _state(now, old.spans if same else {}, old.number + 1)
                self._stamp = stamp
            elif old.problem is not None:
                self._state = dataclasses.replace(old, problem=None, number=old.number + 1)
        except LedgerError as error:
            if str(error) != old.problem:
                self._state = dataclasses.replace(old, problem=str(error), number=old.number + 1)

    def _header_stamp(self) -> tuple[int, int] | None:
        """Tells another ledger in the same place from the same one with more parts."""
        try:
            found = (self.path / header.FILE).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def _state(ledger: Ledger, known: dict[Path, Span], number: int) -> State:
    spans = part_spans(ledger, known)
    return State(ledger=ledger, spans=spans, extent=extent(ledger, spans), number=number)
