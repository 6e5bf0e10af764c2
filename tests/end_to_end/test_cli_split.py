"""`tree6g split` as a user runs it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from tree6g.cli import app


def _run(*words):
    return CliRunner().invoke(app, ["split", *map(str, words)])


def _json(*words):
    done = _run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_best_cut_stands_first_and_both_ends_beside_it():
    done = _run("llama-3.1-8b", "--load", 4)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "llama-3.1-8b: cuts by energy"
    assert lines[3].startswith("best: ")
    for words in ("all on the server", "all on the device", "note: Modelled, not measured"):
        assert words in done.stdout


def test_json_has_every_cut_and_its_parts_sum_up():
    found = _json("meta-llama/Llama-3.2-1B-Instruct", "--keep-layers", 1)
    assert found["layers"] == 17
    assert [cut["device_layers"] for cut in found["cuts"]] == list(range(18))
    assert not found["cuts"][0]["allowed"]
    for cut in found["cuts"]:
        parts = sum(cut[name] for name in ("device_j", "radio_j", "network_j", "server_j"))
        assert cut["energy_j"] == pytest.approx(parts, rel=1e-9)
    kept = [cut["energy_j"] for cut in found["cuts"] if cut["allowed"]]
    assert found["best"]["energy_j"] == min(kept)


def test_a_loaded_server_takes_all_and_an_idle_one_leaves_layers_to_the_phone():
    idle, loaded = (_json("llama-3.1-8b", "--load", load)["best"] for load in (1, 64))
    assert loaded["device_layers"] == 0
    assert idle["device_layers"] > 0


def test_a_residual_network_is_never_cut_in_its_stem():
    found = _json("resnet50", "--device", "raspberry-pi-5", "--aim", "latency")
    raw, stem = found["cuts"][0], found["cuts"][1]
    assert stem["up_byte"] > raw["up_byte"]
    assert stem["latency_s"] > raw["latency_s"]
    assert found["best"]["device_layers"] != 1


def test_the_figure_is_written_in_three_forms_with_its_numbers(tmp_path):
    found = _json("alexnet", "--device", "raspberry-pi-5", "--aim", "latency", "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "best-cut.svg", "best-cut.png", "best-cut.csv", "cuts.csv",
    }  # fmt: skip
    assert len(found["files"]) == 4
    rows = list(csv.DictReader(io.StringIO((tmp_path / "best-cut.csv").read_text())))
    shown = [[float(row["device_layers"]) for row in rows][i * 9 : i * 9 + 9] for i in range(8)]
    assert shown == found["sweep"]["device_layers"]
    assert b"Best cut over uplink rate" in (tmp_path / "best-cut.svg").read_bytes()


def test_limits_that_nothing_keeps_are_told_with_what_comes_nearest():
    done = _run("llama-3.1-8b", "--keep-layers", 1, "--uplink", "100 kbps")
    assert done.exit_code == 2
    assert "first token" in done.output
    assert "limit 2 s" in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("no-such-model",), "expected a packaged model"),
        (("llama-3.1-8b", "--uplink", "fast"), "--uplink: expected a quantity"),
        (("llama-3.1-8b", "--uplink", "0 bps"), "--uplink: expected"),
        (("llama-3.1-8b", "--device", "toaster"), "'toaster'"),
        (("llama-3.1-8b", "--device-weights", "int3"), "expected a format of weights"),
        (("llama-3.1-8b", "--compression", "zip"), "expected a packing of the cut"),
        (("llama-3.1-8b", "--aim", "fame"), "expected an aim"),
        (
            ("llama-3.1-8b", "--aim", "tree", "--token-class", "assistant-concave"),
            "expected a class with a linear utility for --aim tree; 'assistant-concave' has 'log'",
        ),
        (("deepseek-v3",), "the nearest lacks"),
        (("llama-3.1-8b", "--keep-layers", 99), "at most 33 layers to stay on the device"),
        (("bert-base",), "expected a decoder"),
        (("alexnet", "--head-on-device"), "expected a model with an output head"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(words, told):
    done = _run(*words)
    assert done.exit_code == 2, done.output
    assert told in done.output
    assert "Traceback" not in done.output
