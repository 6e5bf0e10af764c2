"""Power of a processor from its load: the formula, its fit to known constants, bad files."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from tree6g.calibrate import kinds
from tree6g.calibrate.cpu_model import Power, default_power, fit_power, scaled
from tree6g.calibrate.cpu_rows import design_power_w, read_machines
from tree6g.errors import DataError, ScenarioError

TRUTH = Power(idle_w=12.0, full_w=65.0, exponent=0.7, clock_exponent=1.5, full_hz=3e9)
LOADS = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
CLOCKS = np.array([1.2, 1.2, 2.0, 1.4, 3.0, 1.8, 2.2, 3.0, 2.6, 2.9, 3.0]) * 1e9


def _write(folder, name="box__all.csv", *, power=TRUTH, clocks=CLOCKS, shape="all_cores", **change):
    watts = power.power_w(LOADS, clocks)
    file = folder / name
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["cpu_name", "load_type", "cpu_load", "cpu_freq", "rapl_energy",
                         "duration", "cores_used"])  # fmt: skip
        for u, f, w in zip(LOADS, clocks, watts, strict=True):
            row = {"cpu": "EPYC 8024P", "shape": shape, "load": 100 * u, "clock": f / 1e6,
                   "energy": w * 30 / 3.6e6, "duration": 30, "cores": 16} | change  # fmt: skip
            writer.writerow(row.values())
    return file


def test_constants_of_a_known_machine_come_back(tmp_path):
    (machine,), notes = read_machines([_write(tmp_path)])
    power = fit_power(machine, clocked=True).power
    assert notes == []
    assert power.idle_w == pytest.approx(12.0)
    assert power.full_w == pytest.approx(65.0, rel=0.02)
    assert power.exponent == pytest.approx(0.7, rel=0.05)
    assert power.clock_exponent == pytest.approx(1.5, rel=0.05)


def test_without_clocks_the_clock_does_not_count(tmp_path):
    flat = Power(idle_w=12.0, full_w=65.0, exponent=0.7)
    file = _write(tmp_path, power=flat, clock="")
    (machine,), notes = read_machines([file])
    power = fit_power(machine, clocked=False).power
    assert power.power_w(LOADS, machine.clock_hz) == pytest.approx(machine.power_w, rel=0.02)
    assert notes == ["box: no clock in some rows: fitted without it"]


def test_a_default_scales_with_design_power(tmp_path):
    flat = Power(idle_w=9.0, full_w=63.0, exponent=1.0)
    (machine,), _ = read_machines([_write(tmp_path, power=flat)])
    default = default_power([machine])
    assert (default.idle_w, default.full_w) == (pytest.approx(0.1), pytest.approx(0.7))
    assert scaled(default, 45.0).full_w == pytest.approx(31.5)


def test_packages_are_counted_by_their_threads():
    name = "Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz"
    assert design_power_w(name, np.array([6.0, 24.0])) == 170.0
    assert design_power_w(name, np.array([np.nan])) == 85.0
    assert np.isnan(design_power_w("Something else", np.array([8.0])))


def test_a_file_without_a_parted_name_is_a_machine_of_its_processor(tmp_path):
    (machine,), _ = read_machines([_write(tmp_path, "loads.csv")])
    assert machine.name == "EPYC 8024P"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"load": 140}, "cpu_load must be 0 to 100"),
        ({"energy": -1}, "rapl_energy must be above 0 kWh"),
        ({"duration": 0}, "duration must be above 0 s"),
        ({"load": 50}, "a row at rest"),
        ({"load": "x"}, "cpu_load must be a finite number"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, change, said):
    with pytest.raises(DataError, match=said):
        read_machines([_write(tmp_path, **change)])


def test_a_machine_that_reads_twice_as_much_as_its_twin_is_left_out(tmp_path):
    double = Power(idle_w=24.0, full_w=130.0, exponent=0.7, clock_exponent=1.5, full_hz=3e9)
    files = [_write(tmp_path), _write(tmp_path, "twin__all.csv", power=double)]
    machines, notes = read_machines(files)
    assert [m.name for m in machines] == ["box"]
    assert "2.00 times as high" in notes[0]


def test_one_machine_under_one_shape_has_no_other_to_be_told_by(tmp_path):
    result = kinds.validate("cpu-power", [_write(tmp_path)])
    names = [g.name for g in result.groups]
    assert names[:2] == ["calibrated", "calibrated, without clocks"]
    assert "not calibrated" not in names
    assert result.figures["mape_frac"] < 0.02


def test_several_paths_go_only_to_kinds_that_take_them(tmp_path):
    with pytest.raises(ScenarioError, match="expected one path for accelerator; got 2"):
        kinds.fit("accelerator", ["a", "b"])
    with pytest.raises(ScenarioError, match="--model does not apply to cpu-power"):
        kinds.fit("cpu-power", ["a"], model="x")
