"""What weights take, by format, against the sizes of published files."""

from __future__ import annotations

import itertools

import pytest

from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import footprint
from tree6g.compute.model.formats import (
    expert_byte,
    names,
    step_byte,
    stored_byte,
    weight_format,
)
from tree6g.errors import DataError


@pytest.mark.parametrize(
    ("model", "kind", "file_mb"),
    [
        ("llama-3.1-8b", "Q4_K_M", 4920),
        ("llama-3.2-3b", "Q4_K_M", 2020),
        ("llama-3.2-3b", "Q8_0", 3420),
        ("qwen3-4b", "Q4_K_M", 2500),
        ("qwen3-4b", "Q8_0", 4280),
        ("qwen2.5-7b", "Q4_K_M", 4700),
        ("gpt-oss-20b", "mxfp4", 13_761),
        ("gpt-oss-120b", "mxfp4", 65_250),
    ],
)
def test_files_are_as_large_as_published(model, kind, file_mb):
    ours = stored_byte(footprint(architecture(model)), weight_format(kind))
    assert ours / 1e6 == pytest.approx(file_mb, rel=0.01)


def test_one_width_for_all_is_parameters_times_width():
    for name in ("llama-3.1-8b", "gemma-3-4b", "mixtral-8x7b", "whisper-small", "llama-3.2-1b"):
        model = footprint(architecture(name))
        assert stored_byte(model, weight_format("fp16")) == 2.0 * model.parameters
        assert stored_byte(model, weight_format("int4")) == pytest.approx(0.6 * model.parameters)
        assert step_byte(model, weight_format("bf16")) == 2.0 * model.step_parameters


def test_eight_bits_leave_embedding_and_head_in_sixteen():
    model = footprint(architecture("llama-3.1-8b"))
    ends = model.embedding_parameters + model.head_parameters
    assert stored_byte(model, weight_format("fp8")) == model.parameters + ends


def test_mxfp4_stores_only_experts_narrow_where_there_are_any():
    model = footprint(architecture("gpt-oss-20b"))
    kind = weight_format("MXFP4")
    assert expert_byte(model, kind) == model.expert_parameters * 4.25 / 8
    assert step_byte(model, kind) == 2.0 * model.step_parameters
    dense = footprint(architecture("llama-3.1-8b"))
    assert step_byte(dense, kind) < step_byte(dense, weight_format("fp8"))


def test_fewer_bits_take_fewer_bytes():
    model = footprint(architecture("llama-3.1-8b"))
    order = ("fp32", "fp16", "fp8", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "IQ2_XXS",
             "IQ1_S", "Q1_0")  # fmt: skip
    sizes = [stored_byte(model, weight_format(name)) for name in order]
    pairs = list(itertools.pairwise(sizes))
    assert all(a > b for n, (a, b) in enumerate(pairs) if n != 2)  # fp8 keeps its ends wide


def test_the_mean_of_a_mixture_is_that_of_llama_3_1():
    model = footprint(architecture("llama-3.1-8b"))
    for name, bits in (("Q4_K_M", 4.8944), ("Q2_K", 3.1593), ("IQ3_M", 3.7628), ("Q6_K", 6.5633)):
        ours = 8 * stored_byte(model, weight_format(name)) / model.parameters
        assert ours == pytest.approx(bits, abs=0.002)


def test_unknown_formats_name_the_nearest():
    assert "nvfp4" in names()
    with pytest.raises(DataError, match="Did you mean 'Q4_K_S'"):
        weight_format("Q4_K_N")
