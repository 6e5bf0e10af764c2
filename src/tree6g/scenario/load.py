"""From what a person writes to a frozen `Scenario`, with every fault reported at once."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tree6g.errors import ScenarioError, nearest
from tree6g.scenario import (
    cross,
    geography,
    overrides,
    policy_file,
    profile_file,
    topology_file,
)
from tree6g.scenario.document import SUFFIXES, Document, Line, Problem, read_bytes, read_file
from tree6g.scenario.faults import faults, got
from tree6g.scenario.model import Scenario

SHOWN: Final = 50  # faults in the text of an error; all of them are in its `problems`


def load(
    source: str | os.PathLike[str] | Mapping[str, Any] | Scenario, overrides: Sequence[str] = ()
) -> Scenario:
    """A scenario from the library, from a file or from plain data.

    Args:
        source: A name of the library, the path of a `.yaml`, `.yml` or `.toml` file, plain data, or
            a scenario.
        overrides: Changes such as `"sites.0.base_station.bandwidth=50 MHz"`,
            `"services.assistant.weight=2"`, `"services.*.weight=1"`.

    Raises:
        ScenarioError: With one line per fault: file, line, path, what was expected and what came.

    >>> load("street-corner", ["population.users=50"]).population.users
    50
    """
    if isinstance(source, Scenario) and not overrides:
        return source
    return _validated(_document(source), overrides, _folder(source))


def load_text(text: str, name: str = "scenario.yaml", overrides: Sequence[str] = ()) -> Scenario:
    """A scenario from the text of a file; the ending of `name` says whether it is YAML or TOML.

    Raises:
        ScenarioError: As for `load`.
    """
    document = read_bytes(text.encode(), name, toml=name.endswith(".toml"))
    return _validated(document, overrides, Path())


def names() -> tuple[str, ...]:
    """The scenarios of the library."""
    files = resources.files("tree6g.scenario").joinpath("library").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def text_of(name: str) -> str:
    """The commented text of a library scenario.

    Raises:
        ScenarioError: No such scenario.
    """
    known = names()
    if name not in known:
        raise ScenarioError(
            f"expected a scenario of the library or a path that ends in {', '.join(SUFFIXES)}; "
            f"got {name!r}. {nearest(name, known)}"
        )
    file = resources.files("tree6g.scenario").joinpath("library", f"{name}.yaml")
    return file.read_text("utf-8")


def dump(scenario: Scenario) -> dict[str, Any]:
    """A scenario as plain data under SI names, every default resolved; `load` reads it back."""
    return scenario.model_dump(mode="json")


def config_hash(scenario: Scenario) -> str:
    """A short hash of all that a scenario says, its seed included."""
    from tree6g.ledger.meta import digest

    plain = dump(scenario)
    if scenario.policy_sha256:  # wherever the file lies
        plain["policy"] = Path(scenario.policy).name
    if scenario.scheduling is not None and scenario.scheduling.rule_sha256:
        plain["scheduling"]["rule"] = Path(scenario.scheduling.rule).name
    for service in plain["services"]:
        if service.get("profile"):
            service["profile"] = Path(service["profile"]).name
    return digest(plain)


def _document(source: str | os.PathLike[str] | Mapping[str, Any] | Scenario) -> Document:
    if isinstance(source, Scenario):
        return Document(data=dump(source))
    if isinstance(source, Mapping):
        try:
            return Document(data=_plain(source))
        except RecursionError as error:
            raise ScenarioError("expected plain data; got data that holds itself.") from error
    if not isinstance(source, str | os.PathLike):
        raise ScenarioError(f"expected a scenario, its name, path or data; got {got(source)}.")
    path = os.fspath(source)
    if path.endswith(SUFFIXES) or not isinstance(source, str) or os.sep in path:
        return read_file(Path(source))
    return read_bytes(text_of(path).encode(), f"{path}.yaml")


def _folder(source: str | os.PathLike[str] | Mapping[str, Any] | Scenario) -> Path:
    """Where the files that a scenario names are looked for."""
    if isinstance(source, Mapping | Scenario):
        return Path()
    return Path(os.fspath(source)).parent


def _plain(value: Any) -> Any:
    """A copy made of dicts, lists and numbers only."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    return value


def _validated(document: Document, changes: Sequence[str], folder: Path) -> Scenario:
    if not isinstance(document.data, dict):
        raise ScenarioError(
            f"{document.name}: expected the fields of a scenario (name, sites, services, ...); "
            f"got {got(document.data)}."
        )
    document = geography.fill(overrides.apply(document, changes), folder)
    for part in (policy_file, topology_file, profile_file):
        document = part.fill(document, folder)
    problems = list(document.problems)
    scenario = None
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        problems += faults(error, document.data)
    problems += cross.references(document.data)
    if scenario is not None and not problems:
        problems += cross.sums(scenario)
    if scenario is None or problems:
        raise _error(document, problems)
    return scenario


def _error(document: Document, problems: Sequence[Problem]) -> ScenarioError:
    lines = [text for _, text in sorted((_sorted_by(document, p), _text(document, p))
                                        for p in problems)]  # fmt: skip
    count = len(lines)
    head = f"{document.name or 'scenario'}: {count} {'fault' if count == 1 else 'faults'}"
    rest = [f"... and {count - SHOWN} more."] if count > SHOWN else []
    return ScenarioError("\n".join([f"{head}:", *lines[:SHOWN], *rest]), lines)


def _sorted_by(document: Document, problem: Problem) -> tuple[int, str]:
    line: Line = document.line(problem.place)
    return line.number, overrides.shown(problem.place)


def _text(document: Document, problem: Problem) -> str:
    """One line: file and line or override, path, fault."""
    label = document.line(problem.place).label
    where = overrides.shown(problem.place)
    parts = [label] if where == label else [label, where]
    text = ": ".join([part for part in parts if part] + [problem.text])
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
