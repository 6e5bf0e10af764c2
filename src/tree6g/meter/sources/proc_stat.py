"""CPU time of a Linux machine from `/proc/stat`: seconds in which something ran, over all cores.

Columns of the first line are user, nice, system, idle, iowait, irq, softirq, steal, guest and guest
nice, in hundredths of a second; guests are inside user. Stolen time is what other guests of the
host used, so it is not ours. Energy of it is an estimate that somebody else makes.

Source: Linux documentation, proc(5), `/proc/stat`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Final

from tree6g.meter.reading import Found, reading

TICK_S: Final = 0.01  # USER_HZ is 100 on every architecture that is left
_CPU: Final = re.compile(
    # A blank between any two numbers, or a long one could be split in more ways than can be tried.
    r"^cpu[ \t]+(\d{1,20}(?:[ \t]+\d{1,20}){3,11})\s*$",
    re.ASCII | re.MULTILINE,
)
_START: Final = re.compile(r"^btime (\d{1,12})$", re.ASCII | re.MULTILINE)
_RUNNING: Final = (0, 1, 2, 5, 6)


def read_proc_stat(text: str) -> Found:
    """Busy CPU seconds since the start; an empty `Found` if the text is something else."""
    line, start = _CPU.search(text), _START.search(text)
    if line is None:
        return Found(format="")
    ticks = [float(word) for word in line[1].split()]
    busy = math.fsum(ticks[at] for at in _RUNNING if at < len(ticks))
    made = reading("cpu, all but idle", "cpu_busy", "counter", busy * TICK_S, component="cpu")
    made = dataclasses.replace(made, start_s=float(start[1]) if start else None)
    problem = "energy from CPU time is an estimate: within 15 % calibrated, 40 % otherwise."
    return Found(format="proc stat", readings=(made,), problems=(problem,))
