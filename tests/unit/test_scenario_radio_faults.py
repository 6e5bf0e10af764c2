"""Radio settings that cannot be are told with the scenario's other faults, each at its place."""

from __future__ import annotations

import pytest
import yaml

from engine_worlds import small
from tree6g.errors import ScenarioError
from tree6g.scenario.load import load, load_text


def _faults(environment="umi", **station):
    plain = small()
    plain["sites"][0]["environment"] = environment
    plain["sites"][0]["base_station"] |= station
    with pytest.raises(ScenarioError) as caught:
        load_text(yaml.safe_dump(plain), "city.yaml")
    return caught.value.problems


def test_all_that_the_radio_refuses_is_told_at_once_with_file_line_and_path():
    told = _faults(
        environment="rma", frequency="39 GHz", transmit_power="9 kW", carriers=2, link="mcs",
        bandwidth="100 kHz", slot_pattern="DDD", ssb_period="30 ms",
    )  # fmt: skip
    for name in (
        "frequency", "transmit_power", "carriers", "bandwidth", "slot_pattern", "ssb_period"
    ):  # fmt: skip
        (one,) = [text for text in told if f"sites.0.base_station.{name}: expected" in text]
        assert one.startswith("city.yaml:")
    assert len(told) == 6


def test_a_relative_model_needs_its_anchor():
    (told,) = _faults(model="tr38864-cat1-set1", anchor_power=None)
    assert "base_station.anchor_power: expected anchor_power" in told


@pytest.mark.parametrize(("share", "direction"), [(0.0, "down"), (1.0, "up")])
def test_a_direction_that_services_need_has_time(share, direction):
    (told,) = _faults(downlink_frac=share)
    assert f"base_station.downlink: expected time for the {direction}link" in told


@pytest.mark.parametrize(("environment", "ghz"), [("rma", 30.0), ("sma", 37.0), ("uma", 100.0)])
def test_environments_hold_up_to_the_frequency_of_their_formulas(environment, ghz):
    plain = small()
    plain["sites"][0]["environment"] = environment
    plain["sites"][0]["base_station"]["frequency"] = f"{ghz} GHz"
    assert load(plain).sites[0].environment == environment
    if environment != "uma":
        (told,) = _faults(environment, frequency=f"{ghz + 1.0} GHz")
        assert f"expected at most {ghz:g} GHz for environment '{environment}'" in told
