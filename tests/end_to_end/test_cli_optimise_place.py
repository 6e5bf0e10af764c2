"""`tree6g optimise place`: a network run, its services placed, written and run again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tree6g.cli import app
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger
from tree6g.scenario.load import load

pytest.importorskip("highspy")
SHORT = ["--set", "duration=2 min", "--set", "drain=60 s", "--set", "step=2 s"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tiers(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Terminals, an edge server and a cloud, with a least quality."""
    out = tmp_path_factory.mktemp("tiers")
    words = [*SHORT, "--set", "services.assistant.quality_min=0.7", "--out", str(out), "--json"]
    done = CliRunner().invoke(app, ["optimise", "place", "three-tiers", *words])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_plan_keeps_its_promise_and_serves_the_same(tiers: dict) -> None:
    assert tiers["simulated_value"] == pytest.approx(tiers["plan_value"], rel=0.05)
    assert tiers["simulated_value"] > 1.5 * tiers["today_value"]
    assert tiers["same_service"] is True
    assert 0.0 <= tiers["gap_frac"] <= 0.05
    assert "no more joules under more load" in tiers["bound_assumes"]
    assert {row["server"] for row in tiers["servers"]} == {"town.edge", "region.h100"}


def test_joules_of_the_plan_balance_and_servers_that_are_off_have_none(tiers: dict) -> None:
    ledger = open_ledger(Path(tiers["scenario"]).parent / "plan" / "ledger")
    report = check(ledger)
    assert not report.problems
    assert report.conservation_error_frac <= 1e-9
    nodes = {row["node"] for row in ledger.query("select distinct node from energy").to_pylist()}
    off = {row["server"] for row in tiers["servers"] if row["model"] is None}
    assert off
    assert not off & nodes


def test_requests_go_where_the_plan_says(tiers: dict) -> None:
    ledger = open_ledger(Path(tiers["scenario"]).parent / "plan" / "ledger")
    got = {row["node"] for row in ledger.query("select distinct node from request").to_pylist()}
    planned = {node for row in tiers["groups"] for node in row["servers"]}
    planned |= {f"{row['site']}.devices" for row in tiers["groups"] if row["first"] == "device"}
    assert got <= planned


def test_the_scenario_of_the_plan_can_be_read_and_its_policy_too(tiers: dict) -> None:
    planned = load(tiers["scenario"])
    assert planned.name == "three-tiers-tree"
    assert planned.policy.endswith("three-tiers-tree.py")


def test_every_key_is_documented(tiers: dict) -> None:
    page = (ROOT / "docs" / "reference" / "results.md").read_text("utf-8")
    keys = [*tiers, *tiers["servers"][0], *tiers["groups"][0], *tiers["objectives"][0]]
    assert [key for key in keys if f"`{key}`" not in page] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["street-corner", "--objective", "watts"], "--objective tree or ee; got 'watts'"),
        (["street-corner", "--gap", "wide"], "--gap: expected a quantity"),
        (["street-corner", "--variant", "qwen2.5-3b"], "expected --variant MODEL:FORMAT"),
        (["street-corner", "--set", "boundary=ran"], "a boundary that counts servers"),
    ],
)
def test_what_cannot_be_placed_is_told(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["optimise", "place", *words])
    assert done.exit_code == 2
    assert said in done.output


def test_without_highs_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    done = CliRunner().invoke(app, ["optimise", "place", "street-corner"])
    assert done.exit_code == 2
    assert "pip install 'tree6g[optimise]'" in done.output
