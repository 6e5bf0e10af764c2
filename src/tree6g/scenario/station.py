"""What a scenario says of its base stations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from tree6g.errors import nearest
from tree6g.scenario.document import Place, Problem
from tree6g.scenario.fields import Name, NonNegative, Positive, Share
from tree6g.scenario.layout import SlotPattern, Subcarrier
from tree6g.scenario.quantities import Described, Quantity


class Baseband(Described):
    """Accelerators that do the signal processing of a site's cells (AI-RAN).

    The model of the base station must then be one of radio units alone, else their baseband is
    counted twice.
    """

    cells: Positive
    """Cells of 100 MHz that one accelerator carries at their peak: 4 on an A100, 6 to 8 on an A100X
    (NVIDIA Aerial SDK 23-1), 20 on a GH200."""
    server: Name | None = None
    """Server of the same site whose accelerator does it, with what its `share_frac` leaves."""
    accelerator: Name | None = None
    """Row of `accelerators`: as many of their own as the cells need at their peak."""
    host_power_w: NonNegative = 0.0
    """Power of processors and fans per accelerator of its own."""


class BaseStation(Described):
    """A cell: carrier, antennas by their gain, and the model of its power draw."""

    model: Name = "earth-micro"
    """Row of the packaged table `base_stations` (power model, antennas, transmit power)."""
    frequency_hz: Annotated[Quantity, Field(ge=0.5e9, le=100e9)] = 3.5e9
    """Carrier frequency, 0.5 to 100 GHz."""
    bandwidth_hz: Positive = 100e6
    """Channel bandwidth."""
    downlink_frac: Share = 0.75
    """Share of time of the downlink (TDD)."""
    transmit_power_w: Positive | None = None
    """Radiated power at full load; None: that of the table row."""
    sector_power_w: tuple[Positive, ...] = ()
    """Radiated power of each of the site's cells; empty: `transmit_power` for all of them."""
    antenna_gain_dbi: Quantity = 8.0
    """Gain of the base-station antenna, of a sector's in the direction that it points to."""
    interference_margin_db: Annotated[Quantity, Field(ge=0)] = 3.0
    """Rise of the noise floor by other cells, where their load is not followed."""
    link: Literal["shannon", "mcs"] = "shannon"
    """From SINR to rate: attenuated Shannon capacity (TR 38.803), or the modulation and coding
    schemes of TS 38.214 with link adaptation and HARQ."""
    antennas: Annotated[int, Field(ge=1, le=1024)] = 1
    """Antennas that are steered one by one; their gain comes on top of `antenna_gain`."""
    layers: Annotated[int, Field(ge=1, le=12)] = 1
    """Streams sent at once in the downlink at most; no more than `antennas`."""
    slot_pattern: SlotPattern | None = None
    """Slots down, special and up, such as `DDDSU`, or `FDD`: gives the share of each direction and
    the latency without queue. None: `downlink_frac`, and 4 ms each way."""
    subcarrier_hz: Subcarrier = 30e3
    """Subcarrier spacing: 15, 30, 60 or 120 kHz."""
    scheduler: Literal["first-come", "round-robin"] = "first-come"
    """Who sends first among the messages of a service: the oldest, or all of them in turn, so that
    a slow terminal does not hold up the others. Proportional fair is the same without fast fading.
    Services always share the air in turn."""
    uplink_p0_dbm: Quantity | None = None
    """Received power per 180 kHz that terminals aim at (TS 38.213), about -80 dBm (typical). With
    `scheduler: round-robin` they get no more of the band than they can fill so. None: always full
    power over the whole band."""
    uplink_alpha_frac: Share = 0.8
    """Share of the path loss that their power makes up for."""
    anchor_power_w: Positive | None = None
    """Watts of the cell at full downlink, for models in relative units (TR 38.864)."""
    anchor_source: str = ""
    """Where these watts come from: a data sheet, a meter, an assumption."""
    power_scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Factor on all watts of its model: what a meter says against it."""
    amplifier: Literal["single", "dual"] = "single"
    """Efficiency of the amplifier in relative models: always the same, or lower at low power."""
    carriers: Annotated[int, Field(ge=1, le=16)] = 1
    """Contiguous carriers that share the bandwidth equally; muting switches them one by one."""
    sleep: Literal["none", "micro", "light", "deep"] = "light"
    """Deepest sleep state the cell may enter between transmissions."""
    idle_timer_s: NonNegative = 0.0
    """Time without traffic before the cell may sleep."""
    uplink_wake: Literal["occasion", "signal"] = "occasion"
    """How terminals reach a sleeping cell: at its next RACH occasion, or at once by a wake-up
    signal that a receiver of its own listens for (its power is not counted)."""
    ssb_period_s: Positive = 0.02
    """Time between two bursts of synchronisation signals: 5, 10, 20, 40, 80 or 160 ms."""
    sib1_period_s: Positive = 0.16
    """Time between two transmissions of the system information, of the same values."""
    rach_period_s: Positive = 0.02
    """Time between two random access occasions, of the same values."""
    operator_share_frac: Annotated[Quantity, Field(gt=0, le=1)] = 1.0
    """Share of this operator in what a shared station draws without traffic; the others' share is
    written to a node of its own, which only boundary `full` counts."""
    uplink_share: dict[Name, Share] = Field(default_factory=dict)
    """Uplink spectrum reserved per service; what is not reserved is shared by the others."""
    baseband: Baseband | None = None
    """Accelerators that do its signal processing. None: it is in the model of its power."""


def problems(spec: Baseband, place: Place, servers: tuple[str, ...]) -> Iterator[Problem]:
    """A baseband on a server that is not at its site, or on both kinds of accelerators, or none."""
    if (spec.server is None) == (spec.accelerator is None):
        given = "both" if spec.server else "neither"
        text = f"expected either a server or an accelerator; got {given}."
        yield Problem(place=place, text=text)
    if spec.server is not None and spec.server not in servers:
        text = f"expected the name of a server of the site; got {spec.server!r}. "
        yield Problem(place=(*place, "server"), text=text + nearest(spec.server, servers))
