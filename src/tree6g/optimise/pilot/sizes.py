"""Tokens that a request will have: from its body, its limit, and those of its service before."""

from __future__ import annotations

from tree6g.meter.proxy.ask import Call
from tree6g.optimise.pilot.squares import Squares

TOK_PER_BYTE = 0.25  # English text has about four letters a token; until a service shows its own
OUTPUT_TOK = 128.0  # until a service shows its own


class Sizes:
    """Tokens of one service's requests; means that forget."""

    def __init__(self) -> None:
        """Begin with rules of thumb."""
        self._per_byte = Squares([TOK_PER_BYTE], [1000.0])
        self._output = Squares([OUTPUT_TOK], [1.0])

    def expect(self, call: Call) -> tuple[float, float]:
        """Tokens of the prompt and of the answer.

        A prompt whose body was too large to be read counts as one of a thousand byte.
        """
        prompt_tok = self._per_byte.forecast([call.body_byte or 1000])
        output_tok = self._output.forecast([1.0]) if call.generates else 0.0
        most = call.most_tok
        return prompt_tok, output_tok if most is None else min(output_tok, float(most))

    def add(self, call: Call, prompt_tok: float, output_tok: float) -> None:
        """Learn from an answer."""
        if call.body_byte:
            self._per_byte.add([call.body_byte], prompt_tok)
        if call.generates:
            self._output.add([1.0], output_tok)
