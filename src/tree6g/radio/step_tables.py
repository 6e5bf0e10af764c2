"""The messages of all cells of a step as flat tables, for the loops that NumPy is too slow for.

Columns are arrays where the loops are compiled and lists where they are not; the same numbers come
out. Messages stand queue by queue, queues cell by cell and pool by pool.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Column = Any  # an array or a list, of numbers


class Waiting(NamedTuple):
    """Messages that wait for the air. Columns are [message].

    Attributes:
        heard_s: When its receiver or its cell can know of it.
        open_s: From when it may be sent; what an earlier step said, and what this one says.
        air_s: Airtime of its whole pool that it needs.
        part_frac: Part of the pool that its terminal may fill.
    """

    heard_s: Column
    open_s: Column
    air_s: Column
    part_frac: Column


class Queues(NamedTuple):
    """Queues with messages. Columns are [queue], `first` has one more.

    Attributes:
        first: First message of each.
        pool: Number of its pool; ascending.
        uplink: Whether its messages come from terminals.
        in_turn: Whether its messages share the time.
        sends: Whether it sends in this phase; the others are only known to be there.
    """

    first: Column
    pool: Column
    uplink: Column
    in_turn: Column
    sends: Column


class Cells(NamedTuple):
    """What the loops must know of the cells. Columns are [cell], `queue` has one more.

    Attributes:
        queue: First queue of each.
        station: Number of its power states.
        waits: Whether messages may find it asleep.
        deaf: Whether it hears terminals only at RACH occasions while it sleeps.
        timer_s: Time without traffic before it sleeps.
        traffic_end_s: End of the last traffic before the step.
        from_s: When it is switched on within the step; the start if it is on already.
    """

    queue: Column
    station: Column
    waits: Column
    deaf: Column
    timer_s: Column
    traffic_end_s: Column
    from_s: Column


class Stations(NamedTuple):
    """Power states and common signals of the kinds of cells.

    `awake_w` and `period_s` are [station]; `state`, `burst`, `occasion` and `common` have one more.

    Attributes:
        awake_w: Power awake.
        period_s: Between two starts of common signals.
        state: First sleep state.
        power_w: Power of each state.
        transition_j: Energy of falling asleep and waking up.
        transition_s: Time of it.
        wake_s: Half of it.
        burst: First burst around the step.
        burst_start_s: Start of each; overlaps are merged.
        burst_end_s: End of each.
        occasion: First RACH occasion.
        occasion_s: End of each.
        common: First burst that matters within the step.
        common_start_s: Start of each.
        common_end_s: End of each.
    """

    awake_w: Column
    period_s: Column
    state: Column
    power_w: Column
    transition_j: Column
    transition_s: Column
    wake_s: Column
    burst: Column
    burst_start_s: Column
    burst_end_s: Column
    occasion: Column
    occasion_s: Column
    common: Column
    common_start_s: Column
    common_end_s: Column


class Windows(NamedTuple):
    """Times with traffic, disjoint and in order. `first` [cell + 1], `count` [cell].

    Attributes:
        first: Where those of each cell stand.
        count: How many there are.
        start_s: Start of each.
        end_s: End of each.
    """

    first: Column
    count: Column
    start_s: Column
    end_s: Column


class Passed(NamedTuple):
    """What became of messages in a step. Columns are [message].

    Attributes:
        start_s: When it began, or goes on.
        end_s: When it is out whole, infinity if not in this step.
        used_s: Airtime of its whole pool that it used.
        data_s: Time that its terminal sent or received.
    """

    start_s: Column
    end_s: Column
    used_s: Column
    data_s: Column


class Scratch(NamedTuple):
    """Room that the loops work in.

    Columns are [message], but `speed`, `clear_s` and `ranked_s` are [queue].
    """

    order: Column
    spare: Column
    key_s: Column
    other_s: Column
    speed: Column
    clear_s: Column
    ranked_s: Column
