"""Schedulers: whom a cell serves next, and when a server begins its next iteration.

A scheduler is asked at the start of every `scheduling.interval` for each direction of a cell in
which something waits, and after every iteration of a server. Those of the package are one file
each; others come as a Python file of one's own (`scheduling.rule: ./mine.py`). It is made once per
run, so that it may remember. It knows what waits and by when it is worth something; neither the
length of an answer nor what comes next.
"""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tree6g.engine.policies.schedule.own import is_file, scheduler_of
from tree6g.errors import ScenarioError, nearest

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BUILT_IN: Final = ("first-come", "round-robin", "proportional-fair", "ee-greedy", "tree")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Air:
    """What waits for the air of a cell in one direction when an interval begins.

    Arrays are [message], in the order in which messages came.

    Attributes:
        t_s: Start of the interval.
        interval_s: Its length.
        uplink: Whether terminals send.
        price_beq_per_j: Worth of a joule: the TREE of the run so far.
        caution: The scenario's V: how many wake-ups a wait may be worth, see `tree`.
        worth_beq: Worth of each message if it is on time.
        ready_s: When it came.
        due_s: Until when it must be out to be on time; infinite without a budget.
        bit: Bits that are left of it.
        air_s: Time that it takes if it has the direction for itself.
        terminal: Number of its terminal; services that share terminals share numbers.
        send_w: What the cell draws more than asleep while it sends or receives.
        wake_j: What one wake-up of the cell costs.
        awake: Whether the cell is awake in this interval whatever the scheduler says.
    """

    t_s: float
    interval_s: float
    uplink: bool
    price_beq_per_j: float
    caution: float
    worth_beq: FloatArray
    ready_s: FloatArray
    due_s: FloatArray
    bit: FloatArray
    air_s: FloatArray
    terminal: IntArray
    send_w: float
    wake_j: float
    awake: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """A server between two iterations. Arrays are [sequence], those that wait included.

    Attributes:
        t_s: Now.
        price_beq_per_j: Worth of a joule: the TREE of the run so far.
        caution: The scenario's V, see `tree`.
        worth_beq: Worth of the next token of each sequence, its prompt's with a first one.
        due_s: By when this token must have left the server.
        budget_s: The most that a sequence can be ahead: the budget of its first token.
        iteration_s: Time that the next iteration takes, prompts that wait included.
        shared_j: What it costs above idle however many sequences take part.
        room_frac: Share of the places in the batch, or of its memory, that is free.
    """

    t_s: float
    price_beq_per_j: float
    caution: float
    worth_beq: FloatArray
    due_s: FloatArray
    budget_s: FloatArray
    iteration_s: float
    shared_j: float
    room_frac: float


@runtime_checkable
class Scheduler(Protocol):
    """Orders the air of a cell."""

    def send(self, air: Air) -> npt.ArrayLike:
        """Place of each message: lower goes first, infinity waits. [message].

        Messages go out in this order until the interval is full.
        """
        ...


@runtime_checkable
class Pacing(Protocol):
    """A scheduler that also says when servers compute; without it they do as soon as they can."""

    def start(self, batch: Batch) -> float:
        """When the next iteration may begin; what comes before that asks again."""
        ...


def scheduler(name: str) -> Scheduler:
    """A scheduler by name, or by the path of a Python file.

    Raises:
        ScenarioError: No such scheduler, or a file that holds none.
    """
    if is_file(name):
        return scheduler_of(name)
    if name not in BUILT_IN:
        raise ScenarioError(f"expected a scheduler; got {name!r}. {nearest(name, BUILT_IN)}")
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    made: Scheduler = module.Scheduler()
    return made
