"""METRIC rule 8: no joule twice."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ledger_rows import META, energy, write
from tree6g.errors import LedgerError
from tree6g.ledger import batch, overlap
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter


def append_both(tmp_path, first, second):
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.append("energy", first)
        writer.append("energy", second)


OVERLAPPING = [
    ("inside", energy(t0_s=0.25, t1_s=0.5)),
    ("around", energy(t0_s=-1.0, t1_s=2.0)),
    ("equal", energy()),
    ("at the start", energy(t0_s=-1.0, t1_s=0.1)),
    ("at the end", energy(t0_s=0.9, t1_s=3.0)),
    ("in the last of many rows", energy(t0_s=[5.0, 7.0, 0.5], t1_s=[6.0, 8.0, 0.6])),
]


@pytest.mark.parametrize("second", [c for _, c in OVERLAPPING], ids=[n for n, _ in OVERLAPPING])
def test_two_sources_may_not_claim_the_same_time(tmp_path, second):
    with pytest.raises(LedgerError, match="METRIC rule 8") as caught:
        append_both(tmp_path, energy(), {**second, "source": "meter"})
    assert "node 'n', component 'gpu': sources 'model' and 'meter' both claim" in str(caught.value)


FINE = [
    ("states of one source", energy(state="idle")),
    ("a service of one source", energy(service="chat")),
    ("touching before", energy(t0_s=-1.0, t1_s=0.0, source="meter")),
    ("touching after", energy(t0_s=1.0, t1_s=2.0, source="meter")),
    ("another component", energy(component="host", source="meter")),
    ("another node", energy(node="m", source="meter")),
]


@pytest.mark.parametrize("second", [c for _, c in FINE], ids=[n for n, _ in FINE])
def test_what_is_no_double_count_is_accepted(tmp_path, second):
    append_both(tmp_path, energy(), second)
    assert open_ledger(tmp_path / "l").rows()["energy"] == 2


def test_sources_may_take_turns_at_times_that_are_sums_of_steps(tmp_path):
    t0 = np.cumsum(np.full(1000, 0.1)) + 1.7e9
    sources = np.where(np.arange(1000) % 2 == 0, "a", "b")
    ledger = write(tmp_path / "l", energy=energy(t0_s=t0, t1_s=t0 + 0.1, source=sources))
    assert ledger.rows()["energy"] == 1000


def test_an_overlap_within_one_batch_is_refused(tmp_path):
    with pytest.raises(LedgerError, match=r"claim 0\.5 s to 1\.0 s"):
        write(tmp_path / "l", energy=energy(t0_s=[0.0, 0.5], t1_s=[1.0, 2.0], source=["a", "b"]))


def test_a_refused_batch_claims_nothing(tmp_path):
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.append("energy", energy(source="a"))
        bad = energy(t0_s=[0.0, 5.0], t1_s=[1.0, 6.0], source="b")
        with pytest.raises(LedgerError):
            writer.append("energy", bad)
        writer.append("energy", energy(t0_s=5.0, t1_s=6.0, source="c"))
    assert open_ledger(tmp_path / "l").table("energy")["source"].to_pylist() == ["a", "c"]


def test_claims_are_rebuilt_when_a_ledger_is_opened_again(tmp_path):
    gaps = np.arange(0.0, 400.0, 2.0)
    write(tmp_path / "l", energy=energy(t0_s=gaps, t1_s=gaps + 1))
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.append("energy", energy(t0_s=gaps + 1, t1_s=gaps + 2, source="meter"))
        with pytest.raises(LedgerError, match="both claim"):
            writer.append("energy", energy(t0_s=301.0, t1_s=302.5, source="meter"))


def test_the_message_shows_the_first_of_many(tmp_path):
    nodes = [f"n{i}" for i in range(50)]
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.append("energy", energy(node=nodes))
        with pytest.raises(LedgerError) as caught:
            writer.append("energy", energy(node=nodes, source="meter"))
        assert str(caught.value).count("both claim") == 10


def rows_table(rows):
    t0, t1, source = (list(c) for c in zip(*rows, strict=True))
    return batch.to_table("energy", energy(t0_s=t0, t1_s=t1, source=source, energy_j=1.0))


def first_clash(rows):
    """The number of the first row that shares time with an earlier one of another source."""
    for i, (a0, a1, a) in enumerate(rows):
        if any(a != b and a0 < b1 and b0 < a1 for b0, b1, b in rows[:i]):
            return i
    return None


@pytest.mark.parametrize("seed", range(40))
def test_claims_in_any_order_and_any_batches_clash_where_a_slow_search_says(seed):
    rng = random.Random(seed)
    slots = list(range(0, 300, 3))
    rng.shuffle(slots)
    # Sources hold disjoint slots with gaps, and one or no row reaches into a neighbour.
    rows = [(float(t), float(t + rng.choice([1, 2, 3])), rng.choice("abc")) for t in slots]
    if seed % 2:
        at = rng.randrange(len(rows))
        rows[at] = (rows[at][0] - 0.5, rows[at][1], rows[at][2])
    claims = overlap.Claims()
    start, clash = 0, first_clash(rows)
    while start < len(rows):
        end = start + rng.choice([1, 1, 1, 2, 30])
        expected = clash is not None and start <= clash < end
        try:
            claims.add(rows_table(rows[start:end]))
            assert not expected
        except LedgerError:
            assert expected
            return
        start = end
    assert clash is None


def test_a_union_is_merged_after_many_gaps_and_nested_rows(tmp_path):
    claims = overlap.Claims()
    for i in range(200):
        claims.add(rows_table([(2.0 * i, 2.0 * i + 1, "a"), (2.0 * i, 2.0 * i + 0.5, "a")]))
    claims.add(rows_table([(-10.0, 500.0, "a"), (0.0, 1.0, "a")]))
    with pytest.raises(LedgerError, match=r"claim 499\.0 s to 500\.0 s"):
        claims.add(rows_table([(499.0, 501.0, "b")]))
    claims.add(rows_table([(500.0, 501.0, "b")]))
