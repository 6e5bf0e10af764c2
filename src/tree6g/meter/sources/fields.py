"""Values out of JSON that somebody else wrote: a number or nothing, never an exception."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


def number(data: object, *path: str) -> float | None:
    """The number at a path of keys; a text of digits counts; None if there is none."""
    for key in path:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    if isinstance(data, bool) or not isinstance(data, int | float | str):
        return None
    try:
        value = float(data)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def mappings(data: object) -> Iterator[Mapping[str, Any]]:
    """The mappings of a list, or none."""
    if isinstance(data, list):
        yield from (item for item in data if isinstance(item, Mapping))


def text(data: Mapping[str, Any], *keys: str) -> str:
    """The first of these that is a text or an integer."""
    for key in keys:
        value = data.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)[:200]
    return ""
