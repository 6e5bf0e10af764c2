"""Counts of models against integers of a FLOP counter, and names of measured models."""

from __future__ import annotations

import csv

import pytest

from tree6g.calibrate import counts, kinds
from tree6g.compute.model.catalogue import architecture, find
from tree6g.compute.model.counts import parameters
from tree6g.errors import DataError


@pytest.mark.parametrize(
    ("file", "rows", "integers"),
    [("model_counts.csv", 6, 72), ("cnn_layers.csv", 108, 716), ("lora_parameters.csv", 6, 12)],
)
def test_every_integer_is_exact(reference_data, file, rows, integers):
    result = kinds.validate("counts", [reference_data / "llm" / file])
    assert result.rows == rows
    assert result.figures == {
        "max_abs_error": 0.0,
        "inside_range_frac": 1.0,
        "figures": float(integers),
    }
    assert result.misses == ()


def test_all_three_files_at_once(reference_data):
    names = ("model_counts.csv", "cnn_layers.csv", "lora_parameters.csv")
    result = counts.validate([reference_data / "llm" / name for name in names])
    assert result.headline == (
        "Counts: all 800 integers of 120 rows and 15 models exact (largest error 0)."
    )


def _models(file, column):
    with file.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["source"] != "ml.energy-v1-legacy"]
    return {row[column]: row for row in rows}


def test_every_measured_model_is_packaged(reference_data):
    folder = reference_data / "llm"
    for file, column in (
        ("energy_measured.csv", "model_id"),
        ("prefill_decode_power.csv", "model"),
    ):
        for name in _models(folder / file, column):
            assert find(name)
    edge = _models(folder / "edge_devices_measured.csv", "model")
    assert {find(name) for name in edge} > {"llama-3.2-3b", "gemma-3-4b", "smollm2-135m"}


def test_measured_models_are_as_large_as_their_rows_say(reference_data):
    rows = _models(reference_data / "llm" / "energy_measured.csv", "model_id")
    for name, row in rows.items():
        if row["params_total_b"]:
            ours = parameters(architecture(name)).total / 1e9
            # names round: Qwen3-VL-8B has 8.8e9 parameters with its encoder of pictures
            assert ours == pytest.approx(float(row["params_total_b"]), rel=0.11), name


def test_other_models_of_the_same_columns_are_compared(tmp_path):
    file = tmp_path / "counts.csv"
    file.write_text(
        "model,params,flops_S512,kv_bytes_per_token_bf16,lora_r8_qv\n"
        "llama-2-70b,68976648192,71049496494080,327680,16384000\n"
        "qwen2.5-7b,7615616512,7345199382528,57344,2523136\n"
        "mistral-7b,7241732096,7418482262016,131072,3407872\n"
        "unheard-of,1,1,1,1\n"
    )
    result = counts.validate([file])
    assert (result.rows, result.figures["max_abs_error"]) == (3, 0.0)
    assert "unheard-of left out" in result.problems[0]


def test_a_wrong_integer_is_a_miss(tmp_path):
    file = tmp_path / "cnn.csv"
    file.write_text(
        "model,layer,out_shape,out_elems,params,flops\n"
        "resnet18,fc,1000,1000,513001,1024000\n"
        "resnet18,head,1,1,1,1\n"
    )
    result = counts.validate([file])
    assert result.figures["max_abs_error"] == 1.0
    assert result.misses[0]["figure"] == "fc params"
    assert any("we have no layer 'head'" in problem for problem in result.problems)
    assert any("does not name" in problem for problem in result.problems)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "Rename its columns"),
        ("model,params\nunheard-of,1\n", "tree6g list models"),
        ("model,params\ngpt2,many\n", "params must be a whole number; got 'many'"),
        ("model,rank,targets,trainable\ngpt2,8,q-768,1\n", "targets must be as"),
        ("model,params\n", "has none"),
    ],
)
def test_faulty_files_end_in_words(tmp_path, text, words):
    file = tmp_path / "faulty.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        counts.validate([file])
    with pytest.raises(DataError, match="got none"):
        counts.validate([])
