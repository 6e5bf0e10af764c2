"""A ledger that grows while it is shown: the meter's agent beside the dashboard, in one process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tree6g.errors import Tree6gError
from tree6g.meter.agent.agent import Agent
from tree6g.meter.agent.clock import SystemClock
from tree6g.meter.agent.config import load
from tree6g.meter.agent.loop import Until, run


@contextlib.contextmanager
def metering(config: Path, say: Callable[[str], None]) -> Iterator[Path]:
    """The ledger that the agent of a config writes until the block ends, all of it flushed then.

    Raises:
        ScenarioError: The config is wrong.
        LedgerError: Its ledger cannot be opened.
    """
    read, clock = load(config), SystemClock()
    agent = Agent(read, clock, say=say)

    def work() -> None:
        """Look at every edge; what ends it early is said, and the page stays."""
        try:
            run(agent, clock, clock.stop, Until())
        except Tree6gError as error:
            say(f"the meter has ended: {error}")

    thread = threading.Thread(target=work, name="tree6g-meter")
    thread.start()
    try:
        yield read.ledger
    finally:
        clock.stop.set()
        thread.join()
