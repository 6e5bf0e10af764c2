"""What a person measured stands in a scenario: lengths, idle power, factors on joules."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tree6g.compute.accelerator import accelerator, locked, metered
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.scenario.load import load
from tree6g.traffic.lengths import draw_lengths, mean_lengths, request_pattern, with_means

SHORT = ["duration=40 s", "drain=20 s", "population.ai_requests_per_user_hour=20"]


def joules(out, *overrides):
    ledger = run("street-corner", out=out, overrides=[*SHORT, *overrides]).ledger
    rows = ledger.query(
        "SELECT tier, component, state, sum(energy_j) AS energy_j FROM energy GROUP BY ALL"
    ).to_pylist()
    return {(r["tier"], r["component"], r["state"]): r["energy_j"] for r in rows}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Joules of the street corner as it is."""
    return joules(tmp_path_factory.mktemp("plain"))


def test_lengths_have_the_mean_that_is_asked_for_and_keep_their_shape():
    pattern = request_pattern("azure-conv-2023")
    other = with_means(pattern, 500.0, None)
    assert mean_lengths(other)[0] == pytest.approx(500.0)
    assert mean_lengths(other)[1] == mean_lengths(pattern)[1]
    prompt, _ = draw_lengths(np.random.default_rng(1), other, 20_000)
    assert prompt.mean() == pytest.approx(500.0, rel=0.02)


def test_nothing_measured_leaves_an_accelerator_as_it_is():
    chip = accelerator("l4")
    assert metered(chip, None, 1.0) is chip
    other = metered(chip, 20.0, 2.0)
    assert other.static_w - 20.0 == pytest.approx(2.0 * (chip.static_w - chip.idle_context_w))
    same = {"name", "fp16_flop_per_s", "layer_s", "bandwidth_byte_per_s"}
    assert all(getattr(other, f.name) == getattr(chip, f.name)
               for f in dataclasses.fields(chip) if f.name in same)  # fmt: skip


def test_factors_of_a_meter_act_on_the_joules_and_on_nothing_else(tmp_path, plain):
    server, cell = "sites.0.servers.0", "sites.0.base_station"
    scaled = joules(tmp_path / "scaled", f"{server}.energy_scale=2",
                    f"{server}.idle_power=50 W", f"{cell}.power_scale=0.5")  # fmt: skip
    for (tier, component, state), before in plain.items():
        after = scaled[tier, component, state]
        if component == "radio_unit":
            assert after == pytest.approx(0.5 * before, rel=1e-9)
        elif state in {"prefill", "decode"} and component == "gpu":
            assert after == pytest.approx(2.0 * before, rel=1e-9)
        elif component == "gpu":
            assert after == pytest.approx(50.0 * 60.0, rel=1e-9)


def test_a_factor_of_nothing_is_refused():
    with pytest.raises(ScenarioError, match="energy_scale"):
        load("street-corner", ["sites.0.servers.0.energy_scale=0"])


def test_a_lower_clock_saves_joules_above_idle_and_still_adds_up(tmp_path, plain):
    slow = joules(tmp_path / "slow", "sites.0.servers.0.clock=900 MHz")
    above = [sum(j for key, j in found.items() if key[2] in {"prefill", "decode"})
             for found in (plain, slow)]  # fmt: skip
    assert 0.3 * above[0] < above[1] < 0.9 * above[0]
    idle = [sum(j for key, j in found.items() if key[1:] in {("gpu", "idle"), ("host", "idle")})
            for found in (plain, slow)]  # fmt: skip
    assert idle[1] == pytest.approx(idle[0], rel=1e-9)


def test_the_highest_clock_is_what_none_stands_for():
    chip = accelerator("l40s")
    assert locked(chip, None) is chip
    top = locked(chip, "2520 mhz")
    assert dataclasses.replace(top, static_w=chip.static_w) == chip
    assert top.static_w == pytest.approx(chip.static_w)


def test_a_clock_of_another_accelerator_is_refused_with_those_that_there_are():
    with pytest.raises(ScenarioError, match=r"clock of 'l40s' \(2520 MHz, .*got '1980 MHz'"):
        load("street-corner", ["sites.0.servers.0.clock=1980 MHz"])
