"""Histograms and carrier time in the ledger: they merge, coarsen and travel like other rows."""

from __future__ import annotations

import math

import pytest

from ledger_rows import entity, same_rows, write
from tree6g.errors import LedgerError
from tree6g.ledger.check import check
from tree6g.ledger.compact import coarsen
from tree6g.ledger.interchange import from_csv, from_parquet, to_csv, to_parquet
from tree6g.ledger.merge import merge
from tree6g.metric.delay import delays_of
from tree6g.metric.kpi import kpis


def delays(**columns):
    """Columns of rows of waiting times."""
    return {
        "t0_s": 0.0, "t1_s": 1.0, "node": "n", "service": "upload", "kind": "packet_ul",
        "le_s": 0.1, "count": 4.0, "sum_s": 0.3, **columns,
    }  # fmt: skip


def rates(**columns):
    """Columns of rows of throughput."""
    return {
        "t0_s": 0.0, "t1_s": 1.0, "node": "n", "service": "upload", "kind": "ul", "le_bps": 1e6,
        "count": 2.0, "volume_bit": 1e6, "time_s": 1.5, **columns,
    }  # fmt: skip


def carriers(**columns):
    """Columns of rows of carrier time."""
    return {
        "t0_s": 0.0, "t1_s": 1.0, "node": "n", "kind": "ul", "used_s": 0.1, "available_s": 0.25,
        **columns,
    }  # fmt: skip


MINUTES = {"t0_s": [0.0, 60.0, 120.0, 240.0], "t1_s": [60.0, 120.0, 180.0, 300.0]}


@pytest.fixture
def ledger(tmp_path):
    return write(
        tmp_path / "ledger",
        entity=entity(boundaries="ran operator full"),
        latency=delays(**MINUTES, le_s=[0.1, 0.2, 0.1, 0.1], sum_s=[0.3, 0.7, 0.3, None]),
        throughput=rates(**MINUTES, le_bps=[1e6, 2e6, 1e6, 1e6]),
        prb=carriers(
            **MINUTES, used_s=[0.1, 20.0, 30.0, 0.1], available_s=[15.0, 30.0, 30.0, 15.0]
        ),
    )


@pytest.mark.parametrize(("out", "back"), [(to_csv, from_csv), (to_parquet, from_parquet)])
def test_they_come_back_the_same(tmp_path, ledger, out, back):
    out(ledger, tmp_path / "files")
    assert same_rows(back(tmp_path / "files", tmp_path / "in"), ledger)


def test_a_sound_ledger_has_no_problems(ledger):
    assert check(ledger).problems == ()


def test_buckets_that_touch_become_one_histogram(tmp_path, ledger):
    coarse = coarsen(ledger, tmp_path / "coarse", interval_s=300.0)
    rows = coarse.query("SELECT t0_s, t1_s, le_s, count, sum_s FROM latency ORDER BY ALL")
    assert rows.to_pylist() == [
        {"t0_s": 0.0, "t1_s": 180.0, "le_s": 0.1, "count": 8.0, "sum_s": 0.6},
        {"t0_s": 0.0, "t1_s": 180.0, "le_s": 0.2, "count": 4.0, "sum_s": 0.7},
        {"t0_s": 240.0, "t1_s": 300.0, "le_s": 0.1, "count": 4.0, "sum_s": None},
    ]
    total = "SELECT sum(count) AS n, sum(volume_bit) AS v, sum(time_s) AS t FROM throughput"
    assert coarse.query(total).to_pylist() == ledger.query(total).to_pylist()
    assert coarse.rows()["throughput"] == 3
    rows = coarse.query("SELECT t0_s, t1_s, used_s, available_s FROM prb ORDER BY ALL").to_pylist()
    assert rows[0] == {"t0_s": 0.0, "t1_s": 180.0, "used_s": 50.1, "available_s": 75.0}
    assert check(coarse).problems == ()


def test_rows_that_reach_over_an_interval_and_unknown_sums_stay(tmp_path):
    ledger = write(
        tmp_path / "ledger",
        latency=delays(
            t0_s=[0.0, 5.0, 5.0], t1_s=[5.0, 10.0, 15.0], sum_s=[None, 0.3, 0.3], count=1.0
        ),
        throughput=rates(t0_s=[0.0, 5.0], t1_s=[5.0, 10.0], volume_bit=[None, 1.0]),
    )
    coarse = coarsen(ledger, tmp_path / "coarse", interval_s=10.0)
    rows = coarse.query("SELECT t0_s, t1_s, count, sum_s FROM latency ORDER BY ALL").to_pylist()
    assert rows == [
        {"t0_s": 0.0, "t1_s": 10.0, "count": 2.0, "sum_s": None},
        {"t0_s": 5.0, "t1_s": 15.0, "count": 1.0, "sum_s": 0.3},
    ]
    rows = coarse.query("SELECT count, volume_bit, time_s FROM throughput").to_pylist()
    assert rows == [{"count": 4.0, "volume_bit": None, "time_s": 3.0}]


def test_merged_ledgers_add_up_with_their_clocks_aligned(tmp_path, ledger):
    other = write(tmp_path / "other", entity=entity(boundaries="ran operator full"),
                  coverage={"t0_s": 0.0, "t1_s": 1.0, "source": "model", "quantity": "work",
                            "status": "ok"}, latency=delays())  # fmt: skip
    both = merge([ledger, other], tmp_path / "both", clock_offsets_s=[0.0, 1000.0])
    found = delays_of(both, (0.0, 2000.0))["upload", "packet"]
    assert found.count == 20.0
    assert delays_of(both, (1000.0, 1001.0))["upload", "packet"].mean_s == pytest.approx(0.3 / 4)


def test_a_window_takes_its_share_of_a_histogram(ledger):
    parts = [delays_of(ledger, (a, a + 45.0)) for a in (0.0, 45.0, 90.0, 135.0)]
    counts = [part["upload", "packet_ul"].count for part in parts]
    assert counts == pytest.approx([3.0, 3.0, 3.0, 3.0])
    assert parts[0]["upload", "packet_ul"].mean_s == pytest.approx(0.3 / 4)
    halves = [kpis_in(ledger, a, a + 90.0) for a in (0.0, 90.0)]
    assert math.fsum(h.throughput_ul.samples for h in halves) == pytest.approx(6.0)


def kpis_in(ledger, t0_s, t1_s):
    from tree6g.metric.figure import Query

    return kpis(ledger, Query(t0_s=t0_s, t1_s=t1_s))


@pytest.mark.parametrize(
    ("table", "columns", "said"),
    [
        ("prb", carriers(used_s=0.3), "used_s must be no more than available_s"),
        ("latency", delays(kind="packet"), "one of ttft, tpot, e2e, packet_dl, packet_ul"),
        ("latency", delays(count=-1.0), "count must be >= 0"),
        ("throughput", rates(kind="down"), "one of dl, ul"),
        ("throughput", rates(le_bps=float("inf")), "le_bps must be finite"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, table, columns, said):
    with pytest.raises(LedgerError, match=said):
        write(tmp_path / "ledger", **{table: columns})


def test_what_is_there_twice_or_of_nobody_is_a_problem(tmp_path):
    ledger = write(
        tmp_path / "ledger",
        latency=delays(count=[1.0, 1.0]),
        throughput=rates(service="nobody"),
        prb=carriers(node=["n", "nowhere"]),
    )
    found = {(p.table, p.rule) for p in check(ledger).problems}
    assert found == {("latency", "duplicate"), ("throughput", "unknown"), ("prb", "unknown")}
