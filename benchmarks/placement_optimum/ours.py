"""Place services and print what is proven: `ours.py FOLDER OUT [GAP]`; one process, one thread."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from tree6g.optimise.placement.problem import Problem, Services, Sites
from tree6g.optimise.placement.solve import Solution, place
from tree6g.optimise.placement.ways import Demand, Variants, enumerated
from tree6g.optimise.placement.ways import Path as Transport

IDLE_W = (40.0, 150.0)
REQUIRED = (False, True)


def problem(given: dict[str, np.ndarray], idle_w: float, *, required: bool) -> Problem:
    """The problem with a certain idle power of sites."""
    names = ("memory_byte", "worth_bit_per_tok", "handed_on_bit_per_tok", "s_per_tok")
    models = {name: given[name] for name in (*names, "j_per_tok", "accelerators")}
    variants = Variants(names=tuple("01234"), **models)
    loads = ("rate_tps", "weight", "latency_limit_s", "terminal_memory_byte", "near")
    demand = Demand(**{name: given[name] for name in (*loads, "air_bps", "air_j_per_bit")})
    cloud = len(given["site_accelerators"]) - 1
    path = Transport(cloud=cloud, cloud_s=0.012, cloud_j_per_bit=2e-7, text_bit_per_tok=800.0)
    ways, _ = enumerated(variants, demand, path, given["cuts"])
    sites = Sites(
        idle_power_w=np.append(np.full(cloud, idle_w), 0.0),
        accelerators=given["site_accelerators"],
        memory_byte=given["site_memory_byte"],
        uplink_bps=given["site_uplink_bps"],
        always_on=np.arange(cloud + 1) == cloud,
    )
    return Problem(
        services=Services(latency_limit_s=demand.latency_limit_s, required=np.array(required)),
        sites=sites,
        ways=ways,
        fixed_power_w=float(given["fixed_power_w"]),
        fixed_data_bps=float(given["fixed_data_bps"]),
    )


def measured(given: dict[str, np.ndarray], idle_w: float, *, required: bool) -> dict[str, object]:
    """A solution with its cost."""
    begin = time.process_time()
    case = problem(given, idle_w, required=required)
    built_s = time.process_time() - begin
    solution: Solution = place(case, gap_frac=float(sys.argv[3]) if len(sys.argv) > 3 else 0.01)
    return {
        "idle_w": idle_w,
        "required": required,
        "built_cpu_s": built_s,
        "cpu_s": time.process_time() - begin,
        "ways": solution.usable,
        "priced": solution.priced,
        "value": solution.value,
        "upper_bound": solution.upper_bound,
        "gap_frac": solution.gap_frac,
        "relaxed_gap_frac": solution.relaxed_bound / solution.value - 1.0,
        "bound_by": solution.bound_by,
        "nodes": solution.nodes,
        "served": int((solution.chosen >= 0).sum()),
        "open": int(solution.open.sum()),
    }


if __name__ == "__main__":
    with np.load(Path(sys.argv[1]) / "problem.npz") as file:
        loaded = dict(file)
    rows = [measured(loaded, w, required=required) for w in IDLE_W for required in REQUIRED]
    Path(sys.argv[2]).write_text(json.dumps(rows, indent=1))
