"""A real Prometheus that scrapes the exporter, asked by its own query API."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

PROGRAM = "prometheus"
CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: tree6g
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
"""


def missing() -> bool:
    """Whether this machine has no Prometheus."""
    return shutil.which(PROGRAM) is None


def command(folder: Path, port: int, exporter: int, rules: Path) -> list[str]:
    """How to start it, after writing its configuration."""
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(exporter=exporter, rules=rules))
    return [
        PROGRAM,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]


def query(port: int, expression: str) -> list[dict[str, Any]]:
    """Samples of an instant query."""
    address = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode(
        {"query": expression}
    )
    with urllib.request.urlopen(address, timeout=10.0) as answer:
        body = json.load(answer)
    if body["status"] != "success":
        raise RuntimeError(f"Prometheus refused {expression!r}: {body}")
    return body["data"]["result"]


def by_label(port: int, expression: str, label: str) -> dict[str, float]:
    """Values of an instant query by a label."""
    return {row["metric"].get(label, ""): float(row["value"][1]) for row in query(port, expression)}
