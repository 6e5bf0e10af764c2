"""Time and memory of `city-day` over users and hours: `python benchmarks/city_scale.py`.

A city of an eighth of the users and three hours, with 1, 2, 4 and 8 times the users or the hours;
each run is a process of its own. Writes `docs/images/city-scale.csv` and `.png`. Times depend on
the machine and on what else it does: CPU time is in the table beside the time on the clock.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
USERS: Final = 300 // 8  # per site
DEVICES: Final = 500 // 8
HOURS: Final = 3
FACTORS: Final = (1, 2, 4, 8)
SERVICES: Final = ("streaming", "files", "uploads", "messages")


def measure(users: int, hours: int) -> dict[str, float]:
    """One run: requests, seconds and bytes."""
    sets = [
        f"population.users={USERS * users}",
        f"duration={HOURS * hours} h",
        f"services.meters.sources={DEVICES * users}",
        *(f"services.{name}.sources={USERS * users}" for name in SERVICES),
    ]
    words = [part for change in sets for part in ("--set", change)]
    command = [str(Path(sys.executable).with_name("tree6g")), "run", "city-day", *words]
    with tempfile.TemporaryDirectory() as folder:
        command += ["--json", "--no-report", "--out", str(Path(folder) / "out")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    info = found["run_info"]
    return {
        "users": 19 * USERS * users,
        "hours": HOURS * hours,
        "requests": found["requests"]["arrived"],
        "wall_s": info["wall_s"],
        "cpu_s": info["cpu_s"],
        "peak_rss_byte": info["peak_rss_byte"],
        "load_before": os.getloadavg()[0],
    }


def main() -> None:
    """Measure, write the table, draw the figure."""
    measure(1, 1)  # compiles
    rows = [("users", factor, measure(factor, 1)) for factor in FACTORS]
    rows += [("hours", factor, measure(1, factor)) for factor in FACTORS]
    with (IMAGES / "city-scale.csv").open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["over", "factor", *rows[0][2]])
        writer.writerows([over, factor, *row.values()] for over, factor, row in rows)
    draw(rows)


def draw(rows: list[tuple[str, int, dict[str, float]]]) -> None:
    """CPU time and memory over the factor, with the line of proportion through the first."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(8.0, 3.2), layout="constrained")
    for over, marker in (("users", "o"), ("hours", "s")):
        mine = [(factor, row) for name, factor, row in rows if name == over]
        factors = [factor for factor, _ in mine]
        for panel, key, scale in ((panels[0], "cpu_s", 1.0), (panels[1], "peak_rss_byte", 1e-6)):
            panel.plot(factors, [scale * row[key] for _, row in mine], marker=marker, label=over)
    first = rows[0][2]["cpu_s"]
    panels[0].plot(FACTORS, [first * f for f in FACTORS], ":", color="0.5", label="in proportion")
    for panel, label in zip(panels, ("CPU time (s)", "peak memory (MB)"), strict=True):
        panel.set(xlabel="times the users or the hours", ylabel=label, ylim=(0.0, None))
        panel.legend(frameon=False)
    figure.savefig(IMAGES / "city-scale.png", dpi=120)


if __name__ == "__main__":
    main()
