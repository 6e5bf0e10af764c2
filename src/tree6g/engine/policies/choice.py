"""A policy by its name: one of the package's files, or an entry point of somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from tree6g import errors
from tree6g.errors import ScenarioError


def named(name: str, what: str, *, group: str, files: str, built_in: Sequence[str]) -> Any:
    """The module of a built-in policy, or the object behind an entry point.

    Args:
        name: Which one.
        what: What it is called in an error, such as `dispatch policy`.
        group: Entry-point group of the others.
        files: Package in which each built-in policy has its file.
        built_in: Names of these, with hyphens for the file's underscores.

    Raises:
        ScenarioError: No such policy.
    """
    if name in built_in:
        return import_module(f"{files}.{name.replace('-', '_')}")
    found = {point.name: point for point in entry_points(group=group)}
    if name not in found:
        known = errors.nearest(name, [*built_in, *found])
        raise ScenarioError(f"expected a {what}; got {name!r}. {known}")
    return found[name].load()
