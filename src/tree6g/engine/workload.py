"""The AI requests of a run: from traces, or drawn from the packaged patterns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tree6g.engine.crowd import Crowd, IntArray
from tree6g.engine.places import own_hours
from tree6g.engine.world import Ai, Requests
from tree6g.errors import ScenarioError, nearest
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.model import Scenario, Site
from tree6g.scenario.trace import Trace
from tree6g.traffic.lengths import draw_arrivals_s, draw_lengths, request_pattern, with_means
from tree6g.traffic.messages import HOUR_S, site_rates, who

Columns = tuple[IntArray, FloatArray, IntArray, IntArray]  # service, arrival, prompt, output


def draw_requests(
    scenario: Scenario,
    users: Crowd,
    sites: Sequence[Site],
    ai: Sequence[Ai],
    traces: dict[str | None, Trace],
    seeds: np.random.SeedSequence,
) -> tuple[Requests, float]:
    """All AI requests in order of arrival, and when the last may come.

    A trace for all AI requests is split over the services at random by their request shares; a
    service with a trace of its own takes that; the others are drawn at the population's rate over
    the length of the longest trace. Traces whose requests all come at once have no length: the
    scenario's duration stands.

    Raises:
        ScenarioError: A trace for a service that there is not.
    """
    known = {s.spec.name for s in ai}
    for name in traces:
        if (name is not None and name not in known) or not ai:
            raise ScenarioError(
                f"expected an AI service for the trace; got {name!r}. {nearest(str(name), known)}"
            )
    length_s = max((float(t.arrival_s[-1]) for t in traces.values()), default=0.0)
    end_s = length_s or scenario.duration_s
    *streams, split, homes = seeds.spawn(len(ai) + 2)
    if None in traces:
        parts = [_split(traces[None], ai, np.random.default_rng(split))]
    else:
        parts = [
            _of_trace(traces[s.spec.name], s)
            if s.spec.name in traces
            else _drawn(scenario, len(users), sites, s, np.random.default_rng(stream), end_s)
            for s, stream in zip(ai, streams, strict=True)
        ]
    parts = [_as_images(part, ai) for part in parts]
    requests = _merged(scenario, users, parts, np.random.default_rng(homes))
    _move_home(requests, sites, ai, traces, homes)
    return requests, end_s


def _as_images(part: Columns, ai: Sequence[Ai]) -> Columns:
    """The requests with one image in and one out where that is what their service does."""
    index, arrival_s, prompt, output = part
    image = np.array([s.spec.result == "image" for s in ai])[index]
    return index, arrival_s, np.where(image, 1, prompt), np.where(image, 1, output)


def _of_trace(trace: Trace, service: Ai) -> Columns:
    index = np.full(len(trace), service.index)
    return index, trace.arrival_s, _whole(trace.input_tok), _whole(trace.output_tok)


def _split(trace: Trace, ai: Sequence[Ai], rng: np.random.Generator) -> Columns:
    shares = np.array([s.spec.request_share_frac for s in ai])
    index = rng.choice(len(ai), size=len(trace), p=shares / shares.sum())
    return index, trace.arrival_s, _whole(trace.input_tok), _whole(trace.output_tok)


def _drawn(
    scenario: Scenario,
    users: int,
    sites: Sequence[Site],
    service: Ai,
    rng: np.random.Generator,
    end_s: float,
) -> Columns:
    people = scenario.population
    per_hour = users * people.ai_requests_per_user_hour
    spec = service.spec
    pattern = with_means(request_pattern(spec.lengths), spec.mean_prompt_tok, spec.mean_answer_tok)
    rate_per_s = per_hour * service.spec.request_share_frac * service.spec.growth / 3600.0
    curve = service.spec.day_curve
    by_site = own_hours(curve, sites)
    if by_site:
        curve = tuple(float(site_rates(by_site, HOUR_S * h).mean()) for h in range(len(curve)))
    arrivals_s = draw_arrivals_s(rng, pattern, rate_per_s=rate_per_s, duration_s=end_s, curve=curve)
    prompt, output = draw_lengths(rng, pattern, len(arrivals_s))
    return np.full(len(arrivals_s), service.index), arrivals_s, prompt, output


def _whole(tok: np.ndarray) -> IntArray:
    return np.maximum(np.asarray(tok, dtype=np.int64), 1)


def _merged(
    scenario: Scenario, users: Crowd, parts: Sequence[Columns], rng: np.random.Generator
) -> Requests:
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.empty(0)] * 4
    order = np.argsort(columns[1], kind="stable")
    service, arrival_s, prompt, output = (column[order] for column in columns)
    count = len(order)
    site, user = _homes(scenario, users, count, rng)
    return Requests(
        service=service.astype(np.int64),
        site=site,
        user=user,
        arrival_s=arrival_s,
        prompt_tok=prompt.astype(np.int64),
        output_tok=output.astype(np.int64),
        host=np.full(count, -1),
        delivered_tok=np.zeros(count, dtype=np.int64),
        late_tok=np.zeros(count, dtype=np.int64),
        late_in_tok=np.zeros(count, dtype=np.int64),
        first_s=np.full(count, np.inf),
        last_s=np.zeros(count),
        outcome=np.zeros(count, dtype=np.int64),
    )


def _move_home(
    requests: Requests,
    sites: Sequence[Site],
    ai: Sequence[Ai],
    traces: dict[str | None, Trace],
    seed: np.random.SeedSequence,
) -> None:
    """Homes by the hours of the sites, where these have day curves of their own."""
    rng = np.random.default_rng(seed.spawn(1)[0])
    hour = (requests.arrival_s // HOUR_S).astype(np.int64)
    for service in ai:
        by_site = own_hours(service.spec.day_curve, sites)
        if not by_site or {None, service.spec.name} & set(traces):
            continue
        mine = requests.service == service.index
        for at in np.unique(hour[mine]).tolist():
            rows = np.flatnonzero(mine & (hour == at))
            requests.site[rows] = who(rng, len(sites), by_site, HOUR_S * at, len(rows))


def _homes(
    scenario: Scenario, users: Crowd, count: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Home site of each request's user, and its number there. [request]."""
    if not scenario.population.places:
        sites = len(users.first) - 1
        site = rng.integers(sites, size=count)
        return site, rng.integers(scenario.population.users, size=count)
    terminal = rng.integers(len(users), size=count)
    site = np.searchsorted(users.first, terminal, side="right") - 1
    return site, terminal - users.first[site]
