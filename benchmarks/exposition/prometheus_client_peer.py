"""All scrapes by the parser of prometheus_client."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

if __name__ == "__main__":
    texts = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
    cpu_s = 0.0
    sums: dict[str, float] = {}
    samples = 0
    for text in texts:
        start = time.process_time()
        families = list(text_string_to_metric_families(text.decode()))
        cpu_s += time.process_time() - start
        for sample in (sample for family in families for sample in family.samples):
            inner = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            name = f"{sample.name}{{{inner}}}" if inner else sample.name
            sums[name] = sums.get(name, 0.0) + sample.value
            samples += 1
    found = {"cpu_s": cpu_s, "samples": samples, "sums": sums}
    Path(sys.argv[2]).write_text(json.dumps(found))
