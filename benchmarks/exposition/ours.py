"""All scrapes by our reader: one after the other as a meter does, and each as the first one."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tree6g.meter.exposition import ExpositionReader


def spent_s(texts: list[bytes], readers: Iterable[ExpositionReader]) -> float:
    """CPU seconds of reading texts, each by its reader."""
    start = time.process_time()
    for text, reader in zip(texts, readers, strict=True):
        reader.read(text)
    return time.process_time() - start


def found(texts: list[bytes]) -> dict[str, object]:
    """Number of samples, and the sum of each series."""
    reader = ExpositionReader()
    sums: dict[str, float] = {}
    samples = 0
    for scrape in map(reader.read, texts):
        samples += len(scrape.values)
        for series, value in zip(scrape.layout.series, scrape.values, strict=True):
            sums[series.text] = sums.get(series.text, 0.0) + value
    return {"samples": samples, "sums": sums}


if __name__ == "__main__":
    texts = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
    result = {
        "followed_cpu_s": spent_s(texts, [ExpositionReader()] * len(texts)),
        "alone_cpu_s": spent_s(texts, (ExpositionReader() for _ in texts)),
    }
    Path(sys.argv[2]).write_text(json.dumps(result | found(texts)))
