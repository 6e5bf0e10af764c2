"""Series of energy that go while their target answers: what is not known is a gap."""

from __future__ import annotations

import pytest

from metering import START_S, Counters, World, joules, rows, tokens, total

GPUS = "interval: 10 s\nflush: 60 s\ntargets:\n  gpu: {url: 'http://gpu/metrics', node: box}\n"
POWER = 'DCGM_FI_DEV_POWER_USAGE{{gpu="{0}",UUID="GPU-{0}"}}'


def _run(folder, ticks, away, *, crash=False, power=False, seconds=10.0, text=GPUS):
    """Two cards of 100 W each; the second is away at some ticks."""
    gpus = Counters()
    world = World(folder, text, gpu=gpus)
    name = POWER.format if power else joules
    for tick in range(ticks):
        for card in "01":
            gpus.values[name(card)] = 100.0 if power else tick * 1e3 * 100.0 * seconds
        if tick in away:
            del gpus.values[name("1")]
        world.tick(seconds)
        if crash:
            world.crash()
    return world.end()


def _spans(ledger, status):
    """Times of a status from the start on, joined."""
    found: list[list[float]] = []
    for r in sorted(rows(ledger, "coverage"), key=lambda r: r["t0_s"]):
        if (r["status"], r["quantity"]) == (status, "energy"):
            t0_s, t1_s = r["t0_s"] - START_S, r["t1_s"] - START_S
            if found and abs(found[-1][1] - t0_s) < 1e-3:
                found[-1][1] = t1_s
            else:
                found.append([t0_s, t1_s])
    return found


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("power", [False, True])
def test_a_card_that_fell_off_the_bus_is_a_gap_until_it_is_back(tmp_path, power, crash):
    ledger = _run(tmp_path, 20, range(5, 12), power=power, crash=crash)
    assert _spans(ledger, "gap") == [[50.0, 130.0]]
    assert _spans(ledger, "ok") == [[10.0, 50.0], [130.0, 200.0]]
    lost_j = 100.0 * 80.0 if power else 0.0
    assert total(ledger, "energy", "energy_j") == pytest.approx(2 * 100.0 * 190.0 - lost_j)
    assert any("no longer there" in (r["reason"] or "") for r in rows(ledger, "coverage"))


def test_after_an_hour_a_card_is_taken_for_removed_and_what_it_counted_comes_in_a_gap(tmp_path):
    text = GPUS.replace("10 s", "100 s").replace("60 s", "1000 s")
    ledger = _run(tmp_path, 50, range(5, 45), seconds=100.0, text=text)
    assert _spans(ledger, "gap") == [[500.0, 4100.0], [4500.0, 4600.0]]
    assert _spans(ledger, "ok") == [[100.0, 500.0], [4100.0, 4500.0], [4600.0, 5000.0]]
    assert total(ledger, "energy", "energy_j") == pytest.approx(2 * 100.0 * 4900.0)


def test_cards_that_tell_energy_in_place_of_power_are_not_missing(tmp_path):
    gpus = Counters()
    world = World(tmp_path, GPUS, gpu=gpus)
    for tick in range(20):
        gpus.values.clear()
        for card in "01":
            name = POWER.format(card) if tick < 5 else joules(card)
            gpus.values[name] = 100.0 if tick < 5 else tick * 1e6
        world.tick()
    assert _spans(world.end(), "gap") == [[50.0, 60.0]]


def test_a_counter_of_tokens_that_is_away_is_no_gap_for_longer_than_one_look(tmp_path):
    llm = Counters()
    world = World(tmp_path, GPUS, gpu=llm)
    for tick in range(10):
        llm.add(tokens(), 1)
        llm.add(tokens("prompt"), 1)
        if tick >= 4:
            llm.values.pop(tokens(), None)
        world.tick()
    gaps = [r for r in rows(world.end(), "coverage") if r["status"] == "gap"]
    assert [(r["t0_s"] - START_S, r["t1_s"] - START_S) for r in gaps] == [(40.0, 50.0)]
