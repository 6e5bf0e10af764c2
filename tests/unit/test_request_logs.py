"""Logs of real engines: names, what is known of the engine, and faults told all at once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tree6g.calibrate.request_logs import Named, named, read_log, row_named
from tree6g.calibrate.simplex import minimum
from tree6g.errors import DataError

HEAD = "arrival_s,input_tokens,output_tokens,first_token_s,last_token_s\n"


@pytest.mark.parametrize(
    ("stem", "accelerator", "model", "count"),
    [
        ("RTX4090_Llama-3.1-8B", "RTX4090", "Llama-3.1-8B", None),
        ("RTXPRO6000x2_Qwen3-32B", "RTXPRO6000", "Qwen3-32B", 2),
        ("2xRTXPRO6000_Qwen3-32B", "RTXPRO6000", "Qwen3-32B", 2),
        ("H100_Llama-3.1-70B_TP4", "H100", "Llama-3.1-70B", 4),
        ("H100_tp2_Qwen3-30B-A3B", "H100", "Qwen3-30B-A3B", 2),
        ("RTXPRO6000-TP2_Qwen3-32B", "RTXPRO6000", "Qwen3-32B", 2),
        ("log", "log", None, None),
    ],
)
def test_the_name_of_a_file_tells_accelerator_model_and_count(stem, accelerator, model, count):
    assert named(stem) == Named(accelerator=accelerator, model=model, tensor_parallel=count)


def test_rows_are_found_whatever_case_and_punctuation():
    rows = ["rtx-pro-6000", "rtx4090", "h100-sxm", "h100-pcie", "a100-80"]
    assert row_named("RTXPRO6000", rows, "accelerator") == "rtx-pro-6000"
    assert row_named("A100", rows, "accelerator") == "a100-80"
    assert row_named("RTX4090-24GB", rows, "accelerator") == "rtx4090"
    with pytest.raises(DataError, match="it may mean h100-pcie, h100-sxm"):
        row_named("H100", rows, "accelerator")
    with pytest.raises(DataError, match="--accelerator"):
        row_named("TPU", rows, "accelerator")


def test_requests_are_sorted_and_times_count_from_their_arrival(tmp_path):
    path = tmp_path / "l4_x.csv"
    path.write_text(HEAD + "5,10,2,6,7\n3,20,1,4,4\n")
    log = read_log(path)
    assert log.arrival_s.tolist() == [0.0, 2.0]
    assert log.input_tok.tolist() == [20.0, 10.0]
    assert (log.first_s.tolist(), log.last_s.tolist()) == ([1.0, 1.0], [1.0, 2.0])
    assert log.engine == {}


def test_all_faults_of_a_log_are_told_at_once(tmp_path):
    path = tmp_path / "l4_x.csv"
    path.write_text(HEAD + "0,0,2,1,2\n1,5,1.5,2,3\n2,5,5,1,3\n3,5,5,5,4\n4,5,5,4,6\nx,1,1,1,1\n")
    with pytest.raises(DataError) as caught:
        read_log(path)
    for words in (
        "line 2: input_tokens", "line 3: output_tokens", "line 4: first_token_s must not be before",
        "line 5: last_token_s must not be before", "line 6: first_token_s must be after",
        "line 7: arrival_s must be a finite number",
    ):  # fmt: skip
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("{", "expected JSON"),
        ("[1]", "expected an object by file"),
        (json.dumps({"l4_x": [1]}), "expected an object for 'l4_x'"),
        (json.dumps({"l4_x": {"kv_cache_tok": -1, "prefix_caching": 3}}), "prefix_caching must be"),
    ],
)
def test_an_engine_file_that_cannot_be_is_refused(tmp_path, engine, words):
    path = tmp_path / "l4_x.csv"
    path.write_text(HEAD + "0,1,2,1,2\n")
    (tmp_path / "engine.json").write_text(engine)
    with pytest.raises(DataError, match=r"engine\.json"):
        read_log(path)
    with pytest.raises(DataError, match=words):
        read_log(path)


def test_the_simplex_finds_the_bottom_of_a_bent_valley():
    def rosenbrock(x):
        return float(100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2)

    at, least = minimum(rosenbrock, np.array([-1.2, 1.0]), turns=500, spread=1e-9)
    assert at.tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert least < 1e-9


def test_the_simplex_keeps_away_from_what_is_forbidden():
    at, _ = minimum(lambda x: float("inf") if x[0] < 1.0 else float(x[0]), np.array([3.0]))
    assert at[0] == pytest.approx(1.0, abs=1e-3)
