"""Traffic models of data services: which sources send how much when, in any window of time.

The models and their figures are rows of the packaged table `traffic_models`, each with its source.
All is drawn in blocks of a fixed length, so that it does not depend on where windows are cut:

    poisson     messages at random times (`traffic.messages`)
    periodic    one message per period, each source at a phase of its own (`traffic.messages`)
    frames      the same with jitter: coded video of extended reality and cloud gaming
    talk        a voice codec: frames while somebody talks, a few descriptions of noise while not
    reports     devices that report once a day, every two hours, hour or half hour
    alarms      all sources of a site send one message each, spread over some seconds
    sessions    sources that begin at random and then send a segment per period, as streaming does

Nothing is under way when a run begins: sessions build up over their mean length.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np

from tree6g import data
from tree6g.traffic.messages import (
    BLOCK_S,
    PoissonSources,
    block_s,
    periodic,
)
from tree6g.traffic.sizes import sizes, truncated_gauss
from tree6g.traffic.sources import (
    REPORTS,
    EventSources,
    FrameSources,
    ReportSources,
    Sized,
    TalkSources,
    Timing,
    Traffic,
)

TABLE: Final = "traffic_models"
WITH_CURVE: Final = ("poisson", "alarms", "sessions")  # whose rate may follow the hours of a day
ALWAYS_ON: Final = ("frames", "talk")  # whose rate is that of a codec


def mean_segments(segment_s: float, session_s: float) -> float:
    """Mean messages of a session: the ceiling of an exponential time is geometric."""
    return 1.0 / -math.expm1(-segment_s / session_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a scenario says of the sources of a data service.

    Attributes:
        arrival: How messages come, see above.
        pattern: Row of `traffic_models` with further figures, if any.
        sites: Sites.
        sources: Sources of each.
        message_byte: Mean size of a message.
        period_s: Mean time between messages of one source.
        curve: Relative rate in each hour of a day. [hour]
        by_site: The same of each site, where they have their own. [site][hour]
    """

    arrival: str
    pattern: str | None
    sites: int
    sources: int
    message_byte: float
    period_s: float
    curve: tuple[float, ...] = ()
    by_site: tuple[tuple[float, ...], ...] = ()


def traffic(asked: Asked, stream: np.random.SeedSequence) -> Traffic:
    """The traffic of a data service at all sites; sources are numbered site by site.

    Args:
        asked: What the scenario says. Sizes and times of its pattern are scaled to its means.
        stream: Seed.

    Raises:
        DataError: No such pattern, or one without the figures for the arrival.
    """
    rng = np.random.default_rng(stream)
    row = None if asked.pattern is None else data.row(TABLE, asked.pattern)
    if asked.arrival == "talk" and row is not None:
        return _talk(asked, row, rng)
    byte = np.random.default_rng(stream.spawn(1)[0])
    return Sized(timing=_timing(asked, row, rng), sizes=sizes(byte, asked.message_byte, row))


def _timing(asked: Asked, row: data.Row | None, rng: np.random.Generator) -> Timing:
    count = asked.sources * asked.sites
    if asked.arrival == "periodic":
        alike = periodic(rng, count, asked.period_s)
        if asked.sites == 1:
            return alike
        # Phases ascend: sites must not send one after the other.
        return ReportSources(parts=(alike,), members=(rng.permutation(count),))
    if row is None or asked.arrival == "poisson":
        return PoissonSources(
            rng=rng,
            sources=count,
            period_s=asked.period_s,
            curve=asked.curve,
            by_site=asked.by_site,
            least_block_s=BLOCK_S if asked.sites == 1 else block_s(count, asked.period_s),
        )
    if asked.arrival == "frames":
        return _frames(asked, row, rng)
    if asked.arrival == "reports":
        return _reports(asked, row, rng)
    return _events(asked, row, rng)


def _frames(asked: Asked, row: data.Row, rng: np.random.Generator) -> FrameSources:
    most_s = data.number(row, "jitter_max_s")
    level, jitter_s = truncated_gauss(0.0, data.number(row, "jitter_std_s"), -most_s, most_s)
    return FrameSources(
        rng=rng,
        phase_s=rng.random(asked.sources * asked.sites) * asked.period_s,
        period_s=asked.period_s,
        level=level,
        jitter_s=jitter_s + most_s,
    )


def _talk(asked: Asked, row: data.Row, rng: np.random.Generator) -> TalkSources:
    count = asked.sources * asked.sites
    slower = asked.period_s / data.number(row, "period_s")
    larger = asked.message_byte / data.number(row, "message_byte")
    frame_s = data.number(row, "talk_period_s")
    every = round(data.number(row, "silence_period_s") / frame_s)
    return TalkSources(
        rng=rng,
        phase_s=rng.random(count) * frame_s * slower,
        talking=rng.random(count) < 0.5,  # both changes are equally likely
        since=rng.integers(every, size=count),
        frame_s=frame_s * slower,
        every=every,
        change_frac=data.number(row, "change_frac"),
        byte=(
            data.number(row, "silence_byte") * larger,
            data.number(row, "talk_byte") * larger,
        ),
    )


def _reports(asked: Asked, row: data.Row, rng: np.random.Generator) -> ReportSources:
    slower = asked.period_s / data.number(row, "period_s")
    shares = np.array([share for _, share in REPORTS])
    kind = rng.choice(len(shares), size=asked.sources * asked.sites, p=shares)
    members = tuple(np.flatnonzero(kind == n) for n in range(len(shares)))
    parts = []
    for mine, (period_s, _) in zip(members, REPORTS, strict=True):
        parts.append(periodic(rng, len(mine), period_s * slower))
    some = [n for n, mine in enumerate(members) if len(mine)]
    return ReportSources(
        parts=tuple(parts[n] for n in some),
        members=tuple(rng.permutation(members[n]) for n in some),
    )


def _events(asked: Asked, row: data.Row, rng: np.random.Generator) -> EventSources:
    if asked.arrival == "alarms":
        return EventSources(
            rng=rng,
            places=asked.sites,
            event_period_s=asked.period_s,
            curve=asked.curve,
            by_site=asked.by_site,
            sources=asked.sources,
            spread_s=data.number(row, "spread_s"),
            beta=(data.number(row, "spread_alpha"), data.number(row, "spread_beta")),
            length_s=block_s(asked.sites, asked.period_s),
        )
    segment_s, session_s = data.number(row, "segment_s"), data.number(row, "session_s")
    count = asked.sources * asked.sites
    each_s = asked.period_s * mean_segments(segment_s, session_s)
    return EventSources(
        rng=rng,
        places=count,
        event_period_s=each_s,
        curve=asked.curve,
        by_site=asked.by_site,
        segment_s=segment_s,
        session_s=session_s,
        length_s=block_s(count, each_s),
    )
