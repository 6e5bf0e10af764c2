"""What the proxy reads of requests and answers, and what it makes of keys."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from itertools import pairwise
from random import Random

import pytest
from multidict import CIMultiDict
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from fake_llm import chat_events, ollama_lines, responses_events
from fuzz import mutate
from tree6g.errors import MeterError
from tree6g.meter.deltas import Look, deltas
from tree6g.meter.exposition_writer import render
from tree6g.meter.proxy.answer import AnswerReader, form_of
from tree6g.meter.proxy.ask import call_of, is_counted
from tree6g.meter.proxy.counts import Counts, Outcome
from tree6g.meter.proxy.tenants import read_tenants
from tree6g.meter.proxy.upstream import base_url
from tree6g.meter.proxy.usage import Usage, usage_of
from tree6g.meter.recognise import recognise

FUZZ = 100_000 if os.environ.get("TREE6G_FUZZ") == "long" else 2_000
ASKED = {"model": "m", "stream_options": {"include_usage": True}, "n": 4, "cached_tok": 2}
STREAMS = (
    ("events", b"".join(chat_events(ASKED))),
    ("events", b"".join(chat_events(ASKED)).replace(b"\n", b"\r\n")),
    ("events", b": ping\n\nevent: x\nid: 1\n" + b"".join(responses_events({}))),
    ("lines", b"".join(ollama_lines({"model": "m"}))),
    ("whole", json.dumps({"choices": [], "usage": {"prompt_tokens": 3}}).encode()),
)


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({"usage": None}, None),
        ({"usage": {}}, Usage()),
        ({"usage": {"prompt_tokens": 5}}, Usage(prompt_tok=5)),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": 2.0}}, Usage(output_tok=2)),
        ({"usage": {"prompt_tokens": True, "completion_tokens": 1e300}}, Usage()),
        ({"usage": {"prompt_tokens": "5", "completion_tokens": 2.5}}, Usage()),
        (
            {"usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}}},
            Usage(prompt_tok=5),
        ),
        (
            {"usage": {"prompt_tokens": 5, "completion_tokens": 1}, "timings": {"cache_n": 3}},
            Usage(prompt_tok=5, output_tok=1, cached_tok=None),
        ),
        (
            {"timings": {"prompt_n": 2, "cache_n": 3, "predicted_n": 4}},
            Usage(prompt_tok=5, cached_tok=3, output_tok=4),
        ),
        (
            {"tokens_evaluated": 9, "tokens_predicted": 4, "timings": {"prompt_n": 2}},
            Usage(prompt_tok=9, cached_tok=7, output_tok=4),
        ),
        ({"eval_count": 4, "done": True}, Usage(output_tok=4)),
        (
            [{"tokens_evaluated": 9, "tokens_predicted": 1}, {"tokens_evaluated": 1}],
            Usage(prompt_tok=10),
        ),
        ([{"tokens_evaluated": 9}, {}], None),
        ([], None),
        ("text", None),
    ],
)
def test_what_an_answer_does_not_say_stays_unknown(said, usage):
    assert usage_of(said) == usage


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 5000])
@pytest.mark.parametrize(("form", "raw"), STREAMS)
def test_a_stream_is_read_the_same_in_pieces_of_any_size(form, raw, size):
    whole, pieces = AnswerReader(form), AnswerReader(form)
    assert whole.feed(raw, 1.0) + whole.end(1.0) == raw
    out = [pieces.feed(raw[i : i + size], 1.0) for i in range(0, len(raw), size)]
    assert b"".join([*out, pieces.end(1.0)]) == raw
    for one in ("usage", "chunks", "first_s", "last_s", "final", "failed"):
        assert getattr(whole, one) == getattr(pieces, one), one
    assert whole.usage is not None
    assert whole.final


@pytest.mark.parametrize("size", [1, 5, 64, 5000])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_only_the_usage_is_taken_out(size, ending):
    events = [event.replace(b"\n", ending) for event in chat_events(ASKED)]
    raw = b"".join(events)
    reader = AnswerReader("events", take_out=True)
    out = [reader.feed(raw[i : i + size], 1.0) for i in range(0, len(raw), size)]
    assert b"".join([*out, reader.end(1.0)]) == b"".join(events[:-2] + events[-1:])
    assert reader.usage == Usage(prompt_tok=7, output_tok=4, cached_tok=2)
    assert reader.chunks == 6


def test_usage_with_a_choice_stays_where_it_is():
    event = b'data: {"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 1}}\n\n'
    reader = AnswerReader("events", take_out=True)
    assert reader.feed(event, 0.0) == event
    assert reader.usage == Usage(prompt_tok=1)


def test_nothing_whole_is_held_back_and_what_is_held_comes_at_the_end():
    reader = AnswerReader("events", take_out=True)
    assert reader.feed(b"data: 1\n\ndata: 2", 0.0) == b"data: 1\n\n"
    assert reader.cut() == b"data: 2"


def test_an_endless_event_goes_through_in_bounded_memory(monkeypatch):
    monkeypatch.setattr("tree6g.meter.proxy.answer.MAX_EVENT_BYTE", 1000)
    reader = AnswerReader("events", take_out=True)
    raw = b"data: " + b"x" * 50_000 + b"\n\n" + b"".join(chat_events(ASKED))
    out = b""
    for i in range(0, len(raw), 100):
        out += reader.feed(raw[i : i + 100], 0.0)
        assert len(reader._rest) <= 1100
    assert out + reader.end(0.0) == raw.replace(chat_events(ASKED)[-2], b"")
    assert reader.usage is not None


def test_packed_answers_are_read_beside_and_bombs_are_not(monkeypatch):
    raw = gzip.compress(STREAMS[0][1])
    reader = AnswerReader("events", encoding="gzip", take_out=True)
    assert reader.feed(raw, 0.0) == raw
    assert reader.usage is not None
    for encoding, packed in (
        ("br", b"x"),
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"0" * 9000)),
    ):
        monkeypatch.setattr("tree6g.meter.proxy.answer.MAX_WHOLE_BYTE", 1000)
        reader = AnswerReader("whole", encoding=encoding)
        assert reader.feed(packed, 0.0) == packed
        assert reader.end(0.0) == b""
        assert reader.why
        assert reader.usage is None


def test_an_error_in_a_stream_is_one():
    for form, raw in (
        ("events", b'data: {"error": {"message": "out of memory"}}\n\ndata: [DONE]\n\n'),
        ("lines", b'{"error":"out of memory"}\n'),
        ("events", b'data: {"type": "response.failed", "response": {}}\n\n'),
    ):
        reader = AnswerReader(form)
        reader.feed(raw, 0.0)
        assert reader.failed


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("text/event-stream; charset=utf-8", "events"),
        ("Application/JSON", "whole"),
        ("application/x-ndjson", "lines"),
        ("application/problem+json", "whole"),
        ("text/html", "other"),
        ("", "other"),
    ],
)
def test_the_form_of_an_answer_is_told_by_its_type(kind, form):
    assert form_of(kind) == form


@pytest.mark.fuzz
def test_any_answer_goes_through_unchanged_and_is_read_or_not():
    random = Random(1)
    seen = {"known": 0, "unknown": 0}
    for _ in range(FUZZ):
        form, sample = random.choice(STREAMS)
        other = random.choice(STREAMS)[1]
        raw = mutate.spoil(sample, random, other) if random.random() < 0.9 else sample
        form = random.choice((form, "events", "lines", "whole"))
        size = random.choice((1, 3, 17, 200, 10_000))
        pieces = [raw[i : i + size] for i in range(0, len(raw), size)]
        plain, taking = AnswerReader(form), AnswerReader(form, take_out=True)
        assert b"".join([*(plain.feed(p, 1.0) for p in pieces), plain.end(1.0)]) == raw
        out = b"".join([*(taking.feed(p, 1.0) for p in pieces), taking.end(1.0)])
        assert out == raw or (form == "events" and b'"usage"' in raw and len(out) < len(raw))
        assert plain.usage == taking.usage
        usage = plain.usage or Usage()
        assert (usage.cached_tok or 0) <= (usage.prompt_tok or 0)
        counts = Counts(1.0)
        counts.add("t", "m", Outcome(ended="done", start_s=2.0, e2e_s=1.0, usage=plain.usage))
        found = recognise(render(counts.families()).encode())
        assert all(r.value_si is not None for r in found.readings)
        seen["unknown" if plain.usage is None else "known"] += 1
    assert min(seen.values()) > FUZZ / 10


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("POST", "/v1/chat/completions", True),
        ("POST", "/openai/deployments/x/chat/completions?api-version=1", True),
        ("POST", "/v1/completions/", True),
        ("POST", "/completion", True),
        ("POST", "/api/chat", True),
        ("POST", "/v1/embeddings", True),
        ("GET", "/v1/chat/completions", False),
        ("POST", "/v1/models", False),
        ("POST", "/tokenize", False),
    ],
)
def test_only_what_computes_tokens_is_counted(method, path, counted):
    assert is_counted(method, path) is counted


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[1]",
        b"[" * 100_000,
        b'{"stream": 1}',
        b'{"stream": true, "stream_options": 3}',
        b'{"stream": true, "stream_options": {"include_usage": true}}',
        b'{"model": "m"}',
    ],
)
def test_what_cannot_be_asked_is_not_changed(body):
    assert call_of("/v1/chat/completions", body).asking is None


def test_a_request_that_is_asked_differs_in_that_alone():
    body = '  {"model": "\u00e9", "stream": true, "big": 123456789012345678901234567890}'.encode()
    call = call_of("/v1/chat/completions", body)
    assert call.model == "\u00e9"
    wish = json.loads(call.asking)
    assert wish.pop("stream_options") == {"include_usage": True}
    assert wish == json.loads(body)
    assert call_of("/completion", body).asking is None
    assert call_of("/v1/embeddings", body).generates is False


def test_a_tenant_is_told_by_key_header_model_in_this_order(tmp_path):
    file = tmp_path / "tenants.yaml"
    hashed = hashlib.sha256(b"sk-bob").hexdigest()
    file.write_text(f"alice: [sk-alice, sk-other]\nbob: sha256:{hashed}\n")
    tenants = read_tenants(file)

    def of(model="", **headers):
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return tenants.of(CIMultiDict(named), model)

    assert of(authorization="Bearer sk-alice", x_tenant="bob") == "alice"
    assert of(AUTHORIZATION="bearer   sk-other") == "alice"
    assert of(x_api_key="sk-bob") == "bob"
    assert of(api_key="sk-bob") == "bob"
    unknown = of(Authorization="Bearer sk-secret-of-mallory", x_tenant="alice")
    assert unknown == f"key-{hashlib.sha256(b'sk-secret-of-mallory').hexdigest()[:8]}"
    assert of(Authorization="Basic abcd").startswith("key-")
    assert of("m", Authorization="Bearer EMPTY", x_tenant="carol") == "carol"
    assert of("sql-lora", x_tenant="  ") == "sql-lora"
    assert of() == "none"
    assert of(x_tenant="a\x00b" + "c" * 500) == "a?b" + "c" * 61
    assert "sk-alice" not in repr(tenants)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", "NAME: KEY"),
        ("", "NAME: KEY"),
        ("a: 5\nb: ''\n", "'b'"),
        ("a: [x\n", "YAML"),
        ("a: sha256:12\n", "64 hexadecimal"),
        ("a: sk-1-secret\nb: sk-1-secret\n", "also"),
        ("a: []\n", "empty"),
    ],
)
def test_a_wrong_tenants_file_is_refused_without_showing_keys(tmp_path, text, says):
    file = tmp_path / "tenants.yaml"
    file.write_text(text)
    with pytest.raises(MeterError, match=says) as refused:
        read_tenants(file)
    assert "secret" not in str(refused.value)
    with pytest.raises(MeterError, match="cannot read"):
        read_tenants(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    "text", ["", "localhost:80", "ftp://x", "http://", "http://x:99999", "http://x?a"]
)
def test_a_wrong_address_of_the_server_is_refused(text):
    with pytest.raises(MeterError, match="--to http://HOST:PORT"):
        base_url(text)


def test_v1_at_the_end_of_an_address_is_the_clients_to_say():
    assert base_url("http://127.0.0.1:8000/v1/") == "http://127.0.0.1:8000"
    assert base_url("https://x/base/") == "https://x/base"


def _done(**more):
    usage = Usage(prompt_tok=10, cached_tok=4, output_tok=6, reasoning_tok=1)
    given = {"ended": "done", "start_s": 50.0, "e2e_s": 2.0, "usage": usage, **more}
    return Outcome(**given)


def test_series_are_bounded_and_refused_strangers_make_none():
    counts = Counts(1.0, most_pairs=5)
    counts.add("stranger", "junk", _done(ended="refused", usage=None))
    for i in range(50):
        counts.add(f"t{i}", "m", _done())
    found = recognise(render(counts.families()).encode())
    tenants = {r.tenant for r in found.readings}
    assert tenants == {"other", "t0", "t1", "t2", "t3"}
    assert sum(r.value_si for r in found.readings if r.kind == "token_out") == 50 * 5


def test_the_text_is_openmetrics_by_its_own_parser_and_ours():
    counts = Counts(1.0)
    for tenant in ('a"\\\n', "b"):
        counts.add(tenant, "m", _done(ttft_s=0.3, stream_s=1.0))
        counts.add(tenant, "m", _done(ended="cut", usage=None, chunks=3))
    text = render(counts.families(), openmetrics=True)
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert families["tree6g_proxy_tokens"].type == "counter"
    assert families["tree6g_proxy_request_duration_seconds"].type == "histogram"
    for openmetrics in (True, False):
        found = recognise(render(counts.families(), openmetrics=openmetrics).encode())
        assert not [p for p in found.problems if "line" in p]
        sums = {(r.kind, r.tenant): r for r in found.readings}
        assert sums["token_in", "b"].value_si == 6.0
        assert sums["token_reasoning", "b"].value_si == 1.0
        assert sums["request_lost", "b"].value_si == 1.0
        assert sums["ttft", "b"].sum_si == pytest.approx(0.3)
        assert sums["tpot", "b"].sum_si == pytest.approx(0.2)
        assert sums["e2e", "b"].start_s == 50.0


def test_a_tenant_that_is_new_between_two_looks_is_counted_whole_and_a_restart_is_known():
    counts = Counts(1.0)
    counts.add("a", "m", _done(start_s=5.0))
    looks = [Look(time_s=10.0, readings=recognise(render(counts.families()).encode()).readings)]
    counts.add("b", "m", _done(start_s=15.0))
    looks.append(Look(time_s=20.0, readings=recognise(render(counts.families()).encode()).readings))
    again = Counts(22.0)
    again.add("a", "m", _done(start_s=25.0))
    looks.append(Look(time_s=30.0, readings=recognise(render(again.families()).encode()).readings))

    def tokens(found):
        amounts = [a for a in found.amounts if a.reading.kind == "token_out"]
        return {a.reading.tenant: (a.t0_s, a.value_si) for a in amounts}

    first, second = deltas(looks[0], looks[1]), deltas(looks[1], looks[2])
    assert tokens(first) == {"a": (10.0, 0.0), "b": (15.0, 5.0)}
    assert not first.gaps
    assert tokens(second) == {"a": (25.0, 5.0)}
    assert {gap.reason for gap in second.gaps} > {"the series is no longer there"}


def test_no_token_is_lost_to_looks_that_fall_into_long_requests_or_before_a_new_kind():
    counts, looks, whole = Counts(50.0), [], 0
    cached = Usage(prompt_tok=9, cached_tok=5, output_tok=1)
    plain = Usage(prompt_tok=7, output_tok=2, reasoning_tok=1)
    # Each request came before the look before: the third is the first with cached tokens, the
    # fourth the first that is lost, the fifth the first of its tenant.
    asked = [("a", None), ("a", plain), ("a", cached), ("a", None), ("b", cached)]
    for i, (tenant, usage) in enumerate(asked):
        if i:
            ended = "done" if usage else "aborted"
            start_s = 10.0 * i + 88.0
            counts.add(tenant, "m", _done(ended=ended, usage=usage, start_s=start_s))
            whole += 0 if usage is None else usage.prompt_tok + usage.output_tok
        found = recognise(render(counts.families()).encode())
        looks.append(Look(time_s=10.0 * i + 101.0, readings=found.readings))
    between = [deltas(a, b) for a, b in pairwise(looks)]
    assert [gap for one in between for gap in one.gaps] == []
    amounts = [a for one in between for a in one.amounts]
    assert sum(a.value_si for a in amounts if a.reading.kind.startswith("token")) == whole
    assert sum(a.value_si for a in amounts if a.reading.kind.startswith("request")) == 4.0


def test_a_body_in_utf_16_is_asked_for_usage_without_being_broken():
    body = '{"model": "m", "stream": true}'.encode("utf-16")
    asking = call_of("/v1/chat/completions", body).asking
    assert json.loads(asking) == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
