"""Layouts: grids, wrap-around, bearings."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.radio.layout import at, hexagonal, indoor_office, nearest_copy_m, poisson


@pytest.mark.parametrize(("rings", "sites"), [(0, 1), (1, 7), (2, 19), (3, 37)])
def test_hexagonal_grid_has_all_rings_at_the_given_spacing(rings, sites):
    layout = hexagonal(rings, 500.0, h_bs_m=25.0)
    assert layout.sites == sites
    assert layout.cells == 3 * sites
    xy_m = layout.site_m[:, :2]
    away_m = np.hypot(*(xy_m[:, None] - xy_m[None]).transpose(2, 0, 1))
    if sites > 1:
        assert np.min(away_m[away_m > 0]) == pytest.approx(500.0)
    assert (layout.site_m[:, 2] == 25.0).all()


def test_wrapped_around_every_site_has_six_neighbours():
    layout = hexagonal(2, 500.0, h_bs_m=25.0)
    to_m = nearest_copy_m(layout, layout.site_m)
    away_m = np.hypot(to_m[..., 0], to_m[..., 1])
    assert (np.isclose(away_m, 500.0).sum(axis=1) == 6).all()
    assert away_m.max() < 2.0 * 500.0 + 1e-6


def test_without_wrap_around_the_corner_of_a_grid_has_three_neighbours():
    layout = hexagonal(2, 500.0, h_bs_m=25.0, wrap_around=False)
    to_m = nearest_copy_m(layout, layout.site_m)
    away_m = np.hypot(to_m[..., 0], to_m[..., 1])
    assert np.isclose(away_m, 500.0).sum(axis=1).min() == 3


def test_first_cell_points_at_a_neighbouring_site():
    layout = hexagonal(1, 500.0, h_bs_m=25.0)
    bearing = layout.bearing_rad[layout.cell_site == 0]
    assert np.degrees(bearing) == pytest.approx([30.0, 150.0, 270.0])
    centre = np.argmin(np.hypot(layout.site_m[:, 0], layout.site_m[:, 1]))
    ahead_m = layout.site_m[centre, :2] + 500.0 * np.array(
        [np.cos(np.radians(30.0)), np.sin(np.radians(30.0))]
    )
    assert np.hypot(*(layout.site_m[:, :2] - ahead_m).T).min() < 1e-6


def test_nearest_copy_points_from_the_site_to_the_terminal():
    layout = at([(0.0, 0.0, 10.0)], sectors=1)
    assert nearest_copy_m(layout, np.array([[3.0, 4.0]]))[0, 0] == pytest.approx([3.0, 4.0])


def test_given_sites_may_have_different_numbers_of_sectors_and_tilts():
    layout = at([(0, 0, 10), (100, 0, 20)], sectors=[1, 3], tilt_rad=[0.0, 0.1])
    assert layout.cell_site.tolist() == [0, 1, 1, 1]
    assert layout.tilt_rad.tolist() == [0.0, 0.1, 0.1, 0.1]
    assert np.diff(layout.bearing_rad[1:]) == pytest.approx(2 * np.pi / 3)


def test_office_has_twelve_sites_twenty_metres_apart():
    layout = indoor_office()
    assert layout.sites == 12
    assert layout.area_m == (0.0, 0.0, 120.0, 50.0)
    assert np.diff(np.unique(layout.site_m[:, 0])) == pytest.approx(20.0)
    assert len(layout.wrap_m) == 1


def test_poisson_layout_has_the_expected_number_of_sites_and_stays_in_its_square():
    rng = np.random.default_rng(3)
    layouts = [poisson(rng, 20.0, 1000.0, h_bs_m=25.0) for _ in range(200)]
    counts = [layout.sites for layout in layouts]
    assert np.mean(counts) == pytest.approx(20.0, abs=1.0)
    assert np.var(counts) == pytest.approx(20.0, rel=0.35)
    assert all((layout.site_m[:, :2] <= 1000.0).all() for layout in layouts)


def test_poisson_layout_is_never_empty():
    layout = poisson(np.random.default_rng(0), 0.001, 100.0, h_bs_m=25.0)
    assert layout.sites == 1


def test_distance_on_a_torus_is_at_most_half_its_diagonal():
    rng = np.random.default_rng(5)
    layout = poisson(rng, 10.0, 1000.0, h_bs_m=25.0)
    to_m = nearest_copy_m(layout, rng.random((50, 2)) * 1000.0)
    assert np.abs(to_m).max() <= 500.0 + 1e-9
