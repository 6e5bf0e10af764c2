"""What the engine counts beside bits and joules, and how well its bins hold it."""

from __future__ import annotations

import numpy as np
import pytest

from engine_worlds import hexagon, small
from tree6g.engine.airtime import messages
from tree6g.engine.counters import BINS_PER_DECADE, Counters, Flow, bin_of, edge_of
from tree6g.engine.run import run
from tree6g.metric.histogram import percentile
from tree6g.radio import busy

WIDTH = 10.0 ** (1.0 / BINS_PER_DECADE)


def _see(flow, terminal, ready_s, end_s, latency_s=0.0, cell=0):
    end_s = np.asarray(end_s, float)
    sent = messages(np.asarray(ready_s, float), 1000.0, terminal)
    flow.see(np.full(len(sent), cell), sent, end_s, end_s + latency_s)


def _union_s(spans):
    total, until = 0.0, -np.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _rows(result, sql):
    return result.ledger.query(sql).to_pylist()


def test_an_edge_is_less_than_three_per_cent_above_what_is_in_its_bin():
    value = 10.0 ** np.random.default_rng(1).uniform(-6.0, 12.0, 5_000)
    edge = np.array([edge_of(n) for n in bin_of(value).tolist()])
    assert (edge >= value * (1.0 - 1e-12)).all()
    assert (edge < value * WIDTH * (1.0 + 1e-12)).all()
    assert WIDTH < 1.03


def test_percentiles_of_the_bins_err_by_less_than_three_per_cent():
    delay_s = np.random.default_rng(2).lognormal(-3.0, 1.2, 40_000)
    flow = Flow()
    _see(flow, np.zeros(len(delay_s), int), np.zeros(len(delay_s)), delay_s, 0.0)
    flow.fold()
    _, numbers, (counts, sums) = flow.delay.rows()
    buckets = [(edge_of(n), count) for n, count in zip(numbers, counts, strict=True)]
    for frac in (0.05, 0.5, 0.95, 0.99):
        exact = np.quantile(delay_s, frac, method="inverted_cdf")
        found = percentile(buckets, frac)
        assert exact <= found < 1.03 * exact
    assert sums.sum() == pytest.approx(delay_s.sum())


def test_the_time_of_a_terminal_is_the_union_of_its_messages():
    rng = np.random.default_rng(3)
    terminal = rng.integers(0, 6, 300)
    ready_s = rng.uniform(0.0, 50.0, 300)
    end_s = ready_s + rng.exponential(2.0, 300)
    busy_s = busy.union_s(terminal, ready_s, end_s, np.full(6, -np.inf))
    looped_s, until_s = np.empty(300), np.full(6, -np.inf)
    order, place = np.zeros(300, dtype=int), np.zeros(7, dtype=int)
    busy.add_busy(terminal, ready_s, end_s, until_s, place, order, looped_s)
    assert looped_s.tolist() == busy_s.tolist()
    for t in range(6):
        assert until_s[t] == end_s[terminal == t].max()
        mine = terminal == t
        spans = zip(ready_s[mine].tolist(), end_s[mine].tolist(), strict=True)
        assert busy_s[mine].sum() == pytest.approx(_union_s(spans), rel=1e-12)


def test_the_time_before_the_last_interval_ended_is_not_counted_again():
    flow = Flow()
    _see(flow, [0], [0.0], [4.0], 0.0)
    flow.fold()
    flow.users()
    _see(flow, [0, 1], [3.0, 3.0], [6.0, 6.0], 0.0)
    flow.fold()
    assert flow.time_s.tolist() == [[2.0, 3.0]]


def test_a_terminal_that_is_handed_over_counts_at_both_cells():
    flow = Flow()
    _see(flow, [0, 2], [0.0, 0.0], [4.0, 5.0])
    _see(flow, [2], [3.0], [6.0], cell=1)
    flow.fold()
    assert flow.time_s.tolist() == [[4.0, 0.0, 5.0], [0.0, 0.0, 3.0]]
    cells, numbers, _ = flow.users().rows()
    rates = [(0, 250.0), (0, 200.0), (1, 1e3 / 3.0)]
    found = set(zip(cells.tolist(), numbers.tolist(), strict=True))
    assert found == {(cell, int(bin_of(np.array(rate)))) for cell, rate in rates}


def test_many_messages_go_into_bins_before_the_interval_ends(monkeypatch):
    monkeypatch.setattr("tree6g.engine.counters.BUFFERED", 10)
    flow = Flow()
    for step in range(5):
        _see(flow, [step, step, step], [0.0] * 3, [1.0, 2.0, 3.0], 0.001)
    assert flow.buffered < 10
    flow.fold()
    assert flow.delay.table[0].sum() == 15


def test_a_carrier_is_never_used_for_longer_than_it_is_there():
    counters = Counters()
    counters.use("n", "bit_dl", 1.0 + 1e-15, 1.0)
    assert counters.carrier["n", "bit_dl"] == [1.0, 1.0]


@pytest.fixture(scope="module")
def corner(tmp_path_factory):
    return run(small(), out=tmp_path_factory.mktemp("corner"))


def test_every_delivered_message_has_a_delay_and_every_bit_a_throughput(corner):
    counted = {
        (r["service"], r["kind"]): r["n"]
        for r in _rows(
            corner, "SELECT service, kind, sum(count) AS n FROM latency GROUP BY service, kind"
        )
    }
    volume = {
        (r["service"], f"bit_{r['kind']}"): r["n"]
        for r in _rows(
            corner,
            "SELECT service, kind, sum(volume_bit) AS n FROM throughput GROUP BY service, kind",
        )
    }
    bits = {
        (r["service"], r["kind"]): r["n"]
        for r in _rows(
            corner,
            "SELECT service, kind, sum(amount) AS n FROM work"
            " WHERE kind IN ('bit_ul', 'bit_dl') GROUP BY service, kind",
        )
    }
    assert volume == pytest.approx(bits, rel=1e-9)
    assert counted["meters", "packet_ul"] == pytest.approx(bits["meters", "bit_ul"] / 16e3)
    assert counted["files", "packet_dl"] == pytest.approx(bits["files", "bit_dl"] / 24e6)
    assert counted["chat", "packet_ul"] >= corner.requests.served


def test_late_bits_are_those_of_delays_beyond_the_budget(corner):
    late = sum(r["n"] for r in _rows(corner, "SELECT amount AS n FROM work WHERE kind='bit_late'"))
    beyond = _rows(
        corner,
        "SELECT sum(count) FILTER (le_s > 0.05 * 1.03) AS sure, sum(count) FILTER (le_s > 0.05)"
        " AS possible FROM latency WHERE service = 'meters' AND kind = 'packet_ul'",
    )[0]
    assert (beyond["sure"] or 0.0) <= late / 16e3 <= (beyond["possible"] or 0.0)


def test_use_of_carriers_is_the_demand_of_the_services(corner):
    used = _rows(
        corner,
        "SELECT 'bit_' || kind AS kind, sum(used_s) AS used, sum(available_s) AS there,"
        " max(t1_s) AS end_s FROM prb GROUP BY kind",
    )
    demand = {
        r["kind"]: r["n"]
        for r in _rows(
            corner,
            "SELECT kind, sum(demand) AS n FROM work WHERE demand_unit = 's' GROUP BY kind",
        )
    }
    share = {"bit_dl": 0.75, "bit_ul": 0.25}
    for row in used:
        assert row["used"] == pytest.approx(demand[row["kind"]], rel=1e-9)
        assert row["there"] == pytest.approx(share[row["kind"]] * row["end_s"], rel=1e-9)


def test_cells_that_disturb_one_another_count_as_well(tmp_path):
    result = run(hexagon(), out=tmp_path)
    text = "SELECT count(DISTINCT node) AS n, bool_and(used_s <= available_s) AS fits FROM prb"
    assert _rows(result, text) == [{"n": 21, "fits": True}]
    text = (
        "SELECT p.kind, sum(p.used_s) AS used, any_value(w.n) AS demand FROM prb p JOIN"
        " (SELECT kind, sum(demand) AS n FROM work WHERE demand_unit = 's' GROUP BY kind) w"
        " ON w.kind = 'bit_' || p.kind GROUP BY p.kind"
    )
    for row in _rows(result, text):
        assert row["used"] == pytest.approx(row["demand"], rel=1e-9)
