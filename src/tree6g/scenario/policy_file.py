"""A policy of the user's own: a Python file that a scenario names.

Only its bytes are read here, and hashed, so that the hash of a scenario says which policy it had.
The text itself is not taken into the scenario: a scenario or a ledger from somebody else holds no
code. Running a scenario that names a file runs that file, with all that Python may do.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tree6g.errors import ScenarioError
from tree6g.scenario.document import Document, Place, Problem
from tree6g.scenario.overrides import AFTER_FILE

SUFFIX: Final = ".py"
MAX_BYTE: Final = 1_000_000
PLACES: Final[tuple[Place, ...]] = (("policy",), ("scheduling", "rule"))  # that may name a file


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy's text.

    Attributes:
        path: Where it is.
        text: What it says.
        sha256: Hash of its bytes.
    """

    path: Path
    text: str
    sha256: str

    @property
    def name(self) -> str:
        """Name of the file, by which results call the policy."""
        return self.path.name


def is_file(policy: object) -> bool:
    """Whether the name of a policy means a Python file."""
    return isinstance(policy, str) and policy.endswith(SUFFIX)


def read(path: Path) -> PolicyFile:
    """Read a policy's file.

    Raises:
        ScenarioError: It cannot be read, is no text in UTF-8, or is far too long.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTE + 1)
        text = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ScenarioError(
            f"expected a Python file with a policy; got '{path}': {error}."
        ) from error
    if len(raw) > MAX_BYTE:
        raise ScenarioError(f"expected a policy of at most {MAX_BYTE // 1000} kB; got '{path}'.")
    return PolicyFile(path=path, text=text, sha256=hashlib.sha256(raw).hexdigest())


def fill(document: Document, folder: Path) -> Document:
    """Find the files of a scenario's policy and scheduler, and write their hashes beside them.

    Args:
        document: Plain data.
        folder: Where relative paths of the scenario's file start; those of the command line start
            at the working directory.
    """
    for place in PLACES:
        document = _filled(document, folder, place)
    return document


def _filled(document: Document, folder: Path, place: Place) -> Document:
    """`fill`, of one place that may name a file."""
    *above, name = place
    record: Any = document.data
    for key in above:
        record = record.get(key) if isinstance(record, dict) else None
    if not isinstance(record, dict):
        return document
    named, sealed = record.get(name), f"{name}_sha256"
    if not isinstance(named, str) or not is_file(named):
        rest = {key: value for key, value in record.items() if key != sealed}
        return _with_record(document, above, rest)
    given = document.line(place).number >= AFTER_FILE
    path = Path(named) if given else folder / named
    try:
        found = read(path)
    except ScenarioError as error:
        return _with(document, place, str(error))
    expected = record.get(sealed)
    if expected not in (None, "", found.sha256) and not given:
        text = (
            f"expected the policy with which this scenario was run (SHA-256 {str(expected)[:12]}); "
            f"got '{path}' with {found.sha256[:12]}. Remove '{sealed}' to take it anyway."
        )
        return _with(document, place, text)
    return _with_record(document, above, record | {name: _short(path), sealed: found.sha256})


def _with_record(document: Document, above: Sequence[Any], record: dict[str, Any]) -> Document:
    """The document with another record at a place."""
    for depth in range(len(above), 0, -1):
        outer: Any = document.data
        for key in above[: depth - 1]:
            outer = outer[key]
        record = {**outer, above[depth - 1]: record}
    return dataclasses.replace(document, data=record)


def _with(document: Document, place: Place, text: str) -> Document:
    problem = Problem(place=place, text=text)
    return dataclasses.replace(document, problems=(*document.problems, problem))


def _short(path: Path) -> str:
    """The path from the working directory, with the slashes of every system."""
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
