"""`tree6g model` as a user runs it: packaged models, a config file, models of one's own."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tree6g import data
from tree6g.cli import app
from tree6g.scenario import model_config


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TREE6G_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(dict(data.model_config("qwen3-0.6b"))))
    return file


def _call(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done


def _json(*words):
    return json.loads(_call(*words, "--json").stdout)


def test_show_prints_parameters_by_part():
    shown = _json("model", "show", "openai/gpt-oss-20b")
    assert shown["parameters"] == 20_914_757_184
    assert (
        sum(v for k, v in shown["parameters_by_part"].items() if k != "active")
        == (shown["parameters"])
    )
    assert "20,914,757,184" in _call("model", "show", "gpt-oss-20b").stdout


def test_count_prints_flop_bytes_cache_and_adapters():
    words = ("model", "count", "llama-3-8b", "--format", "q4_k_m", "--lora", 8, "--context", 100)
    found = _json(*words)
    assert found["forward_flop"] == 7_822_209_187_840
    assert found["cache_byte"] == 100 * 131_072
    assert found["lora"]["parameters"] == 3_407_872
    assert found["format"] == "Q4_K_M"
    halved = _json("model", "count", "llama-3-8b", "--causal", "--last-only", "--tokens", 512)
    pairs, head = 32 * 2 * 512**2 * 4096, 511 * 2 * 4096 * 128_256
    assert found["forward_flop"] - halved["forward_flop"] == pairs + head
    assert "lora" in _call(*words).stdout


def test_a_convolutional_network_is_shown_layer_by_layer():
    shown = _json("model", "show", "resnet50")
    assert (shown["parameters"], len(shown["layers"])) == (25_557_032, 20)
    assert "stage4.block3" in _call("model", "show", "ResNet50").stdout


def test_a_config_file_is_counted_where_it_lies(config):
    assert _json("model", "show", config)["parameters"] == 596_049_920


def test_an_added_model_can_be_named(config, own_folder):
    assert _json("model", "add", "mine", config)["file"] == str(own_folder / "mine.json")
    assert model_config.added() == ("mine",)
    assert model_config.known("mine")
    assert model_config.known("Qwen/Qwen3-8B")
    assert not model_config.known("unheard-of")
    assert _json("model", "show", "mine")["parameters"] == 596_049_920
    assert "--replace" in _call("model", "add", "mine", config, code=2).stderr
    assert "kept in" in _call("model", "add", "mine", config, "--replace").stdout


def test_remarks_of_an_added_model_are_told(tmp_path):
    file = tmp_path / "new.json"
    file.write_text(json.dumps({**data.model_config("llama-3.2-1b"), "model_type": "newest"}))
    assert "note: model_type 'newest' is not known" in _call("model", "add", "new", file).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "lama-3.1-8b"), "Did you mean 'llama-3.1-8b'"),
        (("show", "absent.json"), "cannot be read"),
        (("count", "gpt2", "--format", "q9"), "format of weights"),
        (("count", "gpt2", "--lora", "4", "--targets", "w"), "It has"),
    ],
)
def test_wrong_names_end_in_words(words, told):
    done = _call("model", *words, code=2)
    assert told in done.stderr
    assert "Traceback" not in done.output


def test_files_and_names_that_cannot_be_added_are_told(tmp_path, config):
    for name, words in (("Mine!", "a-z"), ("gpt2", "packaged model")):
        assert words in _call("model", "add", name, config, code=2).stderr
    for text, words in (("[]", "holds a list"), ("{", "no JSON"), ("{}", "missing")):
        file = tmp_path / "faulty.json"
        file.write_text(text)
        assert words in _call("model", "add", "mine", file, code=2).stderr
    assert model_config.added() == ()


def test_the_folder_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.delenv("TREE6G_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert model_config.folder() == tmp_path / "tree6g" / "models"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert model_config.folder().parts[-4:] == (".local", "share", "tree6g", "models")


def test_validate_counts_prints_how_much_was_compared(tmp_path):
    file = tmp_path / "counts.csv"
    file.write_text("model,params,layers\ngpt2,124439808,12\n")
    shown = _call("validate", "counts", file).stdout
    assert shown.startswith("Counts: all 2 integers of 1 row and 1 model exact")
    assert _json("validate", "counts", file)["max_abs_error"] == 0.0
    _call("validate", "counts", file, "--out", tmp_path / "page")
    assert (tmp_path / "page" / "validation.html").is_file()
