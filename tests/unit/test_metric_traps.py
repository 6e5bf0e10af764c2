"""Ledgers that a careless metric would answer wrongly, each with the answer that the rules give."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from ledger_pieces import amount, hand_made, joules
from random_ledgers import Small, curved, entities, statement, written
from tree6g.errors import LedgerError
from tree6g.metric.figure import Figure, Query
from tree6g.metric.tree import figure, series
from tree6g.metric.utility import Curve

CURVE = Curve(family="log", alpha_bit_per_tok=1.0, t0_tps=10.0)
SESSION = curved(CURVE, "session", 1.0)
SERVICE = curved(CURVE, "service", 1.0)
FINISHED = {"service": "chat", "node": "edge", "token_in": 0.0, "token_late": 0.0}


def asked(small: Small, **query: Any) -> Figure:
    with written(small) as ledger:
        return figure(ledger, Query(**query))


def test_late_rows_longer_than_those_they_are_part_of_never_give_a_negative_rate() -> None:
    small = hand_made(
        energy=[joules(0, 2, "edge", 1.0)],
        chat=SERVICE,
        work=[
            amount(0, 1, "edge", "chat", "token_out", 100.0),
            amount(1, 2, "edge", "chat", "token_out", 1.0),
            amount(0, 2, "edge", "chat", "token_late", 90.0),
        ],
    )
    # 55 tokens on time in the first second; 1 - 45 < 0 in the other counts as none.
    assert asked(small).utility_beq == pytest.approx(10 * math.log(6.5), rel=1e-12)


def test_a_second_of_prefill_alone_takes_its_sessions_from_the_prompt_rows() -> None:
    rows = [
        amount(0, 1, "edge", "chat", "token_in", 100.0, sessions=2.0),
        amount(1, 2, "edge", "chat", "token_out", 100.0, sessions=2.0),
    ]
    small = hand_made(energy=[joules(0, 2, "edge", 1.0)], chat=SESSION, work=rows)
    worth = 2 * 10 * math.log(1 + 0.2 * 50 / 10) + 2 * 10 * math.log(1 + 50 / 10)
    assert asked(small).utility_beq == pytest.approx(worth, rel=1e-12)


def test_sessions_known_for_one_model_and_not_for_another_are_unseen() -> None:
    rows = [
        amount(0, 1, "edge", "chat", "token_out", 100.0, sessions=1.0),
        amount(0, 1, "edge", "chat", "token_out", 100.0, model="other"),
    ]
    got = asked(hand_made(energy=[joules(0, 1, "edge", 1.0)], chat=SESSION, work=rows))
    assert got.tree_beq_per_j is None
    assert "not seen" in got.reasons["tree_beq_per_j"]


def test_nothing_that_rests_on_unseen_sessions_is_printed_as_zero() -> None:
    rows = [
        amount(0, 1, "edge", "chat", "token_out", 100.0, demand=1.0),
        amount(0, 1, "edge", "upload", "bit_ul", 100.0, demand=1.0),
    ]
    small = hand_made(energy=[joules(0, 1, "edge", 1.0)], chat=SESSION, work=rows)
    with written(small) as ledger:
        got = figure(ledger)
        by_service = {r["service"]: r for r in series(ledger, by=("service",)).to_pylist()}
    chat = got.service("chat")
    for name in ("tree_beq_per_j", "served_share_frac", "utility_share_frac", "asymmetry"):
        assert getattr(chat, name) is None
        assert "not seen" in chat.reasons[name]
    assert got.service("upload").utility_share_frac is None
    assert got.service("upload").tree_beq_per_j == pytest.approx(200.0)
    assert by_service["chat"]["tree_beq_per_j"] is None
    assert by_service["chat"]["utility_beq"] is None
    assert by_service["upload"]["tree_beq_per_j"] == pytest.approx(200.0)


def test_energy_labelled_with_a_service_that_the_header_does_not_know_is_refused() -> None:
    small = hand_made(
        energy=[joules(0, 1, "edge", 1.0, service="ghost")],
        work=[amount(0, 1, "edge", "chat", "token_out", 1.0)],
    )
    with pytest.raises(LedgerError, match="ghost"):
        asked(small)


def test_the_uncertainty_of_a_window_is_that_of_its_own_joules() -> None:
    small = hand_made(
        energy=[
            joules(0, 1, "edge", 100.0, u95_frac=0.1),
            joules(1, 2, "edge", 100.0, u95_frac=0.3, source="other"),
        ],
        work=[amount(0, 2, "edge", "chat", "token_out", 1.0)],
    )
    stated = [*small.tables["coverage"], statement(0, 2, "other", "energy")]
    small = small.with_rows(coverage=stated)
    assert asked(small, t0_s=0.0, t1_s=1.0).u95_frac == pytest.approx(0.1)
    assert asked(small, t0_s=1.0, t1_s=2.0).u95_frac == pytest.approx(0.3)
    assert asked(small).u95_frac == pytest.approx(math.hypot(10, 30) / 200)


def test_slices_come_from_the_header_and_a_table_with_two_rows_counts_nothing_twice() -> None:
    small = hand_made(
        energy=[joules(0, 1, "edge", 100.0)],
        work=[amount(0, 1, "edge", "chat", "token_out", 100.0, demand=1.0)],
    )
    services = {**small.meta.services, "chat": {**small.meta.services["chat"], "slice": "1"}}
    twice = [{"service": "chat", "kind": "ai", "slice": "1"}] * 2
    named = dataclasses.replace(small, meta=dataclasses.replace(small.meta, services=services))
    for case in (named, small.with_rows(service=twice), named.with_rows(service=twice)):
        with written(case) as ledger:
            (row,) = series(ledger, by=("slice",)).to_pylist()
        assert row["slice"] == "1"
        assert row["energy_j"] == pytest.approx(100.0)


def test_a_node_described_twice_counts_once() -> None:
    small = hand_made(
        energy=[joules(0, 1, "edge", 100.0)],
        work=[amount(0, 1, "edge", "chat", "token_out", 1.0)],
    )
    assert asked(small.with_rows(entity=entities() + entities())).energy_j == pytest.approx(100.0)


@pytest.mark.parametrize("joule", [5e-324, 1e-300])
def test_a_ratio_too_large_for_a_number_is_undefined(joule: float) -> None:
    small = hand_made(
        energy=[joules(0, 1, "edge", joule)],
        work=[amount(0, 1, "edge", "chat", "token_out", 1e100)],
    )
    got = asked(small)
    assert got.tree_beq_per_j is None
    assert "too large" in got.reasons["tree_beq_per_j"]


def test_sums_too_large_for_a_number_are_refused() -> None:
    rows = [amount(0, 1, "edge", "chat", "token_out", 1e308)]
    small = hand_made(energy=[joules(0, 1, "edge", 1.0)], work=rows)
    with pytest.raises(LedgerError, match="too large"):
        asked(small)
    with written(small) as ledger, pytest.raises(LedgerError, match="too large"):
        series(ledger)


@pytest.mark.parametrize("window", [{"t0_s": math.nan}, {"t1_s": math.inf}, {"t0_s": -math.inf}])
def test_a_window_that_is_no_window_is_refused(window: dict[str, float]) -> None:
    with pytest.raises(LedgerError, match="finite"):
        Query(**window)


def test_a_source_must_state_its_coverage_for_each_quantity_and_node() -> None:
    small = hand_made(
        energy=[joules(0, 1, "edge", 1.0, source="counter")],
        work=[amount(0, 1, "edge", "chat", "token_out", 1.0)],
    )
    only_energy = [statement(0, 1, "counter", "energy")]
    elsewhere = [
        statement(0, 1, "counter", "work"),
        statement(0, 1, "counter", "energy", node="cell"),
    ]
    for coverage in (only_energy, elsewhere):
        got = asked(small.with_rows(coverage=coverage))
        assert got.tree_beq_per_j is None
        assert "does not state" in got.reasons["tree_beq_per_j"]


def test_a_long_row_that_coverage_cuts_short_is_still_smoothed() -> None:
    small = hand_made(
        energy=[joules(0, 900, "edge", 1.0)],
        chat=curved(CURVE, "service", 60.0),
        work=[amount(0, 900, "edge", "chat", "token_out", 9000.0)],
    )
    small = small.with_rows(
        coverage=[statement(0, 30, "meter", "energy"), statement(0, 900, "counter", "work")]
    )
    assert asked(small).marks == ("bound",)


def test_under_equal_a_service_with_joules_of_its_own_is_a_user_of_the_idle_node() -> None:
    small = hand_made(
        energy=[
            joules(0, 1, "edge", 10.0, service="upload"),
            joules(0, 1, "edge", 100.0, state="idle"),
        ],
        work=[amount(0, 1, "edge", "chat", "token_out", 1.0, demand=1.0)],
    )
    for rule, chat, upload in (("equal", 50, 60), ("proportional", 100, 10), ("marginal", 0, 10)):
        got = asked(small, rule=rule)
        assert got.service("chat").energy_j == pytest.approx(chat)
        assert got.service("upload").energy_j == pytest.approx(upload)


def test_lost_work_lowers_the_served_share_of_sessions_seen_one_by_one() -> None:
    small = hand_made(
        energy=[joules(0, 1, "edge", 1.0)],
        chat=SESSION,
        work=[
            amount(0, 1, "edge", "chat", "token_out", 100.0),
            amount(0, 1, "edge", "chat", "request", 1.0),
            amount(0, 1, "edge", "chat", "token_lost", 300.0),
        ],
    )
    done = FINISHED | {"id": 1, "arrival_s": 0.0, "token_out": 100.0, "ttft_s": 0.1, "e2e_s": 0.9}
    got = asked(small.with_rows(request=[done]))
    # Lost tokens are valued like delivered ones: one of four parts was served.
    assert got.service("chat").served_share_frac == pytest.approx(0.25)
    assert got.marks == ("estimated",)


@pytest.mark.parametrize(
    ("arrival_s", "ttft_s", "e2e_s"), [(0.0, 1.5, 0.2), (-50.0, 1.0, 5.0), (0.0, 0.5, 9.0)]
)
def test_requests_that_cannot_be_placed_in_the_ledger_are_not_dropped_in_silence(
    arrival_s: float, ttft_s: float, e2e_s: float
) -> None:
    small = hand_made(
        energy=[joules(0, 2, "edge", 1.0)],
        chat=SESSION,
        work=[
            amount(0, 1, "edge", "chat", "token_out", 100.0, sessions=1.0),
            amount(0, 1, "edge", "chat", "request", 1.0),
        ],
    )
    done = FINISHED | {
        "id": 1,
        "token_out": 100.0,
        "arrival_s": arrival_s,
        "ttft_s": ttft_s,
        "e2e_s": e2e_s,
    }
    got = asked(small.with_rows(request=[done]))
    assert got.utility_beq == pytest.approx(10 * math.log(11))
    assert got.marks == ("estimated",)


def test_a_served_share_of_worthless_work_says_so() -> None:
    small = hand_made(
        energy=[joules(0, 1, "edge", 1.0)],
        work=[amount(0, 1, "edge", "chat", "token_out", 100.0)],
    )
    chat = asked(small, weights={"chat": 0.0}).service("chat")
    assert chat.served_share_frac is None
    assert "worth" in chat.reasons["served_share_frac"]


def test_times_before_zero_are_times_like_any_other() -> None:
    small = hand_made(
        energy=[joules(-3, 2, "edge", 10.0)],
        work=[amount(-1, 1, "edge", "chat", "token_out", 10.0, demand=1.0)],
    )
    stated = [statement(-3, 2, "meter", "energy"), statement(-3, 2, "counter", "work")]
    got = asked(small.with_rows(coverage=stated))
    assert got.energy_j == pytest.approx(10.0)
    assert got.service("chat").energy_j == pytest.approx(4.0)
    assert got.unattributed_j == pytest.approx({"no_demand": 6.0})
