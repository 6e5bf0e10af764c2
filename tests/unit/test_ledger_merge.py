"""Several ledgers made one, and fewer rows for the same joules."""

from __future__ import annotations

import dataclasses

import pytest

from ledger_rows import META, SERVICES, coverage, energy, entity, joules, request, work, write
from tree6g.errors import LedgerError
from tree6g.ledger.check import check
from tree6g.ledger.compact import coarsen
from tree6g.ledger.merge import merge


def meta(**changes):
    return dataclasses.replace(META, **changes)


def part(path, node="n", header=META, **columns):
    return write(path, header, energy=energy(node=node, **columns), entity=entity(node=node))


def test_joules_of_the_parts_add_up_and_control_totals_too(tmp_path):
    a = part(tmp_path / "a", "n", meta(control={"energy_j": {"n": 1 / 3}}), energy_j=1 / 3)
    b = part(tmp_path / "b", "m", meta(control={"energy_j": {"m": 0.1}}), energy_j=0.1)
    both = merge([a, b], tmp_path / "out")
    report = check(both)
    assert joules(both) == pytest.approx(1 / 3 + 0.1, rel=1e-15)
    assert report.conservation_error_frac == 0.0
    assert [p.rule for p in report.problems] == []
    assert [m["ledger"] for m in both.meta.merged] == ["a", "b"]


def test_clock_offsets_move_every_time_and_are_recorded(tmp_path):
    a = write(tmp_path / "a", energy=energy(), work=work(), request=request(arrival_s=0.5))
    b = part(tmp_path / "b", "m")
    both = merge([a, b], tmp_path / "out", clock_offsets_s=[100.0, 0])
    assert both.table("energy")["t0_s"].to_pylist() == [100.0, 0.0]
    assert both.table("energy")["t1_s"].to_pylist() == [101.0, 1.0]
    assert both.table("work")["t0_s"].to_pylist() == [100.0]
    assert both.table("request")["arrival_s"].to_pylist() == [100.5]
    assert both.table("coverage")["t1_s"].to_pylist() == [110.0, 110.0, 10.0, 10.0]
    assert [m["clock_offset_s"] for m in both.meta.merged] == [100.0, 0.0]


def test_a_ledger_merged_with_itself_is_refused_though_the_source_is_one(tmp_path):
    a = part(tmp_path / "a")
    with pytest.raises(LedgerError, match=r"ledger 1 \(a\)' and 'ledger 2 \(a\)"):
        merge([a, a], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    moved = merge([a, a], tmp_path / "out", clock_offsets_s=[0.0, 1.0])
    assert joules(moved) == 2.0


def test_different_zeros_of_time_need_stated_offsets(tmp_path):
    a = part(tmp_path / "a", header=meta(t_zero="2026-01-01T00:00:00Z"))
    b = part(tmp_path / "b", "m", header=meta(t_zero="2026-01-02T00:00:00Z"))
    with pytest.raises(LedgerError, match="State clock_offsets_s"):
        merge([a, b], tmp_path / "out")
    both = merge([a, b], tmp_path / "out", clock_offsets_s=[0.0, 86400.0])
    assert both.meta.t_zero == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("offsets", [[0.0], [0.0, float("nan")]])
def test_offsets_must_be_finite_and_one_per_ledger(tmp_path, offsets):
    parts = [part(tmp_path / "a"), part(tmp_path / "b", "m")]
    with pytest.raises(LedgerError, match="expected 2 finite clock offsets"):
        merge(parts, tmp_path / "out", clock_offsets_s=offsets)


def test_nothing_to_merge_is_an_error(tmp_path):
    with pytest.raises(LedgerError, match="at least one"):
        merge([], tmp_path / "out")


CONFLICTS = [
    ({"services": {**SERVICES, "chat": {"kind": "data"}}}, "service 'chat' is defined as kind"),
    ({"sources": {"model": "other"}}, "source 'model'"),
    ({"boundary": "full"}, "one 'boundary'"),
    ({"attribution_interval_s": 1.0}, "one 'attribution_interval_s'"),
    ({"phase_weights": ({"kind": "token_in", "weight": 2.0},)}, "names no node"),
]


@pytest.mark.parametrize(("change", "says"), CONFLICTS)
def test_headers_of_different_meaning_are_refused(tmp_path, change, says):
    parts = [part(tmp_path / "a"), part(tmp_path / "b", "m", meta(**change))]
    with pytest.raises(LedgerError, match=says):
        merge(parts, tmp_path / "out")


def test_phase_weights_of_named_nodes_are_kept_and_conflicts_refused(tmp_path):
    def weighted(name, node, weight):
        row = {"kind": "token_in", "node": "x", "weight": weight}
        return part(tmp_path / name, node, meta(phase_weights=(row,)))

    a, b, c = weighted("a", "n", 1.0), weighted("b", "m", 1.0), weighted("c", "m", 2.0)
    assert len(merge([a, b], tmp_path / "ab").meta.phase_weights) == 1
    with pytest.raises(LedgerError, match="phase weights conflict"):
        merge([a, c], tmp_path / "ac")


def test_a_node_defined_twice_alike_stands_once_and_otherwise_is_refused(tmp_path):
    a = write(tmp_path / "a", energy=energy())
    b = write(tmp_path / "b", energy=energy(t0_s=1.0, t1_s=2.0))
    assert merge([a, b], tmp_path / "ab").rows()["entity"] == 1
    c = write(tmp_path / "c", energy=energy(t0_s=1.0, t1_s=2.0), entity=entity(boundaries="full"))
    with pytest.raises(LedgerError, match="node 'n' is defined as boundaries 'operator full'"):
        merge([a, c], tmp_path / "ac")
    assert not (tmp_path / "ac").exists()


def test_a_node_without_control_total_in_one_part_has_none_in_the_whole(tmp_path):
    a = part(tmp_path / "a", "n", meta(control={"energy_j": {"n": 1.0}}))
    b = part(tmp_path / "b", "n", t0_s=1.0, t1_s=2.0)
    assert merge([a, b], tmp_path / "out").meta.control == {}


def steps(count, step_s=1.0):
    return {
        "t0_s": [i * step_s for i in range(count)],
        "t1_s": [(i + 1) * step_s for i in range(count)],
    }


def averaging(interval_s, family="log"):
    profile = {"curve": {"family": family}, "interval_s": interval_s}
    return meta(services={"chat": {"kind": "ai", "profile": profile}})


def test_coarsening_keeps_joules_work_and_session_seconds(tmp_path):
    ledger = write(
        tmp_path / "l",
        averaging(4.0),
        energy=energy(**steps(10), energy_j=[0.1 * i for i in range(10)]),
        work=work(**steps(10), sessions=[float(i) for i in range(10)], demand=2.0),
    )
    coarse = coarsen(ledger, tmp_path / "out", interval_s=4.0)
    assert coarse.table("energy")["t0_s"].to_pylist() == [0.0, 4.0, 8.0]
    assert joules(coarse) == pytest.approx(4.5, rel=1e-12)
    rows = coarse.table("work").to_pylist()
    assert [r["sessions"] for r in rows] == [1.5, 5.5, 8.5]
    assert [r["demand"] for r in rows] == [8.0, 8.0, 4.0]
    assert coarse.table("coverage").equals(ledger.table("coverage"))
    assert "merged up to 4 s" in coarse.meta.notes[-1]
    assert check(coarse).problems == ()


def test_gaps_states_and_rows_over_an_edge_stay_apart(tmp_path):
    ledger = write(
        tmp_path / "l",
        energy=energy(
            t0_s=[0.0, 2.0, 3.0, 0.0, 9.0],
            t1_s=[1.0, 3.0, 4.0, 1.0, 11.0],
            state=["idle", "idle", "idle", "active", "idle"],
        ),
    )
    rows = coarsen(ledger, tmp_path / "out", interval_s=10.0).table("energy").to_pylist()
    assert [(r["t0_s"], r["t1_s"], r["state"]) for r in rows] == [
        (0.0, 1.0, "active"),
        (0.0, 1.0, "idle"),
        (2.0, 4.0, "idle"),
        (9.0, 11.0, "idle"),
    ]


def test_uncertainties_of_one_source_add_and_unknown_ones_stay_unknown(tmp_path):
    ledger = write(
        tmp_path / "l",
        energy=energy(**steps(4), energy_j=[1.0, 3.0, 1.0, 1.0], u95_frac=[0.1, 0.2, None, None]),
    )
    rows = coarsen(ledger, tmp_path / "out", interval_s=10.0).table("energy").to_pylist()
    assert [r["u95_frac"] for r in rows] == [pytest.approx(0.175), None]


@pytest.mark.parametrize(("limit_s", "interval_s"), [(1.0, 2.0), (4.0, 3.0)])
def test_rows_may_not_outgrow_the_averaging_of_a_utility_that_is_not_linear(
    tmp_path, limit_s, interval_s
):
    ledger = write(tmp_path / "l", averaging(limit_s), work=work())
    with pytest.raises(LedgerError, match="averaging interval of service 'chat'"):
        coarsen(ledger, tmp_path / "out", interval_s=interval_s)


def test_linear_utilities_may_be_coarsened_beyond_and_the_grid_follows(tmp_path):
    ledger = write(tmp_path / "l", averaging(1.0, "linear"), energy=energy(**steps(10)))
    coarse = coarsen(ledger, tmp_path / "out", interval_s=600.0)
    assert coarse.rows()["energy"] == 1
    assert coarse.meta.attribution_interval_s == 600.0


@pytest.mark.parametrize("interval_s", [0.0, -1.0, float("nan"), 7.0])
def test_an_interval_that_fits_no_grid_is_refused(tmp_path, interval_s):
    with pytest.raises(LedgerError, match="interval_s must"):
        coarsen(write(tmp_path / "l"), tmp_path / "out", interval_s=interval_s)


def test_coverage_of_two_parts_is_kept(tmp_path):
    a = part(tmp_path / "a")
    b = write(
        tmp_path / "b", energy=energy(node="m", source="meter"), entity=entity(node="m"),
        coverage=coverage(source="meter"),
    )  # fmt: skip
    meta_b = merge([a, b], tmp_path / "out")
    assert meta_b.rows()["coverage"] == 4
