"""Quicker ways to write what is always written: the header's text, and columns of names."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.engine.delivery import words
from tree6g.ledger.meta import indented

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside)
    | st.dictionaries(st.integers(), inside) | st.tuples(inside),
    max_leaves=30,
)  # fmt: skip


@given(plain)
def test_a_header_is_written_as_json_writes_it_with_an_indent_of_one(value):
    wanted = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    assert indented(value) == wanted


@pytest.mark.parametrize("value", [{"a": [1, {"b": math.nan}]}, [math.inf], {"a": {1: {2}}}])
def test_a_header_holds_nothing_but_plain_finite_values(value):
    with pytest.raises((ValueError, TypeError)):
        indented(value)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=6), st.data())
def test_names_by_number_are_the_column_that_the_names_would_be(names, data):
    at = np.array(data.draw(st.lists(st.integers(0, len(names) - 1))), dtype=np.int64)
    wanted = pa.array([names[n] for n in at], pa.string()).dictionary_encode()
    found = words(names, at)
    assert found.indices.equals(wanted.indices)
    assert found.dictionary.equals(wanted.dictionary)
