"""Models from a config alone: what families differ in, and what a faulty config is told."""

from __future__ import annotations

import contextlib

import pytest

from tree6g.compute.model import counts
from tree6g.compute.model.architecture import Linear
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.config import from_config, known
from tree6g.compute.model.footprint import footprint, per_layer
from tree6g.compute.model.lora import adapter, adapter_parameters
from tree6g.errors import DataError

LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}


def test_hand_count_of_a_small_llama():
    model = from_config(LLAMA, "small")
    layer = 64 * 64 + 2 * 64 * 16 + 64 * 64 + 3 * 64 * 128 + 2 * 64
    assert counts.parameters(model).total == 2 * 100 * 64 + 3 * layer + 64
    assert counts.kv_values_per_tok(model) == 3 * 2 * 2 * 8
    products = 2 * (layer - 2 * 64)
    assert counts.forward_flop(model, 10) == 3 * (10 * products + 4 * 100 * 64) + 20 * 64 * 100
    assert counts.forward_flop(model, 10, last_only=True) == 3 * (10 * products + 4 * 100 * 64) + (
        2 * 64 * 100
    )


def test_equal_layers_share_one_record():
    assert len({id(layer) for layer in architecture("llama-3.1-405b").layers}) == 1
    assert len({id(layer) for layer in architecture("gemma-3-27b").layers}) == 2


def test_all_missing_fields_are_named_at_once():
    with pytest.raises(DataError) as told:
        from_config({"model_type": "llama", "vocab_size": -3, "hidden_size": "wide"}, "broken")
    for words in (
        "hidden_size must be a whole number; got 'wide'",
        "num_attention_heads",
        "num_hidden_layers",
        "intermediate_size",
        "vocab_size must not be negative",
    ):
        assert words in str(told.value)


@pytest.mark.parametrize("config", [{}, {"model_type": "deepseek_v3"}, {"model_type": "nemotron_h"},
                                    {"model_type": "qwen3_vl"}, {"model_type": "whisper"},
                                    {"model_type": "bert"}, {"model_type": "gpt2"}])  # fmt: skip
def test_empty_configs_end_in_words(config):
    with pytest.raises(DataError, match="missing"):
        from_config(config, "empty")


@pytest.mark.parametrize("kind", known())
def test_no_family_ends_in_another_error_on_a_config_of_another(kind):
    with contextlib.suppress(DataError):
        assert from_config({**LLAMA, "model_type": kind}, "odd").layers


def test_an_unknown_family_counts_as_llama_and_says_so():
    model = from_config({**LLAMA, "model_type": "newest"}, "new")
    assert "'newest' is not known" in model.remarks[0]
    same = from_config(LLAMA, "small")
    assert counts.parameters(model) == counts.parameters(same)


def test_an_unknown_family_with_experts_is_refused():
    with pytest.raises(DataError, match="experts, whose form differs"):
        from_config({**LLAMA, "model_type": "newest", "num_experts": 8}, "new")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 9},
            "at most the 4 that there are; got 9",
        ),
        ({"num_attention_heads": 4, "num_key_value_heads": 3}, "multiple of num_key_value_heads"),
        (
            {"model_type": "gemma2", "sliding_window": 8, "layer_types": ["full_attention"]},
            "layer_types has 1 values, too few",
        ),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(changed, told):
    with pytest.raises(DataError, match=told):
        from_config({**LLAMA, **changed}, "odd")


def test_a_text_instead_of_fields_is_refused():
    with pytest.raises(DataError, match="got list"):
        from_config([1, 2], "list")


def test_windows_keep_no_more_than_their_width():
    model = architecture("gemma-2-2b")
    whole, window = 13 * 2 * 4 * 256, 13 * 2 * 4 * 256
    assert counts.cache_values(model, 1000) == 1000 * (whole + window)
    assert counts.cache_values(model, 10_000) == 10_000 * whole + 4096 * window
    summary = footprint(model)
    assert (summary.window_tok, summary.kv_value_per_tok) == (4096.0, whole)
    assert summary.window_kv_value_per_tok == window


def test_latent_attention_keeps_576_values_per_layer_and_absorbs_in_decode():
    summary = footprint(architecture("deepseek-v3"))
    assert summary.kv_value_per_tok == 61 * 576
    assert summary.attention_flop == 61 * 2 * 128 * (192 + 128)
    assert summary.decode_attention_flop == 61 * 2 * 128 * (576 + 512)
    assert (summary.experts, summary.experts_active, summary.moe_layers) == (256, 8, 58)


def test_sparse_attention_keeps_all_and_reads_what_its_index_picks():
    summary = footprint(architecture("deepseek-v3.2"))
    assert summary.window_tok == 2048.0
    assert summary.kv_value_per_tok == 61 * (576 + 128)
    assert summary.attention_flop == 61 * 2 * 64 * 128


def test_a_hybrid_keeps_states_and_few_keys():
    summary = footprint(architecture("nemotron-nano-12b-v2"))
    assert summary.kv_value_per_tok == 6 * 2 * 8 * 128
    assert summary.state_value == 28 * (128 * 80 * 128 + (128 * 80 + 2 * 8 * 128) * 4)


def test_a_tied_embedding_is_read_once_as_the_head():
    tied = footprint(architecture("llama-3.2-1b"))
    assert tied.step_parameters == tied.parameters
    assert tied.tied
    own = footprint(architecture("llama-3.1-8b"))
    assert own.step_parameters == own.parameters - 128_256 * 4096


def test_decode_steps_read_no_experts_and_no_pictures():
    summary = footprint(architecture("qwen3-vl-30b-a3b"))
    assert summary.expert_parameters == 48 * 128 * 3 * 2048 * 768
    rest = summary.parameters - summary.expert_parameters - summary.vision_parameters
    assert summary.step_parameters == rest - summary.embedding_parameters
    assert summary.prompt_flop_per_tok == (
        summary.decode_flop_per_tok + summary.vision_flop_per_tok
    )


def test_an_encoder_decoder_reads_its_prompt_in_the_encoder():
    summary = footprint(architecture("t5-base"))
    encoder = 12 * 2 * (4 * 768 * 768 + 2 * 768 * 3072)
    keys = 12 * 2 * 2 * 768 * 768
    assert summary.prompt_flop_per_tok == encoder + keys
    assert summary.kv_value_per_tok == 2 * 12 * 2 * 768


def test_layers_sum_to_the_model():
    model = architecture("gpt-oss-20b")
    summary, layers = footprint(model), per_layer(model)
    assert sum(layer.flop_per_tok for layer in layers) == summary.decode_flop_per_tok
    assert sum(layer.expert_parameters for layer in layers) == summary.expert_parameters
    assert [layer.window_tok for layer in layers[:2]] == [128.0, 0.0]
    assert layers[0].hidden_value_per_tok == 2880


def test_windows_of_several_sizes_are_averaged_and_told():
    kinds = ["sliding_attention", "full_attention"]
    small = from_config({**LLAMA, "model_type": "ministral", "sliding_window": 8,
                         "layer_types": kinds, "num_hidden_layers": 2}, "two")  # fmt: skip
    assert footprint(small).window_tok == 8.0
    mixed = footprint(architecture("llama-4-scout-17b-16e"))
    assert mixed.window_tok == 8192.0


def test_adapters_of_grouped_values_are_smaller():
    assert adapter(architecture("llama-2-7b"), 8).parameters == 4_194_304
    assert adapter(architecture("llama-3-8b"), 8).parameters == 3_407_872
    assert adapter(architecture("mt0-large"), 8).parameters == 2_359_296
    assert adapter_parameters(2, [Linear(name="q", inputs=3, outputs=4)]) == 14
    made = adapter(architecture("llama-3-8b"), 8, ["q", "k", "v", "o", "gate", "up", "down"])
    assert (made.matrices, made.stored_byte()) == (7 * 32, 2.0 * made.parameters)


def test_adapters_ask_for_a_rank_and_names_that_are_there():
    with pytest.raises(DataError, match="rank of at least 1"):
        adapter(architecture("llama-3-8b"), 0)
    with pytest.raises(DataError, match="It has down, gate, k, o, q, up, v"):
        adapter(architecture("llama-3-8b"), 8, ["query"])
    with pytest.raises(DataError, match="got none"):
        adapter(architecture("llama-3-8b"), 8, [])


def test_a_forward_pass_needs_a_token():
    with pytest.raises(DataError, match="at least one token"):
        counts.forward_flop(architecture("gpt2"), 0)


@pytest.mark.parametrize(("name", "positions", "gflop"), [("vit-base", 197, 35.2),
                                                          ("vit-large", 197, 123.3)])  # fmt: skip
def test_vision_transformers_compute_what_is_published(name, positions, gflop):
    """Published: 17.6 and 61.6 GMAC per picture (DeiT paper, Table 5; timm), two FLOP each."""
    model = architecture(name)
    assert model.positions == positions
    assert counts.forward_flop(model, positions) / 1e9 == pytest.approx(gflop, rel=0.005)
