"""3GPP measurement files, and tables of other makers: units, suspect values, repairs, refusals."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from tree6g.errors import MeterError
from tree6g.meter.reading import total
from tree6g.meter.recognise import recognise
from tree6g.meter.sources.pm_energy import energy_of
from tree6g.meter.sources.pm_xml import duration_s

SAMPLES = Path(__file__).parents[1] / "fixtures" / "meter"
NODE = (SAMPLES / "node.xml").read_bytes()
STREAM = (SAMPLES / "stream.xml").read_bytes()


def test_energy_of_units_is_added_over_its_period():
    found = recognise(NODE)
    assert found.format == "3gpp pm xml (TS 32.435)"
    assert total(found.readings, "energy") == 61.0 * 3600.0
    first = next(r for r in found.readings if r.kind == "energy")
    assert (first.t1_s - first.t0_s, first.component) == (900.0, "baseband")


def test_a_blank_value_that_is_suspect_is_unknown_and_told():
    found = recognise(NODE)
    assert sum(r.value_si is None for r in found.readings) == 2
    assert any("marks it as suspect" in problem for problem in found.problems)


def test_a_suspect_value_is_unknown_even_if_there_is_a_number():
    marked = NODE.replace(b'<r p="1">50</r><r p="2">200,201,199</r>',
                          b'<r p="1">50</r><r p="2">200</r><suspect>true</suspect>')  # fmt: skip
    found = recognise(marked)
    assert total(found.readings, "energy") == 11.0 * 3600.0


def test_volumes_are_megabits_and_those_of_classes_are_parts():
    found = recognise(NODE)
    assert total(found.readings, "bit_dl") == 80e6
    assert any("QoS class, slice or PLMN" in problem for problem in found.problems)
    assert next(r for r in found.readings if r.kind == "prb_dl").value_si == 0.25


def test_energy_of_the_node_holds_that_of_its_units():
    whole = NODE.replace(
        b'<measInfo measInfoId="volume">',
        b'<measInfo measInfoId="w"><granPeriod duration="PT900S" '
        b'endTime="2026-01-01T00:15:00Z"/><measType p="1">pmConsumedEnergy</measType>'
        b'<measValue measObjLdn="NodeSupport=1,ConsumedEnergyMeasurement=1"><r p="1">65</r>'
        b'</measValue></measInfo><measInfo measInfoId="volume">',
    )  # fmt: skip
    assert total(recognise(whole).readings, "energy") == 65.0 * 3600.0


def test_what_vendors_break_is_repaired_and_told():
    found = recognise(STREAM)
    assert total(found.readings, "energy") == pytest.approx(21_600.0)
    assert [p for p in found.problems if p.startswith("repaired")] == [
        "repaired: the XML declaration is not at the start.",
        "repaired: a bare '&'.",
    ]


def test_of_a_file_that_breaks_off_whole_values_are_read():
    cut = NODE[: NODE.index(b'<measInfo measInfoId="volume">') + 60]
    found = recognise(cut)
    assert total(found.readings, "energy") == 61.0 * 3600.0
    assert any("breaks off" in problem for problem in found.problems)


def test_energy_from_average_power_where_the_energy_is_not_known():
    found = recognise(STREAM.replace(b"0.006", b"4711"))
    assert total(found.readings, "energy") == 360.0 * 60.0
    assert any("no unit fits" in problem for problem in found.problems)


def test_a_file_may_be_packed():
    assert recognise(gzip.compress(NODE)) == recognise(NODE)


def test_more_than_can_be_unpacked_is_refused(monkeypatch):
    monkeypatch.setattr("tree6g.meter.recognise.MAX_BYTE", 1000)
    with pytest.raises(MeterError, match="at most 1,000 byte"):
        recognise(gzip.compress(b"a 1\n" * 10_000))


@pytest.mark.parametrize(
    ("value", "power", "unit", "joules"),
    [
        (0.103, 412.0, "kWh", 370_800.0),
        (103.0, 412.0, "kWh", 370_800.0),  # is Wh
        (370_800.0, 412.0, "kWh", 370_800.0),  # is J
        (83.0, 333.0, "Wh", 298_800.0),
        (0.0, 0.0, "kWh", 0.0),
    ],
)
def test_energy_is_read_in_the_unit_that_agrees_with_power_and_time(value, power, unit, joules):
    made = energy_of("e", value, power, 900.0, unit)
    assert made.value_si == pytest.approx(joules, rel=1e-9)
    assert bool(made.suspect) == (value > 100.0 and unit == "kWh")


def test_energy_that_no_site_can_take_is_not_believed():
    assert energy_of("e", 21_780.0, 25.0, 60.0).value_si is None
    assert energy_of("e", 21_780.0, math.nan, 60.0).value_si is None
    assert energy_of("e", 0.1, math.nan, 900.0).value_si == pytest.approx(3.6e5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT900S", 900.0), ("PT15M", 900.0), ("P1DT1H", 90_000.0), ("PT0.5S", 0.5), ("15", None),
     ("P", None), ("PT", None), ("P1Y", None), ("PT" + "9" * 400 + "S", None)],
)  # fmt: skip
def test_durations_are_those_of_iso_8601(text, seconds):
    assert duration_s(text) == seconds


def test_a_template_is_refused_with_its_reason():
    template = STREAM.replace(b"360.0", b"@value@")
    with pytest.raises(MeterError, match=r"placeholder '@value@'.*template"):
        recognise(template)


@pytest.mark.parametrize(
    "head",
    [
        b'<!DOCTYPE m [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>',
        b'<!DOCTYPE m SYSTEM "file:///etc/passwd">',
        b"<!DOCTYPE m>",
    ],
)
def test_entities_are_never_expanded(head):
    with pytest.raises(MeterError, match="without document type"):
        recognise(head + b"<measCollecFile>&c;</measCollecFile>")


def test_a_file_without_values_is_refused():
    with pytest.raises(MeterError, match="the file has none"):
        recognise(b"<measDataFile></measDataFile>")
    with pytest.raises(MeterError, match="expected XML"):
        recognise(b"<measDataFile><<<")


def test_rates_of_terminals_and_power_of_srsran_in_all_its_forms():
    found = recognise((SAMPLES / "srsran.jsonl").read_bytes())
    assert total(found.readings, "bit_dl") == 3.5e6
    assert total(found.readings, "power") == 31.5
    assert {r.t1_s for r in found.readings} == {1767225601.0}


def test_a_line_of_json_that_is_cut_off_is_told():
    found = recognise((SAMPLES / "srsran.jsonl").read_bytes() + b'{"cells": [')
    assert found.problems[0].startswith("line 4: no JSON")


def test_cells_of_viavi_have_their_energy_checked():
    found = recognise((SAMPLES / "viavi.csv").read_bytes())
    assert total(found.readings, "energy") == pytest.approx(270_000.0)
    assert total(found.readings, "bit_dl") == 120e6
    wrong = (SAMPLES / "viavi.csv").read_bytes().replace(b"0.05,70", b"7777,70")
    assert any("no unit fits" in problem for problem in recognise(wrong).problems)


COLUMNS = ("time=Date", "node=Site", "energy=Energy (Wh):Wh", "bit_dl=DL (MB):MB")


def test_any_table_is_read_with_a_map_of_its_columns():
    found = recognise((SAMPLES / "any.csv").read_bytes(), COLUMNS)
    assert total(found.readings, "energy") == pytest.approx(99.5 * 3600.0)
    assert total(found.readings, "bit_dl") == 80e6
    last = found.readings[-2]
    assert (last.node, last.t1_s - last.t0_s) == ("north", 900.0)
    assert any("DL (MB): not known" in problem for problem in found.problems)


def test_all_faults_of_a_map_are_told_at_once():
    with pytest.raises(MeterError) as caught:
        recognise(b"a,b\n1,2\n", ("enrgy=a", "power=b:parsec"))
    assert len(str(caught.value).splitlines()) == 2
    assert "'energy'" in str(caught.value)
    with pytest.raises(MeterError, match="no column 'c'"):
        recognise(b"a,b\n1,2\n", ("energy=c:Wh",))
