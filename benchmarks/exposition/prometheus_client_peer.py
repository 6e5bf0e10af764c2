"""All scrapes by the parser of prometheus_client."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families


def spent_s(texts: list[bytes]) -> float:
    """CPU seconds of reading texts."""
    start = time.process_time()
    for text in texts:
        for _ in text_string_to_metric_families(text.decode()):
            pass
    return time.process_time() - start


def found(texts: list[bytes]) -> dict[str, object]:
    """Number of samples, and the sum of each series."""
    sums: dict[str, float] = {}
    samples = 0
    for text in texts:
        families = text_string_to_metric_families(text.decode())
        for sample in (sample for family in families for sample in family.samples):
            inner = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            name = f"{sample.name}{{{inner}}}" if inner else sample.name
            sums[name] = sums.get(name, 0.0) + sample.value
            samples += 1
    return {"samples": samples, "sums": sums}


if __name__ == "__main__":
    texts = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
    result = {"cpu_s": spent_s(texts)}
    Path(sys.argv[2]).write_text(json.dumps(result | found(texts)))
