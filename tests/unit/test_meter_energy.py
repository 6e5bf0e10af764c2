"""Energy from counters, cards, plugs and racks: units, and no joule twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tree6g.errors import MeterError
from tree6g.meter.reading import total
from tree6g.meter.recognise import recognise
from tree6g.meter.sources import nvml, sysfs

SAMPLES = Path(__file__).parents[1] / "fixtures" / "meter"


def _found(name):
    return recognise((SAMPLES / name).read_bytes())


def _of(found, word):
    return [r for r in found.readings if word in r.name]


def test_a_card_that_is_listed_by_instance_counts_once():
    cards = _of(_found("meters.prom"), "DCGM")
    assert sorted(r.value_si for r in cards) == [2000.0, 5000.0]  # mJ
    assert {r.node for r in cards} == {"h/GPU-a", "h/GPU-b"}


def test_domains_of_a_node_are_added_and_their_parts_are_not():
    own = _of(_found("meters.prom"), "kepler")
    assert total(own, "energy") == 1000.5 + 120.0
    assert len(own) == 4


def test_the_host_of_scaphandre_holds_its_sockets_and_processes():
    own = _of(_found("meters.prom"), "scaph")
    assert total(own, "power") == 41.5


def test_scaphandre_that_is_wrong_by_powers_of_ten_is_told():
    found = recognise(b"scaph_host_power_microwatts 4.15e13\n")
    assert "known fault of units" in found.problems[0]


@pytest.mark.parametrize("name", ["meters.prom", "pdu.json"])
def test_a_rack_is_read_in_hundredths_of_kw_and_tenths_of_kwh(name):
    own = _of(_found(name), "rPDU2")
    assert total(own, "power") == 2150.0
    assert total(own, "energy") == pytest.approx(482.1 * 3.6e6)


def test_the_whole_machine_holds_its_packages_and_one_way_to_a_package_counts():
    found = _found("node_exporter.prom")
    assert total(found.readings, "energy") == 900.0
    assert any("counts once" in problem for problem in found.problems)


def test_bits_of_loopback_are_not_carried():
    assert total(_found("node_exporter.prom").readings, "bit_carried") == 8000.0


def test_waiting_for_a_disk_is_not_cpu_time():
    assert total(_found("node_exporter.prom").readings, "cpu_busy") == 100.0


def test_rapl_knows_its_range_its_parts_and_what_may_not_be_read():
    found = _found("sysfs.json")
    assert total(found.readings, "energy") == 2.5
    package, core, memory = (r for r in found.readings if r.kind == "energy")
    assert (package.wraps_si, core.part_of) == (10.0, package.name)
    assert (memory.value_si, memory.part_of) == (None, "")
    assert "needs root" in memory.why


def test_the_average_of_a_sensor_is_read_and_not_its_sample_as_well():
    assert total(_found("sysfs.json").readings, "power") == 30.0


def test_memory_below_the_second_way_to_a_package_does_not_count_again():
    tree = {
        f"sys/class/powercap/{zone}/{word}": text
        for zone in ("intel-rapl:0", "intel-rapl-mmio:0")
        for word, text in (("name", "package-0"), ("energy_uj", "1000000"))
    } | {
        f"sys/class/powercap/{zone}:0/{word}": text
        for zone in ("intel-rapl:0", "intel-rapl-mmio:0")
        for word, text in (("name", "dram"), ("energy_uj", "500000"))
    }
    assert total(sysfs.read_sysfs(tree).readings, "energy") == 1.5


def test_folders_of_the_kernel_are_read_as_they_are(tmp_path):
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    for word, text in (("name", "psys"), ("energy_uj", "7000000\n")):
        (zone / word).write_text(text)
    found = sysfs.read_sysfs(sysfs.folder(tmp_path))
    assert total(found.readings, "energy") == 7.0


def test_parts_of_a_chassis_are_not_added_to_it():
    assert total(_found("redfish.json").readings, "power") == 410.0


def test_energy_of_redfish_is_read_in_joules_or_kilowatt_hours():
    body = {"PowerWatts": {"Reading": None}, "EnergykWh": {"Reading": 2}, "@odata.id": "/x"}
    found = recognise(json.dumps(body).encode())
    assert total(found.readings, "energy") == 7.2e6
    assert total(found.readings, "power") is None


def test_plugs_count_watt_hours_and_old_ones_watt_minutes():
    assert total(_found("shelly.json").readings, "energy") == 14.0 * 3600.0
    assert total(_found("shelly1.json").readings, "energy") == 120.0 * 60.0


def test_energy_objects_without_a_unit_are_not_known():
    body = {
        "ietf-power-and-energy:energy-objects": {
            "energy-object": [
                {"id": "a", "energy": {"total-energy-consumed": "500"}},
                {
                    "id": "b",
                    "unit-multiplier": "multiplier-milli",
                    "energy": {"total-energy-consumed": "500"},
                },
            ]
        }
    }
    found = recognise(json.dumps(body).encode())
    assert [r.value_si for r in found.readings] == [None, 1800.0]
    assert "disagree on the unit" in found.problems[0]


def test_a_power_reading_of_ipmi_is_read_unless_it_is_off():
    assert total(_found("ipmi.txt").readings, "power") == 220.0
    off = (SAMPLES / "ipmi.txt").read_text().replace("activated", "deactivated")
    assert total(recognise(off.encode()).readings, "power") is None


def test_runs_of_codecarbon_are_estimates_and_their_sum_is_checked():
    found = _found("codecarbon.csv")
    assert total(found.readings, "energy") == pytest.approx(2 * 27_000.0)
    assert {r.origin for r in found.readings} == {"estimated"}
    assert any("energy_consumed says 63000 J" in problem for problem in found.problems)
    assert found.readings[0].t1_s - found.readings[0].t0_s == 600.0


def test_a_run_of_endless_duration_has_no_start():
    endless = (SAMPLES / "codecarbon.csv").read_bytes().replace(b",600,", b",1e999,")
    found = recognise(endless)
    assert {r.t0_s for r in found.readings} == {None}
    assert any("duration" in problem for problem in found.problems)


def test_cpu_time_is_what_this_machine_ran_and_not_what_was_stolen():
    found = _found("stat.txt")
    assert total(found.readings, "cpu_busy") == pytest.approx(15.0)
    assert found.readings[0].start_s == 1767225600.0


def test_without_a_card_there_is_a_reason():
    found = nvml.read_nvml()
    assert found.readings or found.problems[0].startswith("nvml: ")


def test_members_of_a_folder_of_samples_are_read_one_by_one():
    body = {"plug": {"apower": 5.0}, "rack": {"PowerControl": [{"PowerConsumedWatts": 9}]}, "x": {}}
    found = recognise(json.dumps(body).encode())
    assert found.format == "shelly, redfish"
    assert found.readings[0].name == "plug: apower"
    assert "x: no source that is known here." in found.problems


@pytest.mark.parametrize(
    "raw", [b"", b"   ", b"{}", b"[]", b"[1]", b"null", b"hello", b"<a/>", b"\xff\xfe", b"{" * 9999]
)
def test_what_is_no_source_is_refused(raw):
    with pytest.raises(MeterError, match="expected"):
        recognise(raw)
