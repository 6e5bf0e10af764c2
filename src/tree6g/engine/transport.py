"""Phase 4: from the cell to the host."""

from __future__ import annotations

from tree6g.compute.batching import Job
from tree6g.engine.world import Tick, World
from tree6g.transport.link import delay_s


def carry(world: World, tick: Tick) -> None:
    """Prompts cross the link of their host, if there is one, and wait at the server."""
    requests = world.requests
    for request, reached_s, bit in tick.prompts:
        host = world.hosts[requests.host[request]]
        arrival_s = reached_s
        spec = world.service_of(request).spec
        if host.link is not None:
            link = host.link
            arrival_s += float(delay_s(bit, rate_bps=link.rate_bps, latency_s=link.latency_s))
            world.carry(int(world.cell_of(request)), spec.name, bit, link)
        if host.batch is not None:
            host.coming -= 1
            host.coming_tok -= float(requests.prompt_tok[request])
            host.batch.submit(
                Job(
                    id=request,
                    arrival_s=arrival_s,
                    prompt_tok=int(requests.prompt_tok[request]),
                    output_tok=int(requests.output_tok[request]),
                    give_up_s=float(requests.arrival_s[request]) + spec.patience_s,
                )
            )
