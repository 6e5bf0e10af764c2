"""What the page's API says is what the metric says, at any weights, of any window."""

from __future__ import annotations

import dataclasses
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pieces import amount, hand_made, joules
from random_ledgers import small_ledgers, statement, written
from reporting import NAME, small_ledger
from serving_pages import ask, asked, serving
from tree6g.ledger.reading import open_ledger
from tree6g.metric.figure import Query
from tree6g.metric.tree import figure, series
from tree6g.serve import answers
from tree6g.serve.ask import Ask
from tree6g.serve.follow import KEPT, Follower
from tree6g.serve.view import View


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = small_ledger(tmp_path_factory.mktemp("figures") / "ledger", NAME).path
    with serving(path, floors={NAME: 1.0}) as running:
        yield running


def worth(weight=None, alpha=None):
    pairs = [("weight", weight), ("alpha", alpha)]
    return "&".join(f"{k}={quote(f'{NAME}={v}')}" for k, v in pairs if v is not None)


@pytest.mark.parametrize(("weight", "alpha"), [(None, None), (3.0, None), (0.0, 275.0), (2.0, 9e5)])
def test_sliders_give_the_figure_at_these_weights(server, weight, alpha):
    found = asked(server, f"/api/windows?{worth(weight, alpha)}")
    weights = {} if weight is None else {NAME: weight}
    alphas = {} if alpha is None else {NAME: alpha}
    ledger = server.application.follower.state().ledger
    theirs = figure(ledger, Query(weights=weights, alphas=alphas))
    assert found["totals"]["tree_beq_per_j"] == pytest.approx(theirs.tree_beq_per_j, rel=1e-12)
    assert found["totals"]["gini"] == pytest.approx(theirs.gini, abs=1e-12)
    exact = asked(server, f"/api/totals?{worth(weight, alpha)}")["totals"]
    assert exact["tree_beq_per_j"] == theirs.tree_beq_per_j
    own = found["services"][0]
    assert own["weight"] == (1.0 if weight is None else weight)
    assert own["alpha_stated_bit_per_tok"] == 1e4
    assert own["floor_beq_per_j"] == 1.0


def test_windows_are_those_of_the_metric(server):
    found = asked(server, "/api/windows?window_s=120&span_s=500")
    ledger = server.application.follower.state().ledger
    rows = series(ledger, Query(t0_s=0.0), window_s=120.0).to_pylist()
    starts = found["windows"]["t0_s"]
    assert starts == [0.0, 120.0, 240.0, 360.0, 480.0]
    for row in rows:
        if row["service"] is not None:
            (own,) = (s["windows"] for s in found["services"] if s["name"] == row["service"])
            at = starts.index(row["t0_s"])
            for key in ("tree_beq_per_j", "ee_bit_per_j", "energy_j", "tokens_out_tok"):
                assert own[key][at] == pytest.approx(row[key], rel=1e-12)
    energy = sum(found["windows"]["energy_j"])
    assert energy == pytest.approx(found["totals"]["energy_j"], rel=1e-12)
    flowing = sum(row["energy_j"] for row in found["flows"])
    assert flowing == pytest.approx(found["totals"]["energy_j"], rel=1e-12)
    metered = sum(p * 120.0 for c in found["components"] for p in c["power_w"])
    assert metered == pytest.approx(found["totals"]["energy_j"], rel=1e-12)


def test_a_gap_is_null_and_stated_and_never_zero(tmp_path):
    energy = [joules(t, t + 1, "edge", 5.0) for t in range(6) if t not in {2, 3}]
    work = [amount(t, t + 1, "edge", "chat", "token_out", 2.0) for t in range(6)]
    small = hand_made(energy=energy, work=work)
    gap = statement(2.0, 4.0, "meter", "energy", status="gap", reason="meter unplugged")
    small = small.with_rows(coverage=[*small.tables["coverage"], gap])
    with written(small) as ledger, serving(ledger.path) as server:
        found = asked(server, "/api/windows?window_s=1")
    windows = found["windows"]
    assert windows["coverage_frac"] == [1, 1, 0, 0, 1, 1]
    assert windows["tree_beq_per_j"] == [40.0, 40.0, None, None, 40.0, 40.0]
    assert windows["energy_j"][2] is None
    assert found["uncovered"] == [[2.0, 4.0]]
    assert found["gaps"][0]["reason"] == "meter unplugged"
    assert found["totals"]["covered_s"] == 4.0
    assert found["components"][0]["power_w"] == [5.0, 5.0, None, None, 5.0, 5.0]


@settings(max_examples=8)
@given(small_ledgers(), st.floats(0.5, 3.0))
def test_any_ledger_has_an_answer_whose_windows_tile_it(small, window_s):
    with written(small, rows_per_part=2) as ledger:
        view = View(window_s=window_s * small.grid_s)
        found = answers.windows(Follower(ledger.path), Ask(view=view), {})
        whole = figure(ledger)
    totals = found["totals"]
    assert totals["energy_j"] == pytest.approx(whole.energy_j, rel=1e-9, abs=1e-9)
    energies = [e for e in found["windows"]["energy_j"] if e is not None]
    assert sum(energies) == pytest.approx(whole.energy_j, rel=1e-9, abs=1e-9)
    if whole.tree_beq_per_j is None:
        assert totals["tree_beq_per_j"] is None
    else:
        assert totals["tree_beq_per_j"] == pytest.approx(whole.tree_beq_per_j, rel=1e-9)


@settings(max_examples=8)
@given(small_ledgers(), st.integers(0, 3))
def test_the_newest_time_of_a_narrowed_ledger_is_that_of_the_whole(small, cells):
    with written(small, rows_per_part=1) as ledger:
        state = Follower(ledger.path).state()
        if state.extent is None:
            return
        end_s = state.extent[1]
        view = View(t0_s=max(0.0, end_s - cells * small.grid_s), t1_s=end_s)
        found = answers.windows(Follower(ledger.path), Ask(view=view), {})["totals"]
        whole = figure(ledger, view.query())
    assert found["energy_j"] == pytest.approx(whole.energy_j, rel=1e-9, abs=1e-9)
    assert found["utility_beq"] == pytest.approx(whole.utility_beq, rel=1e-9, abs=1e-9)
    assert found["covered_s"] == pytest.approx(whole.covered_s)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("spn_s=60", "span_s"), ("span_s=soon", "finite number"), ("span_s=nan", "finite"),
        ("span_s=-1", "> 0 s"), ("span_s=1&span_s=2", "one value"), ("weight=2", "SERVICE=NUMBER"),
        ("weight=nobody=2", "expected a service"), ("weight=sensors=-2", ">= 0"),
        ("alpha=sensors=2", "no tokens"), ("rule=fair", "rule"), ("window_s=1e-4", "at most 2000"),
        ("t0_s=9&t1_s=3", "t1_s >= t0_s"), ("boundary=' OR 1", "boundary"), ("rule", "NAME=VALUE"),
        ("weight=sensors=inf", "finite"),
    ],
)  # fmt: skip
def test_a_wrong_question_is_told_what_is_wrong(server, query, says):
    status, _, body = ask(server, "/api/windows?" + quote(query, safe="=&"))
    assert status == 400
    assert says in body.decode()


def test_a_ledger_without_rows_has_an_answer(tmp_path):
    from ledger_rows import META
    from tree6g.ledger.writer import LedgerWriter

    services = hand_made(energy=[joules(0, 1, "edge", 1.0)], work=[]).meta.services
    with LedgerWriter(tmp_path / "l", dataclasses.replace(META, services=services)):
        pass
    with serving(tmp_path / "l") as server:
        found = asked(server, "/api/windows?span_s=60")
        assert found["ledger"]["end_s"] is None
        assert found["totals"]["tree_beq_per_j"] is None
        assert ask(server, "/metrics")[0] == 200


def test_all_weights_share_one_snapshot(server):
    follower = server.application.follower
    asked(server, "/api/windows?span_s=240")
    before = len(follower._made)
    for weight in (1.0, 2.0, 3.0):
        asked(server, f"/api/windows?span_s=240&{worth(weight)}")
    assert len(follower._made) == before


def test_what_is_kept_is_bounded(server):
    follower = server.application.follower
    for number in range(KEPT + 3):
        follower.made(("number", number), lambda state: state.number)
    assert len(follower._made) == KEPT


def test_the_answer_names_the_ledger(server):
    about = asked(server, "/api/ledger")["ledger"]
    assert about["end_s"] == 600.0
    assert not about["simulated"]
    assert open_ledger(server.application.follower.path).meta.producer == about["title"]
