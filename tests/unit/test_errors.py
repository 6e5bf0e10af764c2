"""The package's errors and the names they suggest."""

from __future__ import annotations

import pytest

from tree6g import errors


@pytest.mark.parametrize(
    "kind",
    [
        errors.ScenarioError,
        errors.DataError,
        errors.LedgerError,
        errors.MeterError,
        errors.InfeasibleError,
    ],
)
def test_all_errors_share_one_base(kind):
    assert issubclass(kind, errors.Tree6gError)
    assert str(kind("expected a; got b.")) == "expected a; got b."


def test_a_scenario_error_lists_its_problems():
    assert errors.ScenarioError("two", ["a", "b"]).problems == ("a", "b")
    assert errors.ScenarioError("one").problems == ("one",)


def test_the_nearest_name_is_suggested():
    assert errors.nearest("h100-smx", ["l4", "h100-sxm"]) == "Did you mean 'h100-sxm'?"


def test_without_a_near_name_the_known_ones_are_listed():
    assert errors.nearest("zzz", ["b", "a"]) == "Known: a, b."
    assert errors.nearest("zzz", []) == "Known: none."
    many = errors.nearest("zzz", [f"name{i}" for i in range(20)])
    assert many.endswith("...")
    assert len(many) < 150
