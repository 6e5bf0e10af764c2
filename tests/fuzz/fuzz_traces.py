"""Bad traces: every one ends in a trace or in an error of the package.

Run by hand: python tests/fuzz/fuzz_traces.py --count 100000 --seed 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from fuzz import mutate
from tree6g.errors import DataError
from tree6g.scenario.trace import FORMS, NAMES, describe, read_trace

FIXTURES = Path(__file__).parents[1] / "fixtures" / "traces"
CSV = "0123456789.,;\t\n\r\"' -+eE:TZ"
JSON = '0123456789.,:{}[]\n"\\etfnu '


class Case(NamedTuple):
    """One input: the bytes of a file, its form and its column map."""

    raw: bytes
    form: str | None = None
    columns: dict[str, str] | None = None


def cases(count: int, seed: int) -> Iterator[Case]:
    """Inputs, the same for the same seed."""
    random = Random(seed)
    files = [p.read_bytes() for p in sorted(FIXTURES.iterdir()) if p.suffix != ".md"]
    headers = [raw.splitlines()[0] for raw in files]
    for _ in range(count):
        kind = random.random()
        if kind < 0.7:
            raw = mutate.spoil(random.choice(files), random, random.choice(files))
        elif kind < 0.85:  # a sound header over noise, so that the rows are looked at
            raw = random.choice(headers) + b"\n" + mutate.noise(random, CSV)
        else:
            raw = mutate.noise(random, random.choice((CSV, JSON)))
        form = random.choice((None, None, None, None, *FORMS))
        columns = _columns(raw, random) if random.random() < 0.1 else None
        yield Case(raw, form, columns)


def check(case: Case, path: Path) -> str:
    """What became of a case; anything but a trace or an error of the package is raised."""
    path.write_bytes(case.raw)
    try:
        trace = read_trace(path, form=case.form, columns=case.columns)
    except DataError as error:
        trace, refused = None, str(error)
    if trace is None:
        assert "expected" in refused
        assert len(refused) < 50_000
        return "refused"
    said: dict[str, Any] = describe(trace)
    assert said["requests"] == len(trace) > 0
    assert trace.arrival_s[0] == 0
    assert np.all(np.diff(trace.arrival_s) >= 0)
    assert np.all(np.isfinite(trace.arrival_s))
    assert min(trace.input_tok.min(), trace.output_tok.min()) > 0
    return "read"


def run(count: int, seed: int) -> Counter[str]:
    """Check many cases; the first that fails is raised with what it was."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for i, case in enumerate(cases(count, seed)):
            try:
                found[check(case, Path(folder) / "trace")] += 1
            except Exception as error:
                error.add_note(f"case {i} of seed {seed}: {case!r:.4000}")
                raise
    return found


def _columns(raw: bytes, random: Random) -> dict[str, str]:
    titles = raw.split(b"\n")[0].decode("utf-8", "replace").split(",")
    known = (*NAMES, "cached_tokens", random.choice(mutate.NASTY))
    return {random.choice(known): random.choice(titles).strip() for _ in range(random.randrange(4))}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.stdout.write(f"{dict(run(given.count, given.seed))}\n")


if __name__ == "__main__":
    main()
