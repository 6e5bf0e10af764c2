"""Runs over a topology with outages that are killed go on and end with the same ledger."""

from __future__ import annotations

import pytest

from engine_worlds import three_tiers
from tree6g.engine import ledger
from tree6g.engine.run import run
from tree6g.ledger.reading import read_meta

PLAIN = three_tiers(
    ledger_interval="15 s",
    policy="tree-greedy",
    outages=[{"node": "a.gpu", "from": "20 s", "to": "50 s"}],
)
del PLAIN["links"]
PLAIN["topology"] = {
    "energy": "5 nJ/bit",
    "idle_power": "3 W",
    "places": {"*": "west", "cloud": "core"},
    "edges": [{"name": "w-c", "a": "west", "b": "core", "rate": "50 Mbit/s", "length": "200 km"}],
}


class Killed(BaseException):
    """A run that ends as though killed."""


def _kill_at(monkeypatch, interval_end_s):
    close = ledger.close_interval

    def closing(world, writer, t0_s, t1_s):
        if t1_s == interval_end_s:
            raise Killed
        close(world, writer, t0_s, t1_s)

    monkeypatch.setattr("tree6g.engine.run.ledger.close_interval", closing)


def _parts(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.parquet")}


def test_links_and_failed_servers_are_in_the_checkpoint(tmp_path, monkeypatch):
    run(PLAIN, out=tmp_path / "whole", checkpoint=1)
    for end_s in (30.0, 60.0):
        with monkeypatch.context() as patch:
            _kill_at(patch, end_s)
            with pytest.raises(Killed):
                run(PLAIN, out=tmp_path / "killed", checkpoint=1)
    run(PLAIN, out=tmp_path / "killed", checkpoint=1)
    assert _parts(tmp_path / "killed") == _parts(tmp_path / "whole")
    controls = [read_meta(tmp_path / name / "ledger").control for name in ("killed", "whole")]
    assert controls[0] == controls[1]
