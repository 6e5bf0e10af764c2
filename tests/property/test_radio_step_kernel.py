"""The compiled radio step against its statement in plain NumPy, over networks of many kinds."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.errors import ScenarioError
from tree6g.radio import coupling, layout, shadowing
from tree6g.radio.antenna import Antenna
from tree6g.radio.drop import Terminals, place
from tree6g.radio.link import snapshot as plain
from tree6g.radio.link.approximation import angle, exp2, log2, uniform
from tree6g.radio.link.shannon import DOWNLINK
from tree6g.radio.link.snapshot import Network, Snapshot, Steps, snapshot
from tree6g.radio.link.step import compiles, step, update
from tree6g.radio.pathloss import effective_height_m, los_probability

BAR_DB = 1e-3
STAIRS = Steps(threshold_db=np.array([-6.0, 0.0, 9.0]), spectral_efficiency=np.array([0.2, 1, 3]))


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, Terminals]:
    """A Poisson network with terminals on all floors, some cells switched off or idle."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    wrap, sectors = draw(st.booleans()), draw(st.sampled_from([1, 2, 3, 6]))
    environment = draw(st.sampled_from(["uma", "umi"]))
    sites = layout.poisson(
        rng,
        draw(st.floats(1, 9)),
        1_500.0,
        h_bs_m=draw(st.sampled_from([6.0, 14.0, 25.0])),  # also below the highest terminals
        sectors=sectors,
        wrap_around=wrap,
    )
    tilted = dataclasses.replace(sites, tilt_rad=rng.random(sites.cells) * 0.3)
    power_w = np.where(rng.random(sites.cells) < 0.2, 0.0, 80.0 * rng.random(sites.cells))
    power_w[0] = 40.0
    antenna = Antenna(
        elements=draw(st.integers(1, 16)), beamwidth_deg=draw(st.sampled_from([0.0, 65.0]))
    )
    sight = draw(st.sampled_from(["los", "nlos", "drawn"]))
    network = Network(
        layout=tilted,
        environment=environment,
        frequency_hz=draw(st.floats(0.5e9, 30e9)),
        bandwidth_hz=20e6,
        noise_w=10 ** draw(st.floats(-16, -11)),
        power_w=power_w,
        load_frac=np.where(rng.random(sites.cells) < 0.2, 0.0, rng.random(sites.cells)),
        surroundings=coupling.surroundings(rng, tilted) if sight == "drawn" else sight,
        antenna=antenna,
        flat=draw(st.booleans()),
        adaptation=draw(st.sampled_from([DOWNLINK, STAIRS])),
    )
    xy_m = rng.random((300, 2)) * 2_000.0 - 250.0
    return network, place(rng, xy_m, environment=environment)


def decided(network: Network, terminals: Terminals) -> np.ndarray:
    """Terminals none of whose draws stands within 1e-5 of what it is compared with."""
    if isinstance(network.surroundings, str):
        return np.ones(terminals.count, dtype=bool)
    away_m = np.hypot(
        *np.moveaxis(layout.nearest_copy_m(network.layout, terminals.position_m), -1, 0)
    )
    h_ut_m = terminals.position_m[:, 2:]

    def drawn(kind: str) -> np.ndarray:
        field = getattr(network.surroundings, kind)
        reach_m = coupling.LOS_CORRELATION_M[network.environment]
        return shadowing.uniform(shadowing.normal(field, terminals.position_m, reach_m))

    outside_m = np.maximum(away_m - terminals.indoor_distance_m[:, None], 0.0)
    p = los_probability(network.environment, outside_m, h_ut_m)
    clear = np.abs(drawn("los") - p) > 1e-5
    low, high = (
        effective_height_m(away_m, h_ut_m, np.clip(drawn("height") + d, 0.0, 1.0))
        for d in (-1e-5, 1e-5)
    )
    return (clear & (low == high)).all(axis=1)


def check_equal(network: Network, terminals: Terminals, ours: Snapshot, oracle: Snapshot) -> None:
    sure = decided(network, terminals)
    assert sure.mean() > 0.9
    gain_db = plain.coupling_gain_db(network, terminals)
    power_w = np.maximum(network.power_w, 1e-300)
    received_db = gain_db + 10.0 * np.log10(power_w)
    row = np.arange(terminals.count)
    behind_db = received_db[row, oracle.serving] - received_db[row, ours.serving]
    assert np.abs(behind_db[sure]).max() < BAR_DB
    same = sure & (ours.serving == oracle.serving)
    assert same.sum() >= sure.sum() - 1
    np.testing.assert_allclose(ours.sinr_db[same], oracle.sinr_db[same], rtol=0, atol=BAR_DB)
    edges = [*STAIRS.threshold_db, DOWNLINK.sinr_min_db]
    off_edge = same & (np.abs(oracle.sinr_db[:, None] - edges) > BAR_DB).all(axis=1)
    np.testing.assert_allclose(
        ours.spectral_efficiency[off_edge], oracle.spectral_efficiency[off_edge], atol=1e-3
    )


@given(networks())
def test_kernel_agrees_with_the_statement_to_a_thousandth_of_a_decibel(
    case: tuple[Network, Terminals],
) -> None:
    network, terminals = case
    assert compiles(network)
    check_equal(network, terminals, step(network, terminals), snapshot(network, terminals))


@given(networks(), st.integers(0, 2**32))
def test_update_of_what_moved_is_the_step_anew(case: tuple[Network, Terminals], seed: int) -> None:
    network, terminals = case
    rng = np.random.default_rng(seed)
    further_db = rng.random(terminals.count) * 10.0
    before = step(network, terminals, further_db)
    kept = before.sinr_db.copy()
    moved = rng.random(terminals.count) < 0.1
    way_m = np.column_stack([rng.normal(0, 50, (terminals.count, 2)), np.zeros(terminals.count)])
    there = terminals.moved(terminals.position_m + moved[:, None] * way_m)
    anew = step(network, there, further_db)
    for which in (moved, np.flatnonzero(moved)):
        after = update(network, there, before, which, further_db)
        for field in dataclasses.fields(Snapshot):
            np.testing.assert_array_equal(getattr(after, field.name), getattr(anew, field.name))
    np.testing.assert_array_equal(before.sinr_db, kept)


@given(networks())
def test_a_cell_gives_away_its_whole_time_and_none_is_served_by_one_that_is_off(
    case: tuple[Network, Terminals],
) -> None:
    network, terminals = case
    result = step(network, terminals)
    assert (network.power_w[result.serving] > 0.0).all()
    full_bps = network.bandwidth_hz * result.spectral_efficiency
    some = full_bps > 0.0
    share = np.ones(terminals.count) / np.bincount(result.serving)[result.serving]
    np.testing.assert_allclose(result.rate_bps[some] / full_bps[some], share[some], rtol=1e-12)
    used = np.bincount(result.serving, weights=share)
    np.testing.assert_allclose(used[np.unique(result.serving)], 1.0, rtol=1e-12)


def two_cells(**changes: object) -> tuple[Network, Terminals]:
    """Two sites 1 km apart with one even antenna each, one terminal between them."""
    sites = layout.at([(0.0, 0.0, 25.0), (1_000.0, 0.0, 25.0)], sectors=1)
    network = Network(
        layout=sites,
        environment="uma",
        frequency_hz=3.5e9,
        bandwidth_hz=20e6,
        noise_w=1e-13,
        power_w=np.array([40.0, 40.0]),
        load_frac=np.array([1.0, 0.5]),
        surroundings="los",
        antenna=Antenna(elements=1, gain_dbi=0.0, beamwidth_deg=0.0),
    )
    position = np.array([[200.0, 0.0]])
    rng = np.random.default_rng(0)
    terminals = place(rng, position, environment="uma", indoor_frac=0.0)
    return dataclasses.replace(network, **changes), terminals


@pytest.mark.parametrize("compute", [step, snapshot])
def test_two_cells_by_hand(compute: object) -> None:
    network, terminals = two_cells()
    result = compute(network, terminals)
    # 28 + 22 lg d3D + 20 lg 3.5 before the breakpoint of 4 * 24 * 0.5 * 3.5e9 / 3e8 = 560 m
    near = 40.0 * 10 ** -((28 + 22 * math.log10(math.hypot(200, 23.5)) + 20 * math.log10(3.5)) / 10)
    beyond_db = 40 * math.log10(math.hypot(800, 23.5)) - 9 * math.log10(560**2 + 23.5**2)
    far = 40.0 * 10 ** -((28 + beyond_db + 20 * math.log10(3.5)) / 10)
    sinr = near / (1e-13 + 0.5 * far)
    assert result.serving[0] == 0
    assert result.sinr_db[0] == pytest.approx(10 * math.log10(sinr), abs=1e-3)
    capacity = 0.6 * math.log2(1 + min(sinr, 1e3))
    assert result.rate_bps[0] == pytest.approx(20e6 * capacity, rel=1e-4)


@pytest.mark.parametrize("compute", [step, snapshot])
def test_a_cell_that_is_off_neither_serves_nor_interferes(compute: object) -> None:
    network, terminals = two_cells(power_w=np.array([0.0, 40.0]))
    result = compute(network, terminals)
    loss_db = 28 + 40 * math.log10(math.hypot(800, 23.5)) - 9 * math.log10(560**2 + 23.5**2)
    received_db = 10 * math.log10(40.0 / 1e-13) - loss_db - 20 * math.log10(3.5)
    assert result.serving[0] == 1
    assert result.sinr_db[0] == pytest.approx(received_db, abs=1e-3)


def test_environments_without_kernel_take_the_statement() -> None:
    network, terminals = two_cells(environment="rma")
    assert not compiles(network)
    result = step(network, terminals)
    again = update(network, terminals, result, [0])
    np.testing.assert_array_equal(result.sinr_db, snapshot(network, terminals).sinr_db)
    np.testing.assert_array_equal(again.rate_bps, result.rate_bps)


def test_without_the_compiler_the_statement_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    network, terminals = two_cells()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        assert not compiles(network)
        plainly = step(network, terminals)
    assert compiles(network)
    np.testing.assert_array_equal(plainly.sinr_db, snapshot(network, terminals).sinr_db)


def test_powers_must_fit_the_cells_and_one_must_transmit() -> None:
    with pytest.raises(ScenarioError, match="each of 2 cells"):
        two_cells(power_w=np.ones(3))
    with pytest.raises(ScenarioError, match="no cell transmits"):
        two_cells(power_w=np.zeros(2))


def test_polynomials_keep_their_error_bounds() -> None:
    for x in np.geomspace(1e-30, 1e30, 3_001):
        single = np.float32(x)
        exact = math.log2(float(single))
        assert abs(float(log2(single)) - exact) < 5e-7 + 6e-8 * abs(exact)
    for t in np.linspace(-119.9, 40.0, 3_001):
        single = np.float32(t)
        assert float(exp2(single)) == pytest.approx(2.0 ** float(single), rel=3e-7)
    for a in np.linspace(-3.14, 3.14, 2_001):
        y, x = np.float32(math.sin(a) * 700), np.float32(math.cos(a) * 700)
        assert abs(float(angle(y, x)) - math.atan2(float(y), float(x))) < 5e-7
    for z in np.linspace(-5, 5, 501):
        exact = 0.5 * math.erfc(-float(np.float32(z)) / math.sqrt(2))
        assert abs(float(uniform(np.float32(z))) - exact) < 6e-7
