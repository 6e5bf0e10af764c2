"""The same requests by LEAF 0.4.2: `leaf_peer.py SOURCE OUT`.

Each request is an application of its own in LEAF's manner: a source on its device, the work on the
nearest edge node with room, else on the cloud, and the answer back to the device. It is placed when
it comes and removed after its time, and a power meter reads the whole infrastructure each second.
`cpu_s` is that of the simulation alone, the network built before.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import simpy
from leaf.application import Application, ProcessingTask, SinkTask, SourceTask
from leaf.infrastructure import Infrastructure, Link, Node
from leaf.orchestrator import Orchestrator
from leaf.power import PowerMeter, PowerModelLink, PowerModelNode

TASK_CU = 1.0
EDGE_CU = 256.0  # requests at once, as many as our servers batch
BIT_RATE_BPS = 1e4


class Nearest(Orchestrator):
    """The edge node of the device if it has room, else the cloud."""

    def _processing_task_placement(self, processing_task: ProcessingTask, application: Application):
        source = application.tasks(type_filter=SourceTask)[0]
        edge = EDGE_OF[source.bound_node.name]
        return edge if edge.used_cu + processing_task.cu <= edge.cu else CLOUD[0]


EDGE_OF: dict[str, Node] = {}
CLOUD: list[Node] = []


def network(devices: int, edges: int) -> tuple[Infrastructure, list[Node]]:
    """Devices at their edge nodes, edge nodes at the cloud, links in both directions."""
    infrastructure = Infrastructure()
    cloud = Node("cloud", power_model=PowerModelNode(power_per_cu=5.0))
    CLOUD.append(cloud)
    hubs = []
    for number in range(edges):
        power = PowerModelNode(max_power=72.0, static_power=16.0)
        hubs.append(Node(f"edge-{number}", cu=EDGE_CU, power_model=power))
        _join(infrastructure, hubs[-1], cloud, latency=10.0, energy=20e-9)
    terminals = []
    for number in range(devices):
        power = PowerModelNode(max_power=2.0, static_power=0.1)
        node = Node(f"device-{number}", cu=10.0, power_model=power)
        EDGE_OF[node.name] = hubs[number % edges]
        _join(infrastructure, node, hubs[number % edges], latency=5.0, energy=100e-9)
        terminals.append(node)
    return infrastructure, terminals


def _join(infra: Infrastructure, a: Node, b: Node, *, latency: float, energy: float) -> None:
    for one, other in ((a, b), (b, a)):
        power = PowerModelLink(energy)
        infra.add_link(Link(one, other, bandwidth=1e10, power_model=power, latency=latency))


def application(device: Node) -> Application:
    """A request: there, worked on, and back."""
    app = Application()
    source, work, sink = (
        SourceTask(bound_node=device), ProcessingTask(cu=TASK_CU), SinkTask(bound_node=device)
    )  # fmt: skip
    app.add_task(source)
    app.add_task(work, incoming_data_flows=[(source, BIT_RATE_BPS)])
    app.add_task(sink, incoming_data_flows=[(work, BIT_RATE_BPS)])
    return app


def main(source: Path, out: Path) -> None:
    """Simulate, and write what it took."""
    asked = json.loads((source / "peer.json").read_text())
    infrastructure, terminals = network(asked["devices"], asked["edges"])
    orchestrator = Nearest(infrastructure)
    env = simpy.Environment()
    done = [0]

    def request(device: Node) -> Iterator[simpy.Event]:
        app = application(device)
        orchestrator.place(app)
        yield env.timeout(asked["hold_s"])
        app.deallocate()
        done[0] += 1

    def arrive() -> Iterator[simpy.Event]:
        for at_s, number in zip(asked["arrival_s"], asked["device"], strict=True):
            yield env.timeout(at_s - env.now)
            env.process(request(terminals[number]))

    meter = PowerMeter(infrastructure, measurement_interval=1)
    env.process(arrive())
    env.process(meter.run(env))
    start = time.process_time()
    env.run(until=asked["end_s"] + 10.0)
    cpu_s = time.process_time() - start
    found = {"cpu_s": cpu_s, "requests": done[0], "readings": len(meter.measurements)}
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
