"""The examples of README and documentation run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
import warnings
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

import tree6g
from tree6g.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "adr" not in page.parts
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def _blocks(language):
    """Pages that have fenced blocks of a language, with these blocks."""
    found = []
    for page in PAGES:
        fences = FENCE.findall(page.read_text("utf-8"))
        blocks = [text for name, text in fences if name == language]
        found += [pytest.param(page, blocks, id=str(page.relative_to(ROOT)))] if blocks else []
    return found


@pytest.mark.parametrize(("page", "blocks"), _blocks("python"))
def test_python_blocks_of_a_page_run_in_order(page, blocks, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, str(page), "exec"), namespace)
    capsys.readouterr()


@pytest.mark.parametrize(("page", "blocks"), _blocks("yaml"))
def test_scenarios_on_a_page_run(page, blocks, tmp_path):
    for number, block in enumerate(blocks):
        file = tmp_path / f"{page.stem}-{number}.yaml"
        file.write_text(block, "utf-8")
        result = tree6g.run(file, out=tmp_path / file.stem, overrides=["duration=1 min"])
        assert result.tree().tree_beq_per_j > 0


@pytest.mark.parametrize(("page", "blocks"), _blocks(""))
def test_commands_on_a_page_exist_with_their_options(page, blocks):
    """Commands are not run here, but each must parse: `--help` after its words and options."""
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    for line in lines:
        words = shlex.split(line, comments=True)
        if not words or words[0] != "tree6g":
            continue
        kept = words[1 : words.index(">")] if ">" in words else words[1:]
        shown = CliRunner().invoke(app, [*kept, "--help"])
        assert shown.exit_code == 0, f"{line}\n{shown.output}"
        for option in (word.partition("=")[0] for word in kept if word.startswith("--")):
            assert option in shown.output, f"{line}: no {option}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_runs_from_top_to_bottom(path, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the kernel's own libraries
        from nbclient import NotebookClient

        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    assert all(cell.get("outputs") is not None for cell in notebook.cells if "outputs" in cell)


def test_notebooks_are_kept_without_outputs():
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        assert all(not cell.get("outputs") for cell in cells), path.name


def _modules():
    found = pkgutil.walk_packages(tree6g.__path__, "tree6g.")
    return sorted(module.name for module in found)


@pytest.mark.parametrize("name", _modules())
def test_docstring_examples_hold(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_images_of_a_page_exist(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    local = [t for t in targets if not re.match(r"[a-z]+:", t)]
    assert [t for t in local if not (page.parent / t).exists()] == []
