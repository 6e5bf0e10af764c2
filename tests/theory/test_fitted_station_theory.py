"""The fit of base stations against constants that are known, and against a dense solution."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.radio import fitted_station as fs


def _rows(rng, count, constants, *, noise=0.0):
    load = rng.uniform(0.02, 1.0, count)
    saving = rng.uniform(0, 1, (count, 1)) * (load < 0.3)[:, None]
    one = np.ones(count)
    x = fs.features(load, np.zeros(count), saving, static=one, dynamic=one)
    return x, (x @ constants) * (1 + noise * rng.standard_normal(count))


def test_affine_station_with_a_saving_mode_is_found_again():
    constants = np.array([120.0, 90.0, 0.0, 30.0, -50.0])
    x, energy = _rows(np.random.default_rng(3), 400, constants)
    station = np.repeat(np.arange(8), 50)
    level = np.zeros((8, 5), dtype=np.int64)
    groups = fs.fit_groups(x, energy, station, level)
    own = fs.fit_stations(x, energy, station, groups.of(level))
    assert fs.predict(x, own[station]) == pytest.approx(energy, rel=2e-3)
    assert own[:, 0] == pytest.approx(120.0, rel=0.01)
    assert own[:, 4] == pytest.approx(-50.0, rel=0.1)


def test_a_few_broken_hours_do_not_move_the_constants():
    constants = np.array([100.0, 80.0, 0.0, 0.0, -40.0])
    x, energy = _rows(np.random.default_rng(4), 300, constants)
    energy[::20] *= 3.0
    station = np.zeros(300, dtype=np.int64)
    level = np.zeros((1, 5), dtype=np.int64)
    found = fs.predict(x, fs.fit_groups(x, energy, station, level).of(level)[station])
    good = np.arange(300) % 20 > 0
    assert np.abs(found - energy)[good].mean() / energy[good].mean() < 0.02


def test_station_without_rows_keeps_its_prior_and_unseen_group_that_above():
    constants = np.array([100.0, 80.0, 0.0, 0.0, -40.0])
    x, energy = _rows(np.random.default_rng(5), 100, constants)
    level = np.array([[0, 0], [0, 1], [0, -1]])
    groups = fs.fit_groups(x, energy, np.zeros(100, dtype=np.int64), level, penalty=(1e-4, 1e-2))
    shared = groups.of(level)
    own = fs.fit_stations(x, energy, np.zeros(100, dtype=np.int64), shared)
    assert own[2] == pytest.approx(shared[2])
    assert shared[2] == pytest.approx(groups.deviation[0][0])


def test_tree_of_groups_gives_the_solution_of_the_dense_system():
    rng = np.random.default_rng(6)
    members = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 2], [0, 2, 3], [0, 2, 4]])
    penalty = (0.3, 0.7, 1.9)
    a = rng.standard_normal((5, 9, 4))
    gram = np.einsum("mrf,mrg->mfg", a, a)
    right = rng.standard_normal((5, 4))
    first = np.array([0, 1, 4])
    size = 4 * 9
    dense, target = np.zeros((size, size)), np.zeros(size)
    for m, groups in enumerate(members):
        at = np.concatenate([4 * (first[v] + g) + np.arange(4) for v, g in enumerate(groups)])
        dense[np.ix_(at, at)] += np.tile(gram[m], (3, 3))
        target[at] += np.tile(right[m], 3)
    dense += np.diag(np.repeat([penalty[0]] + [penalty[1]] * 3 + [penalty[2]] * 5, 4))
    solved = np.linalg.solve(dense, target).reshape(9, 4)
    assert np.concatenate(fs._solve_nested(gram, right, members, penalty)) == pytest.approx(solved)


def test_hardware_scale_grows_with_ports_and_power_and_reads_arrays_as_totals():
    static, dynamic = fs.hardware_scale(np.array([1.0, 2.0, 4.0]), np.full(3, 46.0))
    assert (np.diff(static) > 0).all()
    assert dynamic == pytest.approx([2**-0.75, 1.0, 2**0.75])
    low, high = fs.hardware_scale(np.array([2.0, 2.0]), np.array([43.0, 46.0]))[1]
    assert high / low == pytest.approx(10 ** (0.3 * 0.5))
    array = fs.hardware_scale(np.array([64.0]), np.array([46.0 + 10 * np.log10(2)]))
    assert [part[0] for part in array] == pytest.approx([1.0, 1.0])


def test_misfit_of_a_station_is_small_only_beside_its_own_hours():
    constants = np.array([100.0, 80.0, 0.0, 0.0, -40.0])
    x, energy = _rows(np.random.default_rng(7), 120, constants)
    station = np.repeat([0, 2], 60)
    right = fs.station_misfit(x, energy, station)
    wrong = fs.station_misfit(np.roll(x, 1, axis=0), energy, station)
    assert np.isnan(right[1])
    assert right[[0, 2]].max() < 0.01
    assert wrong[[0, 2]].min() > 0.05
