"""Cells of a run that sleep, are muted and go off: joules saved, times paid, nothing lost."""

from __future__ import annotations

import pytest

from engine_worlds import small, three_tiers
from tree6g.engine.policies.sleep import BUILT_IN, CellReport, Order, sleep_policy
from tree6g.engine.rest import station_of
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.radio.sleep import idle_power_w
from tree6g.scenario.load import load as load_scenario


def _night(sleep="light", *, model="tr38864-cat1-set1", **base):
    """The street corner with a cell that can sleep, and little traffic."""
    plain = small(population={"users": 30, "ai_requests_per_user_hour": 20})
    plain["sites"][0]["base_station"] = {
        "model": model,
        "anchor_power": "280 W",
        "bandwidth": "100 MHz",
        "sleep": sleep,
        **base,
    }
    return plain


def _rows(result, sql):
    return result.ledger.query(sql).to_pylist()


def _radio_j(result):
    text = "SELECT sum(energy_j) AS e FROM energy WHERE component = 'radio_unit'"
    return _rows(result, text)[0]["e"]


def _bits(result):
    text = (
        "SELECT service, sum(amount) AS n FROM work WHERE kind IN ('bit_ul', 'bit_dl')"
        " GROUP BY service"
    )
    return {row["service"]: row["n"] for row in _rows(result, text)}


def _mean(result, column):
    return _rows(result, f"SELECT avg({column}) AS t FROM request")[0]["t"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    return [run(_night(sleep), out=folder / sleep) for sleep in ("none", "light")]


def test_a_sleeping_cell_wakes_for_all_traffic_and_no_bit_is_lost(pair):
    awake, asleep = pair
    assert _bits(asleep) == pytest.approx(_bits(awake), rel=1e-9)
    assert asleep.requests == awake.requests
    assert not _rows(asleep, "SELECT * FROM work WHERE kind IN ('bit_lost', 'request_lost')")


def test_sleep_saves_joules_and_the_ledger_still_balances(pair):
    awake, asleep = pair
    assert _radio_j(asleep) < 0.85 * _radio_j(awake)
    for result in pair:
        assert check(result.ledger).problems == ()
        assert check(result.ledger).conservation_error_frac <= 1e-9


def test_the_latency_is_paid_in_the_times_of_the_messages(pair):
    awake, asleep = pair
    paid_s = _mean(asleep, "ttft_s") - _mean(awake, "ttft_s")
    # A prompt waits for the next RACH occasion, up to 20 ms and a long burst; its first token for
    # half of the transition, up to 6 ms.
    assert 5e-3 < paid_s < 32e-3
    (note,) = [n for n in asleep.ledger.meta.notes if "slept" in n]
    assert "found it asleep and waited" in note
    assert not [n for n in awake.ledger.meta.notes if "slept" in n]


def test_prompts_reach_a_cell_with_a_wake_up_receiver_sooner(pair, tmp_path):
    listening = run(_night(uplink_wake="signal"), out=tmp_path)
    awake, asleep = pair
    assert _mean(awake, "ttft_s") < _mean(listening, "ttft_s") < _mean(asleep, "ttft_s")


def test_a_timer_trades_joules_for_latency(pair, tmp_path):
    patient = run(_night(idle_timer="50 ms"), out=tmp_path)
    awake, asleep = pair
    assert _radio_j(asleep) < _radio_j(patient) < _radio_j(awake)
    assert _mean(awake, "e2e_s") < _mean(patient, "e2e_s") < _mean(asleep, "e2e_s")


def test_a_cell_without_traffic_draws_its_idle_power(tmp_path):
    plain = _night()
    plain["population"]["ai_requests_per_user_hour"] = 0
    plain["services"] = [plain["services"][0]]
    result = run(plain, out=tmp_path)
    (site,) = load_scenario(plain).sites
    assert _radio_j(result) / 90.0 == pytest.approx(idle_power_w(station_of(site)), rel=1e-3)


@pytest.mark.parametrize("step", ["0.05 s", "2 s"])
def test_the_step_hardly_matters_to_sleep(pair, tmp_path, step):
    result = run(_night() | {"step": step}, out=tmp_path)
    assert _radio_j(result) == pytest.approx(_radio_j(pair[1]), rel=0.03)


def test_the_policy_always_on_overrules_what_a_cell_may_do(pair, tmp_path):
    result = run(_night() | {"sleep_policy": "always-on"}, out=tmp_path)
    assert _radio_j(result) == pytest.approx(_radio_j(pair[0]), rel=1e-12)


def test_muted_carriers_save_what_the_load_does_not_need(tmp_path):
    base = {"carriers": 4, "sleep": "none"}
    results = [
        run(_night(**base) | {"sleep_policy": policy}, out=tmp_path / policy)
        for policy in ("idle-timer", "carrier-muting")
    ]
    # One carrier of four draws 1 / 3.1 of all; the cell is asked first when no load is known.
    assert _radio_j(results[1]) < 0.5 * _radio_j(results[0])
    assert _bits(results[1]) == pytest.approx(_bits(results[0]), rel=1e-9)
    assert _mean(results[1], "e2e_s") >= _mean(results[0], "e2e_s")


def test_muted_antennas_send_longer_at_less_power(tmp_path):
    plain = _night(antenna_gain="15 dBi", transmit_power="1 W")
    plain["sites"][0]["radius"] = "60 m"
    results = [
        run(plain | {"sleep_policy": policy}, out=tmp_path / policy)
        for policy in ("idle-timer", "antenna-muting")
    ]
    assert _bits(results[1]) == pytest.approx(_bits(results[0]), rel=1e-9)
    text = "SELECT sum(demand) AS s FROM work WHERE kind = 'bit_dl'"
    used = [_rows(result, text)[0]["s"] for result in results]
    assert used[1] > used[0]


def test_operators_of_a_shared_station_split_what_it_draws_without_traffic(pair, tmp_path):
    shared = run(_night(operator_share="40 %"), out=tmp_path)
    text = (
        "SELECT node, sum(energy_j) FILTER (state <> 'active') AS e FROM energy"
        " WHERE component = 'radio_unit' GROUP BY node"
    )
    alone = {r["node"]: r["e"] for r in _rows(pair[1], text)}
    split = {r["node"]: r["e"] for r in _rows(shared, text)}
    assert split["a.cell"] == pytest.approx(0.4 * alone["a.cell"])
    assert split["a.shared"] == pytest.approx(0.6 * alone["a.cell"])
    assert check(shared.ledger).conservation_error_frac <= 1e-9
    assert "a.shared" in shared.tree().outside


def test_a_sleep_policy_may_be_an_object(tmp_path):
    asked = []

    def listen(t_s, cells):
        asked.append((t_s, [c.node for c in cells], cells[0].load_frac))
        return [Order() for _ in cells]

    run(_night(), out=tmp_path, sleep_policy=listen)
    assert [t for t, _, _ in asked[:3]] == [0.0, 10.0, 20.0]
    assert asked[0][1] == ["a.cell"]
    assert asked[0][2] == 0.0 < asked[1][2] < 1.0


@pytest.mark.parametrize(
    ("orders", "words"),
    [
        ([], "one order per cell"),
        ([Order(carriers=2), Order()], "1 to 1 carriers"),
        ([Order(antenna_frac=0.0), Order()], "antenna_frac above 0"),
        ([Order(on=False), Order()], "no other cell covers"),
    ],
)
def test_orders_that_no_cell_can_follow_are_refused(tmp_path, orders, words):
    with pytest.raises(ScenarioError, match=words):
        run(three_tiers(), out=tmp_path, sleep_policy=lambda _, cells: orders)


def test_an_unknown_sleep_policy_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ScenarioError, match=r"a sleep policy; got 'idle-timr'.*idle-timer"):
        run(small(sleep_policy="idle-timr"), out=tmp_path)
    with pytest.raises(ScenarioError, match="expected a sleep policy"):
        sleep_policy("idle-timr")


def test_periods_that_3gpp_does_not_have_are_all_told_at_once():
    with pytest.raises(ScenarioError) as caught:
        load_scenario(_night(ssb_period="30 ms", rach_period="7 ms"))
    for name, got in (("ssb_period", "30 ms"), ("rach_period", "7 ms")):
        wanted = f"{name}: expected one of 5, 10, 20, 40, 80, 160 ms (TS 38.331); got {got}."
        assert wanted in str(caught.value)


def _cell(node="x", **known):
    return CellReport(node=node, on=True, idle_timer_s=0.04, **known)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_policy_gives_every_cell_an_order(name):
    orders = sleep_policy(name)(0.0, [_cell("a"), _cell("b")])
    assert len(orders) == 2
    assert all(order.on for order in orders)


def test_carriers_follow_the_load():
    decide = sleep_policy("carrier-muting")
    loads = [(0.0, 4, 1), (0.2, 4, 2), (0.45, 4, 4), (0.3, 1, 1), (0.95, 1, 4)]
    for load, now, wanted in loads:
        cell = _cell(downlink_frac=load, carriers=4, carriers_on=now)
        assert decide(10.0, [cell])[0].carriers == wanted


def test_antennas_follow_the_load_but_leave_nobody_out():
    decide = sleep_policy("antenna-muting")
    cases = [
        (0.05, 1.0, 0.1, 0.5), (0.05, 0.25, 0.1, 0.25), (0.3, 0.5, 0.1, 0.5),
        (0.6, 0.5, 0.1, 1.0), (0.05, 1.0, 0.7, 1.0),
    ]  # fmt: skip
    for load, now, least, wanted in cases:
        cell = _cell(uplink_frac=load, antenna_frac=now, antenna_least_frac=least)
        assert decide(10.0, [cell])[0].antenna_frac == wanted


def _covered(*others):
    return frozenset({frozenset(others)})


def test_a_cell_goes_off_only_where_another_that_stays_on_covers_it():
    decide = sleep_policy("cell-switch-off")
    both = [_cell("a", covering=_covered(1)), _cell("b", covering=_covered(0))]
    assert [order.on for order in decide(10.0, both)].count(True) == 1
    alone = [_cell("a", covering=_covered(1)), _cell("b", covering=_covered())]
    assert [order.on for order in decide(10.0, alone)] == [False, True]
    assert all(order.on for order in decide(0.0, both))


def test_a_cell_stays_on_where_the_others_have_no_room():
    decide = sleep_policy("cell-switch-off")
    cells = [_cell("a", covering=_covered(1)), _cell("b", covering=_covered(), downlink_frac=0.5)]
    assert decide(10.0, cells)[0].on


def test_a_cell_returns_when_those_that_cover_it_are_loaded():
    decide = sleep_policy("cell-switch-off")
    off = CellReport(node="a", on=False, idle_timer_s=0.0, covering=_covered(1))
    for load, returns in ((0.3, False), (0.7, True)):
        busy = _cell("b", covering=_covered(), downlink_frac=load)
        assert decide(10.0, [off, busy])[0].on is returns
