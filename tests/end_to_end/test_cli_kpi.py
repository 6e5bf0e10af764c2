"""`tree6g kpi`, and the latency that `tree6g compare` puts beside TREE and EE."""

from __future__ import annotations

import json

import pytest
import yaml
from typer.testing import CliRunner

from engine_worlds import small
from tree6g.cli import app


def call(*words, code=0):
    """Standard output of a command."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A scenario file and the folder of its run."""
    folder = tmp_path_factory.mktemp("kpi")
    plain = small()
    plain["sites"][0]["base_station"] |= {
        "model": "tr38864-cat1-set1", "anchor_power": "280 W", "sleep": "light",
    }  # fmt: skip
    (folder / "net.yaml").write_text(yaml.safe_dump(plain), "utf-8")
    call("run", str(folder / "net.yaml"), "--out", str(folder / "run"))
    return folder


def test_kpi_prints_tables_that_people_read(network):
    shown = call("kpi", str(network / "run"))
    assert shown.isascii()
    assert "EE_MN,DV (ETSI ES 203 228)" in shown
    assert "RRU.PrbTotDl" in shown
    for head in ("The access network", "Cells", "QoS flows", "Throughput of users", "Delays"):
        assert f"{head}\n" in shown
    assert "no node of tier core" in shown


def test_kpi_prints_one_object_with_units_and_standard_names(network):
    found = json.loads(call("kpi", str(network / "run"), "--json"))
    assert found["ee_ran_bit_per_j"] > 0
    assert 0 < found["prb_dl_frac"] < 1
    flow = {f["name"]: f for f in found["flows"]}["meters"]
    assert flow["packet_ul"]["mean_s"] < flow["packet_ul"]["p95_s"]
    assert 0 < flow["throughput_ul"]["jain"] <= 1
    assert "kWh" in found["standard_names"]["energy_ran_j"]
    assert found["reasons"]["energy_upf_j"]


def test_every_key_of_the_key_figures_is_documented(network, repository):
    found = json.loads(call("kpi", str(network / "run"), "--json"))
    page = (repository / "docs" / "reference" / "results.md").read_text("utf-8")
    records = [found, *found["cells"], *found["flows"], *found["slices"]]
    records += [found["throughput_dl"], found["flows"][0]["ttft"]]
    keys = dict.fromkeys(key for record in records for key in record)
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_kpi_of_a_folder_that_is_no_ledger_says_so(tmp_path):
    shown = json.loads(call("kpi", str(tmp_path), "--json", code=2))
    assert shown["error"]["kind"] == "LedgerError"


def test_the_report_shows_the_radio_access_network(network):
    page = (network / "run" / "report.html").read_text("utf-8")
    assert "The radio access network by the standards" in page
    assert "DRB.PdcpSduVolumeDL" in page
    assert (network / "run" / "tables" / "kpi_flows.csv").exists()


def test_compare_puts_the_latency_paid_beside_tree_and_ee(network):
    scenario = network / "net.yaml"
    designs = [f"awake={scenario} sites.0.base_station.sleep=none", f"asleep={network / 'run'}"]
    out = network / "page"
    shown = call("compare", *designs, "--out", str(out))
    assert "mean over awake" in shown
    assert "packet on the air" in shown
    assert "Latency paid" in (out / "comparison.html").read_text("utf-8")
    assert (out / "tables" / "waits.csv").exists()
    found = json.loads(call("compare", *designs, "--json"))
    awake, asleep = ({s["name"]: s for s in d["services"]} for d in found["designs"])
    assert asleep["meters"]["packet_delay_mean_s"] > awake["meters"]["packet_delay_mean_s"]
    assert asleep["chat"]["ttft_mean_s"] > awake["chat"]["ttft_mean_s"]
    assert awake["meters"]["ttft_p95_s"] is None
    assert awake["meters"]["reasons"]["ttft_p95_s"] == "the service has no tokens"


def test_designs_without_delays_say_why(tmp_path, network):
    import shutil

    folder = tmp_path / "old"
    shutil.copytree(network / "run" / "ledger", folder)
    shutil.rmtree(folder / "latency")
    shown = call("compare", f"old={folder}", f"new={network / 'run'}")
    rows = [line.split() for line in shown.splitlines() if line.startswith("files")]
    assert rows[0][-3:] == ["-", "-", "-"]
    found = json.loads(call("compare", f"old={folder}", f"new={network / 'run'}", "--json"))
    files = next(s for s in found["designs"][0]["services"] if s["name"] == "files")
    assert files["packet_delay_mean_s"] is None
    assert "no histogram" in files["reasons"]["packet_delay_mean_s"]
