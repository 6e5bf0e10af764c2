"""`tree6g schema`: the JSON schema of scenarios, for editors."""

from __future__ import annotations

from tree6g.cli import options
from tree6g.cli.console import print_json


def schema(*, as_json: options.Json = True) -> None:
    """Print the JSON schema of scenario files; editors complete and check with it.

    Example: tree6g schema > tree6g.schema.json
    """
    from tree6g.scenario.schema import json_schema

    del as_json  # it is JSON anyway
    print_json(json_schema())
