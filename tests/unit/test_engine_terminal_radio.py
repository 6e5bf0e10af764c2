"""Terminals' radios in a run: joules by state, latency of DRX, nothing lost."""

from __future__ import annotations

import pytest

from engine_worlds import hexagon, small, three_tiers
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.scenario.load import load as load_scenario

TERMINALS = {
    "senders": {},
    "awake": {"model": "tr38840"},
    "drx": {"model": "tr38840", "drx_cycle": "160 ms"},
}


def _world(terminal, world=small, **changes):
    plain = world(**changes)
    plain["population"] = {**plain["population"], "terminal": terminal}
    return plain


def _rows(result, sql):
    return result.ledger.query(sql).to_pylist()


def _states(result, where="TRUE"):
    text = (
        "SELECT state, sum(energy_j) AS e FROM energy WHERE component = 'terminal' AND "
        f"{where} GROUP BY state"
    )
    return {row["state"]: row["e"] for row in _rows(result, text)}


def _bits(result, kinds="'bit_ul', 'bit_dl'"):
    text = f"SELECT service, sum(amount) AS n FROM work WHERE kind IN ({kinds}) GROUP BY service"
    return {row["service"]: row["n"] for row in _rows(result, text)}


def _delay(result, service):
    text = (
        "SELECT sum(sum_s) / sum(count) AS d FROM latency WHERE kind = 'packet_dl' AND "
        f"service = '{service}'"
    )
    return _rows(result, text)[0]["d"]


@pytest.fixture(scope="module", params=[small, three_tiers, hexagon], ids=lambda w: w.__name__)
def runs(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminals")
    return {
        name: run(_world(terminal, request.param), out=folder / name)
        for name, terminal in TERMINALS.items()
    }


def test_every_joule_of_a_terminal_is_counted_once_and_carries_its_service(runs):
    for result in runs.values():
        assert check(result.ledger).problems == ()
        assert check(result.ledger).conservation_error_frac <= 1e-9
        assert not _states(result, "service IS NULL")


def test_drx_loses_nothing(runs):
    awake = runs["awake"]
    for result in runs.values():
        assert _bits(result) == pytest.approx(_bits(awake), rel=1e-9)
        arrived, served, lost = (getattr(awake.requests, n) for n in ("arrived", "served", "lost"))
        assert (result.requests.arrived, result.requests.lost) == (arrived, lost)
        assert result.requests.served == served
        assert result.requests.on_time <= awake.requests.on_time  # its wait makes some late


def test_drx_saves_most_of_what_terminals_listen(runs):
    senders, awake, drx = (_states(result) for result in runs.values())
    assert set(senders) == {"active"}
    assert set(awake) == {"active", "idle"}
    assert set(drx) == {"active", "idle", "sleep", "transition"}
    assert drx["active"] == pytest.approx(awake["active"], rel=0.01)
    assert sum(drx.values()) < 0.4 * sum(awake.values())


def test_the_latency_of_drx_is_paid_in_the_times_of_the_messages(runs):
    # Files come unasked, at random times: a lone one waits (cycle - on)^2 / (2 cycle) = 72 ms, one
    # for a terminal that is listening to an answer does not wait at all.
    paid_s = _delay(runs["drx"], "files") - _delay(runs["awake"], "files")
    assert 0.02 < paid_s < 0.11
    ttft = [
        _rows(runs[n], "SELECT avg(ttft_s) AS t FROM request")[0]["t"] for n in ("awake", "drx")
    ]
    assert 0.005 < ttft[1] - ttft[0] < 0.08
    (note,) = [n for n in runs["drx"].ledger.meta.notes if "were connected" in n]
    assert "found them asleep and waited" in note


def test_same_seed_same_ledger(tmp_path):
    text = "SELECT * FROM energy ORDER BY ALL"
    first, second = (
        _rows(run(_world(TERMINALS["drx"]), out=tmp_path / name), text) for name in ("a", "b")
    )
    assert first == second


def _lone(terminal, **changes):
    """One device that gets a small message now and then."""
    plain = small(duration="300 s", step="0.7 s", ledger_interval="70 s", **changes)
    plain["population"] = {"users": 1, "ai_requests_per_user_hour": 0, "terminal": terminal}
    plain["sites"][0]["base_station"] = {"model": "earth-micro", "sleep": "micro"}
    service = {"kind": "data", "name": "push", "message": "100 B", "period": "30 s"}
    plain["services"] = [plain["services"][0], service | {"arrival": "periodic"}]
    return plain


def test_a_lone_device_without_drx_is_the_hand_calculation(tmp_path):
    terminal = {"model": "tr38840", "anchor_power": "7 W", "release": "2 s"}
    result = run(_lone(terminal), out=tmp_path)
    count = _bits(result)["push"] / 800.0
    assert count == 10
    states = _states(result)
    # 1 W of control and 3 W of data: one slot of 0.5 ms is received, then 2 s are listened to.
    assert states["active"] == pytest.approx(count * 3.0 * 0.5e-3)
    assert states["idle"] == pytest.approx(count * 1.0 * 2.0, rel=1e-3)


def test_a_lone_device_with_drx_is_the_hand_calculation(tmp_path):
    terminal = {
        "model": "tr38840", "anchor_power": "7 W", "release": "1.7 s",
        "drx_cycle": "160 ms", "drx_inactivity": "100 ms",
    }  # fmt: skip
    result = run(_lone(terminal), out=tmp_path)
    count = _bits(result)["push"] / 800.0
    states, waits = _states(result), _delay(result, "push")
    # Heard at the start of a cycle: 0.1 s awake, ten on-durations of 8 ms until 1.7 s, eleven
    # sleeps between. Unless a message comes within an on-duration, which is 8 ms later at most.
    assert states["idle"] == pytest.approx(count * (0.1 + 10 * 8e-3), rel=0.01)
    assert states["sleep"] == pytest.approx(count * 0.01 * (1.6 - 10 * 8e-3), rel=0.01)
    assert states["transition"] == pytest.approx(count * 11 * 0.01 * 0.45, rel=1e-9)
    assert 0.0 < waits < 0.16


def test_messages_that_wait_for_their_terminal_at_the_end_are_lost_and_said_so(tmp_path):
    changes = {"drain": "0 s", "duration": "30 s"}
    slow = {"model": "tr38840", "drx_cycle": "10.24 s"}
    offered = [
        _bits(run(_world(terminal, **changes), out=tmp_path / name), "'bit_dl', 'bit_lost'")[
            "files"
        ]
        for name, terminal in (("awake", TERMINALS["awake"]), ("slow", slow))
    ]
    assert offered[0] == pytest.approx(offered[1])


def test_power_control_saves_joules_of_sending(tmp_path):
    active = []
    for name, p0 in (("full", None), ("controlled", "-70 dBm")):
        plain = _world(TERMINALS["awake"])
        if p0 is not None:
            plain["sites"][0]["base_station"]["uplink_p0"] = p0
        result = run(plain, out=tmp_path / name)
        active.append(_states(result, "service = 'meters'")["active"])
    # One slot of each message at least, between 250 and 700 units of it.
    assert 250.0 / 700.0 < active[1] / active[0] < 0.9


@pytest.mark.parametrize(
    ("terminal", "message"),
    [
        ({"drx_cycle": "160 ms"}, "expected no drx_cycle"),
        ({"model": "tr38840", "drx_cycle": "5 ms"}, "expected an on-duration of at most one cycle"),
        ({"model": "tr38840", "release": "50 ms"}, "expected a release after drx_inactivity"),
    ],
)
def test_timers_that_do_not_go_together_are_refused(terminal, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario(_world(terminal))


def test_terminals_of_millimetre_waves_are_refused():
    plain = _world(TERMINALS["awake"])
    plain["sites"][0]["base_station"]["frequency"] = "28 GHz"
    with pytest.raises(ScenarioError, match="holds for FR1"):
        load_scenario(plain)
