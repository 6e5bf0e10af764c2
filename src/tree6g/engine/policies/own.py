"""A dispatch policy from a Python file of the user's own.

The file defines a function `choose(query, options)`, or a class `Policy` that has such a method and
is made once per run, so that it may remember; beside it may stand `servers(report)`, which switches
servers (`policies.servers`). It is one file: it may import what is installed, not
its neighbours. Whatever it does wrong comes back as an error that names its line.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from tree6g.errors import ScenarioError
from tree6g.scenario.policy_file import PolicyFile, is_file, read

if TYPE_CHECKING:
    from tree6g.engine.policies import Option, Query
    from tree6g.engine.policies.servers import FleetReport

__all__ = ["OwnPolicy", "failed", "is_file", "module_of", "policy_of"]

FUNCTION: Final = "choose"
SERVERS: Final = "servers"
CLASS: Final = "Policy"
ADVICE: Final = f"Define 'def {FUNCTION}(query, options)' that returns an index or None."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnPolicy:
    """The policy of a file.

    Attributes:
        file: The file.
        chooses: What it defines.
        switches: What it says of servers, None if nothing (`policies.servers`).
    """

    file: PolicyFile
    chooses: Callable[[Query, Sequence[Option]], int | None]
    switches: Callable[[FleetReport], Collection[str]] | None = None

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.file.name

    def __call__(self, query: Query, options: Sequence[Option]) -> int | None:
        """What the file's policy says.

        Raises:
            ScenarioError: It fails, or says what is no choice.
        """
        try:
            choice = self.chooses(query, options)
        except Exception as error:
            what = f"a choice for a request of service '{query.service}'"
            raise failed(self.file, what, error) from error
        return choice

    @property
    def servers(self) -> Callable[[FleetReport], Collection[str]] | None:
        """Which servers are on, if the file has a say in it."""
        return None if self.switches is None else self._switched

    def _switched(self, report: FleetReport) -> Collection[str]:
        assert self.switches is not None  # noqa: S101 - see `servers`
        try:
            return self.switches(report)
        except Exception as error:
            raise failed(self.file, f"servers at {report.t_s:g} s", error) from error


def policy_of(name: str) -> OwnPolicy:
    """The policy of a file.

    Raises:
        ScenarioError: The file cannot be read or run, or defines no policy.
    """
    file = read(Path(name))
    chooses, switches = _rules(file, module_of(file))
    return OwnPolicy(file=file, chooses=chooses, switches=switches)


def module_of(file: PolicyFile) -> ModuleType:
    """The file as a module; a second run gives a new one.

    Raises:
        ScenarioError: It is no Python, or fails.
    """
    module = ModuleType(f"tree6g_policy_{file.sha256[:16]}")
    module.__file__ = str(file.path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(file.text, str(file.path), "exec"), module.__dict__)  # noqa: S102 - the user's
    except SyntaxError as error:
        raise ScenarioError(
            f"expected Python in '{file.path}'; got, in line {error.lineno}: {error.msg}."
        ) from error
    except Exception as error:
        raise failed(file, "a file that can be imported", error) from error
    return module


def _rules(
    file: PolicyFile, module: ModuleType
) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """The function that chooses, and the one that switches servers, if there is one."""
    found, switches = getattr(module, FUNCTION, None), getattr(module, SERVERS, None)
    made = getattr(module, CLASS, None)
    if found is None and inspect.isclass(made) and made.__module__ == module.__name__:
        try:
            object_ = made()
            found, switches = getattr(object_, FUNCTION, None), getattr(object_, SERVERS, None)
        except Exception as error:
            raise failed(file, f"a class '{CLASS}' that is made without arguments", error) from (
                error
            )
    if not callable(found):
        raise ScenarioError(
            f"expected a function '{FUNCTION}', or a class '{CLASS}' with such a method, in "
            f"'{file.path}'; got none. {ADVICE}"
        )
    try:
        inspect.signature(found).bind(None, ())
    except TypeError as error:
        raise ScenarioError(
            f"expected '{FUNCTION}' of '{file.path}' to take a query and the options; "
            f"got {FUNCTION}{inspect.signature(found)}. {ADVICE}"
        ) from error
    return found, switches if callable(switches) else None


def failed(file: PolicyFile, what: str, error: Exception) -> ScenarioError:
    """The fault with the line of the file where it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file.path)]
    where = f", line {lines[-1]}" if lines else ""
    return ScenarioError(
        f"expected {what} of policy '{file.path}'; got, in {file.name}{where}: "
        f"{type(error).__name__}: {error}."
    )
