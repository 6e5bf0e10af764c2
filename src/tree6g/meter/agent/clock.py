"""The agent's time: it never goes back, whatever is done to the clock on the wall.

| what happens | what the agent's time does |
|---|---|
| nothing | follows the wall clock |
| the wall clock is set ahead | jumps to it; the time in between is a gap, for it has not passed |
| the machine slept | goes on with the wall clock, for that time has passed |
| the wall clock is set back | goes on by the monotonic clock; how far it is ahead is said |
| a restart with the wall clock behind the last durable look | starts at that look |
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Final, Protocol

STEP_S: Final = 1.0  # less is the clock being disciplined, not set


class Clock(Protocol):
    """Where time comes from; tests bring their own."""

    def wall_s(self) -> float:
        """UNIX time as the machine believes it."""
        ...

    def monotonic_s(self) -> float:
        """Time that only goes on, sleep of the machine included."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait, at most this long."""
        ...


class SystemClock:
    """The clocks of the machine; `stop` ends a sleep."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        # Linux tells with the boot clock how long the machine slept; elsewhere sleep looks as if
        # the wall clock had been set ahead, which is a gap as well.
        self._clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def wall_s(self) -> float:
        """UNIX time."""
        return time.time()

    def monotonic_s(self) -> float:
        """Seconds since the start of the machine."""
        return time.clock_gettime(self._clock)

    def sleep(self, seconds: float) -> None:
        """Wait; `stop.set()` ends it at once."""
        self.stop.wait(max(seconds, 0.0))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was done to the wall clock since the last time that somebody asked.

    Attributes:
        t0_s: The agent's time before.
        t1_s: The agent's time after; later only if the wall clock was set ahead.
        offset_s: How far the agent's time is ahead of the wall clock now.
        reason: In words.
    """

    t0_s: float
    t1_s: float
    offset_s: float
    reason: str


class SteadyClock:
    """UNIX time that never goes back."""

    def __init__(self, clock: Clock, *, not_before_s: float = 0.0) -> None:
        """Start at the wall clock, but not before the last durable look."""
        wall_s = clock.wall_s()
        self._clock = clock
        self._shift_s = max(wall_s, not_before_s) - clock.monotonic_s()
        self._told_s = 0.0  # offset that was said

    def now_s(self) -> float:
        """The agent's time."""
        return self._clock.monotonic_s() + self._shift_s

    @property
    def offset_s(self) -> float:
        """How far the agent's time is ahead of the wall clock."""
        return self._told_s

    def check(self) -> Step | None:
        """Look at the wall clock; a step if it was set."""
        now_s = self.now_s()
        ahead_s = now_s - self._clock.wall_s()
        if ahead_s < 0.0:  # the wall clock is ahead: follow it
            self._shift_s -= ahead_s
            self._told_s = 0.0
            if ahead_s > -STEP_S:
                return None
            reason = f"the clock was set ahead by {-ahead_s:.3f} s"
            return Step(t0_s=now_s, t1_s=now_s - ahead_s, offset_s=0.0, reason=reason)
        if abs(ahead_s - self._told_s) <= STEP_S:
            return None
        back_s, self._told_s = ahead_s - self._told_s, ahead_s
        moved = f"set back by {back_s:.3f} s" if back_s > 0.0 else f"set ahead by {-back_s:.3f} s"
        reason = f"the clock was {moved}; times here go on, {ahead_s:.3f} s ahead of it"
        return Step(t0_s=now_s, t1_s=now_s, offset_s=ahead_s, reason=reason)
