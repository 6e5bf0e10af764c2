"""What a source says, in SI and in our words: readings, and what could not be read.

A reading is one of four forms.

| form | what its value is |
|---|---|
| counter | amount since `start_s`, or since an unknown time; two looks give an amount |
| gauge | state at the time of the look |
| interval | amount, mean or share over [t0_s, t1_s) |
| histogram | number of observations since `start_s`, with `buckets` and `sum_si` |

Readings never overlap silently: one that is contained in another names it in `part_of`, and only
those that name none may be added up (METRIC rule 8).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal

Form = Literal["counter", "gauge", "interval", "histogram"]

# Unit of each kind; a gauge of an amount has it per second.
UNITS: Final[Mapping[str, str]] = {
    "token_in": "tok", "token_in_cached": "tok", "token_out": "tok", "token_reasoning": "tok",
    "token_draft_rejected": "tok",
    "request": "request", "request_lost": "request", "running": "request", "waiting": "request",
    "ttft": "s", "tpot": "s", "e2e": "s", "queue": "s", "prefill": "s", "decode": "s",
    "energy": "j", "power": "w", "cpu_busy": "s", "gpu_busy": "frac",
    "bit_ul": "bit", "bit_dl": "bit", "bit_carried": "bit",
    "prb_dl": "frac", "prb_ul": "frac", "users": "user",
    "flop": "flop", "memory_read": "byte", "memory_written": "byte",
}  # fmt: skip
_RATES: Final[Mapping[str, str]] = {"tok": "tps", "j": "w", "bit": "bps"}
LATENCIES: Final = ("ttft", "tpot", "e2e", "queue", "prefill", "decode")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One quantity that a source gives.

    Attributes:
        name: Name in the source, with what tells it from others there.
        kind: What it is, a key of `UNITS`.
        form: What its value means; see the module.
        value_si: Value in SI; None: it is there and not known, `why` says why not.
        unit: Unit of the value; of a histogram, of its observations.
        less_si: Counter that is contained in the value and is told apart: cached prompt tokens.
        node: Machine, card, cell or meter that it belongs to.
        component: Word of the ledger: gpu, cpu, memory, radio_unit, baseband, host, ...
        model: Model that served it.
        tenant: Key, team, user or adapter that it was for.
        t0_s: Start of an interval, UNIX time.
        t1_s: End of an interval, or the time stamp of the sample.
        start_s: Since when a counter counts; None: unknown.
        wraps_si: Value at which a counter starts anew from 0.
        part_of: Name of the reading that contains this one.
        origin: Word of the ledger: measured, modelled or estimated.
        buckets: Upper edges and cumulated counts of a histogram.
        sum_si: Sum of the observations of a histogram.
        why: Why the value is not known.
        suspect: What speaks against the value.
    """

    name: str
    kind: str
    form: Form
    value_si: float | None
    unit: str
    less_si: float = 0.0
    node: str = ""
    component: str = ""
    model: str = ""
    tenant: str = ""
    t0_s: float | None = None
    t1_s: float | None = None
    start_s: float | None = None
    wraps_si: float | None = None
    part_of: str = ""
    origin: str = "measured"
    buckets: tuple[tuple[float, float], ...] = ()
    sum_si: float | None = None
    why: str = ""
    suspect: str = ""

    @property
    def net_si(self) -> float | None:
        """The value without what is told apart."""
        return None if self.value_si is None else self.value_si - self.less_si


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one look at a source gave.

    Attributes:
        format: The format by its content; empty: not known.
        readings: What can be read.
        problems: What cannot be read, and what looks wrong, in words.
    """

    format: str
    readings: tuple[Reading, ...] = ()
    problems: tuple[str, ...] = ()


def reading(
    name: str, kind: str, form: Form, value: float, *, scale: float = 1.0, **more: object
) -> Reading:
    """A reading in SI; a value that is not finite, or negative, is not known."""
    value_si, why = known(value * scale)
    unit = unit_of(kind, form)
    made = Reading(name=name, kind=kind, form=form, value_si=value_si, unit=unit, why=why)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]  # fields of Reading


def unit_of(kind: str, form: Form) -> str:
    """Unit of a kind; a gauge of an amount is per second."""
    unit = UNITS[kind]
    return _RATES.get(unit, unit) if form == "gauge" else unit


def known(value: float) -> tuple[float | None, str]:
    """The value, or None and why it is not known."""
    if math.isnan(value):
        return None, "the source says NaN"
    if math.isinf(value):
        return None, "the source says infinity"
    if value < 0.0:
        return None, f"expected a value from 0; the source says {value:.6g}"
    return value, ""


def total(readings: Iterable[Reading], kind: str) -> float | None:
    """Sum over what is not part of something else; None if nothing is known."""
    values = [r.net_si for r in readings if r.kind == kind and not r.part_of]
    found = [v for v in values if v is not None]
    return math.fsum(found) if found else None


def merged(parts: Iterable[Found]) -> Found:
    """Several looks as one."""
    found = [part for part in parts if part.format]
    return Found(
        format=", ".join(dict.fromkeys(part.format for part in found)),
        readings=tuple(r for part in found for r in part.readings),
        problems=tuple(p for part in found for p in part.problems),
    )
