"""Who speaks of what: two targets may not count the same joules or tokens without saying how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tree6g.meter.agent.config import Config, Target
from tree6g.meter.agent.pieces import CPU, ENERGY, PRB, WORK, component_of, named, node_of
from tree6g.meter.reading import Reading

ENERGY_OF = "energy"
WHOLE = "host"


class Place(NamedTuple):
    """What a target gives: energy of a component, or a kind of work of a model, on a node."""

    kind: str
    node: str
    of: str


def places(readings: Iterable[Reading], target: Target) -> frozenset[Place]:
    """The places of readings that make rows."""
    found = set()
    for r in readings:
        node = node_of(r, target)
        if r.kind in (*ENERGY, CPU):
            found.add(Place(ENERGY_OF, node, component_of(r, target)))
        elif r.kind in WORK:
            found.add(Place(r.kind, node, named(r.model)))
        elif r.kind in PRB:
            found.add(Place(r.kind, node, ""))
    return frozenset(found)


class Identity:
    """The places of all targets that were seen."""

    def __init__(self, config: Config) -> None:
        self._targets = {target.name: target for target in config.targets}
        self._held: dict[str, frozenset[Place]] = {}
        self._nodes: dict[str, frozenset[str]] = {}  # of what is held; others cannot clash

    def knows(self, name: str) -> bool:
        """Whether a target's places are noted."""
        return name in self._held

    def enter(self, name: str, readings: Iterable[Reading]) -> tuple[str, ...]:
        """Take note of what a target gives; what it must not, in words. Then nothing is noted."""
        mine = places(readings, self._targets[name])
        if self._held.get(name) == mine:
            return ()
        nodes = frozenset(place.node for place in mine)
        found = [
            text
            for other, theirs in self._held.items()
            if other != name and not nodes.isdisjoint(self._nodes[other])
            for text in self._clashes(self._targets[name], mine, self._targets[other], theirs)
        ]
        if not found:
            self._held[name], self._nodes[name] = mine, nodes
        return tuple(found)

    def _clashes(
        self, a: Target, mine: frozenset[Place], b: Target, theirs: frozenset[Place]
    ) -> Iterator[str]:
        who = f"targets '{b.name}' and '{a.name}'"
        for place in sorted(p for p in mine & theirs if p.kind == ENERGY_OF):
            yield (
                f"{who} both give energy of {place.of} on node '{place.node}', and every joule "
                "counts once. Leave one of them out, or, if they measure different things, give "
                "one its own `node` or `component`."
            )
        for outer, inner, out, ins in ((a, b, mine, theirs), (b, a, theirs, mine)):
            yield from self._whole(outer, inner, out, ins)
        if _related(a, b):
            return
        for kind, node, model in sorted(mine):
            match = kind != ENERGY_OF and any(
                (p.kind, p.node) == (kind, node) and (not p.of or not model or p.of == model)
                for p in theirs
            )
            if match:
                yield (
                    f"{who} both count {kind} of {f'model {model!r}' if model else 'a model'} on "
                    f"node '{node}'. If one counts for tenants what the other counts in all, write "
                    f"`tenants_of: {b.name}` in '{a.name}' or the other way round; if they count "
                    f"different work, write `beside: [{b.name}]` in '{a.name}'; else leave one out."
                )
                return

    def _whole(
        self, outer: Target, inner: Target, out: frozenset[Place], ins: frozenset[Place]
    ) -> Iterator[str]:
        """A meter of a host holds the other components of its node, unless it is said not to."""
        if outer.contains is not None or self._is_inside(outer.name, inner.name):
            return
        hosts = {p.node for p in out if p.kind == ENERGY_OF and p.of == WHOLE}
        parts = [p for p in ins if p.kind == ENERGY_OF and p.node in hosts and p.of != WHOLE]
        for place in sorted(parts)[:1]:
            yield (
                f"target '{outer.name}' gives energy of the host '{place.node}', which usually "
                f"holds its {place.of}, and '{inner.name}' gives that too. Write "
                f"`contains: [{inner.name}]` in '{outer.name}', or `contains: []` if it does not."
            )

    def _is_inside(self, name: str, outer: str) -> bool:
        """Whether a target is somewhere inside of another."""
        parts = self._targets[outer].contains or ()
        return name in parts or any(self._is_inside(name, part) for part in parts)


def _related(a: Target, b: Target) -> bool:
    """Whether it is said how the work of two targets belongs together."""
    tells = a.tenants_of == b.name or b.tenants_of == a.name
    same_total = bool(a.tenants_of) and a.tenants_of == b.tenants_of
    return tells or same_total or a.name in b.beside or b.name in a.beside


def overlaps(found: Mapping[str, Iterable[Reading]], config: Config) -> tuple[str, ...]:
    """All clashes of targets that were looked at."""
    identity = Identity(config)
    texts: list[str] = []
    for name, readings in found.items():
        texts += identity.enter(name, readings)
    return tuple(texts)
