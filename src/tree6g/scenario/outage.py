"""What a scenario says of failures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StringConstraints

from tree6g.errors import nearest
from tree6g.scenario.document import Problem
from tree6g.scenario.quantities import Described, Quantity


class Outage(Described):
    """A time in which servers do not answer; they draw their idle power all the same."""

    node: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Server as in the ledger (`site.server`), or site or cloud: all servers there."""
    from_s: Annotated[Quantity, Field(ge=0)]
    """When it begins, at the start of the next step."""
    to_s: Annotated[Quantity, Field(gt=0)]
    """When it ends."""


def problems(
    outages: tuple[Outage, ...], *, servers: tuple[str, ...], places: tuple[str, ...]
) -> Iterator[Problem]:
    """Nodes that are none, and times that end before they begin."""
    for i, outage in enumerate(outages):
        if outage.node not in (*servers, *places):
            text = f"expected a server, a site or a cloud with servers; got {outage.node!r}. "
            text += nearest(outage.node, (*servers, *places))
            yield Problem(place=("outages", i, "node"), text=text)
        if outage.to_s <= outage.from_s:
            text = f"expected an end after {outage.from_s:g} s; got {outage.to_s:g} s."
            yield Problem(place=("outages", i, "to"), text=text)
