"""Designs as a person writes them on one line, and the ledgers that they stand for."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tree6g.cli import options
from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.ledger.reading import Ledger

SUFFIXES: Final = (".yaml", ".yml", ".toml")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One design: `[LABEL=]SOURCE [PATH=VALUE ...]`.

    Attributes:
        label: What results call it.
        source: Ledger folder, folder of a run, scenario file, or name of a library scenario.
        overrides: Values of the scenario to change.
    """

    label: str
    source: str
    overrides: tuple[str, ...]

    @property
    def is_ledger(self) -> bool:
        """Whether it is a ledger already, not a scenario to simulate."""
        path = Path(self.source)
        if (options.ledger_folder(path) / "meta.json").exists():
            return True
        return not self.source.endswith(SUFFIXES) and (path.is_dir() or len(path.parts) > 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is frozen across designs: seed, trace, common overrides; and whom to tell progress."""

    seed: int | None
    trace: Path | dict[str, Path] | None
    overrides: tuple[str, ...]
    progress: Callable[[float, str], None]


def read_designs(texts: Sequence[str]) -> tuple[Design, ...]:
    """Designs in the order given, each with a label of its own.

    Raises:
        ScenarioError: Fewer than two designs, a text that is not one, or a label given twice.
    """
    designs = tuple(_design(text) for text in texts)
    if len(designs) < 2:
        raise ScenarioError("expected two or more designs to compare. Or vary one with --over.")
    labels = [design.label for design in designs]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ScenarioError(
            f"expected a label of its own for each design; got {twice[0]!r} twice. "
            "Write LABEL=SOURCE."
        )
    return designs


def ledgers_of(designs: Sequence[Design], load: Load) -> dict[str, Ledger]:
    """Open the ledgers of designs, after simulating those that are scenarios.

    Raises:
        ScenarioError: An override for a design that is a ledger already.
    """
    from tree6g.ledger.reading import open_ledger

    ledgers = {}
    for design in designs:
        if design.is_ledger:
            if design.overrides:
                raise ScenarioError(
                    f"expected a scenario before {design.overrides[0]!r}; got the ledger "
                    f"{design.source}. A ledger cannot be changed: name its scenario."
                )
            ledgers[design.label] = open_ledger(options.ledger_folder(Path(design.source)))
            continue
        from tree6g.engine.run import run

        result = run(
            design.source,
            seed=load.seed,
            trace=load.trace,
            overrides=(*load.overrides, *design.overrides),
            progress=load.progress,
        )
        ledgers[design.label] = result.ledger
    return ledgers


def _design(text: str) -> Design:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ScenarioError(f"expected '[LABEL=]SOURCE [PATH=VALUE ...]'; got {text!r}.") from error
    if not words:
        raise ScenarioError("expected '[LABEL=]SOURCE [PATH=VALUE ...]'; got nothing.")
    label, sign, source = words[0].partition("=")
    if not sign or Path(words[0]).exists():
        label, source = _label(words[0]), words[0]
    wrong = [word for word in words[1:] if "=" not in word]
    if wrong:
        raise ScenarioError(f"expected PATH=VALUE in design {text!r}; got {wrong[0]!r}.")
    return Design(label=label, source=source, overrides=tuple(words[1:]))


def _label(source: str) -> str:
    path = Path(source)
    named = path.parent if path.name == "ledger" and path.parent.name else path
    return named.stem if source.endswith(SUFFIXES) else named.name or source
