"""Path loss against an independent implementation, row by row."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from tree6g.radio.pathloss import pathloss_db


@pytest.mark.parametrize("environment", ["UMa", "UMi"])
def test_pathloss_agrees_with_sionna_within_a_hundredth_of_a_decibel(reference_data, environment):
    with (reference_data / "radio" / "pathloss_reference.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["scenario"] == environment]
    assert len(rows) == 320
    error_db = [
        pathloss_db(
            environment.lower(),
            float(row["d2D_m"]),
            row["los"] == "LOS",
            frequency_hz=1e9 * float(row["fc_GHz"]),
            h_bs_m=float(row["h_BS_m"]),
            h_ut_m=float(row["h_UT_m"]),
        )
        - float(row["pathloss_dB"])
        for row in rows
    ]
    assert np.abs(error_db).max() <= 0.01
