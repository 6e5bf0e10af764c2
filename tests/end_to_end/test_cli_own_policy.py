"""The policy that the documentation writes, in a run and in a comparison."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tree6g.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-policy.md"


@pytest.fixture
def frugal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = re.search(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)[
        1
    ]
    Path("frugal.py").write_text(text, "utf-8")
    return text


def test_the_policy_of_the_page_has_about_twenty_lines(frugal):
    lines = [line for line in frugal.splitlines() if line.strip()]
    assert len(lines) <= 20


def test_it_runs_and_appears_in_compare_by_its_name(frugal):
    words = ["compare", "three-tiers", "--over", "policy=nearest,./frugal.py", "--json"]
    words += ["--rules", "proportional", "--idle-rules", "spread", "--set", "duration=2 min"]
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code == 0, printed.output
    shown = json.loads(printed.stdout)
    assert {cell["value"] for cell in shown["cells"]} == {"nearest", "frugal.py"}
    assert any("by the policy frugal.py" in note for note in shown["notes"])


def test_a_policy_that_fails_is_an_error_without_a_traceback(frugal):
    Path("bad.py").write_text("def choose(query, options):\n    return options[9]\n", "utf-8")
    words = ["run", "three-tiers", "--set", "policy=./bad.py", "--set", "duration=1 min"]
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code != 0
    assert "Traceback" not in printed.output
    assert "bad.py, line 2: IndexError" in " ".join(printed.output.split())
