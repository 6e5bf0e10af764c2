"""What the command line does with a config: one look at all targets, or the agent until its end."""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from tree6g.meter.agent.agent import Agent
from tree6g.meter.agent.clock import SystemClock
from tree6g.meter.agent.config import Config
from tree6g.meter.agent.identity import overlaps
from tree6g.meter.agent.loop import Until, run
from tree6g.meter.agent.pieces import useful
from tree6g.meter.agent.poll import Answer, Poller
from tree6g.meter.agent.targets import source_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What each target says now, and which of them count the same."""

    answers: Mapping[str, Answer]
    clashes: tuple[str, ...]


def glance(config: Config) -> Glance:
    """Ask every target once; no ledger is opened.

    Raises:
        ScenarioError: A token is not there.
    """
    sources = {target.name: source_of(target) for target in config.targets}
    timeouts_s = {target.name: target.timeout_s for target in config.targets}
    poller = Poller(sources, timeouts_s, time.time)
    try:
        answers = poller.poll(sources)
    finally:
        poller.close()
    targets = {target.name: target for target in config.targets}
    found = {
        name: useful(answer.found.readings, targets[name])
        for name, answer in answers.items()
        if answer.found is not None
    }
    return Glance(answers=answers, clashes=overlaps(found, config))


def glance_dict(config: Config, seen: Glance) -> dict[str, Any]:
    """The machine-readable answer of a glance."""
    targets = []
    for target in config.targets:
        answer = seen.answers[target.name]
        found = answer.found
        readings = useful(found.readings, target) if found is not None else []
        targets.append(
            {
                "name": target.name,
                "answers": found is not None,
                "format": found.format if found is not None else None,
                "kinds": sorted({r.kind for r in readings}),
                "series": len(readings),
                "reason": answer.reason or None,
                "problems": list(found.problems) if found is not None else [],
            }
        )
    return {"ledger": str(config.ledger), "targets": targets, "clashes": list(seen.clashes)}


def meter(config: Config, until: Until, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the agent; Ctrl-C and SIGTERM end it after the look at hand, with all rows written.

    Returns:
        What it has done.

    Raises:
        LedgerError: The ledger cannot be opened, or takes the last rows no more.
        MeterError: Two targets count the same.
        ScenarioError: A token is not there.
    """
    clock = SystemClock()
    before = {
        number: signal.signal(number, lambda *_: clock.stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    started_s, cpu_s = time.monotonic(), time.process_time()
    try:
        agent = Agent(config, clock, say=say)
        run(agent, clock, clock.stop, until)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return {
        "name": config.name,
        "ledger": str(config.ledger),
        **dataclasses.asdict(agent.counts),
        "run_info": {
            "wall_s": time.monotonic() - started_s,
            "cpu_s": time.process_time() - cpu_s,
            "peak_rss_byte": peak_rss_byte(),
        },
    }


def peak_rss_byte() -> float:
    """Largest memory of this process so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
