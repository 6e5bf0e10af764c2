"""Layouts, positions and files of places: what they become, and what is said of wrong ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine_worlds import hexagon, small
from tree6g.engine.build import build
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.scenario.load import dump, load


def _faults(plain, overrides=()):
    with pytest.raises(ScenarioError) as caught:
        load(plain, overrides)
    return "\n".join(caught.value.problems)


def _sites_csv(path, *rows, head="name,x_m,y_m,height_m,sectors,bearing_deg"):
    path.write_text("\n".join([head, *rows, ""]))
    return str(path)


def _points(path, *places, **properties):
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": list(place)},
            "properties": properties,
        }
        for place in places
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def _from(file, **changes):
    return hexagon(layout={"kind": "file", "file": file}, **changes)


def test_a_hexagonal_layout_spells_out_its_sites():
    world = build(load(hexagon()), {})
    assert [site.name for site in world.sites] == [f"mast-{n}" for n in range(1, 8)]
    xy_m = np.array([(s.position.x_m, s.position.y_m) for s in world.sites])
    away_m = np.sort(np.hypot(*(xy_m - xy_m[3]).T))
    assert away_m == pytest.approx([0.0, *[500.0] * 6])


def test_sites_of_a_csv_file_have_what_it_says_and_the_rest_of_the_template(tmp_path):
    file = _sites_csv(tmp_path / "s.csv", "north,0,400,30,3,90", "south,0,-400,,,")
    world = build(load(_from(file)), {})
    assert [(s.name, s.height_m, s.bearing_deg) for s in world.sites] == [
        ("north", 30.0, 90.0),
        ("south", 25.0, 30.0),
    ]
    assert len(world.cells) == 6


def test_what_a_file_says_is_part_of_the_scenario(tmp_path):
    file = _sites_csv(tmp_path / "s.csv", "a,0,0,,,", "b,500,0,,,")
    scenario = load(_from(file))
    (tmp_path / "s.csv").unlink()
    assert load(dump(scenario)) == scenario


def test_relative_files_are_looked_for_beside_the_scenario(tmp_path):
    _sites_csv(tmp_path / "s.csv", "a,0,0,,,")
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(_from("s.csv")))
    assert len(load(path).layout.places) == 1


def test_degrees_become_metres_around_the_middle_of_the_sites(tmp_path):
    sites = _points(tmp_path / "s.geojson", (11.50, 48.00), (11.51, 48.00), sectors=1)
    users = _points(tmp_path / "u.geojson", *[(11.50, 48.001)] * 4)
    people = {"file": users, "ai_requests_per_user_hour": 60}
    scenario = load(_from(sites, population=people))
    x_m = [place.x_m for place in scenario.layout.places]
    assert x_m[1] - x_m[0] == pytest.approx(np.radians(0.01) * 6_371_009 * np.cos(np.radians(48)))
    (user,) = {(place.x_m, place.y_m) for place in scenario.population.places}
    assert user == pytest.approx((x_m[0], np.radians(0.001) * 6_371_009))
    assert len(build(scenario, {}).cells) == 2


def test_users_of_a_file_send_the_requests(tmp_path):
    users = tmp_path / "u.csv"
    users.write_text("x_m,y_m\n" + "".join(f"{10 * n},50\n" for n in range(12)))
    plain = hexagon(population={"file": str(users), "ai_requests_per_user_hour": 600})
    result = run(plain, out=tmp_path / "run")
    assert result.requests_per_user_hour == pytest.approx(600, rel=0.4)
    ues = result.ledger.query("SELECT DISTINCT ue FROM request").to_pylist()
    assert {row["ue"] for row in ues} <= set(range(12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y\n1,2\n", "columns x_m and y_m, or lon and lat"),
        ("x_m,y_m\n", "1 to 100,000 places; got 0"),
        ("x_m,y_m\n1,far\n", "line 2: expected coordinates; got x_m '1', y_m 'far'"),
        ("lon,lat\n1,95\n", "line 2: expected coordinates"),
        ("{not json", "expected GeoJSON"),
        ('{"type": "Feature"}', "FeatureCollection"),
        ('{"features": [{"geometry": {"type": "Polygon"}}]}', "feature 1: expected coordinates"),
        ('{"features": [7]}', "feature 1: expected coordinates"),
        ("", "columns x_m and y_m"),
    ],
)
def test_a_file_that_holds_no_places_is_refused_with_the_reason(tmp_path, text, said):
    path = tmp_path / "places.csv"
    path.write_text(text)
    assert said in _faults(_from(str(path)))


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "nowhere.csv" in _faults(_from(str(tmp_path / "nowhere.csv")))


def test_a_wrong_number_of_a_site_is_reported_at_its_place(tmp_path):
    file = _sites_csv(tmp_path / "s.csv", "a,0,0,30,2,", "b,1,1,high,1,", "1c,2,2,,,")
    said = _faults(_from(file))
    assert "layout.places.0.sectors: expected 1 or 3; got 2.0" in said
    assert "layout.places.1.height: expected" in said
    assert "layout.places.2.name: expected a name" in said


def test_sites_and_users_must_both_be_in_metres_or_degrees(tmp_path):
    sites = _sites_csv(tmp_path / "s.csv", "a,0,0,,,")
    users = _points(tmp_path / "u.geojson", (11.0, 48.0))
    assert "both in metres or both in degrees" in _faults(_from(sites, population={"file": users}))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["layout.sites=8"], "sites of whole rings (1, 7, 19"),
        (["layout.kind=file"], "expected a file of places"),
        (["sites.0.position={x: 1 m, y: 0 m}"], "the template of the layout"),
        (["sites.0.base_station.layers=2"], "at most 1 layers"),
        (["sites.0.base_station.subcarrier=20 kHz"], "15, 30, 60 or 120 kHz"),
        (["sites.0.base_station.slot_pattern=DXU"], "slots D, S and U"),
        (["layout=null"], "expected positions for 'interference: load'"),
        (["layout=null"], "expected a position for a site with sectors"),
        (["layout=null", "population.speed=1 m/s"], "positions of sites for users who move"),
        (["layout={kind: file, places: [{name: a, x: 0 m, y: 0 m}, {name: a, x: 1 m, y: 0 m}]}"],
         "a name of its own; got 'a'"),
    ],
)  # fmt: skip
def test_fields_that_do_not_go_together_are_told(overrides, said):
    assert said in _faults(hexagon(), overrides)


def test_positions_are_for_all_sites_or_for_none():
    one = small()["sites"][0]
    sites = [one, one | {"name": "b", "position": {"x": "1 m", "y": "0 m"}}]
    assert "for every site or for none" in _faults(small(sites=sites))


def test_cells_that_disturb_one_another_share_a_band():
    one = small()["sites"][0]
    base = one["base_station"]
    sites = [
        one | {"name": n, "position": {"x": f"{x} m", "y": "0 m"},
               "base_station": base | {"bandwidth": width}}
        for n, x, width in (("a", 0, "20 MHz"), ("b", 400, "10 MHz"))
    ]  # fmt: skip
    assert "expected 20 MHz as at the other sites" in _faults(
        small(sites=sites, interference="load")
    )


def test_slice_and_flow_of_an_ai_service_stand_in_the_ledger(tmp_path):
    plain = small()
    plain["services"][0] |= {"slice": "1-000001", "qos": 9}
    rows = run(plain, out=tmp_path).ledger.query("SELECT * FROM service").to_pylist()
    (chat,) = [row for row in rows if row["service"] == "chat"]
    assert (chat["slice"], chat["qos"]) == ("1-000001", 9)
