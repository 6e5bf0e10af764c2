"""The five errors of tree6g and the one base they share.

A message says what was expected, what came (value with unit, entity, file and path) and what to do
about it. Everything that a user can cause is one of these; anything else is a bug of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Tree6gError(Exception):
    """Base of all errors that tree6g raises on purpose."""


class ScenarioError(Tree6gError):
    """A scenario file or an override is wrong; `problems` lists every fault, one line each."""

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        self.problems = tuple(problems) or (message,)
        super().__init__(message)


class DataError(Tree6gError):
    """A trace, a packaged table or another outside file cannot be read as what it claims to be."""


class LedgerError(Tree6gError):
    """A ledger would break, or breaks, one of its rules: schema, overlap, conservation."""


class MeterError(Tree6gError):
    """A live source gives something that cannot be metered."""


class InfeasibleError(Tree6gError):
    """What was asked cannot be met, for instance a model that does not fit into its memory."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The clause that helps after an unknown name: the nearest known one, else the list.

    >>> nearest("h100-smx", ["h100-sxm", "l4"])
    "Did you mean 'h100-sxm'?"
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean '{close[0]}'?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"Known: {shown or 'none'}."
