"""The scheduler that the documentation writes, in a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from engine_worlds import brief
from tree6g.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "schedule-a-cell.md"


def test_the_scheduler_of_the_page_is_short_and_decides_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = re.search(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for line in text[1].splitlines() if line.strip()]
    assert len(lines) <= 20
    Path("mine.py").write_text(text[1], "utf-8")
    Path("cell.yaml").write_text(json.dumps(brief(duration="3 s", drain="20 s")), "utf-8")
    words = ["run", "cell.yaml", "--set", "scheduling.rule=./mine.py", "--no-report", "--json"]
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code == 0, printed.output
    shown = json.loads(printed.stdout)
    assert any("scheduled by mine.py" in note for note in shown["notes"]), shown.keys()
