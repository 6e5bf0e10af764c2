"""One ledger laid over another: errors of amounts, quotients and waiting times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ledgers
from tree6g.calibrate.overlay import overlay
from tree6g.errors import LedgerError
from tree6g.ledger.reading import Ledger
from tree6g.metric.amounts import pieces_of
from tree6g.metric.figure import Query
from tree6g.report.overlay import error_table, sentences
from tree6g.report.tables import Missing, shown


def made(
    path: Path,
    *,
    joules: float = 100.0,
    tokens: float = 50.0,
    steps: int = 4,
    start_s: float = 0.0,
    service: str = "chat",
    ttft_s: float = 0.2,
    measured: bool = False,
    **more: Any,
) -> Ledger:
    """Steps of 10 s with joules and tokens in each, and a request in each."""
    times = [{"t0_s": start_s + 10.0 * i, "t1_s": start_s + 10.0 * (i + 1)} for i in range(steps)]
    energy = [{**t, "energy_j": joules} for t in times]
    work = [
        {**t, "service": service, "kind": kind, "amount": amount}
        for t in times
        for kind, amount in (("token_out", tokens), ("request", 1.0))
    ]
    request = [
        {"id": i, "service": service, "arrival_s": t["t0_s"], "node": "n", "token_in": 1.0,
         "token_out": tokens, "token_late": 0.0, "ttft_s": ttft_s}
        for i, t in enumerate(times)
    ]  # fmt: skip
    scenario = None if measured else {"name": "made"}
    return ledgers.ledger(
        path, services={service: ledgers.ai()}, energy=energy, work=work, request=request,
        grid_s=10.0, scenario=scenario, **more,
    )  # fmt: skip


def test_a_ledger_over_itself_has_no_error(tmp_path):
    same = made(tmp_path / "a")
    found = overlay({"a": same, "b": same})
    assert all(row.error_frac == 0.0 for row in found.rows)
    assert found.row("energy").mape_frac == 0.0
    assert found.row("energy").windows == 4


def test_the_error_is_of_the_simulated_against_the_measured_whatever_the_order(tmp_path):
    lab = made(tmp_path / "lab", measured=True)
    model = made(tmp_path / "model", joules=120.0, tokens=40.0, ttft_s=0.3)
    for pair in ({"lab": lab, "model": model}, {"model": model, "lab": lab}):
        found = overlay(pair)
        assert (found.reference, found.other) == ("lab", "model")
        assert found.row("energy").error_frac == pytest.approx(0.2)
        assert found.row("energy", "edge/gpu").error_frac == pytest.approx(0.2)
        assert found.row("power").reference == pytest.approx(10.0)
        assert found.row("token_out", "chat").error_frac == pytest.approx(-0.2)
        assert found.row("j_per_tok").error_frac == pytest.approx(0.5)
        assert found.row("j_per_tok").mape_frac == pytest.approx(0.5)
        assert found.row("ttft_p95", "chat").error_frac == pytest.approx(0.5)


def test_windows_show_what_the_sum_hides(tmp_path):
    lab = made(tmp_path / "lab", measured=True)
    rows = [{"t0_s": 0.0, "t1_s": 20.0, "energy_j": 300.0},
            {"t0_s": 20.0, "t1_s": 40.0, "energy_j": 100.0}]  # fmt: skip
    work = [{"t0_s": 0.0, "t1_s": 40.0, "service": "chat", "kind": "token_out", "amount": 200.0}]
    swing = ledgers.ledger(tmp_path / "other", services={"chat": ledgers.ai()}, energy=rows,
                           work=work, grid_s=10.0, scenario={})  # fmt: skip
    row = overlay({"lab": lab, "swing": swing}, window_s=20.0).row("energy")
    assert row.error_frac == pytest.approx(0.0)
    assert row.mape_frac == pytest.approx(0.5)


def test_only_time_that_both_cover_counts(tmp_path):
    lab = made(tmp_path / "lab", measured=True, steps=6)
    found = overlay({"lab": lab, "model": made(tmp_path / "model", steps=3)})
    assert (found.basis, found.reference_s, found.other_s) == ("common", 30.0, 30.0)
    assert found.row("energy").reference == pytest.approx(300.0)
    assert found.row("energy").error_frac == pytest.approx(0.0)


def test_clocks_are_aligned_by_date_by_start_or_as_said(tmp_path):
    day = 86400.0
    lab = made(tmp_path / "lab", measured=True, start_s=day, t_zero="1970-01-01T00:00:00+00:00")
    dated = made(tmp_path / "dated", t_zero="1970-01-02T00:00:10+00:00")
    found = overlay({"lab": lab, "model": dated})
    assert (found.alignment.way, found.alignment.shift_s) == ("zero", day + 10.0)
    assert found.reference_s == 30.0
    found = overlay({"lab": lab, "model": made(tmp_path / "undated")})
    assert (found.alignment.way, found.alignment.shift_s) == ("start", day)
    found = overlay({"lab": lab, "model": dated}, shift_s=day - 20.0)
    assert (found.alignment.way, found.reference_s) == ("shift", 20.0)
    with pytest.raises(LedgerError, match="stands at no date"):
        overlay({"lab": lab, "model": made(tmp_path / "u")}, align="zero")
    with pytest.raises(LedgerError, match="a way to align clocks or a shift"):
        overlay({"lab": lab, "model": dated}, align="zero", shift_s=1.0)


def test_without_common_time_amounts_per_second_are_compared(tmp_path):
    lab = made(tmp_path / "lab", measured=True, steps=4)
    model = made(tmp_path / "model", steps=8, joules=110.0)
    found = overlay({"lab": lab, "model": model}, shift_s=1e6)
    assert (found.basis, found.reference_s, found.other_s) == ("whole", 40.0, 80.0)
    row = found.row("energy")
    assert (row.reference, row.other) == (pytest.approx(400.0), pytest.approx(880.0))
    assert row.error_frac == pytest.approx(0.1)
    assert row.mape_frac is None
    assert "no time is covered by both" in found.notes[0]


def test_what_only_one_ledger_has_is_unknown_with_a_reason(tmp_path):
    lab = made(tmp_path / "lab", measured=True)
    found = overlay({"lab": lab, "model": made(tmp_path / "model", service="talk")})
    row = found.row("token_out", "chat")
    assert (row.other, row.error_frac) == (None, None)
    assert row.reason == "the other does not have it"
    assert found.row("token_out", "talk").reason == "the reference does not have it"


def test_services_of_other_names_are_paired(tmp_path):
    lab = made(tmp_path / "lab", measured=True)
    model = made(tmp_path / "model", service="talk")
    found = overlay({"lab": lab, "model": model}, services={"talk": "chat"})
    assert all(row.of != "talk" for row in found.rows)
    assert found.row("token_out", "chat").error_frac == 0.0
    assert found.row("ttft_p50", "chat").error_frac == 0.0


def test_a_gap_of_one_ledger_is_left_out_of_both(tmp_path):
    spoken = [
        {"t0_s": a, "t1_s": b, "source": "model", "quantity": q, "status": "ok", "node": None,
         "reason": None}
        for a, b in ((0.0, 10.0), (20.0, 40.0)) for q in ("energy", "work")
    ]  # fmt: skip
    lab = made(tmp_path / "lab", measured=True, coverage=spoken)
    found = overlay({"lab": lab, "model": made(tmp_path / "model")})
    assert found.reference_s == found.other_s == 30.0
    assert found.row("energy").other == pytest.approx(300.0)
    assert any("the other covers 40 s" in note for note in found.notes)


def test_more_or_fewer_than_two_ledgers_are_refused(tmp_path):
    with pytest.raises(LedgerError, match="two ledgers"):
        overlay({"a": made(tmp_path / "a")})


def test_a_window_of_time_and_a_boundary_may_be_asked_for(tmp_path):
    one, two = made(tmp_path / "a"), made(tmp_path / "b")
    found = overlay({"a": one, "b": two}, Query(t0_s=10.0, t1_s=30.0, boundary="full"))
    assert (found.reference_s, found.boundary) == (20.0, "full")
    with pytest.raises(LedgerError, match="in the window"):
        overlay({"a": one, "b": two}, Query(t0_s=100.0, t1_s=300.0))


def test_the_table_says_what_is_unknown_and_why(tmp_path):
    lab = made(tmp_path / "lab", measured=True)
    found = overlay({"lab": lab, "model": made(tmp_path / "model", service="talk", joules=50.0)})
    assert sentences(found)[0].startswith(
        "model (simulated) against lab (measured): energy 50\N{NO-BREAK SPACE}% below"
    )
    table = error_table(found)
    row = next(r for r in table.rows if r[:2] == ("output tokens", "chat"))
    assert isinstance(row[3], Missing)
    assert shown(row[3], table.columns[3]) == "\N{EN DASH}"


def test_time_is_cut_at_multiples_of_the_window():
    assert pieces_of([(0.0, 20.0)], 10.0) == [(0.0, 10.0, 0), (10.0, 20.0, 1)]
    assert pieces_of([(5.0, 8.0), (9.0, 11.0)], 10.0) == [
        (5.0, 8.0, 0), (9.0, 10.0, 0), (10.0, 11.0, 1),
    ]  # fmt: skip
