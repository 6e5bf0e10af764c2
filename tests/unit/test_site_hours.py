"""Sites with day curves of their own: who asks where at which hour."""

from __future__ import annotations

import numpy as np
import pytest

from engine_worlds import hexagon, three_tiers
from tree6g import data
from tree6g.engine.build import build
from tree6g.errors import ScenarioError
from tree6g.scenario.load import dump, load
from tree6g.traffic.messages import PoissonSources

EARLY = tuple(float(hour < 2) for hour in range(24))
LATE = tuple(float(2 <= hour < 4) for hour in range(24))
EVEN = tuple(float(hour < 4) for hour in range(24))


def test_each_site_sends_in_its_own_hours_and_keeps_its_mean():
    sources = PoissonSources(
        rng=np.random.default_rng(1), sources=200, period_s=600.0, curve=EVEN, by_site=(EARLY, LATE)
    )
    time_s, source = sources.window(0.0, 4 * 3600.0)
    site, early = source // 100, time_s < 7200.0
    assert (early == (site == 0)).all()
    # Half of the sources for two hours, twelve times as often as on the mean of a day.
    assert np.bincount(site) == pytest.approx([14400, 14400], rel=0.03)


def _world(**more):
    plain = three_tiers(duration="4 h", **more)
    plain["population"]["ai_requests_per_user_hour"] = 2
    plain["sites"][0]["day_curve"], plain["sites"][1]["day_curve"] = list(EARLY), list(LATE)
    plain["services"] = [
        {"kind": "ai", "name": "chat", "day_curve": list(EVEN)},
        {"kind": "ai", "name": "even", "request_share": 0.5},
        {"kind": "data", "name": "alarms", "pattern": "iot-bursty", "sources": 5,
         "period": "10 min", "day_curve": list(EVEN)},
    ]  # fmt: skip
    plain["services"][0]["request_share"] = 0.5
    return plain


def test_requests_and_alarms_come_from_the_site_whose_hours_it_is():
    world = build(load(_world()), {})
    requests = world.requests
    early = requests.arrival_s < 7200.0
    chat = requests.service == 0
    assert (early[chat] == (requests.site[chat] == 0)).all()
    assert np.count_nonzero(chat) == pytest.approx(30 * 2 * 24, rel=0.3)
    both = {(e, s) for e, s in zip(early[~chat], requests.site[~chat], strict=True)}
    assert len(both) == 4, "a service without a curve has none at any site"
    time_s, source, _ = world.sources[0].arrivals.window(0.0, 4 * 3600.0)
    assert len(time_s) > 100
    assert np.mean((time_s < 7210.0) == (source < 5)) > 0.98


def test_a_layout_names_the_curves_of_its_sites():
    plain = hexagon()
    plain["layout"]["day_curves_at"] = {"city-users-day": [1, 2], "city-users-evening": [5]}
    for service in plain["services"]:
        service["day_curve"] = "city-users"
    once = load(plain)
    assert load(dump(once)) == once
    sites = build(once, {}).sites
    day = data.table("day_curves")["city-users-day"]
    assert [n for n, site in enumerate(sites, 1) if site.day_curve] == [1, 2, 5]
    assert sites[1].day_curve[12] == day["h12_frac"]


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ({"city": [1]}, "expected a row of table 'day_curves'; got 'city'"),
        ({"city-users": [8]}, "expected sites from 1 to 7, each once; got 8"),
        ({"city-users": [1], "city-bytes": [1]}, "each once; got 1"),
    ],
)
def test_curves_of_sites_that_are_none_are_refused(at, words):
    plain = hexagon()
    plain["layout"]["day_curves_at"] = at
    with pytest.raises(ScenarioError) as caught:
        load(plain)
    assert words in str(caught.value)
