"""Rows and state of a meter are durable together, and come into the ledger once."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys

import pytest

from ledger_rows import META, energy, entity, work
from tree6g.errors import LedgerError
from tree6g.ledger import parts
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.meter.agent import journal as journals
from tree6g.meter.agent.journal import Journal


def second(t: float) -> dict:
    """Rows of one second whose energy is its number."""
    times = {"t0_s": t, "t1_s": t + 1}
    return {"energy": energy(energy_j=t, **times), "work": work(amount=t, **times)}


def look(t: float) -> dict:
    return {"gpu": str(t).encode()}


def seconds(path, table="energy", column="energy_j"):
    return open_ledger(path).table(table)[column].to_pylist()


def crashed(journal):
    """What a crash leaves of a journal: its files, and no lock."""
    journal._release()


def segments(path):
    return sorted(p.name for p in (path / parts.JOURNAL).iterdir())


def test_rows_come_into_the_ledger_at_a_flush_and_their_state_at_once(tmp_path):
    with Journal(tmp_path, META) as journal:
        journal.record({**second(0.0), "entity": entity()}, look(0.0))
        assert (dict(journal.state), seconds(tmp_path)) == (look(0.0), [])
        journal.flush()
        assert seconds(tmp_path) == [0.0]
        journal.flush()
        journal.record(second(1.0), look(1.0))
    assert seconds(tmp_path) == seconds(tmp_path, "work", "amount") == [0.0, 1.0]
    assert check(open_ledger(tmp_path)).problems == ()


def test_after_a_crash_state_and_rows_are_those_of_the_last_record(tmp_path):
    journal = Journal(tmp_path, META)
    journal.record(second(0.0), {"gpu": b"0", "gone": b"x"})
    journal.flush()
    journal.record(second(1.0), {"gpu": b"1", "gone": None})
    crashed(journal)
    with Journal(tmp_path, META) as journal:
        assert dict(journal.state) == {"gpu": b"1"}
        journal.record(second(2.0), {"host": b"2"})
    with Journal(tmp_path, META) as journal:
        assert dict(journal.state) == {"gpu": b"1", "host": b"2"}
    assert seconds(tmp_path) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("torn", [1, 11, 12, 13, 200, -1])
def test_a_torn_last_record_was_never_acknowledged_and_is_dropped(tmp_path, torn):
    journal = Journal(tmp_path, META)
    journal.record(second(0.0), look(0.0))
    file, whole = tmp_path / parts.JOURNAL / segments(tmp_path)[0], journal._appender.end
    journal.record(second(1.0), look(1.0))
    crashed(journal)
    content = file.read_bytes()
    file.write_bytes(content[: whole + torn] if torn > 0 else content[:torn])
    with Journal(tmp_path, META) as journal:
        assert dict(journal.state) == look(0.0)
        journal.record(second(1.0), look(1.0))
    assert seconds(tmp_path) == [0.0, 1.0]


def test_a_damaged_record_with_a_sound_one_behind_it_is_not_passed_over(tmp_path):
    journal = Journal(tmp_path, META)
    journal.record(second(0.0), look(0.0))
    file, first = tmp_path / parts.JOURNAL / segments(tmp_path)[0], journal._appender.end
    journal.record(second(1.0), look(1.0))
    crashed(journal)
    content = bytearray(file.read_bytes())
    content[first - 1] ^= 1
    file.write_bytes(content)
    with pytest.raises(LedgerError, match="damaged and a sound one follows"):
        Journal(tmp_path, META)
    file.write_bytes(b"something else")
    with pytest.raises(LedgerError, match="expected a journal"):
        Journal(tmp_path, META)


WRONG = [
    ({"energy": energy(energy_j=-1.0)}, "energy_j must be >= 0"),
    ({"energies": energy()}, "Did you mean 'energy'"),
    ({"energy": energy(source="other")}, "METRIC rule 8"),
]


@pytest.mark.parametrize(("rows", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_record_with_a_wrong_row_is_refused_whole(tmp_path, rows, says):
    with Journal(tmp_path, META) as journal:
        journal.record(second(0.0), look(0.0))
        with pytest.raises(LedgerError, match=says):
            journal.record({"work": work(t0_s=5.0, t1_s=6.0), **rows}, look(1.0))
        assert dict(journal.state) == look(0.0)
        journal.record(second(1.0), look(1.0))
    assert seconds(tmp_path, "work", "amount") == [0.0, 1.0]


def test_all_wrong_tables_of_a_record_are_named_at_once(tmp_path):
    with Journal(tmp_path, META) as journal, pytest.raises(LedgerError) as caught:
        journal.record({"energy": energy(tier="moon"), "work": work(kind="tokens")}, {})
    assert "table 'energy'" in str(caught.value)
    assert "table 'work'" in str(caught.value)


def test_energy_clashes_with_what_was_recorded_and_with_what_is_in_the_ledger(tmp_path):
    for flushed in (False, True):
        journal = Journal(tmp_path, META)
        journal.record(second(float(flushed)), look(0.0))
        if flushed:
            journal.flush()
        crashed(journal)
        clash = {**second(float(flushed))["energy"], "source": "other"}
        with Journal(tmp_path, META) as journal, pytest.raises(LedgerError, match="rule 8"):
            journal.record({"energy": clash}, {})


def test_energy_from_before_the_time_whose_claims_are_read_is_refused(tmp_path):
    for t in (0.0, 1000.0):
        with Journal(tmp_path, META) as journal:
            journal.record(second(t), look(t))
    with Journal(tmp_path, META, late_s=100.0) as journal:
        assert journal.since_s == 901.0
        with pytest.raises(LedgerError, match=r"begins at 901\.0 s or later"):
            journal.record(second(900.0), look(1.0))
        journal.record(second(901.0), look(1.0))
        journal.record(second(2000.0), look(2.0))
        crashed(journal)
    with Journal(tmp_path, META, late_s=100.0) as journal:
        assert dict(journal.state) == look(2.0)
    assert seconds(tmp_path) == [0.0, 1000.0, 901.0, 2000.0]


def test_a_journal_that_fills_is_moved_into_the_ledger_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "ROWS_PER_SEGMENT", 4)
    journal = Journal(tmp_path, META)
    for t in range(5):
        journal.record(second(float(t)), look(t))
    assert seconds(tmp_path) == [0.0, 1.0, 2.0, 3.0]
    monkeypatch.setattr(journals, "BYTES_PER_SEGMENT", 1)
    journal.flush()
    for t in range(3):
        journal.record({}, look(t))
    assert (tmp_path / parts.JOURNAL / segments(tmp_path)[0]).stat().st_size < 300
    journal.close()


def test_what_changes_nothing_writes_nothing(tmp_path):
    with Journal(tmp_path, META) as journal:
        journal.record({}, look(0.0))
        end = journal._appender.end
        journal.record({"energy": energy(t0_s=[], t1_s=[])}, look(0.0))
        assert journal._appender.end == end


def test_only_its_journal_writes_a_ledger_that_has_one(tmp_path):
    journal = Journal(tmp_path, META)
    with pytest.raises(LedgerError, match="only writer"):
        Journal(tmp_path, META)
    journal.close()
    journal.close()
    with pytest.raises(LedgerError, match="without a journal"):
        LedgerWriter(tmp_path, META)
    with pytest.raises(LedgerError, match="closed"):
        journal.record(second(0.0), {})


def test_a_ledger_without_a_journal_gets_one_behind_its_parts(tmp_path):
    with LedgerWriter(tmp_path, META) as writer:
        for t in (0.0, 1.0):
            writer.append("energy", second(t)["energy"])
            writer.flush()
    with Journal(tmp_path, META) as journal:
        journal.record(second(2.0), look(2.0))
    assert seconds(tmp_path) == [0.0, 1.0, 2.0]


@pytest.fixture
def disk(tmp_path):
    """A disk that can be full: no file may grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size: int | None) -> None:
        soft = before[0] if size is None else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, before[1]))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_refuses_a_record_and_the_next_covers_its_time(tmp_path, disk):
    journal = Journal(tmp_path, META)
    journal.record(second(0.0), look(0.0))
    for room in (0, 1, 100):
        disk(journal._appender.end + room)
        with pytest.raises(LedgerError, match="cannot write"):
            journal.record(second(1.0), look(1.0))
        assert dict(journal.state) == look(0.0)
    disk(16)
    with pytest.raises(LedgerError, match="cannot write"):
        journal.flush()
    assert seconds(tmp_path) == []
    disk(None)
    wide = energy(t0_s=1.0, t1_s=3.0, energy_j=3.0)
    journal.record({"energy": wide}, look(2.0))
    journal.flush()
    journal.record(second(3.0), look(3.0))
    journal.close()
    assert seconds(tmp_path) == [0.0, 3.0, 3.0]


def test_a_disk_that_fills_between_the_parts_of_a_flush_loses_and_doubles_nothing(
    tmp_path, monkeypatch
):
    real = os.replace
    for good in range(4):
        path, left = tmp_path / str(good), [good]
        journal = Journal(path, META)
        journal.record(second(0.0), look(0.0))

        def failing(source, target, left=left):
            if left[0] == 0:
                raise OSError(28, "No space left on device")
            left[0] -= 1
            real(source, target)

        monkeypatch.setattr(os, "replace", failing)
        if good < 3:
            with pytest.raises(LedgerError, match="No space"):
                journal.flush()
        left[0] = 10
        journal.record(second(1.0), look(1.0))
        crashed(journal)
        with Journal(path, META) as journal:
            journal.record(second(2.0), look(2.0))
        assert seconds(path) == seconds(path, "work", "amount") == [0.0, 1.0, 2.0]


def test_a_meter_that_gives_arrow_columns_loads_neither_pandas_nor_the_database(tmp_path):
    code = f"""
import sys
from pathlib import Path
from tree6g.ledger.meta import Meta
from tree6g.ledger.upkeep import Limits
from tree6g.meter.agent.arrow import columns
from tree6g.meter.agent.journal import Journal

text = {{"node": "n", "source": "s"}}
energy = {{**text, "tier": "edge", "component": "gpu", "state": "idle", "origin": "measured"}}
stated = {{**text, "quantity": "energy", "status": "ok"}}
path = Path({str(tmp_path)!r})
for begin in (0, 2):
    journal = Journal(path, Meta(), keep_s=2.0, limits=Limits(fan=2, grace_s=0.0))
    for t in range(begin, begin + 2):
        times = {{"t0_s": [float(t)], "t1_s": [t + 1.0]}}
        rows = {{"energy": {{**energy, "energy_j": 1.0}}, "coverage": stated}}
        wide = {{k: {{n: [v] for n, v in row.items()}} | times for k, row in rows.items()}}
        journal.record({{k: columns(k, row) for k, row in wide.items()}}, {{"t": b"%d" % t}})
        journal.flush()
        journal.tidy(t + 1.0)
    journal.close()
print(*({{"pandas", "duckdb"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")
