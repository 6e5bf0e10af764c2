"""`tree6g optimise allocate`: a cell run, decided on, written as a scenario and run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tree6g.cli import app
from tree6g.scenario.load import load

SHORT = ["--set", "duration=2 min", "--set", "drain=60 s"]
ROOT = Path(__file__).parents[2]


def asked(*words: str) -> dict:
    """The answer of the command as data."""
    done = CliRunner().invoke(app, ["optimise", "allocate", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The macro cell, as served today."""
    return asked("hybrid-cell", *SHORT, "--out", str(tmp_path_factory.mktemp("hybrid")))


def test_the_plan_of_a_macro_cell_keeps_its_promise_and_serves_the_same(hybrid: dict) -> None:
    assert hybrid["objective"] == "tree"
    assert hybrid["gap_frac"] <= 1e-9
    assert hybrid["simulated_value"] == pytest.approx(hybrid["plan_value"], rel=0.05)
    assert abs(hybrid["promise_error_frac"]) <= 0.01
    assert hybrid["simulated_value"] > 1.1 * hybrid["today_value"]
    assert hybrid["same_service"] is True
    assert set(hybrid["served_frac"].values()) == {1.0}


def test_no_plan_has_more_than_the_bound(hybrid: dict) -> None:
    assert hybrid["plan_value"] <= hybrid["upper_bound"]
    assert hybrid["value"] <= hybrid["upper_bound"]


def test_the_promise_is_nearer_once_servers_are_fitted(hybrid: dict) -> None:
    assert hybrid["unfitted_error_frac"] < -0.02
    assert abs(hybrid["promise_error_frac"]) < 0.2 * abs(hybrid["unfitted_error_frac"])
    assert min(pool["on_time_frac"] for pool in hybrid["pools"]) > 0.999
    assert all(pool["fit_error_frac"] < 0.2 for pool in hybrid["pools"])  # of some 30 requests


def test_the_plan_differs_from_today_by_radiated_power_and_settings_of_servers(
    hybrid: dict,
) -> None:
    planned, today = load(hybrid["scenario"]), load("hybrid-cell", SHORT[1::2])
    power_w = planned.sites[0].base_station.transmit_power_w
    assert power_w == pytest.approx(hybrid["transmit_power_w"], rel=1e-5)
    assert [s.clock for s in planned.sites[0].servers] == [p["clock"] for p in hybrid["pools"]]
    base = planned.sites[0].base_station.model_copy(update={"transmit_power_w": None})
    servers = tuple(s.model_copy(update={"clock": None}) for s in planned.sites[0].servers)
    site = planned.sites[0].model_copy(update={"base_station": base, "servers": servers})
    assert planned.model_copy(update={"sites": (site,), "name": today.name}) == today


def test_every_key_is_documented(hybrid: dict) -> None:
    page = (ROOT / "docs" / "reference" / "results.md").read_text("utf-8")
    keys = [*hybrid, *hybrid["prices"], *hybrid["objectives"][0], *hybrid["pools"][0]]
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_where_tokens_are_worth_much_only_the_ee_optimum_refuses_them(tmp_path: Path) -> None:
    worth = ["--set", "services.assistant.alpha=2000000 bit/tok", "--least-share", "0 %"]
    found = asked("hybrid-cell", *SHORT, *worth, "--no-run", "--out", str(tmp_path))
    tree, ee = found["objectives"]
    assert (tree["served_frac"]["assistant"], ee["served_frac"]["assistant"]) == (1.0, 0.0)
    assert tree["tree_beq_per_j"] > ee["tree_beq_per_j"]
    assert ee["ee_bit_per_j"] > tree["ee_bit_per_j"]
    assert found["simulated_value"] is None
    assert found["same_service"] is None
    names = [service.name for service in load(found["scenario"]).services]
    assert "assistant" in names
    assert "video-analysis" not in names


def test_a_cell_that_is_more_than_half_full_may_stay_as_full_as_it_is(tmp_path: Path) -> None:
    full = ["--set", "services.video-streaming.sources=70", "--no-run", "--out", str(tmp_path)]
    found = asked("hybrid-cell", *SHORT, *full)
    assert 0.5 < found["downlink_load_frac"] < 1.0
    assert (
        "Radiated power stays at 316 W: less would fill the downlink beyond today's"
        in (found["changes"][0])
    )
    assert set(found["served_frac"].values()) == {1.0}


def test_a_street_corner_says_what_changes_and_why(tmp_path: Path) -> None:
    words = ["optimise", "allocate", "street-corner", *SHORT, "--objective", "ee"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "EE of one cell, in bit/J" in done.output
    assert "less would leave covered terminals without coverage" in done.output
    assert "city-query: served as today." in done.output
    assert "gpu: clock 900 MHz instead of the highest. A token takes" in done.output
    assert "A further watt of radiated power would bring nothing: it is not scarce." in done.output


CITY = (
    "layout.sites=1", "layout.servers_at=[1]", "population.users=12", "duration=4 min",
    "population.ai_requests_per_user_hour=20", "drain=1 min", "ledger_interval=1 min",
    "services.streaming.sources=20", "services.files.sources=20", "services.uploads.sources=10",
    "services.messages.sources=10", "services.meters.sources=10",
)  # fmt: skip


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Three cells of a city with their edge server and a region."""
    sets = [part for change in CITY for part in ("--set", change)]
    out = str(tmp_path_factory.mktemp("city"))
    return asked("city-day", *sets, "--compare", "--out", out)


def test_the_plan_of_a_city_keeps_its_promise_and_serves_the_same(city: dict) -> None:
    assert city["gap_frac"] <= 1e-9
    assert abs(city["promise_error_frac"]) <= 0.05
    assert city["simulated_value"] > city["today_value"]
    assert city["same_service"] is True
    assert city["plan_value"] <= city["upper_bound"]
    assert set(city["served_frac"].values()) == {1.0}


def test_each_cell_of_a_city_has_a_power_of_its_own(city: dict) -> None:
    powers = [cell["transmit_power_w"] for cell in city["cells"]]
    assert [cell["cell"] for cell in city["cells"]] == [f"mast-1.cell-{n}" for n in (1, 2, 3)]
    assert len(set(powers)) == 3
    planned = load(city["scenario"])
    assert planned.layout.cell_power_w == pytest.approx(powers, rel=1e-5)
    assert city["transmit_power_w"] == pytest.approx(sum(powers))


def test_both_plans_of_a_city_are_simulated_and_documented(city: dict) -> None:
    tree, ee = city["objectives"]
    assert tree["simulated_tree_beq_per_j"] == city["simulated_value"]
    assert ee["simulated_ee_bit_per_j"] >= tree["simulated_ee_bit_per_j"] * (1.0 - 0.01)
    page = (ROOT / "docs" / "reference" / "results.md").read_text("utf-8")
    keys = [*city, *city["cells"][0], *city["objectives"][0]]
    assert [key for key in keys if f"`{key}`" not in page] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["three-tiers"], "expected terminals that run no models"),
        (["city-day", "--set", "population.speed=1 m/s"], "expected terminals that stay"),
        (["street-corner", "--objective", "watts"], "--objective tree or ee; got 'watts'"),
        (["street-corner", "--least-share", "120 %"], "from 0 to 1; got 1.2"),
        (["street-corner", "--least-share", "half"], "--least-share: expected a quantity"),
    ],
)
def test_what_cannot_be_decided_is_told(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["optimise", "allocate", *words])
    assert done.exit_code == 2
    assert said in done.output
