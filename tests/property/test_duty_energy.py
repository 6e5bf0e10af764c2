"""Energy of many cells at once against that of each by itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.radio.duty_energy import CellDuties, stations_energy
from tree6g.radio.power import station_power
from tree6g.radio.sleep import Duty, station_energy, station_total_j

STATION = station_power("tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=1200.0, sleep="deep")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 6))
def test_many_cells_draw_what_each_draws_by_itself(seed, fdd, cells):
    station, rng = dataclasses.replace(STATION, fdd=fdd), np.random.default_rng(seed)
    states = len(station.sleep)
    lasts_s = rng.random(cells) * (rng.random(cells) < 0.8)  # some are off all the time
    asleep_s = rng.dirichlet(np.ones(states + 3), size=cells)[:, :states] * lasts_s[:, None]
    entries = rng.integers(5, size=(cells, states)) * (lasts_s > 0.0)[:, None]
    send_s, listen_s, down_s, up_s = 0.2 * rng.random((4, cells)) * lasts_s
    did = CellDuties(lasts_s, asleep_s, entries, send_s, listen_s)
    many = stations_energy(station, did, downlink_s=down_s, uplink_s=up_s)
    for n in range(cells):
        one = Duty(
            duration_s=float(lasts_s[n]), asleep_s=asleep_s[n], entries=entries[n],
            send_s=float(send_s[n]), listen_s=float(listen_s[n]), traffic_end_s=0.0,
        )  # fmt: skip
        used = {"downlink_s": float(down_s[n]), "uplink_s": float(up_s[n])}
        parts = station_energy(station, one, **used)
        for field in dataclasses.fields(parts):
            stated = getattr(parts, field.name)
            assert getattr(many, field.name)[n] == pytest.approx(stated, rel=1e-12, abs=1e-12)
        total_j = station_total_j(station, one, **used)
        assert many.total_j[n] == pytest.approx(total_j, rel=1e-12, abs=1e-12)
        assert many.total_j[n] == pytest.approx(parts.total_j, rel=1e-9, abs=1e-9)
