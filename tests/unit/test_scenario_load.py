"""From files, names and plain data to a scenario, and every fault at once with its line."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tree6g.errors import ScenarioError
from tree6g.scenario import cross
from tree6g.scenario.document import MAX_BYTE
from tree6g.scenario.load import config_hash, dump, load, load_text, names, text_of
from tree6g.scenario.model import Scenario

CORNER = Path(__file__).parents[1] / "fixtures" / "scenarios" / "corner.yaml"
TEXT = CORNER.read_text("utf-8")
FAULTS = yaml.safe_load(CORNER.with_name("faults.yaml").read_text("utf-8"))
BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in pairwise("abcdefghijklmnopqrstu")
)


def _problems(source, overrides=()):
    with pytest.raises(ScenarioError) as caught:
        load(source, overrides)
    return caught.value.problems


def _text_problems(text, name="city.yaml", overrides=()):
    with pytest.raises(ScenarioError) as caught:
        load_text(text, name, overrides)
    return caught.value.problems


def _changed(old, new):
    assert TEXT.count(old) == 1, old
    (problem,) = _text_problems(TEXT.replace(old, new))
    return problem


def test_yaml_and_toml_say_the_same():
    assert load(CORNER) == load(CORNER.with_suffix(".toml")) == load(str(CORNER))


def test_plain_data_and_scenarios_are_scenarios_too():
    scenario = load(CORNER)
    assert load(scenario) is scenario
    assert load(yaml.safe_load(TEXT)) == scenario
    assert load(scenario, ["seed=8"]).seed == 8


def test_quantities_are_si_inside():
    scenario = load(CORNER)
    station = scenario.sites[0].base_station
    assert (station.bandwidth_hz, station.transmit_power_w) == (1e8, 10.0)
    assert scenario.links[0].energy_j_per_bit == 1.5e-8
    assert scenario.services[1].request_share_frac == 0.25
    assert scenario.prices.electricity_eur_per_j == pytest.approx(0.25 / 3.6e6)


def test_a_dump_is_plain_and_loads_again():
    scenario = load(CORNER)
    plain = dump(scenario)
    assert plain["sites"][0]["base_station"]["bandwidth_hz"] == 1e8
    assert load(plain) == scenario
    assert dump(load(plain)) == plain


def test_the_hash_follows_content_not_spelling():
    scenario = load(CORNER)
    assert config_hash(scenario) == config_hash(load(dump(scenario)))
    assert config_hash(scenario) != config_hash(load(scenario, ["seed=8"]))
    assert len(config_hash(scenario)) == 16


@pytest.mark.parametrize("name", names())
def test_every_scenario_of_the_library_loads_under_its_name(name):
    scenario = load(name)
    assert scenario.name == name
    assert scenario.title
    assert scenario.question
    assert text_of(name).lstrip().startswith("#")


def test_unknown_library_names_are_refused_with_the_way_out():
    (problem,) = _problems("street-cornr")
    assert "a path that ends in .yaml" in problem
    assert "Did you mean 'street-corner'?" in problem


@pytest.mark.parametrize(
    ("overrides", "value"),
    [
        (["sites.0.base_station.transmit_power=4 W"], 4.0),
        (["sites.0.base_station.transmit_power_w=4"], 4.0),
        (["sites.corner.base_station.transmit_power=4 W"], 4.0),
        (["sites.*.base_station.transmit_power=4 W"], 4.0),
        (["sites.0.power=4 W"], 4.0),
        (["sites.0.power=40 W", "sites.0.base_station.transmit_power="], None),
    ],
)
def test_overrides_reach_a_value_by_index_name_wildcard_or_short_cut(overrides, value):
    assert load(CORNER, overrides).sites[0].base_station.transmit_power_w == value


def test_overrides_make_what_is_not_there_yet():
    scenario = load(CORNER, ["prices.data=1 EUR/GB", "sites.0.base_station.sleep=deep"])
    assert scenario.prices.data_eur_per_bit == 1.25e-10
    assert load(CORNER, ["devices="]).devices is None
    changed = load(CORNER, ["sites.0.base_station.uplink_share.assistant=10 %"])
    assert changed.sites[0].base_station.uplink_share == {"upload": 0.3, "assistant": 0.1}


def test_wildcards_pass_over_items_that_lack_the_field():
    scenario = load(CORNER, ["services.*.token_class=agent", "services.*.weight=3"])
    assert [s.weight for s in scenario.services] == [3.0, 3.0, 3.0]
    assert [s.token_class for s in scenario.services[:2]] == ["agent", "agent"]


def test_later_overrides_win_and_leave_the_source_alone():
    plain = yaml.safe_load(TEXT)
    assert load(plain, ["seed=8", "seed=9"]).seed == 9
    assert plain["seed"] == 7


def test_whole_records_can_be_overridden():
    scenario = load(CORNER, ["population={users: 5}", "sites.0.servers=[]"])
    assert (scenario.population.users, scenario.sites[0].servers) == (5, ())


def test_names_with_dots_are_found():
    text = TEXT.replace("name: gpu", "name: gpu.v1.0")
    scenario = load_text(text, "a.yaml", ["sites.corner.servers.gpu.v1.0.max_batch=4"])
    assert scenario.sites[0].servers[0].max_batch == 4


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed", "expected PATH=VALUE; got 'seed'"),
        ("seeds=1", "Did you mean 'seed'?"),
        ("sites.0.bandwidth=5 MHz", "Did you mean 'base_station.bandwidth'?"),
        ("sites.0.base_station.transmit_pwer=5 W", "Did you mean 'transmit_power'?"),
        ("sites.1.pue=1", "an index below 1"),
        ("sites.cornr.pue=1", "Did you mean 'corner'?"),
        ("services.*.bandwidth=1", "expected a field in 'services.2'"),
        ("seed.x=1", "ends at 'seed'"),
        ("seed=[", "expected a value as in YAML"),
        ("seed=!!python/object:os.system x", "expected a value as in YAML"),
        ("=1", "got ''"),
        ("seed=many", "seed: expected a whole number; got 'many'"),
        ("seed=1.5", "seed: expected a whole number; got 1.5"),
        ("seed=-1", "seed: expected at least 0; got -1"),
        ("drain=5", "drain: expected a quantity such as '3.5 ms'; got 5 without a unit"),
        ("drain=5 W", "got '5 W' with the unit 'W'"),
    ],
)
def test_wrong_overrides_are_named_in_the_fault(override, words):
    (problem,) = _problems(CORNER, [override])
    assert problem.startswith(f"--set {override}: ")
    assert words in problem


def test_overrides_of_what_the_file_got_wrong_say_so():
    assert any("--set sites.0.pue=1: " in p for p in _problems({"sites": "x"}, ["sites.0.pue=1"]))
    found = _problems({"population": "x"}, ["population.users=1"])
    assert any("expected fields in 'population'" in p for p in found)


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case["change"][1])
def test_each_fault_is_one_line_with_place_expectation_and_advice(case):
    old, new = case["change"]
    assert TEXT.count(old) == 1
    assert _text_problems(TEXT.replace(old, new)) == (case["fault"],)


def test_all_faults_come_at_once_in_the_order_of_the_file():
    text = TEXT.replace("seed: 7", "sed: 7").replace("pue: 1.1", "pue: 9")
    text = text.replace("to: region", "to: nowhere").replace("fp8", "fp9")
    problems = _text_problems(text, overrides=["drain=5"])
    places = [p.split(": ")[0] for p in problems]
    assert places == [
        "city.yaml:4",
        "city.yaml:8",
        "city.yaml:17",
        "city.yaml:23",
        "--set drain=5",
    ]


def test_toml_faults_have_lines_too():
    text = CORNER.with_suffix(".toml").read_text("utf-8")
    text = text.replace('model = "llama-3.1-8b"\nweights', 'model = "llama"\nweights')
    text = text.replace("pue = 1.1", "pue = 0.5").replace('"25 %"', '"250 %"')
    text = text.replace('upload = "30 %"', 'upload = "3 W"').replace("capable =", "capabel =")
    lines = text.splitlines()
    wanted = ["pue", "uplink_share.upload", "model", "capabel", "request_share"]
    starts = [problem.split(": ")[:2] for problem in _text_problems(text, "city.toml")]
    for (where, place), key in zip(starts, wanted, strict=True):
        number = int(where.rpartition(":")[2])
        assert lines[number - 1].startswith(key), (where, place)


def test_toml_lines_are_right_after_texts_of_several_lines():
    text = '''title = """
seed = 5
"""
question = "why"
seed = -1
'''
    assert any(p.startswith("city.toml:5: seed: ") for p in _text_problems(text, "city.toml"))


def test_keys_that_are_no_names_are_refused():
    found = _text_problems(TEXT.replace("upload: 30 %", '"b d": 30 %, upload: 5 W'))
    assert [p.split(": ")[0] for p in found] == ["city.yaml:12"] * 3
    assert "expected a name: a letter" in found[0]
    assert "with the unit 'W'" in found[2]


def test_plain_data_faults_have_paths():
    plain = yaml.safe_load(TEXT) | {"seed": -1}
    assert _problems(plain) == ("seed: expected at least 0; got -1.",)


def test_a_key_that_is_there_twice_is_refused():
    assert _changed("seed: 7", "seed: 7\nseed: 8") == (
        "city.yaml:5: seed: expected each key once; got it again in line 5, first in line 4."
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "city.yaml: expected a scenario; got an empty file"),
        ("# only words\n", "got an empty file"),
        ("{}", "got an empty file"),
        ("[1, 2]", "expected the fields of a scenario"),
        ("street-corner", "expected the fields of a scenario"),
        ("name: a\n\tseed: 1", "city.yaml:2: expected YAML; got: a tab. Indent with spaces"),
        ("name: [a", "city.yaml:"),
        ("a: b: c", "city.yaml:1: expected YAML"),
        ("name: a\n---\nname: b", "city.yaml:2: expected one document"),
        ("name: !!python/object/apply:os.system [x]", "the tag 'tag:yaml.org,2002:python"),
        ("{a: 1}: b", "expected a word as key"),
        ("? [a]\n: b", "expected a word as key"),
        ("a: *b", "got '*b'"),
        ("a: &b [*b]", "got '*b'"),
        ("\x00", "expected YAML"),
        ("[" * 100, "expected at most 40 levels"),
        (BOMB, "expected at most 20,000 values"),
        ("- x\n" * 20_001, "expected at most 20,000 values"),
        (" " * (MAX_BYTE + 1), "expected a scenario of at most 256 KiB"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_scenario_is_refused(text, words):
    with pytest.raises(ScenarioError) as caught:
        load_text(text, "city.yaml")
    assert words in str(caught.value)


def test_anchors_may_be_used_with_measure():
    big = "{name: big, accelerator: h100-sxm, model: llama-3.1-8b}"
    shared = TEXT.replace(f"- {big}", "- *big").replace(
        "- name: gpu", f"- &big {big}\n      - name: gpu"
    )
    scenario = load_text(shared, "a.yaml")
    assert scenario.sites[0].servers[0] == scenario.clouds[0].servers[0]
    (problem,) = _text_problems(TEXT + "\nquestion: &q why\npolicy: *q\n")
    assert problem.startswith("city.yaml:34: policy: expected a dispatch policy; got 'why'")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e3", 1000.0), ("3.5e9", 3.5e9), ("010", 10), ("1_0", "1_0"), ("no", "no"), ("1:30", "1:30"),
     ("2024-01-01", "2024-01-01"), (".inf", ".inf"), ("~", None), ("'5'", "5"), ("True", True)],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text, value):
    from tree6g.scenario.document import read_yaml

    found = read_yaml(f"a: {text}", "x").data["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["a = ", "a = 1\na = 2", "[a]\n[a]", "x", "a = [" + "[" * 5000, "a = 1" + "0" * 9999]
)
def test_what_is_no_toml_is_refused(text):
    problem = _text_problems(text, "city.toml")[0]
    assert problem.startswith("city.toml")


def test_unreadable_files_are_refused(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path / "a.json", tmp_path, "a\0.yaml"):
        (problem,) = _problems(path)
        assert "expected a" in problem
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"name: a\ntitle: \xff\n")
    assert _problems(bad) == (f"{bad}:2: expected text in UTF-8; got byte b'\\xff'.",)


@pytest.mark.parametrize("source", [5, None, 1.5, [], object()])
def test_other_objects_are_refused(source):
    (problem,) = _problems(source)
    assert problem.startswith("expected a scenario, its name, path or data")


def test_data_that_hold_themselves_are_refused():
    loop: dict = {}
    loop["sites"] = [loop]
    assert "holds itself" in _problems(loop)[0]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["services.assistant.request_share=0.5"], "sum to 1; got 0.75 (assistant 0.5, "),
        (["sites.0.base_station.uplink_share={upload: 0.6, assistant: 0.6}"], "at most 1; got 1.2"),
        (["step=7 s"], "a whole number of steps of 7 s; got 60 s"),
        (["step=60 s", "ledger_interval=30 s"], "a whole number of steps of 60 s; got 30 s"),
        (["sites.0.servers=[]", "clouds=[]", "links=[]", "devices="], "answer 'assistant'; got"),
        (["step=1 ms", "duration=31 d"], "at most 10,000,000 steps; got 2.68e+09"),
        (["population={users: 1000000, ai_requests_per_user_hour: 9999}"], "requests; got 1e+10"),
        (["services.upload.period=1 ns"], "at most 1,000,000,000 messages; got 3.6e+12"),
        (["services.upload.period=10 ns"], "at most 10,000,000 messages a step; got 1e+08"),
        (["links=[]"], "expected a link to 'region'; got none. Add '- to: region' under 'links'"),
        (["links=[{to: region}, {to: region}]"], "expected one link per cloud"),
        (["services.upload.name=assistant"], "expected a name of its own; got 'assistant'"),
        (["clouds.0.name=corner", "links.0.to=corner"], "expected a name of its own; got 'corner'"),
    ],
)  # fmt: skip
def test_what_spans_several_fields_is_checked(overrides, words):
    assert any(words in problem for problem in _problems(CORNER, overrides))


def test_the_known_policies_are_those_of_the_engine(repository):
    folder = repository / "src" / "tree6g" / "engine" / "policies"
    files = {p.stem.replace("_", "-") for p in folder.glob("*.py")}
    assert set(cross.POLICIES) == files - {"--init--", "choice", "own", "servers", "table"}


def test_many_faults_are_all_kept_but_not_all_shown():
    text = "\n".join(f"key{i}: 1" for i in range(200))
    with pytest.raises(ScenarioError) as caught:
        load_text(text)
    assert len(caught.value.problems) == 203
    assert str(caught.value).splitlines()[-1] == "... and 153 more."


def test_library_texts_are_yaml_under_any_reader():
    for name in names():
        assert yaml.safe_load(text_of(name))["name"] == name
    assert tomllib.loads(CORNER.with_suffix(".toml").read_text("utf-8"))["name"] == "corner"
    assert issubclass(type(load(CORNER)), Scenario)
