"""Malformed ledgers, CSV forms and headers give errors of tree6g and nothing else."""

from __future__ import annotations

import os

import pytest

from fuzz import fuzz_ledgers

SEED = 2026
# A whole ledger costs a check each, so the tests read fewer of them.
COUNTS = {"header": 2_000, "csv": 2_000, "ledger": 200}
if os.environ.get("TREE6G_FUZZ") == "long":
    COUNTS = dict.fromkeys(COUNTS, 5_000)


@pytest.mark.fuzz
@pytest.mark.slow
@pytest.mark.parametrize("parser", COUNTS)
def test_only_our_errors_leave(parser):
    errors = [fuzz_ledgers.read(parser, index, SEED) for index in range(COUNTS[parser])]
    refused = [str(e) for e in errors if e is not None]
    # The damage is real, its kinds differ, and some inputs are harmless.
    assert len(refused) > COUNTS[parser] / 2
    assert len(set(refused)) > 50
    assert len(refused) < COUNTS[parser]
