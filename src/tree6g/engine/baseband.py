"""Baseband on an accelerator: one of its own at the site, or that of a server which also answers.

A cell with all its resource blocks in use takes 1/n of an accelerator, n being the `cells` that the
accelerator carries at their peak, per 100 MHz; with a share rho of them in use it takes rho/n:

    busy time = rho (bandwidth / 100 MHz) / n  x time,      energy = (P_max - P_idle) x busy time

Validity: proportional to the blocks in use, without a floor. NVIDIA's Aerial SDK 23-1 states for
100 MHz and 4T4R 4, 6 and 8 peak cells (270 blocks) and 8, 12 and 16 average cells (132 blocks) on
its three cards, which is that proportion within 3 %; its release for Grace Hopper carries 20 of
either, limited by something else. The watts of a busy accelerator are those of its power limit: an
upper bound, for no measurement of this work is public. What an accelerator draws while it waits
is counted once, whoever shares it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Final

from tree6g.compute.accelerator import Accelerator, accelerator
from tree6g.engine.world import Cell, Host
from tree6g.errors import ScenarioError
from tree6g.scenario.model import Site
from tree6g.scenario.station import Baseband

REFERENCE_HZ: Final = 100e6
BASEBAND: Final = "baseband-power"
SOURCE: Final = (
    "blocks in use / cells per accelerator x (power limit - idle), linear after the cell counts of "
    "NVIDIA's Aerial SDK 23-1; idle in context"
)


@dataclasses.dataclass(slots=True, kw_only=True)
class Processor:
    """The accelerators that do the baseband of a site's cells.

    Attributes:
        node: Node of the ledger: the server's, or one of its own.
        site: Number of the site.
        pue: Of the site.
        spec: What the scenario says.
        count: Accelerators for the baseband alone, 0 where a server shares its own.
        shared_count: Accelerators of the server that shares, 0 otherwise.
        busy_w: Power of a busy accelerator above idle.
        idle_w: Power of one that waits; of a server's own, the server books it.
    """

    node: str
    site: int
    pue: float
    spec: Baseband
    count: int
    shared_count: int
    busy_w: float
    idle_w: float

    def busy_s(self, cell: Cell, used_s: float) -> float:
        """Accelerator time for carrier time in use, both directions together."""
        return used_s * cell.band_frac * cell.spec.bandwidth_hz / REFERENCE_HZ / self.spec.cells

    @property
    def constant_w(self) -> float:
        """Power without traffic of accelerators that do nothing else, hosts included."""
        return self.count * (self.idle_w + self.spec.host_power_w)


def processors(sites: Sequence[Site], hosts: Sequence[Host]) -> dict[int, Processor]:
    """Processors by the number of their site.

    Raises:
        ScenarioError: A server that is not there, or has too little left for the cells at peak.
    """
    return {p.site: p for p in _processors(sites, hosts)}


def _processors(sites: Sequence[Site], hosts: Sequence[Host]) -> Iterator[Processor]:
    for number, site in enumerate(sites):
        spec = site.base_station.baseband
        if spec is None:
            continue
        peak = site.sectors * site.base_station.bandwidth_hz / REFERENCE_HZ / spec.cells
        if spec.accelerator is not None:
            chip, count = accelerator(spec.accelerator), math.ceil(peak - 1e-9)
            yield _processor(spec, site, number, chip, node=f"{site.name}.baseband", count=count)
            continue
        host = _server(spec, site, number, hosts)
        assert host.spec is not None  # noqa: S101 - servers alone are looked at
        left = host.spec.count * (1.0 - host.spec.share_frac)
        if peak > left + 1e-9:
            raise ScenarioError(
                f"expected room for the baseband of site '{site.name}' at its peak, {peak:.3g} of "
                f"an accelerator; got {left:.3g} beside the model of server '{host.node}'. Lower "
                "its 'share', or take more accelerators."
            )
        chip = accelerator(host.spec.accelerator)
        yield _processor(spec, site, number, chip, node=host.node, shared=host.spec.count)


def _server(spec: Baseband, site: Site, number: int, hosts: Sequence[Host]) -> Host:
    own = {h.spec.name: h for h in hosts if h.site == number and h.spec is not None}
    if spec.server not in own:
        raise ScenarioError(
            f"expected a server of site '{site.name}' for its baseband; got {spec.server!r}. It "
            f"has {', '.join(sorted(own)) or 'none'}."
        )
    return own[spec.server]


def _processor(
    spec: Baseband,
    site: Site,
    number: int,
    chip: Accelerator,
    *,
    node: str,
    count: int = 0,
    shared: int = 0,
) -> Processor:
    return Processor(
        node=node,
        site=number,
        pue=site.pue,
        spec=spec,
        count=count,
        shared_count=shared,
        busy_w=max(chip.tdp_w - chip.idle_context_w, 0.0),
        idle_w=chip.idle_context_w,
    )
