"""Terminals that walk through a network whose radio step computes only what moved."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tree6g.radio import coupling, layout
from tree6g.radio.drop import place
from tree6g.radio.link.snapshot import Network, snapshot
from tree6g.radio.link.step import step, update
from tree6g.radio.mobility import Waypoints, advance, moved, stationary

RULES = Waypoints(
    low_m=(-400.0, -400.0), high_m=(400.0, 400.0), speed_m_per_s=(0.8, 1.8), pause_s=(0.0, 1200.0)
)


def _network(rng):
    sites = layout.hexagonal(1, 500.0, h_bs_m=25.0)
    return Network(
        layout=sites,
        environment="uma",
        frequency_hz=3.5e9,
        bandwidth_hz=20e6,
        noise_w=1e-13,
        power_w=np.full(sites.cells, 40.0),
        load_frac=np.full(sites.cells, 0.5),
        surroundings=coupling.surroundings(rng, sites),
    )


def _at(terminals, position_m):
    every_m = np.column_stack([position_m, terminals.position_m[:, 2]])
    return dataclasses.replace(terminals, position_m=every_m)


def test_walking_with_updates_ends_where_computing_everything_does():
    rng = np.random.default_rng(2)
    network, walkers = _network(rng), stationary(rng, RULES, 400)
    known_m = walkers.position_m
    terminals = place(rng, known_m, environment="uma")
    kept, shares = step(network, terminals), []
    for _ in range(5):
        walkers = advance(rng, RULES, walkers, 1.0)
        away, known_m = moved(walkers.position_m, known_m)
        kept = update(network, _at(terminals, known_m), kept, away)
        shares.append(away.mean())
    anew = snapshot(network, _at(terminals, walkers.position_m))
    assert 0.2 < np.mean(shares) < 0.8
    assert (kept.serving == anew.serving).mean() > 0.99
    same = kept.serving == anew.serving
    assert kept.sinr_db[same] == pytest.approx(anew.sinr_db[same], abs=1e-3)
