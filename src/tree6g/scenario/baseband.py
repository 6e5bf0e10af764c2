"""What a scenario says of the baseband of its base stations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StringConstraints

from tree6g.errors import nearest
from tree6g.scenario.document import Place, Problem
from tree6g.scenario.quantities import Described, Quantity

Row = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]


class Baseband(Described):
    """Accelerators that do the signal processing of a site's cells (AI-RAN).

    The model of the base station must then be one of radio units alone, else their baseband is
    counted twice.
    """

    cells: Annotated[Quantity, Field(gt=0)]
    """Cells of 100 MHz that one accelerator carries at their peak: 4 on an A100, 6 to 8 on an A100X
    (NVIDIA Aerial SDK 23-1), 20 on a GH200."""
    server: Row | None = None
    """Server of the same site whose accelerator does it, with what its `share_frac` leaves."""
    accelerator: Row | None = None
    """Row of `accelerators`: as many of their own as the cells need at their peak."""
    host_power_w: Annotated[Quantity, Field(ge=0)] = 0.0
    """Power of processors and fans per accelerator of its own."""


def problems(spec: Baseband, place: Place, servers: tuple[str, ...]) -> Iterator[Problem]:
    """A baseband on a server that is not at its site, or on both kinds of accelerators, or none."""
    if (spec.server is None) == (spec.accelerator is None):
        given = "both" if spec.server else "neither"
        text = f"expected either a server or an accelerator; got {given}."
        yield Problem(place=place, text=text)
    if spec.server is not None and spec.server not in servers:
        text = f"expected the name of a server of the site; got {spec.server!r}. "
        yield Problem(place=(*place, "server"), text=text + nearest(spec.server, servers))
