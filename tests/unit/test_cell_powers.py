"""Radiated powers of single cells, of sites by themselves and of a layout."""

from __future__ import annotations

import pytest

from tree6g.engine.build import build
from tree6g.errors import ScenarioError
from tree6g.scenario.load import dump, load

SMALL = ("layout.sites=1", "layout.servers_at=[1]", "population.users=3", "duration=2 min")


def test_each_cell_of_a_layout_has_its_own_power_and_one_spec_for_all() -> None:
    plain = dump(load("city-day", SMALL))
    del plain["layout"]["cell_power_w"]
    plain["layout"]["cell_power"] = ["10 W", "20 W", "40 W"]
    cells = build(load(plain), {}).cells
    assert [cell.station.transmit_power_w for cell in cells] == [10.0, 20.0, 40.0]
    assert all(cell.spec is cells[0].spec for cell in cells)
    assert cells[0].station.broadcast_w < cells[2].station.broadcast_w


def test_each_sector_of_a_site_has_its_own_power() -> None:
    plain = dump(load("seven-sites"))
    sectors = plain["sites"][0]["sectors"]
    plain["sites"][0]["base_station"]["sector_power_w"] = [5.0] * sectors
    cells = build(load(plain), {}).cells
    assert cells[0].station.transmit_power_w == 5.0


@pytest.mark.parametrize(
    ("powers", "said"),
    [
        (["10 W"], "expected a power for each of 3 cells; got 1"),
        ([10, 10, 10], "10 without a unit"),
        (["10 W", "0 W", "10 W"], "expected more than 0 W"),
    ],
)
def test_powers_that_do_not_fit_are_refused(powers: list[object], said: str) -> None:
    plain = dump(load("city-day", SMALL))
    del plain["layout"]["cell_power_w"]
    plain["layout"]["cell_power"] = powers
    with pytest.raises(ScenarioError, match=said):
        load(plain)


def test_more_power_than_a_station_has_is_refused() -> None:
    plain = dump(load("street-corner"))
    plain["sites"][0]["base_station"]["sector_power_w"] = [4000.0]
    with pytest.raises(ScenarioError, match="sector_power"):
        load(plain)
