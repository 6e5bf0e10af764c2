"""From a 3GPP measurement file to readings: energy, power, bits, PRB use, each over its period.

Energy and power: `PEE.*` of TS 28.552, and Ericsson's `pmConsumedEnergy` (Wh) and
`pmPowerConsumption` (samples, W) of each unit; a measurement of the whole node contains its units.
Bits: PDCP SDU volume in Mbit (`DRB.PdcpSduVolumeDL`), by QoS flow the same bits again, so parts.
Counters with a further suffix (.5QI, .SNSSAI, .PLMN) are parts of the one without. What a node
marks as suspect, or leaves blank, is not known.

Sources: TS 28.552 clauses 5.1.1.2, 5.1.1.19, 5.1.2.1, 5.1.3.6; TS 32.435.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from tree6g.errors import MeterError
from tree6g.meter.reading import Found, Reading, reading
from tree6g.meter.sources.pm_energy import energy_of
from tree6g.meter.sources.pm_xml import PmFile, Value, read_pm_xml
from tree6g.meter.sources.rows import cell

# name -> (kind, factor to SI); what comes first for one kind holds what comes later
_VOLUMES: Final[Mapping[str, tuple[str, float]]] = {
    "DRB.PdcpSduVolumeDL": ("bit_dl", 1e6),
    "DRB.PdcpSduVolumeDL_Filter": ("bit_dl", 1e6),
    "QosFlow.PdcpSduVolumeDL": ("bit_dl", 1e6),
    "QosFlow.PdcpSduVolumeDL_Filter": ("bit_dl", 1e6),
    "pmPdcpVolDlDrb": ("bit_dl", 1e3),
    "DRB.PdcpSduVolumeUL": ("bit_ul", 1e6),
    "DRB.PdcpSduVolumeUL_Filter": ("bit_ul", 1e6),
    "QosFlow.PdcpSduVolumeUL": ("bit_ul", 1e6),
    "QosFlow.PdcpSduVolumeUL_Filter": ("bit_ul", 1e6),
    "pmPdcpVolUlDrb": ("bit_ul", 1e3),
}
_AGAIN: Final = ("QosFlow.",)
_SHARES: Final = {"RRU.PrbTotDl": ("prb_dl", 0.01), "RRU.PrbTotUl": ("prb_ul", 0.01)}
_ENERGY: Final = {"PEE.Energy": "kWh", "pmConsumedEnergy": "Wh"}
_POWER: Final = ("PEE.AvgPower", "pmPowerConsumption")
_WHOLE: Final = "ConsumedEnergyMeasurement"
_LATE_S: Final = 1.0
MAX_PROBLEMS: Final = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Period:
    """All counters of one object over one granularity period."""

    node: str
    duration_s: float | None
    end_s: float | None
    values: Mapping[str, Value]

    @property
    def start_s(self) -> float | None:
        """When the period began; None if its end or its length is unknown."""
        if self.end_s is None or self.duration_s is None:
            return None
        return self.end_s - self.duration_s


def read_pm(raw: bytes) -> Found:
    """What a file says of energy, bits and use.

    Raises:
        MeterError: It is no such file, or one of placeholders.
    """
    file = read_pm_xml(raw)
    _refuse_placeholders(file)
    problems = [f"repaired: {repair}." for repair in file.repairs]
    periods = _periods(file.values, problems)
    readings: list[Reading] = []
    for period in periods:
        readings += _period(period, problems)
    readings = _contained(readings)
    problems += _times(file, periods)
    problems += _left_out(file)
    if not readings:
        problems.append("no counter of energy, power, volume or PRB use that is known here.")
    standard = "32.435" if "32.435" in file.version else "28.532"
    return Found(
        format=f"3gpp pm xml (TS {standard})",
        readings=tuple(readings),
        problems=tuple(problems[:MAX_PROBLEMS]),
    )


def _refuse_placeholders(file: PmFile) -> None:
    """A template that a generator fills is no measurement."""
    marked = [v for v in file.values if _placeholder(v.text) or _placeholder(v.name)]
    if marked:
        first = marked[0]
        raise MeterError(
            f"expected numbers; got the placeholder {first.text or first.name!r} for "
            f"{first.name!r} of {first.node!r}: this is a template, with no measured value. "
            "Give the file that its generator writes."
        )
    if not file.values:
        raise MeterError("expected measValue elements with results; the file has none.")


def _placeholder(text: str) -> bool:
    inner = text.strip()
    marks = (("@", "@"), ("${", "}"), ("{{", "}}"))
    return any(len(inner) > 2 and inner.startswith(a) and inner.endswith(b) for a, b in marks)


def _periods(values: tuple[Value, ...], problems: list[str]) -> list[_Period]:
    """Counters by object and period; one that is there twice with two values is told."""
    found: dict[tuple[str, float | None, float | None], dict[str, Value]] = {}
    for value in values:
        if value.name:
            own = found.setdefault((value.node, value.duration_s, value.end_s), {})
            other = own.setdefault(value.name, value)
            if other.text != value.text and value.name in _KNOWN:
                problems.append(
                    f"{value.name} of {value.node}: {other.text:.40} and {value.text:.40} for one "
                    "period; the first one counts."
                )
    return [
        _Period(node=node, duration_s=duration, end_s=end, values=own)
        for (node, duration, end), own in found.items()
    ]


def _period(period: _Period, problems: list[str]) -> Iterator[Reading]:
    made = [*_energy(period), *_volumes(period), *_shares(period)]
    for found in made:
        r = dataclasses.replace(found, node=period.node, t0_s=period.start_s, t1_s=period.end_s)
        if r.value_si is None:
            problems.append(f"{r.name}: not known: {r.why}.")
        elif r.suspect:
            problems.append(f"{r.name}: {r.suspect}.")
        yield r


def _energy(period: _Period) -> Iterator[Reading]:
    """Energy and average power; energy from power where the energy itself is not known."""
    at = f" {period.node}".rstrip()
    power = _power(period)
    if power is not None:
        yield power
    watts = math.nan if power is None or power.value_si is None else power.value_si
    energy = None
    for name, unit in _ENERGY.items():
        value = period.values.get(name)
        if value is not None:
            number, why = _number(value)
            energy = energy_of(name + at, number, watts, period.duration_s, unit)
            if why:
                energy = dataclasses.replace(energy, value_si=None, why=why)
            yield dataclasses.replace(energy, component=_component(period.node))
    if power is not None and period.duration_s and (energy is None or energy.value_si is None):
        name = f"{power.name.partition(' ')[0]} x {period.duration_s:g} s{at}"
        joules = watts * period.duration_s
        if math.isfinite(joules):
            yield reading(name, "energy", "interval", joules, component=_component(period.node))


def _power(period: _Period) -> Reading | None:
    """Average power: the counter, or the mean of its samples."""
    for name in _POWER:
        value = period.values.get(name)
        if value is None:
            continue
        number, why = _number(value)
        if not why and "," in value.text:
            samples = [cell(part.strip()) for part in value.text.split(",")]
            number = math.fsum(samples) / len(samples)
        made = reading(
            f"{name} {period.node}".rstrip(), "power", "interval", number,
            component=_component(period.node),
        )  # fmt: skip
        return dataclasses.replace(made, value_si=None, why=why) if why else made
    return None


def _number(value: Value) -> tuple[float, str]:
    """The number of a value, or why there is none."""
    if not value.text.replace(",", "").strip():
        marked = ", and the node marks it as suspect" if value.suspect else ""
        return math.nan, f"the node leaves it blank{marked}"
    if value.suspect:
        return math.nan, f"the node marks it as suspect ({value.text:.40})"
    number = math.nan if "," in value.text else cell(value.text)
    if "," not in value.text and not math.isfinite(number):
        return math.nan, f"expected a number; got {value.text[:40]!r}"
    return number, ""


def _component(node: str) -> str:
    """Radio or baseband, where the name of a unit says so."""
    unit = node.rpartition("FieldReplaceableUnit=")[2].partition(",")[0].lower()
    if "FieldReplaceableUnit=" in node and unit.startswith(("bb", "baseband", "dus")):
        return "baseband"
    return "radio_unit"


def _volumes(period: _Period) -> Iterator[Reading]:
    outer: dict[str, str] = {}
    for name, (kind, scale) in _VOLUMES.items():
        value = period.values.get(name)
        if value is not None:
            number, why = _number(value)
            full = f"{name} {period.node}".rstrip()
            made = reading(full, kind, "interval", number, scale=scale, component="radio_unit")
            part = outer.setdefault(kind, full)
            made = dataclasses.replace(made, part_of="" if part == full else part)
            yield dataclasses.replace(made, value_si=None, why=why) if why else made


def _shares(period: _Period) -> Iterator[Reading]:
    for name, (kind, scale) in _SHARES.items():
        value = period.values.get(name)
        if value is not None:
            number, why = _number(value)
            made = reading(f"{name} {period.node}".rstrip(), kind, "interval", number, scale=scale)
            if made.value_si is not None and made.value_si > 1.0:
                why = f"{number:g} % of the resource blocks"
            yield dataclasses.replace(made, value_si=None, why=why) if why else made


def _contained(readings: list[Reading]) -> list[Reading]:
    """Units inside the measurement of their node, QoS flows inside the bits of the bearers."""
    wholes = {
        (r.kind, r.t1_s): r.name for r in readings if _WHOLE in r.node and r.value_si is not None
    }
    bearers = {
        (r.kind, r.t1_s): r.name
        for r in readings
        if r.kind.startswith("bit_") and not r.name.startswith(_AGAIN) and r.value_si is not None
    }
    made = []
    for r in readings:
        outer = wholes.get((r.kind, r.t1_s), "")
        if r.name.startswith(_AGAIN):
            outer = bearers.get((r.kind, r.t1_s), "")
        inner = bool(outer) and not r.part_of and outer != r.name
        made.append(dataclasses.replace(r, part_of=outer) if inner else r)
    return made


def _times(file: PmFile, periods: list[_Period]) -> Iterator[str]:
    """Periods without a time, and those that begin before the file does."""
    untimed = sum(p.start_s is None for p in periods)
    if untimed:
        yield f"{untimed} objects have no granularity period or end; their values have no time."
    starts = [p.start_s for p in periods if p.start_s is not None]
    if file.begin_s is not None and starts and min(starts) < file.begin_s - _LATE_S:
        early = file.begin_s - min(starts)
        yield (
            f"a period starts {early:g} s before the file's beginTime: one of its clocks is off, "
            "or endTime is no end."
        )


def _left_out(file: PmFile) -> Iterator[str]:
    names = Counter(v.name for v in file.values)
    parts = sum(1 for name in names if name not in _KNOWN and _base(name) in _KNOWN)
    other = sum(1 for name in names if name not in _KNOWN and _base(name) not in _KNOWN)
    if "pmConsumedEnergyAccumulated" in names:
        yield "pmConsumedEnergyAccumulated: not used, it counts since an unknown time."
    if any(name.startswith("pmMacVol") for name in names):
        yield "pmMacVolDl, pmMacVolUl: not used, volume of the MAC is not that of PDCP SDUs."
    if parts:
        yield f"{parts} counters by QoS class, slice or PLMN: parts of others, not added."
    if other:
        yield f"{other} counters are not about energy or bits and are left out."


def _base(name: str) -> str:
    pieces = name.split(".")
    return ".".join(pieces[:2])


_KNOWN: Final = {*_VOLUMES, *_SHARES, *_ENERGY, *_POWER}
