"""Request traces of every form: what is read, what is noted, what is refused with its line."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.scenario.trace import Trace, describe, read_trace, write_trace
from tree6g.scenario.trace_prefix import chains, seen_before

FIXTURES = Path(__file__).parents[1] / "fixtures" / "traces"
HEADER = "arrival_s,input_tokens,output_tokens\n"


@pytest.fixture
def write(tmp_path):
    def _write(text, name="trace.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


def _refused(path, **how):
    with pytest.raises(DataError) as caught:
        read_trace(path, **how)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "arrival_s", "input_tok", "output_tok"),
    [
        ("generic.csv", [0, 0.5, 2, 2, 61.25], [100, 250, 80, 1200, 500], [20, 40, 1, 300, 64]),
        ("azure_2023.csv", [0, 1.0000001, 3.5, 59.8765433], [310, 128, 2048, 64], [41, 7, 256, 16]),
        ("azure_2024.csv", [0, 0.5, 0.99875], [900, 450, 77], [33, 12, 5]),
        (
            "mooncake.jsonl",
            [0, 0, 3, 5.999, 5.999],
            [1100, 700, 1500, 600, 1100],
            [50, 9, 120, 30, 44],
        ),
        ("burstgpt_1.csv", [0, 40, 113, 195], [410, 980, 400, 333], [22, 210, 260, 99]),
        ("burstgpt_3.csv", [0, 2.5, 80], [120, 900, 300], [60, 15, 250]),
        ("vidur.csv", [0, 4.314579, 4.8321], [374, 396, 879], [44, 109, 55]),
        ("blis.csv", [0, 0.25, 2], [164, 80, 364], [20, 5, 31]),
    ],
)
def test_each_form_is_told_by_its_header_and_read_in_seconds_and_tokens(
    name, arrival_s, input_tok, output_tok
):
    trace = read_trace(FIXTURES / name)
    assert trace.arrival_s.tolist() == pytest.approx(arrival_s, abs=1e-12)
    assert trace.input_tok.tolist() == input_tok
    assert trace.output_tok.tolist() == output_tok
    assert trace.name == name.partition(".")[0]
    assert name in trace.source


def test_arrays_of_a_trace_cannot_be_changed():
    trace = read_trace(FIXTURES / "generic.csv")
    with pytest.raises(ValueError, match="read-only"):
        trace.arrival_s[0] = 1.0


def test_timestamps_keep_their_instant():
    assert read_trace(FIXTURES / "azure_2023.csv").t_zero == "2023-11-16T18:00:00.123456700Z"
    assert read_trace(FIXTURES / "azure_2024.csv").t_zero == "2024-05-12T00:00:00.001250000Z"
    assert read_trace(FIXTURES / "generic.csv").t_zero is None


def test_prefix_blocks_tell_what_an_unlimited_cache_would_hold():
    # leading blocks seen before, 512 tokens each, at most the prompt; a later match alone is none
    assert read_trace(FIXTURES / "mooncake.jsonl").cached_tok.tolist() == [0, 512, 1024, 0, 1100]
    assert read_trace(FIXTURES / "generic.csv").cached_tok.tolist() == [0, 100, 80, 0, 250]
    assert read_trace(FIXTURES / "burstgpt_1.csv").cached_tok is None


def test_sessions_and_shared_prefixes_keep_who_belongs_together():
    blis = read_trace(FIXTURES / "blis.csv")
    assert blis.session_id.tolist() == [0, 1, 0]
    assert blis.prefix_id.tolist() == [0, -1, 0]
    assert blis.prefix_tok.tolist() == [64, 0, 64]
    assert read_trace(FIXTURES / "burstgpt_3.csv").session_id.tolist() == [0, -1, 0]
    assert read_trace(FIXTURES / "vidur.csv").session_id is None


def test_prefix_blocks_become_chains_that_a_cache_can_hold():
    blocks = [[1, 2, 3], [1, 2, 3, 4], [9], [1, 2, 7], [1, 2, 3, 4, 5], [9, 8]]
    tokens = 512.0 * np.array([len(mine) for mine in blocks])
    found = chains(blocks, tokens, np.arange(6), 512)
    assert found.group.tolist() == [0, 0, 1, 0, 0, 1]
    assert found.length_tok.tolist() == [1536, 2048, 512, 1024, 2048, 512]
    assert found.saved_tok.tolist() == [0, 1536, 0, 1024, 2048, 512]
    assert (found.saved_tok <= seen_before(blocks, tokens, np.arange(6), 512)).all()


def test_a_branch_that_is_used_more_than_it_costs_gets_a_chain_of_its_own():
    blocks = [[1, 2], [1, 2], [1, 5, 6], [1, 5, 6], [1, 5, 6]]
    tokens = 512.0 * np.array([len(mine) for mine in blocks])
    found = chains(blocks, tokens, np.arange(5), 512)
    assert found.group.tolist() == [0, 0, 1, 1, 1]
    assert found.saved_tok.tolist() == [0, 1024, 0, 1536, 1536]


def test_prefix_groups_survive_mooncake_lines(tmp_path):
    trace = dataclasses.replace(
        read_trace(FIXTURES / "blis.csv"),
        prefix_tok=np.array([0, 0, 0]),
        input_tok=np.full(3, 1500),
    )
    shared = dataclasses.replace(trace, prefix_tok=np.array([1024, 0, 1024]))
    write_trace(shared, tmp_path / "out.jsonl")
    again = read_trace(tmp_path / "out.jsonl")
    assert again.prefix_id.tolist() == [0, -1, 0]
    assert again.prefix_tok.tolist() == [1024, 0, 1024]
    assert again.cached_tok.tolist() == [0, 0, 1024]
    write_trace(trace, tmp_path / "alone.jsonl")
    assert read_trace(tmp_path / "alone.jsonl").cached_tok.tolist() == [0, 0, 0]


def test_generic_csv_keeps_sessions_prefixes_and_classes(tmp_path):
    trace = dataclasses.replace(read_trace(FIXTURES / "blis.csv"), priority=np.array([1, 0, 1]))
    write_trace(trace, tmp_path / "out.csv")
    again = read_trace(tmp_path / "out.csv")
    for name in ("input_tok", "session_id", "prefix_tok", "priority"):
        assert getattr(again, name).tolist() == getattr(trace, name).tolist()


def test_plain_numbers_are_read_without_arrow_and_alike(tmp_path):
    fast = FIXTURES / "vidur.csv"
    quoted = tmp_path / "quoted.csv"
    quoted.write_text(fast.read_text().replace("374", '"374"'))
    for name in ("arrival_s", "input_tok", "output_tok"):
        ours = getattr(read_trace(fast), name)
        assert ours.tolist() == getattr(read_trace(quoted), name).tolist()
    code = (
        "import sys; from tree6g.scenario.trace import read_trace;"
        f"read_trace({str(fast)!r}); sys.exit('pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_failed_requests_are_left_out_and_counted():
    (note,) = read_trace(FIXTURES / "burstgpt_1.csv").notes
    assert note.startswith("2 of 6 requests left out")


def test_unsorted_rows_are_sorted_with_a_note(write):
    trace = read_trace(write(HEADER + "5,3,3\n1,1,1\n1,2,2\n"))
    assert trace.arrival_s.tolist() == [0, 0, 4]
    assert trace.input_tok.tolist() == [1, 2, 3]
    assert trace.notes == ("rows sorted by arrival",)


def test_a_column_map_reads_any_csv(write):
    path = write("when;in;out;who\n2024-01-01T00:00:00Z;5;6;a\n2024-01-01T00:00:01.5Z;7;8;b\n")
    columns = {"arrival_s": "when", "input_tokens": "in", "output_tokens": "out"}
    trace = read_trace(path, columns=columns)
    assert trace.arrival_s.tolist() == [0, 1.5]
    assert trace.output_tok.tolist() == [6, 8]


def test_byte_order_marks_blank_lines_and_quotes_do_no_harm(write):
    path = write(b'\xef\xbb\xbf"arrival_s",input_tokens, output_tokens\r\n\r\n" 1 ","2", 3\r\n')
    trace = read_trace(path)
    assert (trace.input_tok[0], trace.output_tok[0]) == (2, 3)


@pytest.mark.parametrize(
    ("rows", "line", "title", "got"),
    [
        ("0,1,1\n1,x,1\n", 3, "input_tokens", "x"),
        ("0,1,1\n\n1,1,-5\n", 4, "output_tokens", "-5"),
        ("nan,1,1\n", 2, "arrival_s", "nan"),
        ("-1,1,1\n", 2, "arrival_s", "-1"),
        ("inf,1,1\n", 2, "arrival_s", "inf"),
        ("1700000000000,1,1\n", 2, "arrival_s", "1700000000000"),
        ("0,1.5,1\n", 2, "input_tokens", "1.5"),
        ("0,1,10000001\n", 2, "output_tokens", "10000001"),
        ("0,,1\n", 2, "input_tokens", "nothing"),
        ("0,1_000,1\n", 2, "input_tokens", "1_000"),
        ("0,1e400,1\n", 2, "input_tokens", "1e400"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_line_and_value(write, rows, line, title, got):
    message = _refused(write(HEADER + rows))
    assert f"trace.csv:{line}: {title}: expected " in message
    assert message.endswith(f"got {got}.")


def test_all_wrong_cells_are_reported_at_once_but_not_without_end(write):
    message = _refused(write(HEADER + "0,1\n" + "x,y,z\n" * 100))
    lines = message.splitlines()
    assert lines[0].endswith("trace.csv:2: expected 3 columns; got 2: '0,1'.")
    assert sum(": arrival_s: " in line for line in lines) == 20
    assert lines[-1] == "... and 240 more."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b'{"timestamp": 0}\n\n{"timestamp": 0}\n', "trace.csv:3: input_length"),
        (HEADER.encode() + b'0,1,1\n0,1\n0,1,"' + b"x" * 200_000 + b'"\n', "trace.csv:3"),
        (HEADER.encode(), "has none"),
        (HEADER.encode() + b"0,0,0\n", "prompt and output tokens; got none"),
        (b"\x00\x01\x02", "binary"),
        (b"\xff\xfe\n", "UTF-8"),
        (HEADER.encode() + b"0,1,1\n0,\xff,1\n", "trace.csv:3: expected text in UTF-8"),
        (b"a,b,c\n1,2,3\n", "Name the columns with a column map"),
        (b'"a\nb,c\n', "expected a CSV header"),
        (HEADER.encode() + b'0,1,"' + b"1" * 3_000_000 + b'"\n', "one is longer"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-13-01 00:00:00,1,1\n", "trace.csv:2"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-01 00:00:00,1,1\nsoon,1,1\n", ":3"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n0001-01-01,1,1\n2023-01-01,1,1\n", ":2"),
        (b'{"timestamp": 0}\n', "input_length: expected a whole number"),
        (b'{"timestamp": 0, "input_length": true, "output_length": 1}\n', "got true"),
        (b'{"timestamp": 0, "input_length": "5", "output_length": 1}\n', 'got "5"'),
        (b'{"a": 1}\nnope\n[1]\n', "trace.csv:2: expected one JSON object per line"),
        (b'{"a": 1}\n[1]\n', "trace.csv:2: expected a JSON object"),
        (b'{"a": ' + b"[" * 100_000 + b"\n", "expected one JSON object per line"),
        (b'{"a": 1}\n{"b": "\xff"}\n', "trace.csv:2: expected text in UTF-8"),
    ],
)
def test_what_is_no_trace_is_refused(write, text, words):
    assert words in _refused(write(text))


def test_files_that_are_not_there_are_refused(tmp_path):
    assert "expected a trace file" in _refused(tmp_path / "none.csv")
    assert "expected a trace file" in _refused(tmp_path)
    assert "expected a trace file" in _refused("a\0b")


def test_files_beyond_the_stated_size_are_refused(write, monkeypatch):
    monkeypatch.setattr("tree6g.scenario.trace_table.MAX_BYTE", 10)
    assert "expected a trace of at most 1e-08 GB" in _refused(write(HEADER + "0,1,1\n"))


def test_wrong_forms_and_column_maps_are_refused(write):
    path = write(HEADER + "0,1,1\n")
    assert "Did you mean 'azure'?" in _refused(path, form="azur")
    assert "got 'arrival'" in _refused(path, columns={"arrival": "arrival_s"})
    message = _refused(path, columns={"arrival_s": "arival_s"})
    assert "no such column. Did you mean 'arrival_s'?" in message
    assert "it twice" in _refused(write(HEADER.strip() + ",arrival_s\n0,1,1,2\n"), form="csv")


@pytest.mark.parametrize(
    ("form", "name", "step_s"),
    [("csv", "out.csv", 0.0), ("azure", "out.csv", 1e-7), ("mooncake", "out.jsonl", 1e-3)],
)
@pytest.mark.parametrize("fixture", sorted(p.name for p in FIXTURES.glob("*_*.csv")))
def test_a_trace_that_is_written_reads_back(tmp_path, form, name, step_s, fixture):
    trace = read_trace(FIXTURES / fixture)
    write_trace(trace, tmp_path / name, form=form)
    again = read_trace(tmp_path / name)
    assert np.allclose(again.arrival_s, trace.arrival_s, rtol=0, atol=step_s)
    assert again.input_tok.tolist() == trace.input_tok.tolist()
    assert again.output_tok.tolist() == trace.output_tok.tolist()
    if form == "azure" and trace.t_zero:
        assert again.t_zero == trace.t_zero


def test_generic_csv_keeps_everything(tmp_path):
    trace = read_trace(FIXTURES / "generic.csv")
    write_trace(trace, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == (FIXTURES / "generic.csv").read_text()


def test_unknown_forms_and_places_to_write_are_refused(tmp_path):
    trace = read_trace(FIXTURES / "generic.csv")
    with pytest.raises(DataError, match="Did you mean 'mooncake'"):
        write_trace(trace, tmp_path / "out", form="moonkake")
    with pytest.raises(DataError, match="can be written"):
        write_trace(trace, tmp_path / "none" / "out.csv")


def test_a_description_states_rates_and_quantiles():
    said = describe(read_trace(FIXTURES / "generic.csv"))
    assert said["requests"] == 5
    assert said["length_s"] == 61.25
    assert said["rate_hz"] == pytest.approx(4 / 61.25)
    gaps = np.array([0.5, 1.5, 0, 59.25])
    assert said["interarrival_cv"] == pytest.approx(gaps.std() / gaps.mean())
    assert said["peak_rate_hz"] == pytest.approx(4 / 60)
    assert said["input_p50_tok"] == 250
    assert said["output_total_tok"] == 425
    assert said["input_output_ratio"] == pytest.approx(2130 / 425)
    assert said["cached_frac"] == pytest.approx(430 / 2130)


def test_a_single_request_has_no_rate(write):
    said = describe(read_trace(write(HEADER + "5,1,1\n")))
    assert (said["rate_hz"], said["interarrival_cv"]) == (None, None)
    assert said["peak_rate_hz"] == 1.0


def test_the_source_tells_content_apart_but_not_its_form(tmp_path):
    trace = read_trace(FIXTURES / "burstgpt_1.csv")
    write_trace(trace, tmp_path / "burstgpt_1.csv")
    content = trace.source.rpartition(" ")[2]
    assert read_trace(tmp_path / "burstgpt_1.csv").source.endswith(content)
    later = dataclasses.replace(trace, arrival_s=trace.arrival_s * 2)
    write_trace(later, tmp_path / "later.csv")
    assert not read_trace(tmp_path / "later.csv").source.endswith(content)
    assert isinstance(later, Trace)


def test_the_reference_traces_read_as_documented(reference_data):
    conversation = read_trace(reference_data / "traces" / "azure_llm_2023_conv.csv")
    said = describe(conversation)
    assert said["requests"] == 19_366
    assert said["rate_hz"] == pytest.approx(5.53, abs=0.005)
    assert said["interarrival_cv"] == pytest.approx(1.09, abs=0.005)
    assert (said["input_p50_tok"], said["output_p50_tok"]) == (1020, 129)
    assert len(read_trace(reference_data / "traces" / "mooncake_conversation.csv")) == 12_031
