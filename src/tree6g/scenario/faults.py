"""What pydantic found wrong, in our words: expected, got, and what to do about it."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from tree6g import units
from tree6g.errors import nearest
from tree6g.scenario import shape
from tree6g.scenario.document import Place, Problem
from tree6g.scenario.model import Scenario
from tree6g.scenario.quantities import Described, written_name

_MISSING: Final = object()


def faults(error: ValidationError, data: Any) -> list[Problem]:
    """Every fault of a validation with the place where it stands in the data."""
    found = (_fault(detail, data) for detail in error.errors(include_url=False))
    return [problem for problem in found if problem is not None]


def _fault(detail: Any, data: Any) -> Problem | None:
    place, record, annotation = _place(detail["loc"], data)
    value = _value_at(data, place)
    if detail["type"] == "too_short" and value not in ([], {}):
        return None  # the list only looks short because its items are wrong, which is reported
    context = {
        **detail.get("ctx", {}),
        "msg": detail["msg"],
        "loc": detail["loc"],
        "inside": shape.records(annotation, value),
    }
    for start, say in _WORDS.items():
        if detail["type"].startswith(start):
            return Problem(place=place, text=say(value, context, record))
    return Problem(
        place=place, text=f"expected something else ({detail['msg']}); got {got(value)}."
    )


def _place(loc: tuple[str | int, ...], data: Any) -> tuple[Place, type[Described], Any]:
    """Keys as they stand in the data for a location of pydantic's, its record and its type."""
    place: Place = ()
    record: type[Described] = Scenario
    annotation: Any = Scenario
    value = data
    for part in loc:
        among = shape.records(annotation, value)
        if len(among) == 1:
            record = among[0]
        if part == "[key]" or (among and isinstance(value, dict) and _is_tag(part, annotation)):
            continue
        field = shape.field_of(record, part) if among and isinstance(part, str) else None
        key = shape.key_in(value, field) if field and isinstance(part, str) else part
        if field and part != field:
            key = part  # the written name beside the full one: the fault is the doubling
        annotation = shape.child(annotation, part, value)
        value = shape.step(value, key)
        place = (*place, key)
    return place, record, annotation


def _is_tag(part: str | int, annotation: Any) -> bool:
    among = shape.records(annotation)
    return len(among) > 1 and any(
        part in typing.get_args(record.model_fields[shape.TAG].annotation) for record in among
    )


def _value_at(data: Any, place: Place) -> Any:
    for part in place:
        known = range(len(data)) if isinstance(data, list) else ()
        if part not in (data if isinstance(data, dict) else known):
            return _MISSING
        data = data[part]
    return data


def got(value: object) -> str:
    """A value of plain data as it is quoted in messages."""
    if value is _MISSING:
        return "nothing"
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


Say = Callable[[Any, dict[str, Any], type[Described]], str]


def _missing(_: Any, context: dict[str, Any], record: type[Described]) -> str:
    field = str(context["loc"][-1])
    about = record.model_fields[field].description or ""
    first = about.partition(". ")[0].rstrip(".")
    return f"expected a value for '{written_name(field)}' ({first}); got nothing. Add it."


def _extra(_: Any, context: dict[str, Any], record: type[Described]) -> str:
    name = str(context["loc"][-1])
    field = shape.field_of(record, name)
    if field is not None:
        return f"expected one of '{written_name(field)}' and '{field}'; got both. Remove one."
    what = f"a field of {_title(record)}"
    return f"expected {what}; got {name!r}. {shape.hint(name, (record,))}"


def _title(record: type[Described]) -> str:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in record.__name__).strip()
    article = "" if words.endswith("s") else "an " if words[0] in "aeiou" else "a "
    return f"{article}{words}".replace("ai service", "AI service")


def _tag(value: Any, _: dict[str, Any], __: type[Described]) -> str:
    kind = value.get(shape.TAG, _MISSING) if isinstance(value, dict) else _MISSING
    return f"expected '{shape.TAG}: ai' or '{shape.TAG}: data'; got {got(kind)}."


def _words(value: Any, context: dict[str, Any], record: type[Described]) -> str:
    field = record.model_fields[str(context["loc"][-1])]
    known = [str(word) for word in typing.get_args(shape.bare(field.annotation))]
    listed = ", ".join(known[:-1]) + f" or {known[-1]}" if len(known) > 1 else known[0]
    tail = f" {nearest(value, known)}" if isinstance(value, str) else ""
    near = tail if "Did you mean" in tail else ""
    return f"expected {listed}; got {got(value)}.{near}"


def _name(value: Any, _: dict[str, Any], __: type[Described]) -> str:
    return (
        "expected a name: a letter, then letters, digits, '.', '_' or '-', at most 64; "
        f"got {got(value)}."
    )


def _limit(words: str, key: str) -> Say:
    def say(value: Any, context: dict[str, Any], _: type[Described]) -> str:
        """The limit in the unit of the field, and what came."""
        suffix, limit = _suffix(context), context[key]
        shown = units.show(limit, suffix, digits=6) if suffix else f"{limit:,.10g}"
        return f"expected {words} {shown}; got {got(value)}."

    return say


def _suffix(context: dict[str, Any]) -> str | None:
    named = (units.suffix_of(str(part)) for part in reversed(context["loc"]))
    return next((suffix for suffix in named if suffix), None)


def _number(value: Any, context: dict[str, Any], _: type[Described]) -> str:
    suffix = _suffix(context)
    return f"expected {units.example(suffix) if suffix else 'a number'}; got {got(value)}."


def _said(_: Any, context: dict[str, Any], __: type[Described]) -> str:
    text = str(context["msg"]).removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."


def _plain(expected: str, advice: str = "") -> Say:
    def say(value: Any, _: dict[str, Any], __: type[Described]) -> str:
        """What was expected, what came, and what to do."""
        return f"expected {expected}; got {got(value)}.{advice}"

    return say


def _record(value: Any, context: dict[str, Any], record: type[Described]) -> str:
    record = next(iter(context["inside"]), record)
    listed = ", ".join(shape.names(record)[:6])
    return f"expected the fields of {_title(record)} ({listed}, ...); got {got(value)}."


def _short_list(value: Any, context: dict[str, Any], _: type[Described]) -> str:
    return f"expected at least {context['min_length']} item; got {got(value)}."


# Start of pydantic's error type -> our sentence; the first that fits.
_WORDS: Final[dict[str, Say]] = {
    "missing": _missing,
    "extra_forbidden": _extra,
    "union_tag": _tag,
    "literal_error": _words,
    "string_pattern_mismatch": _name,
    "greater_than_equal": _limit("at least", "ge"),
    "greater_than": _limit("more than", "gt"),
    "less_than_equal": _limit("at most", "le"),
    "less_than": _limit("less than", "lt"),
    "value_error": _said,
    "finite_number": _plain("a finite number"),
    "int_": _plain("a whole number"),
    "float_": _number,
    "string_type": _plain("text", " Put it in quotes."),
    "bool_": _plain("true or false"),
    "tuple_type": _plain("a list"),
    "too_short": _short_list,
    "dict_type": _plain("a mapping"),
    "model": _record,
}
