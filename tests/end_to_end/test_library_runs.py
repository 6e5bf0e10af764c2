"""The scenarios of the library, as users run them."""

from __future__ import annotations

import pytest

from tree6g.engine.run import run
from tree6g.ledger.check import check
from tree6g.scenario.load import names

SHORT = ("duration=5 min", "drain=60 s")


@pytest.mark.parametrize("name", names())
def test_every_scenario_of_the_library_runs_and_balances(name, tmp_path):
    result = run(name, out=tmp_path, overrides=SHORT)
    report = check(result.ledger)
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9
    count = result.requests
    assert count.arrived == count.served + count.lost > 0
    assert result.tree().tree_beq_per_j > 0.0


def test_the_two_allocations_of_the_corner_are_ranked_in_opposite_order(tmp_path):
    from tree6g.metric.compare import compare

    ledgers = {
        name: run(f"street-corner-{name}", out=tmp_path / name).ledger
        for name in ("gpu", "spectrum")
    }
    made = compare(ledgers).to_dict()
    assert made["same_service"] is True
    assert made["ee_order"] == ["spectrum", "gpu"]
    assert made["tree_order"] == ["gpu", "spectrum"]
    (flip,) = made["break_even"]
    assert 275.0 < flip["alpha_bit_per_tok"] < 10_000.0


def test_few_bits_of_ai_take_a_third_of_the_energy_of_the_hybrid_cell(tmp_path):
    figure = run("hybrid-cell", out=tmp_path, overrides=("duration=20 min",)).tree()
    ai = [s for s in figure.services if s.kind == "ai"]
    assert sum(s.bit_share_frac for s in ai) < 0.02
    assert sum(s.energy_share_frac for s in ai) > 0.30


def test_all_three_tiers_answer(tmp_path):
    result = run("three-tiers", out=tmp_path, overrides=("duration=20 min",))
    sql = "SELECT DISTINCT tier FROM work WHERE kind = 'token_out' ORDER BY tier"
    tiers = [row["tier"] for row in result.ledger.query(sql).to_pylist()]
    assert tiers == ["cloud", "device", "edge"]


def test_the_azure_trace_is_accounted_for_request_by_request(reference_data, tmp_path):
    trace = reference_data / "traces" / "azure_llm_2023_conv.csv"
    result = run("street-corner", out=tmp_path, trace=trace)
    assert result.requests.arrived == 19_366
    assert result.requests.served + result.requests.lost == 19_366
    report = check(result.ledger)
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9
    assert any("stress test" in note for note in result.ledger.meta.notes)
