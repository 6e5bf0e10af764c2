"""Paths and loads of transport networks, by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.errors import InfeasibleError
from tree6g.transport.topology import (
    FIBRE_M_PER_S,
    Demand,
    Edge,
    Topology,
    fibre_latency_s,
    great_circle_m,
    loads_bps,
    route,
    routes,
)


def _edge(a, b, latency_s, rate_bps=1e9):
    return Edge(name=f"{a}{b}", a=a, b=b, rate_bps=rate_bps, latency_s=latency_s)


SQUARE = Topology(
    nodes=("a", "b", "c", "d", "lonely"),
    edges=(_edge("a", "b", 1.0), _edge("c", "b", 1.0), _edge("c", "d", 1.0), _edge("a", "d", 2.5)),
)


def test_a_path_is_the_one_of_least_latency_with_its_directions():
    found = route(SQUARE, "a", "c")
    assert (found.edges, found.backwards, found.latency_s) == ((0, 1), (False, True), 2.0)
    assert (found.back.edges, found.back.backwards) == ((1, 0), (False, True))
    assert route(SQUARE, "a", "d").edges == (3,)
    assert route(SQUARE, "b", "b").edges == ()


def test_of_equal_paths_the_one_with_fewer_links_is_taken():
    edges = (_edge("a", "b", 1.0), _edge("b", "c", 1.0), _edge("a", "c", 2.0))
    assert route(Topology(nodes=("a", "b", "c"), edges=edges), "a", "c").edges == (2,)


def test_nodes_without_a_path_are_said():
    assert "lonely" not in routes(SQUARE, "a")
    with pytest.raises(InfeasibleError, match="from 'a' to 'lonely'"):
        route(SQUARE, "a", "lonely")
    with pytest.raises(InfeasibleError, match="from 'lonely' to 'a'"):
        loads_bps(SQUARE, [Demand(source="lonely", target="a", rate_bps=1.0)])


def test_demands_load_every_link_of_their_path_in_its_direction():
    demands = [
        Demand(source="a", target="c", rate_bps=3.0),
        Demand(source="c", target="a", rate_bps=5.0),
        Demand(source="b", target="c", rate_bps=7.0),
    ]
    load = loads_bps(SQUARE, demands)
    assert load.tolist() == [[3.0, 5.0], [5.0, 10.0], [0.0, 0.0], [0.0, 0.0]]


def test_great_circles_and_fibre_by_hand():
    quarter_m = 0.5 * math.pi * 6_371_008.8
    assert great_circle_m((0.0, 90.0), (0.0, 0.0)) == pytest.approx(quarter_m)
    assert great_circle_m((10.0, 10.0), (0.0, 90.0)) == pytest.approx(quarter_m)
    assert fibre_latency_s(1e6) == pytest.approx(4.897e-3, rel=1e-3)
    assert fibre_latency_s(1e6, detour_frac=1.5, hop_s=1e-3) == 1.5e6 / FIBRE_M_PER_S + 1e-3


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 7).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(
                st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.integers(1, 9)),
                min_size=1,
                max_size=14,
            ),
        )
    )
)
def test_paths_are_as_short_as_those_of_floyd_and_warshall(case):
    count, rows = case
    names = tuple(f"n{i}" for i in range(count))
    edges = tuple(
        Edge(name=str(i), a=names[a], b=names[b], rate_bps=1.0, latency_s=float(s))
        for i, (a, b, s) in enumerate(rows)
        if a != b
    )
    far = np.full((count, count), np.inf)
    np.fill_diagonal(far, 0.0)
    for edge in edges:
        i, j = names.index(edge.a), names.index(edge.b)
        far[i, j] = far[j, i] = min(far[i, j], edge.latency_s)
    for k, i, j in itertools.product(range(count), repeat=3):
        far[i, j] = min(far[i, j], far[i, k] + far[k, j])
    topology = Topology(nodes=names, edges=edges)
    for i, source in enumerate(names):
        found = routes(topology, source)
        for j, target in enumerate(names):
            assert (target in found) == np.isfinite(far[i, j])
            if target in found:
                assert found[target].latency_s == far[i, j]
                hops = [topology.edges[number] for number in found[target].edges]
                assert math.fsum(hop.latency_s for hop in hops) == far[i, j]
