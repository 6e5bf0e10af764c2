"""What speaks against a value that can be read: said in words, the value stays.

Limits are far outside of what one thing can do, so that only faults of units or of an exporter are
told: a part of a token, a machine or a card of 100 kW.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from tree6g.meter.reading import Found, Reading

MAX_W: Final = 100_000.0
_WHOLE: Final = ("tok", "request")


def doubted(found: Found) -> Found:
    """The same with doubts at the readings and among the problems."""
    readings = tuple(_doubted(r) for r in found.readings)
    new = [
        f"{now.name}: {now.suspect}."
        for now, then in zip(readings, found.readings, strict=True)
        if now is not then
    ]
    return dataclasses.replace(found, readings=readings, problems=(*found.problems, *new))


def _doubted(r: Reading) -> Reading:
    doubt = "" if r.suspect else _doubt(r)
    return dataclasses.replace(r, suspect=doubt) if doubt else r


def _doubt(r: Reading) -> str:
    if r.value_si is None:
        return ""
    if r.unit in _WHOLE and r.form == "counter" and r.value_si != int(r.value_si):
        return f"{r.value_si:.10g} is no whole number of {r.kind}"
    if r.unit == "w" and r.value_si > MAX_W:
        return f"{r.value_si:,.6g} W in one place; its unit may be another one"
    inner = r.buckets[-1][1] if r.buckets else r.value_si
    if r.form == "histogram" and inner != r.value_si:
        return f"its count says {r.value_si:.10g}, its buckets {inner:.10g}"
    return ""
