"""A look as bytes and back: what stays the same apart from the numbers that move."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Sequence
from typing import Any, Final

from tree6g.errors import LedgerError
from tree6g.meter.deltas import Look
from tree6g.meter.reading import Reading

_TEXTS: Final = (
    "name", "kind", "form", "unit", "node", "component", "model", "tenant", "part_of", "origin",
)  # fmt: skip
_NAN: Final = math.nan


def shape(readings: Sequence[Reading]) -> tuple[Any, ...]:
    """What `form` depends on, cheap to make and to compare."""
    return tuple((r.name, r.kind, r.wraps_si, [edge for edge, _ in r.buckets]) for r in readings)


def form(readings: Sequence[Reading]) -> bytes:
    """All of the readings that stays the same from look to look."""
    rows = [
        [*(getattr(r, name) for name in _TEXTS), r.wraps_si, [str(e) for e, _ in r.buckets]]
        for r in readings
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def numbers(look: Look) -> bytes:
    """Time and numbers of a look, in the order of its form."""
    found = array("d", [look.time_s])
    for r in look.readings:
        found.extend((_known(r.value_si), r.less_si, _known(r.start_s), _known(r.sum_si)))
        if r.buckets:
            found.extend([count for _, count in r.buckets])
    return found.tobytes()


def look_of(form_raw: bytes, numbers_raw: bytes) -> Look:
    """The look that was written.

    Raises:
        LedgerError: The two do not belong together.
    """
    try:
        values = array("d")
        values.frombytes(numbers_raw)
        moving = iter(values)
        time_s = next(moving)
        readings = [_reading(row, moving) for row in json.loads(form_raw)]
    except (ValueError, TypeError, StopIteration, RuntimeError) as error:
        raise LedgerError(f"the state of a target in the journal is damaged: {error!r}.") from error
    return Look(time_s=time_s, readings=readings)


def _reading(row: list[Any], moving: Any) -> Reading:
    *texts, wraps_si, edges = row
    value, less, start, total = (next(moving) for _ in range(4))
    return Reading(
        **dict(zip(_TEXTS, texts, strict=True)),
        wraps_si=wraps_si,
        value_si=_unknown(value),
        less_si=less,
        start_s=_unknown(start),
        sum_si=_unknown(total),
        buckets=tuple((float(edge), next(moving)) for edge in edges),
    )


def _known(value: float | None) -> float:
    return _NAN if value is None else value


def _unknown(value: float) -> float | None:
    return None if math.isnan(value) else value
