"""A meter may die at any moment: what it acknowledged is in the ledger, once."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tree6g.ledger import parts
from tree6g.ledger.check import check
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import open_ledger
from tree6g.meter.agent.journal import Journal

KILLS = 200
KILLS_PER_LEDGER = 40
LONGEST_S = 0.15
METER_META = Meta(services={"chat": {"kind": "ai"}}, sources={"model": "crash test"})
METER = Path(__file__).with_name("recording_meter.py")


@pytest.fixture
def killed():
    """Run a meter, kill it after a delay, return where it began and what it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, METER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def run(path, seed, delay_s):
        since = "start" if seed % 5 == 0 else "first"
        process.stdin.write(f"{path}\t{seed}\t{since}\t{delay_s}\n")
        process.stdin.flush()
        return [int(span.split("-")[1]) for span in process.stdout.readline().split()]

    yield run
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def values(path, table, column):
    return sorted(open_ledger(path).table(table)[column].to_pylist())


@pytest.mark.slow
def test_after_each_of_two_hundred_kills_the_meter_goes_on_where_it_was(tmp_path, killed):
    rng = random.Random(13)
    in_flight = merged = 0
    for number in range(KILLS):
        path = tmp_path / str(number // KILLS_PER_LEDGER)
        if number % KILLS_PER_LEDGER == 0:
            safe = 0
        said = killed(path, number, rng.uniform(0, LONGEST_S))
        if said:
            # The record in flight may be durable although nobody was told.
            assert said[0] in (safe, safe + 1)
            in_flight += said[0] == safe + 1
            assert said == list(range(said[0], said[0] + len(said)))
            safe = said[-1]
        if number % KILLS_PER_LEDGER == KILLS_PER_LEDGER - 1:
            with Journal(path, METER_META) as journal:
                known = int(journal.state["n"])
            assert known in (safe, safe + 1)
            whole = [float(n) for n in range(known)]
            assert values(path, "energy", "energy_j") == whole
            assert values(path, "work", "amount") == whole
            assert check(open_ledger(path)).problems == ()
            merged += any("-" in p.stem[5:] for p in parts.list_parts(path, "energy"))
    # Otherwise the moments were not random enough to mean anything.
    assert in_flight > 0
    assert merged > 0
