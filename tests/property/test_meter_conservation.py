"""Whatever happens to targets, disk and agent: what is in the ledger is what the counters say."""

from __future__ import annotations

import errno
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from metering import Counters, World, joules, rows, tokens, total
from tree6g.meter.agent import segment

CONFIG = """
interval: 10 s
flush: 30 s
services:
  chat: {kind: ai, profile: assistant, tenant: alice}
targets:
  llm: {url: "http://llm/", node: box}
  front: {url: "http://front/", node: box, tenants_of: llm, settle: 1 min}
  wall: {url: "http://wall/", node: box, component: host, contains: [gpus]}
  gpus: {url: "http://gpus/", node: box}
"""
NAMES = ("llm", "front", "wall", "gpus")
EVENTS = ("crash", "full", "back", "ahead", *NAMES)
HISTORY = st.lists(
    st.tuples(
        st.integers(0, 50), st.integers(0, 50), st.integers(0, 9), st.integers(0, 9),
        st.sets(st.sampled_from(EVENTS), max_size=3),
    ),
    min_size=3, max_size=14,
)  # fmt: skip


# A clock that was set back while the start of the server had come into the time since then.
@example(
    history=[(8, 20, 6, 7, {"ahead"}), (9, 15, 2, 0, set()), (21, 16, 3, 4, {"back"})]
    + [(44, 28, 7, 7, {"llm"})] * 6
)
@given(history=HISTORY)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_ledger_holds_what_the_counters_have_counted(history):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        full = _disk(patch)
        sources = {name: Counters() for name in NAMES}
        for source, name in zip(sources.values(), _counters(), strict=True):
            source.add(name, 0)
        world = World(Path(folder), CONFIG, **sources)
        world.tick()
        for tok, claimed, inner_j, more_j, events in history:
            _work(sources, tok, claimed, inner_j, more_j)
            _happens(world, sources, events, full)
        _settle(world, sources, full)
        made_tok = sum(tok for tok, *_ in history)
        outer_j = sum(inner + more for _, _, inner, more, _ in history)
        ledger = world.end()
        assert total(ledger, "work", "amount") == pytest.approx(made_tok)
        assert total(ledger, "energy", "energy_j") == pytest.approx(outer_j)
        assert all(r["energy_j"] >= 0.0 for r in rows(ledger, "energy"))
        for table in ("energy", "work"):
            _no_time_twice(rows(ledger, table))


def _counters():
    return tokens(), tokens(tenant="alice"), joules("w"), joules("g")


def _disk(patch):
    """A disk that is full while the list is not empty."""
    full = []

    def write(file, data, at):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(file, data, at)

    original = segment._write_all
    patch.setattr(segment, "_write_all", write)
    return full


def _work(sources, tok, claimed, inner_j, more_j):
    llm, front, wall, gpus = _counters()
    sources["llm"].add(llm, tok)
    sources["front"].add(front, min(claimed, tok))
    sources["wall"].add(wall, 1000.0 * (inner_j + more_j))
    sources["gpus"].add(gpus, 1000.0 * inner_j)


def _happens(world, sources, events, full):
    """One tick with what happens in it."""
    for name, source in sources.items():
        source.down = "away" if name in events else ""
    full[:] = [1] if "full" in events else []
    if "back" in events:
        world.clock.set(-500.0)
    if "ahead" in events:
        world.clock.set(300.0)
    world.tick()
    if "crash" in events:
        full[:] = []
        world.crash()


def _settle(world, sources, full):
    """Everybody is back for long enough to be asked again."""
    full[:] = []
    for source in sources.values():
        source.down = ""
    for _ in range(5):
        world.tick(400.0)


def _no_time_twice(found):
    """Rows of one series follow one another."""
    series = {}
    for r in found:
        key = tuple(r.get(k) for k in ("source", "node", "component", "state", "kind", "service"))
        series.setdefault(key, []).append((r["t0_s"], r["t1_s"]))
    for spans in series.values():
        end = -math.inf
        for t0_s, t1_s in sorted(spans):
            assert t0_s >= end - 1e-6
            end = t1_s
