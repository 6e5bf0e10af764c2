"""Recorded scrapes and files of real systems: sums that were added up by hand."""

from __future__ import annotations

import json

import pytest

from tree6g.errors import MeterError
from tree6g.meter.probe import probe, sums

WH_J = 3600.0
# Sums by kind, from the numbers in each file.
EXPOSITION = {
    "dcgm_trimmed.prom": ("prometheus (dcgm)", {"energy": 128_996.013, "power": 8.969}),
    # package 15618.813 J and memory 2519.097 J; a platform of 23.325 J cannot hold them
    "kepler_v0.7.prom": ("prometheus (kepler)", {"energy": 18_137.910}),
    "llamacpp_metrics_xllamacpp_b11549_real.prom": (
        "prometheus (llama.cpp)",
        {"token_in": 41.0, "token_in_cached": 0.0, "token_out": 51.0},
    ),
    # the package; its cores are inside. InfiniBand: (18527668 + 14933760) byte. CPU: see below
    "node_exporter_e2e_power_net.prom": (
        "prometheus (node_exporter)",
        {"energy": 240_422.366267, "bit_carried": 8.0 * (18_527_668 + 14_933_760)},
    ),
    # Redfish 3.2 kWh and a plug of 1234.567 Wh; 590, 374, 41.2 and 501.8 W
    "synthetic_other_power_sources.json": (
        "ietf green, redfish, shelly",
        {"energy": 3200.0 * WH_J + 1234.567 * WH_J, "power": 1507.0},
    ),
    "synthetic_srsran_gnb.jsonl": ("srsran", {"bit_dl": 48.2e6, "bit_ul": 5.1e6, "power": 38.7}),
    "synthetic_tgi_trtllm_litellm_ollama.prom": (
        "prometheus (tgi, tensorrt-llm, litellm, ollama)",
        {
            "token_in": 12_000.0 + (1800.0 - 450.0) + 55.0 + 100.0,
            "token_in_cached": 450.0,
            "token_out": 5200.0 + 300.0 + 21.0 + 64.0,
            "request": 40.0,
        },
    ),
    # two packages; cores are inside, the package by memory-mapped registers is the first again.
    # 45 W of a package, its cores inside, and the average of the card
    "sysfs_powercap_hwmon_tree.json": (
        "sysfs",
        {"energy": 2 * 240_422.366267, "power": 45.0 + 118.0},
    ),
    "vllm_0.32.0_cpu_real.prom": (
        "prometheus (vllm)",
        {"token_in": 216.0, "token_in_cached": 0.0, "token_out": 144.0, "request": 3.0},
    ),
}
PM = {
    "pm_32435_ericsson_radionode_20220418.xml": {
        "energy": 130.0 * WH_J,  # units of 83, 12, 13 and 22 Wh
        "bit_dl": 0.0,
        "bit_ul": 0.0,
    },
    # 25 W over two periods of 60 s; the file's PEE.Energy (21780, 20856) fits no unit
    "pm_28532_keysight_gnb_20241211.xml": {"energy": 3000.0, "bit_dl": 0.0, "bit_ul": 0.0},
    "synthetic_3gpp_pm_28532_gnb.xml": {
        "energy": 0.103 * 1000.0 * WH_J,
        "bit_dl": 182_000e6,
        "bit_ul": 21_000e6,
    },
}


def _sums(found):
    return {s.kind: s.value_si for s in sums(found)}


@pytest.mark.parametrize("name", EXPOSITION)
def test_a_recorded_scrape_has_the_sums_of_its_numbers(reference_data, name):
    found = probe(str(reference_data / "exposition" / name))
    expected_format, expected = EXPOSITION[name]
    assert found.format == expected_format
    for kind, value in expected.items():
        assert _sums(found)[kind] == pytest.approx(value, rel=1e-9), kind


@pytest.mark.parametrize("name", PM)
def test_a_measurement_file_has_the_sums_of_its_counters(reference_data, name):
    found = probe(str(reference_data / "pm" / name))
    for kind, value in PM[name].items():
        assert _sums(found)[kind] == pytest.approx(value, rel=1e-9), kind


def test_no_recorded_file_is_left_out(reference_data):
    assert {p.name for p in (reference_data / "exposition").iterdir()} == set(EXPOSITION)
    placeholders = {"3gpp_pm_oran_sc_template_5G_NR.xml"}
    assert {p.name for p in (reference_data / "pm").iterdir()} == set(PM) | placeholders


def test_the_template_is_refused_with_its_reason(reference_data):
    with pytest.raises(MeterError, match="placeholder '@value@'"):
        probe(str(reference_data / "pm" / "3gpp_pm_oran_sc_template_5G_NR.xml"))


def test_the_node_counts_over_a_quarter_of_an_hour_and_says_what_is_suspect(reference_data):
    found = probe(str(reference_data / "pm" / "pm_32435_ericsson_radionode_20220418.xml"))
    energy = [r for r in found.readings if r.kind == "energy"]
    assert {r.t1_s - r.t0_s for r in energy} == {900.0}
    assert [r.value_si for r in energy if r.value_si is not None] == [
        83 * WH_J, 12 * WH_J, 13 * WH_J, 22 * WH_J,
    ]  # fmt: skip
    blank = [r for r in energy if r.value_si is None]
    assert len(blank) == 2
    assert all("suspect" in r.why for r in blank)


def test_energy_that_is_at_odds_with_power_is_told_in_clear_words(reference_data):
    found = probe(str(reference_data / "pm" / "pm_28532_keysight_gnb_20241211.xml"))
    told = " ".join(found.problems)
    for words in ("XML declaration is not at the start", "no unit fits", "before the file's begin"):
        assert words in told


def test_packages_with_one_energy_and_platforms_below_their_package_are_told(reference_data):
    folder = reference_data / "exposition"
    assert "exactly the energy of" in " ".join(
        probe(str(folder / "sysfs_powercap_hwmon_tree.json")).problems
    )
    assert "the package counts" in " ".join(probe(str(folder / "kepler_v0.7.prom")).problems)


def test_cpu_time_is_what_was_not_idle(reference_data):
    path = reference_data / "exposition" / "node_exporter_e2e_power_net.prom"
    busy = sum(
        float(line.split()[-1])
        for line in path.read_text().splitlines()
        if line.startswith("node_cpu_seconds_total") and 'mode="i' not in line
    ) + sum(
        float(line.split()[-1])
        for line in path.read_text().splitlines()
        if line.startswith("node_cpu_seconds_total") and 'mode="irq"' in line
    )
    assert _sums(probe(str(path)))["cpu_busy"] == pytest.approx(busy)


def test_latencies_of_a_recorded_scrape_are_whole(reference_data):
    found = probe(str(reference_data / "exposition" / "vllm_0.32.0_cpu_real.prom"))
    ttft = next(r for r in found.readings if r.kind == "ttft")
    assert (ttft.value_si, ttft.sum_si) == (3.0, pytest.approx(17.040287971496582))
    assert ttft.start_s == pytest.approx(1.795422755631461e9)
    assert json.dumps([r.name for r in found.readings]).count("_created") == 0
