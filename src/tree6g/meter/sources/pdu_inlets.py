"""Rack PDUs of Server Technology and Raritan as snmp_exporter writes them: power by inlet.

Sentry4 and Sentry3 give watts and tenths of a kilowatt-hour by input cord or infeed; a PDU is the
sum of its cords. Raritan's PDU2 gives `measurementsInletSensorValue{sensorType}`: active power (5)
in watts and active energy (8) in watt-hours, as whole numbers with `inletSensorDecimalDigits`
behind the point; without that series the number is taken as it is, which is told.

Source: Sentry4-MIB and Sentry3-MIB (units of the objects), PDU2-MIB, `SensorTypeEnumeration`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Form, Found, Reading, reading

_CORDS: Final = (
    ("st4InputCordActivePower", "power", 1.0),
    ("st4InputCordEnergy", "energy", 3.6e5),
    ("infeedPower", "power", 1.0),
    ("infeedEnergy", "energy", 3.6e5),
)
_INLET: Final = "measurementsInletSensorValue"
_DIGITS: Final = "inletSensorDecimalDigits"
_SENSORS: Final = {
    "5": ("power", 1.0), "activePower": ("power", 1.0),
    "8": ("energy", 3600.0), "activeEnergy": ("energy", 3600.0),
}  # fmt: skip


def read_pdu_inlets(scrape: Scrape) -> Found:
    """Power and energy of each cord or inlet."""
    readings = [
        _one(series, kind, value, scale)
        for name, kind, scale in _CORDS
        for series, value in scrape.named(name)
        if value >= 0.0  # -1: the model cannot measure it
    ]
    problems: list[str] = []
    readings += _raritan(scrape, problems)
    form = "snmp pdu" if readings else ""
    return Found(format=form, readings=tuple(readings), problems=tuple(problems))


def _raritan(scrape: Scrape, problems: list[str]) -> Iterator[Reading]:
    digits = {_place(series): value for series, value in scrape.named(_DIGITS)}
    for series, value in scrape.named(_INLET):
        kind, scale = _SENSORS.get(series.label("sensorType") or "", ("", 1.0))
        if not kind:
            continue
        if _place(series) not in digits:
            problems.append(f"{series.text}: no {_DIGITS}; taken as a whole number.")
        yield _one(series, kind, value, scale / 10.0 ** digits.get(_place(series), 0.0))


def _place(series: Series) -> tuple[str | None, ...]:
    return tuple(series.label(name) for name in ("pduId", "inletId", "sensorType"))


def _one(series: Series, kind: str, value: float, scale: float) -> Reading:
    form: Form = "counter" if kind == "energy" else "gauge"
    node = series.label("instance", "pduId") or ""
    return reading(series.text, kind, form, value, scale=scale, node=node, component="host")
