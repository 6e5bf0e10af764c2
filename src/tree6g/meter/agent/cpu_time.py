"""CPU time of this machine and of a process with its children, and the energy that it tells.

Whole machine: P = idle + (full - idle) u^exponent, u the busy share of all cores; idle power is
told apart. One process: its share, by CPU time, of the machine's dynamic energy
(full - idle) u^exponent; idle energy is not its own. Estimates: CodeCarbon's calibration data show
15 % off where fitted on the same kind of load and 40 % otherwise (`CpuModel.u95_frac`).

Sources: proc(5), `/proc/stat` and `/proc/[pid]/stat`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tree6g.errors import MeterError
from tree6g.meter.agent.config import CpuModel
from tree6g.meter.reading import Found, Reading, reading
from tree6g.meter.sources.proc_stat import TICK_S, read_proc_stat

WHOLE: Final = "cpu, all but idle"
PROCESS: Final = "cpu, process"
_PROC: Final = Path("/proc")


def read_cpu_time(pid: int | None, proc: Path = _PROC) -> Found:
    """Busy seconds of the machine; and of a process with its children, living and waited for.

    Raises:
        MeterError: There is no such process, or no `/proc`.
    """
    try:
        text = (proc / "stat").read_text("ascii", "replace")
    except OSError as error:
        raise MeterError(f"cannot read {proc / 'stat'}: {error.strerror}.") from error
    found = read_proc_stat(text)
    if not found.format:
        raise MeterError(f"expected the CPU time of Linux in {proc / 'stat'}.")
    # A reading of its own, with no start: the boot time moves with the wall clock.
    whole = dataclasses.replace(found.readings[0], name=WHOLE, start_s=None)
    readings = (whole,) if pid is None else (whole, _process(pid, proc))
    return Found(format="cpu time", readings=readings, problems=found.problems)


def cores(proc: Path = _PROC) -> int:
    """Cores that `/proc/stat` counts."""
    try:
        lines = (proc / "stat").read_text("ascii", "replace").splitlines()
    except OSError:
        return os.cpu_count() or 1
    return max(sum(line[:3] == "cpu" and line[3:4].isdigit() for line in lines), 1)


def power_w(model: CpuModel, busy_frac: float) -> tuple[float, float]:
    """Idle and dynamic power at a busy share of the cores."""
    busy_frac = min(max(busy_frac, 0.0), 1.0)
    return model.idle_w, (model.full_w - model.idle_w) * busy_frac**model.exponent


def _process(pid: int, proc: Path) -> Reading:
    times = dict(_stats(proc))
    if pid not in times:
        raise MeterError(f"there is no process {pid}.")
    children: dict[int, list[int]] = {}
    for number, stat in times.items():
        children.setdefault(stat.parent, []).append(number)
    total, waiting, seen = 0.0, [pid], set()
    while waiting:
        number = waiting.pop()
        if number not in seen:
            seen.add(number)
            total += times[number].ticks
            waiting += children.get(number, ())
    # A process that takes the number of one that ended is another one: its name says its start.
    name = f"{PROCESS} {pid} since tick {times[pid].start}"
    return reading(name, "cpu_busy", "counter", total * TICK_S, component="cpu")


@dataclasses.dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    ticks: float
    start: int


def _stats(proc: Path) -> Iterator[tuple[int, _Stat]]:
    """Parent and times of all processes; of children that were waited for as well."""
    for entry in os.scandir(proc):
        if not entry.name.isdigit():
            continue
        try:
            with open(f"{entry.path}/stat", "rb") as file:  # noqa: PTH123  # thousands a second
                fields = file.read(4096).rpartition(b")")[2].split()
            yield (
                int(entry.name),
                _Stat(int(fields[1]), float(sum(map(int, fields[11:15]))), int(fields[19])),
            )
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile


def joules(
    model: CpuModel, busy_s: Mapping[str, float], length_s: float, count: int
) -> tuple[float, float]:
    """Idle and dynamic energy of busy seconds by reading over a time.

    Args:
        model: Power.
        busy_s: Busy seconds of the machine under `WHOLE`, and of a process under another name.
        length_s: The time.
        count: Cores of the machine.
    """
    whole_s = busy_s[WHOLE]
    idle_w, dynamic_w = power_w(model, whole_s / (count * length_s))
    if model.pid is None:
        return idle_w * length_s, dynamic_w * length_s
    own_s = sum(s for name, s in busy_s.items() if name != WHOLE)
    share = min(own_s / whole_s, 1.0) if whole_s > 0.0 else 0.0
    return 0.0, dynamic_w * length_s * share
