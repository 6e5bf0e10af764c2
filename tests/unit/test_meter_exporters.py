"""Exporters of machines, PDUs and GPUs: units, no joule twice, who holds a card."""

from __future__ import annotations

from pathlib import Path

import pytest

from tree6g.meter.reading import total
from tree6g.meter.recognise import recognise

SAMPLE = Path(__file__).parents[1] / "fixtures" / "meter" / "exporters.prom"


@pytest.fixture(scope="module")
def found():
    return recognise(SAMPLE.read_bytes())


def _of(found, word):
    return [r for r in found.readings if r.name.startswith(word)]


def test_all_exporters_are_recognised_by_their_series(found):
    for name in ("ipmi_exporter", "redfish_exporter", "amd gpu", "intel xpu", "snmp pdu"):
        assert name in found.format


def test_dcmi_is_the_machine_and_its_sensors_are_inside_it(found):
    assert total(_of(found, "ipmi"), "power") == 417.0
    assert sum(bool(r.part_of) for r in _of(found, "ipmi")) == 3


def test_without_dcmi_a_sensor_of_the_whole_counts_else_the_inputs_together():
    both = (
        b'ipmi_power_watts{id="1",name="Pwr Consumption"} 406\n'
        b'ipmi_power_watts{id="2",name="PS1 Input Power"} 200\n'
        b'ipmi_power_watts{id="3",name="PS2 Input Power"} 210\n'
    )
    assert total(recognise(both).readings, "power") == 406.0
    assert total(recognise(both.partition(b"\n")[2]).readings, "power") == 410.0
    unknown = recognise(b'ipmi_power_watts{id="3",name="VRM 12V"} 21\n')
    assert total(unknown.readings, "power") is None
    assert "nothing is added up" in unknown.problems[0]


def test_a_controller_that_says_0_w_is_doubted():
    found = recognise(b"ipmi_dcmi_power_consumption_current_watts 0\n")
    assert total(found.readings, "power") is None
    assert "may not measure" in found.problems[0]


def test_the_first_entry_of_a_chassis_holds_the_others_and_its_supplies(found):
    assert total(_of(found, "redfish_chassis"), "power") == 166.0
    assert total(_of(found, "idrac"), "power") == 170.0
    alone = recognise(b'idrac_power_supply_input_watts{id="0"} 89\n')
    assert total(alone.readings, "power") == 89.0


def test_a_gpu_of_amd_has_one_meter_whatever_its_partitions(found):
    own = _of(found, "gpu_")
    assert total(own, "energy") == pytest.approx(1.5e6)
    assert total(own, "power") == 748.0
    assert {r.node for r in own} == {"h/S0"}
    assert next(r.tenant for r in own if r.kind == "energy") == "prod/llm-0"
    loud = recognise(b'amd_gpu_package_power{gpu_id="0",hostname="h"} 300\n')
    assert total(loud.readings, "power") == 300.0
    assert "GPU_ENERGY_CONSUMED" in loud.problems[0]


def test_tiles_and_cards_of_intel_are_not_added_to_the_gpu(found):
    own = _of(found, "xpum")
    assert total(own, "energy") == 5000.0
    assert total(own, "power") == 120.0
    assert own[0].tenant == "ns/p"


def test_cords_of_a_pdu_add_up_and_what_one_cannot_measure_is_absent(found):
    assert total(_of(found, "st4"), "power") == 888.0 + 919.0
    assert total(_of(found, "st4"), "energy") == pytest.approx(10 * 3.6e6)


def test_raritans_numbers_have_digits_behind_the_point(found):
    own = _of(found, "measurementsInlet")
    assert total(own, "power") == pytest.approx(512.0)
    assert total(own, "energy") == pytest.approx(2000 * 3600.0)
    bare = recognise(b'measurementsInletSensorValue{inletId="1",pduId="1",sensorType="5"} 5\n')
    assert "taken as a whole number" in bare.problems[0]


def test_an_instance_of_a_card_is_given_its_slices_and_the_card_stays_the_sum():
    found = recognise(
        b'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",Hostname="h",'
        b'GPU_I_PROFILE="3g.40gb",GPU_I_ID="1",namespace="a",pod="x"} 7000000\n'
        b'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",Hostname="h",'
        b'GPU_I_PROFILE="2g.20gb",GPU_I_ID="5",namespace="b",pod="y"} 7000000\n'
    )
    assert total(found.readings, "energy") == 7000.0
    card, *instances = found.readings
    assert card.tenant == ""
    assert [(r.tenant, r.value_si, r.origin) for r in instances] == [
        ("a/x", pytest.approx(3000.0), "estimated"), ("b/y", pytest.approx(2000.0), "estimated"),
    ]  # fmt: skip
    assert all(r.part_of == card.name for r in instances)


def test_the_pod_of_the_card_goes_before_that_of_the_exporter():
    found = recognise(
        b'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",exported_namespace="prod",'
        b'exported_pod="llm-0",namespace="gpu-operator",pod="dcgm-exporter"} 1000\n'
    )
    assert found.readings[0].tenant == "prod/llm-0"


def test_kepler_is_read_under_both_sets_of_names():
    old = recognise(b'kepler_node_package_joules_total{instance="n",mode="dynamic"} 5\n')
    new = recognise(b'kepler_node_cpu_joules_total{zone="package",node_name="n"} 7\n')
    assert (total(old.readings, "energy"), total(new.readings, "energy")) == (5.0, 7.0)
