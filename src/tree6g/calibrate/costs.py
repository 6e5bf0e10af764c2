"""What a run cost: CPU seconds of a process, joules of a meter, or the server's own busy time."""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path
from typing import Final, Protocol

from tree6g.errors import MeterError, ScenarioError
from tree6g.meter import probe

PROC: Final = Path("/proc")
_CPU_CLOCK: Final = 2  # CPUCLOCK_SCHED of the kernel: run time of all threads, dead ones included
_LISTENING: Final = "0A"


class Cost(Protocol):
    """A counter of what a server uses up.

    Attributes:
        unit: Suffix of its unit, `s` or `j`.
        what: What it counts, in words.
        least_s: Runs must be this long for its resolution.
    """

    unit: str
    what: str
    least_s: float

    def total(self) -> float:
        """The counter now."""
        ...


class CpuSeconds:
    """CPU seconds of a process and the processes that it started, from the kernel's clocks.

    The clock of a process counts its ended threads too. A child that ends during a run takes what
    it used with it: servers that start workers start them once.
    """

    unit = "s"
    least_s = 0.0

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.what = f"CPU seconds of process {pid}"
        self.total()

    def total(self) -> float:
        """CPU seconds since the start of each process, in s.

        Raises:
            MeterError: There is no such process, or no such clock on this system.
        """
        try:
            return sum(time.clock_gettime((~pid << 3) | _CPU_CLOCK) for pid in _family(self.pid))
        except OSError as error:
            raise MeterError(
                f"expected a running process of this machine, on Linux; {self.pid} has no clock "
                f"of CPU time ({error.strerror})."
            ) from error


class MeterJoules:
    """Joules of a meter's counters, those that are no parts of others."""

    unit = "j"

    def __init__(self, target: str, *, least_s: float = 5.0) -> None:
        self.target, self.least_s = target, least_s
        self.what = f"joules of {target}"
        self.total()

    def total(self) -> float:
        """Joules since each counter's start.

        Raises:
            MeterError: The target cannot be read or has no counter of energy.
        """
        readings = probe.probe(self.target).readings
        own = [r for r in readings if r.kind == "energy" and r.form == "counter" and not r.part_of]
        values = [r.net_si for r in own if r.net_si is not None]
        if not values:
            raise MeterError(
                f"expected a counter of energy in {self.target}; it has none. See `tree6g meter "
                f"test {self.target}`."
            )
        return sum(values)


class Timings:
    """Busy time that the answers state; requests that overlap count it several times."""

    unit = "s"
    least_s = 0.0
    what = "busy time that the server states; only requests one by one"

    def __init__(self) -> None:
        self.busy_s = 0.0

    def total(self) -> float:
        """What the answers so far state."""
        return self.busy_s


def cost_of(
    host: str, port: int, *, pid: int | None, energy: str | None, busy: str | None
) -> CpuSeconds | MeterJoules | Timings:
    """The counter that was asked for; on this machine, else, the process that listens at the port.

    Raises:
        ScenarioError: More than one was asked for, or none and the server is elsewhere.
        MeterError: It cannot be read.
    """
    given = [name for name, v in (("--pid", pid), ("--energy", energy), ("--busy", busy)) if v]
    if len(given) > 1:
        raise ScenarioError(f"expected one of --pid, --energy, --busy; got {' and '.join(given)}.")
    if busy and busy != "timings":
        raise ScenarioError(f"expected --busy timings; got {busy!r}.")
    if energy:
        return MeterJoules(energy)
    if busy:
        return Timings()
    found = pid or (listening(port) if _is_here(host) else None)
    if found is None:
        raise ScenarioError(
            f"expected --pid of the server, --energy with a meter of it, or --busy timings; the "
            f"process at {host}:{port} was not found on this machine."
        )
    return CpuSeconds(found)


def listening(port: int) -> int | None:
    """The process that listens at a port of this machine, if we may see it."""
    sockets = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / name).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        fields = [line.split() for line in lines]
        sockets |= {
            f"socket:[{f[9]}]"
            for f in fields
            if f[3] == _LISTENING and int(f[1].rpartition(":")[2], 16) == port
        }
    for folder in PROC.glob("[0-9]*/fd"):
        try:
            if any(str(link.readlink()) in sockets for link in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:
            continue  # ended meanwhile, or another user's
    return None


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for file in PROC.glob(f"{one}/task/*/children"):
            try:
                waiting += [int(word) for word in file.read_text("ascii").split()]
            except OSError:
                continue  # a thread that ended meanwhile
    return found


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
