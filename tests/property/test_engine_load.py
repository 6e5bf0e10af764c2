"""What must hold for any load of a small network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_worlds import small
from tree6g.engine.run import run
from tree6g.ledger.check import check


def _run(**changes):
    with tempfile.TemporaryDirectory() as folder:
        result = run(small(**changes), out=Path(folder))
        total = result.ledger.query("SELECT sum(energy_j) AS e, min(energy_j) AS m FROM energy")
        return total.to_pylist()[0], result.requests, check(result.ledger)


@settings(max_examples=12)
@given(
    st.integers(1, 60),
    st.floats(0.0, 500.0),
    st.sampled_from(["none", "micro", "deep"]),
    st.integers(0, 2**32),
)
def test_accounts_balance_under_any_load(users, rate, sleep, seed):
    plain = small()["sites"]
    plain[0]["base_station"]["sleep"] = sleep
    population = {"users": users, "ai_requests_per_user_hour": rate}
    energy, count, report = _run(population=population, sites=plain, seed=seed)
    assert energy["m"] >= 0.0
    assert count.arrived == count.served + count.lost
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9


@settings(max_examples=6)
@given(st.integers(0, 2**32))
def test_more_sensors_never_take_less_energy(seed):
    spent = []
    for sources in (1, 50, 500):
        services = small()["services"]
        services[1]["sources"] = sources
        spent.append(_run(services=services[1:], seed=seed)[0]["e"])
    assert spent == sorted(spent)


def test_more_requests_take_more_energy():
    spent = []
    for rate in (0.0, 20.0, 200.0):
        population = {"users": 30, "ai_requests_per_user_hour": rate}
        spent.append(_run(population=population)[0]["e"])
    assert spent[0] < spent[1] < spent[2]
    assert spent[0] == pytest.approx(spent[1], rel=0.2)
