"""Tables of runs and of devices: what is read, left out, and refused with all its faults."""

from __future__ import annotations

import math

import pytest

import llm_tables
from tree6g.calibrate import edge_energy, llm_energy
from tree6g.calibrate.llm_runs import read_runs
from tree6g.errors import DataError

BASE = llm_tables.rows(models=("llama-3.1-8b", "qwen3-14b"), prompts=(400,), batches=(8, 64))


def _read(tmp_path, table, drop=()):
    return read_runs(llm_tables.write(tmp_path / "runs.csv", table, drop))


def _with(**values):
    return [{**BASE[0], **values}, *BASE[1:]]


def test_a_row_is_read_as_it_stands(tmp_path):
    run = _read(tmp_path, BASE).runs[0]
    assert (run.device.name, run.devices, run.stages, run.weights) == ("h100-sxm", 1, 1, "fp16")
    assert (run.batch, run.input_tok, run.output_tok) == (8.0, 400.0, 300.0)
    assert run.model.name == "llama-3.1-8b"
    assert run.j_per_tok == pytest.approx(BASE[0]["j_per_out_token"])
    assert (run.line, run.kind, run.scaled_from) == (2, "dense", "")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"modality": "image"}, "pictures"),
        ({"data_parallel": 2}, "data_parallel above 1"),
        ({"avg_batch": ""}, "no batch"),
        ({"source": "some-legacy"}, "one request at a time"),
    ],
)
def test_rows_of_another_kind_are_left_out_with_their_number(tmp_path, values, said):
    read = _read(tmp_path, _with(**values))
    assert len(read.runs) == len(BASE) - 1
    (note,) = read.notes
    assert note.startswith("1 rows left out")
    assert said in note


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"gpu": "H100-SMX"}, "h100-sxm"),
        ({"weight_precision": "fp7"}, "weight_precision"),
        ({"num_gpus": 1.5}, "whole numbers of num_gpus"),
        ({"num_gpus": 4, "pipeline_parallel": 3}, "parts them evenly; got 4 and 3"),
        ({"avg_batch": -3}, "above 0 and up to 1e+09 in avg_batch; got '-3'"),
        ({"avg_out_tokens": "many"}, "avg_out_tokens; got 'many'"),
        ({"avg_in_tokens": "nan"}, "avg_in_tokens"),
        ({"num_gpus": "1e300"}, "num_gpus; got '1e300'"),
        ({"out_tok_s": "1e-300"}, "out_tok_s; got '1e-300'"),
        ({"j_per_out_token": "inf"}, "j_per_out_token; got 'inf'"),
        ({"j_per_out_token": "", "gpu_power_w": ""}, "j_per_out_token; got ''"),
        ({"model_id": "no-such/model-7b", "family": "none"}, "params_total_b"),
    ],
)
def test_a_fault_names_its_line_column_and_value(tmp_path, values, said):
    with pytest.raises(DataError) as caught:
        _read(tmp_path, _with(**values))
    assert "line 2" in str(caught.value)
    assert said in str(caught.value)


def test_all_faults_of_all_rows_are_told_at_once(tmp_path):
    table = [{**row, "gpu": "abacus", "avg_batch": 0, "weight_precision": "?"} for row in BASE]
    with pytest.raises(DataError) as caught:
        _read(tmp_path, table)
    said = str(caught.value)
    assert said.count("'abacus'") + said.count("avg_batch") + said.count("'?'") == 10
    assert "and 2 more" in said


def test_faults_of_several_files_are_told_at_once(tmp_path):
    files = [llm_tables.write(tmp_path / f"{n}.csv", _with(avg_batch=-n)) for n in (1, 2)]
    with pytest.raises(DataError) as caught:
        llm_energy.validate(files)
    assert "got '-1'" in str(caught.value)
    assert "got '-2'" in str(caught.value)


@pytest.mark.parametrize("missing", ["family", "gpu", "num_gpus", "j_per_out_token"])
def test_missing_columns_are_named(tmp_path, missing):
    drop = (missing, "gpu_power_w") if missing == "j_per_out_token" else (missing,)
    with pytest.raises(DataError, match=f"lacks {missing}"):
        _read(tmp_path, BASE, drop)


@pytest.mark.parametrize("text", ["", "a;b;c\n1;2;3\n", "\x00\x01"])
def test_a_file_that_is_no_such_table_is_refused(tmp_path, text):
    file = tmp_path / "odd.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"odd\.csv"):
        llm_energy.validate([file])


def test_a_table_without_usable_rows_says_why(tmp_path):
    table = [{**row, "modality": "video"} for row in BASE]
    with pytest.raises(DataError, match=r"none \(4 prompts with pictures"):
        _read(tmp_path, table)
    file = llm_tables.write(tmp_path / "empty.csv", BASE)
    file.write_text(file.read_text("utf-8").partition("\n")[0], encoding="utf-8")
    with pytest.raises(DataError, match="nothing below its header"):
        read_runs(file)


def test_an_unknown_model_takes_the_shape_of_the_nearest_and_its_own_size(tmp_path):
    table = [{**row, "params_total_b": 9.0} for row in _with(model_id="us/ours-9b", family="Ours")]
    read = _read(tmp_path, table)
    run = read.runs[0]
    assert run.model.parameters == pytest.approx(9e9)
    assert run.scaled_from
    assert any(f"us/ours-9b ({run.scaled_from})" in note for note in read.notes)
    experts = _read(tmp_path, [{**row, "params_active_b": 1.5} for row in table]).runs[0]
    assert experts.kind == "experts"
    share = experts.model.experts_active / experts.model.experts
    own = experts.model.parameters - experts.model.expert_parameters * (1.0 - share)
    assert own == pytest.approx(1.5e9, rel=1.0)


def test_eight_bit_llamas_are_scaled_by_row_and_others_by_block(tmp_path):
    read = _read(tmp_path, [{**row, "weight_precision": "FP8"} for row in BASE])
    assert {r.family: r.weights for r in read.runs} == {
        "Llama-3.1-8B": "fp8-row", "Qwen3-14B": "fp8",
    }  # fmt: skip


def test_columns_that_are_not_needed_may_be_missing(tmp_path):
    drop = ("source", "engine", "task", "modality", "data_parallel", "pipeline_parallel",
            "avg_in_tokens", "gpu_power_w", "out_tok_s")  # fmt: skip
    run = _read(tmp_path, BASE, drop).runs[0]
    assert math.isnan(run.tok_per_s)
    assert math.isnan(run.input_tok)
    assert (run.task, run.source, run.device.engine) == ("all", "", "vLLM 0.11.1")


EDGE = [
    {
        "device": "Jetson Orin Nano Super 8GB", "backend": "llama.cpp CUDA", "model": model,
        "params_b": size, "quant": "Q4_K_M", "weights_mb": 600 * size, "ctx_tokens": 512,
        "gen_tokens": 128, "decode_tok_s": 40 / size, "j_per_out_token": 0.15 * size + 0.03 * n,
        "energy_scope": "decode only", "concurrency": 1,
    }
    for n, (model, size) in enumerate([("qwen2.5-0.5b", 0.494), ("llama-3.2-1b", 1.24),
                                       ("llama-3.2-3b", 3.21), ("gemma-3-1b", 1.0),
                                       ("my own 2b", 2.0)])
]  # fmt: skip


def _edge(tmp_path, table, drop=()):
    return edge_energy.validate([llm_tables.write(tmp_path / "edge.csv", table, drop)])


def test_a_table_of_devices_is_told_from_one_of_servers(tmp_path):
    edge = llm_tables.write(tmp_path / "edge.csv", EDGE)
    runs = llm_tables.write(tmp_path / "runs.csv", BASE)
    assert edge_energy.is_devices(edge)
    assert not edge_energy.is_devices(runs)
    assert llm_energy.validate([edge]).rows == 5
    with pytest.raises(DataError, match="in a run of their own"):
        llm_energy.validate([edge, runs])
    with pytest.raises(DataError, match="in a run of their own"):
        llm_energy.validate([edge], fit=runs)


def test_devices_that_are_not_packaged_are_judged_by_themselves(tmp_path):
    other = [{**row, "device": "Some New Board"} for row in EDGE]
    result = _edge(tmp_path, EDGE + other)
    assert {g.name for g in result.groups} == {
        "decode only", "jetson-orin-nano", "Some New Board",
    }  # fmt: skip
    assert any("Some New Board is not packaged" in p for p in result.problems)


def test_rows_of_several_requests_or_other_scopes_are_counted(tmp_path):
    odd = [{**EDGE[0], "concurrency": 4}, {**EDGE[0], "energy_scope": "throughput only"},
           {**EDGE[0], "j_per_out_token": ""}]  # fmt: skip
    problems = " ".join(_edge(tmp_path, EDGE + odd).problems)
    for words in ("1 rows left out: several requests", "1 rows left out: neither decoding",
                  "1 rows left out: no energy"):  # fmt: skip
        assert words in problems


def test_all_faults_of_a_table_of_devices_are_told_at_once(tmp_path):
    table = [{**EDGE[0], "params_b": -1, "decode_tok_s": 0}, {**EDGE[1], "backend": ""}, *EDGE[2:]]
    with pytest.raises(DataError) as caught:
        _edge(tmp_path, table)
    for words in ("line 2: params_b must be above 0", "line 2: decode_tok_s", "line 3: backend"):
        assert words in str(caught.value)


def test_columns_of_devices_that_are_not_needed_may_be_missing(tmp_path):
    drop = ("ctx_tokens", "gen_tokens", "weights_mb", "concurrency")
    assert _edge(tmp_path, EDGE, drop).rows == 5


def test_too_few_rows_of_a_device_are_refused_in_words(tmp_path):
    with pytest.raises(DataError, match="at least 5 rows of a device with two models"):
        _edge(tmp_path, EDGE[:3])
