"""Pages of case studies follow from what the runs found, and every study runs."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parents[2] / "cases"
PAGES = CASES.parent / "docs" / "cases"


def _runner():
    sys.path.insert(0, str(CASES))
    spec = importlib.util.spec_from_file_location("cases_run", CASES / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = _runner()
NAMES = RUNNER.names()


@pytest.mark.parametrize("name", NAMES)
def test_page_is_what_its_study_found(name):
    """If this fails: python cases/run.py --pages."""
    assert (PAGES / f"{name}.md").read_text("utf-8") == RUNNER.text(name)


@pytest.mark.parametrize("name", NAMES)
def test_page_has_question_set_up_figure_finding_and_how_to_change_it(name):
    text = (PAGES / f"{name}.md").read_text("utf-8")
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    wanted = ("Question", "Set-up", "Figure", "Finding", "What EE and TREE choose", "Change it")
    assert [head for head in wanted if head not in heads] == []
    assert "Best by EE" in text
    assert "Best by TREE" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_of_a_page_is_there_and_drawn_by_its_study(name):
    text = (PAGES / f"{name}.md").read_text("utf-8")
    shown = set(re.findall(r"\(images/([\w-]+\.png)\)", text))
    assert shown == {f"{name}-{drawing.name}.png" for drawing in RUNNER.drawings(name)}
    assert [image for image in shown if not (PAGES / "images" / image).is_file()] == []


@pytest.mark.parametrize("name", NAMES)
def test_study_runs_and_finds_what_its_page_asks_for(name):
    found = RUNNER.find(name, 1, quick=True)
    template = (CASES / name / "page.md").read_text("utf-8")
    assert "{{" not in RUNNER.page.render(template, found)
    assert RUNNER.case(name).draw(found, "test")


def test_a_place_that_the_study_did_not_find_is_told_by_its_path():
    with pytest.raises(KeyError, match=r"'a.b'.*no 'b'"):
        RUNNER.page.render("{{ a.b | percent }}", {"a": {"c": 1.0}})


def test_spans_of_weights_that_touch_are_one():
    assert RUNNER.study._joined([(10.0, 20.0), (1.0, 10.0), (30.0, 40.0)]) == [
        [1.0, 20.0],
        [30.0, 40.0],
    ]
