"""Embodied carbon of hardware from the packaged table; its sources disagree by up to 3.5 times."""

from __future__ import annotations

import dataclasses
from typing import Final

from tree6g import data
from tree6g.lifecycle.ranges import Range

TABLE: Final = "embodied_carbon"
PHONE: Final = "smartphone"
ANY: Final = "accelerator"
HOST_OF_EIGHT: Final = "host-of-eight"
SERVER: Final = "server"
ROUTER: Final = "router"
ROUTER_W: Final = 90.0  # of that row, in use
PHONE_USE_FRAC: Final = 0.3  # of its life that a smartphone is in use: Boavizta 2.5.0
_BUILT_IN: Final = ("datacentre", "edge-server", "workstation")  # kinds that sit in a server


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Embodied:
    """What it took to make a thing.

    Attributes:
        item: Row of the table.
        kgco2e: Carbon of making it, with the range of its sources.
        lifetime_s: How long it is used.
        primary_energy_j: Primary energy of making it, with its range; None: not published. Primary
            energy is another unit than electricity and never added to it.
        source: Where the figures come from.
    """

    item: str
    kgco2e: Range
    lifetime_s: float
    primary_energy_j: Range | None
    source: str


def embodied(item: str) -> Embodied:
    """A row of the table.

    Raises:
        DataError: No such row; the message names the nearest.
    """
    row = data.row(TABLE, item)
    primary = row["primary_energy_low_j"]
    high = row["primary_energy_high_j"]
    ranged = None
    if isinstance(primary, float) and isinstance(high, float):
        ranged = Range(value=(primary * high) ** 0.5, low=primary, high=high)
    return Embodied(
        item=item,
        kgco2e=Range(
            value=data.number(row, "kgco2e"),
            low=data.number(row, "kgco2e_low"),
            high=data.number(row, "kgco2e_high"),
        ),
        lifetime_s=data.number(row, "lifetime_s"),
        primary_energy_j=ranged,
        source=data.text(row, "source"),
    )


def of_server(accelerator: str, count: int) -> tuple[tuple[Embodied, float], ...]:
    """What a server with accelerators is made of, with how many of each.

    A phone is one thing; boards and processors without a published figure are none, and a caller
    says so. An accelerator nobody published a figure of has the range of those that are.

    Raises:
        DataError: No such accelerator.
    """
    known = _items_of(accelerator)
    if PHONE in known:
        return ((embodied(PHONE), float(count)),)
    kind = data.text(data.row("accelerators", accelerator), "kind")
    if kind not in _BUILT_IN:
        return ()
    own = next((item for item in known if item != HOST_OF_EIGHT), ANY)
    if HOST_OF_EIGHT in known:
        return ((embodied(own), float(count)), (embodied(HOST_OF_EIGHT), float(count)))
    return ((embodied(own), float(count)), (embodied(SERVER), 1.0))


def in_use() -> Embodied:
    """A smartphone whose lifetime is the hours in which it is used, for shares of those hours."""
    phone = embodied(PHONE)
    return dataclasses.replace(phone, lifetime_s=PHONE_USE_FRAC * phone.lifetime_s)


def _items_of(accelerator: str) -> list[str]:
    rows = data.table(TABLE).items()
    return [item for item, row in rows if accelerator in data.text(row, "accelerators").split(";")]
