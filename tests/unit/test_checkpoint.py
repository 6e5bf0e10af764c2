"""Runs that are killed and go on from a checkpoint end with the same ledger."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from engine_worlds import brief, hexagon, small, three_tiers
from tree6g.engine import checkpoint, ledger, plain_state
from tree6g.engine.run import run
from tree6g.errors import LedgerError
from tree6g.ledger.reading import open_ledger, read_meta


def _digests(folder):
    """Hash of every part of a ledger."""
    parts = sorted((folder / "ledger").rglob("*.parquet"))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in parts}


def _control(folder):
    return read_meta(folder / "ledger").control


class Killed(BaseException):
    """A run that ends as though killed, at a ledger interval."""


def _kill_at(monkeypatch, interval_end_s):
    close = ledger.close_interval

    def closing(world, writer, t0_s, t1_s):
        if t1_s == interval_end_s:
            raise Killed
        close(world, writer, t0_s, t1_s)

    monkeypatch.setattr("tree6g.engine.run.ledger.close_interval", closing)


def _rich(plain):
    """Everything that has state: sleep, terminals' radios, walkers, queues in turn."""
    plain["population"]["terminal"] = {"model": "tr38840"}
    for site in plain["sites"]:
        site["base_station"] |= {"scheduler": "round-robin", "sleep": "light"}
        site["base_station"] |= {"model": "tr38864-cat1-set1", "anchor_power": "1200 W"}
    return plain


def _walking():
    plain = hexagon(policy="nearest", sleep_policy="carrier-muting", sleep_period="10 s")
    plain["population"]["speed"] = "10 m/s"
    return plain


def _scheduled(rule):
    plain = brief(scheduling={"rule": rule}, drain="10 s", ledger_interval="5 s")
    plain["sites"][0]["base_station"]["bandwidth"] = "5 MHz"  # so that messages wait
    return plain


CASES = {
    "corner": lambda: _rich(small(ledger_interval="15 s")),
    "tiers": lambda: three_tiers(ledger_interval="15 s", policy="device-only"),
    "walking": _walking,
    "paced": lambda: _scheduled("tree"),
    "fair": lambda: _scheduled("proportional-fair"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_killed_three_times_ends_with_the_same_bytes(name, tmp_path, monkeypatch):
    plain = CASES[name]()
    run(plain, out=tmp_path / "whole", checkpoint=1)
    end_s = _last_end_s(tmp_path / "whole")
    for share in (0.4, 0.7, 1.0):
        with monkeypatch.context() as patch:
            _kill_at(patch, _interval_end_s(plain, share * end_s))
            with pytest.raises(Killed):
                run(plain, out=tmp_path / "killed", checkpoint=1)
    result = run(plain, out=tmp_path / "killed", checkpoint=1)
    assert _digests(tmp_path / "killed") == _digests(tmp_path / "whole")
    assert _control(tmp_path / "killed") == _control(tmp_path / "whole")
    assert result.requests.arrived == result.requests.served + result.requests.lost
    assert [p.name for p in (tmp_path / "killed").iterdir()] == ["ledger"]


def _last_end_s(folder):
    rows = open_ledger(folder / "ledger").query("SELECT max(t1_s) AS t FROM energy").to_pylist()
    return rows[0]["t"]


def _interval_end_s(plain, t_s):
    length_s = float(plain["ledger_interval"].split()[0])
    return max(2.0, round(t_s / length_s)) * length_s


def test_a_run_without_checkpoints_has_the_same_rows(tmp_path):
    plain = small(ledger_interval="15 s")
    kept = run(plain, out=tmp_path / "kept", checkpoint=2).ledger
    plainly = run(plain, out=tmp_path / "plain").ledger
    for table in ("energy", "work", "request", "latency", "throughput", "prb"):
        order = f"SELECT * FROM {table} ORDER BY ALL"
        assert kept.query(order).equals(plainly.query(order))


def test_another_scenario_does_not_go_on_from_a_checkpoint(tmp_path, monkeypatch):
    plain = small(ledger_interval="15 s")
    with monkeypatch.context() as patch:
        _kill_at(patch, 60.0)
        with pytest.raises(Killed):
            run(plain, out=tmp_path / "a", checkpoint=1)
    other = plain | {"seed": 4}
    run(other, out=tmp_path / "a", checkpoint=1)
    run(other, out=tmp_path / "b", checkpoint=1)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")


def test_a_damaged_checkpoint_is_no_checkpoint(tmp_path, monkeypatch):
    plain = small(ledger_interval="15 s")
    with monkeypatch.context() as patch:
        _kill_at(patch, 60.0)
        with pytest.raises(Killed):
            run(plain, out=tmp_path / "a", checkpoint=1)
    (file,) = tmp_path.glob("a/*.npz")
    file.write_bytes(file.read_bytes()[:1000])
    seen = []
    run(plain, out=tmp_path / "a", checkpoint=1, progress=lambda done, _: seen.append(done))
    assert len(seen) == 6  # all intervals of 90 s
    seen.clear()
    run(plain, out=tmp_path / "a", checkpoint=1, progress=lambda done, _: seen.append(done))
    assert len(seen) == 6


def test_only_records_of_the_package_are_filled():
    forged = {"record": "subprocess:Popen", "number": 0, "fields": {}}
    with pytest.raises(LedgerError, match="record of tree6g"):
        plain_state.Filler({}).value(forged, None)


def test_long_runs_keep_checkpoints_by_themselves_and_short_ones_do_not():
    assert checkpoint.usual(100.0, 10) == 0
    assert checkpoint.usual(10.0 * checkpoint.MESSAGES, 100) == 10
    assert checkpoint.usual(1e4 * checkpoint.MESSAGES, 100) == 1


def test_numbers_of_all_kinds_come_back_as_they_were():
    rng = np.random.default_rng(4)
    rng.random(3)
    kept = {("a", 1): [1.5] * 20, "b": (float("inf"), None, True), 3: {4, 2}, "r": rng}
    keeper = plain_state.Keeper()
    text = json.dumps(keeper.plain(kept))
    back = plain_state.Filler(keeper.arrays).value(json.loads(text), None)
    assert {k: v for k, v in back.items() if k != "r"} == {k: kept[k] for k in kept if k != "r"}
    assert back["r"].random() == rng.random()
