"""IPMI: what `ipmitool dcmi power reading` prints: power now, in watts.

Source: DCMI 1.5, Get Power Reading; ipmitool.
"""

from __future__ import annotations

import re
from typing import Final

from tree6g.meter.reading import Found, reading

_POWER: Final = re.compile(r"Instantaneous power reading:\s*(\d{1,9})\s*Watts", re.ASCII)
_STATE: Final = re.compile(r"Power reading state is:\s*(\w+)")


def read_ipmi(text: str) -> Found:
    """The power now; an empty `Found` if the text is something else."""
    power, state = _POWER.search(text), _STATE.search(text)
    if power is None:
        return Found(format="")
    if state and state[1] != "activated":
        return Found(format="ipmi", problems=(f"ipmi: power reading is {state[1]}.",))
    name = "Instantaneous power reading"
    return Found(
        format="ipmi",
        readings=(reading(name, "power", "gauge", float(power[1]), component="host"),),
    )
