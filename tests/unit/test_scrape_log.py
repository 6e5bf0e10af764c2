"""Scrapes kept as they came: cut anywhere, gone on with, played at any pace."""

from __future__ import annotations

import gzip
import itertools
import json
import urllib.error
import urllib.request

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.errors import MeterError
from tree6g.meter.scrapes.log import Entry, append, encoded, open_log, start_log
from tree6g.meter.scrapes.play import Player, PlayerServer
from tree6g.meter.scrapes.record import Recorder, fetcher, named_targets, told

LOOKS = [
    Entry(time_s=1000.0, raw=b"vllm:generation_tokens_total 5\n"),
    Entry(time_s=1010.125, why="cannot reach it: refused"),
    Entry(time_s=1020.0, raw=b"vllm:generation_tokens_total 9\n\n# tree6g scrape 1.000000 ok 3\n"),
]


def kept(folder, looks=LOOKS, name="llm"):
    log = start_log(folder, told({name: "http://127.0.0.1:8000/metrics"}), 10.0)
    for look in looks:
        append(log, name, look)
    return log


def test_looks_come_back_as_they_were(tmp_path):
    kept(tmp_path / "log")
    log = open_log(tmp_path / "log")
    assert list(log.entries("llm")) == LOOKS
    assert [log.entry("llm", place) for place in log.places("llm")] == LOOKS
    assert log.span_s() == (1000.0, 1020.0)
    assert log.problems() == []


def test_a_file_of_a_log_is_text_that_zcat_shows(tmp_path):
    log = kept(tmp_path / "log")
    text = gzip.decompress(log.path("llm").read_bytes()).decode()
    assert text.startswith("# tree6g scrape 1000.000000 ok 31\nvllm:generation_tokens_total 5\n")
    assert "# tree6g scrape 1010.125000 failed 24\ncannot reach it: refused\n" in text


def test_a_log_that_is_cut_anywhere_loses_only_what_was_cut(tmp_path):
    log = kept(tmp_path / "log")
    whole = log.path("llm").read_bytes()
    ends = [place.end for place in log.places("llm")]
    for size in range(len(whole) + 1):
        log.path("llm").write_bytes(whole[:size])
        left = sum(end <= size for end in ends)
        assert list(log.entries("llm")) == LOOKS[:left]
        assert bool(log.problems()) == (size not in (0, *ends))


def test_a_torn_end_is_cut_off_before_more_is_added(tmp_path):
    log = kept(tmp_path / "log")
    path = log.path("llm")
    path.write_bytes(path.read_bytes()[:-3])
    kept(tmp_path / "log", [LOOKS[2]])
    assert list(open_log(tmp_path / "log").entries("llm")) == LOOKS


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 1e9), st.binary(max_size=200)), max_size=5))
def test_any_bytes_are_kept(tmp_path_factory, looks):
    folder = tmp_path_factory.mktemp("log") / "log"
    entries = [Entry(time_s=round(t, 6), raw=raw) for t, raw in looks]
    kept(folder, entries)
    assert list(open_log(folder).entries("llm")) == entries
    assert all(encoded(e) == encoded(e) for e in entries)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=6))
def test_bytes_that_were_changed_are_left_out_or_refused(tmp_path_factory, changes):
    log = kept(tmp_path_factory.mktemp("log") / "log")
    raw = bytearray(log.path("llm").read_bytes())
    for at, value in changes:
        raw[at % len(raw)] = value
    log.path("llm").write_bytes(bytes(raw))
    try:
        found = list(log.entries("llm"))
        log.problems()
    except MeterError:
        return
    assert found == LOOKS[: len(found)]  # a checksum stands behind each


@pytest.mark.parametrize(
    "noise", [b"\0" * 40, b"\x1f\x8b" + b"\0" * 40, gzip.compress(b"else\n", mtime=0)]
)
def test_what_is_no_log_is_refused_or_left_out_and_told(tmp_path, noise):
    log = kept(tmp_path / "log")
    log.path("llm").write_bytes(log.path("llm").read_bytes() + noise)
    if noise[:4] == b"\x1f\x8b\x08\x00":
        with pytest.raises(MeterError, match="no scrape of tree6g"):
            list(log.entries("llm"))
    else:
        assert list(log.entries("llm")) == LOOKS
        assert "no whole scrape" in log.problems()[0]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(MeterError, match="an empty folder"):
        kept(tmp_path / "other")
    kept(tmp_path / "log")
    with pytest.raises(MeterError, match="of other targets"):
        kept(tmp_path / "log", name="gpu")
    with pytest.raises(MeterError, match="a log of scrapes"):
        open_log(tmp_path / "none")
    (tmp_path / "log" / "log.json").write_text('{"schema": "tree6g-scrapes-1", "targets": 3}')
    with pytest.raises(MeterError, match="cannot read"):
        open_log(tmp_path / "log")


def test_a_recorder_keeps_answers_and_failures(tmp_path):
    said = []
    answers = iter([b"a 1\n", MeterError("refused."), b"a 2\n"])

    def get():
        answer = next(answers)
        if isinstance(answer, MeterError):
            raise answer
        return answer

    log = start_log(tmp_path / "log", told({"llm": "http://u:p@h/metrics?key=1"}), 10.0)
    clock = itertools.count(1000.0, 5.0)
    recorder = Recorder(log, {"llm": get}, say=said.append, now_s=lambda: next(clock))
    for _ in range(3):
        recorder.look()
    found = list(open_log(tmp_path / "log").entries("llm"))
    assert [(e.time_s, e.raw, e.why) for e in found] == [
        (1002.5, b"a 1\n", ""), (1012.5, b"", "refused."), (1022.5, b"a 2\n", ""),
    ]  # fmt: skip
    assert said == ["target 'llm' is lost: refused.", "target 'llm' is back"]
    assert (recorder.counts.looks, recorder.counts.failed_looks) == (3, 1)
    where = json.loads((tmp_path / "log" / "log.json").read_text())["targets"]["llm"]["where"]
    assert where == "http://h/metrics"


def test_targets_are_named_or_called_after_their_address():
    found = named_targets(["llm=http://h:1/metrics", "http://10.0.0.5:9400/metrics", "a/b.prom"])
    assert list(found) == ["llm", "10.0.0.5-9400", "b.prom"]
    with pytest.raises(MeterError, match="two targets"):
        named_targets(["a=x", "a=y"])


def test_a_file_and_a_folder_of_the_system_are_recorded_too(tmp_path):
    (tmp_path / "x.prom").write_bytes(b"a 1\n")
    assert fetcher(str(tmp_path / "x.prom"))() == b"a 1\n"
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("energy_uj", "5"), ("max_energy_range_uj", "9")):
        (zone / name).write_text(text)
    assert b"intel-rapl:0" in fetcher(str(tmp_path))()
    with pytest.raises(MeterError, match="no powercap"):
        fetcher(str(tmp_path / "sys"))()


def test_a_player_says_what_was_said_at_its_moment(tmp_path):
    now = [0.0]
    player = Player(kept(tmp_path / "log"), speed=10.0, now_s=lambda: now[0])
    assert player.look("llm") == LOOKS[0]
    now[0] = 1.5
    assert player.look("llm") == LOOKS[1]
    now[0] = 2.5
    assert player.look("llm") == LOOKS[2]
    now[0] = 3.1
    assert player.is_over
    assert "at its end" in player.look("llm").why
    with pytest.raises(MeterError, match="a speed"):
        Player(kept(tmp_path / "other"), speed=0.0)


def test_a_player_answers_at_the_name_and_at_the_old_path(tmp_path):
    player = Player(kept(tmp_path / "log"), now_s=lambda: 0.0)
    with PlayerServer(player) as server:
        for path in ("/llm", "/metrics"):
            with urllib.request.urlopen(server.url + path) as answer:
                assert answer.read() == LOOKS[0].raw
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(server.url + "/../../etc/passwd")
        assert refused.value.code == 404
        refused.value.close()
    failed = Player(kept(tmp_path / "failed", LOOKS[1:2]), now_s=lambda: 0.0)
    with PlayerServer(failed) as server, pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(server.url + "/llm")
    assert (refused.value.code, refused.value.read()) == (503, b"cannot reach it: refused")
    refused.value.close()


def test_an_empty_log_cannot_be_played(tmp_path):
    with pytest.raises(MeterError):
        Player(kept(tmp_path / "log", []))
