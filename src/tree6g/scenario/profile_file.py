"""What `tree6g fit profile --out` wrote, taken into the AI service that names the file.

What the service says itself counts before what the file says. The values become part of the
scenario, with the hash of the file beside them, so that a ledger's scenario runs again without it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tree6g.errors import ScenarioError, nearest
from tree6g.scenario.document import Document, Place, Problem, read_file
from tree6g.scenario.faults import got
from tree6g.scenario.overrides import AFTER_FILE
from tree6g.scenario.quantities import written_name

FIELDS: Final = ("alpha_bit_per_tok", "k_in", "quality", "utility")
SEAL: Final = "profile_sha256"


def fill(document: Document, folder: Path) -> Document:
    """Read the profiles that AI services name, and write what they say into the services.

    Args:
        document: Plain data.
        folder: Where relative paths of the scenario's file start; those of the command line start
            at the working directory.
    """
    services = document.data.get("services") if isinstance(document.data, dict) else None
    for number, service in enumerate(services if isinstance(services, list) else ()):
        if isinstance(service, dict) and service.get("kind") == "ai":
            document = _filled(document, folder, ("services", number), service)
    return document


def _filled(document: Document, folder: Path, place: Place, service: dict[str, Any]) -> Document:
    named, sealed = service.get("profile"), service.get(SEAL)
    if not isinstance(named, str):
        return _with_service(document, place, {k: v for k, v in service.items() if k != SEAL})
    given = document.line((*place, "profile")).number >= AFTER_FILE
    if sealed and not given:
        return _still_the_same(document, place, folder / named, str(sealed))
    if sealed:  # what stands there is what another file said
        service = {k: v for k, v in service.items() if _field(k) is None}
    path = Path(named) if given else folder / named
    try:
        file = read_file(path, what="a profile")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except (ScenarioError, OSError) as error:
        problem = Problem(place=(*place, "profile"), text=str(error))
        return dataclasses.replace(document, problems=(*document.problems, problem))
    said = {_field(key) for key, value in service.items() if value is not None}
    rows = file.data if isinstance(file.data, dict) else {}
    taken = {k: v for k, v in rows.items() if _field(k) is not None and _field(k) not in said}
    kept = {k: v for k, v in service.items() if _field(k) is None or _field(k) in said}
    lines = {(*place, *at): line for at, line in file.lines.items() if at and at[0] in taken}
    problems = [dataclasses.replace(p, place=(*place, *p.place)) for p in file.problems]
    problems += _strangers(file, (*place, "profile"))
    filled = _with_service(document, place, {**kept, **taken, SEAL: sha256})
    return dataclasses.replace(
        filled, lines={**document.lines, **lines}, problems=(*document.problems, *problems)
    )


def _still_the_same(document: Document, place: Place, path: Path, sealed: str) -> Document:
    """A service with what its profile said; a fault if the file is there and has changed."""
    try:
        now = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # away: what it said stands in the service
        return document
    if now == sealed:
        return document
    text = (
        f"expected '{path.name}' with the hash of 'profile_sha256', whose values stand here; it is "
        "another file or was changed. Take those values and 'profile_sha256' out to read it, or "
        "take 'profile' out to keep them."
    )
    problem = Problem(place=(*place, "profile"), text=text)
    return dataclasses.replace(document, problems=(*document.problems, problem))


def _field(key: object) -> str | None:
    """The field that a key names by its full or written name, None for other keys."""
    return next((name for name in FIELDS if key in (name, written_name(name))), None)


def _strangers(file: Document, place: Place) -> list[Problem]:
    """What no service takes from a profile."""
    if not isinstance(file.data, Mapping):
        text = f"{file.name}: expected fields of a service ({', '.join(FIELDS)}); "
        return [Problem(place=place, text=text + f"got {got(file.data)}.")]
    return [
        Problem(
            place=place,
            text=f"{file.line((key,)).label}: expected one of {', '.join(FIELDS)}; got {got(key)}. "
            f"{nearest(str(key), FIELDS)}",
        )
        for key in file.data
        if _field(key) is None
    ]


def _with_service(document: Document, place: Place, service: dict[str, Any]) -> Document:
    """The document with another service at a place."""
    services = list(document.data["services"])
    services[int(place[1])] = service
    return dataclasses.replace(document, data={**document.data, "services": services})
