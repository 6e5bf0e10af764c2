"""What a step of a shared model costs at every cut: the computed part once, the link when known."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.compute.splitting.architectures import decoder
from tree6g.compute.splitting.costs import Costs, costs
from tree6g.compute.splitting.hop import Compression, Hop, compression
from tree6g.compute.splitting.migration import Moves, moves
from tree6g.compute.splitting.profile import LayerProfile, Work
from tree6g.compute.splitting.setup import Place
from tree6g.compute.splitting.stage import Stage
from tree6g.compute.splitting.tables import DECODE, PREFILL, tables
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.model import Devices, Server, Split
from tree6g.scenario.model_config import architecture

CONTEXT_TOK: Final = 128  # contexts are rounded to multiples: a tenth of a per cent of a token
# Bytes become seconds and round trips are counted: rates are put in when they are known.
_PLAIN: Final = Hop(up_bps=8.0, down_bps=8.0, rtt_s=1.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The link of a terminal in a step.

    Attributes:
        up_bps: Rate up, others' use of the air taken off.
        air_bps: Rate up while the terminal sends.
        down_bps: Rate down.
        up_s: Latency up without a queue, transport included.
        down_s: The same down.
        air_w: Power of the terminal's radio while it sends and of the cell while it receives, above
            sleep, both in the share of time of the uplink.
        down_air_w: Power of the cell while it sends, above sleep, in the downlink's share of time.
        j_per_bit: Energy of the transport.
    """

    up_bps: float
    air_bps: float
    down_bps: float
    up_s: float
    down_s: float
    air_w: float
    down_air_w: float
    j_per_bit: float

    @property
    def hop(self) -> Hop:
        """The same for costs of moving."""
        return Hop(
            up_bps=self.up_bps,
            down_bps=self.down_bps,
            rtt_s=self.up_s + self.down_s,
            up_j_per_bit=self.j_per_bit + self.air_w / self.air_bps,
            down_j_per_bit=self.j_per_bit + self.down_air_w / self.down_bps,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loop:
    """One prompt, or one token, at every cut. Arrays are [cut].

    Attributes:
        device_s: Time on the terminal.
        device_j: Energy there, above idle.
        server_s: Time at the server.
        server_j: Energy there, above idle, this request's share.
        up_byte: Bytes up that are waited for.
        down_byte: Bytes down that are waited for.
        trips: Round trips.
    """

    device_s: FloatArray
    device_j: FloatArray
    server_s: FloatArray
    server_j: FloatArray
    up_byte: FloatArray
    down_byte: FloatArray
    trips: FloatArray

    def time_s(self, way: Way) -> FloatArray:
        """Time over a link. [cut]."""
        air_s = 8.0 * (self.up_byte / way.up_bps + self.down_byte / way.down_bps)
        return self.device_s + self.server_s + air_s + self.trips * (way.up_s + way.down_s)

    def energy_j(self, way: Way) -> FloatArray:
        """Energy over a link: what a decision can know. [cut]."""
        bit = 8.0 * (self.up_byte + self.down_byte)
        air_j = 8.0 * self.up_byte * way.air_w / way.air_bps
        air_j += 8.0 * self.down_byte * way.down_air_w / way.down_bps
        return self.device_j + self.server_j + air_j + way.j_per_bit * bit


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class SplitCosts:
    """A model shared by terminals and a server, with what was worked out of it so far."""

    profile: LayerProfile
    device: Stage
    place: Place
    packing: Compression
    keep_layers: int
    known: dict[tuple[int, int, float], Loop] = dataclasses.field(default_factory=dict)

    @property
    def layers(self) -> int:
        """The last cut."""
        return self.profile.layers

    def server(self, sequences: float) -> Stage:
        """The server with some answers in its passes."""
        return dataclasses.replace(self.place, sequences=sequences).stage()

    def prompt(self, tokens: int, sequences: float) -> Loop:
        """The prompt of an answer."""
        return self._loop(PREFILL, tokens, sequences)

    def token(self, context_tok: float, sequences: float) -> Loop:
        """One token at a context."""
        rounded = max(1, round(context_tok / CONTEXT_TOK)) * CONTEXT_TOK
        return self._loop(DECODE, rounded, sequences)

    def allowed(self, prompt_tok: int, output_tok: int) -> npt.NDArray[np.bool_]:
        """Cuts that fit into memory and leave enough layers on the terminal. [cut]."""
        found = self._costs(Work(prompt_tok=prompt_tok, output_tok=output_tok), 1.0)
        return found.fits & (np.arange(self.layers + 1) >= self.keep_layers)

    def moves(self, cut: int, context_tok: float, sequences: float, way: Way) -> Moves:
        """What it costs to move a cut."""
        return moves(
            self.profile,
            self.device,
            self.server(sequences),
            way.hop,
            cut=cut,
            context_tok=context_tok,
            private=self.keep_layers > 0,
        )

    def _loop(self, phase: int, tokens: int, sequences: float) -> Loop:
        key = (phase, tokens, sequences)
        if key not in self.known:
            work = (
                Work(prompt_tok=tokens, output_tok=1)
                if phase == PREFILL
                else Work(prompt_tok=tokens, output_tok=2)
            )
            self.known[key] = _of_phase(self._costs(work, sequences), phase)
        return self.known[key]

    def _costs(self, work: Work, sequences: float) -> Costs:
        places = (self.device, self.server(sequences))
        return costs(tables(self.profile, places, (_PLAIN,), work, packing=self.packing))


def split_costs(split: Split, server: Server, devices: Devices) -> SplitCosts:
    """The model of a server, shared with the terminals.

    Energy is above idle on both sides, for idle power is booked apart.
    """
    return SplitCosts(
        profile=decoder(architecture(server.model)),
        device=Place(accelerator=devices.accelerator, weights=devices.weights, idle="free").stage(),
        place=Place(
            accelerator=server.accelerator,
            weights=server.weights,
            count=server.count,
            share_frac=server.share_frac,
            idle="free",
        ),
        packing=compression(split.compression),
        keep_layers=split.keep_layers,
    )


def _of_phase(found: Costs, phase: int) -> Loop:
    return Loop(
        device_s=found.compute_s[phase, 0],
        device_j=found.compute_j[phase, 0],
        server_s=found.compute_s[phase, 1],
        server_j=found.compute_j[phase, 1],
        up_byte=found.up_s[phase, 0],
        down_byte=found.down_s[phase, 0],
        trips=found.rtt_s[phase, 0],
    )
