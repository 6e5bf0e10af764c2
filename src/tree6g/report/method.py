"""The sections of a report that say how the figures were taken, and from what."""

from __future__ import annotations

import base64
import json
import re
from typing import Final

from tree6g import data
from tree6g.report import listings, numerals, words
from tree6g.report.evidence import Evidence
from tree6g.report.frame import Section, definitions, folded
from tree6g.report.markup import Markup, join, linked, tag
from tree6g.report.references import METRIC_PAPER
from tree6g.report.tables import Column, Missing, Table, to_html

_SAME: Final = (
    "The same scenario and seed, and the same traces where requests came from traces, give the "
    "same ledger, byte for byte."
)
_EQUIPMENT: Final = ("base_stations", "accelerators", "models")


def sections(evidence: Evidence) -> list[Section]:
    """How it was done."""
    return [
        Section(
            id="boundary",
            short="Boundary",
            title="What counts: the boundary",
            body=_boundary(evidence),
        ),
        Section(id="coverage", short="Coverage", title="Coverage", body=_coverage(evidence)),
        Section(
            id="attribution",
            short="Attribution",
            title="How shared energy is attributed",
            body=[
                f"Rule: {evidence.figure.rule}. {words.RULE[evidence.figure.rule]}",
                words.IDLE[evidence.figure.idle],
                _conserved(evidence.figure.conservation_error_frac),
            ],
        ),
        Section(
            id="profiles",
            short="Profiles",
            title="What the services are worth: profiles",
            body=[
                (
                    "An effective token is an output token, or k_in of a prompt token. \u03b1 is "
                    "its worth in bits, w the priority of the service. Figures of different "
                    "profile sets are not compared."
                ),
                to_html(listings.profiles(evidence)),
            ],
        ),
        Section(
            id="uncertainty",
            short="Uncertainty",
            title="Uncertainty",
            body=[
                words.uncertainty_sentence(evidence.figure),
                to_html(listings.origins(evidence)),
            ],
        ),
        Section(id="money", short="Money", title="In money", body=_money(evidence)),
        Section(id="sources", short="Sources", title="Sources", body=_sources(evidence)),
        Section(
            id="reproduce", short="Reproduce", title="How to reproduce", body=_reproduce(evidence)
        ),
    ]


def record_table(evidence: Evidence) -> Table:
    """The rows of packaged tables that the scenario and the nodes' records name."""
    named = {
        r.what: (r.what.replace("/", " / "), r.status, r.text)
        for r in evidence.references
        if "/" in r.what
    }
    words = {w for n in evidence.nodes for w in re.split(r"[\s,]+", str(n["record"] or ""))}
    for name in _EQUIPMENT:
        for key, row in data.table(name).items():
            if key in words:
                what = f"{name}/{key}"
                named[what] = (
                    f"{name} / {key}",
                    data.text(row, "status"),
                    data.text(row, "source"),
                )
    columns = (
        Column(key="record", head="record"),
        Column(key="status", head="status"),
        Column(key="source", head="source"),
    )
    rows = tuple(named[what] for what in sorted(named))
    return Table(name="records", title="Records of packaged tables", columns=columns, rows=rows)


def _conserved(error_frac: float) -> str:
    size = "exactly" if error_frac == 0 else f"with a relative error of {error_frac:.1e}"
    return f"Attributed and unattributed joules add up to all joules {size}."


def _boundary(evidence: Evidence) -> list[object]:
    f = evidence.figure
    table = listings.nodes(evidence)
    outside = (
        f"{len(f.outside)} of {len(f.inside) + len(f.outside)} nodes are outside it and count "
        "neither with their energy nor with their work."
        if f.outside
        else "Every node of the ledger is inside it."
    )
    return [f"Boundary {f.boundary}: {words.BOUNDARY[f.boundary]}. {outside}", to_html(table)]


def _coverage(evidence: Evidence) -> list[object]:
    parts: list[object] = [words.coverage_sentence(evidence.figure)]
    if evidence.gaps:
        parts.append(to_html(listings.gaps(evidence)))
    return parts


def _money(evidence: Evidence) -> list[object]:
    table = listings.money(evidence)
    if isinstance(table, Missing):
        return [f"No money is shown: {table.reason}."]
    stated = str(((evidence.meta.scenario or {}).get("prices") or {}).get("source") or "not stated")
    return [
        (
            "TREE times the price of a bit is what a joule earns. It holds as far as the worth of "
            "a token is itself a ratio of prices."
        ),
        to_html(table),
        tag("p", "Source of the prices: ", linked(stated), class_="note"),
    ]


def _sources(evidence: Evidence) -> list[object]:
    parts: list[object] = []
    listed = listings.sources(evidence).rows
    if listed:
        items = (join([tag("dt", r[0]), tag("dd", linked(str(r[1])))]) for r in listed)
        parts.append(tag("dl", *items, class_="sources"))
    else:
        parts.append("The ledger names no sources.")
    records = record_table(evidence)
    if records.rows:
        parts.append(to_html(records))
    shown = {row[2] for row in records.rows}
    used = [s.profile for s in evidence.services.values() if s.profile.source not in {"", *shown}]
    if used:
        items = (tag("li", linked(t)) for t in sorted({f"{p.id}: {p.source}" for p in used}))
        parts += [tag("h3", "Profiles"), tag("ul", *items)]
    parts += [
        tag("h3", "The metric"),
        tag("p", linked(METRIC_PAPER.text), ". EE_ran: ETSI ES 203 228, 3GPP TS 28.554."),
    ]
    return parts


def _reproduce(evidence: Evidence) -> list[object]:
    scenario = evidence.meta.scenario
    f = evidence.figure
    options = f"--boundary {f.boundary} --rule {f.rule} --idle {f.idle}"
    facts: list[tuple[str, object]] = [
        ("Configuration", tag("span", evidence.configuration, class_="hash")),
        ("Written by", evidence.meta.producer),
    ]
    if scenario is None:
        facts.append(("Origin", "no scenario: this ledger was not simulated by tree6g"))
        command = f"tree6g report LEDGER {options}"
        return [definitions(facts), _code(command)]
    seed = scenario.get("seed")
    facts.append(("Seed", numerals.DASH if seed is None else str(seed)))
    command = f"tree6g run scenario.yaml --seed {seed}\ntree6g report LEDGER {options}"
    text = json.dumps(scenario, indent=1, sort_keys=True)
    return [
        definitions(facts),
        _SAME,
        _code(command),
        folded("The whole scenario", join([_scenario_link(text), _code(text)])),
    ]


def _code(text: str) -> Markup:
    return tag("pre", tag("code", join(text.splitlines(), Markup("\n"))))


def _scenario_link(text: str) -> Markup:
    body = base64.b64encode(text.encode()).decode()
    href = f"data:text/plain;charset=utf-8;base64,{body}"
    return tag(
        "p", tag("a", "Save as scenario.yaml", class_="data", download="scenario.yaml", href=href)
    )
