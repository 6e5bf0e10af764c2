"""The TREE scheduler on the first 600 s of a public trace, in a loaded cell."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tree6g.engine.run import run
from tree6g.ledger.check import check
from tree6g.optimise.scenario.scheduled_work import clairvoyant
from tree6g.scenario.load import load
from tree6g.scenario.trace import read_trace

FILE = Path(__file__).parents[2] / "cases" / "scheduler" / "loaded-cell.yaml"
FIRST_S = 600.0
SAME_FRAC = 0.01  # METRIC rule 10
CHANGES = ("ledger_interval=90 s", "step=2 s")


@pytest.fixture(scope="module")
def found(reference_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trace")
    whole, part = reference_data / "traces" / "azure_llm_2023_conv.csv", folder / "part.csv"
    with whole.open(newline="") as source, part.open("w", newline="") as target:
        head, *rows = csv.reader(source)
        csv.writer(target).writerows([head, *(row for row in rows if float(row[0]) < FIRST_S)])
    results = {
        rule: run(
            FILE, out=folder / rule, trace=part, overrides=(f"scheduling.rule={rule}", *CHANGES)
        )
        for rule in ("first-come", "tree")
    }
    covered_s = float(results["tree"].tree().covered_s)
    most = clairvoyant(load(FILE, CHANGES), {None: read_trace(part)}, covered_s)
    return results, most


def test_tree_brings_more_per_joule_at_the_same_share_on_time(found):
    first, tree = (found[0][rule].tree() for rule in ("first-come", "tree"))
    for service in ("assistant", "downloads"):
        share = first.service(service).served_share_frac
        assert tree.service(service).served_share_frac >= share - SAME_FRAC
    assert tree.tree_beq_per_j > 1.1 * first.tree_beq_per_j


def test_tree_is_close_below_what_no_schedule_exceeds(found):
    results, most = found
    value = results["tree"].tree().tree_beq_per_j
    assert 0.9 * most.tree_beq_per_j < value <= most.tree_beq_per_j


def test_every_joule_of_it_is_in_the_ledger(found):
    report = check(found[0]["tree"].ledger)
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9
