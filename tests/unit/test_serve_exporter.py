"""What Prometheus reads: strictly parsed, counters that never fall, rules that promtool accepts."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import subprocess
from collections import defaultdict

import pytest

from ledger_pieces import amount, hand_made, joules
from random_ledgers import columns, statement
from reporting import HOSTILE, NAME, small_ledger
from serving_pages import ask, serving
from tree6g.ledger.writer import LedgerWriter
from tree6g.meter.exposition_writer import Family, render
from tree6g.metric.figure import Query
from tree6g.metric.tree import figure
from tree6g.serve import exporter, follow
from tree6g.serve.follow import Follower
from tree6g.serve.server import packaged
from tree6g.serve.totals import Totals
from tree6g.serve.view import View

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)"
)


def parse(text, *, openmetrics=False):
    """Samples by name and labels; every line must be one that the format knows."""
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    if openmetrics:
        assert lines.pop() == "# EOF"
    samples, kinds, helped, at = {}, {}, set(), None
    for line in lines:
        if line.startswith("# HELP "):
            at = line.split(" ")[2]
            assert at not in helped
            helped.add(at)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == at
            assert kind in {"counter", "gauge"}
            kinds[name] = kind
        else:
            found = _SAMPLE.fullmatch(line)
            assert found, line
            name, labels, value = found.groups()
            family = name.removesuffix("_total") if openmetrics else name
            assert family == at, "samples of a family stand together, after its TYPE"
            assert (kinds[family] == "counter") == name.endswith("_total")
            names = [pair.split("=")[0] for pair in re.findall(_LABEL, labels or "")]
            assert len(set(names)) == len(names)
            assert (name, labels) not in samples
            samples[name, labels] = float(value)
            assert math.isfinite(samples[name, labels])
    assert helped == set(kinds)
    return samples


def scraped(server, accept=""):
    status, headers, body = ask(server, "/metrics", headers={"Accept": accept})
    assert status == 200
    return headers["Content-Type"], body.decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = small_ledger(tmp_path_factory.mktemp("exporter") / "ledger", NAME).path
    with serving(path, floors={NAME: 5.0}, over_s=1e6) as running:
        yield running


def test_text_and_openmetrics_hold_the_same_samples(server):
    kind, text = scraped(server)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    open_kind, open_text = scraped(server, "application/openmetrics-text; version=1.0.0")
    assert open_kind.startswith("application/openmetrics-text; version=1.0.0")
    assert parse(text) == parse(open_text, openmetrics=True)


def test_counters_are_the_sums_of_the_ledger_and_gauges_its_figure(server):
    samples = parse(scraped(server)[1])
    by_name = defaultdict(float)
    for (name, _), value in samples.items():
        by_name[name] += value
    ledger = server.application.follower.state().ledger
    whole = figure(ledger, Query())
    assert by_name["tree_energy_joules_total"] == pytest.approx(whole.energy_j, rel=1e-12)
    assert by_name["tree_utility_bit_equivalents_total"] == pytest.approx(whole.utility_beq)
    spent = by_name["tree_attributed_energy_joules_total"]
    spent += by_name["tree_unattributed_energy_joules_total"]
    assert spent == pytest.approx(whole.energy_j, rel=1e-12)
    outs = [
        v for (n, lb), v in samples.items() if n == "tree_tokens_total" and 'kind="token_out"' in lb
    ]
    assert outs == [90_000.0]
    gauge = samples["tree_utility_bit_equivalents_per_joule", None]
    assert gauge == pytest.approx(whole.tree_beq_per_j, rel=1e-12)
    assert samples["tree_coverage_ratio", None] == 1.0


def test_hostile_labels_are_escaped(server):
    text = scraped(server)[1]
    assert 'service="<script>alert(\'x\')</script> & \\"$\\\\frac{%_#}\\""' in text
    family = Family(
        name="x_total", kind="counter", help='a\\b\n"c"', samples=[({"a": f"{HOSTILE}\n\\"}, 1.0)]
    )
    assert len(parse(render([family]))) == 1
    assert len(parse(render([family], openmetrics=True), openmetrics=True)) == 1


def grow(path, t, *, covered=True, tables=("energy", "work")):
    work = [amount(t, t + 1, "edge", "chat", "token_out", 2.0)]
    small = hand_made(energy=[joules(t, t + 1, "edge", 5.0)], work=work)
    told = [statement(t, t + 1, "meter", "energy"), statement(t, t + 1, "counter", "work")]
    with LedgerWriter(path, small.meta) as writer:
        if t == 0:
            writer.append("entity", columns("entity", small.tables["entity"]))
        for table in tables:
            writer.append(table, columns(table, small.tables[table]))
        if covered:
            writer.append("coverage", columns("coverage", told))


def test_counters_never_fall_while_a_ledger_grows_and_its_parts_are_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(follow, "REST", 0.0)
    path, view = tmp_path / "l", View(span_s=5.0)
    grow(path, 0)
    follower, totals = Follower(path), Totals(view)
    seen = []
    for t in range(1, 6):
        text = render(exporter.families(follower, totals, view, {}))
        seen.append({k: v for k, v in parse(text).items() if k[0].endswith("_total")})
        if t == 4:  # the oldest part has aged out
            (path / "energy" / "part-000001.parquet").unlink()
        grow(path, t, covered=t != 3)
    for before, after in itertools.pairwise(seen):
        assert [k for k, v in before.items() if after[k] < v] == []
    tokens = [v for (n, _), v in seen[-1].items() if n == "tree_tokens_total"]
    assert tokens == [10.0]
    beq = [v for (n, _), v in seen[-1].items() if n == "tree_utility_bit_equivalents_total"]
    assert beq == [4 * 200.0]  # second 3 is not covered


def test_what_is_unknown_has_no_sample(tmp_path):
    grow(tmp_path / "l", 0, covered=False)
    with serving(tmp_path / "l") as server:
        names = {name for name, _ in parse(scraped(server)[1])}
    assert "tree_energy_joules_total" in names
    assert "tree_utility_bit_equivalents_per_joule" not in names
    assert "tree_utility_bit_equivalents_total" not in names


@pytest.fixture(scope="module")
def promtool():
    """Prometheus' own reader; without it a test is skipped, except in CI, where it fails."""
    path = shutil.which("promtool")
    if path:
        return path
    reason = "no promtool; install Debian's package prometheus"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def test_promtool_reads_the_metrics_and_would_only_rather_have_bytes(server, promtool):
    text = scraped(server)[1]
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 3}, done.stderr  # 3: opinions on names
    opinions = (done.stdout + done.stderr).strip().splitlines()
    assert [
        line for line in opinions if 'use base unit "bytes" instead of "bits"' not in line
    ] == []


def test_promtool_accepts_the_alert_rules(promtool, tmp_path):
    (tmp_path / "alerts.yml").write_bytes(packaged("alerts.yml"))
    command = [promtool, "check", "rules", tmp_path / "alerts.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(server):
    known = {name for name, _ in parse(scraped(server)[1])}
    board = json.loads(packaged("grafana.json"))
    asked = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    assert len(asked) >= 8
    text = "\n".join(asked) + packaged("alerts.yml").decode()
    assert set(re.findall(r"\btree_[a-z_]+", text)) - known == set()
