"""How long one server will take, learned from its answers.

Straight lines in what decides most: n_in and n_out tokens, and c requests that it has already.

    TTFT = a0 + a1 n_in + a2 c + a3 q        q = max(c + 1 - slots, 0) wait for a slot
    TPOT = b0 + b1 min(c, slots)
    end  = d0 + d1 n_in + d2 n_out + d3 n_out min(c, slots) + d4 q

Valid near the loads that were seen: a server beyond its slots has no straight line, and requests
that others send to it are not in c. TTFT and TPOT are seen in streams alone.
"""

from __future__ import annotations

import dataclasses

from tree6g.meter.proxy.counts import Outcome
from tree6g.optimise.pilot.squares import Squares


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Waiting times of a request with their standard deviations."""

    ttft_s: float
    tpot_s: float
    e2e_s: float
    ttft_sd_s: float = 0.0
    tpot_sd_s: float = 0.0
    e2e_sd_s: float = 0.0


class Speed:
    """What has been seen of one server."""

    def __init__(self, slots: int) -> None:
        """Begin with nothing seen: all times are 0, so that it is tried."""
        self._slots = slots
        self._ttft = Squares([0.0] * 4, [1.0, 100.0, 1.0, 1.0])
        self._tpot = Squares([0.0] * 2, [1.0, 1.0])
        self._end = Squares([0.0] * 5, [1.0, 100.0, 100.0, 100.0, 1.0])

    def expect(self, prompt_tok: float, output_tok: float, busy: int) -> Waits:
        """Times of a request of so many tokens beside so many others."""
        first, each, end = self._features(prompt_tok, output_tok, busy)
        return Waits(
            ttft_s=self._ttft.forecast(first),
            tpot_s=self._tpot.forecast(each),
            e2e_s=self._end.forecast(end),
            ttft_sd_s=self._ttft.spread,
            tpot_sd_s=self._tpot.spread,
            e2e_sd_s=self._end.spread,
        )

    def add(self, outcome: Outcome, prompt_tok: float, output_tok: float, busy: int) -> None:
        """Learn from an answer that came to its end."""
        first, each, end = self._features(prompt_tok, output_tok, busy)
        self._end.add(end, outcome.e2e_s)
        if outcome.ttft_s is not None:
            self._ttft.add(first, outcome.ttft_s)
            if outcome.stream_s is not None and output_tok > 1:
                self._tpot.add(each, outcome.stream_s / (output_tok - 1))

    def _features(
        self, prompt_tok: float, output_tok: float, busy: int
    ) -> tuple[list[float], list[float], list[float]]:
        beside, queue = min(busy, self._slots), max(busy + 1 - self._slots, 0)
        return (
            [1.0, prompt_tok, busy, queue],
            [1.0, beside],
            [1.0, prompt_tok, output_tok, output_tok * beside, queue],
        )
