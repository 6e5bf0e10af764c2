"""A scheduler from a Python file of the user's own.

The file defines `send(air)`, `start(batch)` or both, or a class `Scheduler` with such methods that
is made once per run, so that it may remember. Without `send` the oldest message goes first; without
`start` servers compute as soon as they can. Whatever it does wrong comes back as an error that
names its line.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

from tree6g.engine.policies.own import failed, module_of
from tree6g.errors import ScenarioError
from tree6g.scenario.policy_file import PolicyFile, is_file, read

if TYPE_CHECKING:
    from tree6g.engine.policies.schedule import Air, Batch, Scheduler

__all__ = ["OwnPacing", "OwnScheduler", "is_file", "scheduler_of"]

CLASS: Final = "Scheduler"
ADVICE: Final = "Define 'def send(air)' that returns an array, 'def start(batch)', or both."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnScheduler:
    """The scheduler of a file.

    Attributes:
        file: The file.
        sends: Its `send`; None: by arrival.
    """

    file: PolicyFile
    sends: Callable[[Air], npt.ArrayLike] | None

    def send(self, air: Air) -> npt.ArrayLike:
        """What the file says.

        Raises:
            ScenarioError: It fails.
        """
        if self.sends is None:
            return air.ready_s
        try:
            return self.sends(air)
        except Exception as error:
            raise failed(self.file, "places of messages", error) from error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnPacing(OwnScheduler):
    """One that says when servers compute as well.

    Attributes:
        starts: Its `start`.
    """

    starts: Callable[[Batch], float]

    def start(self, batch: Batch) -> float:
        """What the file says.

        Raises:
            ScenarioError: It fails.
        """
        try:
            return self.starts(batch)
        except Exception as error:
            raise failed(self.file, "a time for the next iteration", error) from error


def scheduler_of(name: str) -> Scheduler:
    """The scheduler of a file.

    Raises:
        ScenarioError: The file cannot be read or run, or defines none.
    """
    file = read(Path(name))
    module = module_of(file)
    found: Any = module
    made = getattr(module, CLASS, None)
    if inspect.isclass(made) and made.__module__ == module.__name__:
        try:
            found = made()
        except Exception as error:
            raise failed(file, f"a class '{CLASS}' that is made without arguments", error) from (
                error
            )
    sends, starts = (_function(file, found, name) for name in ("send", "start"))
    if sends is None and starts is None:
        raise ScenarioError(
            f"expected a function 'send' or 'start', or a class '{CLASS}' with such methods, in "
            f"'{file.path}'; got none. {ADVICE}"
        )
    if starts is None:
        return OwnScheduler(file=file, sends=sends)
    return OwnPacing(file=file, sends=sends, starts=starts)


def _function(file: PolicyFile, found: Any, name: str) -> Callable[..., Any] | None:
    """A function of a file that takes one argument; None: it has none of that name."""
    function = getattr(found, name, None)
    if not callable(function):
        return None
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise ScenarioError(
            f"expected '{name}' of '{file.path}' to take one argument; "
            f"got {name}{inspect.signature(function)}. {ADVICE}"
        ) from error
    return function
