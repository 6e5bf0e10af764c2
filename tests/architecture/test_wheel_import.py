"""The installed wheel imports fast and loads no library that only some commands need."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

# Loaded where they are used, never by `import tree6g`.
HEAVY = (
    "duckdb", "pyarrow", "matplotlib", "pydantic", "pandas", "polars", "scipy", "highspy", "cvxpy",
    "typer", "click", "rich", "yaml", "plotly", "http.server", "numba", "aiohttp", "opentelemetry",
)  # fmt: skip
BUDGET_CPU_S = 0.3


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder that holds the built wheel's content and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", str(folder)], cwd=repository, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _python(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python so that `tree6g` is the wheel's and not the working copy's."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    environment.pop("COVERAGE_PROCESS_START", None)
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=installed
    )


def test_the_wheel_is_what_is_imported(installed):
    where = _python(installed, "-c", "import tree6g; print(tree6g.__file__)").stdout
    assert where.startswith(str(installed))


def test_import_takes_less_than_its_budget_of_cpu(installed):
    code = "import time, tree6g; print(time.process_time())"  # of the whole process
    times = [float(_python(installed, "-c", code).stdout) for _ in range(4)]  # the first compiles
    assert min(times) < BUDGET_CPU_S


def test_importtime_names_no_heavy_library(installed):
    lines = _python(installed, "-X", "importtime", "-c", "import tree6g").stderr.splitlines()
    names = {line.rpartition("|")[2].strip() for line in lines}
    assert "tree6g" in names
    assert sorted(name for name in HEAVY if name in names) == []


def test_every_packaged_file_is_in_the_wheel(installed, repository):
    source = repository / "src" / "tree6g"
    files = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {path.relative_to(installed / "tree6g") for path in installed.rglob("tree6g/**/*")}
    assert files <= packed
