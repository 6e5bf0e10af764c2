"""Worlds for the meter's agent: clocks and sources that tests turn by hand."""

from __future__ import annotations

import math
from collections import defaultdict

import pyarrow.parquet as pq

from tree6g.errors import MeterError
from tree6g.ledger.check import check
from tree6g.ledger.parts import list_parts
from tree6g.ledger.reading import open_ledger
from tree6g.meter.agent.agent import Agent
from tree6g.meter.agent.config import load_text
from tree6g.meter.agent.targets import Text

START_S = 1_800_000_000.0


class HandClock:
    """A clock that goes on only when told."""

    def __init__(self, wall_s=START_S):
        self.wall, self.mono = wall_s, 1000.0

    def wall_s(self):
        return self.wall

    def monotonic_s(self):
        return self.mono

    def sleep(self, seconds):
        self.go(max(seconds, 0.0))

    def go(self, seconds):
        """Time passes."""
        self.wall += seconds
        self.mono += seconds

    def set(self, seconds):
        """Somebody sets the clock on the wall."""
        self.wall += seconds


class Counters:
    """A server whose counters a test moves; `down` says why it does not answer."""

    def __init__(self, start_s=START_S - 100.0):
        self.values = defaultdict(float)
        self.start_s, self.down, self.text = start_s, "", Text()

    def add(self, name, amount):
        self.values[name] += amount

    def restart(self, time_s):
        self.values.clear()
        self.start_s = time_s

    def look(self):
        if self.down:
            raise MeterError(self.down)
        return self.text.read(self.page().encode())

    def page(self):
        lines = [f"{name} {value!r}" for name, value in self.values.items()]
        if self.start_s is not None:
            lines.append(f"process_start_time_seconds {self.start_s!r}")
        return "\n".join([*lines, ""])

    def close(self):
        pass


def tokens(kind="generation", model="m", **labels):
    """Name of a token counter of vLLM."""
    words = "".join(f',{k}="{v}"' for k, v in labels.items())
    return f'vllm:{kind}_tokens_total{{model_name="{model}"{words}}}'


def joules(gpu="0"):
    """Name of an energy counter of DCGM, in mJ."""
    return f'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="{gpu}",UUID="GPU-{gpu}"}}'


class World:
    """An agent with its clock and its sources; `restart` is a crash followed by a start."""

    def __init__(self, folder, text, **sources):
        self.config = load_text(f"ledger: {folder / 'ledger'}\n{text}", folder=folder)
        self.clock, self.sources, self.said = HandClock(), sources, []
        self.agent = None
        self.start()

    def start(self):
        self.agent = Agent(self.config, self.clock, sources=self.sources, say=self.said.append)

    def tick(self, seconds=None):
        """One look at all, an interval later."""
        self.clock.go(self.config.interval_s if seconds is None else seconds)
        self.agent.tick()

    def crash(self):
        """The process ends as it stands: only what is durable is left."""
        self.agent._poller.close()
        self.agent.journal._release()
        self.start()

    def end(self):
        """Close the agent; the ledger must keep its rules."""
        self.agent.close()
        ledger = open_ledger(self.config.ledger)
        problems = check(ledger).problems
        assert not problems, [p.text for p in problems]
        return ledger


def rows(ledger, table):
    """Rows of a table as dicts."""
    found = []
    for path in list_parts(ledger.path, table):
        found += pq.read_table(path).to_pylist()
    return found


def total(ledger, table, column, **where):
    """Sum of a column over rows that match."""
    mine = [r for r in rows(ledger, table) if all(r[k] == v for k, v in where.items())]
    return math.fsum(r[column] for r in mine)
