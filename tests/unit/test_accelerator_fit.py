"""Constants of an accelerator found again in runs that were made with them."""

from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np
import pytest

import llm_tables
from tree6g.calibrate import accelerator_fit
from tree6g.calibrate.llm_fit import fit_runs, left_out, listed, unfitted
from tree6g.calibrate.llm_runs import gathered, read_runs
from tree6g.compute import roofline_fit
from tree6g.compute.accelerator import CONSTANTS
from tree6g.scenario.engine_constants import fitted_accelerator


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Runs that tell everything: all formats, one and several devices, short and long prompts."""
    table = llm_tables.rows(precisions=("bfloat16", "fp8"), gpus=(1, 4))
    return llm_tables.write(tmp_path_factory.mktemp("runs") / "many.csv", table)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Runs of two dense models on one device in 16 bits."""
    table = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b"))
    return llm_tables.write(tmp_path_factory.mktemp("runs") / "few.csv", table)


@pytest.fixture(scope="module")
def constants(many):
    return {c.name: c for c in accelerator_fit.fit(many).constants}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_that_the_data_tell_is_inside_its_interval(constants, name):
    found = constants[f"h100-sxm: {name}"]
    if not found.remark:
        assert found.low <= llm_tables.CONSTANTS[name] <= found.high


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("static_w", 0.1),
        ("energy_j_per_byte", 0.15),
        ("energy_j_per_flop", 0.1),
        ("weight_efficiency_frac", 0.05),
        ("kv_efficiency_frac", 0.1),
        ("compute_efficiency_frac", 0.1),
        ("sequence_s", 0.05),
        ("expert_layer_s", 0.2),
    ],
)
def test_constants_are_found_again(constants, name, off):
    found = constants[f"h100-sxm: {name}"]
    assert found.value == pytest.approx(llm_tables.CONSTANTS[name], rel=off)


def test_the_fit_explains_what_was_made_with_its_own_equation(many):
    assert accelerator_fit.fit(many).error < 0.02


def test_what_runs_cannot_tell_is_said_and_stays_usual(few):
    fitted = accelerator_fit.fit(few)
    found = {c.name.removeprefix("h100-sxm: "): c for c in fitted.constants}
    for name in ("compute_efficiency_8bit_frac", "allreduce_s", "expert_layer_s",
                 "sequence_doubling_frac"):  # fmt: skip
        assert "hardly told" in found[name].remark
        assert found[name].value == pytest.approx(roofline_fit.PRIORS[name].usual, rel=1e-3)
        assert found[name].low < 0.5 * found[name].value
    assert not found["sequence_s"].remark
    (problem,) = [p for p in fitted.problems if "not settled" in p]
    assert "allreduce_s" in problem
    assert "sequence_s" not in problem


def test_no_more_than_fourteen_constants_belong_to_an_accelerator(many, few):
    for file in (many, few):
        names = [c.name for c in accelerator_fit.fit(file).constants]
        assert len([n for n in names if n.startswith("h100-sxm: ")]) == len(CONSTANTS) == 14


def test_prompts_that_are_not_stated_are_fitted_per_task(tmp_path):
    table = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b", "llama-3.2-1b"), gpus=(1,))
    file = llm_tables.write(tmp_path / "hidden.csv", table, drop=("avg_in_tokens",))
    found = {c.name: c for c in accelerator_fit.fit(file).constants}
    long = found["prompts of 3000: input_tok"]
    assert long.value > 3.0 * found["prompts of 400: input_tok"].value
    assert long.low < 3000.0 < long.high
    assert not any("answer_cv" in n and n.startswith("h100-sxm") for n in found)


def test_more_families_formats_and_devices_tell_more_constants(constants, few):
    told = sum(not c.remark for name, c in constants.items() if name.startswith("h100-sxm"))
    found = accelerator_fit.fit(few).constants
    assert told == 13
    assert sum(not c.remark for c in found if c.name.startswith("h100-sxm")) == 1


def test_median_gaps_tell_what_prompts_add_to_an_iteration(tmp_path):
    table = llm_tables.rows()
    without = llm_tables.write(tmp_path / "without.csv", table, drop=("median_itl_ms",))
    with_gaps = llm_tables.write(tmp_path / "gaps.csv", table)
    name, true = "h100-sxm: prompt_layer_s", llm_tables.CONSTANTS["prompt_layer_s"]
    blind, seeing = (
        {c.name: c for c in accelerator_fit.fit(file).constants}[name]
        for file in (without, with_gaps)
    )
    assert seeing.high / seeing.low < blind.high / blind.low
    assert abs(seeing.value / true - 1.0) < abs(blind.value / true - 1.0)


def test_gaps_that_are_absurd_pull_the_constants(tmp_path):
    table = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b"))
    usual = accelerator_fit.fit(llm_tables.write(tmp_path / "usual.csv", table))
    slow = [{**row, "median_itl_ms": 3.0 * row["median_itl_ms"]} for row in table]
    pulled = accelerator_fit.fit(llm_tables.write(tmp_path / "slow.csv", slow))
    assert pulled.error > usual.error


def test_power_and_throughput_stand_for_energy(few, tmp_path):
    table = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b"))
    telemetry = llm_tables.write(tmp_path / "telemetry.csv", table, drop=("j_per_out_token",))
    ours, theirs = accelerator_fit.fit(few), accelerator_fit.fit(telemetry)
    assert [c.value for c in theirs.constants] == pytest.approx([c.value for c in ours.constants])


def test_energy_alone_without_throughput_can_be_fitted(tmp_path):
    table = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b"))
    file = llm_tables.write(tmp_path / "joules.csv", table, drop=("out_tok_s", "gpu_power_w"))
    fitted = accelerator_fit.fit(file)
    assert fitted.error < 0.03
    assert sum(bool(c.remark) for c in fitted.constants) > 6


def test_the_table_has_the_packaged_form_and_is_read_again(many, tmp_path):
    fitted = accelerator_fit.fit(many)
    (row,) = csv.DictReader(io.StringIO(fitted.table))
    assert row["constants"] == f"h100-sxm|{llm_tables.ENGINE}"
    assert row["status"] == "measured"
    assert 0.0 < float(row["u95_frac"]) < 0.2
    file = tmp_path / "constants.csv"
    file.write_text(fitted.table, encoding="utf-8")
    device = fitted_accelerator(file, "h100-sxm")
    named = {c.name.removeprefix("h100-sxm: "): c.value for c in fitted.constants}
    for name in CONSTANTS:
        assert getattr(device, name) == pytest.approx(named[name], rel=1e-5)


def test_two_engines_of_one_source_are_fitted_apart(tmp_path):
    slow = {**llm_tables.CONSTANTS, "sequence_s": 3e-4}
    first = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b"))
    second = [{**row, "engine": "my engine 2.0"} for row in llm_tables.rows(
        models=("llama-3.1-8b", "qwen3-14b"), constants=slow)]  # fmt: skip
    fitted = accelerator_fit.fit(llm_tables.write(tmp_path / "two.csv", first + second))
    found = {c.name: c.value for c in fitted.constants}
    old = found[f"mine {llm_tables.ENGINE} h100-sxm: sequence_s"]
    new = found["mine my engine 2.0 h100-sxm: sequence_s"]
    assert (old, new) == (pytest.approx(5e-5, rel=0.1), pytest.approx(3e-4, rel=0.1))
    assert [row["engine"] for row in csv.DictReader(io.StringIO(fitted.table))] == [
        llm_tables.ENGINE, "my engine 2.0",
    ]  # fmt: skip


def test_one_family_only_has_intervals_of_residuals_and_no_family_left_out(tmp_path):
    table = llm_tables.rows(models=("llama-3.1-8b",))
    fitted = accelerator_fit.fit(llm_tables.write(tmp_path / "one.csv", table))
    assert all(c.low < c.value <= c.high for c in fitted.constants)
    (row,) = csv.DictReader(io.StringIO(fitted.table))
    assert float(row["u95_frac"]) >= 0.3  # nothing was left out to measure it


def test_leaving_a_family_out_leaves_its_rows_out(few):
    runs = read_runs(few).runs
    whole = fit_runs(runs)
    without = left_out(runs, whole)
    assert {*without} == {"Llama-3.1-8B", "Qwen3-14B"}
    for family, fitted in without.items():
        assert len(fitted.runs) == len([r for r in runs if r.family != family])
    assert len(listed(whole, without)) == len(whole.chosen)


def test_a_prediction_reads_no_measurement_of_its_runs(few):
    runs = list(read_runs(few).runs)
    fitted = fit_runs([r for r in runs if r.family == "Qwen3-14B"])
    asked = [r for r in runs if r.family != "Qwen3-14B"]
    blind = [dataclasses.replace(r, j_per_tok=1.0, tok_per_s=float("nan")) for r in asked]
    for ours, theirs in zip(fitted.predict(asked), fitted.predict(blind), strict=True):
        assert np.array_equal(ours, theirs)


def test_packaged_constants_predict_as_a_fit_that_saw_nothing(few):
    runs = read_runs(few).runs
    joules, rate = unfitted(runs).predict(runs)
    arrays = gathered(runs)
    chosen = roofline_fit.parameters(arrays)
    at = [np.log(getattr(runs[0].device, p.name) / p.prior.usual) if p.name in CONSTANTS else 0.0
          for p in chosen]  # fmt: skip
    expected = roofline_fit.predict(arrays, chosen, np.array([at]))
    assert joules == pytest.approx(expected[0][0])
    assert rate == pytest.approx(expected[1][0])
