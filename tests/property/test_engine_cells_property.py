"""What must hold in a network whose cells come and go and whose users walk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_worlds import hexagon
from tree6g.engine.airtime import messages
from tree6g.engine.build import build
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.load import settle
from tree6g.engine.policies.sleep import Order
from tree6g.engine.rates import noise_w, rate_bps
from tree6g.engine.run import run
from tree6g.engine.world import Tick
from tree6g.ledger.check import check
from tree6g.radio.coupling import geometry
from tree6g.radio.interference import uplink_sinr_db
from tree6g.scenario.load import load


def _small(seed, **changes):
    plain = hexagon(seed=seed, layout={"sites": 7, "spacing": "200 m"}, **changes)
    plain["sites"][0]["indoor_frac"] = 0.0  # so that cells have others that cover them
    plain["population"] = {"users": 6, "ai_requests_per_user_hour": 400, "speed": "20 m/s"}
    return plain


@settings(max_examples=5, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["first-come", "round-robin"]),
    st.sampled_from(["margin", "load"]),
)
def test_no_bit_is_lost_between_cells_that_come_and_go(seed, scheduler, interference):
    rng = np.random.default_rng(seed)

    def sometimes(_, cells):
        on = set(range(len(cells)))
        for n in rng.permutation(len(cells)).tolist():
            rest = on - {n}
            off = set(range(len(cells))) - rest
            if rng.random() < 0.7 and all(cover & rest for m in off for cover in cells[m].covering):
                on = rest
        return [Order(on=n in on) for n in range(len(cells))]

    plain = _small(seed, interference=interference, sleep_period="2 s")
    plain["sites"][0]["base_station"] |= {"scheduler": scheduler, "uplink_p0": "-80 dBm"}
    with tempfile.TemporaryDirectory() as folder:
        result = run(plain, out=Path(folder), sleep_policy=sometimes)
        report = check(result.ledger)
        text = (
            "SELECT service, sum(amount) AS bit FROM work "
            "WHERE kind IN ('bit_ul', 'bit_dl', 'bit_lost') AND service <> 'chat' GROUP BY service"
        )
        rows = result.ledger.query(text).to_pylist()
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9
    assert result.requests.arrived == result.requests.served + result.requests.lost
    for row in rows:
        size = 16_000.0 if row["service"] == "meters" else 24e6
        assert row["bit"] / size == pytest.approx(round(row["bit"] / size), abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_rates_at_full_load_are_those_of_the_geometry(seed):
    world = build(load(_small(seed)), {})
    users, cells = world.radio.users, world.cells
    chosen = [int(np.flatnonzero(users.serving == n)[0]) for n in np.unique(users.serving)]
    on = np.zeros(len(cells))
    for terminal in chosen:
        cell = cells[users.serving[terminal]]
        on[cell.index] = 1.0
        for kind in (UP, DOWN):
            cell.push(kind, "chat", messages(np.zeros(1), 1e15, terminal, ref=0))
    spec, tick = cells[0].spec, Tick(t0_s=0.0, t1_s=1.0)
    for kind in (UP, DOWN):
        settle(world, kind, tick)
    gain_db, serving = users.gain_db[chosen], users.serving[chosen]
    broadcast = cells[0].station.signals.sending_frac
    power_w = cells[0].station.transmit_power_w * np.where(on, 1.0, broadcast)
    down = geometry(gain_db, serving, power_w=power_w, noise_w=noise_w(spec, DOWN))
    got = world.radio.rate_bps[DOWN]["chat"][chosen]
    assert got == pytest.approx(rate_bps(spec, DOWN, down.sinr_db), rel=1e-6)
    up_db = uplink_sinr_db(
        gain_db, serving, np.full(len(chosen), 10**-0.7), np.ones(len(chosen)), noise_w(spec, UP)
    )
    got = world.radio.rate_bps[UP]["chat"][chosen]
    assert got == pytest.approx(rate_bps(spec, UP, up_db), rel=1e-6)
