"""What EcoLogits 0.11.3 says of a request to a language model, for comparison with its figures.

Equations and constants of its documented method (fitted there to ML.ENERGY measurements on H100).
It counts output tokens only: no prompts, no network, no idle hardware; `tree6g lifecycle` counts
these, so its own figures are larger. Kept to 1e-9 of the tool: `tree6g validate footprints`.

With P in billions of parameters, B requests in a batch, G devices and n tokens of output:
e = a exp(b B) P_active + c [Wh], l = d P_active + f B + g [s],
G = 2^ceil(log2(ceil(1.2 * 2 P / 80))), E = PUE (n l * 1.2 kW * G / (8 B) + G n e).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

from tree6g.errors import DataError
from tree6g.lifecycle.energy import S_PER_HOUR, S_PER_YEAR, carbon_kgco2e, water_l
from tree6g.lifecycle.sci import embodied_kgco2e

BATCH: Final = 64
_ENERGY_WH: Final = (1.1665273170451914e-06, -0.011205921025579175, 4.052928146734005e-05)
_LATENCY_S: Final = (6.785088094353663e-4, 3.119310311688259e-4, 0.019473717579473387)
_BILLION: Final = 1e9
_WEIGHT_BIT: Final = 16
_MEMORY_GB: Final = 80.0  # of an H100
_MEMORY_FACTOR: Final = 1.2
_SERVER_GPUS: Final = 8
_SERVER_W: Final = 1200.0  # without its GPUs
_SERVER_KGCO2E: Final = 5700.0  # p5.48xlarge without its GPUs
_GPU_KGCO2E: Final = 273.0
_LIFETIME_S: Final = 3.0 * S_PER_YEAR


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestImpact:
    """Impacts of one request.

    Attributes:
        devices: GPUs that the model is spread over.
        time_s: Time to generate the answer.
        energy_j: Electricity, site overhead included.
        usage_kgco2e: Carbon of that electricity.
        embodied_kgco2e: Share of the carbon of making the server.
        kgco2e: Both.
        pue: Site power over equipment power.
    """

    devices: int
    time_s: float
    energy_j: float
    usage_kgco2e: float
    embodied_kgco2e: float
    kgco2e: float
    pue: float

    def water_l(self, on_site_l_per_kwh: float, off_site_l_per_kwh: float) -> float:
        """Litres of water, from the energy of the equipment without site overhead."""
        return water_l(self.energy_j / self.pue, self.pue, on_site_l_per_kwh, off_site_l_per_kwh)


def request(
    parameters: float,
    active_parameters: float,
    output_tok: float,
    *,
    kgco2e_per_j: float,
    pue: float = 1.2,
    batch: float = BATCH,
) -> RequestImpact:
    """Impacts of one request by EcoLogits' method.

    Args:
        parameters: All parameters of the model.
        active_parameters: Those that a token passes.
        output_tok: Tokens of the answer.
        kgco2e_per_j: Intensity of the grid.
        pue: Site power over equipment power.
        batch: Requests that share the server.

    Raises:
        DataError: A number that must be positive is not.
    """
    given = {"parameters": parameters, "active parameters": active_parameters, "batch": batch}
    wrong = [f"{name} above 0 (got {value:g})" for name, value in given.items() if not value > 0]
    if wrong:
        raise DataError(f"expected {', '.join(wrong)}.")
    active = active_parameters / _BILLION
    slope, decay, base = _ENERGY_WH
    per_tok_wh = slope * math.exp(decay * batch) * active + base
    by_size, by_batch, least = _LATENCY_S
    time_s = output_tok * (by_size * active + by_batch * batch + least)
    devices = _devices(parameters / _BILLION)
    part = devices / _SERVER_GPUS
    server_j = time_s * _SERVER_W * part / batch
    energy_j = pue * (server_j + devices * output_tok * per_tok_wh * S_PER_HOUR)
    made = part * _SERVER_KGCO2E + devices * _GPU_KGCO2E
    embodied = embodied_kgco2e(made, time_s, _LIFETIME_S, 1.0 / batch)
    usage = carbon_kgco2e(energy_j, kgco2e_per_j)
    return RequestImpact(
        devices=devices,
        time_s=time_s,
        energy_j=energy_j,
        usage_kgco2e=usage,
        embodied_kgco2e=embodied,
        kgco2e=usage + embodied,
        pue=pue,
    )


def _devices(parameters_billion: float) -> int:
    """Devices whose memory holds the weights with a fifth on top, as a power of two."""
    weights_gb = _MEMORY_FACTOR * parameters_billion * _WEIGHT_BIT / 8
    return int(2 ** math.ceil(math.log2(math.ceil(weights_gb / _MEMORY_GB))))
