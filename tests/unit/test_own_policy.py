"""A dispatch policy from a file of the user's own."""

from __future__ import annotations

import json

import pytest
import yaml
from typer.testing import CliRunner

from engine_worlds import small, three_tiers
from tree6g.cli import app
from tree6g.engine import policies
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.scenario.load import config_hash, dump, load

LAST = "def choose(query, options):\n    return len(options) - 1\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(folder, text=LAST, name="mine.py"):
    (folder / name).write_text(text, "utf-8")
    return f"./{name}"


def test_a_file_decides_who_answers_and_is_named_in_the_notes(here):
    plain = three_tiers(policy=_write(here), duration="10 s", drain="5 s")
    result = run(plain, out=here / "out")
    assert any("by the policy mine.py (SHA-256" in note for note in result.ledger.meta.notes)
    rows = result.ledger.query("select distinct node from request").to_pylist()
    assert rows == [{"node": "cloud.big"}]


def test_a_class_is_made_once_per_run_and_may_remember(here):
    text = (
        "class Policy:\n"
        "    def __init__(self):\n        self.asked = 0\n"
        "    def choose(self, query, options):\n"
        "        self.asked += 1\n        return self.asked % len(options)\n"
    )
    chosen = policies.policy(_write(here, text))
    assert [chosen(None, [1, 2]) for _ in range(3)] == [1, 0, 1]
    assert policies.policy("mine.py")(None, [1, 2]) == 1


def test_a_file_may_hold_dataclasses_and_imports(here):
    text = (
        "from __future__ import annotations\nimport dataclasses\n"
        "@dataclasses.dataclass(slots=True)\nclass Seen:\n    count: int = 0\n"
        "seen = Seen()\ndef choose(query, options):\n    seen.count += 1\n    return None\n"
    )
    assert policies.policy(_write(here, text))(None, []) is None


def test_a_path_starts_at_the_file_that_names_it_and_on_the_command_line_here(here):
    other = here / "scenarios"
    other.mkdir()
    _write(other, "def choose(query, options):\n    return 0\n")
    (other / "roof.yaml").write_text(yaml.safe_dump(small(policy="mine.py")), "utf-8")
    assert load(other / "roof.yaml").policy == "scenarios/mine.py"
    changed = load(other / "roof.yaml", [f"policy={_write(here)}"])
    assert changed.policy == "mine.py"
    assert config_hash(changed) != config_hash(load(other / "roof.yaml"))


def test_the_hash_of_a_scenario_follows_the_text_of_the_file_not_its_place(here):
    first = config_hash(load(small(policy=_write(here))))
    (here / "deep").mkdir()
    assert config_hash(load(small(policy=_write(here / "deep").replace("./", "deep/")))) == first
    _write(here, LAST + "# otherwise the same\n")
    assert config_hash(load(small(policy="mine.py"))) != first


def test_a_dumped_scenario_wants_the_same_policy_again(here):
    plain = dump(load(small(policy=_write(here))))
    assert load(plain).policy_sha256 == plain["policy_sha256"]
    _write(here, LAST + "# changed\n")
    with pytest.raises(ScenarioError, match="expected the policy with which this scenario was run"):
        load(plain)
    assert load(plain, ["policy=nearest"]).policy_sha256 is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", r"expected a function 'choose', or a class 'Policy'.*in 'mine.py'; got none"),
        ("def choose(query):\n    return 0\n", r"to take a query and the options; got choose"),
        ("def choose(query, options:\n", r"expected Python in 'mine.py'; got, in line 1"),
        ("import there_is_no_such_thing\n", r"in mine.py, line 1: ModuleNotFoundError"),
        ("class Policy:\n    def __init__(self, x): ...\n", r"made without arguments.*TypeError"),
    ],
)
def test_a_file_without_a_policy_is_an_error_that_says_where(here, text, said):
    _write(here, text)
    with pytest.raises(ScenarioError, match=said):
        policies.policy("mine.py")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 99", r"expected the index of an option .*; got 99"),
        ("return 'edge'", r"expected the index of an option .*; got 'edge'"),
        ("return True", r"expected the index of an option .*; got True"),
        ("return 1 / 0", r"service 'chat'.*in mine.py, line 2: ZeroDivisionError"),
    ],
)
def test_a_wrong_choice_is_an_error_of_the_run(here, body, said):
    plain = small(policy=_write(here, f"def choose(query, options):\n    {body}\n"))
    with pytest.raises(ScenarioError, match=said):
        run(plain, out=here / "out")


def test_a_file_that_is_not_there_is_one_fault_among_others(here):
    plain = small(policy="nowhere.py", duration="minus")
    with pytest.raises(ScenarioError) as caught:
        load(plain)
    assert len(caught.value.problems) == 2
    assert "policy: expected a Python file with a policy; got 'nowhere.py'" in str(caught.value)


def test_compare_shows_a_policy_by_the_name_of_its_file(here):
    plain = three_tiers(duration="10 s", drain="5 s")
    (here / "net.yaml").write_text(yaml.safe_dump(plain), "utf-8")
    words = ["compare", "net.yaml", "--over", f"policy=nearest,{_write(here)}", "--json"]
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code == 0, printed.output
    values = {cell["value"] for cell in json.loads(printed.stdout)["cells"]}
    assert values == {"nearest", "mine.py"}
