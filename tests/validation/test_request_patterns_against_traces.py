"""What is kept of the Azure conversation trace, against the trace itself."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from tree6g.traffic.lengths import draw_arrivals_s, draw_lengths, request_pattern


@pytest.fixture(scope="module")
def trace(reference_data):
    with (reference_data / "traces" / "azure_llm_2023_conv.csv").open() as file:
        rows = [tuple(map(float, row)) for row in list(csv.reader(file))[1:]]
    return np.array(rows)


def _ranks(values):
    order = np.unique(values, return_inverse=True)[1].ravel()
    counts = np.bincount(order)
    return (np.cumsum(counts) - counts / 2.0)[order]


def test_drawn_lengths_have_the_means_quantiles_and_correlation_of_the_trace(trace):
    pattern = request_pattern("azure-conv-2023")
    prompt, output = draw_lengths(np.random.default_rng(3), pattern, 200_000)
    assert prompt.mean() == pytest.approx(trace[:, 1].mean(), rel=0.01)
    assert output.mean() == pytest.approx(trace[:, 2].mean(), rel=0.01)
    levels = np.linspace(0.01, 0.99, 99)
    for drawn, real in ((prompt, trace[:, 1]), (output, trace[:, 2])):
        error = np.abs(np.quantile(drawn, levels) / np.quantile(real, levels) - 1.0)
        assert np.median(error) <= 0.005
        assert np.quantile(error, 0.75) <= 0.04
        assert error.max() <= 0.45
    correlation = np.corrcoef(_ranks(prompt), _ranks(output))[0, 1]
    assert correlation == pytest.approx(
        np.corrcoef(_ranks(trace[:, 1]), _ranks(trace[:, 2]))[0, 1], abs=0.02
    )


def test_drawn_arrivals_are_as_bursty_as_the_trace(trace):
    pattern = request_pattern("azure-conv-2023")
    rate = len(trace) / trace[-1, 0]
    gap_cv, dispersion = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        arrivals = draw_arrivals_s(rng, pattern, rate_per_s=rate, duration_s=3480.0)
        gaps = np.diff(arrivals)
        counts = np.bincount((arrivals // 60.0).astype(int), minlength=58)
        gap_cv.append(gaps.std() / gaps.mean())
        dispersion.append(counts.var() / counts.mean())
        assert len(arrivals) == pytest.approx(len(trace), rel=0.03)
    gaps = np.diff(trace[:, 0])
    counts = np.bincount((trace[:, 0] // 60.0).astype(int))[:58]
    assert np.mean(gap_cv) == pytest.approx(gaps.std() / gaps.mean(), rel=0.05)
    assert 0.5 <= np.mean(dispersion) / (counts.var() / counts.mean()) <= 2.0
