"""The state of a run as plain data: numbers, text and arrays, and back into a network built anew.

What a run changes is kept; what the scenario decides is not. A network that is built again from the
same scenario has the same objects at the same places: functions, descriptions and constants are
taken from there, and the objects that a run changes are filled with what was kept.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tree6g.compute.batching import BatchServer
from tree6g.compute.desk import Desk
from tree6g.compute.serving.state import ServerState
from tree6g.compute.serving.tokens import TokenReader
from tree6g.engine.counters import Flow
from tree6g.engine.crowd import Crowd, Radio
from tree6g.engine.world import Host, Requests, World
from tree6g.errors import LedgerError
from tree6g.training.federated.federation import Federation

Plain = Any  # what JSON holds
Arrays = dict[str, npt.NDArray[Any]]
# Classes that are no dataclasses and yet hold state.
STATEFUL: Final = (BatchServer, ServerState, TokenReader)
# Fields that a network built anew has as they were, or finds again.
SAME: Final[Mapping[type, frozenset[str]]] = {
    World: frozenset(
        (
            "scenario",
            "sites",
            "links",
            "processors",
            "ai",
            "policy",
            "sleep_policy",
            "lanes",
            "tally",
            "delay_budget_s",
            "traces",
            "candidates",
            "network",
            "workers",
            "arrivals_end_s",
            "step_s",
            "mean_output_tok",
            "windows",
        )
    ),
    Requests: frozenset(("service", "site", "user", "arrival_s", "prompt_tok", "output_tok")),
    Flow: frozenset(("volume_bit", "time_s")),  # nothing between intervals
    Host: frozenset(("known",)),
    Desk: frozenset(("known",)),
    Radio: frozenset(("covering", "reach")),
    Federation: frozenset(("plan", "data", "shard")),
}
KINDS: Final[Mapping[str, Callable[[Iterable[Any]], Any]]] = {
    kind.__name__: kind for kind in (list, tuple, set, frozenset, deque)
}
_NUMBERS: Final = 8  # lists from this length on are kept as arrays


class Keeper:
    """Turns a run into plain data."""

    def __init__(self, *, moving: bool = True) -> None:
        self._moving = moving
        self.arrays: Arrays = {}
        self._seen: dict[int, int] = {}
        self._held: list[object] = []  # so that no number is given twice

    def plain(self, value: Any) -> Plain:  # noqa: PLR0911 - one line per kind
        """A value as JSON holds it; arrays go to `arrays`."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.ndarray):
            return {"array": self._array(value)}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.random.Generator):
            return {"rng": value.bit_generator.state}
        if isinstance(value, dict):
            return {"dict": [[self.plain(k), self.plain(v)] for k, v in value.items()]}
        if isinstance(value, list | tuple | set | frozenset | deque):
            return self._sequence(value)
        if _has_state(value):
            return self._record(value)
        return {"same": True}

    def _still(self, value: object) -> tuple[str, ...]:
        """Gains that stay as they are, for nobody moves; factors are found again."""
        if not isinstance(value, Crowd):
            return ()
        return ("_gain",) if self._moving else ("_gain", "gain_db")

    def _array(self, value: npt.NDArray[Any]) -> str:
        name = f"a{len(self.arrays)}"
        self.arrays[name] = value
        return name

    def _sequence(self, value: Any) -> Plain:
        kind, items = type(value).__name__, value
        if isinstance(value, set | frozenset):
            items = sorted(value, key=repr)
        if len(value) >= _NUMBERS and isinstance(value, list):
            types = set(map(type, value))
            if types in ({float}, {int}):
                return {"numbers": self._array(np.array(value))}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return {"same": True}
        return {"items": kind, "of": [self.plain(item) for item in items]}

    def _record(self, value: Any) -> Plain:
        if id(value) in self._seen:
            return {"known": self._seen[id(value)]}
        number = self._seen[id(value)] = len(self._seen)
        self._held.append(value)
        fields = [name for name in state_fields(value) if name not in self._still(value)]
        kept = {name: self.plain(getattr(value, name)) for name in fields}
        name = f"{type(value).__module__}:{type(value).__qualname__}"
        return {"record": name, "number": number, "fields": kept}


class Filler:
    """Fills a network that was built anew with what was kept of a run."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._arrays = arrays
        self._known: dict[int, Any] = {}

    def value(self, plain: Plain, there: Any) -> Any:  # noqa: PLR0911 - one line per kind
        """What was kept; `there` is what stands at its place in the new network."""
        if not isinstance(plain, dict):
            return plain
        if "same" in plain:
            return there
        if "array" in plain:
            return self._arrays[plain["array"]]
        if "numbers" in plain:
            return self._arrays[plain["numbers"]].tolist()
        if "rng" in plain:
            generator = np.random.default_rng(0)
            generator.bit_generator.state = plain["rng"]
            return generator
        if "known" in plain:
            return self._known[plain["known"]]
        if "dict" in plain:
            return self._mapping(plain["dict"], there)
        if "items" in plain:
            return self._sequence(plain, there)
        return self._record(plain, there)

    def _mapping(self, pairs: list[list[Plain]], there: Any) -> Any:
        old = dict(there) if isinstance(there, Mapping) else {}
        filled = there if isinstance(there, dict) else {}
        filled.clear()
        for key, item in pairs:
            known = self.value(key, None)
            filled[known] = self.value(item, old.get(known))
        return filled

    def _sequence(self, plain: Plain, there: Any) -> Any:
        kind = KINDS[plain["items"]]
        old = list(there) if isinstance(there, list | tuple | deque) else []
        old += [None] * (len(plain["of"]) - len(old))
        return kind(self.value(p, t) for p, t in zip(plain["of"], old, strict=False))

    def _record(self, plain: Plain, there: Any) -> Any:
        module, name = plain["record"].split(":")
        if not module.startswith("tree6g."):
            raise LedgerError(f"expected a record of tree6g in a checkpoint; got {module}.{name}.")
        kind = getattr(importlib.import_module(module), name)
        frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
        fits = type(there) is kind
        filled = there if fits and not frozen else Flow() if kind is Flow else object.__new__(kind)
        self._known[plain["number"]] = filled
        if fits and filled is not there:
            for field in dataclasses.fields(kind):
                object.__setattr__(filled, field.name, getattr(there, field.name))
        for field_name, item in plain["fields"].items():
            old = getattr(there, field_name, None) if fits else None
            object.__setattr__(filled, field_name, self.value(item, old))
        return filled


def state_fields(value: Any) -> list[str]:
    """Fields of a record that a run changes."""
    if isinstance(value, STATEFUL):
        return list(vars(value))
    fields = [field.name for field in dataclasses.fields(value)]
    return [name for name in fields if name not in SAME.get(type(value), ())]


def _has_state(value: object) -> bool:
    if isinstance(value, STATEFUL):
        return True
    ours = type(value).__module__.startswith("tree6g.")
    return ours and dataclasses.is_dataclass(value) and not isinstance(value, type)


def kept(world: World) -> tuple[Plain, Arrays]:
    """The state of a run between two ledger intervals."""
    keeper = Keeper(moving=world.motion is not None)
    plain = keeper.plain(world)
    return plain, keeper.arrays


def fill(world: World, plain: Plain, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Put a kept state into a network that was built anew from the same scenario."""
    Filler(arrays).value(plain, world)
