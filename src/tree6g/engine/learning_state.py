"""The state of learning in a run: where each client of the round is, and what it takes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from tree6g.compute.accelerator import Accelerator
from tree6g.engine.crowd import IntArray
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.learning import Learning as Asked
from tree6g.training.federated.device import Work, work
from tree6g.training.federated.federation import Federation

if TYPE_CHECKING:
    from tree6g.engine.world import Tick

# Stages of a client.
RESTING, DOWNLOADING, COMPUTING, UPLOADING, ARRIVED = range(5)
HOUR_S: Final = 3600.0


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Learning:
    """Clients, server and rounds. Arrays are [client].

    Attributes:
        spec: What the scenario says.
        federation: Models and samples.
        device: Accelerator of the clients.
        server: Accelerator of the server.
        host: Number of the server.
        sites: Number of sites.
        site: Home site.
        terminal: Terminal among the users.
        stage: What each does.
        from_s: Since when it computes.
        until_s: Until when.
        arrived_s: When its update was at the server.
        power_w: What it draws above idle while it computes.
        battery_j: What its battery holds; infinity without one.
        next_s: When the next round may begin.
        begun_s: When the running round began; None between rounds.
        chosen: Its clients.
        pooled: Clients whose samples the server has.
        server_from_s: From when on the server's computing is not written down yet.
        server_until_s: Until when.
        server_power_w: What it draws above idle for that.
        unpaid: How often a client was passed over whose battery could not pay for the round.
        rounds: What became of the rounds that are over.
    """

    spec: Asked
    federation: Federation
    device: Accelerator
    server: Accelerator
    host: int
    sites: int
    site: IntArray
    terminal: IntArray
    stage: IntArray
    from_s: FloatArray
    until_s: FloatArray
    arrived_s: FloatArray
    power_w: FloatArray
    battery_j: FloatArray
    next_s: float
    begun_s: float | None = None
    chosen: IntArray = dataclasses.field(default_factory=lambda: np.empty(0, dtype=np.int64))
    pooled: IntArray = dataclasses.field(default_factory=lambda: np.empty(0, dtype=np.int64))
    server_from_s: float = 0.0
    server_until_s: float = 0.0
    server_power_w: float = 0.0
    unpaid: int = 0
    rounds: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def begin(self, at_s: float, chosen: IntArray, stage: int) -> None:
        """A round begins with some clients."""
        self.begun_s, self.chosen = at_s, chosen
        self.stage[chosen] = stage

    def client_of(self, terminal: npt.ArrayLike) -> IntArray:
        """Clients by their terminals."""
        order = np.argsort(self.terminal)
        return np.asarray(order[np.searchsorted(self.terminal[order], terminal)])

    def charging_w(self, at_s: float) -> float:
        """Power that charges a client at a time."""
        curve = self.spec.charge_curve
        if not curve:
            return self.spec.charge_power_w
        hour = int(at_s // HOUR_S) % len(curve)
        return self.spec.charge_power_w * curve[hour] * len(curve) / sum(curve)

    def charge(self, tick: Tick) -> None:
        """One step of charging, up to what a battery holds."""
        if self.spec.battery_j is not None:
            added_j = self.charging_w(tick.t0_s) * tick.step_s
            self.battery_j = np.minimum(self.battery_j + added_j, self.spec.battery_j)


def able(known: Learning) -> IntArray:
    """Clients whose battery is above its reserve."""
    least_j = known.spec.reserve_frac * (known.spec.battery_j or 0.0)
    return np.flatnonzero(known.battery_j >= least_j)


def paying(known: Learning) -> IntArray:
    """Those of them whose battery holds what a round takes of it; the others are counted.

    The battery pays for the training alone. It is only charged until then, so it pays in full.
    """
    who = able(known)
    if known.spec.battery_j is None:
        return who
    round_j = np.array([client_work(known, client).energy_j for client in who.tolist()])
    paid = known.battery_j[who] >= round_j
    known.unpaid += int(np.count_nonzero(~paid))
    return who[paid]


def client_work(known: Learning, client: int) -> Work:
    """What a round takes on a client."""
    state = known.federation
    return work(
        known.device,
        flop=state.flop(client),
        steps=state.steps(client),
        values=state.read_values,
        layers=state.layers,
    )


def server_work(known: Learning, flop: float, steps: int) -> Work:
    """What the end of a round takes at the server."""
    state = known.federation
    return work(known.server, flop=flop, steps=steps, values=state.read_values, layers=state.layers)
