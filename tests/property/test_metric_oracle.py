"""The metric against a second one in plain Python that was written from the rules alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle_metric import Answer, Oracle
from random_ledgers import Small, small_ledgers, written
from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import IDLE_RULES, RULES, Figure, Query
from tree6g.metric.tree import figure, series

BOUNDARIES = ("operator", "ran", "network", "full")


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "boundary": draw(st.sampled_from(BOUNDARIES)),
        "rule": draw(st.sampled_from(RULES)),
        "idle": draw(st.sampled_from(IDLE_RULES)),
        "weights": draw(st.sampled_from([{}, {"upload": 2.0}, {"chat": 0.0, "think": 3.0}])),
    }


@given(small=small_ledgers(), asked=questions(), short=st.booleans())
def test_a_figure_is_what_the_rules_say(
    small: Small, asked: dict[str, Any], *, short: bool
) -> None:
    window = (0.0, small.end_s - small.grid_s) if short and small.end_s > small.grid_s else None
    edges = window or (0.0, small.end_s)
    want = oracle(small, asked).answer(edges)
    with written(small) as ledger:
        got = figure(ledger, Query(**asked, t0_s=edges[0], t1_s=edges[1]))
    _compare(got, want)


@given(small=small_ledgers(), asked=questions(), cells=st.integers(1, 2))
def test_a_series_is_what_the_rules_say(small: Small, asked: dict[str, Any], cells: int) -> None:
    window_s = cells * small.grid_s
    count = math.ceil(small.end_s / window_s)
    want = oracle(small, asked).answer([k * window_s for k in range(count + 1)])
    with written(small) as ledger:
        got = _series(ledger, Query(**asked, t0_s=0.0, t1_s=count * window_s), window_s)
    for name in ("energy_j", "utility_beq", "bits_bit"):
        sums = getattr(want, name)
        for key in sums.keys() | got.keys():
            _close(got.get(key, {}).get(name) or 0.0, sums.get(key, 0.0), f"{name} of {key}")


def oracle(small: Small, asked: dict[str, Any]) -> Oracle:
    return Oracle(
        tables=small.tables,
        services=small.meta.services,
        grid_s=small.grid_s,
        phase_weights=small.meta.phase_weights,
        **asked,
    )


def _compare(got: Figure, want: Answer) -> None:
    energy_j, utility, bits = (want.total(n) for n in ("energy_j", "utility_beq", "bits_bit"))
    _close(got.energy_j, energy_j, "energy")
    _close(got.utility_beq, utility, "utility")
    _close(got.bits_bit, bits, "bits")
    _close(got.covered_s, want.covered_s, "covered time")
    _close(got.energy_ran_j, want.ran_j, "energy of the radio access network")
    for service in got.services:
        for name in ("energy_j", "utility_beq", "offered_beq", "bits_bit"):
            _close(getattr(service, name), want.of_service(name, service.name), service.name + name)
    for reason in got.unattributed_j.keys() | want.unattributed_j.keys():
        loose = got.unattributed_j.get(reason, 0.0)
        _close(loose, want.unattributed_j.get(reason, 0.0), reason)
    if energy_j > 1e-9 and got.tree_beq_per_j is not None:
        _close(got.tree_beq_per_j, utility / energy_j, "TREE")
        _close(got.ee_bit_per_j or 0.0, bits / energy_j, "EE")
    if energy_j == 0.0:
        assert got.tree_beq_per_j is None


def _series(ledger: Ledger, query: Query, window_s: float) -> dict[Any, dict[str, float]]:
    rows = series(ledger, query, window_s=window_s).to_pylist()
    return {(r["t0_s"], r["service"]): r for r in rows}


def _close(got: float, want: float, what: str) -> None:
    assert got == pytest.approx(want, rel=1e-9, abs=1e-9), what
