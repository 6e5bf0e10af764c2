"""CodeCarbon's emissions.csv: energy of CPU, GPU and memory of each run, in kWh.

`energy_consumed` is their sum and is not added. The time stamp is the end, `duration` the length.
Without counters its CPU power is a constant or a curve of the load: `estimated`, and with an error
of a third (its own calibration data against RAPL).

Source: CodeCarbon documentation, output; methodology.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Final

from tree6g.meter.reading import Found, Reading, reading
from tree6g.meter.sources.rows import cell, instant, rows

KWH_J: Final = 3.6e6
_PARTS: Final = (("cpu_energy", "cpu"), ("gpu_energy", "gpu"), ("ram_energy", "memory"))
AGREES_FRAC: Final = 0.01


def is_codecarbon(titles: list[str]) -> bool:
    """Whether these are its columns."""
    return {"duration", "cpu_energy", "energy_consumed"} <= set(titles)


def read_codecarbon(text: str) -> Found:
    """Energy of each part of each run, over its time."""
    readings: list[Reading] = []
    problems: list[str] = []
    for number, row in enumerate(rows(text), 2):
        made = list(_run(number, row))
        readings += made
        problems += _against(number, row, made)
    if readings:
        problems.append("codecarbon: estimates unless its log says that RAPL and NVML were read.")
    else:
        problems.append("codecarbon: no run.")
    return Found(format="codecarbon", readings=tuple(readings), problems=tuple(problems))


def _run(number: int, row: Mapping[str, str]) -> Iterator[Reading]:
    end = instant(row.get("timestamp", ""))
    duration = cell(row.get("duration", ""))
    start = end - duration if end is not None and 0.0 <= duration < math.inf else None
    for column, component in _PARTS:
        if row.get(column):
            made = reading(
                f"row {number} {column}", "energy", "interval", cell(row[column]), scale=KWH_J,
                node=row.get("run_id", ""), component=component, origin="estimated",
            )  # fmt: skip
            yield dataclasses.replace(made, t0_s=start, t1_s=end)


def _against(number: int, row: Mapping[str, str], made: list[Reading]) -> Iterator[str]:
    """The parts against their sum, and against power times time."""
    if instant(row.get("timestamp", "")) is None:
        yield f"row {number}: expected an instant as timestamp; got {row.get('timestamp')!r:.60}."
    if not 0.0 <= cell(row.get("duration", "")) < math.inf:
        yield f"row {number}: expected seconds as duration; got {row.get('duration')!r:.60}."
    whole = cell(row.get("energy_consumed", "")) * KWH_J
    parts = math.fsum(r.value_si or 0.0 for r in made)
    if math.isfinite(whole) and abs(parts - whole) > AGREES_FRAC * max(whole, 1.0):
        yield (
            f"row {number}: CPU, GPU and memory give {parts:.6g} J, energy_consumed says "
            f"{whole:.6g} J; the parts are read."
        )
