"""What a token costs on each server, from the meter's own rows.

In each window of the ledger a node has used E joules beyond its idle power for n_in prompt tokens
that were computed and n_out output tokens. Least squares that forget give

    E = e_in n_in + e_out n_out + P window_s,     all >= 0,

of which e_in and e_out are what a further request costs; P is drawn whether it comes or not. They
are means over the batches that were seen: a token that joins a full batch costs less than the mean.

A token is counted when its request says so, its joules flow before: windows shorter than a few
requests make joules come out too small. Windows that are all alike do not tell prompt from output
tokens. So e_in and e_out are taken to be near the prior times the one factor f that fits the
windows best, as independent normals of mean f e and deviation half of it (without a prior: five
times equal joules), and P of mean 0 and half of the mean power; their ratio to the residuals of the
windows says how far the windows move them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.ledger.reading import Ledger
from tree6g.ledger.schema import DYNAMIC_STATES
from tree6g.optimise.pilot.squares import fitted

Window = tuple[float, float, float, float]  # end in s, prompt tokens, output tokens, joules
_LEAST: Final = 5  # windows with work, below which the prior stands alone
_LEAST_NOISE: Final = 1e-12  # of squared joules: windows that are all alike leave none
_TOLD_FRAC: Final = 0.5  # deviation of joules from those that the file says, but for a factor
_UNTOLD_FRAC: Final = 5.0  # where it says none
_TINY: Final = 1e-3  # of the larger one: the least deviation, of joules that the file says are 0


def windows(ledger: Ledger, length_s: float, since_s: float) -> dict[str, list[Window]]:
    """Windows of every node that are complete, without those in which a source said nothing.

    Rows of work may be written late, so a window is complete once every source states that it has
    covered it. Rows belong to the window of their middle.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    states = ", ".join(f"'{state}'" for state in DYNAMIC_STATES)
    rows = ledger.query(
        f"""
        WITH reach AS (SELECT min(t) AS end_s FROM
                (SELECT source, quantity, max(t1_s) AS t FROM coverage WHERE status = 'ok'
                 GROUP BY ALL)),
        part AS (
            SELECT node, floor((t0_s + t1_s) / 2 / $length) AS k, 0.0 AS token_in, 0.0 AS token_out,
                energy_j FROM energy WHERE state IN ({states}) AND t1_s > $since
            UNION ALL
            SELECT node, floor((t0_s + t1_s) / 2 / $length),
                CASE WHEN kind = 'token_in' THEN amount ELSE 0 END,
                CASE WHEN kind = 'token_out' THEN amount ELSE 0 END, 0.0
            FROM work WHERE kind IN ('token_in', 'token_out') AND t1_s > $since),
        gap AS (SELECT t0_s, t1_s FROM coverage WHERE status = 'gap' AND t1_s > $since)
        SELECT node::VARCHAR AS node, (k + 1) * $length AS end_s, sum(token_in) AS token_in,
            sum(token_out) AS token_out, sum(energy_j) AS energy_j
        FROM part WHERE (k + 1) * $length <= (SELECT end_s FROM reach) AND k * $length >= $since
            AND NOT EXISTS (SELECT 1 FROM gap WHERE gap.t0_s < (k + 1) * $length
                            AND gap.t1_s > k * $length)
        GROUP BY ALL ORDER BY ALL
        """,
        {"length": length_s, "since": since_s},
    ).to_pylist()
    found: dict[str, list[Window]] = {}
    for row in rows:
        values = (row["end_s"], row["token_in"], row["token_out"], row["energy_j"])
        found.setdefault(row["node"], []).append(values)
    return found


def learned(
    seen: Sequence[Window], prior: tuple[float, float], *, window_s: float, memory_s: float
) -> tuple[float, float] | None:
    """Joules of a computed prompt token and of an output token; None from too few windows.

    Args:
        seen: Windows of a node.
        prior: Their ratio, where windows do not tell them apart.
        window_s: Length of a window.
        memory_s: Age at which a window counts 1/e.
    """
    working = [w for w in seen if w[1] + w[2] > 0.0 and w[3] > 0.0]
    if len(working) < _LEAST:
        return None
    table = np.array(working)
    weight = np.exp((table[:, 0] - table[-1, 0]) / memory_s)
    x = np.column_stack([table[:, 1], table[:, 2], np.full(len(table), window_s)])
    energy_j = table[:, 3]
    gram, moment = (x * weight[:, None]).T @ x, (x * weight[:, None]).T @ energy_j
    told = bool((x[:, :2] @ prior).any())  # a prior for tokens that never came says nothing
    shape = np.array([*(prior if told else (1.0, 1.0)), 0.0])
    start = shape * (shape @ moment) / (shape @ gram @ shape)
    noise_j2 = float(weight @ np.square(energy_j - x @ start) / weight.sum())
    noise_j2 = max(noise_j2, _LEAST_NOISE * float(np.square(energy_j).mean()))
    deviation = (_TOLD_FRAC if told else _UNTOLD_FRAC) * np.maximum(start, _TINY * start.max())
    deviation[2] = 0.5 * float(energy_j.mean()) / window_s
    hold = np.diag(noise_j2 / np.square(deviation))
    e_in, e_out, _ = fitted(gram + hold, moment + hold @ start)
    return float(e_in), float(e_out)
