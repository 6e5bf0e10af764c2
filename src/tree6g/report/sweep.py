"""The page of a sweep: designs over seeds, those that no other beats, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tree6g.ledger.meta import digest
from tree6g.report import numerals
from tree6g.report.canvas import Drawing
from tree6g.report.figures import heat_map, pareto
from tree6g.report.frame import Section, figure, folded, page
from tree6g.report.markup import tag
from tree6g.report.tables import Cell, Column, Missing, Table, to_html
from tree6g.report.write import ReportFiles, write_files

Found = Mapping[str, Any]
INTERVALS = (
    "\u00b1 is half of the 95 % confidence interval of the mean over the seeds (Student). It says "
    "how far seeds scatter, not how far the models are from reality. Each interval holds for "
    "itself: of twenty, one misses by chance."
)
PAIRED = (
    "Design minus the first design, seed by seed: both drew the same random numbers, so what they "
    "share cancels."
)


def write_sweep(found: Found, rows: Sequence[Found], out: Path) -> ReportFiles:
    """Write `sweep.html` with its figures and tables.

    Args:
        found: `{scenario, axes: [{path, values}], seeds, measures: [{key, head, unit, larger}],
            points: [{overrides, infeasible, <figure>: {count, mean, half_width, reason}}],
            differences: [{overrides, <figure>}], pareto: {figures, points, left_out}}`.
        rows: Results of the runs under flat keys.
        out: Folder, made if absent.

    Raises:
        LedgerError: The folder cannot be written.
    """
    measures = {m["key"]: m for m in found["measures"]}
    first, second = (measures[key] for key in found["pareto"]["figures"])
    stamp = f"tree6g \u00b7 {found['scenario']} \u00b7 sweep {digest(dict(found))[:12]}"
    designs = designs_of(found)
    drawings = [
        pareto.drawing(designs, first, second, stamp),
        heat_map.drawing(found["axes"], designs, first, stamp),
    ]
    listed = [design_table(found), difference_table(found), run_table(rows)]
    html = page(
        title=f"tree6g: sweep of {found['scenario']}",
        header=[
            tag("p", "tree6g sweep", class_="kind"),
            tag("h1", f"Sweep of {found['scenario']}"),
            tag("p", takeaway(found), class_="takeaway"),
            tag("p", _about(found), class_="lead"),
        ],
        sections=_sections(found, listed, drawings, first),
        footer=[stamp, "This page loads nothing from the web."],
    )
    return write_files(
        out, name="sweep.html", html=html, listed=listed, stamp=stamp,
        drawings=[d for d in drawings if isinstance(d, Drawing)],
    )  # fmt: skip


def designs_of(found: Found) -> list[dict[str, Any]]:
    """Designs with their number, their words, and whether another beats them."""
    best = [dict(point) for point in found["pareto"]["points"]]
    return [
        {
            "number": number,
            "design": words(point["overrides"]),
            "overrides": point["overrides"],
            "front": dict(point["overrides"]) in best,
            "figures": point,
        }
        for number, point in enumerate(found["points"], 1)
    ]


def words(overrides: Mapping[str, str]) -> str:
    """A design in words."""
    return ", ".join(f"{path}={value}" for path, value in overrides.items()) or "as it is"


def takeaway(found: Found) -> str:
    """Which design is best by EE and which by TREE, by their means."""
    by_tree, by_ee = (_best(found, key) for key in ("tree_beq_per_j", "ee_bit_per_j"))
    if not by_tree:
        return "No design has a TREE."
    both = [point for point in by_tree if point in by_ee]
    if both or not by_ee:
        also = " both by bits per joule and by what a joule brings" if both else ""
        return f"{words((both or by_tree)[0]['overrides'])} is best{also}."
    return (
        f"By bits per joule {words(by_ee[0]['overrides'])} is best; by what a joule brings, "
        f"{words(by_tree[0]['overrides'])} is."
    )


def design_table(found: Found) -> Table:
    """Means and intervals of every design."""
    rows = tuple(
        (str(n), *_values(found, p), *_numbers(found, p))
        for n, p in enumerate(found["points"], 1)
    )  # fmt: skip
    columns = (Column(key="number", head="number"), *_axis_columns(found), *_columns(found))
    return Table(name="designs", title="Designs: mean over seeds", columns=columns, rows=rows)


def difference_table(found: Found) -> Table:
    """Every design but the first, against the first on the same seeds."""
    rows = tuple(
        (str(n), *_values(found, p), *_numbers(found, p))
        for n, p in enumerate(found["differences"], 2)
    )  # fmt: skip
    columns = (Column(key="number", head="number"), *_axis_columns(found), *_columns(found))
    title = "Differences from design 1 on the same seeds"
    return Table(name="differences", title=title, columns=columns, rows=rows)


def run_table(rows: Sequence[Found]) -> Table:
    """Every figure of every run, as it came."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    numbers = {key for row in rows for key, value in row.items() if isinstance(value, float)}
    columns = tuple(Column(key=k, head=k, unit="" if k in numbers else None) for k in keys)
    listed = tuple(tuple(_plain(row.get(key)) for key in keys) for row in rows)
    return Table(name="runs", title="All runs", columns=columns, rows=listed)


def _plain(value: Any) -> Cell:
    if value is None:
        return Missing(reason="not defined in this run")
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return value if isinstance(value, float) else str(value)  # counts and seeds stay whole


def _sections(
    found: Found, listed: Sequence[Table], drawings: Sequence[Drawing | Missing], first: Found
) -> list[Section]:
    designs, differences, _ = listed
    left_out = [f"{name} is not in it: {why}." for name, why in found["pareto"]["left_out"].items()]
    shown = "Numbers are those of the table of designs. Bars are 95 % confidence intervals."
    sections = [
        Section(
            id="front", short="Best designs", title="Designs that no other beats",
            body=[figure(drawings[0], shown), *left_out],
        ),
        Section(
            id="designs", short="All designs", title="All designs",
            body=[to_html(designs, limit=200), INTERVALS],
        ),
        Section(
            id="map", short="Map", title=f"{first['head']} over two values",
            body=[figure(drawings[1], "Each cell is a mean over the seeds.")],
        ),
    ]  # fmt: skip
    if differences.rows:
        body = [PAIRED, folded("Differences", to_html(differences, limit=200)), INTERVALS]
        sections.append(
            Section(id="pairs", short="Differences", title="Against the first design", body=body)
        )
    return sections


def _best(found: Found, key: str) -> list[Found]:
    """All designs with the largest mean."""
    known = [point for point in found["points"] if point[key]["mean"] is not None]
    largest = max((point[key]["mean"] for point in known), default=None)
    return [point for point in known if point[key]["mean"] == largest]


def _about(found: Found) -> str:
    seeds = len(found["seeds"])
    return (
        f"{len(found['points'])} designs, {seeds} {'seed' if seeds == 1 else 'seeds'} each "
        f"({numerals.listing([str(s) for s in found['seeds'][:12]])}"
        f"{', ...' if seeds > 12 else ''})."
    )


def _axis_columns(found: Found) -> tuple[Column, ...]:
    return tuple(Column(key=axis["path"], head=axis["path"]) for axis in found["axes"])


def _values(found: Found, point: Found) -> tuple[str, ...]:
    return tuple(str(point["overrides"][axis["path"]]) for axis in found["axes"])


def _columns(found: Found) -> tuple[Column, ...]:
    return tuple(
        Column(key=key, head=head, unit=m["unit"])
        for m in found["measures"]
        for key, head in ((m["key"], m["head"]), (f"half_width_{m['key']}", "\u00b1"))
    )


def _numbers(found: Found, point: Found) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for measure in found["measures"]:
        estimate = point[measure["key"]]
        reason = Missing(reason=estimate["reason"] or "not defined")
        cells += [
            reason if estimate[name] is None else float(estimate[name])
            for name in ("mean", "half_width")
        ]
    return tuple(cells)
