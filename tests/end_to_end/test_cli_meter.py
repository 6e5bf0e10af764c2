"""`tree6g meter` as people and programs call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tree6g.cli import app

SAMPLES = Path(__file__).parents[1] / "fixtures" / "meter"


def _run(*words):
    return CliRunner().invoke(app, ["meter", *map(str, words)])


def test_a_source_is_told_with_its_series_sums_and_traps():
    shown = _run("test", SAMPLES / "vllm.prom")
    assert shown.exit_code == 0
    assert "format  prometheus (vllm)" in shown.output
    assert "sum     token_in                        600 tok" in shown.output


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda p: p.name)
def test_every_sample_is_one_json_object_or_an_error_in_it(path):
    done = _run("test", path, "--json")
    said = json.loads(done.stdout)
    if "error" in said:
        assert done.exit_code == 2
        assert path.name in {"README.md", "any.csv"}
        return
    assert {"format", "series", "sums", "problems"} <= said.keys()
    assert said["format"]
    for row in said["series"]:
        assert {"name", "kind", "value_si", "unit"} <= row.keys()
        assert (row["value_si"] is None) == bool(row["reason"])


def test_a_table_of_any_maker_is_read_with_its_columns():
    words = ("--column", "time=Date", "--column", "energy=Energy (Wh):Wh", "--json")
    said = json.loads(_run("test", SAMPLES / "any.csv", *words).stdout)
    assert said["sums"][0]["value_si"] == pytest.approx(99.5 * 3600.0)


def test_what_is_no_source_ends_in_one_line_and_exit_code_2(tmp_path):
    nothing = tmp_path / "x.bin"
    nothing.write_bytes(b"\x00\x01\x02")
    for target in (nothing, tmp_path, tmp_path / "none", "http://127.0.0.1:9/metrics"):
        done = _run("test", target)
        assert done.exit_code == 2
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.output


def test_a_source_cannot_write_to_the_terminal_as_it_likes(tmp_path):
    evil = tmp_path / "evil.prom"
    evil.write_bytes(b'vllm:generation_tokens_total{model_name="\x1b[2J"} 1\n')
    assert "\x1b" not in _run("test", evil).output


def test_what_is_here_is_told_with_what_is_not():
    assert "absent" in _run("discover").output
    said = json.loads(_run("discover", "--json").stdout)
    assert said.keys() == {"offers", "absent"}


def test_what_a_target_says_is_recorded_and_played_back(tmp_path):
    sample = tmp_path / "vllm.prom"
    sample.write_bytes(b"vllm:generation_tokens_total 5\n")
    log = tmp_path / "log"
    words = ["meter", "record", f"llm={sample}", f"gone={tmp_path}/gone"]
    made = CliRunner().invoke(app, [*words, "--out", str(log), "--for", "10 ms", "--json"])
    assert made.exit_code == 0, made.output
    found = json.loads(made.stdout)
    assert (found["looks"], found["failed_looks"], found["targets"]) == (2, 1, ["llm", "gone"])
    assert found["log_byte"] > 0
    again = CliRunner().invoke(app, [*words[:2], str(sample), "--out", str(log)])
    assert again.exit_code == 2
    ended = CliRunner().invoke(app, ["meter", "replay", str(log), "--for", "10 ms"])
    assert "llm: http://127.0.0.1:" in ended.stdout
    told = CliRunner().invoke(app, ["meter", "replay", str(log), "--for", "10 ms", "--json"])
    assert set(json.loads(told.stdout)["targets"]) == {"llm", "gone"}
    refused = CliRunner().invoke(app, ["meter", "replay", str(tmp_path), "--speed", "60"])
    assert "a log of scrapes" in refused.stderr
