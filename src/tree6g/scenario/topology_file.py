"""Reads transport networks from SNDlib-like JSON, and writes them into a scenario's data.

A file holds `nodes` with `id` and, if wanted, `lon` and `lat` in degrees; `links` with `src`,
`dst` and, if wanted, `id`, `length_m`, `pre_cap` (installed capacity) and `modules` (pairs of
capacity and cost); and `demands` with `src`, `dst` and `value`. Capacities and demands are numbers
in a unit that the user states. A link without `length_m` is as long as the great circle between
its ends, or 0 where there are no coordinates. (SNDlib: Orlowski, Wessaely, Pioro, Tomaszewski,
Networks 55(3), 2010.)
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tree6g import units
from tree6g.errors import ScenarioError
from tree6g.scenario.document import Document, Problem
from tree6g.transport.topology import great_circle_m

MAX_BYTE: Final = 20_000_000
MAX_ROWS: Final = 100_000
SHOWN: Final = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileLink:
    """A link as a file has it; capacities in the unit of the file."""

    name: str
    a: str
    b: str
    length_m: float
    installed: float
    modules: tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TopologyFile:
    """A transport network as a file has it.

    Attributes:
        name: Name of the network, or of the file.
        nodes: Longitude and latitude of each node, None where they are not given.
        links: Its links.
        demands: Source, target and amount of each demand, in the unit of the file.
    """

    name: str
    nodes: Mapping[str, tuple[float, float] | None]
    links: tuple[FileLink, ...]
    demands: tuple[tuple[str, str, float], ...]


def read_topology(path: str | Path) -> TopologyFile:
    """Read a file.

    Raises:
        ScenarioError: With every fault of it at once: where it stands, what was expected and what
            came.
    """
    plain = _json(Path(path))
    faults: list[str] = []
    nodes = dict(_nodes(plain, faults))
    links = tuple(_links(plain, nodes, faults))
    demands = tuple(_demands(plain, nodes, faults))
    if faults:
        more = [f"... and {len(faults) - SHOWN} more."] if len(faults) > SHOWN else []
        head = f"{path}: {len(faults)} {'fault' if len(faults) == 1 else 'faults'}:"
        raise ScenarioError("\n".join([head, *faults[:SHOWN], *more]), faults)
    name = plain.get("name")
    return TopologyFile(
        name=name if isinstance(name, str) else Path(path).stem,
        nodes=nodes,
        links=links,
        demands=demands,
    )


def fill(document: Document, folder: Path) -> Document:
    """Read the topology that a scenario names, and write what it says into its data.

    Args:
        document: Plain data.
        folder: Where relative paths start.
    """
    said = document.data.get("topology") if isinstance(document.data, dict) else None
    name = said.get("file") if isinstance(said, dict) and not said.get("edges") else None
    if not isinstance(said, dict) or not isinstance(name, str) or not name:
        return document
    try:
        found = read_topology(folder / name)
    except ScenarioError as error:
        return _with(document, ("topology", "file"), list(error.problems))
    if not {"unit", "unit_bps"} & set(said):
        text = (
            "expected what 1 stands for in the file's capacities, such as '1 Mbit/s'; got nothing."
        )
        return _with(document, ("topology", "unit"), [text])
    unit_bps = _unit_bps(said)
    if unit_bps is None:  # what is wrong with it is told where fields are
        return document
    edges, faults = _edges(found, unit_bps, installed=said.get("capacity") == "installed")
    demands = [
        {"source": source, "target": target, "rate_bps": unit_bps * value}
        for source, target, value in found.demands
    ]
    filled = {**document.data, "topology": {**said, "edges": edges, "demands": demands}}
    full = dataclasses.replace(document, data=filled)
    return _with(full, ("topology", "capacity"), faults)


def _edges(
    found: TopologyFile, unit_bps: float, *, installed: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Links as records of a scenario, and what is wrong with their capacities."""
    rates = [
        link.installed if installed else min(link.modules, default=0.0) for link in found.links
    ]
    bare = [link.name for link, rate in zip(found.links, rates, strict=True) if rate <= 0.0]
    if bare:
        what = "an installed capacity ('pre_cap')" if installed else "a module"
        other = "module" if installed else "installed"
        names = ", ".join(bare[:3]) + (", ..." if len(bare) > 3 else "")
        text = (
            f"expected {what} of every link; got {len(bare)} of {len(rates)} links without "
            f"({names}). Try 'capacity: {other}', or write the links under 'edges'."
        )
        return [], [text]
    return [
        {
            "name": link.name,
            "a": link.a,
            "b": link.b,
            "rate_bps": unit_bps * rate,
            "length_m": link.length_m,
        }
        for link, rate in zip(found.links, rates, strict=True)
    ], []


def _unit_bps(said: Mapping[str, Any]) -> float | None:
    """The stated unit, None where there is none or it cannot be read."""
    value = said.get("unit", said.get("unit_bps"))
    try:
        number = units.parse(value, "bps") if isinstance(value, str) else value
    except ValueError:
        return None
    stated = isinstance(number, int | float) and not isinstance(number, bool) and number > 0
    bare = "unit" in said and not isinstance(value, str)
    return float(number) if stated and not bare and number is not None else None


def _with(document: Document, place: tuple[str, ...], texts: Sequence[str]) -> Document:
    found = [Problem(place=place, text=text) for text in texts]
    return dataclasses.replace(document, problems=(*document.problems, *found))


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTE:
            raise ScenarioError(f"expected a topology of at most {MAX_BYTE // 10**6} MB: '{path}'.")
        plain = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ScenarioError(f"expected a topology in JSON; got '{path}': {error}.") from error
    if not isinstance(plain, dict):
        raise ScenarioError(f"expected an object with 'nodes' and 'links'; got none in '{path}'.")
    return plain


def _rows(plain: Mapping[str, Any], what: str, faults: list[str]) -> Iterator[tuple[str, Any]]:
    """The objects of one list, with where they stand."""
    rows = plain.get(what, [] if what == "demands" else None)
    if not isinstance(rows, list) or len(rows) > MAX_ROWS or (what != "demands" and not rows):
        faults.append(f"{what}: expected a list of 1 to {MAX_ROWS:,} objects; got {_got(rows)}.")
        return
    for i, row in enumerate(rows):
        if isinstance(row, dict):
            yield f"{what}[{i}]", row
        else:
            faults.append(f"{what}[{i}]: expected an object; got {_got(row)}.")


def _nodes(
    plain: Mapping[str, Any], faults: list[str]
) -> Iterator[tuple[str, tuple[float, float] | None]]:
    seen: set[str] = set()
    for where, row in _rows(plain, "nodes", faults):
        name = row.get("id")
        if not isinstance(name, str) or not name or name in seen:
            faults.append(f"{where}.id: expected a text that no other node has; got {_got(name)}.")
            continue
        seen.add(name)
        if "lon" not in row and "lat" not in row:
            yield name, None
            continue
        lon, lat = _number(row.get("lon")), _number(row.get("lat"))
        if not (abs(lon) <= 180.0 and abs(lat) <= 90.0):
            shown = f"{_got(row.get('lon'))} and {_got(row.get('lat'))}"
            faults.append(f"{where}: expected lon and lat in degrees; got {shown}.")
        yield name, (lon, lat)


def _links(
    plain: Mapping[str, Any], nodes: Mapping[str, tuple[float, float] | None], faults: list[str]
) -> Iterator[FileLink]:
    seen: set[str] = set()
    for where, row in _rows(plain, "links", faults):
        before = len(faults)
        a, b = _ends(where, row, nodes, faults)
        name = row.get("id", f"{a}_{b}")
        if not isinstance(name, str) or not name or name in seen:
            faults.append(f"{where}.id: expected a text that no other link has; got {_got(name)}.")
        length_m = _number(row["length_m"]) if "length_m" in row else _length_m(nodes, a, b)
        installed = _number(row.get("pre_cap", 0.0))
        modules = _modules(row.get("modules", []))
        for key, value in (("length_m", length_m), ("pre_cap", installed)):
            if not 0.0 <= value < math.inf:
                got = _got(row.get(key))
                faults.append(f"{where}.{key}: expected a number from 0; got {got}.")
        if modules is None:
            got = _got(row.get("modules"))
            faults.append(f"{where}.modules: expected pairs of capacity and cost; got {got}.")
        if len(faults) == before and isinstance(name, str):
            seen.add(name)
            yield FileLink(
                name=name, a=a, b=b, length_m=length_m, installed=installed, modules=modules or ()
            )


def _ends(
    where: str, row: Mapping[str, Any], nodes: Mapping[str, Any], faults: list[str]
) -> tuple[str, str]:
    """Source and target, which must be two nodes."""
    ends = [row.get("src"), row.get("dst")]
    for key, end in zip(("src", "dst"), ends, strict=True):
        if not isinstance(end, str) or end not in nodes:
            faults.append(f"{where}.{key}: expected the id of a node; got {_got(end)}.")
    if ends[0] == ends[1] and isinstance(ends[0], str):
        faults.append(f"{where}: expected two nodes; got {_got(ends[0])} at both ends.")
    return str(ends[0]), str(ends[1])


def _demands(
    plain: Mapping[str, Any], nodes: Mapping[str, Any], faults: list[str]
) -> Iterator[tuple[str, str, float]]:
    for where, row in _rows(plain, "demands", faults):
        source, target = _ends(where, row, nodes, faults)
        value = _number(row.get("value"))
        if not 0.0 <= value < math.inf:
            got = _got(row.get("value"))
            faults.append(f"{where}.value: expected a number from 0; got {got}.")
        yield source, target, value


def _modules(rows: Any) -> tuple[float, ...] | None:
    """Capacities of modules, None if they cannot be read."""
    if not isinstance(rows, list):
        return None
    found = [_number(row[0]) if isinstance(row, list) and row else math.nan for row in rows]
    return tuple(found) if all(0.0 < value < math.inf for value in found) else None


def _length_m(nodes: Mapping[str, tuple[float, float] | None], a: str, b: str) -> float:
    here, there = nodes.get(a), nodes.get(b)
    if here is None or there is None:
        return 0.0
    length_m = great_circle_m((here[0], there[0]), (here[1], there[1]))
    return length_m if math.isfinite(length_m) else 0.0  # what is wrong there is told by its node


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) < 1e300 else math.inf


def _got(value: Any) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value) if not isinstance(value, list | dict) else f"{len(value)} items"
    return text if len(text) <= 60 else f"{text[:57]}..."
