"""Links that share a channel, and what their powers yield per joule.

    G(p) = sum_k w_k B log2(1 + g_kk p_k / (s + sum_{j != k} g_kj p_j)) / (m sum p + P_c)

Neither concave nor pseudoconcave: it has local optima. Each rate rises with its own power and falls
with the others', so between two corners of a box its best is bounded (mixed monotonicity).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tree6g.errors import ScenarioError

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Transmitters and receivers in pairs.

    Attributes:
        gain: Power gain to receiver k from transmitter j. [link, link]
        noise_w: Noise power s at a receiver.
        power_limit_w: Radiated power of each at most. [link]
        w_per_radiated_w: Electrical per radiated watt, m.
        fixed_power_w: Power whatever is sent, P_c > 0.
        weight: Worth of a bit of each link. [link]
        bandwidth_hz: Bandwidth that all use.
    """

    gain: FloatArray
    noise_w: float
    power_limit_w: FloatArray
    w_per_radiated_w: float
    fixed_power_w: float
    weight: FloatArray
    bandwidth_hz: float

    def __post_init__(self) -> None:
        """Refuse gains that are not of pairs, and anything that is not positive."""
        gain = np.asarray(self.gain, dtype=np.float64)
        if gain.ndim != 2 or gain.shape[0] != gain.shape[1] or not len(gain):
            raise ScenarioError(f"expected gains of pairs [link, link]; got shape {gain.shape}.")
        if not (np.isfinite(gain).all() and (gain >= 0.0).all()):
            raise ScenarioError(f"expected finite gains >= 0; got {gain.min():g}.")
        numbers = (self.noise_w, self.fixed_power_w, self.w_per_radiated_w, self.bandwidth_hz)
        if not all(0.0 < number < np.inf for number in numbers):
            raise ScenarioError(
                "expected noise_w, fixed_power_w, w_per_radiated_w and bandwidth_hz > 0; got "
                f"{', '.join(f'{number:g}' for number in numbers)}."
            )
        object.__setattr__(self, "gain", gain)
        for name in ("power_limit_w", "weight"):
            column = np.broadcast_to(np.asarray(getattr(self, name), dtype=np.float64), len(gain))
            if not (np.isfinite(column).all() and (column >= 0.0).all()):
                raise ScenarioError(f"expected finite {name} >= 0; got {column.min():g}.")
            object.__setattr__(self, name, np.ascontiguousarray(column))

    @property
    def count(self) -> int:
        """How many links."""
        return len(self.gain)


def bounded_rates(links: Links, own_w: FloatArray, others_w: FloatArray) -> FloatArray:
    """Worth per second at these own powers and others' powers. [point].

    Args:
        links: The links.
        own_w: Power of each link at its own receiver. [point, link]
        others_w: Power of each link at the other receivers. [point, link]
    """
    direct = np.diagonal(links.gain)
    disturbed = links.noise_w + others_w @ links.gain.T - others_w * direct
    nats = np.log1p(direct * own_w / disturbed)
    return links.bandwidth_hz / np.log(2.0) * (nats @ links.weight)


def consumed_w(links: Links, power_w: FloatArray) -> FloatArray:
    """Electrical power at these powers. [point]."""
    return links.fixed_power_w + links.w_per_radiated_w * power_w.sum(axis=-1)


def per_joule(links: Links, power_w: FloatArray) -> FloatArray:
    """G at points. [point].

    Args:
        links: The links.
        power_w: Powers. [point, link]
    """
    return bounded_rates(links, power_w, power_w) / consumed_w(links, power_w)


def without_interference(links: Links) -> tuple[float, FloatArray]:
    """The greatest G if nobody disturbed anybody, a bound on G, and its powers. [link].

    Concave over affine, so Dinkelbach's iteration ends at the global optimum: at l, water-filling
    p_k = w_k B / (ln 2 l m) - s / g_kk within the limits.
    """
    direct = np.maximum(np.diagonal(links.gain), 1e-300)
    alone = dataclasses.replace(links, gain=np.diag(np.diagonal(links.gain)))
    power = links.power_limit_w.copy()
    ratio = 0.0
    for _ in range(200):
        before, ratio = ratio, float(per_joule(alone, power[np.newaxis])[0])
        if ratio <= before * (1.0 + 1e-15):
            break
        level = links.weight * links.bandwidth_hz / (np.log(2.0) * ratio * links.w_per_radiated_w)
        power = np.clip(level - links.noise_w / direct, 0.0, links.power_limit_w)
    return ratio, power
