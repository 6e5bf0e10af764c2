"""What holds for every ledger: the same rows after any detour, every joule once."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_rows import META, energy, entity, joules, same_rows, work, write
from tree6g.errors import LedgerError
from tree6g.ledger import interchange
from tree6g.ledger.check import check
from tree6g.ledger.compact import coarsen
from tree6g.ledger.merge import merge
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
amounts = st.floats(0, 1e300)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.isprintable)
starts = st.floats(-1e9, 1e9)


@st.composite
def energy_rows(draw):
    """Rows of one source with any printable names and any finite numbers."""
    count = draw(st.integers(1, 12))
    t0 = draw(st.lists(starts, min_size=count, max_size=count))
    cells = {
        "node": names,
        "energy_j": amounts,
        "service": st.sampled_from([None, "chat", "upload"]),
        "state": st.sampled_from(["idle", "active", "prefill"]),
        "u95_frac": st.none() | amounts,
    }
    columns = {n: draw(st.lists(s, min_size=count, max_size=count)) for n, s in cells.items()}
    return energy(t0_s=t0, t1_s=[t + draw(st.floats(1e-3, 1e6)) for t in t0], **columns)


DETOURS = {
    "csv": (interchange.to_csv, interchange.from_csv),
    "parquet": (interchange.to_parquet, interchange.from_parquet),
}


@given(rows=energy_rows())
def test_rows_survive_every_detour_to_the_last_bit(rows):
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        nodes = sorted(set(rows["node"]))
        ledger = write(base / "l", energy=rows, entity=entity(node=nodes))
        for name, (there, back) in DETOURS.items():
            there(ledger, base / name)
            assert same_rows(back(base / name, base / f"{name}-in"), ledger)
        tables = interchange.to_arrow(ledger)
        assert same_rows(interchange.from_arrow(tables, ledger.meta, base / "arrow"), ledger)
        frames = interchange.to_pandas(ledger)
        assert same_rows(interchange.from_frame(frames, ledger.meta, base / "pandas"), ledger)
        frames = interchange.to_polars(ledger)
        assert same_rows(interchange.from_frame(frames, ledger.meta, base / "polars"), ledger)


@given(rows=st.lists(st.floats(0, 1e12), min_size=2, max_size=40), cut=st.integers(1, 39))
def test_joules_are_conserved_over_write_merge_coarsen_and_import(rows, cut):
    at = np.arange(float(len(rows)))
    cut = min(cut, len(rows) - 1)
    total = math.fsum(rows)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        halves = [
            write(
                base / str(cut_at.start),
                energy=energy(t0_s=at[cut_at], t1_s=at[cut_at] + 1, energy_j=rows[cut_at]),
            )
            for cut_at in (slice(0, cut), slice(cut, len(rows)))
        ]
        both = merge(halves, base / "both")
        coarse = coarsen(both, base / "coarse", interval_s=5.0)
        interchange.to_csv(coarse, base / "csv")
        read = interchange.from_csv(base / "csv", base / "read")
        for ledger in (both, coarse, read):
            assert joules(ledger) == pytest.approx(total, rel=1e-9, abs=0)


@settings(max_examples=150)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 12), st.integers(1, 4), st.sampled_from("ab"), st.sampled_from("xy")
        ),
        min_size=1,
        max_size=8,
    ),
    batches=st.integers(1, 3),
)
def test_overlap_is_refused_exactly_when_two_sources_share_time(rows, batches):
    def shares(a, b):
        same_place = a[3] == b[3] and a[2] != b[2]
        return same_place and a[0] < b[0] + b[1] and b[0] < a[0] + a[1]

    clash = any(shares(a, b) for a in rows for b in rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "l"
        try:
            with LedgerWriter(path, META) as writer:
                for batch in (rows[i::batches] for i in range(batches)):
                    if batch:
                        t0, length, source, node = (list(c) for c in zip(*batch, strict=True))
                        t1 = [a + b for a, b in zip(t0, length, strict=True)]
                        writer.append("energy", energy(t0_s=t0, t1_s=t1, source=source, node=node))
            refused = False
        except LedgerError:
            refused = True
        assert refused == clash
        if not clash:
            found = {p.rule for p in check(open_ledger(path)).problems}
            assert "overlap" not in found


@given(shift=st.floats(-1e6, 1e6), count=st.integers(1, 20))
def test_a_clock_offset_moves_rows_and_keeps_their_joules(shift, count):
    at = np.arange(float(count))
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        ledger = write(base / "l", energy=energy(t0_s=at, t1_s=at + 1), work=work())
        moved = merge([ledger], base / "moved", clock_offsets_s=[shift])
        assert joules(moved) == joules(ledger) == count
        assert moved.table("energy")["t0_s"].to_pylist() == (at + shift).tolist()


def test_nanoseconds_do_not_open_a_gap_in_the_claims(tmp_path):
    t0 = np.arange(0.0, 1000.0)
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.append("energy", energy(t0_s=t0, t1_s=t0 + 1, source="a"))
        with pytest.raises(LedgerError, match="both claim"):
            writer.append("energy", energy(t0_s=500.1, t1_s=500.1 + 1e-9, source="b"))
