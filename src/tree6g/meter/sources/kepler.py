"""Kepler, both sets of names: energy of a node by domain, and of what runs there.

Until 0.9 `kepler_node_<domain>_joules_total{mode}`, from 0.10 on
`kepler_node_cpu_joules_total{zone}` with `active` and `idle` as parts of it. Domains contain one
another: platform (psys) holds package and memory, package holds core and uncore. Containers, pods,
processes and virtual machines are parts of the node, and of one another, never added to it. A
series whose `source` is a model says "modelled".

A platform below its package contradicts that order; then the package counts and the platform does
not, and both are told.

Source: Kepler documentation, metrics; design notes of the rewrite.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Found, Reading, reading

_OLD: Final = re.compile(r"kepler_node_(package|core|uncore|dram|platform|gpu|other)_joules_total")
_NEW: Final = "kepler_node_cpu_joules_total"
_WITHIN: Final = re.compile(r"kepler_(container|pod|process|vm)_(?:\w+_)?joules_total")
_COMPONENT: Final = {
    "package": "cpu", "core": "cpu", "uncore": "cpu", "pp0": "cpu", "dram": "memory",
    "gpu": "gpu", "platform": "host", "psys": "host", "other": "host",
}  # fmt: skip
_PARENT: Final = {"core": "package", "uncore": "package", "pp0": "package"}
_WHOLE: Final = ("platform", "psys")
MODELS: Final = ("model", "estimator", "trained", "linear")


def read_kepler(scrape: Scrape) -> Found:
    """Energy of the node by domain; what runs there, as parts of it."""
    if not scrape.layout.has(("kepler_",)):
        return Found(format="")
    names = [name for name in scrape.layout.places if name.startswith("kepler_")]
    domains: list[tuple[str, Reading]] = []
    for name in names:
        old = _OLD.fullmatch(name)
        if old or name == _NEW:
            for series, value in scrape.named(name):
                domain = old[1] if old else series.label("zone") or "package"
                domains.append((domain.partition("-")[0], _reading(series, value, domain)))
    problems: list[str] = []
    readings = nested(domains, problems)
    readings += _within(scrape, [name for name in names if _WITHIN.fullmatch(name)])
    if any(r.origin == "modelled" for r in readings):
        problems.append("kepler: the energy comes from a trained model, not from a meter.")
    if not domains:
        problems.append("kepler: no energy of the node; expected kepler_node_..._joules_total.")
    return Found(format="kepler", readings=tuple(readings), problems=tuple(problems))


def nested(domains: list[tuple[str, Reading]], problems: list[str]) -> list[Reading]:
    """Readings of domains, each inner one part of the outer one that is there."""
    amount: dict[str, float] = {}
    name: dict[str, str] = {}
    for domain, r in domains:
        amount[domain] = amount.get(domain, 0.0) + (r.value_si or 0.0)
        name.setdefault(domain, r.name)
    whole = next((d for d in _WHOLE if d in amount), None)
    package = amount.get("package", 0.0)
    if whole and amount[whole] < package:
        problems.append(
            f"{name[whole]}: the whole machine has {amount[whole]:.6g} J, its package alone "
            f"{package:.6g} J; the package counts, the machine does not."
        )
    believed = whole and amount[whole] >= package and amount[whole] > 0.0
    made = []
    for domain, r in domains:
        parent = name.get(_PARENT.get(domain, ""), "")
        if domain in _WHOLE and not believed:
            parent = name.get("package", "")
        elif domain not in _WHOLE and not parent and believed and domain != "gpu":
            parent = name[str(whole)]
        made.append(dataclasses.replace(r, part_of=parent))
    return made


def _reading(series: Series, value: float, domain: str) -> Reading:
    return reading(
        series.text, "energy", "counter", value,
        node=series.label("node_name", "instance", "node", "exported_instance") or "",
        component=_COMPONENT.get(domain.partition("-")[0], "host"),
        origin="modelled" if _modelled(series) else "measured",
    )  # fmt: skip


def _modelled(series: Series) -> bool:
    return any(word in (series.label("source") or "") for word in MODELS)


def _within(scrape: Scrape, names: list[str]) -> list[Reading]:
    return [
        reading(
            series.text, "energy", "counter", value,
            node=series.label(
                "pod_name", "pod", "container_name", "container", "comm", "vm_name", "pid"
            ) or "",
            component="host", part_of="the node",
            origin="modelled" if _modelled(series) else "estimated",
        )
        for name in names
        for series, value in scrape.named(name)
    ]  # fmt: skip
