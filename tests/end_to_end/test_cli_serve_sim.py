"""`tree6g serve-sim` as a user runs it: figures, the ledger, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from tree6g import data
from tree6g.cli import app
from tree6g.compute.accelerator import CONSTANTS
from tree6g.compute.serving.scaling import Scaling
from tree6g.engine import serving
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger
from tree6g.metric.tree import figure


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    random = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("trace") / "requests.csv"
    rows = zip(
        np.cumsum(random.exponential(0.8, 200)).tolist(),
        random.integers(20, 3000, 200).tolist(),
        random.integers(1, 300, 200).tolist(),
        random.integers(-1, 5, 200).tolist(),
        strict=True,
    )
    head = "arrival_s,input_tokens,output_tokens,session_id\n"
    path.write_text(head + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def _run(*words):
    return CliRunner().invoke(app, [str(word) for word in ("serve-sim", *words)])


def _json(*words):
    done = _run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_serving_prints_latency_goodput_and_joules(trace):
    done = _run(trace, "--accelerator", "l4", "--weights", "int4")
    assert done.exit_code == 0, done.output
    for words in (
        "200 of 200 served", "TTFT", "TPOT", "ITL", "E2E", "goodput", "fluidity", "J/token",
        "J/request", "accelerators", "hosts", "site overhead", "conservation", "assumed:",
    ):  # fmt: skip
        assert words in done.stdout
    assert done.stdout.isascii()


def test_the_parts_of_the_energy_add_up(trace):
    found = _json(trace, "--accelerator", "l4", "--weights", "int4", "--pue", "1.4")
    parts = ("prefill_j", "decode_j", "recompute_j", "idle_j", "rest_j", "transfer_j")
    assert sum(found[p] for p in parts) == pytest.approx(found["energy_j"], rel=1e-9)
    assert found["conservation_error_frac"] < 1e-9
    equipment_j = found["energy_j"] + found["host_j"]
    assert found["overhead_j"] == pytest.approx(0.4 * equipment_j)
    assert found["total_j"] == pytest.approx(1.4 * equipment_j)
    assert found["j_per_tok"] == pytest.approx(found["energy_j"] / found["output_tok"])
    assert sum(found["j_per_request"].values()) == pytest.approx(found["energy_j"] / 200)


def test_two_runs_differ_in_run_info_only(trace):
    words = (trace, "--accelerator", "l4", "--weights", "int4", "--replicas", 3)
    one, two = (_json(*words, "--routing", "two_choices", "--seed", 4) for _ in range(2))
    for found in (one, two):
        assert set(found.pop("run_info")) >= {"wall_s", "cpu_s", "peak_rss_byte", "ledger"}
    assert one == two


@pytest.mark.parametrize(
    "fleet",
    [
        (),
        ("--replicas", 3, "--routing", "session", "--pue", 1.3),
        ("--prefill-replicas", 2, "--replicas", 2, "--routing", "shortest_queue"),
        ("--replicas", 4, "--scale-from", 1, "--start-waiting", 0, "--start-power", 50,
         "--off-power", 9, "--start-time", 5, "--idle-time", 3, "--pue", 1.1,
         "--routing", "least_loaded"),
        ("--give-up", 0.5, "--kv-capacity", 3200),
    ],
)  # fmt: skip
def test_the_ledger_of_a_fleet_is_sound_and_says_what_the_command_says(trace, tmp_path, fleet):
    found = _json(trace, "--accelerator", "l4", "--weights", "int4", "--out", tmp_path, *fleet)
    ledger = open_ledger(tmp_path / "ledger")
    report = check(ledger)
    assert report.problems == ()
    assert report.conservation_error_frac < 1e-9
    taken = figure(ledger)
    assert taken.energy_j == pytest.approx(found["total_j"], rel=1e-9)
    assert taken.tokens_out_tok == pytest.approx(found["output_tok"])
    (service,) = taken.services
    assert service.requests == found["served"]
    assert service.requests_lost == found["lost"]
    for name in ("latency", "power"):
        assert (tmp_path / "figures" / f"{name}.svg").stat().st_size > 1000


def test_a_later_run_takes_the_place_of_an_earlier_one(trace, tmp_path):
    for speed in (1, 2):
        assert _json(trace, "--speed", speed, "--out", tmp_path)["served"] == 200
    assert check(open_ledger(tmp_path / "ledger")).problems == ()


def test_what_cannot_be_is_refused_in_words(trace, tmp_path):
    for words, expected in (
        ((trace, "--accelerator", "h1000"), "Did you mean"),
        ((trace, "--model", "llama-9"), "model"),
        ((trace, "--model", "llama-3.1-70b"), "fit into"),
        ((trace, "--weights", "fp3"), "fp3"),
        ((trace, "--routing", "robin"), "expected a routing"),
        ((trace, "--pue", 0.5, "--speed", 0), "expected pue from 1 to 4"),
        ((trace, "--token-class", "image-generation"), "one deadline"),
        ((trace, "--kv-link", "fast"), "--kv-link"),
        ((trace, "--replicas", 2, "--scale-from", 3), "at most 2"),
        ((trace, "--engine", "vLLM 99"), "engine"),
        ((tmp_path / "none.csv",), "expected a trace file"),
    ):
        done = _run(*words)
        assert done.exit_code == 2, words
        assert expected in done.stderr
        assert "Traceback" not in done.stderr


def test_a_config_json_of_ones_own_is_served(trace, tmp_path):
    config = {
        "model_type": "llama", "hidden_size": 1024, "num_hidden_layers": 8,
        "num_attention_heads": 16, "num_key_value_heads": 4, "intermediate_size": 2816,
        "vocab_size": 32000, "tie_word_embeddings": False,
    }  # fmt: skip
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert _json(trace, "--model", path)["served"] == 200


def test_classes_of_a_trace_are_served_in_order(tmp_path):
    path = tmp_path / "classes.csv"
    rows = "".join(f"{0.001 * n},2000,100,{n % 2}\n" for n in range(60))
    path.write_text("arrival_s,input_tokens,output_tokens,priority\n" + rows)
    from tree6g.scenario.trace import read_trace

    options = serving.Options(
        accelerator="l4", model="llama-3.1-8b", weights="int4", priorities=True, max_sequences=4
    )
    done = serving.serve_trace(read_trace(path), options).done
    first = np.arange(60) % 2 == 0
    assert done.finish_s[first].mean() < done.finish_s[~first].mean()


def test_the_command_loads_no_heavy_library_without_a_ledger():
    code = (
        "import sys, tree6g.engine.serving, tree6g.report.serving;"
        "heavy = {'pyarrow', 'duckdb', 'pydantic', 'matplotlib', 'yaml', 'numba'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_locked_clock_saves_joules_and_a_power_cap_costs_time(trace):
    usual = _json(trace)
    locked = _json(trace, "--clock", "1200 MHz")
    capped = _json(trace, "--power-limit", "360 W")
    assert locked["energy_j"] < 0.9 * usual["energy_j"]
    # Decoding keeps its pace down to the knee: half of the clock costs far less than half of it.
    assert locked["tpot_s"]["mean"] < 1.2 * usual["tpot_s"]["mean"]
    assert capped["tpot_s"]["mean"] > usual["tpot_s"]["mean"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--clock", "3 GHz"), "expected a clock of 'h100-sxm' (1980 MHz"),
        (("--power-limit", "100 W"), "expected a power limit above"),
        (("--constants", "none.csv"), "cannot be read"),
    ],
)
def test_a_device_that_cannot_be_is_refused(trace, words, told):
    done = _run(trace, *words)
    assert done.exit_code == 2
    assert told in done.stderr


def test_constants_of_ones_own_are_used_and_named(trace, tmp_path):
    row = data.row("engine_constants", "h100-sxm|vLLM 0.11.1")
    names = ("accelerator", "engine", *CONSTANTS, "u95_frac")
    plain = {name: row[name] for name in names} | {"engine": "mine", "static_w": 400.0}
    table = tmp_path / "mine.csv"
    table.write_text(",".join(plain) + "\n" + ",".join(map(str, plain.values())) + "\n")
    assert _json(trace, "--constants", table)["energy_j"] > _json(trace)["energy_j"]
    assert "constants of h100-sxm with mine from mine.csv" in _run(
        trace, "--constants", table
    ).stdout.replace("\n  ", " ")


def test_pictures_cost_a_vision_language_model_more_than_text(trace):
    words = (trace, "--model", "llava-1.5-7b")
    assert _json(*words, "--pictures")["energy_j"] > _json(*words)["energy_j"]


def test_pipeline_stages_hold_what_one_device_cannot(trace):
    found = _json(trace, "--model", "llama-3.1-70b", "--tensor-parallel", "2", "--pipeline", "2")
    assert found["served"] == 200


def _trace_of(folder, *rows):
    path = folder / "few.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n" + "\n".join(rows) + "\n")
    return path


def test_a_trace_of_which_nothing_can_be_served_is_told_without_a_fault(tmp_path):
    done = _run(_trace_of(tmp_path, "0,9999999,1", "0,9999999,1"))
    assert done.exit_code == 0, done.output
    assert "0 of 2 served, 2 lost (2 too long for the KV cache)" in done.stdout
    kept = _run(tmp_path / "few.csv", "--out", tmp_path / "night")
    assert kept.exit_code == 2
    assert "a request that is served" in kept.stderr


def test_a_pace_that_no_answer_has_is_not_printed_as_zero(tmp_path):
    lines = _run(_trace_of(tmp_path, "0,100,1", "1,1,1")).stdout.splitlines()
    (pace,) = (line for line in lines if line.startswith("TPOT"))
    assert pace.split()[1:6] == ["-"] * 5


def test_a_model_that_only_reads_answers_with_one_pass_or_not_at_all(tmp_path):
    done = _run(_trace_of(tmp_path, "0,100,5"), "--model", "bert-base")
    assert done.exit_code == 2
    assert "'bert-base' only reads" in done.stderr
    assert _json(_trace_of(tmp_path, "0,100,1"), "--model", "bert-base")["served"] == 1


def test_what_was_asked_for_stands_in_the_result(trace):
    words = ("--tensor-parallel", 2, "--pipeline", 2, "--clock", "1200 MHz", "--speed", 2,
             "--power-limit", "650 W", "--give-up", 60)  # fmt: skip
    found = _json(trace, *words)
    assert (found["tensor_parallel"], found["pipeline"], found["clock"]) == (2, 2, "1200 MHz")
    assert (found["power_limit_w"], found["speed"], found["give_up_s"]) == (650, 2, 60)
    head = _run(trace, *words).stdout.splitlines()[0]
    for part in ("2 pipeline stages", "clock locked to 1200 MHz", "650 W", "2 times as fast"):
        assert part in head


def test_options_that_do_not_go_together_are_refused_in_words(trace):
    for words, told in (
        (("--pictures",), "reads text alone"),
        (("--pipeline", 100), "at most 32 pipeline stages"),
        (("--prefill-replicas", 1, "--scale-from", 1), "for prompts alone; got both"),
    ):
        done = _run(trace, *words)
        assert done.exit_code == 2, words
        assert told in done.stderr


def test_a_fleet_whose_link_is_too_slow_does_not_keep_up(trace):
    words = (trace, "--prefill-replicas", 1, "--replicas", 2)
    assert _json(*words)["saturation"] == "keeps up"
    assert _json(*words, "--kv-link", "1 Mbps")["saturation"] == "saturated"


@pytest.mark.parametrize(
    "fleet",
    [{}, {"replicas": 2, "prefill_replicas": 2}, {"replicas": 3, "scaling": Scaling(least=1)},
     {"kv_capacity_tok": 4000.0}],
)  # fmt: skip
def test_as_many_are_there_on_average_as_come_times_how_long_they_stay(trace, fleet):
    options = serving.Options(accelerator="h100-sxm", model="llama-3.1-8b", **fleet)
    run = serving.serve_trace(serving.read(trace), options)
    stays_s = (run.done.finish_s - run.done.requests.arrival_s).sum()
    found = run.summary.mean_running + run.summary.mean_waiting
    assert found == pytest.approx(stays_s / run.done.end_s, rel=1e-9)
