"""Commands that read a ledger, on the arithmetic case of the metric written by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tree6g.cli import app
from tree6g.ledger.meta import Meta
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.profile import Profile, data_profile, service_meta
from tree6g.metric.utility import Curve

SPAN = {"t0_s": 0.0, "t1_s": 1.0}
ROW = {**SPAN, "origin": "measured", "source": "meter"}


def write_case(folder: Path, *, token: float, sensor_bit: float, llm_bit: float, joule: float):
    """One second of METRIC's worked case: an LLM and sensors on a radio and a server."""
    profile = Profile(
        id="linear",
        curve=Curve(family="linear", alpha_bit_per_tok=1e4),
        unit="service",
        interval_s=1.0,
        k_in=0.0,
        source="check value",
    )
    services = {
        "llm": service_meta("ai", profile),
        "iot": service_meta("data", data_profile()),
    }
    control = {"energy_j": {"cell": 0.6 * joule, "server": 0.4 * joule}}
    meta = Meta(
        services=services, attribution_interval_s=1.0, control=control, sources={"meter": "by hand"}
    )
    with LedgerWriter(folder, meta) as writer:
        for node, tier in (("cell", "ran"), ("server", "edge")):
            inside = "ran network operator full" if tier == "ran" else "operator full"
            writer.append("entity", {"node": node, "tier": tier, "boundaries": inside, "site": "s"})
        for name, kind in (("llm", "ai"), ("iot", "data")):
            writer.append("service", {"service": name, "kind": kind})
        for quantity in ("energy", "work"):
            writer.append(
                "coverage", {**SPAN, "source": "meter", "quantity": quantity, "status": "ok"}
            )
        part = {"component": "radio_unit", "state": "active"}
        writer.append(
            "energy", {**ROW, "node": "cell", "tier": "ran", **part, "energy_j": 0.6 * joule}
        )
        part = {"component": "gpu", "state": "decode"}
        writer.append(
            "energy", {**ROW, "node": "server", "tier": "edge", **part, "energy_j": 0.4 * joule}
        )
        for service, amount in (("iot", sensor_bit), ("llm", llm_bit)):
            use = {"demand": amount, "demand_unit": "bit"}
            writer.append(
                "work",
                {**ROW, "node": "cell", "tier": "ran", "service": service, "kind": "bit_ul",
                 "amount": amount, **use},
            )  # fmt: skip
        writer.append(
            "work",
            {**ROW, "node": "server", "tier": "edge", "service": "llm", "kind": "token_out",
             "amount": token, "demand": token, "demand_unit": "tok", "sessions": 1.0},
        )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledgers")
    a = write_case(folder / "a", token=2000.0, sensor_bit=40e6, llm_bit=0.1e6, joule=800.0)
    b = write_case(folder / "b", token=4000.0, sensor_bit=30e6, llm_bit=0.2e6, joule=900.0)
    return a, b


def call(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def call_json(*words, code=0):
    return json.loads(call(*words, "--json", code=code).stdout)


def test_check_finds_nothing_in_a_sound_ledger(ledgers):
    found = call_json("check", ledgers[0])
    assert found["problems"] == []
    assert found["conservation_error_frac"] <= 1e-9
    assert found["unattributed_frac"] == 0
    assert found["rows"]["work"] == 3
    assert "no problems" in call("check", ledgers[0]).stdout


def test_check_exits_with_one_where_rows_are_missing(ledgers, tmp_path):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(ledgers[0], broken)
    meta = json.loads((broken / "meta.json").read_text())
    meta["control"]["energy_j"]["cell"] *= 2
    (broken / "meta.json").write_text(json.dumps(meta))
    found = call_json("check", broken, code=1)
    assert [problem["rule"] for problem in found["problems"]] == ["conservation"]


def test_report_prints_the_check_values_of_the_metric(ledgers, tmp_path):
    found = call_json("report", ledgers[0], "--out", tmp_path)
    assert found["tree_beq_per_j"] == pytest.approx(75_000)
    assert found["ee_bit_per_j"] == pytest.approx(50_125)
    assert [service["name"] for service in found["services"]] == ["llm", "iot"]
    page = Path(found["run_info"]["report"])
    assert page.parent == tmp_path
    assert "<html" in page.read_text("utf-8")


def test_report_takes_another_worth_of_a_token(ledgers, tmp_path):
    found = call_json("report", ledgers[0], "--out", tmp_path, "--alpha", "llm=0")
    assert found["tree_beq_per_j"] == pytest.approx(50_000)


def test_compare_says_where_the_order_turns(ledgers):
    found = call_json("compare", f"A={ledgers[0]}", f"B={ledgers[1]}")
    assert {design["name"] for design in found["designs"]} == {"A", "B"}
    (turn,) = found["break_even"]
    assert turn["alpha_bit_per_tok"] == pytest.approx(8_571.428571)
    assert turn["winner_above"] == "B"
    shares = {(s["design"], s["measure"]): s["frac"] for s in found["weight_share"]}
    assert shares["B", "log-uniform"] == pytest.approx(0.517, abs=5e-4)


@pytest.mark.parametrize(("factor", "winner"), [(1 - 1e-6, "A"), (1 + 1e-6, "B")])
def test_tree_beside_the_break_even_has_the_order_that_it_says(ledgers, factor, winner):
    alpha = (40e6 / 800 - 30e6 / 900) / (4000 / 900 - 2000 / 800) * factor
    words = ("compare", f"A={ledgers[0]}", f"B={ledgers[1]}", "--alpha", f"llm={alpha!r}")
    trees = {d["name"]: d["tree_beq_per_j"] for d in call_json(*words)["designs"]}
    assert max(trees, key=trees.get) == winner


def test_compare_prints_that_different_loads_are_not_the_same_service(ledgers):
    shown = call("compare", *ledgers).stdout
    assert "not the same service" in shown
    assert "not ranked" in shown


@pytest.mark.parametrize("name", ["tree_beq_per_j", "ee_ran_bit_per_j", "energy_j", "llm"])
def test_explain_walks_from_the_number_to_its_source(ledgers, name):
    found = call_json("explain", name, ledgers[0])
    titles = [step["title"] for step in found["steps"]]
    assert titles[0] == "value"
    assert titles[-1] == "source"
    assert {"sql", "rows", "function"} <= set(titles)
    assert any("SELECT" in step["text"] for step in found["steps"])
    assert any("by hand" in str(step["rows"]) for step in found["steps"])


def test_explain_reads_from_the_top_down(ledgers):
    shown = call("explain", "tree_beq_per_j", ledgers[0]).stdout
    assert "tree_beq_per_j = 75000 = utility_beq 60000000 / energy_j 800" in shown
    assert "tree6g.metric.tree:figure" in shown


def test_cite_names_the_paper_and_what_the_rows_rest_on(ledgers):
    assert "2509.02250" in call("cite").stdout
    assert "by hand" in call("cite", ledgers[0]).stdout
    assert call("cite", ledgers[0], "--bibtex").stdout.count("@misc{") == 3
    kinds = {one["what"] for one in call_json("cite", ledgers[0])["references"]}
    assert kinds == {"software", "metric", "equation meter"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "no-such-folder"), "expected a ledger"),
        (("report", "no-such-folder"), "expected a ledger"),
        (("explain", "tree_beq_per_w", "LEDGER"), "Did you mean 'tree_beq_per_j'?"),
        (("report", "LEDGER", "--rule", "shaply"), "Did you mean 'shapley'?"),
        (("report", "LEDGER", "--boundary", "all"), "boundary"),
        (("report", "LEDGER", "--alpha", "llm"), "--alpha SERVICE=NUMBER"),
        (("report", "LEDGER", "--alpha", "llm=nan"), "--alpha SERVICE=NUMBER"),
        (("report", "LEDGER", "--alpha", "lm=5"), "llm"),
        (("compare", "LEDGER"), "two or more designs"),
        (("compare", "LEDGER", "LEDGER"), "a label of its own"),
        (("compare", "LEDGER", "x=LEDGER a.b=3"), "A ledger cannot be changed"),
        (("compare", "LEDGER", "'"), "SOURCE"),
        (("list", "model"), "Did you mean 'models'?"),
        (("trace", "describe", "none.csv"), "none.csv"),
        (("trace", "describe", "LEDGER/meta.json", "--form", "azur"), "Did you mean 'azure'?"),
        (("init", "x.yaml", "--from", "street"), "Did you mean 'street-corner'?"),
        (("run", "street-corne"), "Did you mean 'street-corner'?"),
        (("run", "street-corner", "--set", "population.user=3"), "Did you mean"),
        (("run", "none.yaml"), "none.yaml"),
    ],
)
def test_wrong_input_ends_in_plain_lines_and_code_two(ledgers, words, said):
    given = [word.replace("LEDGER", str(ledgers[0])) for word in words]
    plain = call(*given, code=2)
    assert plain.stdout == ""
    assert said in plain.stderr
    assert "Traceback" not in plain.stderr
    told = call_json(*given, code=2)
    assert any(said in problem for problem in told["error"]["problems"])


def test_json_is_one_object_and_all_else_goes_to_standard_error(ledgers):
    result = call("check", ledgers[0], "--json")
    assert isinstance(json.loads(result.stdout), dict)
    assert result.stderr == ""


def test_reader_that_leaves_early_is_no_error(ledgers):
    tree6g = [sys.executable, "-c", "from tree6g.cli import main; main()"]
    read, write = os.pipe()
    os.close(read)  # a reader that left before the first line
    words = [*tree6g, "explain", "tree_beq_per_j", str(ledgers[0])]
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert "Traceback" not in done.stderr
    assert done.returncode == 141


def test_help_loads_no_library_that_only_commands_need():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom tree6g.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(*sorted({'duckdb', 'pyarrow', 'matplotlib', 'numpy', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_measured_ledger_is_laid_over_a_simulated_one(ledgers, tmp_path):
    lab = tmp_path / "lab"
    shutil.copytree(ledgers[0], lab)
    header = json.loads((lab / "meta.json").read_text())
    (lab / "meta.json").write_text(json.dumps({**header, "scenario": None}))
    header["scenario"] = {"name": "made"}
    model = tmp_path / "model"
    shutil.copytree(ledgers[1], model)
    (model / "meta.json").write_text(json.dumps(header))
    found = call_json("compare", str(model), str(lab), "--shift", "0 s")["errors"]
    assert (found["reference"], found["other"]) == ("lab", "model")
    assert {row["quantity"] for row in found["quantities"]} >= {"energy", "power"}
    shown = call("compare", str(model), str(lab), "--out", str(tmp_path / "page")).stdout
    assert "model (simulated) against lab (measured)" in shown
    assert "One over the other" in (tmp_path / "page" / "comparison.html").read_text()
    assert "(measured)" not in call("compare", str(model), str(lab), "--no-errors").stdout
    refused = call("compare", str(model), str(lab), "--window", "0 s", code=2)
    assert "above 0" in refused.stderr
