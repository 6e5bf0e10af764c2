"""Compressed forms of a model: their counts, what they cost, and what was measured of them."""

from __future__ import annotations

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from tree6g import data
from tree6g.cli import app
from tree6g.compute import compression
from tree6g.compute.accelerator import accelerator
from tree6g.compute.compression import Choice, choices, cost, relative, shape
from tree6g.compute.model import catalogue, formats
from tree6g.compute.model.footprint import footprint
from tree6g.compute.model.lora import adapter

MODEL = "llama-3.1-8b"
H100 = accelerator("h100-sxm")
DENSE = Choice(kind="bits", model=MODEL)


def test_every_row_of_quality_is_a_score_of_a_known_model_and_format():
    assert set(compression.SPARSE) <= set(data.table("accelerators"))
    for key, row in data.table("quality").items():
        assert row["model"] in catalogue.names(), key
        assert row["weights"] in formats.names(), key
        assert 0.0 < row["score"] <= 100.0, key
        assert 0.0 < row["base_score"] <= 100.0, key
        assert str(row["address"]).startswith("https://"), key
        assert row["seen"], key


@pytest.mark.parametrize("pattern", ["width", "depth"])
def test_pruned_models_have_the_parameters_that_their_paper_states(pattern):
    made = footprint(shape(Choice(kind="structured", model=MODEL, pattern=pattern)))
    assert made.parameters == pytest.approx(4.5e9, rel=0.015)
    (known,) = [c for c in choices(MODEL) if c.pattern == pattern]
    assert known.pruned_frac == pytest.approx(1.0 - 4.5 / 8.03, abs=0.01)


def test_sparsity_of_two_in_four_stores_nine_sixteenths_where_the_hardware_has_it():
    dense, model = cost(DENSE, H100), footprint(catalogue.architecture(MODEL))
    sparse = dataclasses.replace(DENSE, pattern="2:4", pruned_frac=0.5)
    packed = cost(sparse, H100)
    body = model.parameters - model.embedding_parameters - model.head_parameters
    assert dense.memory_byte - packed.memory_byte == pytest.approx(2.0 * body * 7.0 / 16.0)
    assert packed.rate_tps > dense.rate_tps
    assert packed.token_j < dense.token_j
    phone = accelerator("apple-m4")
    assert cost(sparse, phone) == cost(DENSE, phone)


def test_unstructured_sparsity_saves_memory_alone():
    dense = cost(DENSE, H100, batch=8)
    sparse = cost(
        dataclasses.replace(DENSE, pattern="unstructured", pruned_frac=0.5), H100, batch=8
    )
    assert sparse.memory_byte < 0.65 * dense.memory_byte
    assert dataclasses.replace(sparse, memory_byte=dense.memory_byte) == dense


def test_an_adapter_adds_its_exact_bytes_and_grows_with_its_rank():
    dense, architecture = cost(DENSE, H100), catalogue.architecture(MODEL)
    found = [cost(dataclasses.replace(DENSE, rank=rank), H100) for rank in (8, 64, 512)]
    added = [one.memory_byte - dense.memory_byte for one in found]
    assert added == [2.0 * adapter(architecture, rank).parameters for rank in (8, 64, 512)]
    assert dense.token_j < found[0].token_j < found[1].token_j < found[2].token_j


def test_fewer_bits_take_less_memory_and_joules_and_what_does_not_fit_is_said():
    found = [cost(dataclasses.replace(DENSE, weights=w), H100) for w in ("fp16", "fp8", "int4")]
    assert [c.memory_byte for c in found] == sorted((c.memory_byte for c in found), reverse=True)
    assert [c.token_j for c in found] == sorted((c.token_j for c in found), reverse=True)
    assert not cost(DENSE, accelerator("snapdragon-8-gen3")).fits
    # 131,072 bytes of keys and values a token beside 16 GB of weights, in nine tenths of 80 GB.
    most = int((0.9 * 80e9 - found[0].memory_byte) / (131_072 * 1024))
    assert cost(DENSE, H100, batch=most).fits
    assert not cost(DENSE, H100, batch=most + 1).fits


def test_quality_is_what_was_measured_and_shares_along_a_chain_multiply():
    reference = f"{MODEL} fp16"
    assert relative(DENSE, reference).frac == 1.0
    small = Choice(kind="distilled", model="llama-3.2-3b", weights="int4")
    assert relative(small, reference).frac == pytest.approx(62.4 / 69.4)
    assert relative(dataclasses.replace(small, weights="fp8"), reference) is None
    assert relative(dataclasses.replace(DENSE, pattern="unstructured"), reference) is None


def test_the_command_lists_choices_with_their_sources_and_refuses_what_is_no_rank():
    words = ["model", "compress", MODEL, "-a", "jetson-agx-orin", "--batch", "4"]
    text = CliRunner().invoke(app, words)
    assert text.exit_code == 0
    assert f"{MODEL} fp16 2:4" in text.output
    assert "memory at rest alone" in text.output
    rows = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)["choices"]
    kinds = {row["kind"] for row in rows}
    assert kinds == {"bits", "sparse", "structured", "adapter", "distilled"}
    assert all(one["source"] for row in rows for one in row["qualities"])
    assert len({row["choice"] for row in rows}) == len(rows)
    for wrong in ("two", "0", "8,-1"):
        refused = CliRunner().invoke(app, [*words, "--ranks", wrong])
        assert refused.exit_code != 0
        assert "expected ranks" in refused.output + refused.stderr
