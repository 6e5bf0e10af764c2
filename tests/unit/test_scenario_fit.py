"""A scenario fitted to a ledger: simulate, take the word simulated away, fit, simulate, compare."""

from __future__ import annotations

import dataclasses

import pytest

import ledgers
from tree6g.calibrate.scenario_fit import fit_scenario, split
from tree6g.calibrate.scenario_loads import draws, loads
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.cells import open_book
from tree6g.metric.figure import Query
from tree6g.scenario.load import load, load_text

END_S = 300.0
# Many small downloads in place of few large ones, so that chance does not hide what is fitted.
SMALL = ["services.2.message=500 kB", "services.2.period=30 s"]
LOAD = [*SMALL, "duration=5 min", "drain=10 s", "ledger_interval=10 s",
        "population.ai_requests_per_user_hour=12", "sites.0.servers.0.energy_scale=1.3",
        "sites.0.servers.0.idle_power=70 W", "sites.0.base_station.power_scale=0.8",
        "services.0.mean_answer=120 tok"]  # fmt: skip


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    return run("hybrid-cell", out=out, overrides=LOAD, seed=7).ledger


def as_measured(path, ledger, *, bare=False):
    """The same rows without the scenario; bare: other nodes, no requests, rest not told apart."""
    meta = dataclasses.replace(
        ledger.meta, scenario=None, scenario_hash=None, control={}, phase_weights=()
    )
    tables = {table: ledger.table(table).to_pylist() for table in ledger.part_rows}
    if bare:
        tables["request"], tables["latency"] = [], []
        for table in ("energy", "work", "entity", "throughput", "prb"):
            for row in tables[table]:
                row["node"] = row["node"].replace("mast", "box")
        summed: dict = {}
        for row in tables["energy"]:
            row |= {"state": "active", "service": None, "source": "meter", "origin": "measured"}
            key = (row["t0_s"], row["t1_s"], row["node"], row["component"])
            joules = row["energy_j"] + (summed[key]["energy_j"] if key in summed else 0.0)
            summed[key] = {**row, "energy_j": joules}
        tables["energy"] = list(summed.values())
        spoken = {"t0_s": 0.0, "t1_s": END_S, "source": "meter", "quantity": "energy",
                  "status": "ok", "node": None, "reason": None}  # fmt: skip
        tables["coverage"] = [r for r in tables["coverage"] if r["quantity"] == "work"] + [spoken]
    for row in tables["coverage"]:
        row["t1_s"] = END_S  # requests came until then
    with LedgerWriter(path, meta) as writer:
        for table, rows in tables.items():
            if rows:
                writer.append(table, {c: [r[c] for r in rows] for c in rows[0]})
    return open_ledger(path)


def constants(fitted):
    return {c.name: c.value for c in fitted.constants}


def test_what_was_simulated_comes_back_within_what_chance_allows(simulated, tmp_path):
    lab = as_measured(tmp_path / "lab", simulated)
    fitted = fit_scenario(lab, load("hybrid-cell", SMALL))
    found = constants(fitted)
    assert found["mast.llm: idle_power_w"] == pytest.approx(70.0, rel=1e-6)
    assert found["mast.llm: energy_scale"] == pytest.approx(1.3, rel=0.1)
    assert found["ran: power_scale"] == pytest.approx(0.8, rel=0.05)
    assert found["assistant: mean_answer_tok"] == pytest.approx(120.0, rel=0.15)
    assert fitted.errors is not None
    assert fitted.errors.reference == "measured"
    # 90 s hold some 90 requests whose rate varies by a fifth from minute to minute.
    assert abs(fitted.errors.row("energy").error_frac) < 0.05
    assert abs(fitted.errors.row("bit").error_frac) < 0.05
    text = fitted.to_yaml()
    assert load_text(text) == fitted.scenario
    assert text.startswith("# assistant: of the packaged distributions 'azure-conv-2023'")
    assert fitted.scenario.name == "lab-fitted"


def test_a_bare_ledger_is_fitted_by_tier_and_says_what_it_does_not_know(simulated, tmp_path):
    lab = as_measured(tmp_path / "lab", simulated, bare=True)
    fitted = fit_scenario(lab, "hybrid-cell", longest_s=100.0)
    assert "edge: idle_power_w" not in constants(fitted)
    assert abs(fitted.errors.row("energy", "edge").error_frac) < 0.1
    said = " ".join(fitted.said)
    assert "edge: power at rest cannot be told from work" in said
    assert "gives mean lengths only" in said


def test_hours_of_a_ledger_become_a_day_curve(tmp_path):
    hour = 3600.0
    rates = [10.0, 30.0, 20.0]
    work = [
        {"t0_s": i * hour, "t1_s": (i + 1) * hour, "service": "chat", "kind": kind,
         "amount": n * rate}
        for i, rate in enumerate(rates)
        for kind, n in (("request", 1.0), ("token_in", 300.0), ("token_out", 100.0))
    ]  # fmt: skip
    energy = [{"t0_s": 0.0, "t1_s": 3 * hour, "energy_j": 1e6}]
    lab = ledgers.ledger(
        tmp_path / "lab", services={"chat": ledgers.ai()}, energy=energy, work=work, grid_s=60.0
    )
    own = loads(open_book(lab, Query(), cells=False), [(0.0, 3 * hour)])["chat"]
    assert own.curve[:4] == pytest.approx((0.5, 1.5, 1.0, 1.0))
    assert (own.requests, own.input_tok / own.requests) == (60.0, pytest.approx(300.0))


def test_power_at_rest_is_where_the_line_of_power_over_work_begins(tmp_path):
    rates = [0.0, 5.0, 40.0, 12.0, 30.0, 2.0, 55.0, 20.0, 8.0, 33.0]
    times = [{"t0_s": 60.0 * i, "t1_s": 60.0 * (i + 1)} for i in range(len(rates))]
    work = [{**t, "service": "chat", "kind": "token_out", "amount": 60.0 * r}
            for t, r in zip(times, rates, strict=True) if r]  # fmt: skip
    energy = [{**t, "energy_j": 60.0 * (90.0 + 2.5 * r)}
              for t, r in zip(times, rates, strict=True)]  # fmt: skip
    lab = ledgers.ledger(
        tmp_path / "lab", services={"chat": ledgers.ai()}, energy=energy, work=work, grid_s=60.0
    )
    book = open_book(lab, Query(), cells=False)
    own = draws(book, [(0.0, 600.0)], [], {"token_out": 1.0})["edge"]
    assert (own.idle_w, own.told) == (pytest.approx(90.0), False)
    assert own.active_w == pytest.approx(2.5 * own.work_per_s)
    busy = draws(book, [(120.0, 300.0)], [], {"token_out": 1.0})["edge"]
    assert busy.idle_w is None


def test_long_ledgers_are_cut_at_a_whole_hour_and_gaps_stay_out():
    hour = 3600.0
    seen, unseen = split([(100.0, 100.0 + 10.2 * hour)], 0.3)
    assert seen == [(100.0, 100.0 + 7 * hour)]
    assert unseen[0][0] == 100.0 + 7 * hour
    assert split([(0.0, 10.0), (20.0, 100.0)], 0.5) == (
        [(0.0, 10.0), (20.0, 50.0)], [(50.0, 100.0)],
    )  # fmt: skip
    assert split([(0.0, 10.0)], 0.0) == ([(0.0, 10.0)], [])


def test_what_cannot_be_fitted_is_refused(simulated, tmp_path):
    with pytest.raises(ScenarioError, match="stand one by one"):
        fit_scenario(simulated, "seven-sites")
    with pytest.raises(ScenarioError, match="a share from 0"):
        fit_scenario(simulated, "hybrid-cell", hold_out_frac=1.0)
    idle = ledgers.ledger(
        tmp_path / "idle", services={"chat": ledgers.ai()},
        energy=[{"t1_s": 60.0, "energy_j": 5.0}],
    )  # fmt: skip
    with pytest.raises(ScenarioError, match="work of an AI or data service"):
        fit_scenario(idle, load("hybrid-cell"))
