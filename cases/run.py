"""Run the case studies and write their pages: `make cases`, or `python cases/run.py --only NAME`.

Each folder beside this file is a study: a scenario or several, `case.py` with `run` and `draw`, and
`page.md`, the page with places for numbers. What a study found is kept in its `results.json`; the
pages in `docs/cases` follow from that alone (`--pages` writes them without running anything).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE))

import page  # noqa: E402  # beside this file, which is run as a script
import study  # noqa: E402

from tree6g.report.canvas import Drawing  # noqa: E402

PAGES: Final = HERE.parent / "docs" / "cases"
IMAGES: Final = PAGES / "images"


def names() -> list[str]:
    """All studies."""
    return sorted(path.parent.name for path in HERE.glob("*/case.py"))


def case(name: str) -> ModuleType:
    """The module of a study: `run(bench) -> Found` and `draw(found, stamp) -> [Drawing]`."""
    spec = importlib.util.spec_from_file_location(f"case_{name}", HERE / name / "case.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find(name: str, workers: int, *, quick: bool) -> study.Found:
    """Run a study in a folder of its own that is gone afterwards."""
    spawned = get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="tree6g-case-") as folder,
        ProcessPoolExecutor(workers, mp_context=spawned) as executor,
    ):
        bench = study.Bench(folder=Path(folder), executor=executor, quick=quick, tell=_tell)
        found: study.Found = study.rounded(case(name).run(bench))
    return found


def text(name: str) -> str:
    """The page of a study, from what it found."""
    template = (HERE / name / "page.md").read_text("utf-8")
    return page.render(template, study.read(HERE / name / "results.json"))


def drawings(name: str) -> Sequence[Drawing]:
    """The figures of a study, from what it found."""
    drawn: Sequence[Drawing] = case(name).draw(
        study.read(HERE / name / "results.json"), f"tree6g \u00b7 case {name}"
    )
    return drawn


def publish(name: str) -> None:
    """Write page and figures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    (PAGES / f"{name}.md").write_text(text(name), encoding="utf-8")
    for drawing in drawings(name):
        (IMAGES / f"{name}-{drawing.name}.png").write_bytes(drawing.png)


def main(words: Sequence[str] | None = None) -> None:
    """Run what is asked, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names(), default=names(), metavar="NAME")
    parser.add_argument("--pages", action="store_true", help="write pages, run nothing")
    parser.add_argument("--quick", action="store_true", help="short runs, nothing is written")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(words)
    for name in asked.only:
        started = time.monotonic()
        if not asked.pages:
            _tell(name)
            found = find(name, asked.workers, quick=asked.quick)
            if asked.quick:
                continue
            study.write(found, HERE / name / "results.json")
        publish(name)
        _tell(f"{name}: docs/cases/{name}.md, {time.monotonic() - started:.0f} s")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
