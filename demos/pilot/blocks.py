"""Blocks of the demonstration: the same arrivals under two rules, each with a ledger of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clients import Load, Told, ask, prompt

from tree6g.ledger.check import check
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.metric.tree import figure, series
from tree6g.serve.live import metering
from tree6g.sweep.intervals import estimate

SERVERS = ("large", "small")
KINDS = ("token_in", "token_in_cached", "token_out")
SETTLE_S = 2.5  # two looks without work, and one to see them
PATIENCE_S = 30.0
POLL_S = 0.2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request: when, of which service, with which number in its prompt."""

    at_s: float
    service: str
    number: int


def arrivals(rates: Mapping[str, float], length_s: float, seed: int) -> list[Arrival]:
    """Poisson arrivals of every service; a service has one at least."""
    found = []
    for service, rate_hz in rates.items():
        draw = random.Random(f"{seed} {service}")
        at_s, number = draw.uniform(0.0, 0.5), 0
        while at_s < length_s:
            found.append(Arrival(at_s=at_s, service=service, number=number))
            at_s, number = at_s + draw.expovariate(rate_hz), number + 1
    return sorted(found, key=lambda a: a.at_s)


def send(plan: Sequence[Arrival], loads: Mapping[str, Load], word: str) -> dict[str, Told]:
    """Send requests at their times, however long answers take. What clients were told, by service.

    Prompts are the same in every block but for a number at their beginning, drawn with `word` and
    always as long: so no block finds them in a cache, and all have the same work.

    Raises:
        RuntimeError: A request failed, with its words.
    """
    began_s = time.monotonic()
    told = {service: Told() for service in loads}
    faults: list[str] = []
    lock = threading.Lock()

    def one(arrival: Arrival) -> None:
        """Wait for its time, ask, add up."""
        load = loads[arrival.service]
        name = f"{arrival.service} {arrival.number}"
        text = prompt(load, random.Random(name))
        text = f"{random.Random(f'{word} {name}').randrange(10**5, 10**6)} {text}"
        time.sleep(max(began_s + arrival.at_s - time.monotonic(), 0.0))
        try:
            usage = ask(load, text, stream=bool(arrival.number % 2))
        except (OSError, RuntimeError) as error:
            faults.append(f"{arrival.service}: {error}")
            return
        with lock:
            told[arrival.service].add(usage)

    threads = [threading.Thread(target=one, args=(arrival,)) for arrival in plan]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise RuntimeError(faults[0])
    return told


def block(
    config: Path, plan: Sequence[Arrival], loads: Mapping[str, Load], rule: str, word: str
) -> dict[str, Any]:
    """Run one block under the agent of a config; its figures."""
    with metering(config, complain) as folder:
        await_look(folder)
        told = send(plan, loads, word)
        time.sleep(SETTLE_S)
    return figures(open_ledger(folder), told, rule)


def await_look(folder: Path) -> None:
    """Wait until the agent has looked at everything once."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if (folder / "meta.json").exists() and open_ledger(folder).rows()["coverage"]:
            return
        time.sleep(POLL_S)
    raise SystemExit(f"the agent wrote nothing to {folder}.")


def figures(ledger: Ledger, told: Mapping[str, Told], rule: str) -> dict[str, Any]:
    """What the meter says of one block, beside what its clients were told.

    `ours_j` is of the servers and of the router of this rule; the rest of the machine, and what it
    draws at rest, is in `energy_j` alone.
    """
    found = figure(ledger)
    nodes = {row["node"]: row for row in series(ledger, by=("node",)).to_pylist()}
    servers_j = sum(nodes[name]["energy_j"] for name in SERVERS if name in nodes)
    ours_j = sum(nodes[name]["energy_j"] for name in (*SERVERS, f"router-{rule}") if name in nodes)
    tokens: dict[str, float] = {}
    rows = ledger.query(
        "SELECT service, kind, sum(amount) AS amount FROM work GROUP BY ALL ORDER BY ALL"
    ).to_pylist()
    for row in rows:
        if row["kind"] in KINDS and row["amount"]:
            tokens[f"{row['service']} {row['kind']}"] = round(row["amount"])
    wanted = {
        f"{name} {kind}": getattr(sums, kind)
        for name, sums in told.items()
        for kind in KINDS
        if getattr(sums, kind)
    }
    utility_beq = found.utility_beq or 0.0
    return {
        "ours_tree_beq_per_j": utility_beq / ours_j if ours_j else None,
        "tree_beq_per_j": found.tree_beq_per_j,
        "utility_beq": utility_beq,
        "servers_j": servers_j,
        "ours_j": ours_j,
        "energy_j": found.energy_j,
        "node_j": {name: row["energy_j"] for name, row in nodes.items()},
        "node_tok": {name: row["tokens_out_tok"] for name, row in nodes.items()},
        "served_share_frac": {
            s.name: s.served_share_frac for s in found.services if s.kind == "ai"
        },
        "coverage_frac": found.coverage_frac,
        "conservation_error_frac": found.conservation_error_frac,
        "problems": [str(problem) for problem in check(ledger).problems],
        "tokens": tokens,
        "equal": tokens == wanted,
        "requests": sum(sums.requests for sums in told.values()),
    }


def compared(pairs: Sequence[Mapping[str, Mapping[str, Any]]], name: str) -> dict[str, Any]:
    """A figure under both rules, and its difference in pairs, each with its interval."""
    known = [
        (pair["tree"][name], pair["turn"][name])
        for pair in pairs
        if pair["tree"][name] is not None and pair["turn"][name] is not None
    ]
    return {
        "tree": dataclasses.asdict(estimate([a for a, _ in known])),
        "turn": dataclasses.asdict(estimate([b for _, b in known])),
        "gain_frac": dataclasses.asdict(estimate([a / b - 1.0 for a, b in known])),
    }


def complain(line: str) -> None:
    """What the agent says."""
    with contextlib.suppress(OSError):
        print(f"  {line}", file=sys.stderr, flush=True)
