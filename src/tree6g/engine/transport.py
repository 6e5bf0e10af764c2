"""Phase 4: from the cell to the host."""

from __future__ import annotations

import numpy as np

from tree6g.compute.batching import Job
from tree6g.engine.crowd import UP
from tree6g.engine.outages import send_again
from tree6g.engine.paths import one_s
from tree6g.engine.world import Tick, World


def carry(world: World, tick: Tick) -> None:
    """Prompts cross the link of their host, if there is one, and wait at the server."""
    requests = world.requests
    if not tick.prompts:
        return
    refs = np.array([request for request, _, _ in tick.prompts])
    cells = world.cell_of(refs).tolist()
    prompt_tok, output_tok = requests.prompt_tok[refs].tolist(), requests.output_tok[refs].tolist()
    asked_s, hosts = requests.arrival_s[refs].tolist(), requests.host[refs].tolist()
    services = requests.service[refs].tolist()
    carried: dict[tuple[int, str, int], tuple[float, int]] = {}
    for n, (request, reached_s, bit) in enumerate(tick.prompts):
        host, spec, arrival_s = world.hosts[hosts[n]], world.ai[services[n]].spec, reached_s
        if host.link is not None:
            arrival_s += one_s(world, host.link, cells[n], bit, UP)
            key = (cells[n], spec.name, host.number)
            before = carried.get(key, (0.0, 0))
            carried[key] = before[0] + bit, before[1] + 1
        if host.batch is not None:
            host.coming -= 1
            host.coming_tok -= float(prompt_tok[n])
            if host.out:
                send_again(world, request)
                continue
            host.batch.submit(
                Job(
                    id=request,
                    arrival_s=arrival_s,
                    prompt_tok=prompt_tok[n],
                    output_tok=output_tok[n],
                    give_up_s=asked_s[n] + spec.patience_s,
                )
            )
    for (cell, service, number), (bit, count) in carried.items():
        world.carry(cell, service, bit, world.hosts[number].link, kind=UP, count=count)
