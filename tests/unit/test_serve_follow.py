"""Following a ledger that grows, breaks and is replaced; and a recorded one that is played."""

from __future__ import annotations

import shutil
import threading

import pytest

from ledger_pieces import amount, hand_made, joules
from random_ledgers import columns, statement, written
from reporting import small_ledger
from tree6g.errors import LedgerError
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.tree import figure
from tree6g.serve import answers, follow
from tree6g.serve.ask import Ask
from tree6g.serve.follow import Follower
from tree6g.serve.replay import Player, replayed
from tree6g.serve.view import View

ALL = Ask(view=View())


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Look at every question, and make anew whatever has changed."""
    monkeypatch.setattr(follow, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(follow, "REST", 0.0)


def second(t: int) -> dict:
    work = [amount(t, t + 1, "edge", "chat", "token_out", 2.0)]
    small = hand_made(energy=[joules(t, t + 1, "edge", 5.0)], work=work)
    sources = (("meter", "energy"), ("counter", "work"))
    return small.tables | {"coverage": [statement(t, t + 1, *of) for of in sources]}


def add(path, t, tables=("energy", "work", "coverage")):
    meta = hand_made(energy=[joules(0, 1, "edge", 1.0)], work=[]).meta
    with LedgerWriter(path, meta) as writer:
        for table in ("entity", *tables) if t == 0 else tables:
            writer.append(table, columns(table, second(t)[table]))


def test_what_is_appended_is_seen(tmp_path):
    add(tmp_path / "l", 0)
    follower = Follower(tmp_path / "l")
    assert answers.windows(follower, ALL, {})["totals"]["energy_j"] == 5.0
    first = follower.state()
    assert follower.state() is first
    add(tmp_path / "l", 1)
    found = answers.windows(follower, ALL, {})
    assert (found["totals"]["energy_j"], found["ledger"]["end_s"]) == (10.0, 2.0)
    assert follower.state().number == first.number + 1


def test_a_ledger_that_breaks_is_shown_as_it_was_and_said_to_be_broken(tmp_path):
    path = tmp_path / "l"
    add(path, 0)
    follower = Follower(path)
    good = (path / "meta.json").read_text()
    (path / "meta.json").write_text("{")
    found = answers.windows(follower, ALL, {})
    assert "JSON" in found["ledger"]["problem"]
    assert found["totals"]["energy_j"] == 5.0
    (path / "meta.json").write_text(good)
    assert answers.windows(follower, ALL, {})["ledger"]["problem"] is None


def test_another_ledger_in_the_same_place_is_read_anew(tmp_path):
    add(tmp_path / "l", 0)
    follower = Follower(tmp_path / "l")
    shutil.rmtree(tmp_path / "l")
    small_ledger(tmp_path / "l")
    assert answers.windows(follower, ALL, {})["ledger"]["end_s"] == 600.0


def test_making_anew_waits_in_proportion_to_what_it_costs(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "REST", 1e6)
    add(tmp_path / "l", 0)
    follower = Follower(tmp_path / "l")
    for t in (1, 2):
        answers.windows(follower, ALL, {})
        add(tmp_path / "l", t)
    assert answers.windows(follower, ALL, {})["ledger"]["end_s"] == 1.0


def test_many_readers_ask_the_ledger_once(tmp_path):
    add(tmp_path / "l", 0)
    follower = Follower(tmp_path / "l")
    asked = []

    def make(state):
        asked.append(state.number)
        return state.number

    threads = [threading.Thread(target=follower.made, args=("key", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [1]


def test_a_replay_ends_as_the_recorded_ledger_and_never_runs_ahead_of_it(tmp_path):
    recorded = small_ledger(tmp_path / "recorded")
    player = Player(recorded, tmp_path / "played", speed=60.0, begin_s=100.0)
    follower = None
    for now_s in (100.0, 119.0, 250.0, 430.0, 600.0):
        player.play_to(now_s)
        follower = follower or Follower(tmp_path / "played")
        found = answers.windows(follower, ALL, {})
        whole = 60.0 * (now_s // 60.0)  # rows are a minute long
        assert found["windows"]["t1_s"][-1] == whole
        assert found["uncovered"] == []
    player.close()
    played = open_ledger(tmp_path / "played")
    assert figure(played).tree_beq_per_j == pytest.approx(figure(recorded).tree_beq_per_j)
    kept = ("energy", "work", "request", "entity", "service")
    assert {t: played.rows()[t] for t in kept} == {t: recorded.rows()[t] for t in kept}


def test_a_replay_keeps_the_gaps(tmp_path):
    energy = [joules(t, t + 1, "edge", 5.0) for t in (0, 3)]
    small = hand_made(energy=energy, work=[])
    gap = statement(1.0, 3.0, "meter", "energy", status="gap", reason="unplugged")
    small = small.with_rows(coverage=[*small.tables["coverage"], gap])
    with written(small) as recorded:
        player = Player(recorded, tmp_path / "played", speed=1.0, begin_s=1.0)
        for now_s in (1.0, 2.0, 4.0):
            player.play_to(now_s)
        player.close()
    found = answers.windows(Follower(tmp_path / "played"), ALL, {})
    assert found["uncovered"] == [[1.0, 3.0]]
    assert [g["reason"] for g in found["gaps"]] == ["unplugged", "unplugged"]


def test_a_replay_grows_by_itself_and_leaves_nothing_behind(tmp_path):
    recorded = small_ledger(tmp_path / "recorded")
    with replayed(recorded.path, speed=1e6) as path:
        follower = Follower(path)
        for _ in range(200):
            state = follower.state()
            if state.extent and state.extent[1] == 600.0:
                break
            threading.Event().wait(0.05)
        assert state.extent == (0.0, 600.0)
    assert not path.parent.exists()


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(tmp_path, speed):
    with (
        pytest.raises(LedgerError, match="speed"),
        replayed(small_ledger(tmp_path / "l").path, speed=speed),
    ):
        pass


def test_at_its_own_pace_a_replay_runs_on_the_clock_of_today(tmp_path):
    from datetime import UTC, datetime

    recorded = small_ledger(tmp_path / "recorded")
    player = Player(recorded, tmp_path / "played", speed=1.0, begin_s=600.0)
    player.close()
    zero = datetime.fromisoformat(open_ledger(tmp_path / "played").meta.t_zero)
    assert abs((datetime.now(UTC) - zero).total_seconds() - 600.0) < 60.0
