"""Whether a server is on, and when a policy was asked which are to be."""

from __future__ import annotations

import dataclasses

ON, STOPPING, OFF, STARTING = "on", "stopping", "off", "starting"


@dataclasses.dataclass(slots=True, kw_only=True)
class Switch:
    """The switch of a server, which `engine.standby` turns.

    Attributes:
        state: Of the four above.
        ready_s: When it is on, if it starts.
        starts: How often it was started.
        off_s: How long it has been off.
    """

    state: str = ON
    ready_s: float = 0.0
    starts: int = 0
    off_s: float = 0.0


@dataclasses.dataclass(slots=True, kw_only=True)
class Fleet:
    """When the policy was asked last.

    Attributes:
        asked_s: Time.
        request: The first request since.
    """

    asked_s: float = 0.0
    request: int = 0
