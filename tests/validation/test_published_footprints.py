"""Footprints that others published, computed again from what they published with them."""

from __future__ import annotations

import json

import pytest

from tree6g.calibrate import kinds
from tree6g.errors import DataError
from tree6g.lifecycle import ecologits
from tree6g.lifecycle.energy import J_PER_KWH

HEAD = "id,quantity,kind,inputs_json,expected,unit,rel_tol,reproducible,reason\n"


def _file(tmp_path, *rows):
    path = tmp_path / "rows.csv"
    path.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def _row(kind, inputs, expected, unit, *, tolerance="0.01", quantity="carbon", tested="yes"):
    quoted = json.dumps(inputs).replace('"', '""')
    return f'a,{quantity},{kind},"{quoted}",{expected},{unit},{tolerance},{tested},'


def test_every_reproducible_row_is_within_its_own_tolerance(reference_data):
    file = reference_data / "lifecycle" / "published_footprints.csv"
    result = kinds.validate("footprints", [file])
    assert result.rows == 24
    assert result.figures["inside_range_frac"] == 1.0
    assert result.misses == ()
    told = " ".join(result.problems)
    assert "published without the inputs" in told
    assert "mistral-400tok-c (1.14 gCO2e)" in told


def test_requests_are_those_of_ecologits_to_a_billionth(reference_data):
    file = reference_data / "lifecycle" / "published_footprints.csv"
    groups = {g.name: g for g in kinds.validate("footprints", [file]).groups}
    assert groups["ecologits_request"].figures["max_ape_frac"] < 1e-9


def test_water_counts_site_overhead_once_and_only_at_the_power_plant():
    found = ecologits.request(8.03e9, 8.03e9, 400.0, kgco2e_per_j=0.590478 / J_PER_KWH)
    equipment_kwh = found.energy_j / 1.2 / J_PER_KWH
    assert found.water_l(0.5, 2.0) == pytest.approx(equipment_kwh * (0.5 + 1.2 * 2.0), rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "inputs", "expected", "unit"),
    [
        ("gpu_hours_to_energy", {"gpu_hours": 10, "gpu_w": 400}, 4.0, "kWh"),
        ("gpu_hours_to_energy", {"gpu_hours": 10, "gpu_w": 400, "pue": 1.5}, 6.0, "kWh"),
        (
            "devices_days_to_carbon",
            {"devices": 10, "device_w": 100, "days": 1, "kgco2e_per_kwh": 0.5},
            12.0,
            "kgCO2e",
        ),
        ("difference", {"total": 10, "minus": [3, 4]}, 3.0, "anything"),
        (
            "sci_embodied",
            {"embodied_g": 1e6, "lifetime_y": 4, "reserved_h": 1, "share": 0.5},
            14.2694,
            "gCO2e",
        ),
    ],
)
def test_each_kind_is_a_formula_on_its_inputs(tmp_path, kind, inputs, expected, unit):
    file = _file(tmp_path, _row(kind, inputs, expected, unit, tolerance="1e-6"))
    assert kinds.validate("footprints", [file]).figures["inside_range_frac"] == 1.0


def test_a_row_outside_its_tolerance_is_a_miss_with_both_figures(tmp_path):
    inputs = {"gpu_hours": 10, "gpu_w": 400}
    result = kinds.validate(
        "footprints", [_file(tmp_path, _row("gpu_hours_to_energy", inputs, 5.0, "kWh"))]
    )
    assert result.figures["inside_range_frac"] == 0.0
    assert (result.misses[0]["ours"], result.misses[0]["published"]) == (4.0, 5.0)
    assert result.headline.startswith("Published footprints: 0 of 1 rows")


def test_all_faults_of_a_file_are_told_at_once(tmp_path):
    file = _file(
        tmp_path,
        _row("gpu_hour_to_energy", {}, 1, "kWh"),
        _row("gpu_hours_to_energy", {"gpu_hours": -1, "gpu_w": 400}, 1, "kWh"),
        _row("gpu_hours_to_energy", {"gpu_hours": 1, "gpu_w": 400}, 1, "furlong"),
        _row("gpu_hours_to_energy", {"gpu_hours": 1, "gpu_w": 400}, 1, "gCO2e"),
        _row("sci_embodied", {"embodied_g": 1, "lifetime_y": 0, "reserved_h": 1}, 1, "g"),
        _row("difference", {"total": 1, "minus": 3}, 1, "g"),
        _row("energy_to_carbon", [1], 1, "g"),
        _row("energy_to_carbon", {}, 1, "g", tested="perhaps"),
        _row("energy_to_carbon", {}, 0, "g"),
    )
    with pytest.raises(DataError) as caught:
        kinds.validate("footprints", [file])
    text = str(caught.value)
    assert "9 faults" in text
    for words in ("Did you mean 'gpu_hours_to_energy'", "got -1", "'furlong'", "lifetime above 0"):
        assert words in text


def test_a_file_without_inputs_has_nothing_to_compare(tmp_path):
    row = _row("published_total", {}, 1, "g", tolerance="", tested="no")
    with pytest.raises(DataError, match="reproducible = yes"):
        kinds.validate("footprints", [_file(tmp_path, row)])
