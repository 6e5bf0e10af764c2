"""The JSON schema of scenario files, and the commented file to start from."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tree6g import units
from tree6g.errors import ScenarioError
from tree6g.scenario import shape
from tree6g.scenario.init import init_text
from tree6g.scenario.load import dump, load, load_text, names, text_of
from tree6g.scenario.model import Scenario
from tree6g.scenario.quantities import written_name
from tree6g.scenario.schema import exactly, json_schema, pattern

CORNER = Path(__file__).parents[1] / "fixtures" / "scenarios" / "corner.yaml"
SUFFIXES = [*units.SYMBOLS, *units.QUOTIENT, "j_per_bit", "eur_per_j"]
# Records that the corner does not have.
EVERYWHERE = (
    "layout={kind: file, places: [{name: a, x: 1 m, y: 0 m}]}",
    "population.places=[{x: 1 m, y: 2 m}]",
    "services.0.split={server: big, cut: dynamic}",
    "services.0.utility={family: piecewise, knots: [{rate: 1 token/s, worth: 1 token/s}]}",
    "sites.0.base_station.baseband={accelerator: l4, cells: 4}",
    "outages=[{node: region, from: 1 s, to: 2 s}]",
    "learning={at: region.big, clients: 1, clients_per_round: 1}",
    "scheduling={rule: tree}",
    (
        "topology={energy: 1 nJ/bit, idle_power: 1 W, places: {a: x}, "
        "edges: [{name: xy, a: x, b: y, rate: 1 Gbit/s}], "
        "demands: [{source: x, target: y, rate: 1 Mbit/s}]}"
    ),
)


@pytest.fixture(scope="module")
def validator():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _all_records(annotation=Scenario):
    for record in shape.records(shape.item(annotation) or annotation):
        yield record
        for info in record.model_fields.values():
            yield from _all_records(info.annotation)


@pytest.mark.parametrize("name", names())
def test_every_library_scenario_fits_the_schema_as_written_and_resolved(validator, name):
    validator.validate(yaml.safe_load(text_of(name)))
    validator.validate(dump(load(name)))
    validator.validate(yaml.safe_load(init_text(name)))


def test_the_fixture_fits_the_schema(validator):
    validator.validate(yaml.safe_load(CORNER.read_text("utf-8")))


@pytest.mark.parametrize(
    "override",
    [
        {"seeds": 1},
        {"seed": -1},
        {"drain": 5},
        {"drain": "5 W"},
        {"drain": "5 s", "drain_s": 5},
        {"boundary": "all"},
        {"sites": []},
        {"services": [{"kind": "data", "name": "upload", "period": "1 s"}]},
        {"services": [{"kind": "date", "name": "upload"}]},
        {"links": [{"to": "region", "rate": 0}]},
        {"prices": {"electricity": "0.2 EUR"}},
    ],
)
def test_what_the_loader_refuses_by_form_the_schema_refuses_too(validator, override):
    plain = yaml.safe_load(CORNER.read_text("utf-8")) | override
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(plain)
    with pytest.raises(ScenarioError):
        load(plain)


def test_the_schema_explains_every_key_by_both_names():
    schema = json_schema()
    station = schema["$defs"]["BaseStation"]["properties"]
    assert station["bandwidth_hz"]["description"] == "Channel bandwidth."
    assert station["bandwidth"]["default"] == "100 MHz"
    for record in set(_all_records()):
        described = schema if record is Scenario else schema["$defs"][record.__name__]
        for field in record.model_fields:
            assert described["properties"][field]["description"]
            assert described["properties"][written_name(field)]["description"]


def test_no_two_fields_of_a_record_are_written_alike():
    for record in set(_all_records()):
        written = shape.names(record)
        assert len(set(written)) == len(written), record
        overlap = set(written) & {f for f in record.model_fields if written_name(f) != f}
        assert not overlap, record


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(data=st.data())
def test_the_pattern_of_a_quantity_accepts_what_the_reader_accepts(suffix, data):
    parts = units.QUOTIENT.get(suffix) or suffix.split("_per_")
    symbols = st.sampled_from(["", "x", *(s for part in parts for s in units.SYMBOLS[part])])
    prefixes = st.sampled_from([*units.PREFIX, *units.BINARY, "µ"])
    unit = st.builds("".join, st.tuples(prefixes, symbols, st.sampled_from(["", "/"]), symbols))
    number = st.sampled_from(["5", "-2.5", ".5", "5.", "1e3", "1_0", "", "1,5", "e3"])
    text = data.draw(st.builds("".join, st.tuples(number, st.sampled_from(["", " "]), unit)))
    try:
        units.parse(text, suffix)
        accepted = True
    except ValueError:
        accepted = False
    assert bool(re.search(pattern(suffix), text)) == accepted, text


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(value=st.floats(1e-15, 1e15))
def test_written_quantities_read_back_to_the_last_bit_or_nearly(suffix, value):
    assert units.parse(exactly(value, suffix), suffix) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("name", names())
def test_the_commented_start_loads_as_its_template(name):
    assert load_text(init_text(name)) == load(name)


def test_the_commented_start_explains_every_key_once(monkeypatch):
    whole = load(CORNER, EVERYWHERE)
    monkeypatch.setattr("tree6g.scenario.init.load", lambda _: whole)
    text = init_text("corner")
    assert load_text(text) == whole
    for record in set(_all_records()):
        for field, info in record.model_fields.items():
            assert re.search(rf"^ *(- |# )?{written_name(field)}:", text, re.MULTILINE), field
            start = info.description.split(". ")[0].split()[:4]
            assert re.search(r"\s+(# )?".join(map(re.escape, start)), text), field
    comments = [line for line in text.splitlines() if line.lstrip().startswith("# Channel")]
    assert len(comments) == 1


def test_an_unknown_template_is_refused():
    with pytest.raises(ScenarioError, match="expected a scenario of the library"):
        init_text("nowhere")
