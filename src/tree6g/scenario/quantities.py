"""The base of all scenario records: written quantities in, SI floats inside.

A field `bandwidth_hz` is written `bandwidth: 100 MHz`; programs may also give `bandwidth_hz: 1e8`.
A number without a unit under the short name is refused, for nobody can tell what it means.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from tree6g import data, units


class _Bare:
    """A number that came under a name without a unit, or a yes-no where a number belongs."""

    def __init__(self, value: object) -> None:
        self.value = value


def written_name(field: str) -> str:
    """The name of a field in files: its own without the unit suffix."""
    suffix = units.suffix_of(field)
    return field.removesuffix(f"_{suffix}") if suffix else field


def _quantity(value: object, info: ValidationInfo) -> object:
    suffix = units.suffix_of(info.field_name or "") or "frac"
    if isinstance(value, str):
        return units.parse(value, suffix)
    value = _Bare(value) if isinstance(value, bool) else value
    if isinstance(value, _Bare):
        what = (
            "true or false" if isinstance(value.value, bool) else f"{value.value!r} without a unit"
        )
        raise ValueError(f"expected {units.example(suffix)}; got {what}")
    return value


Quantity = Annotated[float, BeforeValidator(_quantity)]


def packaged_curve(name: str) -> tuple[float, ...]:
    """The hours of a row of the packaged table of day curves.

    Raises:
        DataError: No such row.
    """
    row = data.row("day_curves", name)
    return tuple(data.number(row, f"h{hour:02d}_frac") for hour in range(24))


def _named_curve(value: object) -> object:
    """The curve that a name means; no such row is told apart."""
    if not isinstance(value, str):
        return value
    return packaged_curve(value) if value in data.table("day_curves") else ()


# Relative values of the hours of a day, or the name of packaged ones; empty: none.
DayCurve = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1000)], ...], BeforeValidator(_named_curve)
]


def _bared(value: object) -> object:
    """Numbers without a unit marked, also those of a list; 0 needs none."""
    if isinstance(value, list | tuple):
        return [_bared(each) for each in value]
    return _Bare(value) if isinstance(value, int | float) and value != 0 else value


class Described(BaseModel):
    """A frozen record that refuses unknown keys and reads quantities with units."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _read_written_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        renamed = dict(data)
        for field, info in cls.model_fields.items():
            short = written_name(field)
            if short in renamed and field not in renamed:  # both: the short one is left over
                value = renamed.pop(short)
                bare = short != field and units.suffix_of(field) != "frac"
                renamed[field] = _bared(value) if bare else value
            if isinstance(renamed.get(field), bool) and info.annotation is not bool:
                renamed[field] = _Bare(renamed[field])
        return renamed


class Sparing(Described):
    """A record that does not mention fields that came later and are not set.

    So scenarios that do not use them keep their hash, and their ledgers the bytes.
    """

    later: ClassVar[tuple[str, ...]] = ()
    """Names of these fields; each is None where it is not set."""

    @model_serializer(mode="wrap")
    def _leave_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain: dict[str, Any] = handler(self)
        unset = [name for name in self.later if plain.get(name) is None]
        return {name: value for name, value in plain.items() if name not in unset}
