"""A ledger that grows for ever: parts are merged and dropped, and no reader is deceived."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_rows import META, coverage, energy, entity, same_rows, work
from tree6g.errors import LedgerError
from tree6g.ledger import parts, schema
from tree6g.ledger.check import check
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import open_ledger, reopen
from tree6g.ledger.retention import Retention
from tree6g.ledger.upkeep import Limits, Part, Upkeep, chosen, joined
from tree6g.ledger.writer import LedgerWriter
from tree6g.serve import follow
from tree6g.serve.follow import Follower

LIMITS = Limits(fan=3, rows=1000, span_s=1000.0, grace_s=10.0)


class Clock:
    """Time that passes when told."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def add(writer, t, **more):
    """One second of rows, flushed."""
    times = {"t0_s": float(t), "t1_s": t + 1.0}
    if t == 0:
        writer.append("entity", entity())
    writer.append("energy", energy(energy_j=float(t), **times))
    writer.append("work", work(amount=float(t), **times))
    writer.append("coverage", coverage(**times))
    writer.flush()


def files(path: Path, table="energy") -> list[str]:
    return sorted(p.name for p in (path / table).iterdir())


def listed(path: Path, table="energy") -> list[str]:
    return [p.name for p in parts.list_parts(path, table)]


def values(path: Path) -> list[float]:
    return open_ledger(path).table("energy")["energy_j"].to_pylist()


def test_neighbours_become_one_part_that_covers_them_until_they_go(tmp_path, clock):
    with LedgerWriter(tmp_path, META) as writer:
        upkeep = Upkeep(writer, LIMITS, clock)
        for t in range(3):
            assert upkeep.merge() == 0
            add(writer, t)
        assert upkeep.merge() == 9
        assert listed(tmp_path) == ["part-000001-000003.parquet"]
        assert len(files(tmp_path)) == 4
        assert values(tmp_path) == [0.0, 1.0, 2.0]
        assert upkeep.sweep() == 0
        clock.now_s = 9.0
        assert upkeep.sweep() == 0
        clock.now_s = 10.0
        assert upkeep.sweep() == 9
        assert files(tmp_path) == ["part-000001-000003.parquet"]
        add(writer, 3)
    assert listed(tmp_path)[1] == "part-000004.parquet"
    assert check(open_ledger(tmp_path)).problems == ()
    assert (
        open_ledger(tmp_path).rows() | {"coverage": 4, "energy": 4} == open_ledger(tmp_path).rows()
    )


def test_merging_keeps_every_row_in_the_order_of_time(tmp_path, clock):
    t0 = [5.0, 1.0, 7.0, 0.0, 3.0, 2.0]
    with LedgerWriter(tmp_path, META) as writer:
        for t in t0:
            writer.append("energy", energy(t0_s=t, t1_s=t + 1, service=None if t > 2 else "chat"))
            writer.flush()
        before = open_ledger(tmp_path).table("energy").to_pylist()
        Upkeep(writer, Limits(fan=6), clock).merge()
    after = open_ledger(tmp_path).table("energy").to_pylist()
    assert after == sorted(before, key=lambda row: row["t0_s"])


def test_statements_that_touch_and_say_the_same_become_one(tmp_path):
    columns = schema.columns_of("coverage")
    rows = [
        (0.1, 0.2, "a", "energy", "ok", "n", None),
        (0.2, 0.1 + 0.2, "a", "energy", "ok", "n", None),
        (0.3, 0.4, "a", "energy", "ok", "n", None),
        (0.4, 0.5, "a", "energy", "ok", None, None),
        (0.4, 0.5, "a", "energy", "gap", "n", "lost"),
        (0.5, 0.6, "a", "energy", "gap", "n", "late"),
        (0.6, 0.7, "a", "energy", "gap", "n", "late"),
        (0.8, 0.9, "a", "energy", "gap", "n", "late"),
        (0.7, 0.8, "a", "work", "gap", "n", "late"),
    ]
    data = pa.Table.from_pylist(
        [dict(zip(columns.names, row, strict=True)) for row in rows], schema=columns
    )
    found = [tuple(row.values()) for row in joined(data).to_pylist()]
    kept = [(0.1, 0.4, *rows[0][2:]), *rows[3:5], (0.5, 0.7, *rows[5][2:]), *rows[7:]]
    assert sorted(found, key=str) == sorted(kept, key=str)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 300)), min_size=1, max_size=250))
def test_the_number_of_parts_stays_small_and_every_flush_is_held_once(flushes):
    found, number = [], 0
    written = 0
    for gap, rows in flushes:
        number += gap
        times = {"start_s": float(number), "end_s": number + 1.0}
        name = Path(f"part-{number:06d}.parquet")
        found.append(Part(path=name, flushes=(number, number), rows=rows, **times))
        group = chosen(found, LIMITS)
        if group:
            at = found.index(group[0])
            assert found[at : at + len(group)] == list(group)
            ends = group[0].flushes[0], group[-1].flushes[1]
            merged = Part(
                path=Path(f"part-{ends[0]:06d}-{ends[1]:06d}.parquet"),
                flushes=ends,
                rows=sum(p.rows for p in group),
                start_s=group[0].start_s,
                end_s=group[-1].end_s,
            )
            assert merged.rows <= LIMITS.rows
            assert merged.span_s <= LIMITS.span_s
            written += merged.rows
            found[at : at + len(group)] = [merged]
    total = sum(rows for _, rows in flushes)
    assert sum(p.rows for p in found) == total
    levels = 1 + max(p.level(LIMITS.fan) for p in found)
    full = sum(2 * p.rows > LIMITS.rows or 2 * p.span_s > LIMITS.span_s for p in found)
    # Between two full parts fewer than a fan of each level wait, and what no part may hold with
    # its neighbour.
    assert len(found) <= (full + 1) * (LIMITS.fan - 1) * levels + full
    assert written <= total * (levels + 1)


def grow(path, clock, seconds, **bounds):
    writer = LedgerWriter(path, META)
    upkeep = Upkeep(writer, LIMITS, clock)
    retention = Retention(writer, upkeep, **bounds)
    for t in range(seconds):
        add(writer, t)
        clock.now_s += 1.0
        upkeep.sweep()
        retention.retain(t + 1.0)
        upkeep.merge()
    writer.close()


def stated(path):
    rows = open_ledger(path).table("coverage").to_pylist()
    return min(r["t0_s"] for r in rows), max(r["t1_s"] for r in rows)


def test_what_ended_before_the_time_that_is_kept_is_dropped_and_said(tmp_path, clock):
    grow(tmp_path, clock, 100, keep_s=40.0)
    ledger = open_ledger(tmp_path)
    start, end = stated(tmp_path)
    assert end == 100.0
    assert 30.0 <= start <= 60.0
    kept = ledger.table("energy")["t0_s"].to_pylist()
    assert kept == sorted(kept)
    assert set(np.arange(np.ceil(start), 100.0)) <= set(kept)
    assert min(kept) > 10.0
    (note,) = ledger.meta.notes
    assert f"Rows that ended before {start!r} s were dropped" in note
    assert (ledger.rows()["entity"], check(ledger).problems) == (1, ())
    assert len(files(tmp_path)) < 30


def test_the_ledger_stays_within_a_size(tmp_path, clock):
    grow(tmp_path, clock, 20)
    size = sum(p.stat().st_size for p in tmp_path.rglob("*.parquet"))
    grow(tmp_path / "small", Clock(), 60, limit_byte=size)
    seen = [p for ps in open_ledger(tmp_path / "small").parts.values() for p in ps]
    assert sum(p.stat().st_size for p in seen) < 1.5 * size
    assert stated(tmp_path / "small")[1] == 60.0
    assert check(open_ledger(tmp_path / "small")).problems == ()


def test_energy_goes_only_when_no_reader_can_hold_the_coverage_of_it(tmp_path, clock):
    with LedgerWriter(tmp_path, Meta(t_zero="1970-01-01T00:00:00+00:00")) as writer:
        for t in range(9):
            add(writer, t)
        retention = Retention(writer, Upkeep(writer, LIMITS, clock), keep_s=5.0)
        assert retention.retain(9.5) == pytest.approx(4.5)
        assert (stated(tmp_path)[0], len(values(tmp_path))) == (pytest.approx(4.5), 9)
        clock.now_s = 9.0
        retention.retain(20.0)
        assert len(values(tmp_path)) == 9
        clock.now_s = 10.0
        retention.retain(9.5)
        assert values(tmp_path) == [4.0, 5.0, 6.0, 7.0, 8.0]
    assert "(1970-01-01T00:00:04+00:00)" in open_ledger(tmp_path).meta.notes[0]
    assert files(tmp_path, "energy")[1] == "part-000001.parquet"


def test_a_cut_that_was_made_is_never_told_less(tmp_path, clock):
    grow(tmp_path, clock, 60, keep_s=20.0)
    note = open_ledger(tmp_path).meta.notes
    with LedgerWriter(tmp_path, META) as writer:
        retention = Retention(writer, Upkeep(writer, LIMITS, clock), keep_s=50.0)
        assert retention.retain(60.0) == stated(tmp_path)[0]
    assert open_ledger(tmp_path).meta.notes == note


def test_bounds_that_are_none_and_control_totals_are_refused(tmp_path, clock):
    meta = Meta(services=META.services, control={"energy_j": {"n": 0.0}, "requests": 1})
    with LedgerWriter(tmp_path, meta) as writer:
        upkeep = Upkeep(writer, LIMITS, clock)
        for wrong in ({"keep_s": 0.0}, {"limit_byte": float("nan")}):
            with pytest.raises(LedgerError, match="must be > 0"):
                Retention(writer, upkeep, **wrong)
        add(writer, 0)
        with pytest.raises(LedgerError, match="control totals"):
            Retention(writer, upkeep, keep_s=1.0).retain(10.0)


def test_a_follower_and_an_open_ledger_go_on_while_parts_are_merged_and_dropped(
    tmp_path, clock, monkeypatch
):
    monkeypatch.setattr(follow, "LOOK_EVERY_S", 0.0)
    with LedgerWriter(tmp_path, META) as writer:
        upkeep = Upkeep(writer, LIMITS, clock)
        retention = Retention(writer, upkeep, keep_s=8.0)
        follower = None
        for t in range(26):
            add(writer, t)
            follower = follower or Follower(tmp_path)
            held = follower.state().ledger
            clock.now_s += 1.0
            upkeep.sweep()
            retention.retain(t + 1.0)
            upkeep.merge()
            sums = "SELECT sum(energy_j) FROM energy WHERE t0_s >= 18"
            whole = sum(range(18, t + 1)) or None
            assert held.query(sums)[0][0].as_py() == whole
            assert reopen(held).query(sums)[0][0].as_py() == whole
            state = follower.state()
            assert (state.problem, state.extent[1]) == (None, t + 1.0)


def test_a_part_that_goes_between_listing_and_reading_is_looked_for_anew(tmp_path, monkeypatch):
    with LedgerWriter(tmp_path, META) as writer:
        for t in range(3):
            add(writer, t)
        real, left = parts.list_parts, [2]

        def going(ledger, table):
            found = real(ledger, table)
            if table == "energy" and left[0]:
                left[0] -= 1
                found[0].unlink()
            return found

        monkeypatch.setattr(parts, "list_parts", going)
        assert open_ledger(tmp_path).rows()["energy"] == 1


@pytest.mark.parametrize("good", range(6))
def test_a_disk_that_refuses_a_merge_leaves_the_parts(tmp_path, clock, monkeypatch, good):
    with LedgerWriter(tmp_path, META) as writer:
        for t in range(3):
            add(writer, t)
        before = open_ledger(tmp_path)
        left, real = [good], os.fsync

        def failing(handle):
            if left[0] == 0:
                raise OSError(28, "No space left on device")
            left[0] -= 1
            real(handle)

        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(LedgerError, match="No space"):
            Upkeep(writer, LIMITS, clock).merge()
        monkeypatch.undo()
        assert values(tmp_path) == [0.0, 1.0, 2.0]
        assert parts.list_stale(tmp_path) == []
        Upkeep(writer, LIMITS, clock).merge()
        assert before.rows()["work"] == open_ledger(tmp_path).rows()["work"]
    assert same_rows(open_ledger(tmp_path), open_ledger(tmp_path))
