"""The agent's config: what it means, and all of its faults at once."""

from __future__ import annotations

import pytest

from tree6g.errors import ScenarioError
from tree6g.meter.agent.config import load, load_text, token_of

WHOLE = """
name: lab
ledger: somewhere
interval: 1 s
flush: 1 min
keep: 30 d
disk: 2 GB
boundary: full
phase_weights: weights.yaml
services:
  chat: {kind: ai, profile: assistant, tenant: alice, alpha: 1000, weight: 2}
  data: {kind: data, node: "cell-*", delay_budget: 100 ms}
targets:
  llama: {url: http://127.0.0.1:8080/metrics, node: box, tier: edge, timeout: 500 ms}
  front: {url: "http://127.0.0.1:8081/metrics", node: box, tenants_of: llama, settle: 1 min}
  power: {url: "https://10.0.0.5/rpc", node: box, component: host, contains: [gpus, cpu]}
  gpus: {nvml: true, node: box}
  cpu: {cpu_time: {pid: 12}, node: box, idle: 12 W, full: 65 W, exponent: 0.8, calibrated: true}
  ran: {files: "pm/*.xml", tier: ran}
idle: {box/gpu: 60 W}
"""


def test_quantities_become_si_and_paths_stand_beside_the_file(tmp_path):
    (tmp_path / "weights.yaml").write_text("- {kind: token_in, weight: 0.5, node: box}\n")
    (tmp_path / "meter.yaml").write_text(WHOLE)
    config = load(tmp_path / "meter.yaml")
    assert (config.interval_s, config.keep_s, config.disk_byte) == (1.0, 30 * 86400.0, 2e9)
    assert config.phase_weights == ({"kind": "token_in", "weight": 0.5, "node": "box"},)
    targets = {target.name: target for target in config.targets}
    assert targets["ran"].where == str(tmp_path / "pm/*.xml")
    assert targets["llama"].timeout_s == 0.5
    assert targets["front"].settle_s == 60.0
    assert targets["power"].contains == ("gpus", "cpu")
    assert (targets["cpu"].cpu.full_w, targets["cpu"].cpu.u95_frac) == (65.0, 0.15)
    assert config.idle_w == {("box", "gpu"): 60.0}
    assert config.services[1].patterns == {"node": "cell-*"}
    assert config.services[1].delay_budget_s == pytest.approx(0.1)


def test_a_config_of_two_lines_is_enough():
    config = load_text("targets:\n  gpus: {nvml: true}\n")
    assert str(config.ledger) == "tree6g-out/meter"
    assert (config.interval_s, config.flush_s, config.keep_s) == (10.0, 60.0, None)


def test_every_fault_is_told_with_its_line_and_what_to_do():
    text = """
intervall: 10 s
flush: 60
services:
  chat: {kind: ai, profile: asistant}
  ten: {kind: data, profile: assistant}
targets:
  a: {url: "ftp://x/", nodes: box}
  b: {url: "http://user:secret@x/", contains: [c]}
  d: {cpu_time: {all: true}, idle: 80 W, full: 60 W}
  e: {node: x}
  f: {url: "http://x/", tenants_of: f}
  g: {url: "http://x/", node: n, tier: edge}
  h: {url: "http://x/", node: n, tier: cloud}
idle: {box: 3 W}
"""
    with pytest.raises(ScenarioError) as told:
        load_text(text)
    lines = told.value.problems
    said = "\n".join(lines)
    for words in (
        "meter.yaml:2: intervall: unknown field. Did you mean 'interval'?",
        "meter.yaml:3: flush: expected",
        "without a unit",
        "services.chat.profile: expected a token service class. Did you mean 'assistant'?",
        "services.ten.profile: expected none",
        "targets.a.url: expected http",
        "targets.a.nodes: unknown field. Did you mean 'node'?",
        "expected no password in a URL",
        "targets.b: expected the name of another target; got 'c'.",
        "full above idle",
        "targets.e: expected one of url, file, files",
        "targets.f: expected the name of another target; got 'f'.",
        "node 'n' is of tier 'edge' already",
        "expected NODE/COMPONENT",
    ):
        assert words in said, words
    assert "secret" not in said
    assert len(lines) >= 13


@pytest.mark.parametrize(
    "text",
    ["[1, 2]", "targets: 3", "targets: {a: 3}", "targets: {}", "services: [1]\ntargets: {a: 1}",
     "targets: {a: {nvml: true}}\nphase_weights: 7", "targets: {a: {cpu_time: 4}}",
     "targets: {a: {url: 'http://[x/'}}", "targets: {'a b': {nvml: true}}",
     "targets: {a: {url: 'http://x', contains: [b]}, b: {url: 'http://y', contains: [a]}}"],
)  # fmt: skip
def test_nonsense_is_refused_in_words(text):
    with pytest.raises(ScenarioError, match="expected"):
        load_text(text)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_an_empty_config_is_told_what_was_expected(tmp_path, text):
    (tmp_path / "lab.yaml").write_text(text)
    words = "lab.yaml: expected a config of the meter; got an empty file.$"
    with pytest.raises(ScenarioError, match=words):
        load(tmp_path / "lab.yaml")


def test_no_target_has_the_name_of_the_source_of_clock_gaps():
    with pytest.raises(ScenarioError, match=r"targets\.clock: expected another name"):
        load_text("targets: {clock: {nvml: true}}")


def test_a_token_comes_from_the_environment_and_is_never_shown(monkeypatch):
    config = load_text('targets: {a: {url: "http://x/", token_env: LAB_TOKEN}}')
    monkeypatch.delenv("LAB_TOKEN", raising=False)
    with pytest.raises(ScenarioError, match="LAB_TOKEN; it is not there"):
        token_of(config.targets[0])
    monkeypatch.setenv("LAB_TOKEN", "xyzzy")
    assert token_of(config.targets[0]) == "xyzzy"
    assert "xyzzy" not in repr(config)
