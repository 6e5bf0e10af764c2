"""Prometheus text: what one line means, and what is told about texts that break the rules."""

from __future__ import annotations

import math

import pytest

from tree6g.meter import exposition
from tree6g.meter.exposition import ExpositionReader, read
from tree6g.meter.exposition_line import sample


def _values(raw):
    scrape = read(raw)
    return {s.text: v for s, v in zip(scrape.layout.series, scrape.values, strict=True)}


def _problems(raw):
    return read(raw).layout.problems


@pytest.mark.parametrize(
    ("line", "text", "value"),
    [
        (b"up 1", "up", 1.0),
        (b"up\t1", "up", 1.0),
        (b"  up   1  ", "up", 1.0),
        (b'a{b="c"} 2.5e3', 'a{b="c"}', 2500.0),
        (b'a { b = "c" , } +Inf', 'a{b="c"}', math.inf),
        (b"a{} -.5", "a", -0.5),
        (b'a{z="1",b="2"} 0', 'a{b="2",z="1"}', 0.0),
        (b'{"a.b",c="d"} 3', 'a.b{c="d"}', 3.0),
        (b'vllm:x_total{m="a,b} 1"} 7', 'vllm:x_total{m="a,b} 1"}', 7.0),
    ],
)
def test_a_line_is_a_series_and_a_number(line, text, value):
    found = sample(line)
    assert (found.series.text, found.value) == (text, value)


def test_escapes_of_label_values_are_undone_and_other_backslashes_stay():
    found = sample(rb'a{b="x\"y\\z\nw\d"} 1')
    assert found.series.labels == (("b", 'x"y\\z\nw\\d'),)


def test_time_stamp_and_exemplar_are_told_from_the_value():
    found = sample(b'a_total 17 1700000000.25 # {trace="x"} 1 1.7e9')
    assert (found.value, found.time, found.head) == (17.0, 1700000000.25, None)


@pytest.mark.parametrize(
    "line",
    [
        b"a", b"a b", b"a 1 2 3", b"1a 1", b"a{b} 1", b"a{b=c} 1", b'a{b="c} 1', b'a{b="c"',
        b'a{b="c" d="e"} 1', b'a{b="c",b="d"} 1', b'{b="c"} 1', b'a{"d.e"} 1', b"a 1_000",
        b"a 0x10", b"a 1 # x", b"{} 1", b'a{,b="c"} 1', 'a{b="c"} \u0663'.encode(),
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_left_out_and_told(line):
    assert _values(b"ok 1\n" + line + b"\nfine 2\n") == {"ok": 1.0, "fine": 2.0}
    assert len(_problems(line)) == 1


def test_bytes_that_are_not_utf_8_are_told_and_the_rest_is_read():
    raw = b'a{b="\xff"} 1\nc 2\n'
    assert _values(raw) == {"c": 2.0}
    assert "not UTF-8" in _problems(raw)[0]


def test_an_endless_line_is_bounded():
    raw = b"a 1\nb" + b"x" * 100_000 + b" 2\nc 3"
    assert _values(raw) == {"a": 1.0, "c": 3.0}
    assert "100,003 byte" in _problems(raw)[0]


def test_a_scrape_that_is_too_large_is_refused_with_its_size(monkeypatch):
    monkeypatch.setattr(exposition, "MAX_BYTE", 10)
    scrape = read(b"a 1\n" * 10)
    assert not scrape.values
    assert "got 40" in scrape.layout.problems[0]


def test_of_a_series_that_is_there_twice_the_first_one_counts():
    raw = b'a{x="1",y="2"} 1\na{y="2",x="1"} 5\n'
    assert _values(raw) == {'a{x="1",y="2"}': 1.0}
    assert "a second time" in _problems(raw)[0]


def test_problems_are_counted_when_they_are_many():
    told = _problems(b"bad\n" * 1000)
    assert len(told) == exposition.MAX_PROBLEMS + 1
    assert told[-1] == "and 950 more."


def test_types_are_kept_and_two_types_of_one_name_told():
    scrape = read(b"# TYPE a counter\n# HELP a text\n# a remark\n# TYPE a gauge\na 1\n# TYPE b\n")
    assert scrape.layout.types == {"a": "counter"}
    assert len(scrape.layout.problems) == 2


def test_openmetrics_that_is_cut_off_is_told():
    whole = b"# TYPE a counter\n# UNIT a joules\na_total 1\n"
    assert not read(whole).layout.complete
    assert read(whole + b"# EOF\n").layout.complete
    assert "after '# EOF'" in _problems(whole + b"# EOF\nb 2\n")[0]


def test_lines_may_end_as_on_windows():
    assert _values(b"a 1\r\nb 2\r\n") == {"a": 1.0, "b": 2.0}


def test_the_layout_is_the_same_object_as_long_as_only_numbers_change():
    reader = ExpositionReader()
    first = reader.read(b'# TYPE a counter\na{b="c"} 1\nd NaN\n')
    second = reader.read(b'# TYPE a counter\na{b="c"} 2\nd 3\n')
    assert second.layout is first.layout
    assert next(iter(first.values)) == 1.0
    assert list(second.values) == [2.0, 3.0]
    third = reader.read(b'# TYPE a counter\na{b="c"} 2\nd 3\ne 4\n')
    assert third.layout is not first.layout
    assert list(third.values) == [2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    "changed",
    [b"5\nb 2", b"a 1_0\nb 2", b"a x\nb 2", b"aa 1\nb 2", b"a 1 7\nb 2", b"# a\nb 2", b"\nb 2",
     b"b 1\na 2", b"a  4\nb 2", b"a 1\na 1", b"a nan\nb -Inf"],
)  # fmt: skip
def test_a_text_is_read_the_same_after_another_one(changed):
    reader = ExpositionReader()
    reader.read(b"a 1\nb 2")
    again, fresh = reader.read(changed), read(changed)
    assert again.layout.series == fresh.layout.series
    assert [repr(v) for v in again.values] == [repr(v) for v in fresh.values]
    assert again.layout.problems == fresh.layout.problems
    assert again.times_s == fresh.times_s


def test_prometheus_text_is_told_from_other_texts():
    assert exposition.is_exposition(b"# HELP a b\n# TYPE a counter\na 1\n")
    assert exposition.is_exposition(b'a{b="c"} 1\n')
    for other in (b"", b"a,b\n1,2\n", b'{"a": 1}', b"<a/>", b"# a remark\n", b"hello world\n"):
        assert not exposition.is_exposition(other)
