"""All scrapes by our reader: one after the other as a meter does, and each as the first one."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tree6g.meter.exposition import ExpositionReader

if __name__ == "__main__":
    texts = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
    reader = ExpositionReader()
    spent_s = {"followed": 0.0, "alone": 0.0}
    sums: dict[str, float] = {}
    samples = 0
    for text in texts:
        start = time.process_time()
        scrape = reader.read(text)
        spent_s["followed"] += time.process_time() - start
        start = time.process_time()
        alone = ExpositionReader().read(text)
        spent_s["alone"] += time.process_time() - start
        assert (scrape.layout.series, scrape.values) == (alone.layout.series, alone.values)
        samples += len(scrape.values)
        for series, value in zip(scrape.layout.series, scrape.values, strict=True):
            sums[series.text] = sums.get(series.text, 0.0) + value
    found = {"samples": samples, "sums": sums}
    found |= {f"{case}_cpu_s": cpu_s for case, cpu_s in spent_s.items()}
    Path(sys.argv[2]).write_text(json.dumps(found))
