"""Packaged models: their counts are the published ones, and names lead to them."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path

import pytest

from tree6g import data
from tree6g.compute.model.catalogue import architecture, find, names
from tree6g.compute.model.counts import forward_flop, parameters
from tree6g.compute.model.networks import NETWORKS, network
from tree6g.errors import DataError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "models"


def _rows(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


TABLE = _rows(resources.files("tree6g.data").joinpath("tables", "models.csv"))
PUBLISHED = [(r["model"], r["published_parameters"]) for r in TABLE if r["published_parameters"]]
COUNTED = [
    (row["model"], int(row["parameters"]))
    for row in _rows(FIXTURES / "counted_by_transformers.csv")
]
FLOP = [(row["model"], int(row["flop"])) for row in _rows(FIXTURES / "flop_by_torch.csv")]


def test_there_are_more_than_a_hundred_models_and_each_has_its_config():
    assert len(names()) > 100
    files = resources.files("tree6g.data").joinpath("configs").iterdir()
    assert sorted(f.name.removesuffix(".json") for f in files) == sorted(names())
    assert {name for name in data.table("models") if name not in names()} == {*NETWORKS}


def test_sizes_reach_from_a_tenth_of_a_billion_to_more_than_671_billion():
    sizes = [parameters(architecture(name)).total for name in names()]
    assert min(sizes) < 0.13e9
    assert max(sizes) > 671e9


@pytest.mark.parametrize(("name", "counted"), COUNTED, ids=[name for name, _ in COUNTED])
def test_parameters_are_those_that_transformers_builds(name, counted):
    assert parameters(architecture(name)).total == counted


@pytest.mark.parametrize(("name", "counted"), FLOP, ids=[name for name, _ in FLOP])
def test_flop_of_a_pass_are_those_that_torch_counts(name, counted):
    model = architecture(name)
    assert forward_flop(model, model.positions or 64) == counted


@pytest.mark.parametrize(("name", "published"), PUBLISHED, ids=[name for name, _ in PUBLISHED])
def test_parameters_round_to_the_published_total(name, published):
    ours = network(name).parameters if name in NETWORKS else parameters(architecture(name)).total
    digits = len(published.partition("e")[0].replace(".", "").lstrip("0"))
    assert float(f"{ours:.{digits - 1}e}") == float(published)


@pytest.mark.parametrize("name", names())
def test_parts_sum_to_the_total(name):
    p = parameters(architecture(name))
    parts = (p.embedding, p.position, p.head, p.body, p.routed, p.encoder, p.vision)
    assert sum(parts) == p.total
    assert p.active <= p.total


@pytest.mark.parametrize(
    ("name", "active_b"),
    [("mixtral-8x7b", 12.9), ("mixtral-8x22b", 39.1), ("qwen3-30b-a3b", 3.3),
     ("qwen3-235b-a22b", 22), ("qwen3-coder-480b-a35b", 35), ("gpt-oss-20b", 3.6),
     ("gpt-oss-120b", 5.1), ("deepseek-v3", 37), ("kimi-k2", 32)],
)  # fmt: skip
def test_active_parameters_are_the_published_ones(name, active_b):
    """Publishers differ in whether they count the input embedding; this is within 6 %."""
    p = parameters(architecture(name))
    assert (p.active - p.embedding) / 1e9 <= 1.06 * active_b
    assert p.active / 1e9 >= 0.94 * active_b


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("meta-llama/Llama-3.1-405B-Instruct-FP8", "llama-3.1-405b"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", "qwen3-30b-a3b"),
        ("QWEN/qwen3-32b", "qwen3-32b"),
        ("google/codegemma-1.1-2b", "gemma-2b"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b-v0.3"),
        ("nvidia/NVIDIA-Nemotron-Nano-9B-v2", "nemotron-nano-9b-v2"),
        ("llama2-70b", "llama-2-70b"),
        ("Gemma3-1B", "gemma-3-1b"),
        ("llama3.2:3b", "llama-3.2-3b"),
        ("GPT-3 175B", "gpt-3-175b"),
        ("resnet50", "resnet50"),
    ],
)
def test_repositories_and_colloquial_names_lead_to_a_model(text, name):
    assert find(text) == name


def test_names_that_mean_nothing_or_too_much_say_what_is_near():
    with pytest.raises(DataError, match=r"Did you mean 'llama-3\.1-8b'.*tree6g model add"):
        find("lama-3.1-8b")
    with pytest.raises(DataError, match="may be phi-3-mini-4k, phi-3-mini-128k"):
        find("phi-3-mini")
    with pytest.raises(DataError, match="convolutional network"):
        architecture("resnet50")
    with pytest.raises(DataError, match="expected a packaged model"):
        data.model_config("none")
    with pytest.raises(DataError, match="got ''"):
        find("")
