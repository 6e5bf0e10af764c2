"""A short load on an endpoint whose runs tell prefill, decode, cached tokens and batches apart.

A run is one or more waves of requests of one kind; the requests of a wave start together. Kinds:
long and short prompts with answers of one token, long answers alone and side by side, both mixed,
short requests one by one, and a long prompt that is sent again. Runs of all kinds follow one
another in random order, round after round, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from tree6g.calibrate.costs import CpuSeconds, MeterJoules, Timings
from tree6g.calibrate.endpoint import Answer, Endpoint, prompt
from tree6g.errors import MeterError

LEAST_ROUNDS: Final = 3
SPREAD: Final = (0.6, 1.4)  # of lengths about those of a kind
REST_S: Final = 1.0
SUFFIX_TOK: Final = 4
Meter = CpuSeconds | MeterJoules | Timings
Progress = Callable[[float, str], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A kind of run.

    Attributes:
        name: Short name.
        prompt_tok: Length of the prompts, about.
        output_tok: Length of the answers.
        waves: Waves of a run.
        together: Whether a wave is as many requests as the server works on side by side.
        again: Whether each prompt is sent a second time, that time with its prefix in the cache.
    """

    name: str
    prompt_tok: int
    output_tok: int
    waves: int = 1
    together: bool = False
    again: bool = False


MIXES: Final = (
    Mix(name="long prompt", prompt_tok=200, output_tok=1),
    Mix(name="short prompts", prompt_tok=40, output_tok=1, together=True),
    Mix(name="long answer", prompt_tok=8, output_tok=60),
    Mix(name="long answers together", prompt_tok=8, output_tok=30, together=True),
    Mix(name="mixed", prompt_tok=100, output_tok=30),
    Mix(name="mixed together", prompt_tok=60, output_tok=20, together=True),
    Mix(name="short requests", prompt_tok=8, output_tok=2, waves=4),
    Mix(name="prompt again", prompt_tok=150, output_tok=8, again=True),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run asked for and what it cost.

    Attributes:
        mix: Name of its kind.
        prompt_tok: Prompt tokens computed.
        cached_tok: Prompt tokens from a cache; None where the server does not say.
        decode_tok: Output tokens after the first of each answer, which the prompt's pass gives.
        steps: Passes of the model that decoded them, if the requests of a wave kept step.
        requests: Requests.
        time_s: How long it took.
        cost: What it cost, in the unit of the counter.
        round: Number of its round.
    """

    mix: str
    prompt_tok: int
    cached_tok: int | None
    decode_tok: int
    steps: int
    requests: int
    time_s: float
    cost: float
    round: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """All runs of a load.

    Attributes:
        runs: One by one, in the order they were made.
        idle_per_s: What the server costs per second while nobody asks.
        together: Requests of a wave side by side.
    """

    runs: tuple[Run, ...]
    idle_per_s: float
    together: int


def measure(
    endpoint: Endpoint,
    meter: Meter,
    *,
    minutes: float,
    together: int,
    seed: int,
    mixes: Sequence[Mix] = MIXES,
    progress: Progress | None = None,
) -> Load:
    """Run all kinds of requests, in rounds of random order, until the time is up.

    Args:
        endpoint: The server.
        meter: What is read before and after each run.
        minutes: How long; three rounds are made in any case.
        together: Requests side by side; 1 leaves the kinds out that need more.
        seed: Of prompts, lengths and order.
        mixes: Kinds of runs.
        progress: Is told how far it is.

    Raises:
        MeterError: The server or the meter fails.
    """
    rng = np.random.default_rng(seed)
    if isinstance(meter, Timings):
        together = 1
    mixes = [mix for mix in mixes if together > 1 or not mix.together]
    endpoint.ask(prompt(rng, 8), 4)
    idle = [_idle(meter)]
    runs: list[Run] = []
    begun, rounds, last_s = time.monotonic(), 0, 0.0
    while rounds < LEAST_ROUNDS or time.monotonic() - begun + last_s < 60.0 * minutes:
        start_s = time.monotonic()
        for at in rng.permutation(len(mixes)):
            made = _runs(endpoint, meter, mixes[at], together, rng)
            runs += [dataclasses.replace(run, round=rounds) for run in made]
        rounds += 1
        last_s = time.monotonic() - start_s
        if progress is not None:
            done = max((time.monotonic() - begun) / (60.0 * minutes), rounds / LEAST_ROUNDS / 2)
            progress(min(done, 0.99), f"round {rounds}, {len(runs)} runs")
    idle.append(_idle(meter))
    return Load(runs=tuple(runs), idle_per_s=float(np.mean(idle)), together=together)


def _idle(meter: Meter) -> float:
    """Cost per second while nobody asks."""
    if isinstance(meter, Timings):
        return 0.0
    before, start_s = meter.total(), time.monotonic()
    time.sleep(max(REST_S, meter.least_s))
    return (meter.total() - before) / (time.monotonic() - start_s)


def _runs(
    endpoint: Endpoint, meter: Meter, mix: Mix, together: int, rng: np.random.Generator
) -> Iterator[Run]:
    """The run of a kind; of a prompt that is sent again, both."""
    count = together if mix.together else 1
    scale = rng.uniform(*SPREAD, 2)
    words, output = (
        max(2, round(mix.prompt_tok * scale[0])),
        max(1, round(mix.output_tok * scale[1])),
    )
    if mix.output_tok == 1:
        output = 1
    if mix.again:
        text = prompt(rng, words)
        yield _run(endpoint, meter, mix.name + ", first", [[text]], output, again=True)
        waves = [[f"{text} {prompt(rng, SUFFIX_TOK)}"] for _ in range(3)]
        yield _run(endpoint, meter, mix.name, waves, output, again=True)
        return
    waves = [[prompt(rng, words) for _ in range(count)] for _ in range(mix.waves)]
    yield _run(endpoint, meter, mix.name, waves, output, again=False, rng=rng)


def _run(
    endpoint: Endpoint,
    meter: Meter,
    name: str,
    waves: Sequence[Sequence[str]],
    output: int,
    *,
    again: bool,
    rng: np.random.Generator | None = None,
) -> Run:
    """Send the waves; more of the same kind while the run is too short for the meter."""
    before, start_s = meter.total(), time.monotonic()
    done = [_wave(endpoint, meter, wave, output, cached=again) for wave in waves]
    while rng is not None and time.monotonic() - start_s < meter.least_s:
        fresh = [prompt(rng, len(text.split())) for text in waves[0]]
        done.append(_wave(endpoint, meter, fresh, output, cached=False))
    cost, time_s = meter.total() - before, time.monotonic() - start_s
    answers = [answer for wave_ in done for answer in wave_]
    cached = [a.cached_tok for a in answers]
    return Run(
        mix=name,
        prompt_tok=sum(a.prompt_tok for a in answers),
        cached_tok=None if None in cached else sum(c for c in cached if c is not None),
        decode_tok=sum(a.output_tok - 1 for a in answers),
        steps=sum(max(a.output_tok - 1 for a in wave_) for wave_ in done),
        requests=len(answers),
        time_s=time_s,
        cost=cost,
    )


def _wave(
    endpoint: Endpoint, meter: Meter, texts: Sequence[str], output: int, *, cached: bool
) -> list[Answer]:
    """Answers of requests that start together."""
    ready = threading.Barrier(len(texts))

    def one(text: str) -> Answer:
        """One request, when all are ready."""
        ready.wait()
        return endpoint.ask(text, output, cached=cached)

    with ThreadPoolExecutor(len(texts)) as pool:
        answers = list(pool.map(one, texts))
    if any(answer.output_tok < 1 for answer in answers):
        raise MeterError(f"expected output tokens of {endpoint.url}; an answer has none.")
    if isinstance(meter, Timings):
        if any(answer.busy_s is None for answer in answers):
            raise MeterError(f"{endpoint.url} states no timings; use --pid or --energy.")
        meter.busy_s += sum(answer.busy_s or 0.0 for answer in answers)
    return answers
