"""What a scenario says of failures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from tree6g.errors import nearest
from tree6g.scenario.document import Problem
from tree6g.scenario.quantities import Described, Quantity

SLACK: Final = 1e-9  # of a step: starts of steps are rounded


class Outage(Described):
    """A time in which servers do not answer, or cells are silent."""

    node: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Server or cell as in the ledger (`site.server`, `site.cell`, `site.cell-2`), or a site or
    cloud: what stands there."""
    what: Literal["servers", "cells", "all"] = "servers"
    """What fails at a site: its servers, its cells, or both. Servers that are out draw their idle
    power, cells that are out what a cell draws that is switched off."""
    from_s: Annotated[Quantity, Field(ge=0)]
    """When it begins, at the start of the next step."""
    to_s: Annotated[Quantity, Field(gt=0)]
    """When it ends."""

    @property
    def takes_servers(self) -> bool:
        """Whether servers at its place fail."""
        return self.what != "cells"

    @property
    def takes_cells(self) -> bool:
        """Whether cells at its place fail."""
        return self.what != "servers"


def problems(
    outages: tuple[Outage, ...],
    *,
    servers: tuple[str, ...],
    places: tuple[str, ...],
    cells: tuple[str, ...],
    sites: tuple[str, ...],
    step_s: float,
) -> Iterator[Problem]:
    """Nodes that are none, and times that end before they begin or in which no step starts.

    Args:
        outages: What the scenario says.
        servers: Nodes of servers.
        places: Sites and clouds with servers.
        cells: Nodes of cells.
        sites: All sites.
        step_s: Length of a step.
    """
    for i, outage in enumerate(outages):
        known = [*servers, *cells]
        known += places if outage.takes_servers else []
        known += sites if outage.takes_cells else []
        if outage.node not in known:
            what = "a site or a cloud with servers" if outage.what == "servers" else "a site"
            text = f"expected a server, a cell, or {what}; got {outage.node!r}. "
            if outage.node in sites:
                text += "Its cells fail with 'what: cells'."
            else:
                text += nearest(outage.node, known)
            yield Problem(place=("outages", i, "node"), text=text)
        if outage.to_s <= outage.from_s:
            text = f"expected an end after {outage.from_s:g} s; got {outage.to_s:g} s."
            yield Problem(place=("outages", i, "to"), text=text)
        elif math.ceil(outage.from_s / step_s - SLACK) * step_s >= outage.to_s:
            text = f"expected an outage in which a step of {step_s:g} s starts; got "
            text += f"{outage.from_s:g} to {outage.to_s:g} s. Make it longer, or 'step' shorter."
            yield Problem(place=("outages", i), text=text)
