"""A simulated server against logs of real vLLM runs: the bars of held-out requests."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from tree6g.calibrate import kinds
from tree6g.calibrate.serving import BARS
from tree6g.errors import DataError

LOGS = ("RTX4090_Llama-3.1-8B", "RTXPRO6000_Llama-3.1-8B")


@pytest.fixture(scope="module")
def folder(reference_data):
    return reference_data / "llm" / "vllm_requests"


@pytest.fixture(scope="module")
def validation(folder):
    return kinds.validate("serving", [folder / f"{name}.csv" for name in LOGS])


@pytest.fixture(scope="module")
def groups(validation):
    return {group.name: group for group in validation.groups}


def test_held_out_requests_of_both_logs_are_predicted_within_their_bars(validation):
    assert validation.rows == 400
    assert validation.figures["mape_frac"] <= BARS["e2e"]
    assert validation.figures["ttft_mape_frac"] <= BARS["ttft"]
    assert validation.figures["tpot_mape_frac"] <= BARS["tpot"]
    assert validation.fitted_constants == 6


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("measure", ["e2e", "ttft"])
def test_whole_answers_and_first_tokens_of_each_log_keep_their_bars(groups, name, measure):
    assert groups[f"{name} {measure}"].rows == 200
    assert groups[f"{name} {measure}"].figures["mape_frac"] <= BARS[measure]


def test_the_pace_of_half_of_the_requests_is_close_even_where_many_are_preempted(groups):
    assert groups[f"{LOGS[0]} tpot"].figures["median_ape_frac"] <= 0.03
    assert groups[f"{LOGS[0]} tpot"].figures["mape_frac"] <= 0.08
    assert groups[f"{LOGS[1]} tpot"].figures["mape_frac"] <= 0.02


def test_a_regression_and_the_packaged_constants_are_worse(validation, groups):
    assert len(validation.baselines) == 12
    for baseline in validation.baselines:
        ours = groups[baseline.name.partition(":")[0]]
        assert baseline.figures["mape_frac"] > ours.figures["mape_frac"]


def test_what_the_logs_do_not_show_and_what_was_assumed_is_said(validation):
    said = " ".join(validation.problems)
    assert "14 % of the requests had their first token within 2 s" in said
    assert "says little about service in which people do not wait" in said
    for words in ("token", "sequences at once", "KV cache of 41,408 tokens", "prefix cache"):
        assert words in said


def test_efficiencies_are_physical(validation):
    for constant in validation.constants:
        if constant.name.endswith("_frac"):
            assert 0.2 < constant.value < 1.1


def _slowed(folder, out, name, engine):
    """A log under another name: another engine, told by its file's name."""
    shutil.copy(folder / f"{LOGS[1]}.csv", out / f"{name}.csv")
    (out / "engine.json").write_text(json.dumps({name: engine}))
    return out / f"{name}.csv"


def test_names_of_files_with_several_cards_and_experts_are_understood(folder, tmp_path):
    known = {"observed_peak_running": 128}
    for name in ("RTXPRO6000x2_Qwen3-32B", "RTXPRO6000_Qwen3-30B-A3B"):
        found = kinds.validate("serving", [_slowed(folder, tmp_path, name, known)])
        count = 2 if "x2" in name else 1
        assert f"{count} x rtx-pro-6000" in " ".join(found.about)
        assert np.isfinite(found.figures["mape_frac"])


def test_options_override_the_name(folder, tmp_path):
    path = _slowed(folder, tmp_path, "unknown_model", {})
    with pytest.raises(DataError, match="accelerator"):
        kinds.validate("serving", [path])
    how = {"accelerator": "rtx-pro-6000", "model": "llama-3.1-8b", "tensor_parallel": 2}
    found = kinds.validate("serving", [path], **how)
    assert "2 x rtx-pro-6000, llama-3.1-8b" in " ".join(found.about)
