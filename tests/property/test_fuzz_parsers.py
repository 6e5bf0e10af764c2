"""Whatever comes in, a parser gives a result or one of the package's errors."""

from __future__ import annotations

import os

import pytest

from fuzz import fuzz_scenarios, fuzz_traces

COUNT = 100_000 if os.environ.get("TREE6G_FUZZ") == "long" else 2_000


@pytest.mark.fuzz
@pytest.mark.slow
def test_any_scenario_is_read_or_refused():
    found = fuzz_scenarios.run(COUNT, seed=1)
    assert sum(found.values()) == COUNT
    assert min(found["read"], found["refused"]) > COUNT / 50


@pytest.mark.fuzz
@pytest.mark.slow
def test_any_trace_is_read_or_refused():
    found = fuzz_traces.run(COUNT, seed=1)
    assert sum(found.values()) == COUNT
    assert min(found["read"], found["refused"]) > COUNT / 50
