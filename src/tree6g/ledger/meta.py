"""The header of a ledger, `meta.json`: what the rows mean and where they come from."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from tree6g.errors import LedgerError, nearest
from tree6g.ledger import schema

FILE: Final = "meta.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Header of a ledger.

    Attributes:
        boundary: The boundary that figures use by default (`ran`, `network`, `operator`, `full`).
        attribution_interval_s: Grid on which shared energy is attributed, [k, k+1) times this.
        t_zero: UTC instant of t = 0 (ISO 8601), None for a simulation.
        services: Per service its kind, weight and profile, see `metric.profile.from_meta`.
        phase_weights: Rows `{kind, weight, node?, model?}`: worth in the node's own resource
            of one unit of demand of that kind, applied when a figure is taken.
        attribution: Default attribution rule.
        idle_rule: Default treatment of standby energy, `unattributed` or `spread`.
        scenario: The resolved scenario, None for measured ledgers.
        scenario_hash: Hash of that scenario, seed included.
        producer: Program and version that wrote the ledger.
        control: Totals that the producer counted besides the rows, e.g. `energy_j` per node;
            `tree6g check` compares them with the rows.
        sources: What each value of the `source` column is: equation, reference.
        notes: Sentences a reader of any figure must see.
        merged: For a merged ledger its parts with their clock offsets.
        created: Time of writing; outside every comparison and hash.
    """

    boundary: str = "operator"
    attribution_interval_s: float = 60.0
    t_zero: str | None = None
    services: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    phase_weights: tuple[Mapping[str, Any], ...] = ()
    attribution: str = "proportional"
    idle_rule: str = "unattributed"
    scenario: Mapping[str, Any] | None = None
    scenario_hash: str | None = None
    producer: str = "tree6g"
    control: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    merged: tuple[Mapping[str, Any], ...] = ()
    created: str | None = None

    def __post_init__(self) -> None:
        """Refuse a boundary that does not exist and an interval that is no interval."""
        if self.boundary not in schema.BOUNDARIES:
            known = nearest(str(self.boundary), schema.BOUNDARIES)
            raise LedgerError(f"boundary of a ledger; got {self.boundary!r}. {known}")
        step = self.attribution_interval_s
        if not _is_number(step) or not 0 < step < float("inf"):
            raise LedgerError(f"attribution_interval_s must be > 0 s; got {step!r}.")


def dump(meta: Meta) -> str:
    """The header as JSON text with its schema.

    Raises:
        LedgerError: It holds what JSON does not have, such as nan.
    """
    try:
        fields = {field.name: getattr(meta, field.name) for field in dataclasses.fields(meta)}
        return indented({"schema": schema.SCHEMA, **fields}) + "\n"
    except (ValueError, TypeError, RecursionError) as error:
        raise LedgerError(f"expected a header of plain JSON values; got: {error}.") from error


def indented(value: Any) -> str:
    """JSON text of plain data with an indent of 1 and sorted keys.

    As `json.dumps` writes it, whose own indents are slow: what holds no dicts and lists is
    written as a whole.

    Raises:
        ValueError: nan or infinity.
        TypeError: What JSON does not have.
        RecursionError: Too deep.
    """
    return _indented(value, 0)


def _indented(value: Any, depth: int) -> str:
    """A value that begins at a depth."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if not isinstance(value, dict | list | tuple) or not value:
        return _encoder(depth).encode(value)
    items = value.values() if isinstance(value, dict) else value
    inner, outer = "\n" + " " * (depth + 1), "\n" + " " * depth
    if all(isinstance(item, _ALONE) for item in items):
        text = _encoder(depth + 1).encode(value)
        return f"{text[0]}{inner}{text[1:-1]}{outer}{text[-1]}"
    if not isinstance(value, dict):
        parts = [_indented(item, depth + 1) for item in value]
        return f"[{inner}{(',' + inner).join(parts)}{outer}]"
    parts = [f"{_key(key)}: {_indented(value[key], depth + 1)}" for key in sorted(value)]
    return f"{{{inner}{(',' + inner).join(parts)}{outer}}}"


_ALONE: Final = (str, int, float, type(None))


def _key(key: object) -> str:
    """The key of an object; numbers and the like become text."""
    if isinstance(key, str):
        return json.dumps(key)
    return json.dumps({key: 0}, allow_nan=False)[1:-4]


@functools.lru_cache(maxsize=64)
def _encoder(depth: int) -> json.JSONEncoder:
    """Writes what holds nothing, with its items on lines of a depth."""
    between = (",\n" + " " * depth, ": ")
    return json.JSONEncoder(sort_keys=True, allow_nan=False, separators=between)


def load(text: str, path: str = FILE) -> Meta:
    """The header from JSON text.

    Raises:
        LedgerError: Not JSON, not an object, another schema, or fields of the wrong kind.
    """
    try:
        body = json.loads(text, parse_constant=_finite, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"expected JSON in {path}; got: {error}.") from error
    if not isinstance(body, dict) or body.pop("schema", None) != schema.SCHEMA:
        raise LedgerError(f"expected a header with schema '{schema.SCHEMA}' in {path}.")
    fields = {f.name: f for f in dataclasses.fields(Meta)}
    unknown = sorted(set(body) - set(fields))
    if unknown:
        raise LedgerError(f"unknown field '{unknown[0]}' in {path}. {nearest(unknown[0], fields)}")
    for name, value in body.items():
        if not _has_kind(name, value):
            raise LedgerError(f"field '{name}' of {path} has the wrong type: {value!r}.")
    for name in ("phase_weights", "notes", "merged"):
        body[name] = tuple(body.get(name, ()))
    return Meta(**body)


def digest(value: object) -> str:
    """A short stable hash of plain data, for configurations and profile sets."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected finite numbers; got {text}")
    return value


def _whole(text: str) -> int:
    _finite(text)  # every number of a header may be used as a float
    return int(text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_kind(name: str, value: Any) -> bool:
    if name == "attribution_interval_s":
        return _is_number(value)
    inside = _ITEMS.get(name)
    items = value.values() if isinstance(value, dict) else value
    return isinstance(value, _KINDS[name]) and (
        inside is None or all(isinstance(item, inside) for item in items)
    )


_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "boundary": str, "services": dict,
    "phase_weights": list, "control": dict, "sources": dict, "notes": list, "merged": list,
    "attribution": str, "idle_rule": str, "producer": str,
    "scenario": (dict, type(None)), "scenario_hash": (str, type(None)),
    "t_zero": (str, type(None)), "created": (str, type(None)),
}  # fmt: skip
# What the items of a list or the values of an object must be.
_ITEMS: Final[dict[str, type]] = {
    "services": dict, "phase_weights": dict, "sources": str, "notes": str, "merged": dict,
}  # fmt: skip
