"""Commands that simulate: what a newcomer types first, and what the results promise."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine_worlds import small
from tree6g.cli import app

RUN_KEYS = {
    "scenario", "seed", "tree_beq_per_j", "ee_bit_per_j", "energy_j", "utility_beq", "tok_per_j",
    "conservation_error_frac", "requests", "services", "boundary", "attribution_rule", "idle_rule",
    "coverage_frac", "u95_frac", "ee_ran_bit_per_j", "requests_per_user_hour", "run_info",
}  # fmt: skip
SERVICE_KEYS = {
    "name", "kind", "bit_share_frac", "energy_share_frac", "utility_share_frac",
    "served_share_frac", "asymmetry", "tree_beq_per_j",
}  # fmt: skip
SHORT = ("--set", "duration=5 min")


def call(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def call_json(*words, code=0):
    def refuse(word):
        raise AssertionError(f"{word} in JSON")

    return json.loads(call(*words, "--json", code=code).stdout, parse_constant=refuse)


def digest(folder: Path) -> dict[str, str]:
    """Hash of every file of a ledger, its time of writing left out."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if path.name == "meta.json":
            meta = json.loads(content)
            meta.pop("created", None)
            content = json.dumps(meta, sort_keys=True).encode()
        found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_run_prints_tree_and_ee_per_service_and_where_the_report_is():
    shown = call("run", "street-corner", *SHORT).stdout
    assert "TREE" in shown
    assert "EE" in shown
    page = Path(shown.rpartition("Report: ")[2].strip())
    assert page.is_file()
    assert "http://" not in page.read_text("utf-8").replace("http://www.w3.org", "")


def test_run_prints_all_promised_keys_and_conserves_energy():
    found = call_json("run", "street-corner", *SHORT)
    assert set(found) >= RUN_KEYS
    assert all(set(service) >= SERVICE_KEYS for service in found["services"])
    assert set(found["requests"]) == {"arrived", "served", "on_time", "lost"}
    assert set(found["run_info"]) == {"wall_s", "cpu_s", "peak_rss_byte", "ledger", "report"}
    assert found["conservation_error_frac"] <= 1e-9
    assert call_json("check", found["run_info"]["ledger"])["problems"] == []
    shares = [service["energy_share_frac"] for service in found["services"]]
    assert math.isclose(sum(shares), 1.0, rel_tol=1e-9)


def test_same_seed_gives_the_same_json_and_the_same_ledger():
    first = call_json("run", "street-corner", *SHORT, "--no-report", "--out", "a")
    second = call_json("run", "street-corner", *SHORT, "--no-report", "--out", "b")
    other = call_json("run", "street-corner", *SHORT, "--no-report", "--out", "c", "--seed", "9")
    infos = [result.pop("run_info") for result in (first, second, other)]
    assert first == second
    assert digest(Path(infos[0]["ledger"])) == digest(Path(infos[1]["ledger"]))
    assert other["tree_beq_per_j"] != first["tree_beq_per_j"]


def test_running_twice_into_the_same_folder_replaces_the_ledger():
    first = call_json("run", "street-corner", *SHORT, "--no-report")
    second = call_json("run", "street-corner", *SHORT, "--no-report")
    assert first["run_info"]["ledger"] == second["run_info"]["ledger"]
    assert first["energy_j"] == second["energy_j"]


def test_report_of_a_run_is_the_figure_of_the_run():
    run = call_json("run", "street-corner", *SHORT, "--no-report", "--out", "corner")
    report = call_json("report", "corner")
    assert report["tree_beq_per_j"] == run["tree_beq_per_j"]
    assert Path(report["run_info"]["report"]) == Path("corner/report.html")


@pytest.mark.slow
def test_a_city_trace_at_one_corner_is_accounted_for_request_by_request(reference_data):
    trace = reference_data / "traces" / "azure_llm_2023_conv.csv"
    found = call_json("run", "street-corner", "--trace", trace, "--no-report")
    requests = found["requests"]
    assert requests["arrived"] == 19_366
    assert requests["served"] + requests["lost"] == 19_366
    assert found["conservation_error_frac"] <= 1e-9
    assert found["requests_per_user_hour"] > 10


@pytest.mark.slow
def test_two_allocations_are_ranked_in_opposite_order_by_ee_and_tree():
    for name in ("gpu", "spectrum"):
        call("run", f"street-corner-{name}", "--no-report", "--out", name)
    found = call_json("compare", "gpu", "spectrum")
    assert found["same_service"]
    assert found["ee_order"] == ["spectrum", "gpu"]
    assert found["tree_order"] == ["gpu", "spectrum"]
    (turn,), (span,) = found["break_even"], found["opposite_order"]
    assert turn["winner_above"] == "gpu"
    assert span["from_bit_per_tok"] == turn["alpha_bit_per_tok"]
    assert 275 < turn["alpha_bit_per_tok"] < 960_000  # the range of today's prices
    for factor, order in ((1 - 1e-6, ["spectrum", "gpu"]), (1 + 1e-6, ["gpu", "spectrum"])):
        alpha = turn["alpha_bit_per_tok"] * factor
        again = call_json("compare", "gpu", "spectrum", "--alpha", f"city-query={alpha!r}")
        assert again["tree_order"] == order
        assert again["ee_order"] == ["spectrum", "gpu"]


@pytest.mark.slow
def test_study_says_in_which_cases_few_bits_go_with_much_energy():
    loads = "population.ai_requests_per_user_hour=1,60"
    found = call_json("compare", "hybrid-cell", "--over", loads, "--out", "study", *SHORT)
    assert len(found["cases"]) == 2 * 3 * 2
    for case in found["cases"]:
        few, much = case["bit_share_frac"] < 0.02, case["energy_share_frac"] > 0.3
        assert case["few_bits_much_energy"] == (few and much)
    cells = [c for c in found["cells"] if c["value"] == "1" and c["rule"] == "shapley"]
    own = [c["energy_share_frac"] for c in cells if c["idle"] == "spread"]
    assert math.isclose(sum(own), 1.0, rel_tol=1e-9)
    assert "Under 2" in Path("study/study.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("street-corner", "hybrid-cell", "--over", "seed=1,2"), "expected one scenario"),
        (("street-corner", "--over", "seed"), "expected one scenario"),
        (("street-corner", "--over", "seed=1,2", "--out", "x"), "ai_requests_per_user_hour"),
        (("street-corner", "--over", "sed=1,2"), "Did you mean 'seed'?"),
    ],
)
def test_study_that_cannot_be_is_refused(words, said):
    assert said in call("compare", *words, code=2).stderr


def test_study_of_another_value_prints_its_shares():
    words = ("street-corner", "--over", "seed=1,2", "--rules", "equal", "--idle-rules", "spread")
    shown = call("compare", *words, "--set", "duration=1 min").stdout
    assert shown.count("city-query") == 2


def test_trace_for_one_service_of_two(reference_data):
    trace = reference_data / "traces" / "sharegpt_300_lengths.csv"
    shown = call("run", "hybrid-cell", "--trace", f"nobody={trace}", "--no-report", code=2).stderr
    assert "nobody" in shown


@pytest.mark.parametrize(
    "kind", ["scenarios", "models", "accelerators", "profiles", "base-stations", "quantities"]
)
def test_list_names_every_row_with_its_source(kind):
    rows = call_json("list", kind)[kind]
    assert rows
    if kind != "scenarios":
        assert all(row["source"] and row["licence"] for row in rows)
    plain = call("list", kind).stdout
    assert str(next(iter(rows[0].values()))) in plain


def test_init_writes_a_commented_scenario_that_runs():
    call("init", "corner.yaml", "--from", "street-corner")
    text = Path("corner.yaml").read_text("utf-8")
    assert text.count("#") > 10
    assert "exists already" in call("init", "corner.yaml", code=2).stderr
    found = call_json("run", "corner.yaml", *SHORT, "--no-report")
    assert found["requests"]["arrived"] > 0


def test_trace_describe_and_convert(reference_data):
    trace = reference_data / "traces" / "azure_llm_2023_conv.csv"
    assert "19" in call("trace", "describe", trace).stdout
    assert call_json("trace", "convert", trace, "copy.csv")["requests"] == 19_366
    assert call_json("trace", "describe", "copy.csv")["requests"] == 19_366


def test_schema_is_a_json_schema():
    assert "$defs" in json.loads(call("schema").stdout)


def test_cite_names_the_rows_of_tables_that_a_run_used():
    call("run", "street-corner", *SHORT, "--no-report", "--out", "corner")
    named = {one["what"].partition("/")[0] for one in call_json("cite", "corner")["references"]}
    assert {"accelerators", "models", "base_stations", "token_classes"} <= named


def test_explain_of_a_run_ends_at_rows_with_source_and_licence():
    call("run", "street-corner", *SHORT, "--no-report", "--out", "corner")
    steps = call_json("explain", "tree_beq_per_j", "corner")["steps"]
    rows = [row for row in steps[-1]["rows"] if "/" in row["what"]]
    assert rows
    assert all(row["text"] and row["licence"] for row in rows)


def test_interrupted_run_ends_with_its_code_and_no_traceback():
    code = "from tree6g.cli import main; main()"
    words = [sys.executable, "-c", code, "run", "street-corner", "--set", "duration=12 h"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        time.sleep(2.5)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors


def test_a_run_without_requests_and_messages_says_nothing_of_its_load(tmp_path):
    night = {"kind": "ai", "name": "chat", "day_curve": [0] * 23 + [1]}
    plain = small(duration="10 s", drain="0 s", services=[night])
    file = tmp_path / "night.yaml"
    file.write_text(json.dumps(plain), encoding="utf-8")
    result = call("run", file, "--no-report", "--out", tmp_path / "out")
    assert "energy" in result.output
    assert "Load:" not in result.output
