"""Key figures of the radio access network: what they sum to, and why they are absent."""

from __future__ import annotations

import json

import pytest

import ledgers
from engine_worlds import small
from tree6g.engine.run import run
from tree6g.errors import LedgerError
from tree6g.ledger.interchange import from_csv, to_csv
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.delay import delay_of, delays_of
from tree6g.metric.figure import Query
from tree6g.metric.histogram import jain, percentile
from tree6g.metric.kpi import kpis
from tree6g.metric.kpi_figure import STANDARD_NAMES
from tree6g.metric.tree import figure

CELL = {"node": "cell", "tier": "ran", "component": "radio_unit"}


@pytest.fixture(scope="module")
def corner(tmp_path_factory):
    plain = small()
    plain["services"][1] |= {"slice": "3-miot", "qos": 9}
    plain["services"][2] |= {"slice": "1-embb", "qos": 8}
    return run(plain, out=tmp_path_factory.mktemp("corner")).ledger


def _bits(ledger, kinds):
    text = f"SELECT sum(amount) AS n FROM work WHERE kind IN ({kinds})"
    return ledger.query(text).to_pylist()[0]["n"]


def test_ee_ran_is_all_delivered_bits_over_the_energy_of_the_access_network(corner):
    found = kpis(corner)
    text = "SELECT sum(energy_j) AS n FROM energy WHERE node = 'a.cell'"
    energy_j = corner.query(text).to_pylist()[0]["n"]
    volume_bit = _bits(corner, "'bit_ul', 'bit_dl'")
    assert found.energy_ran_j == pytest.approx(energy_j, rel=1e-12)
    assert found.ee_ran_bit_per_j == pytest.approx(volume_bit / energy_j, rel=1e-12)


def test_without_late_bits_it_is_the_figure_of_boundary_ran(corner):
    own = figure(corner, Query(boundary="ran")).ee_ran_bit_per_j
    assert kpis(corner).ee_ran_on_time_bit_per_j == pytest.approx(own, rel=1e-9)


def test_energy_of_flows_and_what_nobody_used_is_the_energy_of_the_network(corner):
    found = kpis(corner)
    parts = sum(flow.energy_ran_j for flow in found.flows) + found.unattributed_j
    assert parts == pytest.approx(found.energy_ran_j, rel=1e-12)
    shares = [flow.prb_dl_frac for flow in found.flows]
    assert sum(shares) == pytest.approx(found.prb_dl_frac, rel=1e-12)
    assert {flow.name: flow.qos for flow in found.flows}["files"] == 8
    assert [s.services for s in found.slices] == [("files",), ("meters",)]
    assert found.slices[0].energy_j == pytest.approx(
        next(f.energy_j for f in found.flows if f.name == "files")
    )


def test_windows_tile_the_whole(corner):
    whole = kpis(corner)
    halves = [kpis(corner, Query(t0_s=a, t1_s=a + 47.0)) for a in (0.0, 47.0)]
    for field in ("energy_ran_j", "bits_dl_bit", "bits_ul_bit", "covered_s"):
        total = sum(getattr(half, field) for half in halves)
        assert total == pytest.approx(getattr(whole, field), rel=1e-9)
    total = sum(half.flows[1].packet.count for half in halves)
    assert total == pytest.approx(whole.flows[1].packet.count)


def test_a_measured_ledger_gives_the_same(corner, tmp_path):
    to_csv(corner, tmp_path / "csv")
    meta = json.loads((tmp_path / "csv" / "meta.json").read_text("utf-8"))
    meta |= {"scenario": None, "scenario_hash": None, "producer": "a meter"}
    (tmp_path / "csv" / "meta.json").write_text(json.dumps(meta), "utf-8")
    for table in ("energy", "work"):
        file = tmp_path / "csv" / f"{table}.csv"
        file.write_text(file.read_text("utf-8").replace("modelled", "measured"), "utf-8")
    assert kpis(from_csv(tmp_path / "csv", tmp_path / "in")) == kpis(corner)


def test_every_field_that_a_standard_names_is_there(corner):
    found = kpis(corner).to_dict()
    flow = found["flows"][0]
    cell = found["cells"][0]
    assert set(STANDARD_NAMES) <= {*found, *flow, *cell}
    json.dumps(found, allow_nan=False)


def _cell_ledger(path, **parts):
    work = [{**ledgers.WORK, **CELL, "service": "up", "kind": "bit_ul", "amount": 1e6}]
    work[0].pop("component")
    energy = [{**CELL, "energy_j": 10.0}]
    usual = {"services": {"up": ledgers.data()}, "energy": energy, "work": work}
    return ledgers.ledger(path, **usual | parts)


def test_what_a_ledger_does_not_know_is_absent_with_its_reason(tmp_path):
    found = kpis(_cell_ledger(tmp_path / "l"))
    assert found.ee_ran_bit_per_j == pytest.approx(1e5)
    assert found.prb_dl_frac is None
    assert "table prb" in found.reasons["prb_dl_frac"]
    assert "tier core" in found.reasons["energy_upf_j"]
    assert found.slices == ()
    flow = found.flows[0]
    assert flow.packet.mean_s is None
    assert "no histogram of its packet delay" in flow.packet.reasons["mean_s"]
    assert "no answered request" in flow.ttft.reasons["p95_s"]
    assert flow.throughput_ul.jain is None
    assert "no histogram" in flow.throughput_ul.reasons["jain"]
    assert flow.energy_j == pytest.approx(10.0)


def test_without_an_access_network_nothing_is_known(tmp_path):
    nobody = {"node": "x", "tier": "edge", "site": None, "boundaries": "operator full"}
    found = kpis(_cell_ledger(tmp_path / "l", entity=[nobody | {"node": "cell"}]))
    assert found.ee_ran_bit_per_j is None
    assert "no node of the ledger is inside boundary ran" in found.reasons["ee_ran_bit_per_j"]
    assert found.cells == ()


def test_without_coverage_no_energy_is_known(tmp_path):
    found = kpis(_cell_ledger(tmp_path / "l", coverage=[]))
    assert found.energy_ran_j is None
    assert "no time is covered" in found.reasons["energy_ran_j"]
    assert "no time is covered" in found.flows[0].reasons["energy_j"]


def test_only_covered_time_counts(tmp_path):
    span = {"source": "model", "status": "ok", "node": None, "reason": None}
    coverage = [
        span | {"t0_s": 0.0, "t1_s": 1.0, "quantity": "work"},
        span | {"t0_s": 0.5, "t1_s": 1.0, "quantity": "energy"},
    ]
    found = kpis(_cell_ledger(tmp_path / "l", coverage=coverage))
    assert found.covered_s == pytest.approx(0.5)
    assert found.energy_ran_j == pytest.approx(5.0)
    assert found.bits_ul_bit == pytest.approx(5e5)
    assert found.cells[0].power_w == pytest.approx(10.0)


def test_a_core_whose_time_is_not_stated_leaves_the_flows_with_their_gnbs(tmp_path):
    upf = {"node": "upf", "tier": "core", "component": "host", "energy_j": 7.0, "source": "other"}
    energy = [{**CELL, "energy_j": 10.0}, upf]
    entity = [
        {"node": "cell", "tier": "ran", "site": "s", "boundaries": "ran network operator full"},
        {"node": "upf", "tier": "core", "site": "h", "boundaries": "network operator full"},
    ]
    span = {"t0_s": 0.0, "t1_s": 1.0, "status": "ok", "node": None, "reason": None}
    stated = [span | {"source": "model", "quantity": q} for q in ("energy", "work")]
    path = tmp_path / "l"
    found = kpis(_cell_ledger(path, energy=energy, entity=entity, coverage=stated))
    assert found.energy_upf_j is None
    assert "does not state what time" in found.reasons["energy_upf_j"]
    assert found.flows[0].energy_j == pytest.approx(10.0)


def test_use_that_is_not_told_apart_is_known_for_the_cell_alone(tmp_path):
    ledger = _cell_ledger(tmp_path / "l")
    with LedgerWriter(ledger.path, ledger.meta) as writer:
        span = {"t0_s": 0.0, "t1_s": 1.0, "node": "cell"}
        writer.append("prb", span | {"kind": "ul", "used_s": 0.1, "available_s": 0.25})
    found = kpis(open_ledger(ledger.path))
    assert found.prb_ul_frac == pytest.approx(0.4)
    assert found.flows[0].prb_ul_frac is None
    assert "not told apart" in found.flows[0].reasons["prb_ul_frac"]


def test_requests_come_before_histograms(corner):
    found = delays_of(corner, (0.0, 90.0))
    text = "SELECT avg(ttft_s) AS m, quantile_cont(ttft_s, 0.95) AS p FROM request"
    own = corner.query(text).to_pylist()[0]
    assert found["chat", "ttft"].origin == "requests"
    assert found["chat", "ttft"].mean_s == pytest.approx(own["m"])
    assert found["chat", "ttft"].p95_s == pytest.approx(own["p"])
    assert delay_of(found, "files", "tpot").reasons["mean_s"] == "the ledger does not know it"


def test_percentiles_and_fairness_of_edge_cases():
    assert percentile([], 0.5) is None
    assert percentile([(1.0, 1.0), (float("inf"), 9.0)], 0.95) is None
    assert percentile([(1.0, 1 / 3), (2.0, 1 / 3), (3.0, 1 / 3)], 1.0) == 3.0
    assert jain([]) is None
    assert jain([(0.0, 5.0)]) is None
    assert jain([(1e300, 2.0)]) == pytest.approx(1.0)


def test_rows_that_are_no_numbers_are_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    ledger = _cell_ledger(tmp_path / "l")
    with LedgerWriter(ledger.path, ledger.meta) as writer:
        span = {"t0_s": 0.0, "t1_s": 1.0, "node": "cell", "service": "up"}
        writer.append("latency", span | {"kind": "packet_ul", "le_s": 0.1, "count": 1.0})
    part = next((ledger.path / "latency").glob("*.parquet"))
    rows = pq.read_table(part)
    at = rows.column_names.index("count")
    pq.write_table(rows.set_column(at, "count", pa.array([float("nan")])), part)
    with pytest.raises(LedgerError, match="finite numbers and names in table 'latency'"):
        kpis(open_ledger(ledger.path))
