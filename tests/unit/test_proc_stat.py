"""CPU time as the kernel writes it."""

from __future__ import annotations

import pytest

from tree6g.meter.sources.proc_stat import read_proc_stat


def test_busy_ticks_are_all_but_idle_and_waiting():
    found = read_proc_stat("cpu  100 20 30 4000 500 6 7 80 0 0\ncpu0 1 1 1 1\nbtime 1700000000\n")
    assert [(r.kind, r.value_si, r.start_s) for r in found.readings] == [
        ("cpu_busy", pytest.approx(1.63), 1700000000.0)
    ]


def test_a_long_row_of_digits_is_refused_at_once():
    # Splitting it at every place in every way would take longer than anybody waits.
    assert read_proc_stat("cpu " + 240 * "1" + "x").readings == ()
    assert read_proc_stat("cpu " + 3 * (20 * "1" + " ") + 80 * "1" + "x").readings == ()
