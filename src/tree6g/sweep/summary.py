"""What came out of a sweep: a mean per design and figure, the best designs, paired differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tree6g.errors import ScenarioError, nearest
from tree6g.sweep.grid import Point
from tree6g.sweep.intervals import Estimate, estimate
from tree6g.sweep.pareto import front
from tree6g.sweep.parts import Row
from tree6g.sweep.run import Run, Sweep
from tree6g.sweep.task import INFEASIBLE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure of a run that a summary knows.

    Attributes:
        key: Its flat key in a result.
        head: Its name for people.
        unit: Suffix of its unit.
        larger: Whether more of it is better.
    """

    key: str
    head: str
    unit: str
    larger: bool


MEASURES: Final = (
    Measure(key="tree_beq_per_j", head="TREE", unit="beq_per_j", larger=True),
    Measure(key="ee_bit_per_j", head="EE", unit="bit_per_j", larger=True),
    Measure(key="j_per_tok", head="energy per token", unit="j_per_tok", larger=False),
    Measure(key="energy_j", head="energy", unit="j", larger=False),
    Measure(key="served_share_frac", head="served share", unit="frac", larger=True),
    Measure(key="ttft_p90_s", head="TTFT p90", unit="s", larger=False),
)
DEFAULT_PAIR: Final = ("tree_beq_per_j", "ttft_p90_s")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A point of the grid over all its seeds.

    Attributes:
        point: Its values.
        figures: Mean with interval by key of the figure.
        infeasible: Why it cannot work; None if it can.
    """

    point: Point
    figures: Mapping[str, Estimate]
    infeasible: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A design against the first one, seed by seed.

    Attributes:
        point: The design.
        figures: Mean difference with its interval, by key. Both designs drew the same random
            numbers, so what they share cancels; its interval is usually far narrower than those of
            the two means.
    """

    point: Point
    figures: Mapping[str, Estimate]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Designs that no other beats in two figures at once, by their means.

    Attributes:
        first: The first figure.
        second: The second.
        points: The designs, best of the first figure first.
        left_out: Designs without one of the two means, and why.
    """

    first: Measure
    second: Measure
    points: tuple[Point, ...]
    left_out: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All of it.

    Attributes:
        designs: In the order of the grid.
        differences: Of each design but the first against the first.
        front: The Pareto front.
    """

    designs: tuple[Design, ...]
    differences: tuple[Difference, ...]
    front: Front


def summarise(done: Sweep, pair: Sequence[str] = DEFAULT_PAIR) -> Summary:
    """Means, intervals, front and paired differences of a sweep.

    Intervals are 95 % each for itself; of twenty, one misses by chance.

    Raises:
        ScenarioError: The pair is not two of the known figures.
    """
    first, second = measures_of(pair)
    by_point: dict[str, list[Run]] = {}
    for run in done.runs:
        by_point.setdefault(run.point.label, []).append(run)
    groups = list(by_point.values())
    designs = tuple(_design(runs) for runs in groups)
    differences = tuple(_difference(groups[0], runs) for runs in groups[1:])
    return Summary(designs=designs, differences=differences, front=_front(designs, first, second))


def measures_of(keys: Sequence[str]) -> tuple[Measure, Measure]:
    """Two figures by their keys.

    Raises:
        ScenarioError: Not two different known ones.
    """
    known = {measure.key: measure for measure in MEASURES}
    for key in keys:
        if key not in known:
            raise ScenarioError(f"expected a figure; got {key!r}. {nearest(key, known)}")
    if len(keys) != 2 or keys[0] == keys[1]:
        raise ScenarioError(f"expected two figures A,B for a Pareto front; got {list(keys)}.")
    return known[keys[0]], known[keys[1]]


def plain(summary: Summary) -> dict[str, Any]:
    """A summary as plain data, ready for JSON."""
    return {
        "points": [
            {"overrides": dict(d.point.values), "infeasible": d.infeasible, **_plain(d.figures)}
            for d in summary.designs
        ],
        "differences": [
            {"overrides": dict(d.point.values), **_plain(d.figures)} for d in summary.differences
        ],
        "pareto": {
            "figures": [summary.front.first.key, summary.front.second.key],
            "points": [dict(point.values) for point in summary.front.points],
            "left_out": dict(summary.front.left_out),
        },
    }


def _plain(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {key: dataclasses.asdict(found) for key, found in figures.items()}


def _design(runs: Sequence[Run]) -> Design:
    why = next((str(r.row[INFEASIBLE]) for r in runs if INFEASIBLE in r.row), None)
    figures = {m.key: _of_rows([r.row for r in runs], m.key) for m in MEASURES}
    return Design(point=runs[0].point, figures=figures, infeasible=why)


def _of_rows(rows: Sequence[Row], key: str) -> Estimate:
    values = [float(row[key]) for row in rows if row.get(key) is not None]
    found = estimate(values)
    if len(values) == len(rows):
        return found
    why = f"not defined in {len(rows) - len(values)} of {len(rows)} runs"
    reasons = [str(r[f"reasons.{key}"]) for r in rows if r.get(f"reasons.{key}")]
    reasons += [str(r[INFEASIBLE]) for r in rows if INFEASIBLE in r]
    return dataclasses.replace(found, reason=": ".join([why, *reasons[:1]]))


def _difference(base: Sequence[Run], runs: Sequence[Run]) -> Difference:
    first = {run.seed: run.row for run in base}
    pairs = [(first[run.seed], run.row) for run in runs]
    figures = {}
    for measure in MEASURES:
        both = [(a.get(measure.key), b.get(measure.key)) for a, b in pairs]
        known = [float(b) - float(a) for a, b in both if a is not None and b is not None]
        figures[measure.key] = estimate(known)
    return Difference(point=runs[0].point, figures=figures)


def _front(designs: Sequence[Design], first: Measure, second: Measure) -> Front:
    known, left_out = [], {}
    for design in designs:
        pair = [design.figures[m.key] for m in (first, second)]
        missing = next((e for e in pair if e.mean is None), None)
        if missing is None:
            known.append((design.point, (pair[0].mean or 0.0, pair[1].mean or 0.0)))
        else:
            left_out[design.point.label] = missing.reason or "not defined"
    best = front(
        [pair for _, pair in known], larger_first=first.larger, larger_second=second.larger
    )
    return Front(
        first=first, second=second, points=tuple(known[i][0] for i in best), left_out=left_out
    )
