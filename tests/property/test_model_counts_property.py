"""Laws of the counts: additive over layers, quadratic in tokens, fewer heads keep less."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.compute.model import counts
from tree6g.compute.model.catalogue import architecture, names
from tree6g.compute.model.config import from_config
from tree6g.compute.model.footprint import footprint, per_layer
from tree6g.compute.model.lora import adapter

DECODERS = [name for name in names() if architecture(name).kind == "decoder"]


@st.composite
def configs(draw):
    heads = draw(st.sampled_from([2, 4, 8, 16]))
    return {
        "model_type": draw(st.sampled_from(["llama", "qwen2", "qwen3", "gemma2", "mistral"])),
        "hidden_size": heads * draw(st.integers(2, 64)),
        "intermediate_size": draw(st.integers(1, 400)),
        "num_hidden_layers": draw(st.integers(1, 12)),
        "num_attention_heads": heads,
        "num_key_value_heads": draw(st.sampled_from([h for h in (1, 2, 4, 8, 16) if h <= heads])),
        "vocab_size": draw(st.integers(1, 1000)),
        "sliding_window": draw(st.integers(1, 100)),
        "tie_word_embeddings": draw(st.booleans()),
    }


@given(configs())
def test_parameters_and_flop_are_additive_over_layers(config):
    model = from_config(config, "any")
    fewer = dataclasses.replace(model, layers=model.layers[:-1])
    last = model.layers[-1]
    grown = counts.parameters(model).total - counts.parameters(fewer).total
    assert grown == counts.layer_parameters(last)
    flop = counts.forward_flop(model, 7) - counts.forward_flop(fewer, 7)
    assert flop == counts.layer_flop(last, 7)


@given(configs(), st.integers(1, 5_000))
def test_flop_of_a_pass_are_exactly_quadratic_in_its_tokens(config, tokens):
    model = from_config(config, "any")
    first, second, third = (counts.forward_flop(model, k * tokens) for k in (1, 2, 3))
    square = sum(m.context_flop + m.window_flop for m in counts.mixers(model))
    assert third - 2 * second + first == 2 * square * tokens**2
    assert second - first - 3 * square * tokens**2 == first - square * tokens**2


@given(configs(), st.integers(1, 5_000))
def test_skipping_the_future_saves_half_the_pairs_or_more(config, tokens):
    model = from_config(config, "any")
    whole = counts.forward_flop(model, tokens)
    pairs = tokens**2 * sum(m.context_flop + m.window_flop for m in counts.mixers(model))
    assert counts.forward_flop(model, tokens, causal=True) <= whole - pairs // 2


@given(configs())
def test_grouped_heads_keep_less_and_store_less(config):
    grouped = from_config(config, "grouped")
    every = {**config, "num_key_value_heads": config["num_attention_heads"]}
    plain = from_config(every, "plain")
    assert counts.kv_values_per_tok(grouped) <= counts.kv_values_per_tok(plain)
    assert counts.parameters(grouped).total <= counts.parameters(plain).total


@given(configs(), st.integers(1, 10_000))
def test_a_longer_context_never_keeps_less(config, context):
    model = from_config(config, "any")
    assert counts.cache_values(model, context) <= counts.cache_values(model, context + 1)


@given(configs(), st.integers(1, 64))
def test_adapters_grow_in_proportion_to_their_rank(config, rank):
    model = from_config(config, "any")
    assert adapter(model, rank).parameters == rank * adapter(model, 1).parameters


@pytest.mark.parametrize("name", DECODERS)
def test_layers_sum_to_the_footprint(name):
    model = architecture(name)
    whole, layers = footprint(model), per_layer(model)
    assert len(layers) == whole.layers
    stem = sum(part.flop_per_tok for part in model.stem)
    assert sum(layer.flop_per_tok for layer in layers) + stem == whole.decode_flop_per_tok
    assert sum(layer.expert_parameters for layer in layers) == whole.expert_parameters
    assert sum(layer.kv_value_per_tok for layer in layers) == whole.kv_value_per_tok
    assert sum(layer.state_value for layer in layers) == whole.state_value
    assert whole.step_parameters <= whole.parameters


@pytest.mark.parametrize("name", DECODERS)
def test_a_prompt_of_one_token_costs_what_a_decoded_token_costs(name):
    model = architecture(name)
    summary = footprint(model)
    pairs = sum(m.context_flop + m.window_flop for m in counts.mixers(model) if m.kind != "cross")
    products = summary.decode_flop_per_tok + summary.head_flop
    assert counts.forward_flop(model, 1) == products + pairs
