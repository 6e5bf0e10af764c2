"""Energy counters and power sensors of Linux: powercap (RAPL) and hwmon, as path to text.

`intel-rapl:0` is a package, `intel-rapl:0:0` a part of it, but memory (dram) stands beside it,
though listed below. `intel-rapl-mmio:0` is the same package by another way and counts once. psys
holds packages. Counters are in uJ and wrap at
`max_energy_range_uj`. Of a sensor with `power1_average` and `power1_input` the average is read.

Sources: Linux documentation, power capping framework; hwmon sysfs interface.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Final

from tree6g.meter.reading import Form, Found, Reading, reading

_ZONE: Final = re.compile(r"(.*?class/powercap/(?:[\w-]+/)*)([\w-]+):([\w:]+)/energy_uj")
_SENSOR: Final = re.compile(r"(.*?class/hwmon/(hwmon\d+))/(power|energy)(\d+)_(average|input)")
_WORDS: Final = ("energy_uj", "max_energy_range_uj", "name", "enabled")
_COMPONENT: Final = {"package": "cpu", "core": "cpu", "uncore": "cpu", "dram": "memory"}
MAX_FILE_BYTE: Final = 4096


def folder(root: Path = Path("/")) -> dict[str, str]:
    """The files of powercap and hwmon under a root; those that may not be read are empty."""
    files: dict[str, str] = {}
    for path in (*_zones(root / "sys/class/powercap"), *_sensors(root / "sys/class/hwmon")):
        try:
            with path.open("rb") as file:
                text = file.read(MAX_FILE_BYTE).decode("utf-8", "replace").strip()
        except OSError:
            text = ""
        files[str(path.relative_to(root))] = text
    return files


def _zones(top: Path) -> Iterator[Path]:
    for zone in sorted(top.glob("*")):
        yield from (zone / word for word in _WORDS if (zone / word).exists())


def _sensors(top: Path) -> Iterator[Path]:
    for chip in sorted(top.glob("hwmon*")):
        yield from (p for p in [chip / "name", *sorted(chip.glob("power*_*"))] if p.is_file())


def is_sysfs(tree: object) -> bool:
    """Whether a mapping is of paths of powercap or hwmon."""
    if not isinstance(tree, Mapping):
        return False
    return any(isinstance(k, str) and (_ZONE.match(k) or _SENSOR.match(k)) for k in tree)


def read_sysfs(tree: Mapping[str, str]) -> Found:
    """Energy of RAPL domains and power of sensors."""
    problems: list[str] = []
    readings = [*_rapl(tree, problems), *_hwmon(tree, problems)]
    return Found(format="sysfs", readings=tuple(readings), problems=tuple(problems))


def _rapl(tree: Mapping[str, str], problems: list[str]) -> list[Reading]:
    zones = sorted((m for m in map(_ZONE.fullmatch, tree) if m), key=_order)
    tops = _tops(tree, zones, problems)
    psys = next((path for domain, path in tops.items() if domain.startswith("psys")), "")
    names = {path: domain for domain, path in tops.items()}
    made: list[Reading] = []
    for zone in zones:
        path = _path(zone)
        top = path if path in names else _top(zone)
        if top not in names:
            continue  # below a package that is there by another way
        domain = _text(tree, zone, "name") or "unnamed"
        r = _zone(tree, zone, path, domain)
        outer = "" if path == psys else psys
        if path != top and domain != "dram":
            outer = path.rpartition(":")[0]
        made.append(dataclasses.replace(r, part_of=outer))
        if r.value_si is None:
            problems.append(f"{path}: not known: {r.why}.")
    _same([r for r in made if not r.part_of], problems)
    return made


def _tops(
    tree: Mapping[str, str], zones: list[re.Match[str]], problems: list[str]
) -> dict[str, str]:
    """Path of the outermost zone of each domain; of two ways to one package the first."""
    tops: dict[str, str] = {}
    for zone in zones:
        if ":" not in zone[3]:
            path = _path(zone)
            domain = _text(tree, zone, "name") or path
            first = tops.setdefault(domain, path)
            if first != path:
                problems.append(f"{path}: {domain} is also {first}; counts once.")
    return tops


def _path(zone: re.Match[str]) -> str:
    return zone[0].removesuffix("/energy_uj")


def _top(zone: re.Match[str]) -> str:
    return f"{zone[1]}{zone[2]}:{zone[3].partition(':')[0]}"


def _order(zone: re.Match[str]) -> tuple[bool, int, str]:
    """Packages before their parts, MSR zones before the same ones by memory."""
    return "mmio" in zone[2], zone[3].count(":"), zone[3]


def _zone(tree: Mapping[str, str], zone: re.Match[str], path: str, domain: str) -> Reading:
    kind = domain.partition("-")[0]
    text = tree[zone[0]]
    r = reading(
        path, "energy", "counter", _number(text), scale=1e-6,
        node=domain, component=_COMPONENT.get(kind, "host"),
    )  # fmt: skip
    wraps = _number(_text(tree, zone, "max_energy_range_uj"))
    if r.value_si is None and not text:
        r = dataclasses.replace(r, why="may not be read; RAPL needs root or CAP_SYS_RAWIO")
    return dataclasses.replace(r, wraps_si=wraps * 1e-6 if wraps > 0.0 else None)


def _same(outermost: list[Reading], problems: list[str]) -> None:
    """Two packages with one and the same energy are hardly two."""
    for a, b in combinations(outermost, 2):
        if a.value_si and a.value_si == b.value_si:
            problems.append(
                f"{b.name}: exactly the energy of {a.name} ({a.value_si:.6f} J) under another "
                f"name ({b.node}); both count. If it is one package, leave one out."
            )


def _hwmon(tree: Mapping[str, str], problems: list[str]) -> Iterator[Reading]:
    sensors: dict[tuple[str, str, str], re.Match[str]] = {}
    for m in sorted((m for m in map(_SENSOR.fullmatch, tree) if m), key=lambda m: m[0]):
        sensors.setdefault((m[1], m[3], m[4]), m)  # `average` sorts before `input`
    outer: dict[str, str] = {}
    for (chip, kind, number), m in sensors.items():
        label = tree.get(f"{chip}/{kind}{number}_label", "")
        name = tree.get(f"{chip}/name", m[2])
        form: Form = "gauge" if kind == "power" else "counter"
        r = reading(
            m[0], kind, form, _number(tree[m[0]]), scale=1e-6,
            node=f"{name} {label}".strip(), component="gpu" if "gpu" in name else "host",
        )  # fmt: skip
        if label.lower().startswith("package"):
            outer[chip] = m[0]
        elif label.lower().startswith("core") and chip in outer:
            r = dataclasses.replace(r, part_of=outer[chip])
        if r.value_si is None:
            problems.append(f"{m[0]}: not known: {r.why}.")
        yield r


def _text(tree: Mapping[str, str], zone: re.Match[str], word: str) -> str:
    found = tree.get(f"{zone[1]}{zone[2]}:{zone[3]}/{word}", "")
    return found.strip() if isinstance(found, str) else str(found)


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return float("nan")
