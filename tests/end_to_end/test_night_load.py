"""Networks at night: what sleep and switching off save, and what users wait for it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tree6g import open_ledger
from tree6g.cli import app

NIGHT = (
    "population.ai_requests_per_user_hour=0.5", "services.download.sources=30",
    "services.video-streaming.sources=4",
)  # fmt: skip


def _compared(folder, monkeypatch, designs, changes):
    monkeypatch.chdir(folder)
    options = [word for change in changes for word in ("--set", change)]
    done = CliRunner().invoke(app, ["compare", *designs, *options, "--json"])
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["same_service"] is True
    ledgers = {}
    for path in (folder / "tree6g-out").glob("*/ledger"):
        ledger = open_ledger(path)
        ledgers[ledger.meta.scenario["sleep_policy"]] = ledger
    return {design["name"]: design for design in made["designs"]}, ledgers


def _first(ledger, sql):
    (row,) = ledger.query(sql).to_pylist()
    return next(iter(row.values()))


def test_the_hybrid_cell_at_night_saves_joules_for_milliseconds(tmp_path, monkeypatch):
    designs, ledgers = _compared(
        tmp_path, monkeypatch, ["awake=hybrid-cell sleep_policy=always-on", "asleep=hybrid-cell"],
        (*NIGHT, "duration=20 min"),
    )  # fmt: skip
    awake, asleep = designs["awake"], designs["asleep"]
    assert asleep["energy_j"] < 0.9 * awake["energy_j"]
    assert asleep["tree_beq_per_j"] > 1.1 * awake["tree_beq_per_j"]
    assert asleep["ee_bit_per_j"] > 1.1 * awake["ee_bit_per_j"]
    ttft = {name: _first(x, "SELECT avg(ttft_s) FROM request") for name, x in ledgers.items()}
    # Uplink waits up to 20 ms for a RACH occasion, downlink up to 6 ms for the cell to wake up.
    assert 3e-3 < ttft["idle-timer"] - ttft["always-on"] < 30e-3


def test_capacity_cells_that_go_off_leave_their_users_to_the_coverage_layer(tmp_path, monkeypatch):
    designs, ledgers = _compared(
        tmp_path, monkeypatch, ["awake=night-layers sleep_policy=idle-timer", "off=night-layers"],
        ("duration=4 min",),
    )  # fmt: skip
    assert designs["off"]["energy_j"] < 0.9 * designs["awake"]["energy_j"]
    bits = {
        name: _first(x, "SELECT sum(amount) FROM work WHERE kind IN ('bit_ul', 'bit_dl')")
        for name, x in ledgers.items()
    }
    assert bits["cell-switch-off"] == pytest.approx(bits["idle-timer"], rel=1e-9)
    lost = "SELECT count(*) FROM work WHERE kind IN ('bit_lost', 'request_lost')"
    assert _first(ledgers["cell-switch-off"], lost) == 0
