"""Simpler models by hand, and EcoLogits' formula against what the package itself printed."""

from __future__ import annotations

import csv
import dataclasses
import json
import math

import numpy as np
import pytest

import llm_tables
from tree6g.calibrate import llm_baselines
from tree6g.calibrate.llm_runs import read_runs
from tree6g.compute import baselines


def test_the_formula_of_a_gpu_by_hand():
    per_tok_wh = 1.1665273170451914e-06 * math.exp(-0.011205921025579175 * 64) * 8.03
    per_tok_wh += 4.052928146734005e-05
    assert baselines.ecologits_j_per_tok(8.03e9, 1) == pytest.approx(3600.0 * per_tok_wh)
    assert baselines.ecologits_j_per_tok(8.03e9, 4) == pytest.approx(4 * 3600.0 * per_tok_wh)
    assert baselines.ecologits_j_per_tok(8.03e9, 1, 8) > baselines.ecologits_j_per_tok(8.03e9, 1)


@pytest.mark.parametrize(
    ("parameters", "gpus"), [(8.03e9, 1), (33e9, 1), (34e9, 2), (70e9, 4), (671e9, 32)]
)
def test_gpus_are_a_power_of_two_that_holds_the_weights(parameters, gpus):
    assert baselines.ecologits_gpus(parameters) == gpus


def test_requests_cost_what_ecologits_printed(reference_data):
    """Its whole request: the GPUs by our formula, the server and the site by its constants."""
    file = reference_data / "lifecycle" / "published_footprints.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        table = list(csv.reader(stream))
    rows = [r for r in table if r[0].startswith("ecologits") and r[0].endswith("request-energy")]
    assert len(rows) >= 3
    for row in rows:
        given = json.loads(row[3])
        active = given["active_params_b"]
        gpus = baselines.ecologits_gpus(given["total_params_b"] * 1e9)
        tokens, batch = given["tokens_out"], given["batch"]
        seconds = tokens * (6.785088094353663e-4 * active + 3.119310311688259e-4 * batch
                            + 0.019473717579473387)  # fmt: skip
        server_j = 1200.0 * gpus / 8.0 / batch * seconds
        gpu_j = tokens * baselines.ecologits_j_per_tok(active * 1e9, gpus, batch)
        assert given["pue"] * (server_j + gpu_j) == pytest.approx(3.6e6 * float(row[4]), rel=1e-9)


def test_design_power_over_throughput():
    assert baselines.design_power_j_per_tok(700.0, 2, 1000.0) == pytest.approx(1.4)
    assert baselines.design_power_j_per_tok(700.0, 2, 1000.0, 0.7) == pytest.approx(0.98)


def test_a_power_law_is_found_by_the_log_linear_regression():
    rng = np.random.default_rng(5)
    features = rng.normal(size=(40, 3))
    target = 2.0 * np.exp(features @ np.array([0.5, -1.0, 0.2]))
    told = baselines.log_linear(features[:20], target[:20], features[20:])
    assert told == pytest.approx(target[20:])


def test_all_baselines_of_runs_and_none_reads_its_own_family(tmp_path):
    file = llm_tables.write(
        tmp_path / "runs.csv", llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b"))
    )
    runs = read_runs(file).runs
    found = dict(llm_baselines.predictions(runs, None))
    assert len(found) == 5
    ideal = found["ideal roofline at TDP"]
    assert np.all(ideal > 0.0)
    measured = np.array([r.j_per_tok for r in runs])
    assert np.median(ideal / measured) < 1.0  # nothing but peaks: too fast, at too much power
    wrong = [
        dataclasses.replace(r, j_per_tok=9.0 * r.j_per_tok) if r.family == "Qwen3-14B" else r
        for r in runs
    ]
    again = dict(llm_baselines.predictions(wrong, None))["log-linear regression"]
    mine = np.array([r.family == "Qwen3-14B" for r in runs])
    regression = found["log-linear regression"]
    assert again[mine] == pytest.approx(regression[mine])
    assert again[~mine] != pytest.approx(regression[~mine])


def test_a_baseline_that_needs_throughput_is_missing_without_it(tmp_path):
    table = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b"))
    file = llm_tables.write(tmp_path / "runs.csv", table, drop=("out_tok_s",))
    found = dict(llm_baselines.predictions(read_runs(file).runs, None))
    assert np.isnan(found["0.7 TDP at the measured throughput"]).all()
    assert np.isfinite(found["EcoLogits, as shipped"]).all()
