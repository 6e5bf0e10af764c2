"""The edge that commands share: exit codes, one JSON object, progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tree6g.cli import console, designs, options, trace
from tree6g.errors import DataError, ScenarioError


def _outcome(capsys, error, **arguments):
    def command(*, as_json=False):
        raise error

    with pytest.raises(typer.Exit) as exit_:
        console.guarded(command)(**arguments)
    return exit_.value.exit_code, *capsys.readouterr()


def test_every_problem_of_a_scenario_is_a_line(capsys):
    error = ScenarioError("2 problems", ["a.yaml:1: x", "a.yaml:2: y"])
    code, out, err = _outcome(capsys, error)
    assert (code, out) == (2, "")
    assert err.splitlines() == ["error: a.yaml:1: x", "error: a.yaml:2: y"]


def test_with_json_the_error_is_an_object_too(capsys):
    code, out, err = _outcome(capsys, DataError("no such row"), as_json=True)
    assert code == 2
    assert json.loads(out) == {"error": {"kind": "DataError", "problems": ["no such row"]}}
    assert err == "error: no such row\n"


def test_file_that_cannot_be_written_is_an_error_of_the_user(capsys):
    error = PermissionError(13, "Permission denied", "report.html")
    code, _, err = _outcome(capsys, error)
    assert (code, err) == (2, "error: Permission denied: report.html\n")


@pytest.mark.parametrize("below", ["", "today"], ids=["itself", "below"])
def test_file_where_a_folder_is_wanted_is_said_in_words(capsys, tmp_path, below):
    file = tmp_path / "taken"
    file.touch()
    with pytest.raises(OSError) as caught:  # noqa: PT011  # one of two, by system
        (file / below).mkdir()
    code, _, err = _outcome(capsys, caught.value)
    assert code == 2
    assert err.startswith(f"error: expected a folder to write to; '{file}' is a file. Name a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [["schema"], ["list", "--json"], ["list"]], ids=" ".join)
def test_output_that_is_full_is_one_line_and_no_traceback(words):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from tree6g.cli import main; main()", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: cannot write the output: No space left on device.\n"


def test_output_that_was_closed_is_no_traceback():
    code = "import sys; sys.stdout = None; from tree6g.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "list"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_trace_is_not_converted_onto_itself(capsys, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("arrival_s,input_tokens,output_tokens,mine\n0,1,1,x\n")
    before = file.read_text()
    with pytest.raises(typer.Exit):
        console.guarded(trace.convert)(file=file, out=tmp_path / "." / "t.csv")
    assert "another file" in capsys.readouterr().err
    assert file.read_text() == before


def test_interrupt_ends_with_its_own_code(capsys):
    code, _, err = _outcome(capsys, KeyboardInterrupt())
    assert (code, err) == (130, "interrupted\n")


def test_fault_of_ours_is_not_hidden():
    def command():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        console.guarded(command)()


def test_json_with_a_value_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        console.print_json({"tree_beq_per_j": float("nan")})


class _Clock:
    def __init__(self, monkeypatch):
        self.now_s = 0.0
        monkeypatch.setattr(console.time, "monotonic", lambda: self.now_s)


def test_short_work_shows_no_progress(capsys, monkeypatch):
    _Clock(monkeypatch)
    show = console.progress()
    show(0.5, "arrivals")
    show(1.0, "done")
    assert capsys.readouterr().err == ""


def test_long_work_shows_a_line_per_tenth_where_nobody_watches(capsys, monkeypatch):
    clock = _Clock(monkeypatch)
    show = console.progress()
    clock.now_s = 5.0
    for percent in range(0, 101, 2):
        show(percent / 100, "inference")
    lines = capsys.readouterr().err.splitlines()
    assert 9 <= len(lines) <= 11
    assert lines[-1] == "100%  inference"


def test_design_may_carry_a_label_and_changes():
    design, other = designs.read_designs(["big=street-corner a.b='3 MHz' c=4", "hybrid-cell"])
    assert (design.label, design.source) == ("big", "street-corner")
    assert design.overrides == ("a.b=3 MHz", "c=4")
    assert (other.label, other.is_ledger) == ("hybrid-cell", False)


def test_folder_of_a_run_gives_its_name_to_the_design(tmp_path):
    (tmp_path / "one" / "ledger").mkdir(parents=True)
    (tmp_path / "one" / "ledger" / "meta.json").write_text("{}")
    first, second = designs.read_designs([str(tmp_path / "one"), str(tmp_path / "two")])
    assert (first.label, first.is_ledger) == ("one", True)
    assert (second.label, second.is_ledger) == ("two", True)
    assert options.ledger_folder(tmp_path / "one") == tmp_path / "one" / "ledger"


def test_traces_are_for_all_services_or_by_name(tmp_path):
    (tmp_path / "a=b.csv").write_text("")
    assert options.traces_of(None) is None
    assert options.traces_of(["x.csv"]).name == "x.csv"
    assert options.traces_of([os.fspath(tmp_path / "a=b.csv")]) == tmp_path / "a=b.csv"
    assert list(options.traces_of(["one=x.csv", "two=y.csv"])) == ["one", "two"]
    with pytest.raises(ScenarioError, match="SERVICE=FILE"):
        options.traces_of(["x.csv", "two=y.csv"])


def test_progress_starts_anew_with_the_next_run(capsys, monkeypatch):
    clock = _Clock(monkeypatch)
    show = console.progress()
    clock.now_s = 5.0
    show(1.0, "first")
    show(0.5, "second")
    clock.now_s = 6.0
    show(1.0, "second")
    assert capsys.readouterr().err == "100%  first\n"
