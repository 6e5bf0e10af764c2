"""A scenario that behaves as a measured ledger does: `tree6g fit scenario`.

Taken from the first part of the ledger's time:

- requests of each AI service by hour and the mean lengths of prompts and answers; where requests
  are listed one by one, also the packaged distribution that is most like theirs,
- bits of each data service by hour,
- power at rest and joules above it of servers, the rest of their hosts, radio, cooling: by node
  where names agree with the template's, else by tier. A ledger that does not tell rest from work
  gives power at rest as the start of the line of power over work.

What a ledger cannot know comes from the template and is told: the model and its times, places and
radio links of users, sizes of messages. The rest of the time was not seen by the fit: it is
simulated, and compared with what was measured (`calibrate.overlay`).
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tree6g.calibrate.overlay import Overlay, overlay
from tree6g.calibrate.result import Constant, Fit
from tree6g.calibrate.scenario_loads import HOUR_S, HOURS, Load, draws, loads
from tree6g.calibrate.scenario_power import powered, server_nodes
from tree6g.calibrate.scenario_traffic import with_loads
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.metric import coverage
from tree6g.metric.cells import open_book
from tree6g.metric.coverage import Span
from tree6g.metric.figure import Query
from tree6g.scenario.load import dump, load, load_text
from tree6g.scenario.model import Scenario

TEMPLATE: Final = "hybrid-cell"
HOLD_OUT_FRAC: Final = 0.3
LONGEST_S: Final = 3600.0  # of simulated time, each time
Progress = Callable[[float, str], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A scenario and what it rests on.

    Attributes:
        scenario: The scenario.
        errors: Simulated against measured in time that the fit did not see; None: none was left.
        said: What came from where, and what is not known.
        constants: What was fitted.
        fitted_s: Time that the fit saw.
    """

    scenario: Scenario
    errors: Overlay | None
    said: tuple[str, ...]
    constants: tuple[Constant, ...]
    fitted_s: float

    def to_yaml(self) -> str:
        """The scenario as a file, with what was said of it in front."""
        head = "".join(f"# {line}\n" for line in self.said)
        short = self.scenario.model_dump(mode="json", exclude_unset=True)
        text = _text(head, short)
        if load_text(text) == self.scenario:
            return text
        return _text(head, dump(self.scenario))


def fit(
    path: Path,
    *,
    template: str | None = None,
    hold_out_frac: float | None = None,
    longest_s: float | None = None,
    progress: Progress | None = None,
) -> Fit:
    """As `fit_scenario`, of a ledger's folder, for the command."""
    folder = path if (path / "meta.json").exists() else path / "ledger"
    fitted = fit_scenario(
        open_ledger(folder if folder.exists() else path),
        template or TEMPLATE,
        hold_out_frac=HOLD_OUT_FRAC if hold_out_frac is None else hold_out_frac,
        longest_s=longest_s or LONGEST_S,
        progress=progress,
    )
    errors = fitted.errors
    row = errors.row("energy") if errors else None
    error = abs(row.error_frac) if row and row.error_frac is not None else None
    return Fit(
        kind="scenario",
        rows=round(fitted.fitted_s),
        error=error,
        headline=_headline(fitted, error),
        constants=fitted.constants,
        problems=fitted.said,
        table=fitted.to_yaml(),
        errors=errors,
    )


def fit_scenario(
    ledger: Ledger,
    template: str | Path | Scenario,
    *,
    hold_out_frac: float = HOLD_OUT_FRAC,
    longest_s: float = LONGEST_S,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a scenario to a ledger.

    Args:
        ledger: Measured, or any other.
        template: What the ledger cannot know: a name of the library, a file or a scenario.
        hold_out_frac: Share of the time, at its end, that is kept for the comparison.
        longest_s: Longest time that is simulated at once.
        progress: Is told how much of a simulation is done.

    Raises:
        ScenarioError: A template with a layout, a share that is none, or no AI nor data service.
        LedgerError: No time of the ledger is covered.
    """
    if not 0.0 <= hold_out_frac < 1.0:
        raise ScenarioError(f"expected a share from 0 to below 1; got {hold_out_frac:g}.")
    base = load(template)
    if base.layout is not None or base.population.file is not None:
        raise ScenarioError(
            f"expected a template whose sites stand one by one; {base.name} has a layout or a file "
            "of places. Take one without."
        )
    book = open_book(ledger, Query(), cells=False)
    if not book.cover:
        raise ScenarioError(f"no time of {ledger.path} is covered by all of its sources.")
    seen, unseen = split(book.cover, hold_out_frac)
    said: list[str] = []
    found = loads(book, seen)
    kinds = {name: service.kind for name, service in book.services.items()}
    scenario = with_loads(base, found, kinds, ledger.meta.services, said)
    constants = _load_constants(found)
    with tempfile.TemporaryDirectory(prefix="tree6g-fit-") as folder:
        length_s = min(coverage.length_s(seen), longest_s)
        probe = _simulated(scenario, length_s, Path(folder) / "probe", progress)
        own = open_book(probe, Query(), cells=False)
        costs = _costs(probe)
        nodes = sorted(set(server_nodes(scenario)) & {*book.inside, *book.outside})
        lasted = coverage.intersection(own.cover, [(0.0, length_s)])
        pair = (draws(book, seen, nodes, costs), draws(own, lasted, nodes, costs))
        scenario = powered(scenario, *pair, said, constants)
        whole_s = max(min(book.cover[-1][1] - book.cover[0][0], 31 * 86400.0), 1.0)
        scenario = load({**dump(scenario), "name": _name(ledger), "duration_s": whole_s})
        later = _Later(seen[0][0], unseen, longest_s, Path(folder) / "later")
        errors = _held_out(ledger, scenario, later, progress, said)
    return Fitted(
        scenario=scenario,
        errors=errors,
        said=tuple(said),
        constants=tuple(constants),
        fitted_s=coverage.length_s(seen),
    )


def split(cover: Sequence[Span], hold_out_frac: float) -> tuple[list[Span], list[Span]]:
    """Covered time in two: what the fit sees, and what comes after it.

    A ledger of more than four hours is cut at a whole hour from its start, so that curves by hour
    go on where they were.
    """
    start, end = cover[0][0], cover[-1][1]
    cut = end - hold_out_frac * (end - start)
    if end - start > 4 * HOUR_S:
        cut = start + max(round((cut - start) / HOUR_S), 1) * HOUR_S
    seen = coverage.intersection(cover, [(start, cut)])
    return seen or list(cover), coverage.intersection(cover, [(cut, end)])


def _simulated(
    scenario: Scenario, length_s: float, folder: Path, progress: Progress | None
) -> Ledger:
    """A run whose load goes on beyond what is compared, so that no row of that is half empty."""
    longer_s = length_s + 2.0 * scenario.ledger_interval_s
    short = load({**dump(scenario), "duration_s": longer_s, "drain_s": 0.0})
    return run(short, out=folder, progress=progress).ledger


@dataclasses.dataclass(frozen=True, slots=True)
class _Later:
    """The time that the fit did not see: start of the ledger, spans, how much at most, where."""

    start_s: float
    unseen: Sequence[Span]
    longest_s: float
    folder: Path


def _held_out(
    ledger: Ledger,
    scenario: Scenario,
    later: _Later,
    progress: Progress | None,
    said: list[str],
) -> Overlay | None:
    """The time after the fit, simulated and compared."""
    if not later.unseen:
        said.append("No time was held out, so the error in other time is not known.")
        return None
    t0_s = later.unseen[0][0]
    length_s = min(later.unseen[-1][1] - t0_s, later.longest_s)
    turned = _turned(scenario, int((t0_s - later.start_s) // HOUR_S) % HOURS)
    simulated = _simulated(turned, length_s, later.folder, progress)
    return overlay(
        {"measured": ledger, "simulated": simulated},
        Query(t0_s=t0_s, t1_s=t0_s + length_s),
        shift_s=t0_s,
        reference="measured",
    )


def _turned(scenario: Scenario, hours: int) -> Scenario:
    """The same scenario some hours later."""
    plain = dump(scenario)
    for service in plain["services"]:
        curve = service["day_curve"]
        service["day_curve"] = curve[hours:] + curve[:hours]
    return load(plain)


def _costs(ledger: Ledger) -> Mapping[str, float]:
    """Mean worth of a token of each kind in the simulated servers' own time."""
    found: dict[str, list[float]] = {}
    for row in ledger.meta.phase_weights:
        found.setdefault(str(row["kind"]), []).append(float(row["weight"]))
    return {kind: sum(w) / len(w) for kind, w in found.items()} or {"token_out": 1.0}


def _load_constants(found: Mapping[str, Load]) -> list[Constant]:
    made = []
    for name, own in found.items():
        if own.requests:
            made += [
                Constant(
                    name=f"{name}: requests_per_hour", value=own.requests / own.length_s * HOUR_S
                ),
                Constant(name=f"{name}: mean_prompt_tok", value=own.input_tok / own.requests),
                Constant(name=f"{name}: mean_answer_tok", value=own.output_tok / own.requests),
            ]
        bits = own.bits_up_bit + own.bits_down_bit
        if bits > 0.0:
            made.append(Constant(name=f"{name}: rate_bps", value=bits / own.length_s))
    return made


def _name(ledger: Ledger) -> str:
    stem = ledger.path.parent.name if ledger.path.name == "ledger" else ledger.path.name
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in stem.lower())
    return (kept.strip("-_") or "ledger") + "-fitted"


def _headline(fitted: Fitted, error: float | None) -> str:
    hours = fitted.fitted_s / HOUR_S
    if error is None:
        return f"Fitted to {hours:.3g} h; its error in other time is not known."
    return f"Fitted to {hours:.3g} h; in time that it did not see its energy is {error:.1%} off."


def _text(head: str, plain: Mapping[str, Any]) -> str:
    return head + yaml.safe_dump(dict(plain), sort_keys=False, allow_unicode=True)
