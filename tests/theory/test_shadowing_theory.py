"""Random fields over the ground against TR 38.901 clause 7.4.4."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tree6g.radio import shadowing


def grid(*distance_m: float) -> np.ndarray:
    return np.array([(d, 0.5 * d, 1.5) for d in distance_m])


def test_autocorrelation_falls_exponentially_with_distance():
    rng = np.random.default_rng(1)
    step = 1.0 / math.sqrt(1.25)
    places = grid(0.0, 5.0 * step, 25.0 * step, 50.0 * step, 100.0 * step)
    draws = [shadowing.normal(shadowing.field(rng, 400), places, 50.0) for _ in range(100)]
    value = np.stack(draws)  # [draw, place, field]
    assert value.std(axis=(0, 2)) == pytest.approx(np.ones(5), abs=0.02)
    correlation = (value[:, :1] * value).mean(axis=2)
    expected = np.exp(-np.array([0.0, 0.1, 0.5, 1.0, 2.0]))
    assert correlation.mean(axis=0) == pytest.approx(expected, abs=0.02)
    assert np.abs(correlation - expected).max() < 0.25  # of a single draw, sampling included


def test_values_over_one_field_are_nearly_normal():
    ground = shadowing.field(np.random.default_rng(2), 3)
    places = np.column_stack(
        [np.random.default_rng(3).random((30_000, 2)) * 1e5, np.full(30_000, 1.5)]
    )
    value = shadowing.normal(ground, places, 37.0)
    assert value.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.03)
    assert value.std(axis=0) == pytest.approx(np.ones(3), abs=0.03)
    assert (value**4).mean(axis=0) == pytest.approx(np.full(3, 3.0), abs=0.15)


def test_sites_floors_and_layers_are_independent():
    ground = shadowing.field(np.random.default_rng(4), 20_000)
    low, high = np.array([[10.0, 20.0, 1.5]]), np.array([[10.0, 20.0, 4.5]])
    here = shadowing.normal(ground, low, 50.0)[0]
    assert abs(np.mean(here[1:] * here[:-1])) < 0.03  # four standard errors
    assert (
        abs(np.mean(here * shadowing.normal(ground, high, 50.0)[0])) < 0.03
    )  # four standard errors
    assert (
        abs(np.mean(here * shadowing.normal(ground, low, 50.0, layer=1)[0])) < 0.03
    )  # four standard errors


def test_who_comes_back_finds_the_same_value():
    ground = shadowing.field(np.random.default_rng(5), 4)
    places = np.random.default_rng(6).random((10, 3)) * 100.0
    there = shadowing.normal(ground, places, 10.0)
    back = shadowing.normal(ground, places[::-1], 10.0)[::-1]
    assert back == pytest.approx(there, abs=1e-12)


def test_uniform_values_follow_the_normal_distribution_function():
    z = np.linspace(-5.0, 5.0, 101)
    exact = [0.5 * math.erfc(-x / math.sqrt(2.0)) for x in z]
    assert shadowing.uniform(z) == pytest.approx(np.array(exact), abs=1e-7)
