"""The conformance set: every folder of `conformance/` gives what its expected.json says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tree6g.errors import LedgerError
from tree6g.ledger.interchange import from_csv
from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Query
from tree6g.metric.kpi import kpis
from tree6g.metric.on_time import late
from tree6g.metric.tree import figure, series

FOLDER = Path(__file__).parents[2] / "conformance"
CASES = {p.parent.name: json.loads(p.read_text()) for p in sorted(FOLDER.glob("*/expected.json"))}
TOLERANCE = 1e-9

# Categories of expected.json and the words by which our sentences are recognised.
REASONS = {
    "no_coverage": "no time is covered",
    "coverage_unstated": "does not state what time it covered",
    "no_energy": "no energy is",
    "nothing": "neither work nor energy",
    "sessions_unseen": "are not seen",
    "no_utility": "no utility was earned|earned no utility",
    "no_work": "offered no work",
    "u95_unknown": "uncertainty",
}
ERRORS = {
    "negative": ">= 0",
    "overlap": "one source at a time",
    "unknown_node": "no row in table 'entity'",
    "unknown_service": "no entry in meta.json",
    "bad_profile": "without falling",
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_gives_what_it_expects(name: str, tmp_path: Path) -> None:
    expected = CASES[name]
    if "error" in expected:
        with pytest.raises(LedgerError, match=ERRORS[expected["error"]]):
            figure(from_csv(FOLDER / name, tmp_path / "ledger"))
        return
    ledger = from_csv(FOLDER / name, tmp_path / "ledger")
    for asked in expected["asks"]:
        query = Query(**asked["query"])
        _compare_figure(ledger, query, asked)
        if "kpi" in asked:
            _compare_kpi(kpis(ledger, query).to_dict(), asked["kpi"])
        for grouping in asked.get("series", ()):
            _compare_series(ledger, query, grouping)


@pytest.mark.parametrize("name", [n for n, body in CASES.items() if "on_time" in body])
def test_the_late_tokens_of_a_case_are_those_it_lists(name: str) -> None:
    stated = CASES[name]["on_time"]
    delivered = stated["delivered_s"]
    number = range(1, len(delivered) + 1)
    budgets = {k: stated[k] for k in ("ttft_budget_s", "tpot_budget_s")}
    found = late(stated["arrival_s"], list(number), delivered, **budgets)
    assert [n for n, is_late in zip(number, found, strict=True) if is_late] == stated["late_tokens"]


def test_the_readme_lists_every_case() -> None:
    table = cases_table()
    text = (FOLDER / "README.md").read_text()
    assert table in text, f"the table of conformance/README.md should be:\n{table}"


def test_every_rule_of_the_metric_has_a_case() -> None:
    covered = {rule for body in CASES.values() for rule in body["rules"]}
    assert covered == set(range(1, 14))


def test_every_case_is_worked_out_and_explained_in_one_line() -> None:
    for name, body in CASES.items():
        assert body["workings"], name
        assert "\n" not in body["explanation"], name
        assert body["explanation"].endswith("."), name


def cases_table() -> str:
    """The table of cases for the README, from the cases themselves."""
    lines = ["| case | rules | what it shows |", "|---|---|---|"]
    for name, body in CASES.items():
        rules = ", ".join(str(rule) for rule in body["rules"])
        lines.append(f"| [`{name}`]({name}) | {rules} | {body['explanation']} |")
    return "\n".join(lines)


def _compare_figure(ledger: Ledger, query: Query, asked: dict[str, Any]) -> None:
    got = figure(ledger, query)
    for field, value in asked.get("figure", {}).items():
        _same(getattr(got, field), value, field)
    for service, fields in asked.get("services", {}).items():
        for field, value in fields.items():
            _same(getattr(got.service(service), field), value, f"{service}.{field}")
    if "unattributed_j" in asked:
        loose = {k: v for k, v in got.unattributed_j.items() if v}
        assert loose.keys() == asked["unattributed_j"].keys()
        for reason, value in asked["unattributed_j"].items():
            _same(loose[reason], value, reason)
    if "marks" in asked:
        assert list(got.marks) == asked["marks"]
    for where, category in asked.get("reasons", {}).items():
        service, _, field = where.rpartition(".")
        reasons = got.service(service).reasons if service else got.reasons
        assert any(words in reasons[field] for words in REASONS[category].split("|")), reasons
    for one, other in asked.get("equal", ()):
        assert getattr(got, one) == getattr(got, other), "equal to the last bit"


def _compare_kpi(got: dict[str, Any], expected: dict[str, Any], where: str = "kpi") -> None:
    """Fields that are listed; records of a list are found by their name."""
    for field, value in expected.items():
        if isinstance(value, dict):
            inner = got[field]
            if isinstance(inner, list | tuple):
                inner = {str(row.get("name") or row.get("node")): row for row in inner}
            _compare_kpi(inner, value, f"{where}.{field}")
        else:
            _same(got[field], value, f"{where}.{field}")
            assert value is not None or got["reasons"][field], f"{where}.{field} has no reason"


def _compare_series(ledger: Ledger, query: Query, grouping: dict[str, Any]) -> None:
    window_s = grouping.get("window_s", 60.0)
    got = series(ledger, query, by=tuple(grouping["by"]), window_s=window_s).to_pylist()
    keys = ["t0_s" if key == "window" else key for key in grouping["by"]]
    found = {tuple(row[k] for k in keys): row for row in got}
    assert len(found) == len(got), "one row per key"
    for row in grouping["rows"]:
        where = tuple(row[k] for k in keys)
        assert where in found, f"{where} is missing in {sorted(found, key=str)}"
        for field in row.keys() - set(keys):
            _same(found[where][field], row[field], f"{where} {field}")
    listed = {tuple(row[k] for k in keys) for row in grouping["rows"]}
    assert all(
        not found[k]["energy_j"] and not found[k]["utility_beq"] for k in found.keys() - listed
    )


def _same(got: object, value: object, what: str) -> None:
    if value is None or isinstance(value, str):
        assert got == value, f"{what}: expected {value!r}, got {got!r}"
        return
    assert isinstance(got, int | float), f"{what}: expected {value!r}, got {got!r}"
    assert isinstance(value, int | float)
    close = math.isclose(got, value, rel_tol=TOLERANCE, abs_tol=0.0)
    assert close, f"{what}: expected {value!r}, got {got!r}"
