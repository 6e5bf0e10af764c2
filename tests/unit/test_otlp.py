"""OTLP in and out: what instrumented programs send, and what a ledger sends to a collector."""

from __future__ import annotations

import gzip
import json
import math
import os
import time
import urllib.error
import urllib.request
from random import Random

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

from fuzz import mutate
from reporting import small_ledger
from tree6g.errors import MeterError, ScenarioError
from tree6g.meter.access import Access
from tree6g.meter.agent.config import load_text
from tree6g.meter.agent.targets import source_of
from tree6g.meter.deltas import Look, deltas
from tree6g.meter.otlp.receiver import receiving
from tree6g.meter.otlp.request import JSON, PROTOBUF, request_of
from tree6g.meter.otlp.source import Otlp
from tree6g.meter.otlp.store import Store
from tree6g.serve import otlp
from tree6g.serve.server import server_of
from tree6g.serve.view import View

FUZZ = 100_000 if os.environ.get("TREE6G_FUZZ") == "long" else 2_000
TOKEN = "0123456789abcdef-secret"
S = 1_000_000_000


def attributes(**texts):
    return [{"key": k.replace("__", "."), "value": {"stringValue": v}} for k, v in texts.items()]


def request(*metrics, **resource):
    scope = {"scope": {"name": "t"}, "metrics": list(metrics)}
    about = {"attributes": attributes(**resource)}
    return {"resourceMetrics": [{"resource": about, "scopeMetrics": [scope]}]}


def histogram(name, points, *, unit="s", delta=False):
    kept = [
        {
            "attributes": attributes(**more),
            "startTimeUnixNano": str(t0 * S),
            "timeUnixNano": str(t1 * S),
            "count": str(sum(counts)),
            "sum": total,
            "explicitBounds": [0.1, 1.0][: len(counts) - 1],
            "bucketCounts": [str(n) for n in counts],
        }
        for t0, t1, total, counts, more in points
    ]
    body = {"dataPoints": kept, "aggregationTemporality": 1 if delta else 2}
    return {"name": name, "unit": unit, "histogram": body}


def counter(name, value, *, unit="{token}", t0=1, t1=10, **more):
    point = {
        "attributes": attributes(**more),
        "startTimeUnixNano": str(t0 * S),
        "timeUnixNano": str(t1 * S),
        "asInt": str(value),
    }
    body = {"dataPoints": [point], "aggregationTemporality": 2, "isMonotonic": True}
    return {"name": name, "unit": unit, "sum": body}


def gauge(name, value, *, unit="W", **more):
    point = {"attributes": attributes(**more), "timeUnixNano": str(5 * S), "asDouble": value}
    return {"name": name, "unit": unit, "gauge": {"dataPoints": [point]}}


def usage(t0, t1, n_in, n_out, *, delta=False, model="m"):
    name = {"gen_ai__request__model": model}
    points = [
        (t0, t1, n_in, [0, 0, 3], {**name, "gen_ai__token__type": "input"}),
        (t0, t1, n_out, [0, 0, 3], {**name, "gen_ai__token__type": "output"}),
    ]
    return histogram("gen_ai.client.token.usage", points, unit="{token}", delta=delta)


def sums(found):
    made = {}
    for r in found.readings:
        if not r.part_of:
            made[r.kind, r.tenant, r.model] = made.get((r.kind, r.tenant, r.model), 0.0) + r.net_si
    return made


FULL = request(
    usage(1, 10, 1200, 340),
    histogram("gen_ai.server.time_to_first_token", [(1, 10, 0.9, [2, 1, 0], {})]),
    histogram("gen_ai.server.time_per_output_token", [(1, 10, 60.0, [0, 1, 0], {})], unit="ms"),
    histogram(
        "gen_ai.server.request.duration",
        [(1, 10, 9.0, [0, 0, 3], {}), (1, 10, 1.0, [0, 1, 0], {"error__type": "timeout"})],
    ),
    {"name": "http.server.duration", "histogram": {"dataPoints": "anything"}},
    service__name="chat",
    host__name="box",
)


def test_tokens_and_latencies_of_a_program_are_its_tenants():
    store = Store()
    assert store.take(FULL) == []
    found = store.found()
    made = sums(found)
    assert made["token_in", "chat", "m"] == 1200.0
    assert made["token_out", "chat", "m"] == 340.0
    assert made["request", "chat", ""] == 3.0
    assert made["request_lost", "chat", ""] == 1.0
    by_kind = {r.kind: r for r in found.readings}
    assert by_kind["ttft"].buckets == ((0.1, 2.0), (1.0, 3.0), (math.inf, 3.0))
    assert by_kind["tpot"].sum_si == pytest.approx(0.06)
    assert by_kind["tpot"].buckets[0][0] == pytest.approx(1e-4)
    assert by_kind["token_in"].start_s == 1.0
    assert by_kind["token_in"].node == "box"
    assert any("cached" in p for p in found.problems)


def test_any_attribute_can_name_the_tenant():
    store = Store(tenant="user.group")
    store.take(request(counter("gen_ai.client.inference.usage.output_tokens", 5, user__group="a")))
    assert sums(store.found()) == {("token_out", "a", ""): 5.0}


def test_newer_names_tell_cached_and_reasoning_apart_and_old_ones_beside_them_do_not_count():
    usage_of = "gen_ai.client.inference.usage."
    store = Store()
    store.take(
        request(
            counter(f"{usage_of}input_tokens", 100),
            counter(f"{usage_of}cache_read.input_tokens", 30),
            counter(f"{usage_of}output_tokens", 50),
            counter(f"{usage_of}reasoning.output_tokens", 20),
            usage(1, 10, 100, 50),
        )
    )
    found = {kind: n for (kind, _, _), n in sums(store.found()).items()}
    assert found == {
        "token_in": 70.0,
        "token_in_cached": 30.0,
        "token_out": 30.0,
        "token_reasoning": 20.0,
    }


def test_deltas_add_up_and_what_is_sent_again_counts_once():
    store = Store()
    for t0, t1 in ((10, 20), (20, 30), (20, 30), (10, 20), (35, 40)):
        assert store.take(request(usage(t0, t1, 7, 2, delta=True))) == []
    readings = store.found().readings
    assert {r.kind: r.value_si for r in readings} == {"token_in": 21.0, "token_out": 6.0}
    assert {r.start_s for r in readings} == {10.0}


def test_a_cumulative_stream_that_starts_anew_is_told_by_its_start():
    store = Store()
    store.take(request(usage(1, 10, 500, 50)))
    looks = [Look(time_s=12.0, readings=store.found().readings)]
    store.take(request(usage(15, 20, 40, 4)))
    looks.append(Look(time_s=22.0, readings=store.found().readings))
    found = deltas(*looks)
    assert {a.reading.kind: a.value_si for a in found.amounts} == {
        "token_in": 40.0,
        "token_out": 4.0,
    }
    assert {a.t0_s for a in found.amounts} == {15.0}
    assert all("anew" in gap.reason for gap in found.gaps)
    assert len(found.gaps) == 2


def test_energy_of_hardware_is_counted_once():
    store = Store()
    store.take(
        request(
            counter("hw.host.energy", 1000, unit="J"),
            counter("hw.energy", 1, unit="kJ", hw__id="gpu0", hw__type="gpu"),
            counter("hw.energy", 300, unit="J", hw__id="cpu0", hw__type="cpu"),
            counter("hw.energy", 100, unit="J", hw__id="c", hw__type="cpu", hw__parent="cpu0"),
            gauge("hw.power", 250.5, hw__id="gpu1", hw__type="gpu"),
            host__name="box",
        )
    )
    readings = {r.name.partition('hw.id="')[2].partition('"')[0]: r for r in store.found().readings}
    assert readings[""].component == "host"
    assert readings["gpu0"].value_si == 1000.0
    assert readings["gpu0"].part_of == readings[""].name
    assert readings["c"].part_of == readings["cpu0"].name
    assert (readings["gpu1"].kind, readings["gpu1"].unit, readings["gpu1"].part_of) == (
        "power",
        "w",
        "",
    )
    assert sums(store.found())["energy", "", ""] == 1000.0


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        (counter("hw.energy", 5, unit="BTU"), "unit"),
        (counter("hw.energy", -5, unit="J"), "from 0"),
        (counter("hw.energy", 5, unit="J", t1=0), "timeUnixNano"),
        (gauge("hw.energy", 5.0, unit="J"), "expected a sum; got gauge"),
        ({"name": "hw.energy", "sum": {"dataPoints": [{"timeUnixNano": "5"}]}}, "temporality"),
        (histogram("gen_ai.client.token.usage", [(9, 5, 1.0, [1], {})], delta=True), "not after"),
    ],
)
def test_a_wrong_point_is_left_out_and_told(metric, says):
    store = Store()
    (problem,) = store.take(request(metric))
    assert says in problem
    assert store.found().readings == ()


def test_a_sum_that_may_fall_is_no_count():
    metric = counter("hw.energy", 5, unit="J")
    metric["sum"]["isMonotonic"] = False
    assert "monotonic" in Store().take(request(metric))[0]


def test_json_and_protobuf_say_the_same():
    raw = ParseDict(FULL_KNOWN, service.ExportMetricsServiceRequest()).SerializeToString()
    stores = [Store(), Store()]
    stores[0].take(request_of(gzip.compress(raw), PROTOBUF, "gzip"))
    stores[1].take(request_of(json.dumps(FULL_KNOWN).encode(), JSON))
    assert stores[0].found() == stores[1].found()
    assert stores[0].found().readings


FULL_KNOWN = json.loads(json.dumps(FULL))
FULL_KNOWN["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].pop()


@pytest.mark.parametrize(
    ("raw", "kind", "encoding", "says"),
    [
        (b"{", JSON, "", "JSON"),
        (b"[]", JSON, "", "object"),
        (b"[" * 100_000, JSON, "", "JSON"),
        (b"\xff\xff", PROTOBUF, "", "protobuf"),
        (b"{}", "text/plain", "", "Content-Type"),
        (b"{}", JSON, "gzip", "gzip"),
        (b"{}", JSON, "zstd", "zstd"),
        (gzip.compress(b"0" * 2000, mtime=0), JSON, "gzip", "at most"),
        (gzip.compress(b"{}", mtime=0)[:-4], JSON, "gzip", "whole"),
    ],
)
def test_what_is_no_request_is_refused(raw, kind, encoding, says, monkeypatch):
    monkeypatch.setattr("tree6g.meter.otlp.request.MAX_BYTE", 1000)
    with pytest.raises(MeterError, match=says):
        request_of(raw, kind, encoding)


def test_streams_are_bounded(monkeypatch):
    monkeypatch.setattr("tree6g.meter.otlp.store.MAX_STREAMS", 3)
    store = Store()
    for i in range(5):
        problems = store.take(request(counter("hw.energy", 1, unit="J", hw__id=str(i))))
    assert "more than 3 streams" in problems[0]
    assert len(store.found().readings) == 3
    store.take(request(counter("hw.energy", 1, unit="J", hw__id="new", t1=9999)))
    assert len(store.found().readings) == 1  # the others have said nothing for an hour


@pytest.mark.fuzz
def test_any_request_is_read_or_refused():
    random = Random(1)
    samples = [
        json.dumps(FULL).encode(),
        json.dumps(request(counter("hw.energy", 5, unit="J"), gauge("hw.power", 5.0))).encode(),
    ]
    seen = {"read": 0, "refused": 0}
    for i in range(FUZZ):
        raw = mutate.spoil(random.choice(samples), random, random.choice(samples))
        kind = JSON
        if i % 4 == 0:
            message = ParseDict(FULL_KNOWN, service.ExportMetricsServiceRequest())
            raw, kind = mutate.spoil(message.SerializeToString(), random, raw), PROTOBUF
        store = Store()
        try:
            store.take(request_of(raw, kind))
        except MeterError:
            seen["refused"] += 1
            continue
        for r in store.found().readings:
            assert r.value_si is not None
            assert math.isfinite(r.value_si)
            assert r.net_si >= 0.0
        seen["read"] += 1
    assert min(seen.values()) > FUZZ / 20


def post(url, raw, **headers):
    named = {"Content-Type": JSON} | {k.replace("_", "-"): v for k, v in headers.items()}
    asking = urllib.request.Request(url, raw, named)
    try:
        with urllib.request.urlopen(asking, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_receiver_takes_both_forms_and_refuses_the_rest(monkeypatch):
    monkeypatch.setattr("tree6g.meter.otlp.receiver.MAX_BODY_BYTE", 10_000)
    store = Store()
    raw = json.dumps(FULL).encode()
    with receiving(store, Access(port=0)) as receiver:
        url = receiver.url
        assert post(url, raw) == (200, b"{}")
        assert post(url, gzip.compress(raw), Content_Encoding="gzip") == (200, b"{}")
        packed = ParseDict(FULL_KNOWN, service.ExportMetricsServiceRequest()).SerializeToString()
        assert post(url, packed, Content_Type=PROTOBUF) == (200, b"")
        status, said = post(url, json.dumps(request(counter("hw.energy", 1, unit="x"))).encode())
        assert status == 200
        assert json.loads(said)["partialSuccess"]["rejectedDataPoints"] == "1"
        bad = ParseDict(
            request(counter("hw.energy", 1, unit="x")), service.ExportMetricsServiceRequest()
        )
        _, said = post(url, bad.SerializeToString(), Content_Type=PROTOBUF)
        answer = service.ExportMetricsServiceResponse.FromString(said)
        assert answer.partial_success.rejected_data_points == 1
        assert post(url, b"{")[0] == 400
        assert post(url.replace("metrics", "traces"), raw)[0] == 404
        assert post(url, raw, Host="evil.example.org")[0] == 403
        assert post(url, b"x" * 10_001)[0] == 413
    assert sums(store.found())["token_in", "chat", "m"] == 1200.0


def test_the_receiver_wants_its_token():
    access = Access(port=0, token=TOKEN)
    with receiving(Store(), access) as receiver:
        assert post(receiver.url, b"{}")[0] == 401
        assert post(receiver.url, b"{}", Authorization=f"Bearer {TOKEN}")[0] == 200


def test_what_a_ledger_sends_is_what_the_exporter_says(tmp_path):
    ledger = small_ledger(tmp_path / "ledger").path
    store = Store()
    said = []
    with (
        server_of(ledger, Access(port=0), View(span_s=300.0), {}) as server,
        receiving(store, Access(port=0)) as receiver,
    ):
        app = server.application
        families = {f.name: f for f in app.families()}
        target = otlp.target_of(receiver.url.removesuffix("/v1/metrics"))

        def make():
            start_s = otlp.start_of(app.follower.state(), 5.0)
            return otlp.request_of(app.families(), start_s=start_s, time_s=time.time())

        with otlp.sending(target, make, said.append, every_s=0.02):
            for _ in range(500):
                if store.found().readings:
                    break
                time.sleep(0.01)
    assert said == []
    energy = [r for r in store.found().readings if r.kind == "energy"]
    samples = families["tree_energy_joules_total"].samples
    assert sorted(r.value_si for r in energy) == sorted(v for _, v in samples if v > 0 or v == 0)
    assert {r.start_s for r in energy} == {5.0}
    names = {m["name"] for m in make()["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]}
    assert {otlp.NAMES[name][0] for name, f in families.items() if f.samples} == names
    raw = ParseDict(make(), service.ExportMetricsServiceRequest())  # its own schema takes it
    assert raw.resource_metrics[0].scope_metrics[0].metrics[0].name == "hw.energy"


def test_a_receiver_that_is_away_or_unwilling_is_told_once():
    said = []
    with receiving(Store(), Access(port=0, token=TOKEN)) as receiver:
        away = otlp.target_of("http://127.0.0.1:9")
        for target, word in ((otlp.target_of(receiver.url), "401"), (away, "cannot send")):
            said.clear()
            with otlp.sending(target, dict, said.append, every_s=0.01):
                time.sleep(0.15)
            assert len(said) == 1
            assert word in said[0]


@pytest.mark.parametrize("text", ["", "127.0.0.1:4318", "grpc://x:4317", "http://x:99999"])
def test_a_wrong_address_of_a_collector_is_refused(text):
    with pytest.raises(MeterError, match="--otlp"):
        otlp.target_of(text)


def test_the_agent_listens_to_programs_as_to_any_target():
    config = load_text('targets: {p: {otlp: "127.0.0.1:0?tenant=user.group", node: box}}')
    source = source_of(config.targets[0])
    try:
        with pytest.raises(MeterError, match="no program"):
            source.look()
        wish = request(counter("gen_ai.client.inference.usage.output_tokens", 5, user__group="a"))
        assert post(source.url, json.dumps(wish).encode())[0] == 200
        assert sums(source.look()) == {("token_out", "a", ""): 5.0}
    finally:
        source.close()


@pytest.mark.parametrize("where", ["", "x:y", "127.0.0.1:0/v1", "127.0.0.1:0?user=a", "h:99999"])
def test_a_wrong_place_to_listen_is_refused(where):
    with pytest.raises(ScenarioError, match="otlp: HOST:PORT"):
        Otlp(where, None)


def test_listening_for_others_needs_a_token():
    with pytest.raises(MeterError, match="token"):
        Otlp("0.0.0.0:0", None)


NAME = "gen_ai.client.inference.usage.input_tokens"


def test_a_point_of_a_time_to_come_does_not_keep_out_those_after_it():
    store = Store(clock_s=lambda: 100.0)
    (problem,) = store.take(request(counter(NAME, 5, t1=90_000)))
    assert "89900 s ahead of the clock" in problem
    assert store.take(request(counter(NAME, 7, t1=110))) == []
    assert sums(store.found()) == {("token_in", "", ""): 7.0}


@pytest.mark.parametrize("value", [1e308, 1e31])
def test_an_absurd_delta_is_refused_and_the_sum_stays_a_number(value):
    store, delta = Store(), {"aggregationTemporality": 1}
    for t, amount in ((1, 5.0), (2, value), (3, value), (4, 6.0)):
        made = counter(NAME, 0, t0=t, t1=t + 1)
        made["sum"] |= delta
        made["sum"]["dataPoints"][0] = {"asDouble": amount} | {
            k: v for k, v in made["sum"]["dataPoints"][0].items() if k != "asInt"
        }
        store.take(request(made))
    assert sums(store.found()) == {("token_in", "", ""): 11.0}
