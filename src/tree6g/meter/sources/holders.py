"""Who holds a device: the pod, container or job that an exporter names in labels.

An exporter that Prometheus has scraped carries its own pod in `pod` and the device's in
`exported_pod`, so the latter goes first.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.exposition_line import Series

_SPACE: Final = ("exported_namespace", "namespace", "kube_namespace")
_POD: Final = ("exported_pod", "pod", "kube_pod")
_JOB: Final = ("job_id", "hpc_job", "slurm_job_id")


def holder(series: Series) -> str:
    """`namespace/pod` that a device is given to, or the job; empty if nobody is named."""
    pod = series.label(*_POD)
    if pod:
        space = series.label(*_SPACE)
        return f"{space}/{pod}" if space else pod
    return series.label(*_JOB) or ""
