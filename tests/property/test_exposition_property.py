"""Prometheus text against its own client library; a reader that remembers against a fresh one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.meter.exposition import ExpositionReader, read

SAMPLES = Path(__file__).parents[1] / "fixtures" / "meter"
_name = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
_text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=12)
_value = st.floats(allow_nan=True) | st.integers(0, 10**18).map(float)
_series = st.tuples(_name, st.dictionaries(_name, _text, max_size=3))


def _line(series, value, time_ms=None):
    name, labels = series
    inner = ",".join(
        f'{k}="{v}"'.replace("\n", "\\n") if "\\" not in v and '"' not in v else _escaped(k, v)
        for k, v in labels.items()
    )
    number = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, repr(value))
    body = f"{name}{{{inner}}}" if inner else name
    return f"{body} {number}" + ("" if time_ms is None else f" {time_ms}")


def _escaped(name, value):
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{text}"'


def _found(scrape):
    pairs = zip(scrape.layout.series, scrape.values, strict=True)
    return {(s.name, s.labels): (repr(v), scrape.times_s.get(i)) for i, (s, v) in enumerate(pairs)}


@given(
    st.lists(
        st.tuples(_series, _value, st.none() | st.integers(0, 2**41)),
        max_size=12,
        unique_by=lambda item: (item[0][0], tuple(sorted(item[0][1].items()))),
    )
)
def test_samples_are_those_that_the_client_library_reads(rows):
    parser = pytest.importorskip("prometheus_client.parser")
    text = "\n".join(_line(*row) for row in rows) + "\n"
    theirs = {
        (s.name, tuple(sorted(s.labels.items()))): (
            repr(s.value), None if s.timestamp is None else s.timestamp
        )
        for family in parser.text_string_to_metric_families(text)
        for s in family.samples
    }  # fmt: skip
    scrape = read(text.encode())
    assert scrape.layout.problems == ()
    ours = _found(scrape)
    assert ours.keys() == theirs.keys()
    for key, (value, time) in ours.items():
        assert value == theirs[key][0]
        assert time == (None if time is None else pytest.approx(theirs[key][1]))


_messy = st.lists(
    st.sampled_from(
        ["a 1", "a 2", 'b{c="d"} 1', 'b{c="d"} 5', "b 3 7", "# TYPE a counter", "# EOF", "", "a x",
         "5", "a 1_0", 'b{c="d"}  9', "\ud7ff 1", 'e{f="\\n"} 2', 'e{f="\\n"} 3']
    ),
    max_size=8,
)  # fmt: skip


@given(st.lists(_messy, min_size=2, max_size=4))
def test_a_reader_that_remembers_reads_what_a_fresh_one_reads(texts):
    reader = ExpositionReader()
    for lines in texts:
        raw = "\n".join(lines).encode()
        again, fresh = reader.read(raw), read(raw)
        assert _found(again) == _found(fresh)
        assert again.layout.problems == fresh.layout.problems
        assert again.layout.types == fresh.layout.types
        assert again.layout.complete == fresh.layout.complete


def test_openmetrics_with_exemplars_and_time_stamps_is_what_its_own_parser_reads():
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    lines = (SAMPLES / "openmetrics.txt").read_bytes().splitlines(keepends=True)
    raw = b"".join(line for line in lines if line[:1] != b"{")  # it reads no quoted names
    theirs = {
        (s.name, tuple(sorted(s.labels.items()))): (
            repr(s.value), None if s.timestamp is None else float(s.timestamp)
        )
        for family in parser.text_string_to_metric_families(raw.decode())
        for s in family.samples
    }  # fmt: skip
    scrape = read(raw)
    assert scrape.layout.problems == ()
    assert _found(scrape) == theirs
