"""node_exporter: RAPL domains, power sensors, bits of interfaces, and CPU time.

Package holds core and uncore; memory (dram) stands beside it; psys holds all. The same package may
be there twice, as `intel-rapl:0` and `intel-rapl-mmio:0`: it counts once. Power of a battery is
what flows out of it or into it, not what the machine uses.

Source: node_exporter, collectors rapl, hwmon, netdev, cpu, powersupplyclass.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Found, Reading, reading
from tree6g.meter.sources.kepler import nested

_RAPL: Final = re.compile(r"node_rapl_(\w+?)_joules_total")
_COMPONENT: Final = {"package": "cpu", "core": "cpu", "uncore": "cpu", "dram": "memory"}
_SKIPPED: Final = re.compile(r"lo|veth.*|docker.*|br-.*|virbr.*|cali.*|flannel.*|cni.*")


def read_node_exporter(scrape: Scrape) -> Found:
    """Energy, power, carried bits and CPU time of a machine."""
    if not scrape.layout.has(("node_",)):
        return Found(format="")
    problems: list[str] = []
    readings = _rapl(scrape, problems)
    readings += _hwmon(scrape)
    readings += _network(scrape)
    readings += _cpu(scrape)
    if not any(r.kind in {"energy", "power"} for r in readings):
        problems.append("node_exporter: no energy: neither RAPL nor a power sensor is exported.")
    if "node_power_supply_power_watt" in scrape.layout.places:
        problems.append("node_power_supply_power_watt: flow of a battery, not used as power.")
    return Found(format="node_exporter", readings=tuple(readings), problems=tuple(problems))


def _rapl(scrape: Scrape, problems: list[str]) -> list[Reading]:
    domains: list[tuple[str, Reading]] = []
    seen: dict[tuple[str, str], str] = {}
    for name in scrape.layout.places:
        found = _RAPL.fullmatch(name)
        for series, value in scrape.named(name) if found else ():
            domain = str(found and found[1]).partition("_")[0]
            key = (domain, series.label("index") or "")
            if key in seen:
                problems.append(f"{series.text}: the same domain as {seen[key]}; counts once.")
                continue
            seen[key] = series.text
            component = _COMPONENT.get(domain, "host")
            made = reading(series.text, "energy", "counter", value, component=component)
            domains.append((domain, made))
    return nested(domains, problems)


def _hwmon(scrape: Scrape) -> list[Reading]:
    readings = [
        reading(s.text, "energy", "counter", v, node=s.label("chip") or "", component="host")
        for s, v in scrape.named("node_hwmon_energy_joule_total")
    ]
    powers = scrape.named("node_hwmon_power_average_watt")
    powers += scrape.named("node_hwmon_power_input_watt") or scrape.named("node_hwmon_power_watt")
    seen: set[tuple[str | None, str | None]] = set()
    for series, value in powers:
        sensor = (series.label("chip"), series.label("sensor"))
        if sensor not in seen:
            seen.add(sensor)
            readings.append(
                reading(
                    series.text, "power", "gauge", value,
                    node=series.label("chip") or "", component="host",
                )
            )  # fmt: skip
    return readings


def _network(scrape: Scrape) -> list[Reading]:
    """Bits of real interfaces; InfiniBand's as well."""
    names = (
        "node_network_receive_bytes_total", "node_network_transmit_bytes_total",
        "node_infiniband_port_data_received_bytes_total",
        "node_infiniband_port_data_transmitted_bytes_total",
    )  # fmt: skip
    return [
        reading(
            series.text, "bit_carried", "counter", value, scale=8.0,
            node=series.label("device") or "", component="link",
        )
        for name in names
        for series, value in scrape.named(name)
        if not _SKIPPED.fullmatch(series.label("device") or "lo")
    ]  # fmt: skip


def _cpu(scrape: Scrape) -> list[Reading]:
    """CPU seconds of all cores in which something of this machine ran."""
    idle = {"idle", "iowait", "steal"}
    busy = [
        value
        for series, value in scrape.named("node_cpu_seconds_total")
        if series.label("mode") not in idle | {"guest", "guest_nice"}
    ]
    if not busy:
        return []
    name = Series("node_cpu_seconds_total", (("mode", "all but idle"),)).text
    made = reading(name, "cpu_busy", "counter", math.fsum(busy), component="cpu")
    return [dataclasses.replace(made, origin="measured")]
