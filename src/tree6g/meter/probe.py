"""What the meter would read of a target: the answer of `tree6g meter test`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tree6g.errors import MeterError
from tree6g.meter.fetch import fetch, is_url
from tree6g.meter.reading import LATENCIES, Found, Reading
from tree6g.meter.recognise import recognise
from tree6g.meter.sources import nvml, sysfs

NVML: Final = "nvml"
_SHARES: Final = ("prb_dl", "prb_ul", "gpu_busy")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Amount of one kind over all readings that are not parts of others."""

    kind: str
    value_si: float
    unit: str
    readings: int


def probe(target: str, columns: Sequence[str] = ()) -> Found:
    """What a URL, a file, a folder with `sys/class/powercap`, or the word `nvml` gives.

    Raises:
        MeterError: It cannot be had, or is no source that is known.
    """
    if not is_url(target) and Path(target).is_dir():
        tree = sysfs.folder(Path(target))
        if not tree:
            raise MeterError(f"expected sys/class/powercap or sys/class/hwmon in {target}.")
        return sysfs.read_sysfs(tree)
    if target == NVML and not Path(target).exists():
        found = nvml.read_nvml()
        if not found.format:
            raise MeterError("\n".join(found.problems))
        return found
    try:
        return recognise(fetch(target), columns)
    except MeterError as error:
        if target in str(error):
            raise
        raise MeterError(
            "\n".join(f"{target}: {line}" for line in str(error).splitlines())
        ) from None


def sums(found: Found) -> tuple[Sum, ...]:
    """Sums by kind of what may be added up; parts of others are not, nor shares and latencies.

    Power of several times is not added either.
    """
    made = []
    for kind in dict.fromkeys(r.kind for r in found.readings):
        own = [r for r in found.readings if r.kind == kind and not r.part_of]
        known = [r for r in own if r.net_si is not None]
        if known and kind not in {*LATENCIES, *_SHARES} and _addable(known):
            values = [r.net_si for r in known if r.net_si is not None]
            made.append(
                Sum(kind=kind, value_si=math.fsum(values), unit=known[0].unit, readings=len(known))
            )
    return tuple(made)


def _addable(readings: list[Reading]) -> bool:
    """Amounts of intervals add up over time; states only if they are of one time."""
    if len({r.unit for r in readings}) != 1 or len({r.form for r in readings}) != 1:
        return False
    if readings[0].form == "interval" and readings[0].unit != "w":
        return True
    return len({r.t1_s for r in readings}) == 1


def to_dict(found: Found) -> dict[str, Any]:
    """The machine-readable answer."""
    return {
        "format": found.format,
        "series": [_series(r) for r in found.readings],
        "sums": [dataclasses.asdict(s) for s in sums(found)],
        "problems": list(found.problems),
    }


def _series(r: Reading) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": r.name, "kind": r.kind, "value_si": r.net_si, "unit": r.unit, "form": r.form,
        "node": r.node, "component": r.component, "model": r.model, "tenant": r.tenant,
        "origin": r.origin, "part_of": r.part_of, "t0_s": r.t0_s, "t1_s": r.t1_s,
        "start_s": r.start_s, "sum_si": r.sum_si, "reason": r.why or None,
        "suspect": r.suspect or None,
    }  # fmt: skip
    return row
