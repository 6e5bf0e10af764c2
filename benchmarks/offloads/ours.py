"""The requests through our engine: `ours.py SOURCE OUT [profile]`.

A short run first, so that nothing is compiled or imported in the timed one. `cpu_s` is that of
`tree6g.run` from the files of scenario and trace to the closed ledger, without checkpoints: the
peer keeps none. With `profile` as a third word, the functions that the time goes to are printed in
place of being timed.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numba  # noqa: F401  # the engine compiles its loops where a compiler is loaded

import tree6g


def once(source: Path, *overrides: str, trace: bool = True) -> tree6g.RunResult:
    """One run."""
    with TemporaryDirectory() as folder:
        return tree6g.run(
            source / "scenario.yaml",
            trace=source / "trace.csv" if trace else None,
            out=Path(folder),
            overrides=overrides,
            checkpoint=0,
        )


def main(source: Path, out: Path) -> None:
    """Run, and write what it took and what became of the requests."""
    once(source, "duration=5 s", "population.ai_requests_per_user_hour=60", trace=False)
    start = time.process_time()
    result = once(source)
    cpu_s = time.process_time() - start
    counted = result.requests
    found = {"cpu_s": cpu_s, "requests": counted.arrived, "served": counted.served}
    out.write_text(json.dumps(found))


def profile(source: Path) -> None:
    """Where the time goes, by function alone and with what it calls."""
    once(source, "duration=5 s", "population.ai_requests_per_user_hour=60", trace=False)
    profiler = cProfile.Profile()
    profiler.runcall(once, source)
    stats = pstats.Stats(profiler)
    stats.sort_stats("tottime").print_stats(25)
    stats.sort_stats("cumulative").print_stats(40)


if __name__ == "__main__":
    if sys.argv[3:] == ["profile"]:
        profile(Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
