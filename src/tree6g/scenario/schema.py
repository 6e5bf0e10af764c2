"""The JSON schema of scenario files, for editors that complete and check while one types.

It holds both names of every quantity: `bandwidth: 100 MHz` as a text with a pattern made from the
units, and `bandwidth_hz`, which may be a number too. What spans several fields (names that point
elsewhere, sums) is checked by `tree6g` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from tree6g import units
from tree6g.scenario import shape
from tree6g.scenario.fields import Share
from tree6g.scenario.model import Scenario
from tree6g.scenario.quantities import Described, written_name

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PATTERNED: Final = ("message_byte", "period_s")  # of a data service
_BOUNDS: Final = {
    "gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum",
}  # fmt: skip
_NUMBER: Final = r"[+-]?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


def json_schema() -> dict[str, Any]:
    """The schema of a scenario as JSON data."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = DIALECT
    definitions = {**schema.get("$defs", {}), Scenario.__name__: schema}
    for record in set(_all_records(Scenario)):
        _both_names(definitions[record.__name__], record)
    return schema


def pattern(suffix: str) -> str:
    """A regular expression for the texts that `units.parse` accepts for a suffix.

    >>> bool(re.search(pattern("hz"), "3.5 GHz")), bool(re.search(pattern("hz"), "3.5 GW"))
    (True, False)
    """
    parts = units.QUOTIENT.get(suffix) or tuple(suffix.split("_per_", 1))
    unit = "/".join(_unit(part) for part in parts)
    if parts[1:] == ("s",) and parts[0] in ("bit", "byte"):
        unit = f"(?:{unit}|{_one_of(units.PREFIX)}(?:bps|Bps))"
    return rf"^\s*{_NUMBER}\s*{unit}\s*$"


def _unit(suffix: str) -> str:
    symbols = units.SYMBOLS[suffix]
    plain = _one_of(symbols)
    prefixes = [*units.PREFIX, "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"]
    prefixes += units.BINARY if suffix in ("bit", "byte") else []
    scaled = [symbol for symbol, (_, prefixed) in symbols.items() if prefixed and symbol]
    return f"(?:{plain}|{_one_of(prefixes)}{_one_of(scaled)})" if scaled else plain


def _one_of(words: Any) -> str:
    return f"(?:{'|'.join(re.escape(word) for word in words)})"


def _all_records(annotation: Any) -> Iterator[type[Described]]:
    for record in shape.records(shape.item(annotation) or annotation):
        yield record
        for info in record.model_fields.values():
            yield from _all_records(info.annotation)


def _both_names(schema: dict[str, Any], record: type[Described]) -> None:
    """Put the written name of each quantity beside its full one."""
    properties: dict[str, Any] = {}
    doubled: list[dict[str, Any]] = []
    for field, info in record.model_fields.items():
        spec, short = _standard(schema["properties"][field]), written_name(field)
        if shape.entry(info.annotation) == Share:
            _shares(spec)
        elif short != field:
            properties[short] = _written(field, spec)
            spec = _full(field, spec)
            both = [{"required": [short]}, {"required": [field]}]
            needed = field in schema.get("required", ())
            once = {"not": {"required": [short, field]}}
            if needed and field in PATTERNED:  # or a traffic model gives it
                doubled.append({"anyOf": [*both, {"required": ["pattern"]}], **once})
            else:
                doubled.append({"oneOf": both} if needed else once)
        properties[field] = _named(spec) if field == "day_curve" else spec
    schema["properties"] = properties
    if doubled:
        schema["allOf"] = doubled
    if "required" in schema:
        schema["required"] = [f for f in schema["required"] if written_name(f) == f]


def _named(spec: dict[str, Any]) -> dict[str, Any]:
    """The property of values that may be the name of packaged ones."""
    about: dict[str, Any] = {k: spec[k] for k in ("description", "default") if k in spec}
    values = {key: value for key, value in spec.items() if key not in about}
    return {**about, "anyOf": [values, {"type": "string"}]}


def _written(field: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The property of a written name: a text with a unit, or a number where none is needed."""
    if spec.get("type") == "array":
        item = _written(field, {"description": spec["description"], **spec["items"]})
        return {"description": item.pop("description"), "type": "array", "items": item}
    suffix = str(units.suffix_of(field))
    kinds = spec.get("anyOf", [spec])
    limits = next(kind for kind in kinds if kind.get("type") == "number")
    bounds = {name: limits[name] for name in _BOUNDS.values() if name in limits}
    texts: list[dict[str, Any]] = [{"type": "string", "pattern": pattern(suffix)}]
    if suffix == "frac":
        texts.append({"type": "number", **bounds})
    elif "exclusiveMinimum" not in bounds:
        texts.append({"const": 0})  # the one number that needs no unit
    if {"type": "null"} in kinds:
        texts.append({"type": "null"})
    written = {"description": f"{spec['description']} Write {units.example(suffix)}."}
    if isinstance(spec.get("default"), float):
        written["default"] = exactly(spec["default"], suffix)
    return {**written, "anyOf": texts}


def _full(field: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The property of a full name: a number of its unit, or a text with a unit all the same."""
    if spec.get("type") == "array":
        return {**spec, "items": _full(field, spec["items"])}
    text = {"type": "string", "pattern": pattern(str(units.suffix_of(field)))}
    if "anyOf" in spec:
        return {**spec, "anyOf": [*spec["anyOf"], text]}
    about: dict[str, Any] = {k: spec[k] for k in ("description", "default") if k in spec}
    number = {key: value for key, value in spec.items() if key not in about}
    return {**about, "anyOf": [number, text]}


def _standard(spec: Any) -> Any:
    """Limits under their names in the standard; behind a reader of texts pydantic keeps its own."""
    if isinstance(spec, dict):
        return {_BOUNDS.get(key, key): _standard(value) for key, value in spec.items()}
    return [_standard(value) for value in spec] if isinstance(spec, list) else spec


def _shares(spec: dict[str, Any]) -> None:
    """Values of a mapping from names to shares may be percentages."""
    inner = spec.get("patternProperties") or {"": spec["additionalProperties"]}
    for value in inner.values():
        number = dict(value)
        value.clear()
        value["anyOf"] = [number, {"type": "string", "pattern": pattern("frac")}]


def exactly(value: float, suffix: str) -> str:
    """A quantity as people write it, with as many digits as it takes to read back the same."""
    texts = (units.show(value, suffix, digits) for digits in range(3, 18))
    same = (text for text in texts if units.parse(text, suffix) == value)
    return next(same, f"{value!r} {units.symbol_of(suffix)}".strip())
