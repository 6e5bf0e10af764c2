"""All targets at once, with few threads: who answers in time, and who does not."""

from __future__ import annotations

import concurrent.futures
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from tree6g.errors import MeterError
from tree6g.meter.agent.targets import Source
from tree6g.meter.reading import Found

THREADS: Final = 8
SPARE_S: Final = 1.0  # beyond the time-out of a target, for what does not heed it
LONGEST_PAUSE_S: Final = 300.0
JITTER: Final = 0.25


class Answer(NamedTuple):
    """What one target gave: a reason if nothing; the time is that of the middle of the asking."""

    found: Found | None
    reason: str
    time_s: float


class Poller:
    """Asks sources; one that hangs is left alone until it comes back."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        timeouts_s: Mapping[str, float],
        now_s: Callable[[], float],
    ) -> None:
        self._sources, self._timeouts_s, self._now_s = sources, timeouts_s, now_s
        threads = max(min(THREADS, len(sources)), 1)
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "tree6g-poll")
        self._silent: set[str] = set()  # the last time
        self._hanging: dict[str, concurrent.futures.Future[Answer]] = {}

    def poll(self, names: Iterable[str]) -> dict[str, Answer]:
        """What each of these says."""
        self._hanging = {n: f for n, f in self._hanging.items() if not f.done()}
        # Who was silent the last time is asked last, so that it keeps no thread from the others.
        order = sorted(names, key=self._silent.__contains__)
        asked = {n: self._pool.submit(self._ask, n) for n in order if n not in self._hanging}
        wait_s = max((self._timeouts_s[n] for n in asked), default=0.0) + SPARE_S
        concurrent.futures.wait(asked.values(), timeout=wait_s)
        found: dict[str, Answer] = {}
        for name in order:
            future = asked.get(name)
            if future is not None and future.done():
                found[name] = future.result()
            else:
                if future is not None:
                    self._hanging[name] = future
                found[name] = Answer(None, "it has not answered at all yet", self._now_s())
        self._silent -= {name for name, answer in found.items() if answer.found is not None}
        self._silent |= {name for name, answer in found.items() if answer.found is None}
        return found

    def close(self) -> None:
        """Ask nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for name, source in self._sources.items():
            if name not in self._hanging:
                source.close()

    def _ask(self, name: str) -> Answer:
        start_s = self._now_s()
        try:
            found, reason = self._sources[name].look(), ""
        except MeterError as error:
            found, reason = None, " ".join(str(error).split())
        except RecursionError:
            found, reason = None, "it is nested too deeply"
        return Answer(found, reason, 0.5 * (start_s + self._now_s()))


class Pauses:
    """When a target is asked again: at every edge, or after failures ever later, up to a bound."""

    def __init__(self, interval_s: float, seed: int | None = None) -> None:
        self._interval_s = interval_s
        self._random = random.Random(seed)  # noqa: S311  # spreads load, guards nothing
        self._failures: dict[str, int] = {}
        self._due_s: dict[str, float] = {}

    def due(self, name: str, time_s: float) -> bool:
        """Whether it is asked at this time."""
        return time_s >= self._due_s.get(name, 0.0)

    def failed(self, name: str, time_s: float) -> None:
        """It did not answer."""
        count = self._failures[name] = min(self._failures.get(name, 0) + 1, 30)
        pause_s = min(self._interval_s * 2.0 ** (count - 1), LONGEST_PAUSE_S)
        spread = 1.0 + JITTER * self._random.random() if count > 1 else 0.9
        self._due_s[name] = time_s + pause_s * spread

    def answered(self, name: str) -> None:
        """It did."""
        self._failures.pop(name, None)
        self._due_s.pop(name, None)

    def move(self, by_s: float) -> None:
        """The agent's time jumped."""
        self._due_s = {name: at_s + by_s for name, at_s in self._due_s.items()}
