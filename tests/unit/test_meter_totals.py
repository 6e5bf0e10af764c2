"""Joules that a meter counts beside its rows: `check` holds the rows to them."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from metering import Counters, World, joules, rows
from tree6g.errors import LedgerError
from tree6g.ledger import control, parts
from tree6g.ledger.check import check
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.retention import Retention
from tree6g.ledger.upkeep import Limits, Upkeep
from tree6g.ledger.writer import LedgerWriter
from tree6g.meter.agent.totals import Totals

CONFIG = """
interval: 10 s
flush: 60 s
idle: {box/gpu: 30 W}
targets:
  whole: {url: "http://power/metrics", node: box, component: host, contains: [gpus]}
  gpus: {url: "http://gpus/metrics", node: box}
  other: {url: "http://other/metrics", node: barn}
"""
CRASH_AT = (7, 20, 21)


def _run(folder, text=CONFIG, ticks=40):
    """A world with crashes, and energies that no binary fraction holds."""
    whole, gpus, other = Counters(), Counters(), Counters()
    world = World(folder, text, whole=whole, gpus=gpus, other=other)
    for tick in range(ticks):
        gpus.down = "away" if tick % 9 == 5 else ""
        gpus.add(joules("0"), 100_000.1 * (tick % 3))
        whole.add(joules("all"), 900_000.7)
        other.add(joules("1"), 333_333.3)
        world.tick()
        if tick in CRASH_AT:
            world.crash()
    return world


def test_rows_hold_what_was_counted_over_flushes_crashes_and_energy_inside_of_energy(tmp_path):
    ledger = _run(tmp_path).end()
    checked = check(ledger)
    assert checked.conservation_error_frac is not None
    assert checked.conservation_error_frac < 1e-12
    assert set(ledger.meta.control["energy_j"]) == {"box", "barn"}
    assert sum(ledger.meta.control["energy_j"].values()) == pytest.approx(
        sum(r["energy_j"] for r in rows(ledger, "energy")), rel=1e-12
    )


def test_a_row_that_is_lost_or_doubled_is_found(tmp_path):
    ledger = _run(tmp_path).end()
    path = parts.list_parts(ledger.path, "energy")[0]
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    found = check(open_ledger(ledger.path)).problems
    assert "conservation" in {p.rule for p in found}


def test_a_crash_between_rows_and_totals_is_no_fault_and_the_next_start_mends_it(tmp_path):
    world = _run(tmp_path, ticks=13)

    def fail(_):
        raise LedgerError("the disk is gone")

    world.agent.journal._writer.update_meta = fail
    world.agent.flush()
    found = check(open_ledger(world.config.ledger))
    assert found.problems == ()
    assert found.conservation_error_frac is None
    assert any("is not in the control totals" in note for note in found.notes)
    world.crash()
    world.tick()
    assert check(world.end()).conservation_error_frac < 1e-12


def test_what_retention_drops_leaves_the_totals_too(tmp_path):
    world = _run(tmp_path, CONFIG.replace("flush", "keep: 300 s\nflush"), ticks=1)
    files = world.agent.journal._upkeep
    files.clock = lambda: world.clock.mono
    files.limits = Limits(grace_s=20.0, fan=4, span_s=100.0)
    for tick in range(150):
        for name in ("whole", "gpus", "other"):
            if name != "other" or tick < 20:
                world.sources[name].add(joules("0"), 1e5 / 3.0)
        world.tick()
    ledger = world.end()
    assert ledger.meta.control["dropped_j"]["barn"] > 0.0
    assert "barn" not in ledger.meta.control["energy_j"]
    assert check(ledger).conservation_error_frac < 1e-9


def test_a_crash_between_the_totals_and_the_drop_drops_once(tmp_path):
    energy = {"tier": "edge", "component": "gpu", "state": "active", "origin": "measured"}
    now = [0.0]
    with LedgerWriter(tmp_path, Meta(control={"energy_j": {"n": 6.0}})) as writer:
        for t in (0.0, 1.0, 2.0):
            row = {"t0_s": [t], "t1_s": [t + 1.0], "node": ["n"], "energy_j": [2.0]}
            writer.append("energy", {**row, "source": ["a"]} | {k: [v] for k, v in energy.items()})
            writer.flush()
        files = Upkeep(writer, Limits(grace_s=1.0), lambda: now[0])
        first = files.parts("energy")[0].path
        meta = control.without(open_ledger(tmp_path).meta, [first])
        writer.update_meta(meta)  # and here it crashes
        retention = Retention(writer, files, keep_s=1.0)
        for now[0] in (0.0, 2.0, 4.0):
            retention.retain(3.0)
        left = json.loads((tmp_path / "meta.json").read_text())["control"]
        assert left["energy_j"] == {"n": 2.0}
        assert left["dropped_j"] == {"n": 4.0}
    assert len(parts.list_parts(tmp_path, "energy")) == 1


def test_a_ledger_that_was_begun_without_totals_does_without(tmp_path):
    assert Totals(tmp_path, {"/clock": b"1.0"}).plan({"n": 1.0}) == {}


def test_many_small_amounts_add_up_as_exactly_as_few_large_ones(tmp_path):
    totals = Totals(tmp_path, {})
    totals.plan({"n": 1e12})
    totals.commit()
    for _ in range(1000):
        (raw,) = totals.plan({"n": 1e-5}).values()
        totals.commit()
    assert sum(json.loads(raw)["n"][:1]) != 1e12 + 0.01
    assert sum(json.loads(raw)["n"]) == 1e12 + 0.01
