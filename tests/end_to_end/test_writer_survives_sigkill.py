"""A writer may die at any moment: parts stay whole and acknowledged rows are there."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger_rows import META, energy, work
from tree6g.ledger.check import check
from tree6g.ledger.meta import FILE
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter

KILLS = 100
KILLS_PER_LEDGER = 10
LONGEST_S = 0.1
WRITER = Path(__file__).with_name("appending_writer.py")


@pytest.fixture
def killed():
    """Run a writer, kill it after a delay, return the numbers of the rows it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def run(path, seed, since, delay_s):
        process.stdin.write(f"{path}\t{seed}\t{since}\t{delay_s}\n")
        process.stdin.flush()
        spans = [span.split("-") for span in process.stdout.readline().split()]
        return {float(i) for first, end in spans for i in range(int(first), int(end))}

    yield run
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def numbers(ledger, table, column):
    values = ledger.table(table)[column].to_pylist()
    assert len(values) == len(set(values))
    return set(values)


@pytest.mark.slow
def test_after_each_of_a_hundred_kills_the_ledger_is_sound_and_whole(tmp_path, killed):
    rng = random.Random(6)
    interrupted = with_rows = 0
    for number in range(KILLS):
        path = tmp_path / str(number // KILLS_PER_LEDGER)
        if number % KILLS_PER_LEDGER == 0:
            acknowledged = set()
        since = "start" if number % 3 == 0 else "first"
        acknowledged |= killed(path, number, since, rng.uniform(0, LONGEST_S))
        if not (path / FILE).exists():
            assert not acknowledged
            continue
        ledger = open_ledger(path)
        report = check(ledger)
        assert report.problems in ((), _not_yet_described(ledger, report))
        assert acknowledged <= numbers(ledger, "energy", "energy_j")
        assert acknowledged <= numbers(ledger, "work", "amount")
        with_rows += bool(acknowledged)
        unacknowledged = len(numbers(ledger, "energy", "energy_j")) > len(acknowledged)
        interrupted += unacknowledged or any(path.rglob("*.tmp"))
    # Otherwise the moments were not random enough to mean anything.
    assert with_rows > KILLS // 2
    assert interrupted > KILLS // 10


def _not_yet_described(ledger, report):
    """Killed before its first acknowledgement: rows may be there whose node is not yet."""
    early = not ledger.rows()["entity"] and all(p.rule == "unknown" for p in report.problems)
    return report.problems if early else ()


def test_every_file_is_synced_before_its_rename_and_every_folder_after(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(handle):
        calls.append(("fsync", os.fstat(handle).st_ino))
        fsync(handle)

    def recorded_replace(source, target):
        calls.append(("rename", Path(source).stat().st_ino, Path(target).parent.stat().st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.append("energy", energy())
        writer.append("work", work())
        writer.flush()
        acknowledged = len(calls)
    renames = [i for i, call in enumerate(calls) if call[0] == "rename"]
    assert len(renames) == 3
    for i in renames:
        _, file, folder = calls[i]
        assert ("fsync", file) in calls[:i]
        assert ("fsync", folder) in calls[i:acknowledged]
    assert ("fsync", tmp_path.stat().st_ino) in calls


@pytest.fixture
def strace():
    """The program that records system calls."""
    path = shutil.which("strace")
    if path is None:
        reason = "strace is not installed: apt-get install strace"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return path


CALL = re.compile(r"^\d+\s+(\w+)\((.*)\)\s+= (-?\d+)")


def test_system_calls_before_an_acknowledgement_make_its_rows_durable(tmp_path, strace):
    ledger, log = tmp_path / "l", tmp_path / "calls"
    calls = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat"
    trace = [strace, "-f", "-y", "-s", "80", "-e", f"trace={calls}", "-o", log]
    command = [*trace, sys.executable, WRITER, ledger, "1", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0 and "ptrace" in done.stderr.lower():
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    # Names whose content, or whose entry in its folder, a power failure could still take.
    unsynced_files, unsynced_names = set(), {}
    acknowledgements = renames = 0
    for name, arguments in _calls(log.read_text()):
        on = re.search(r"<([^>]*)>", arguments)
        target = on.group(1) if on else ""
        paths = re.findall(r'"([^"]*)"', arguments)
        if name in ("write", "pwrite64") and arguments.startswith("1<"):
            acknowledgements += 1
            assert not unsynced_files
            assert not unsynced_names
        elif name in ("write", "pwrite64") and target.startswith(str(ledger)):
            unsynced_files.add(target)
        elif name in ("fsync", "fdatasync"):
            unsynced_files.discard(target)
            unsynced_names = {n: f for n, f in unsynced_names.items() if f != target}
        elif name.startswith("mkdir") and paths[0].startswith(str(ledger)):
            unsynced_names[paths[0]] = str(Path(paths[0]).parent)
        elif name.startswith("rename"):
            source, final = paths
            assert source not in unsynced_files
            unsynced_names[final] = str(Path(final).parent)
            renames += 1
    assert acknowledgements == 4
    assert renames == 1 + 1 + 4 * 2 + 1  # header, entity, two tables per flush, the header again


def _calls(log):
    for line in log.splitlines():
        call = CALL.match(line)
        if call and int(call.group(3)) >= 0:
            yield call.group(1), call.group(2)
