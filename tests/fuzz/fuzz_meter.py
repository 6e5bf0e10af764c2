"""Bad texts of every source of the meter: each ends in readings or in an error of the package.

Run by hand: python tests/fuzz/fuzz_meter.py --count 100000 --seed 1
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import mutate
from tree6g.errors import MeterError
from tree6g.ledger.schema import COMPONENTS, ORIGINS
from tree6g.meter.deltas import Look, deltas
from tree6g.meter.exposition import ExpositionReader, read
from tree6g.meter.probe import sums, to_dict
from tree6g.meter.reading import UNITS
from tree6g.meter.recognise import read_scrape, recognise

SAMPLES = Path(__file__).parents[1] / "fixtures" / "meter"
ALPHABET = {
    "prom": 'ab_:{}=",\\n# 0123456789.+-eE\t\n',
    "txt": 'ab_:{}=",\\n# 0123456789.+-eE\t\n',
    "xml": "<>/?!&;=\"' measValuerp0123456789\n",
    "json": '0123456789.,:{}[]\n"\\etfnu ',
    "jsonl": '0123456789.,:{}[]\n"\\etfnu ',
    "stat": "cpu 0123456789\nbtime",
    "csv": "0123456789.,;\t\n\r\"' -+eE:TZ",
}
PARSERS = ("prom", "xml", "json", "csv", "table")
COLUMNS = ("time=Date", "node=Site", "energy=Energy (Wh):Wh", "bit_dl=DL (MB):MB")


class Case(NamedTuple):
    """One input: its bytes, and the map of columns for a table."""

    raw: bytes
    columns: tuple[str, ...]


def cases(parser: str, count: int, seed: int) -> Iterator[Case]:
    """Inputs for one parser, the same for the same seed."""
    random = Random(seed)
    endings = {"prom": ("prom", "txt"), "json": ("json", "jsonl"), "table": ("csv",)}
    wanted = endings.get(parser, (parser,))
    files = [p.read_bytes() for p in sorted(SAMPLES.iterdir()) if p.suffix[1:] in wanted]
    for _ in range(count):
        if random.random() < 0.85:
            raw = mutate.spoil(random.choice(files), random, random.choice(files))
        else:
            raw = mutate.noise(random, ALPHABET[random.choice(wanted)])
        yield Case(raw, COLUMNS if parser == "table" else ())


def check(case: Case) -> str:
    """What became of a case; anything but readings or an error of the package is raised."""
    try:
        found = recognise(case.raw, case.columns)
    except MeterError as error:
        found, refused = None, str(error)
    if found is None:
        assert 0 < len(refused) < 50_000
        return "refused"
    for r in found.readings:
        assert r.kind in UNITS
        assert r.component in {"", *COMPONENTS}
        assert r.origin in ORIGINS
        assert (r.value_si is None) == bool(r.why), r
        assert r.value_si is None or (math.isfinite(r.value_si) and r.value_si >= 0.0)
        assert r.net_si is None or r.net_si >= 0.0
        assert r.t0_s is None or math.isfinite(r.t0_s)
    for total in sums(found):
        assert math.isfinite(total.value_si)
    to_dict(found)
    looks = [Look(time_s=float(n), readings=found.readings) for n in (1, 2)]
    for amount in deltas(*looks).amounts:
        assert math.isfinite(amount.value_si)
    return "read"


def remembered(count: int, seed: int) -> None:
    """A reader that has read other texts reads each one as a fresh reader does."""
    reader = ExpositionReader()
    for case in cases("prom", count, seed):
        again, fresh = reader.read(case.raw), read(case.raw)
        assert again.layout.series == fresh.layout.series
        assert list(map(repr, again.values)) == list(map(repr, fresh.values))
        assert again.times_s == fresh.times_s
        assert again.layout.problems == fresh.layout.problems
        read_scrape(again)


def run(parser: str, count: int, seed: int) -> Counter[str]:
    """Check many cases of one parser; the first that fails is raised with what it was."""
    found: Counter[str] = Counter()
    for i, case in enumerate(cases(parser, count, seed)):
        try:
            found[check(case)] += 1
        except Exception as error:
            error.add_note(f"case {i} of {parser}, seed {seed}: {case!r:.4000}")
            raise
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name in PARSERS:
        sys.stdout.write(f"{name}: {dict(run(name, given.count, given.seed))}\n")
    remembered(given.count, given.seed)


if __name__ == "__main__":
    main()
