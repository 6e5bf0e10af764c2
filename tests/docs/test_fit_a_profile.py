"""From scores to a run: the commands of the how-to, run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tree6g.cli import app
from tree6g.ledger.reading import open_ledger
from tree6g.metric.profile import from_meta

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "fit-a-profile.md"


def test_scores_become_a_curve_and_the_curve_the_worth_of_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text("utf-8")
    section = text[text.index("## From scores to a run") : text.index("## On a ledger")]
    fences = dict(re.findall(r"^```(\w*)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE))
    exec(f"import numpy as np\n{fences['python']}", {"__name__": "__main__"})
    commands = fences[""].splitlines()
    assert len(commands) == 4
    for line in commands:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}"
    fitted = yaml.safe_load(Path("chat.yaml").read_text("utf-8"))["utility"]
    profile = from_meta(open_ledger(Path("fitted") / "ledger").meta)["city-query"].profile
    assert (profile.curve.family, profile.curve.t0_tps) == ("saturating", fitted["t0_tps"])
    assert fitted["t0_tps"] == pytest.approx(9.0, rel=0.3)  # which made the scores
    assert (profile.unit, profile.interval_s) == ("session", 1.0)
    assert "saturating (T0 = " in Path("fitted/report.html").read_text("utf-8")
    capsys.readouterr()
