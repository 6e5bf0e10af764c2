"""Places of sites and users from files: CSV or GeoJSON, in metres or in degrees.

They become part of the scenario, so that its hash says them and a ledger's scenario runs again
without the files. Degrees (WGS 84) are flattened around the middle of the sites: x = R cos(lat0)
(lon - lon0), y = R (lat - lat0), R = 6371 km; over 50 km this is off by some tens of metres.
"""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tree6g.scenario.document import Document, Place, Problem

MAX_BYTE: Final = 50_000_000
MAX_PLACES: Final = 100_000
EARTH_M: Final = 6_371_008.8  # mean radius, WGS 84
SHOWN: Final = 10
METRES, DEGREES = ("x_m", "y_m"), ("lon", "lat")
SITE_NUMBERS: Final = ("height_m", "sectors", "bearing_deg")
USERS: Final[Place] = ("population",)
SITES: Final[Place] = ("layout",)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """Rows of a file: two coordinates each, and what else it says."""

    degrees: bool
    xy: Sequence[tuple[float, float]]
    rest: Sequence[Mapping[str, Any]]


class _UnreadableError(Exception):
    """What is wrong with a file of places."""


def fill(document: Document, folder: Path) -> Document:
    """Read the files that a scenario names, and write what they say into its data.

    Args:
        document: Plain data.
        folder: Where relative paths start.
    """
    wanted = {place: name for place in (SITES, USERS) if (name := _file(document.data, place))}
    if not wanted:
        return document
    data, problems = copy.deepcopy(document.data), list(document.problems)
    points: dict[Place, _Points] = {}
    for place, name in wanted.items():
        try:
            points[place] = _read(folder / name)
        except _UnreadableError as error:
            problems.append(Problem(place=(*place, "file"), text=str(error)))
    if len({p.degrees for p in points.values()}) > 1 or _apart(points):
        text = "expected sites and users both in metres or both in degrees; got one of each."
        problems.append(Problem(place=(*USERS, "file"), text=text))
    origin = next((_middle(p.xy) for p in points.values() if p.degrees), (0.0, 0.0))
    for place, found in points.items():
        xy_m = _flat(found.xy, origin) if found.degrees else found.xy
        data[place[0]]["places"] = [
            {"x_m": x, "y_m": y, **(_site(rest, n) if place == SITES else {})}
            for n, ((x, y), rest) in enumerate(zip(xy_m, found.rest, strict=True), 1)
        ]
    return dataclasses.replace(document, data=data, problems=tuple(problems))


def _file(data: Any, place: Place) -> str:
    """The name of a file that is still to be read, empty if there is none."""
    record = data.get(place[0]) if isinstance(data, dict) else None
    if not isinstance(record, dict) or record.get("places"):
        return ""
    name = record.get("file")
    return name if isinstance(name, str) else ""


def _apart(points: Mapping[Place, _Points]) -> bool:
    """Whether users come in degrees and sites do not."""
    users = points.get(USERS)
    return users is not None and users.degrees and SITES not in points


def _read(path: Path) -> _Points:
    try:
        if path.stat().st_size > MAX_BYTE:
            raise _UnreadableError(f"expected a file of at most {MAX_BYTE // 10**6} MB; got more.")
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise _UnreadableError(f"expected a CSV or GeoJSON file; got '{path}': {error}.") from error
    rows = _features(text) if text.lstrip().startswith("{") else _table(text)
    if not 1 <= len(rows) <= MAX_PLACES:
        raise _UnreadableError(f"expected 1 to {MAX_PLACES:,} places; got {len(rows):,}.")
    degrees = all(name in rows[0][1] for name in DEGREES)
    names = DEGREES if degrees else METRES
    problems, xy, rest = [], [], []
    for where, row in rows:
        x, y = (_number(row.get(name)) for name in names)
        if not _possible(x, y, degrees=degrees):
            shown = ", ".join(f"{name} {row.get(name)!r}" for name in names)
            problems.append(f"{where}: expected coordinates; got {shown}")
        xy.append((x, y))
        rest.append({k: v for k, v in row.items() if k not in names and v not in (None, "")})
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise _UnreadableError("; ".join(problems[:SHOWN]) + more + ".")
    return _Points(degrees=degrees, xy=xy, rest=rest)


def _table(text: str) -> list[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    titles = reader.fieldnames or []
    if not any(all(name in titles for name in names) for names in (METRES, DEGREES)):
        raise _UnreadableError(
            "expected columns x_m and y_m, or lon and lat; "
            f"got {', '.join(map(str, titles[:8])) or 'none'}."
        )
    return [(f"line {reader.line_num}", dict(row)) for row in reader]


def _features(text: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"expected GeoJSON; got: {error}.") from error
    features = plain.get("features")
    if not isinstance(features, list):
        raise _UnreadableError("expected a FeatureCollection with 'features'; got none.")
    rows = []
    for n, feature in enumerate(features, 1):
        known = feature if isinstance(feature, dict) else {}
        geometry, properties = known.get("geometry"), known.get("properties")
        point = geometry if isinstance(geometry, dict) else {}
        pair = point.get("coordinates") if point.get("type") == "Point" else None
        lon, lat = pair[:2] if isinstance(pair, list) and len(pair) > 1 else (None, None)
        others = properties if isinstance(properties, dict) else {}
        rows.append((f"feature {n}", {**others, "lon": lon, "lat": lat}))
    return rows


def _number(value: Any) -> float:
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _possible(x: float, y: float, *, degrees: bool) -> bool:
    if degrees:
        return abs(x) <= 180.0 and abs(y) <= 89.0
    return math.isfinite(x) and math.isfinite(y)


def _middle(xy: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return math.fsum(x for x, _ in xy) / len(xy), math.fsum(y for _, y in xy) / len(xy)


def _flat(
    xy: Sequence[tuple[float, float]], origin: tuple[float, float]
) -> list[tuple[float, float]]:
    lon0, lat0 = origin
    metre = math.radians(1.0) * EARTH_M
    return [(metre * math.cos(math.radians(lat0)) * (x - lon0), metre * (y - lat0)) for x, y in xy]


def _site(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    """What a row says of a site; numbers that do not read as such are left for validation."""
    said: dict[str, Any] = {"name": str(row.get("name", f"site-{number}"))}
    for name in SITE_NUMBERS:
        if name in row:
            value = _number(row[name])
            said[name] = row[name] if math.isnan(value) else value
    if said.get("sectors") in (1.0, 3.0):
        said["sectors"] = int(said["sectors"])
    return said
