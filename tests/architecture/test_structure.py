"""Rules of the repository that a reader would otherwise have to check by hand."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

MAX_LINES = 400
MAX_FUNCTION_LINES = 50
SOURCE = Path(__file__).parents[2] / "src" / "tree6g"
FILES = sorted(SOURCE.rglob("*.py"))


def _functions(path):
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def _size(function):
    documented = ast.get_docstring(function, clean=False) or ""
    return function.end_lineno - function.lineno + 1 - len(documented.splitlines())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_file_is_short_enough_to_read(path):
    assert len(path.read_text("utf-8").splitlines()) < MAX_LINES
    long = [f"{f.name}: {_size(f)}" for f in _functions(path) if _size(f) > MAX_FUNCTION_LINES]
    assert long == []


def test_each_package_imports_only_from_the_rows_below_its_own(repository):
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_dependency_is_argued_for(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    names = [re.split(r"[<>=!~ \[]", entry)[0].lower() for entry in project["dependencies"]]
    records = [p.read_text("utf-8").lower() for p in sorted((repository / "docs/adr").glob("*.md"))]
    titles = " ".join(text.splitlines()[0] for text in records)
    assert [name for name in names if name not in titles] == []


def test_decision_records_are_numbered_without_gaps(repository):
    numbers = [int(p.name[:4]) for p in sorted((repository / "docs/adr").glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_public_name_of_the_facade_is_documented():
    import tree6g

    for name in tree6g.__all__:
        value = getattr(tree6g, name)
        if name != "__version__":
            assert (value.__doc__ or "").strip(), name


def test_the_facade_offers_each_name_that_it_lists():
    import tree6g

    assert set(tree6g.__all__) <= set(dir(tree6g))
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        _ = tree6g.simulate


def test_repository_text_names_no_machine(repository):
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    home = re.compile(r"(?<![\w.])/(?:home|Users|root)/\w+")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = repository / name
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".csv", ".json", ".sql"}:
            found += [name] if path.is_file() and home.search(path.read_text("utf-8")) else []
    assert found == []


def test_the_makefile_offers_the_promised_commands(repository):
    text = (repository / "Makefile").read_text("utf-8")
    for target in ("run", "test", "check", "bench", "docs", "fuzz"):
        assert re.search(rf"^{target}:", text, re.MULTILINE), target
    assert os.access(repository / ".ci" / "run", os.X_OK)
