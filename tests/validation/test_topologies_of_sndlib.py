"""Five transport networks of SNDlib: what is read of them, and paths between cities."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.scenario.topology import Topology, TopologyEdge
from tree6g.scenario.topology_file import read_topology
from tree6g.transport.topology import Demand, loads_bps, routes

# Nodes, links, demands as SNDlib lists them (sndlib.zib.de, table of problem instances).
COUNTS = {
    "abilene": (12, 15, 132),
    "geant": (22, 36, 462),
    "germany50": (50, 88, 662),
    "nobel-germany": (17, 26, 121),
    "polska": (12, 18, 66),
}
# Great circles between cities in km, from their coordinates in public gazetteers; the networks'
# own coordinates are rounded to hundredths of a degree, polska's to tenths.
DISTANCES_KM = [
    ("nobel-germany", "Berlin", "Hamburg", 255, 0.02),
    ("nobel-germany", "Hannover", "Hamburg", 133, 0.05),
    ("germany50", "Berlin", "Hamburg", 255, 0.02),
    ("polska", "Gdansk", "Warsaw", 284, 0.1),
    ("abilene", "NYCMng", "WASHng", 328, 0.05),
    ("geant", "at1.at", "hu1.hu", 215, 0.05),
]


@pytest.fixture(scope="module")
def networks(reference_data):
    folder = reference_data / "transport"
    return {name: read_topology(folder / f"{name}.json") for name in COUNTS}


def _graph(file):
    edges = [
        TopologyEdge(name=link.name, a=link.a, b=link.b, rate_bps=1e9, length_m=link.length_m)
        for link in file.links
    ]
    return Topology(energy_j_per_bit=0.0, idle_power_w=0.0, edges=tuple(edges)).graph


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_those_of_the_library(networks, name):
    file = networks[name]
    assert (len(file.nodes), len(file.links), len(file.demands)) == COUNTS[name]
    assert file.name == name


@pytest.mark.parametrize(("name", "a", "b", "km", "within"), DISTANCES_KM)
def test_paths_between_cities_are_not_shorter_than_the_great_circle(
    networks, name, a, b, km, within
):
    found = routes(_graph(networks[name]), a)[b]
    assert found.length_m >= 1e3 * km * (1.0 - within)
    if len(found.edges) == 1:
        assert found.length_m == pytest.approx(1e3 * km, rel=within)


@pytest.mark.parametrize("name", COUNTS)
def test_every_node_reaches_every_other_and_detours_are_those_of_backbones(networks, name):
    file, stretch = networks[name], []
    graph = _graph(file)
    for source in graph.nodes:
        found = routes(graph, source)
        assert set(found) == set(file.nodes)
        for target, path in found.items():
            if target != source:
                direct = _graph_distance(file, source, target)
                assert path.length_m >= direct * (1.0 - 1e-9)
                stretch.append(path.length_m / max(direct, 1.0))
    print(name, np.median(stretch).round(3), np.max(stretch).round(2))  # noqa: T201 - figures
    assert 1.0 <= np.median(stretch) < 1.5


def _graph_distance(file, a, b):
    from tree6g.transport.topology import great_circle_m

    (lon_a, lat_a), (lon_b, lat_b) = file.nodes[a], file.nodes[b]
    return great_circle_m((lon_a, lon_b), (lat_a, lat_b))


@pytest.mark.parametrize("name", COUNTS)
def test_loads_of_all_links_add_up_to_demand_times_hops(networks, name):
    file = networks[name]
    graph = _graph(file)
    demands = [Demand(source=s, target=t, rate_bps=v) for s, t, v in file.demands]
    hops = sum(v * len(routes(graph, s)[t].edges) for s, t, v in file.demands)
    assert loads_bps(graph, demands).sum() == pytest.approx(hops, rel=1e-12)
    assert all(link.length_m > 0.0 for link in file.links)


def test_only_abilene_says_what_is_installed(networks):
    installed = {n for n, file in networks.items() if all(x.installed > 0 for x in file.links)}
    assert installed == {"abilene"}
    assert all(link.modules for file in networks.values() for link in file.links)
