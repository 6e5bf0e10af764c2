"""Nothing that a user can reach is undocumented, and generated pages are up to date."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tree6g
from tree6g import data
from tree6g.cli import app, results

ROOT = Path(__file__).parents[2]


def _generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.mark.parametrize("path", GENERATOR.PAGES)
def test_generated_page_is_up_to_date(path):
    """If this fails: python docs/generate.py."""
    assert (ROOT / "docs" / path).read_text("utf-8") == GENERATOR.PAGES[path]()


@pytest.mark.parametrize("page", GENERATOR.written_pages(), ids=lambda p: p.name)
def test_output_on_a_page_is_what_the_command_prints_now(page):
    """If this fails: python docs/generate.py."""
    assert GENERATOR.with_output(page) == page.read_text("utf-8")


def _numbers(text):
    """All numbers of a CSV text, in order."""
    plain = text if isinstance(text, str) else text.decode()
    return [float(cell) for cell in re.split(r"[,\n]", plain) if re.fullmatch(r"[\d.e+-]+", cell)]


def test_picture_shows_the_numbers_of_today():
    """If this fails: python docs/generate.py."""
    kept = ROOT / "docs" / "images" / f"{'-'.join(GENERATOR.PICTURE)}.csv"
    drawn = [_numbers(text) for text in (kept.read_text("utf-8"), GENERATOR.picture()[".csv"])]
    assert drawn[0] == pytest.approx(drawn[1], rel=1e-6)


@pytest.mark.parametrize("words", GENERATOR.command_names(), ids=" ".join)
def test_command_has_help_with_an_example_and_a_json_option(words):
    shown = CliRunner().invoke(app, [*words, "--help"]).output
    assert f"Example: tree6g {' '.join(words)}" in shown
    assert "--json" in shown


@pytest.mark.parametrize("words", GENERATOR.command_names(), ids=" ".join)
def test_command_is_used_on_a_page_that_people_read(words):
    pages = [ROOT / "README.md", *(ROOT / "docs" / "how-to").glob("*.md")]
    pages += (ROOT / "docs" / "tutorial").glob("*.md")
    text = "\n".join(page.read_text("utf-8") for page in pages)
    assert f"tree6g {' '.join(words)}" in text


def test_every_name_of_the_facade_is_on_the_python_page():
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    names = [name for name in tree6g.__all__ if name != "__version__"]
    assert [name for name in names if name not in page] == []


def test_every_key_of_a_result_is_documented():
    page = (ROOT / "docs" / "reference" / "results.md").read_text("utf-8")
    assert [key for key in results.SERVICE_KEYS if f"`{key}`" not in page] == []


_DESIGNS = ["quick=street-corner 'duration=1 min'", "other=street-corner 'duration=1 min' seed=2"]
_LOADS = ["--over", "population.ai_requests_per_user_hour=2", "--set", "duration=1 min"]


@pytest.mark.parametrize(
    "words",
    [
        ["run", "street-corner", "--set", "duration=1 min", "--no-report"],
        ["compare", *_DESIGNS],
        ["compare", "street-corner", *_LOADS],
        ["init", "mine.yaml"],
        ["cite"],
    ],
    ids=["run", "compare", "study", "init", "cite"],
)
def test_every_key_that_a_command_prints_is_documented(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(app, [*words, "--json"])
    assert printed.exit_code == 0, printed.output
    page = (ROOT / "docs" / "reference" / "results.md").read_text("utf-8")
    keys = dict.fromkeys(_keys(json.loads(printed.stdout)))
    assert [key for key in keys if f"`{key}`" not in page] == []


def _keys(value):
    """Names of all fields, without those that are data: reasons by field, joules by reason."""
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in {"reasons", "unattributed_j"}:
                yield from _keys(inner)


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [p.relative_to(ROOT / "docs") for p in (ROOT / "docs").rglob("*.md")]
    missing = [str(p) for p in pages if str(p) not in navigation and "adr" not in p.parts]
    assert missing == []


def test_every_decision_is_in_their_list():
    listed = (ROOT / "docs" / "adr" / "index.md").read_text("utf-8")
    records = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [p.name for p in records if p.name not in listed] == []


def test_suffixes_of_result_keys_are_units_or_quantities():
    from tree6g import units

    known = {*data.table("quantities")}
    physical = [key for key in results.SERVICE_KEYS if re.search(r"_(beq|bit|tok|j|frac)$", key)]
    assert [k for k in physical if units.suffix_of(k) is None and k not in known] == []
