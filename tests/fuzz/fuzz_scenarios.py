"""Bad scenarios: every one ends in a scenario or in an error of the package.

Run by hand: python tests/fuzz/fuzz_scenarios.py --count 100000 --seed 1
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import yaml

from fuzz import mutate
from tree6g.errors import ScenarioError
from tree6g.scenario.document import read_bytes
from tree6g.scenario.load import dump, load, load_text, names, text_of
from tree6g.scenario.model import Scenario

FIXTURES = Path(__file__).parents[1] / "fixtures" / "scenarios"
YAML = "abcxyz019 \n:-[]{},&*!|>'\"%#?\t._="
TOML = "abcxyz019 \n=[]{},'\".#\t_-"


class Case(NamedTuple):
    """One input: the bytes of a file or plain data, and overrides."""

    source: bytes | dict[str, Any]
    name: str = "fuzz.yaml"
    overrides: tuple[str, ...] = ()


def cases(count: int, seed: int) -> Iterator[Case]:
    """Inputs, the same for the same seed."""
    random = Random(seed)
    texts = [text_of(name).encode() for name in names()] + [(FIXTURES / "corner.yaml").read_bytes()]
    toml = (FIXTURES / "corner.toml").read_bytes()
    plain = [yaml.safe_load(text) for text in texts]
    for _ in range(count):
        kind = random.random()
        if kind < 0.30:
            yield Case(mutate.spoil(random.choice(texts), random, random.choice(texts)))
        elif kind < 0.45:
            yield Case(mutate.spoil(toml, random, toml), "fuzz.toml")
        elif kind < 0.55:
            yield Case(mutate.noise(random, YAML))
        elif kind < 0.60:
            yield Case(mutate.noise(random, TOML), "fuzz.toml")
        elif kind < 0.85:
            yield Case(_spoilt_data(random.choice(plain), random))
        else:
            data = random.choice(plain)
            overrides = tuple(_override(data, random) for _ in range(random.randrange(1, 4)))
            yield Case(random.choice(texts), overrides=overrides)


def check(case: Case) -> str:
    """What became of a case; anything but a scenario or an error of the package is raised."""
    try:
        scenario = _loaded(case)
    except ScenarioError as error:
        refused = error
    else:
        assert isinstance(scenario, Scenario)
        assert load(dump(scenario)) == scenario
        return "read"
    assert refused.problems
    assert all("\n" not in problem for problem in refused.problems), refused.problems
    assert len(str(refused)) < 200_000
    return "refused"


def run(count: int, seed: int) -> Counter[str]:
    """Check many cases; the first that fails is raised with what it was."""
    found: Counter[str] = Counter()
    for i, case in enumerate(cases(count, seed)):
        try:
            found[check(case)] += 1
        except Exception as error:
            error.add_note(f"case {i} of seed {seed}: {case!r:.4000}")
            raise
    return found


def _loaded(case: Case) -> Scenario:
    if isinstance(case.source, dict):
        return load(case.source, case.overrides)
    if case.overrides:
        return load_text(case.source.decode(), case.name, case.overrides)
    read_bytes(case.source, case.name, toml=case.name.endswith(".toml"))
    return load_text(case.source.decode("utf-8-sig"), case.name)


def _spoilt_data(data: dict[str, Any], random: Random) -> dict[str, Any]:
    data = copy.deepcopy(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        parent, key = _place(data, random)
        what = random.random()
        if what < 0.6:
            parent[key] = _value(random)
        elif what < 0.8:
            del parent[key]
        elif isinstance(parent, dict):
            parent[
                random.choice((f"{key}_hz", key[:-1], f"{key}x", random.choice(mutate.NASTY)))
            ] = parent.pop(key)
        else:
            parent.append(copy.deepcopy(parent[key]))
        if not data:
            break
    return data


def _place(data: Any, random: Random) -> tuple[Any, Any]:
    """A random container in data that is not empty, and one of its keys."""
    parent, key = data, random.choice(list(data))
    while isinstance(parent[key], dict | list) and parent[key] and random.random() < 0.8:
        parent = parent[key]
        key = random.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    return parent, key


def _value(random: Random, depth: int = 0) -> Any:
    kind = random.random()
    if kind < 0.5 or depth > 3:
        return random.choice(mutate.NASTY)
    if kind < 0.7:
        return random.choice(
            (None, True, False, 0, -1, 1.5, 1e308, float("nan"), float("inf"), 10**400)
        )
    if kind < 0.85:
        return [_value(random, depth + 1) for _ in range(random.randrange(3))]
    return {
        random.choice(mutate.NASTY)[:20]: _value(random, depth + 1)
        for _ in range(random.randrange(3))
    }


def _override(data: dict[str, Any], random: Random) -> str:
    parts, value = [], data
    while isinstance(value, dict | list) and value and random.random() < 0.85:
        part = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
        parts.append("*" if isinstance(part, int) and random.random() < 0.2 else str(part))
        value = value[part]
    if random.random() < 0.3:
        parts.insert(random.randrange(len(parts) + 1), random.choice(mutate.NASTY)[:50])
    equals = "=" if random.random() < 0.95 else ""
    return ".".join(parts) + equals + random.choice(mutate.NASTY)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.stdout.write(f"{dict(run(given.count, given.seed))}\n")


if __name__ == "__main__":
    main()
