"""Scaphandre: power of the host, its sockets and domains in microwatts, and of each process.

The host holds its sockets, sockets hold their domains, processes are shares of the host by CPU
time. Releases have been wrong by powers of ten: a host above 20 kW is told.

Source: Scaphandre documentation, metrics exposed.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Form, Found, Reading, reading

_HOST: Final = "scaph_host_power_microwatts"
_ENERGY: Final = "scaph_host_energy_microjoules"
_PARTS: Final = (
    ("scaph_socket_power_microwatts", "cpu"),
    ("scaph_domain_power_microwatts", "cpu"),
    ("scaph_process_power_consumption_microwatts", "host"),
    ("scaph_process_power_microwatts", "host"),
)
MAX_HOST_W: Final = 20_000.0


def read_scaphandre(scrape: Scrape) -> Found:
    """Power of the host, and what is part of it."""
    if not scrape.layout.has(("scaph_",)):
        return Found(format="")
    readings = [_one(s, v, "energy", "host") for s, v in scrape.named(_ENERGY)]
    hosts = [_one(s, v, "power", "host") for s, v in scrape.named(_HOST)]
    readings += [_plausible(r) for r in hosts]
    sockets = scrape.named(_PARTS[0][0])
    outer = hosts[0].name if hosts else sockets[0][0].text if sockets else ""
    for name, component in _PARTS:
        for series, value in scrape.named(name):
            inner = bool(hosts) or name != _PARTS[0][0]
            part = _one(series, value, "power", component)
            origin = "estimated" if "process" in name else "measured"
            readings.append(
                dataclasses.replace(part, part_of=outer if inner else "", origin=origin)
            )
    problems = [f"{r.name}: {r.suspect}." for r in readings if r.suspect]
    if not hosts:
        problems.append(f"scaphandre: no {_HOST}; without RAPL it has nothing to read.")
    return Found(format="scaphandre", readings=tuple(readings), problems=tuple(problems))


def _one(series: Series, value: float, kind: str, component: str) -> Reading:
    form: Form = "counter" if kind == "energy" else "gauge"
    node = series.label("exe", "cmdline", "pid", "node", "hostname", "instance") or ""
    return reading(series.text, kind, form, value, scale=1e-6, node=node, component=component)


def _plausible(r: Reading) -> Reading:
    if r.value_si is not None and r.value_si > MAX_HOST_W:
        suspect = f"{r.value_si:,.0f} W for one host; a known fault of units in some releases"
        return dataclasses.replace(r, suspect=suspect)
    return r
