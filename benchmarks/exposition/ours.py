"""All scrapes by our reader: one after the other as a meter does, and each as the first one."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tree6g.meter.exposition import ExpositionReader


def follow(texts: list[bytes]) -> tuple[float, int, dict[str, float]]:
    """CPU seconds of reading one after the other, samples, and the sum of each series."""
    reader = ExpositionReader()
    cpu_s, samples = 0.0, 0
    sums: dict[str, float] = {}
    for text in texts:
        start = time.process_time()
        scrape = reader.read(text)
        cpu_s += time.process_time() - start
        samples += len(scrape.values)
        for series, value in zip(scrape.layout.series, scrape.values, strict=True):
            sums[series.text] = sums.get(series.text, 0.0) + value
    return cpu_s, samples, sums


def alone(texts: list[bytes]) -> float:
    """CPU seconds of reading each by a new reader."""
    cpu_s = 0.0
    for text in texts:
        start = time.process_time()
        ExpositionReader().read(text)
        cpu_s += time.process_time() - start
    return cpu_s


if __name__ == "__main__":
    texts = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
    followed_cpu_s, samples, sums = follow(texts)
    found = {"samples": samples, "sums": sums, "followed_cpu_s": followed_cpu_s}
    found["alone_cpu_s"] = alone(texts)
    Path(sys.argv[2]).write_text(json.dumps(found))
