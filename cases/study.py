"""What a case study works with: designs run side by side, and what TREE and EE say of them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any, Final

import tree6g
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.metric.compare import Comparison, compare
from tree6g.metric.figure import Figure, Query

Found = dict[str, Any]
"""What a study found: plain data (numbers, text, lists, mappings), as written to `results.json`."""

DIGITS: Final = 6  # significant digits that are kept of a number


@dataclasses.dataclass(frozen=True, slots=True)
class Design:
    """One run of a study.

    Attributes:
        scenario: Scenario file or name of a packaged one.
        overrides: `path=value` changes to it.
        seed: Seed; None: the scenario's.
        trace: File of requests in place of drawn ones; None: they are drawn.
    """

    scenario: str
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    trace: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a study runs.

    Attributes:
        folder: Folder for its ledgers, its own.
        executor: Runs designs, each in a process of its own.
        quick: Whether only to show that it works: minutes are cut to seconds, figures mean nothing.
        tell: Takes a line about the progress.
    """

    folder: Path
    executor: Executor
    quick: bool
    tell: Callable[[str], None]

    def within(self, name: str) -> Bench:
        """The same with a folder of its own in this one, for a study of several parts."""
        return dataclasses.replace(self, folder=self.folder / name)

    def ledgers(
        self, designs: Mapping[str, Design], *, quick: Sequence[str] = ()
    ) -> dict[str, Ledger]:
        """Run every design; ledgers by name, in the order given.

        Args:
            designs: Designs by name.
            quick: Further overrides of a quick run, such as `duration=2 min`.
        """
        extra = tuple(quick) if self.quick else ()
        work = {}
        for number, (name, design) in enumerate(designs.items()):
            full = dataclasses.replace(design, overrides=(*design.overrides, *extra))
            work[self.executor.submit(_run, full, self.folder / f"{number:03d}")] = name
        for done, future in enumerate(as_completed(work), 1):
            future.result()
            self.tell(f"  {done} of {len(work)}: {work[future]}")
        paths = (self.folder / f"{number:03d}" / "ledger" for number in range(len(designs)))
        return dict(zip(designs, map(open_ledger, paths), strict=True))


def _run(design: Design, out: Path) -> None:
    tree6g.run(
        design.scenario, seed=design.seed, overrides=list(design.overrides), trace=design.trace,
        out=out,
    )  # fmt: skip


def verdict(ledgers: Mapping[str, Ledger], query: Query | None = None) -> Found:
    """Which design EE ranks first, which TREE, and for which worth of a token they differ.

    Returns:
        `designs` (a list of figures, see `figures_of`), `same_service`, `reasons`, `ee_best`,
        `tree_best` (by all, ranked or not: the page says whether they render the same service),
        and `turns`: per AI service the spans of its tokens' worth in which each design wins, and
        for which TREE's winner is another than EE's.
    """
    found = compare(ledgers, query)
    figures = found.figures
    return {
        "designs": [{"design": name, **figures_of(f)} for name, f in figures.items()],
        "boundary": next(iter(figures.values())).boundary,
        "same_service": found.same_service,
        "reasons": list(found.reasons),
        "ee_best": best(figures, "ee_bit_per_j"),
        "tree_best": best(figures, "tree_beq_per_j"),
        "turns": _turns(found),
    }


def best(figures: Mapping[str, Figure], field: str) -> str:
    """Design with the largest value of a figure."""
    return max(figures, key=lambda name: float(getattr(figures[name], field) or 0.0))


def figures_of(f: Figure) -> Found:
    """The figures of a design that a page shows, under flat keys, SI units."""
    flat: Found = {
        "tree_beq_per_j": f.tree_beq_per_j,
        "ee_bit_per_j": f.ee_bit_per_j,
        "energy_j": f.energy_j,
        "mean_power_w": f.energy_j / (f.t1_s - f.t0_s),
    }
    for s in f.services:
        flat[s.name] = {
            "served_share_frac": s.served_share_frac,
            "bit_share_frac": s.bit_share_frac,
            "energy_share_frac": s.energy_share_frac,
            "utility_share_frac": s.utility_share_frac,
        }
    return flat


def _turns(found: Comparison) -> dict[str, Found]:
    by_ee = best(found.figures, "ee_bit_per_j")
    first = next(iter(found.figures.values()))
    turns: dict[str, Found] = {}
    for share in found.weight_share:
        own = turns.setdefault(
            share.service,
            {
                "alpha_bit_per_tok": first.service(share.service).alpha_bit_per_tok,
                "spans": {},
                "share_frac": {},
                "differs_bit_per_tok": [],
            },
        )
        own["spans"][share.design] = [list(span) for span in share.spans]
        own["share_frac"][share.design] = share.frac
        if share.design != by_ee:
            own["differs_bit_per_tok"] += [list(span) for span in share.spans]
    for own in turns.values():
        own["differs_bit_per_tok"] = _joined(own["differs_bit_per_tok"])
    return turns


def _joined(spans: Sequence[Sequence[float]]) -> list[list[float]]:
    """Spans that touch become one."""
    whole: list[list[float]] = []
    for low, high in sorted(map(tuple, spans)):
        if whole and math.isclose(low, whole[-1][1], rel_tol=1e-9):
            whole[-1][1] = high
        else:
            whole.append([low, high])
    return whole


def rounded(value: Any) -> Any:
    """Plain data with numbers of `DIGITS` digits, so that a rerun elsewhere writes the same."""
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a study found {number}: expected a finite number or None")
    return float(f"{number:.{DIGITS}g}")


def read(path: Path) -> Found:
    """What a study found, as kept."""
    found: Found = json.loads(path.read_text("utf-8"))
    return found


def write(found: Found, path: Path) -> None:
    """Keep what a study found."""
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
