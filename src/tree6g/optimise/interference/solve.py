"""The best powers of links that disturb one another, and how sure that is."""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

import numpy as np

from tree6g.optimise.certificate import certified
from tree6g.optimise.interference import ascent
from tree6g.optimise.interference.branch import searched
from tree6g.optimise.interference.links import FloatArray, Links, per_joule, without_interference

Method = Literal["global", "local"]
FEW: Final = 5  # links that branch and bound is used for unless told otherwise


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Powers:
    """Powers of links and what proves them.

    Attributes:
        method: `global`: no powers have more than `value` + `gap`; `local`: the best of many local
            optima, and other powers may have up to `upper_bound`.
        value: Worth per joule.
        upper_bound: No powers have more: of the search, or of links without interference.
        power_w: Radiated powers. [link]
        optima: Starts of the local search that ended within 1e-6 of the best, and all starts.
    """

    method: Method
    value: float
    upper_bound: float
    power_w: FloatArray
    optima: tuple[int, int]

    @property
    def gap_frac(self) -> float:
        """Upper bound over value, less 1."""
        return self.upper_bound / self.value - 1.0 if self.value > 0.0 else 0.0


def best_powers(
    links: Links,
    method: Method | None = None,
    *,
    gap_frac: float = 1e-2,
    seed: int = 1,
    boxes: int = 2_000_000,
) -> Powers:
    """The powers with the greatest worth per joule.

    Args:
        links: The links.
        method: `global`: branch and bound, whose time grows exponentially with the number of links;
            `local`: many starts, time grows with their cube. None: global up to five links.
        gap_frac: Bound over value, less 1, at which the global search stops.
        seed: Of the starts.
        boxes: Boxes of the global search at most; if that many do not suffice, the result is called
            `local` and its bound is the one reached.

    Checked against 450 published global optima of 2 to 10 links: see `tree6g validate gee`.
    """
    begun = ascent.starts(links, seed, 20)
    ended = ascent.climbed(links, begun)
    values = per_joule(links, ended)
    top = int(np.argmax(values))
    power_w, value = ended[top], float(values[top])
    alike = int(np.count_nonzero(values >= value * (1.0 - 1e-6)))
    bound, _ = without_interference(links)
    proved = bound <= value * (1.0 + 1e-9)
    if method == "global" or (method is None and links.count <= FEW):
        power_w, value, found = searched(links, power_w, gap=gap_frac * value, boxes=boxes)
        bound = min(bound, found)
        proved = bound <= value * (1.0 + gap_frac * (1.0 + 1e-9))
    return Powers(
        method="global" if proved else "local",
        value=value,
        upper_bound=certified(bound, value, "powers"),
        power_w=power_w,
        optima=(alike, len(values)),
    )
