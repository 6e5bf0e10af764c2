"""Counters of inference servers, by their documented names, as work of the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tree6g.meter.exposition import read
from tree6g.meter.reading import total
from tree6g.meter.recognise import recognise
from tree6g.meter.sources.engine import read_engine
from tree6g.meter.sources.vllm import VLLM

SAMPLES = Path(__file__).parents[1] / "fixtures" / "meter"


@pytest.fixture(scope="module")
def vllm():
    return recognise((SAMPLES / "vllm.prom").read_bytes())


@pytest.fixture(scope="module")
def engines():
    return recognise((SAMPLES / "engines.prom").read_bytes())


def _only(found, kind, **labels):
    own = [r for r in found.readings if r.kind == kind]
    own = [r for r in own if all(getattr(r, k) == v for k, v in labels.items())]
    assert len(own) == 1
    return own[0]


def test_cached_prompt_tokens_are_told_apart_from_computed_ones(vllm):
    assert vllm.format == "prometheus (vllm)"
    assert total(vllm.readings, "token_in") == 900.0 - 300.0
    assert total(vllm.readings, "token_in_cached") == 300.0
    assert total(vllm.readings, "token_out") == 250.0


def test_requests_that_were_aborted_are_lost(vllm):
    assert total(vllm.readings, "request") == 7.0
    assert total(vllm.readings, "request_lost") == 1.0


def test_a_counter_knows_since_when_it_counts(vllm):
    assert _only(vllm, "token_in").start_s == 1.700000005e9  # its own
    assert _only(vllm, "token_out").start_s == 1.7e9  # that of the process
    assert _only(vllm, "running").start_s is None


def test_a_histogram_keeps_its_buckets_and_its_sum(vllm):
    ttft = _only(vllm, "ttft")
    assert ttft.buckets == ((0.1, 3.0), (1.0, 6.0), (float("inf"), 7.0))
    assert (ttft.value_si, ttft.sum_si, ttft.model) == (7.0, 3.25, "small")


def test_cached_tokens_by_source_come_off_prompt_tokens_of_the_same_model(engines):
    own = [r for r in engines.readings if r.model == "q"]
    assert total(own, "token_in") == 500.0 - 150.0
    assert total(own, "token_in_cached") == 150.0


def test_triton_counts_requests_and_not_the_inferences_inside(engines):
    assert _only(engines, "request", model="yolo").value_si == 1200.0
    assert _only(engines, "energy").value_si == 5300.5


def test_requests_at_the_door_of_ray_count_and_inner_calls_do_not(engines):
    assert _only(engines, "request", model="").value_si == 55.0


def test_an_engine_on_ray_is_read_and_what_it_lacks_is_told(engines):
    assert _only(engines, "token_out", model="r").value_si == 33.0
    assert any("no series of token_in" in problem for problem in engines.problems)


def test_old_names_count_only_where_new_ones_are_not_there():
    old = b'vllm:prompt_tokens{model_name="m"} 5\nvllm:gpu_prefix_cache_hits_total 2\n'
    assert total(read_engine(VLLM, read(old)).readings, "token_in") == 5.0
    both = old + b'vllm:prompt_tokens_total{model_name="m"} 7\n'
    assert total(read_engine(VLLM, read(both)).readings, "token_in") == 7.0


def test_adapters_and_keys_are_tenants():
    raw = (
        b'litellm_output_tokens_metric_total{model="m",team="t",api_key_alias="a"} 3\n'
        b'litellm_output_tokens_metric_total{model="m",team="t",api_key_alias="b"} 4\n'
    )
    found = recognise(raw)
    assert {r.tenant: r.value_si for r in found.readings} == {"a": 3.0, "b": 4.0}


def test_more_cached_tokens_than_prompt_tokens_are_unknown_and_not_negative():
    raw = b"vllm:prompt_tokens_total 5\nvllm:prompt_tokens_cached_total 8\n"
    found = recognise(raw)
    token_in = _only(found, "token_in")
    assert token_in.value_si is None
    assert "3 more cached tokens" in token_in.why


@pytest.mark.parametrize(("value", "why"), [(b"NaN", "NaN"), (b"+Inf", "inf"), (b"-3", "from 0")])
def test_a_value_that_cannot_be_is_unknown_with_its_reason(value, why):
    found = recognise(b"vllm:generation_tokens_total " + value + b"\nup 1\n")
    assert total(found.readings, "token_out") is None
    assert why in _only(found, "token_out").why
    assert any("not known" in problem for problem in found.problems)


def test_buckets_that_fall_are_no_histogram():
    raw = (
        b'tgi_request_duration_bucket{le="1"} 5\ntgi_request_duration_bucket{le="+Inf"} 4\n'
        b"tgi_request_duration_count 5\n"
    )
    assert _only(recognise(raw), "e2e").value_si is None


def test_text_of_nobody_says_what_it_has():
    found = recognise(b"# TYPE go_goroutines gauge\ngo_goroutines 7\n")
    assert (found.format, found.readings) == ("prometheus", ())
    assert "go_goroutines" in found.problems[0]


def test_requests_of_one_server_count_once_by_whatever_name():
    raw = (
        b"tgi_request_success 40\ntgi_request_generated_tokens_count 40\n"
        b"tgi_request_generated_tokens_sum 5200\n"
    )
    found = recognise(raw)
    assert total(found.readings, "request") == 40.0
    assert total(found.readings, "token_out") == 5200.0


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"vllm:generation_tokens_total 2.5\n", "no whole number of token_out"),
        (b'DCGM_FI_DEV_POWER_USAGE{gpu="0"} 350000\n', "unit may be another"),
        (
            b'tgi_request_duration_bucket{le="+Inf"} 4\ntgi_request_duration_count 5\n',
            "its count says 5, its buckets 4",
        ),
    ],
)
def test_a_value_that_can_hardly_be_is_read_and_doubted(raw, words):
    found = recognise(raw)
    (doubted,) = [r for r in found.readings if r.suspect]
    assert words in doubted.suspect
    assert doubted.value_si is not None
    assert any(words in problem for problem in found.problems)
