"""Whatever comes in, a parser gives a result or one of the package's errors."""

from __future__ import annotations

import os

import pytest

from fuzz import fuzz_meter, fuzz_scenarios, fuzz_traces

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


@pytest.mark.fuzz
@pytest.mark.parametrize("parser", fuzz_meter.PARSERS)
def test_any_text_of_a_source_is_read_or_refused(parser):
    found = fuzz_meter.run(parser, COUNT, seed=1)
    assert sum(found.values()) == COUNT
    assert min(found["read"], found["refused"]) > COUNT / 50


@pytest.mark.fuzz
def test_a_scrape_is_read_the_same_whatever_came_before():
    fuzz_meter.remembered(COUNT // 2, seed=2)
