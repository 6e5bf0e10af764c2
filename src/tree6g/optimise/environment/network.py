"""What an episode takes place in: cells, users and servers as arrays, all of them fixed.

A user is one terminal with one service. Users stand service by service along the last axis, AI
services first, and cells with fewer users than others have empty places there.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.metric.profile import Profile
from tree6g.radio.pathloss import FloatArray
from tree6g.traffic.lengths import RequestPattern

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MODES: Final = ("off", "quarter", "half", "full")
POWER_FRAC: Final = (0.0, 0.25, 0.5, 1.0)  # of the radiated power of the scenario, by mode
SINR_STEP_DB: Final = 0.01  # between two entries of a table of rates
SINR_MAX_DB: Final = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """A service as its users see it.

    Attributes:
        name: The service.
        ai: Whether a server makes what is sent; else the bits come from outside.
        users: Places along the axis of users.
        rate_per_s: Requests or messages of one user.
        periodic: Whether messages come at fixed times, else at random (Poisson).
        message_bit: Bits of a message; of AI services 0.
        lengths: Lengths of prompts and answers; None: a data service.
        bit_per_tok: Bits on the air of an answer token; of data services 1.
        wait_s: Time until the first bit is due.
        token_s: Time between two tokens after it; 0: all is due at once.
        worth_beq_per_bit: Worth of a bit that is on time.
        prompt_beq_per_tok: Worth of a prompt token whose answer is on time.
        late_frac: Worth of late work relative to work on time.
        weight: Priority weight.
        profile: Its profile.
        quality_frac: Quality of the model that answers.
        model: Model that answers; empty: a data service.
        slice: S-NSSAI.
        token_class: Token service class.
    """

    name: str
    ai: bool
    users: slice
    rate_per_s: float
    periodic: bool
    message_bit: float
    lengths: RequestPattern | None
    bit_per_tok: float
    wait_s: float
    token_s: float
    worth_beq_per_bit: float
    prompt_beq_per_tok: float
    late_frac: float
    weight: float
    profile: Profile
    quality_frac: float = 1.0
    model: str = ""
    slice: str | None = None
    token_class: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stations:
    """What cells draw. Arrays are [cell] or [cell, mode]; mode 0 is off.

    Attributes:
        node: Nodes of the ledger.
        site: Site of each.
        site_index: Its number.
        model: Power model of each.
        pue: Site power over equipment power.
        rest_w: Mean power without traffic: broadcast, and sleep between its bursts. [cell, mode]
        send_w: Power while the whole band is sent. [cell, mode]
        off_w: Power while off.
        off_j: Energy of going off and coming back, both ways.
        wake_s: Time of coming back.
        time_frac: Share of time of the downlink.
    """

    node: tuple[str, ...]
    site: tuple[str, ...]
    site_index: IntArray
    model: tuple[str, ...]
    pue: FloatArray
    rest_w: FloatArray
    send_w: FloatArray
    off_w: FloatArray
    off_j: FloatArray
    wake_s: FloatArray
    time_frac: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Servers:
    """Who makes the tokens. Arrays are [server]; tables [server, sequences], from 0 on.

    Attributes:
        node: Nodes of the ledger.
        place: Site or cloud of each.
        tier: Tier of each.
        record: Accelerators and model.
        pue: Of its place.
        gpu_w: Idle power of the accelerators.
        host_w: Power of processors, fans and memory.
        u95_frac: Uncertainty of the accelerators' energy.
        prompt_s: Time of a prompt token.
        prompt_j: Its energy above idle.
        most: Sequences at once at most.
        token_s: Time of an iteration, by sequences.
        token_j: Energy of a token above idle, by sequences.
        of: Server of each cell and AI service. [cell, AI service]
        cells: How many cells each one has to do with.
    """

    node: tuple[str, ...]
    place: tuple[str, ...]
    tier: tuple[str, ...]
    record: tuple[str, ...]
    pue: FloatArray
    gpu_w: FloatArray
    host_w: FloatArray
    u95_frac: FloatArray
    prompt_s: FloatArray
    prompt_j: FloatArray
    most: IntArray
    token_s: FloatArray
    token_j: FloatArray
    of: IntArray
    cells: IntArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coupling:
    """How cells disturb one another by what they send.

    Attributes:
        own_w: Received power at full power. [cell, user]
        others_w: The same from every cell of the frequency, 0 from its own. [cell, user, cell]
        noise_w: Noise of the receivers. [cell]
    """

    own_w: FloatArray
    others_w: FloatArray
    noise_w: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """Cells with their users and servers.

    Attributes:
        name: Of the scenario.
        present: Places that have a user. [cell, user]
        streams: Services in the order of the axis of users.
        sinr_db: At full power, other cells at their margin. [cell, user]
        rate_bps: Rates of the whole carrier by SINR from `floor_db` on. [kind, entry]
        kind: Table of each cell. [cell]
        floor_db: SINR of the first entry.
        stations: What the cells draw.
        servers: Who makes the tokens.
        coupling: Interference by load; None: a fixed margin.
        notes: What of the scenario is not in the environment.
        station_source: Where the watts of the cells come from.
        scenario: The scenario as plain data.
    """

    name: str
    present: BoolArray
    streams: tuple[Stream, ...]
    sinr_db: FloatArray
    rate_bps: FloatArray
    kind: IntArray
    floor_db: float
    stations: Stations
    servers: Servers
    coupling: Coupling | None = None
    notes: tuple[str, ...] = ()
    station_source: str = ""
    scenario: dict[str, object] = dataclasses.field(default_factory=dict)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return int(self.present.shape[0])

    @property
    def users(self) -> int:
        """Places for users in each cell."""
        return int(self.present.shape[1])

    @property
    def population(self) -> int:
        """Users of all cells, empty places not counted."""
        return int(np.count_nonzero(self.present))

    @property
    def ai(self) -> tuple[Stream, ...]:
        """The AI services."""
        return tuple(stream for stream in self.streams if stream.ai)

    def by_user(self, name: str) -> FloatArray:
        """A field of the services, spread over the axis of users. [user]."""
        values = np.zeros(self.users)
        for stream in self.streams:
            values[stream.users] = getattr(stream, name)
        return values
