"""Sleep policies: what cells switch off, mute and wait for while there is little to do.

A policy is any callable of the protocol `SleepPolicy`, asked at the start of a run and then once
every `sleep_period`. Those of the package are one file each; others come by the entry-point group
`tree6g.sleep_policies` or as an object given to `run`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Protocol

from tree6g.engine.policies.choice import named

GROUP: Final = "tree6g.sleep_policies"
BUILT_IN: Final = (
    "always-on", "idle-timer", "cell-switch-off", "carrier-muting", "antenna-muting",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellReport:
    """What a policy knows of a cell.

    Attributes:
        node: Its name in the ledger.
        on: Whether it is on, or on its way.
        idle_timer_s: Time without traffic before it may sleep, as the scenario says.
        downlink_frac: Share used of its downlink, as it was, since the policy was last asked.
        uplink_frac: The same of its uplink.
        waiting_bit: What waits for its air, both directions.
        bandwidth_hz: Bandwidth of the carriers that are on.
        carriers: Contiguous carriers that it has.
        carriers_on: Those that are on.
        antenna_frac: Share of its transceivers that is on.
        antenna_least_frac: Least share with which every terminal that it serves is still heard.
        covering: For each terminal whose strongest cell it is, the other cells that could serve it,
            by index; terminals with the same ones count once. It is needed for coverage if
            one of these sets holds no cell that is on.
    """

    node: str
    on: bool
    idle_timer_s: float
    downlink_frac: float = 0.0
    uplink_frac: float = 0.0
    waiting_bit: float = 0.0
    bandwidth_hz: float = 1.0
    carriers: int = 1
    carriers_on: int = 1
    antenna_frac: float = 1.0
    antenna_least_frac: float = 1.0
    covering: frozenset[frozenset[int]] = frozenset()

    @property
    def load_frac(self) -> float:
        """Share of the busier direction."""
        return max(self.downlink_frac, self.uplink_frac)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a cell is to do until the policy is asked again.

    Attributes:
        on: Whether it is on. A cell that is to go off waits until all that are to be on are up;
            then its terminals go to them with what waits for it.
        timer_s: Time without traffic before it sleeps between bursts.
        sleeps: Whether it may sleep between bursts at all, as deep as the scenario allows.
        carriers: Contiguous carriers that are on; None: all.
        antenna_frac: Share of transceivers that are on.
    """

    on: bool = True
    timer_s: float = 0.0
    sleeps: bool = True
    carriers: int | None = None
    antenna_frac: float = 1.0


class SleepPolicy(Protocol):
    """Gives every cell an order."""

    def __call__(self, t_s: float, cells: Sequence[CellReport]) -> Sequence[Order]:
        """One order per cell, in the order of the cells."""
        ...


def sleep_policy(name: str) -> SleepPolicy:
    """A policy by name.

    Raises:
        ScenarioError: No such policy.
    """
    found = named(name, "sleep policy", group=GROUP, files=__name__, built_in=BUILT_IN)
    chosen: SleepPolicy = found.decide if name in BUILT_IN else found
    return chosen
