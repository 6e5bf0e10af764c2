"""Time and energy of a training run from FLOP, bytes and what accelerators reach and draw.

    t = max(FLOP / (n F u), bytes / (n BW eta), exchanged bytes per device / link)
    P = min(P_limit, P_static + e_flop FLOP/(n t) + e_byte bytes/(n t))
    E = PUE (n (P + P_host) t + e_link exchanged bytes)

u is the share of peak arithmetic reached over the whole run (model FLOP utilisation, MFU): a stated
parameter, 0.40 within 0.148 to 0.462. It holds what is not modelled: pipeline bubbles, exchange
that is not hidden, stragglers, checkpoints, restarts. Power constants are those of inference (table
`engine_constants`), so the energy of a GPU at u is a model, not a measurement, and the limit (TDP)
bounds it.

Sources of u: Llama 3 405B 0.38 to 0.43 (Llama team 2024, arXiv 2407.21783, Table 4), PaLM 0.462
(Chowdhery et al. 2022, arXiv 2204.02311, Table 3); 0.148 is what the GPU hours of Llama 3.1 8B come
to, the lowest of the packaged runs (table `training_runs`).

Against their published GPU hours at u = 0.40: Llama 2 7B, 13B and 70B +4 %, -1 % and +11 %; Llama 3
70B -26 %, 8B -58 %, Llama 3.1 70B -32 %, 8B -63 %, 405B -14 %. Published hours hold all of a job,
experiments and restarts with it, so small models that were trained late come out long: up to 2.7
times the hours of 0.40. Time, hours and energy are therefore given with both ends of u.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Final

from tree6g.compute.accelerator import Accelerator
from tree6g.errors import DataError, InfeasibleError
from tree6g.training import memory
from tree6g.training.communication import Exchange, Layout, exchange
from tree6g.training.work import Method, Trainee, flop_per_unit

UTILISATION_FRAC: Final = 0.40
UTILISATION_LOW_FRAC: Final = 0.148
UTILISATION_HIGH_FRAC: Final = 0.462
LINK_J_PER_BYTE: Final = 3.2e-11  # 4 pJ/bit, as links between serving replicas (typical)
MEMORY_FRAC: Final = 0.9
_ABOVE_0: Final = math.ulp(0.0)
_FINITE: Final = sys.float_info.max
LEAST_COLUMNS: Final = 64  # of a layer that a device computes: a small head (typical)
NODE: Final = 8  # devices of one server, which share a layer before there are stages


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A training run to be judged.

    Attributes:
        model: What is trained.
        method: How.
        units: Tokens or images passed in all, repeats included.
        batch: Units of one update.
        device: Accelerator.
        layout: How many of them, and how they share the work.
        utilisation_frac: Share of peak 16-bit arithmetic reached over the run.
        recompute: Whether activations are computed again in the backward pass.
        host_w: Power of processors, fans and memory per accelerator.
        pue: Site power over equipment power.
    """

    model: Trainee
    method: Method
    units: float
    batch: float
    device: Accelerator
    layout: Layout = dataclasses.field(default_factory=Layout)
    utilisation_frac: float = UTILISATION_FRAC
    recompute: bool = False
    host_w: float = 0.0
    pue: float = 1.0

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be, all at once."""
        stages, layers = self.layout.pipeline, self.model.layers
        widest = max(int(self.model.hidden) // LEAST_COLUMNS, 1)
        tensor = f"of at most {widest} devices, {LEAST_COLUMNS} columns of a layer each,"
        samples = self.batch / self.model.sequence
        data = f"of at most the {samples:g} samples of an update, one for each copy,"
        updates = self.units / self.batch if self.batch > 0.0 else 0.0
        few = "of at least one update, by fewer copies or a smaller batch,"
        faults = [
            f"{name} {rule} (got {value:g})"
            for name, value, rule, least, most in (
                ("units", self.units, "above 0", _ABOVE_0, _FINITE),
                ("batch", self.batch, "of at least one sample", self.model.sequence, _FINITE),
                ("utilisation_frac", self.utilisation_frac, "above 0, at most 1", _ABOVE_0, 1.0),
                ("host_w", self.host_w, "of at least 0 W", 0.0, _FINITE),
                ("pue", self.pue, "from 1 to 4", 1.0, 4.0),
                ("pipeline", stages, f"of at most {layers} layers", 1, layers),
                ("tensor", self.layout.tensor, tensor, 1, widest),
                ("data", self.layout.data, data, 1, max(samples, 1.0)),
                ("units over batch", updates, few, 1.0, _FINITE),
            )
            if not least <= value <= most
        ]
        if faults:
            raise DataError(f"expected {', '.join(faults)}.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a training run takes.

    Attributes:
        flop: FLOP of the whole run.
        updates: Steps of the optimiser.
        state_byte: Weights, gradients and optimiser, all devices.
        device_byte: What one device holds, activations of one sample included.
        traffic_byte: Bytes to and from memory, whole run, a lower bound.
        exchange: Bytes that one device sends per update.
        exchange_byte: All bytes sent, whole run.
        time_s: How long it takes.
        device_s: Time summed over devices ("GPU hours").
        bound_by: `compute`, `memory` or `exchange`.
        device_w: Mean power of an accelerator.
        device_j: Energy of the accelerators.
        host_j: Energy of their hosts.
        link_j: Energy of the exchange.
        overhead_j: What the site draws beyond its equipment.
    """

    flop: float
    updates: float
    state_byte: float
    device_byte: float
    traffic_byte: float
    exchange: Exchange
    exchange_byte: float
    time_s: float
    device_s: float
    bound_by: str
    device_w: float
    device_j: float
    host_j: float
    link_j: float
    overhead_j: float

    @property
    def energy_j(self) -> float:
        """All energy of the run."""
        return self.device_j + self.host_j + self.link_j + self.overhead_j


def run(plan: Plan) -> Run:
    """Time and energy of a plan.

    Raises:
        InfeasibleError: It does not fit the devices' memory, or they have no links.
    """
    n, device = plan.layout.devices, plan.device
    held_byte = _held_byte(plan)
    updates = plan.units / plan.batch
    flop = plan.units * flop_per_unit(plan.model, recompute=plan.recompute)
    samples = plan.batch / plan.model.sequence
    passes = samples / plan.layout.data
    copies = plan.layout.data
    moved = updates * (
        copies * memory.traffic_byte(plan.model, plan.method, passes, samples / copies)
    )
    sent = exchange(plan.model, plan.layout, plan.batch)
    times = {
        "compute": flop / (n * device.fp16_flop_per_s * plan.utilisation_frac),
        "memory": moved / (n * device.bandwidth_byte_per_s * device.weight_efficiency_frac),
        "exchange": updates * _exchange_s(sent, plan),
    }
    bound_by = max(times, key=times.__getitem__)
    time_s = times[bound_by]
    rates = (flop / (n * time_s), moved / (n * time_s))
    device_w = min(
        device.tdp_w,
        device.static_w + device.energy_j_per_flop * rates[0] + device.energy_j_per_byte * rates[1],
    )
    exchange_byte = updates * sent.byte * n
    parts = (device_w * n * time_s, plan.host_w * n * time_s, LINK_J_PER_BYTE * exchange_byte)
    return Run(
        flop=flop,
        updates=updates,
        state_byte=memory.state_byte(plan.model, plan.method),
        device_byte=held_byte,
        traffic_byte=moved,
        exchange=sent,
        exchange_byte=exchange_byte,
        time_s=time_s,
        device_s=n * time_s,
        bound_by=bound_by,
        device_w=device_w,
        device_j=parts[0],
        host_j=parts[1],
        link_j=parts[2],
        overhead_j=(plan.pue - 1.0) * math.fsum(parts),
    )


def fastest_and_slowest(plan: Plan) -> tuple[Run, Run]:
    """The run at the highest and at the lowest utilisation that was published.

    A stated utilisation outside of them takes the place of the nearer one.
    """
    shares = (UTILISATION_LOW_FRAC, plan.utilisation_frac, UTILISATION_HIGH_FRAC)
    quick, slow = (
        run(dataclasses.replace(plan, utilisation_frac=u)) for u in (max(shares), min(shares))
    )
    return quick, slow


def energy_range_j(plan: Plan) -> tuple[float, float]:
    """Energy at the highest and at the lowest utilisation that was published.

    A stated utilisation outside of them widens the range to itself. The error of the accelerator's
    power constants (`u95_frac`) is added on both sides.
    """
    found = [one.energy_j for one in (run(plan), *fastest_and_slowest(plan))]
    error = plan.device.u95_frac
    return min(found) * (1.0 - error), max(found) * (1.0 + error)


def least_layout(model: Trainee, method: Method, device: Accelerator) -> Layout:
    """Few devices that hold the model and one sample: up to eight share a layer, then stages.

    Where that is not enough, sixteen share a layer, as with parts of the sequence on two servers.

    Raises:
        InfeasibleError: Not even with one layer per stage.
    """
    if model.unit == "image" or device.interconnect_byte_per_s is None:
        layouts = [Layout()]
    else:
        layouts = [Layout(tensor=t) for t in (1, 2, 4, NODE)]
        stages = range(2, model.layers + 1)
        layouts += [Layout(tensor=t, pipeline=p) for t in (NODE, 2 * NODE) for p in stages]
    for layout in layouts:
        if _per_device(model, method, layout) <= MEMORY_FRAC * device.memory_byte:
            return layout
    raise InfeasibleError(
        f"'{model.name}' does not fit {layouts[-1].devices} x {device.name} for {method}. "
        "Use more memory per device, a shorter sequence, recomputing, or lora."
    )


def _per_device(
    model: Trainee, method: Method, layout: Layout, *, recompute: bool = False
) -> float:
    """Bytes on one device: its part of the state, and activations of one sample of each stage."""
    shared = layout.tensor * layout.pipeline
    kept = memory.activation_byte(model, 1.0, recompute=recompute) / layout.tensor
    # A stage of a pipeline keeps as many samples as there are stages in front of it.
    return memory.state_byte(model, method) / shared + kept


def _held_byte(plan: Plan) -> float:
    held = _per_device(plan.model, plan.method, plan.layout, recompute=plan.recompute)
    room = MEMORY_FRAC * plan.device.memory_byte
    if held > room:
        raise InfeasibleError(
            f"'{plan.model.name}' needs {held / 1e9:.3g} GB per device for {plan.method}; "
            f"{plan.device.name} has {room / 1e9:.3g} GB for it. Use more devices with --tensor or "
            "--pipeline, --recompute, a shorter --sequence, or lora."
        )
    return held


def _exchange_s(sent: Exchange, plan: Plan) -> float:
    if sent.byte == 0.0:
        return 0.0
    link = plan.device.interconnect_byte_per_s
    if link is None:
        raise InfeasibleError(
            f"expected a device with links to its peers; {plan.device.name} has none. Use one."
        )
    return sent.byte / link
