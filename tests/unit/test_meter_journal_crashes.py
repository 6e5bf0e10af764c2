"""Whatever fails, and whenever: what a journal acknowledged is in the ledger, once."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from failing_disk import Crash, Disk
from ledger_rows import META, energy, entity, work
from tree6g.errors import LedgerError
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.upkeep import Limits
from tree6g.meter.agent.journal import Journal

LIMITS = Limits(fan=2, rows=40, grace_s=0.0)
ACTIONS = st.sampled_from(["record", "record", "record", "flush", "tidy", "reopen"])
FAULTS = st.none() | st.tuples(st.sampled_from(["full", "crash", "power"]), st.integers(0, 20))


class Meter:
    """Counts seconds into a journal, and begins anew from its state whenever it died."""

    def __init__(self, path: Path, disk: Disk, rng: random.Random) -> None:
        self.path, self.disk, self.rng = path, disk, rng
        self.journal: Journal | None = None
        self.safe = self.tried = 0

    def act(self, action, *, power=False):
        """Do something; if that fails, mend the disk."""
        try:
            self._act(action)
        except Crash:
            self._abandon()
        except LedgerError as error:
            if "No space" not in str(error):
                raise
        if self.disk.failed:
            self.disk.mend(self.rng if power else None)
            return True
        return False

    def _act(self, action):
        self._open()
        if action == "record":
            self.tried = self.safe + 1
            self.journal.record(self._rows(), {"n": str(self.tried).encode()})
            self.safe = self.tried
        elif action == "flush":
            self.journal.flush()
        elif action == "tidy":
            self.journal.tidy(0.0)
        else:
            closing, self.journal = self.journal, None
            closing.close()

    def _open(self):
        if self.journal is not None and not self.journal._sure:
            self._abandon()
        if self.journal is None:
            self.journal = Journal(self.path, META, limits=LIMITS)
            known = int(self.journal.state.get("n", b"0"))
            assert known in (self.safe, self.tried)
            self.safe = self.tried = known

    def _abandon(self):
        if self.journal is not None:
            self.journal._release()
        self.journal = None

    def _rows(self):
        times = {"t0_s": float(self.safe), "t1_s": self.safe + 1.0}
        rows = {"energy": energy(energy_j=self.safe, **times)}
        if self.safe % 2:
            rows["work"] = work(amount=self.safe, **times)
        return rows | ({"entity": entity()} if self.safe == 0 else {})

    def held(self, table="energy", column="energy_j"):
        if not (self.path / "meta.json").exists():
            return []
        return sorted(open_ledger(self.path).table(table)[column].to_pylist())


def check_whole(meter):
    """After a power failure in the middle of a record all that was acknowledged is there."""
    meter.disk.fail("crash", 0)
    assert meter.act("record", power=True)
    for action in ("record", "flush", "tidy", "reopen"):
        meter.act(action)
    assert meter.held() == [float(t) for t in range(meter.safe)]
    assert meter.held("work", "amount") == [float(t) for t in range(1, meter.safe, 2)]


@settings(max_examples=20, deadline=None, phases=[Phase.generate, Phase.shrink])
@given(st.lists(st.tuples(ACTIONS, FAULTS), max_size=25), st.integers(0, 2**32))
def test_nothing_that_was_acknowledged_is_lost_and_nothing_comes_twice(actions, seed):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        meter = Meter(Path(folder) / "l", disk, random.Random(seed))
        for action, fault in actions:
            if fault is not None:
                disk.fail("full" if fault[0] == "full" else "crash", fault[1])
            if meter.act(action, power=fault is not None and fault[0] == "power"):
                event(f"{fault[0]} during {action}")
            disk.mend()
            held = meter.held()
            assert held == [float(t) for t in range(len(held))]
            assert len(held) <= meter.tried
        check_whole(meter)
        assert check(open_ledger(meter.path)).problems == ()


SCRIPT = ("record", "flush", "record", "record", "flush", "tidy", "record")


@pytest.mark.parametrize("how", ["full", "crash", "power"])
def test_at_each_call_of_a_whole_life_one_failure_loses_and_doubles_nothing(how, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        for number in range(200):
            meter = Meter(tmp_path / str(number), disk, random.Random(number))
            disk.fail("full" if how == "full" else "crash", number)
            failed = [meter.act(action, power=how == "power") for action in SCRIPT]
            disk.mend()
            check_whole(meter)
            if not any(failed):
                break
    assert 30 < number < 199
