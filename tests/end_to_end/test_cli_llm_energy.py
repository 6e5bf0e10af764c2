"""`validate llm-energy` and `fit accelerator` as a user runs them, on runs with known constants."""

from __future__ import annotations

import csv
import json

import pytest
from typer.testing import CliRunner

import llm_tables
from tree6g.cli import app
from tree6g.compute.accelerator import CONSTANTS


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    made = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b", "llama-3.2-1b"))
    return llm_tables.write(tmp_path_factory.mktemp("runs") / "runs.csv", made)


def _run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def _json(*words):
    done = _run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_validation_prints_errors_baselines_and_constants_with_intervals(table):
    done = _run("validate", "llm-energy", table)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Median error of energy per output token: mine ")
    for words in ("Error of joules per output token", "mine dense", "mine one point",
                  "EcoLogits, as shipped", "log-linear regression", "90 % are below",
                  "mine h100-sxm\n  static_w", "hardly told by these data"):  # fmt: skip
        assert words in done.stdout


def test_validation_as_json_has_the_promised_keys(table):
    found = _json("validate", "llm-energy", table)
    assert found["kind"] == "llm-energy"
    wanted = {"rows", "fitted_constants", "groups", "baselines", "constants", "problems", "misses",
              "median_ape_frac", "mape_frac", "p90_ape_frac", "within_25_frac"}  # fmt: skip
    assert wanted <= {*found}
    assert found["rows"] == 3 * 6 * 3
    assert found["fitted_constants"] == len(found["constants"]) == 14 + 3
    assert found["median_ape_frac"] < 0.05
    assert {g["name"] for g in found["groups"]} == {
        "mine", "mine dense", "mine h100-sxm", "mine one point",
    }  # fmt: skip
    assert len(found["baselines"]) == 5
    assert all({"median_ape_frac", "p90_ape_frac"} <= {*b} for b in found["baselines"])
    assert all({"name", "value", "low", "high"} <= {*c} for c in found["constants"])


def test_report_of_a_validation_has_a_page_and_a_figure(table, tmp_path):
    done = _run("validate", "llm-energy", table, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "validation.html").read_text("utf-8")
    for words in ("Energy per output token of language models", "prediction = measurement",
                  "What was compared", "sequences at once"):  # fmt: skip
        assert words in page
    assert (tmp_path / "figures" / "llm-energy.png").stat().st_size > 5_000
    with (tmp_path / "figures" / "llm-energy.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 54


def test_a_fit_on_one_file_predicts_another(table, tmp_path):
    other = llm_tables.write(tmp_path / "other.csv", llm_tables.rows(models=("gemma-3-4b",)))
    found = _json("validate", "llm-energy", other, "--fit", table)
    assert found["median_ape_frac"] < 0.1
    assert found["problems"] == []
    strange = [{**row, "source": "theirs"} for row in llm_tables.rows(models=("gemma-3-4b",))]
    theirs = llm_tables.write(tmp_path / "theirs.csv", strange)
    (problem,) = _json("validate", "llm-energy", theirs, "--fit", table)["problems"]
    assert "packaged constants" in problem


@pytest.mark.parametrize("command", ["fit", "calibrate"])
def test_a_fit_prints_constants_and_writes_the_table_of_the_packaged_form(table, tmp_path, command):
    file = tmp_path / "folder" / "mine.csv"
    done = _run(command, "accelerator", table, "--out", file)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("54 runs on h100-sxm: energy per output token off by ")
    assert "h100-sxm\n  static_w" in done.stdout
    assert f"Constants: {file}" in done.stdout
    with file.open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert {*CONSTANTS, "accelerator", "engine", "u95_frac", "source", "status"} <= {*row}
    assert row["engine"] == llm_tables.ENGINE


def test_a_fit_as_json_has_the_promised_keys(table):
    found = _json("fit", "accelerator", table)
    assert {"kind", "headline", "constants", "rows", "error", "problems"} <= {*found}
    assert found["kind"] == "accelerator"
    assert sum("remark" in c for c in found["constants"]) >= 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["validate", "llm-energy", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["fit", "accelerator", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["validate", "llm-energy", "{bad}"], "line 2: expected a packaged accelerator"),
        (["fit", "accelerator", "{bad}"], "line 2: expected a packaged accelerator"),
        (["fit", "accelerator", "{table}", "--out", "{table}/x.csv"], "Expected a file to write"),
        (["validate", "llm-energy", "{table}", "--seeds", "3"], "--seeds does not apply"),
    ],
)
def test_what_a_user_can_get_wrong_is_told_without_a_traceback(table, tmp_path, words, said):
    bad = [{**row, "gpu": "abacus"} for row in llm_tables.rows(models=("llama-3.1-8b",))]
    files = {"bad": llm_tables.write(tmp_path / "bad.csv", bad), "table": table}
    done = _run(*(word.format(**files) for word in words))
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def _devices(file, *models):
    sizes = {"llama-3.2-1b": 1.2, "qwen2.5-1.5b": 1.5, "llama-3.2-3b": 3.2, "qwen3-4b": 4.0}
    rows = [
        f"Raspberry Pi 5 8GB,llama.cpp CPU,{name},{sizes[name]},Q4_K_M,decode only,"
        f"{600 * sizes[name]},{context},128,{9 / sizes[name]},{0.7 * sizes[name] + 2e-4 * context}"
        for name in models
        for context in (128, 512, 2048)
    ]
    head = (
        "device,backend,model,params_b,quant,energy_scope,"
        "weights_mb,ctx_tokens,gen_tokens,decode_tok_s,j_per_out_token"
    )
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def test_small_devices_of_one_file_are_predicted_by_a_fit_to_another(table, tmp_path):
    fit = _devices(tmp_path / "fit.csv", "llama-3.2-1b", "qwen2.5-1.5b", "qwen3-4b")
    test = _devices(tmp_path / "test.csv", "llama-3.2-3b")
    found = _json("validate", "llm-energy", test, "--fit", fit)
    assert found["rows"] == 3
    assert found["median_ape_frac"] < 0.2
    assert found["fitted_constants"] == 7
    assert found["problems"] == []
    seen = _json("validate", "llm-energy", fit, "--fit", fit)
    assert "not blind" in seen["problems"][0]
    mixed = _run("validate", "llm-energy", test, "--fit", table)
    assert mixed.exit_code == 2
    assert "a run of their own" in mixed.stderr


def test_the_number_of_fitted_constants_is_printed(table):
    assert "Constants, 17 of them fitted:" in _run("validate", "llm-energy", table).stdout
