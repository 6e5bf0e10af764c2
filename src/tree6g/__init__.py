"""tree6g: what a network that also serves AI is worth per joule.

    >>> import tree6g
    >>> result = tree6g.run("street-corner", overrides=["duration=10 min"])  # doctest: +SKIP
    >>> result.tree().tree_beq_per_j  # doctest: +SKIP

The names below are imported when they are first used: `import tree6g` itself loads no library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tree6g.version import __version__

if TYPE_CHECKING:
    from tree6g.engine.run import RunResult, run
    from tree6g.errors import Tree6gError
    from tree6g.ledger.reading import Ledger, open_ledger
    from tree6g.metric.compare import Comparison, compare
    from tree6g.metric.figure import Figure, Query
    from tree6g.metric.tree import figure
    from tree6g.report.write import write_report
    from tree6g.scenario.load import load as load_scenario
    from tree6g.scenario.model import Scenario
    from tree6g.scenario.trace import read_trace

__all__ = [
    "Comparison",
    "Figure",
    "Ledger",
    "Query",
    "RunResult",
    "Scenario",
    "Tree6gError",
    "__version__",
    "compare",
    "figure",
    "load_scenario",
    "open_ledger",
    "read_trace",
    "run",
    "write_report",
]

_HOME: Final = {
    "Comparison": "metric.compare:Comparison",
    "Figure": "metric.figure:Figure",
    "Ledger": "ledger.reading:Ledger",
    "Query": "metric.figure:Query",
    "RunResult": "engine.run:RunResult",
    "Scenario": "scenario.model:Scenario",
    "Tree6gError": "errors:Tree6gError",
    "compare": "metric.compare:compare",
    "figure": "metric.tree:figure",
    "load_scenario": "scenario.load:load",
    "open_ledger": "ledger.reading:open_ledger",
    "read_trace": "scenario.trace:read_trace",
    "run": "engine.run:run",
    "write_report": "report.write:write_report",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'tree6g' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    value = getattr(import_module(f"tree6g.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
