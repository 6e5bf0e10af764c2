"""Levenberg and Marquardt's method on functions whose minima are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.calibrate.least_squares import least_squares

FAR = np.full(2, 99.0)


def rosenbrock(z):
    return np.stack([10.0 * (z[:, 1] - z[:, 0] ** 2), 1.0 - z[:, 0]], axis=1)


def powell(z):
    a, b, c, d = z.T
    root = np.sqrt
    parts = [a + 10 * b, root(5.0) * (c - d), (b - 2 * c) ** 2, root(10.0) * (a - d) ** 2]
    return np.stack(parts, axis=1)


@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.0, 0.0), (2.0, -3.0)])
def test_the_bottom_of_a_curved_valley_is_found(start):
    found = least_squares(rosenbrock, np.array(start), most=FAR, turns=500, enough=0.0)
    assert found.at == pytest.approx([1.0, 1.0], abs=1e-3)
    assert found.cost < 1e-6


def test_a_minimum_with_a_singular_slope_is_approached():
    found = least_squares(
        powell, np.array([3.0, -1.0, 0.0, 1.0]), most=np.full(4, 9.0), turns=500, enough=0.0
    )
    assert found.cost < 1e-8


def test_an_exponential_decay_gets_its_constants_back():
    t = np.linspace(0.0, 4.0, 30)

    def residuals(z):
        return np.exp(z[:, :1] - np.exp(z[:, 1:]) * t) - 2.5 * np.exp(-1.3 * t)

    found = least_squares(residuals, np.zeros(2), most=FAR, enough=1e-12)
    assert np.exp(found.at) == pytest.approx([2.5, 1.3], rel=1e-4)


def test_a_bound_that_is_active_holds_its_parameter_and_frees_the_others():
    def residuals(z):  # least at (3, -1), coupled
        return np.stack([z[:, 0] - 3.0, z[:, 0] + 2.0 * z[:, 1] - 1.0], axis=1)

    found = least_squares(residuals, np.zeros(2), most=np.array([2.0, 9.0]), enough=1e-12)
    assert found.at == pytest.approx([2.0, -0.5], abs=1e-6)
    assert found.cost == pytest.approx(1.0)


def test_a_parameter_leaves_its_bound_when_the_minimum_is_inside():
    found = least_squares(rosenbrock, np.array([5.0, 3.0]), most=np.array([2.0, 3.0]), turns=500,
                          enough=0.0)  # fmt: skip
    assert found.at == pytest.approx([1.0, 1.0], abs=1e-2)


def test_a_start_above_a_bound_is_moved_to_it_and_a_minimum_stays():
    found = least_squares(lambda z: z - 1.0, np.array([7.0]), most=np.array([4.0]))
    assert found.at == pytest.approx([1.0])
    again = least_squares(lambda z: z - 1.0, found.at, most=np.array([4.0]))
    assert again.at == pytest.approx(found.at, abs=1e-9)


def test_all_points_of_a_derivative_are_asked_for_in_one_call():
    asked = []

    def residuals(z):
        asked.append(len(z))
        return z - np.arange(20.0)

    found = least_squares(residuals, np.zeros(20), most=np.full(20, 99.0))
    assert found.at == pytest.approx(np.arange(20.0), abs=1e-4)
    assert set(asked) == {1, 20}
    assert found.jacobian == pytest.approx(np.eye(20), abs=1e-6)


@given(st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3))
def test_a_linear_problem_has_the_solution_of_the_normal_equations(target):
    matrix = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 3.0], [1.0, 1.0, 1.0]])
    b = matrix @ np.array(target) + np.array([0.1, -0.1, 0.1, 0.0])
    found = least_squares(
        lambda z: z @ matrix.T - b, np.zeros(3), most=np.full(3, 99.0), enough=1e-14
    )
    assert found.at == pytest.approx(np.linalg.lstsq(matrix, b, rcond=None)[0], abs=1e-5)
