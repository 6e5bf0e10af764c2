"""Clock offsets: pooled over neighbours, changed only where many stations agree."""

from __future__ import annotations

import numpy as np

from tree6g.calibrate.clock import blocks, evidence, exceptions, name_order

FOR_FIRST, FOR_SECOND = [0.0, -5.0], [-5.0, 0.0]


def test_a_change_that_many_stations_agree_on_is_found_where_it_is():
    score = np.array([FOR_FIRST] * 30 + [FOR_SECOND] * 12)
    assert blocks(score).tolist() == [0] * 30 + [1] * 12


def test_stations_that_err_alone_take_the_offset_of_their_neighbours():
    score = np.array([FOR_FIRST] * 10 + [FOR_SECOND] * 3 + [FOR_FIRST] * 10)
    assert set(blocks(score).tolist()) == {0}


def test_stations_that_say_nothing_take_the_offset_of_their_neighbours():
    score = np.array([FOR_SECOND] * 4 + [[0.0, 0.0]] * 20)
    assert set(blocks(score).tolist()) == {1}


def test_evidence_of_a_station_is_bounded_and_absent_without_rows():
    misfit = np.array([[0.01, 0.5], [np.nan, 0.1], [0.2, 0.19]])
    found = evidence(misfit, np.array([70, 3, 70]))
    assert found[0].tolist() == FOR_FIRST
    assert found[1].tolist() == [0.0, 0.0]
    assert -1.0 < found[2, 0] < 0.0 == found[2, 1]


def test_single_station_leaves_its_block_only_if_its_clock_is_clearly_off():
    misfit = np.array([[0.01, 0.1], [0.1, 0.01], [0.012, 0.01], [np.nan, 0.01]])
    assert exceptions(misfit, np.zeros(4, dtype=np.int64)).tolist() == [0, 1, 0, 0]


def test_names_sort_by_their_numbers():
    names = ["B_821", "B_9", "A", "B_10", "B"]
    assert sorted(names, key=name_order) == ["A", "B", "B_9", "B_10", "B_821"]
