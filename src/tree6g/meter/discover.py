"""What this machine offers a meter: counters of the kernel, cards, and servers on loopback.

Nothing is asked beyond files of the system and `/metrics` of usual ports on 127.0.0.1.
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tree6g.errors import MeterError
from tree6g.meter.fetch import fetch
from tree6g.meter.reading import Found
from tree6g.meter.recognise import recognise
from tree6g.meter.sources import nvml, sysfs

PORTS: Final[Mapping[int, str]] = {
    3000: "TGI", 4000: "LiteLLM", 8000: "vLLM or TensorRT-LLM", 8002: "Triton",
    8080: "llama.cpp or Scaphandre", 8888: "Kepler until 0.9", 9100: "node_exporter",
    9400: "dcgm-exporter", 28282: "Kepler from 0.10 on", 30000: "SGLang",
}  # fmt: skip
_CONNECT_S: Final = 0.3
_ANSWER_S: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One thing that was looked for.

    Attributes:
        what: What it would be.
        target: What to give `tree6g meter test`; empty if there is nothing to give.
        found: What it says; None if it is not there.
        reason: Why it is not there, or cannot be used.
    """

    what: str
    target: str = ""
    found: Found | None = None
    reason: str = ""


def discover(root: Path = Path("/"), ports: Mapping[int, str] = PORTS) -> tuple[Offer, ...]:
    """All that was looked for, what is there and what is not."""
    return (*_kernel(root), _cards(), _cpu_time(root), *_servers(ports))


def to_dict(offers: tuple[Offer, ...]) -> dict[str, Any]:
    """The machine-readable answer."""
    return {
        "offers": [
            {
                "what": o.what, "target": o.target, "format": o.found.format,
                "kinds": sorted({r.kind for r in o.found.readings if r.net_si is not None}),
                "problems": list(o.found.problems),
            }
            for o in offers
            if o.found is not None
        ],
        "absent": [{"what": o.what, "reason": o.reason} for o in offers if o.found is None],
    }  # fmt: skip


def _kernel(root: Path) -> Iterator[Offer]:
    tree = sysfs.folder(root)
    for what, part in (("RAPL (powercap)", "/powercap/"), ("power sensors (hwmon)", "/hwmon/")):
        own = {path: text for path, text in tree.items() if part in path}
        folder = f"{root}/sys/class{part}".replace("//", "/").rstrip("/")
        found = sysfs.read_sysfs(own)
        if not own:
            yield Offer(what=what, reason=f"{folder} is absent or empty, as in most guests")
        elif not any(r.value_si is not None for r in found.readings):
            reason = next(iter(found.problems), "no sensor of energy or power")
            yield Offer(what=what, reason=reason)
        else:
            yield Offer(what=what, target=str(root), found=found)


def _cards() -> Offer:
    found = nvml.read_nvml()
    what = "NVIDIA cards (NVML)"
    if found.readings:
        return Offer(what=what, target="nvml", found=found)
    return Offer(what=what, reason=next(iter(found.problems), "no card"))


def _cpu_time(root: Path) -> Offer:
    """CPU time is everywhere on Linux, and energy from it only an estimate."""
    what = "CPU time (an estimate of energy where nothing meters it)"
    path = root / "proc" / "stat"
    try:
        return Offer(what=what, target=str(path), found=recognise(fetch(str(path))))
    except MeterError as error:
        return Offer(what=what, reason=str(error))


def _servers(ports: Mapping[int, str]) -> Iterator[Offer]:
    for port, usual in ports.items():
        what = f"127.0.0.1:{port} ({usual})"
        if not _listens(port):
            yield Offer(what=what, reason="nothing listens")
            continue
        target = f"http://127.0.0.1:{port}/metrics"
        try:
            found = recognise(fetch(target, quiet_s=_ANSWER_S, whole_s=_ANSWER_S))
        except MeterError as error:
            yield Offer(what=what, reason=str(error))
        else:
            yield Offer(what=what, target=target, found=found)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True
