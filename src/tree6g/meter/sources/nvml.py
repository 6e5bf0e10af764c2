"""NVIDIA cards through NVML, if the optional package `pynvml` is there: mJ since the driver loaded.

Source: NVML API reference, nvmlDeviceGetTotalEnergyConsumption, nvmlDeviceGetPowerUsage.
"""

from __future__ import annotations

import importlib
from typing import Any

from tree6g.meter.reading import Form, Found, Reading, reading


def read_nvml() -> Found:
    """Energy and power of every card; an empty one with the reason where there is no NVML."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return Found(format="", problems=("nvml: package pynvml (nvidia-ml-py) is not installed.",))
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Found(format="", problems=(f"nvml: {error}.",))
    readings: list[Reading] = []
    problems: list[str] = []
    try:
        for at in range(nvml.nvmlDeviceGetCount()):
            readings += _card(nvml, at, problems)
    except nvml.NVMLError as error:
        problems.append(f"nvml: {error}.")
    finally:
        nvml.nvmlShutdown()
    return Found(format="nvml", readings=tuple(readings), problems=tuple(problems))


def _card(nvml: Any, at: int, problems: list[str]) -> list[Reading]:
    handle = nvml.nvmlDeviceGetHandleByIndex(at)
    uuid = nvml.nvmlDeviceGetUUID(handle)
    node = uuid.decode() if isinstance(uuid, bytes) else str(uuid)
    made = []
    for name, kind in (("TotalEnergyConsumption", "energy"), ("PowerUsage", "power")):
        try:
            value = float(getattr(nvml, f"nvmlDeviceGet{name}")(handle))
        except nvml.NVMLError as error:
            problems.append(f"nvml: card {node} gives no {kind}: {error}.")
            continue
        form: Form = "counter" if kind == "energy" else "gauge"
        made.append(
            reading(f"{name}[{at}]", kind, form, value, scale=1e-3, node=node, component="gpu")
        )
    return made
