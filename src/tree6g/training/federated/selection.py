"""Which clients take part in a round.

`random`; `energy_aware` after FedZero (Wiesner et al. 2024): the largest total utility within
energy that is left over, solved as a mixed-integer linear program with HiGHS (extra `optimise`);
`worth_per_joule`: the largest utility per joule of the round, fixed joules included, exactly.
"""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import Any

import numpy as np

from tree6g.errors import InfeasibleError
from tree6g.training.federated.models import FloatArray, IntArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Clients that may take part, and the energy that is left over for them.

    Attributes:
        utility: Worth of a batch of each. [client]
        domain: Whose energy it uses. [client]
        batch_j: Energy of a batch. [client]
        spare: Batches that it can compute in each step. [client, step]
        least: Batches that it must compute to count. [client]
        most: Batches that it computes at most. [client]
        excess_j: Energy left over. [domain, step]
    """

    utility: FloatArray
    domain: IntArray
    batch_j: FloatArray
    spare: FloatArray
    least: FloatArray
    most: FloatArray
    excess_j: FloatArray


def random(able: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Some of those who are able, each as likely, in ascending order."""
    return np.sort(rng.choice(able, size=min(count, len(able)), replace=False))


def worth_per_joule(
    utility: FloatArray, energy_j: FloatArray, count: int, fixed_j: float = 0.0
) -> IntArray:
    """The clients with the largest sum(utility) / (fixed_j + sum(energy_j)), exactly so many.

    Dinkelbach's method: the best for a price of a joule are those with the largest utility less
    price times joules, and the ratio that they reach is the next price. Ends after few steps, for
    the price grows strictly and there are finitely many choices. [client].
    """
    price, chosen = -np.inf, np.arange(0)
    while True:
        worth = utility - max(price, 0.0) * energy_j
        best = np.sort(np.argsort(-worth, kind="stable")[:count])
        spent_j = fixed_j + float(energy_j[best].sum())
        reached = float(utility[best].sum()) / spent_j if spent_j > 0.0 else np.inf
        if not reached > price:
            return chosen
        price, chosen = reached, best


def energy_aware(given: Candidates, count: int) -> tuple[IntArray, float]:
    """Clients with the largest utility of batches within the energy that is left over.

        max sum u m   s.t.   sum over a domain of joules m <= excess in every step
                             0 <= m <= spare,  least b <= sum m <= most b
                             sum b <= count,  b in {0, 1}

    FedZero's program has b u m in its objective, a product of unknowns. It may be dropped: b = 0
    forces m to 0 already, and the program is linear then.

    Returns:
        The clients that take part, ascending, and the optimum.

    Raises:
        InfeasibleError: HiGHS is not installed, or finds no optimum.
    """
    library = _library()
    solver = library.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    clients, steps = given.spare.shape
    upper = np.concatenate([given.spare.ravel(), np.ones(clients)])
    cost = np.concatenate([-np.repeat(given.utility, steps), np.zeros(clients)])
    kinds = [library.HighsVarType.kContinuous] * (clients * steps)
    model = library.HighsLp()
    model.num_col_, model.col_cost_ = len(upper), cost
    model.col_lower_, model.col_upper_ = np.zeros(len(upper)), upper
    model.integrality_ = kinds + [library.HighsVarType.kInteger] * clients
    _rows(model, library, given, count)
    solver.passModel(model)
    solver.run()
    if solver.getModelStatus() != library.HighsModelStatus.kOptimal:
        status = solver.modelStatusToString(solver.getModelStatus())
        raise InfeasibleError(f"expected an optimal choice of clients; got '{status}' from HiGHS.")
    found = np.asarray(solver.getSolution().col_value)[clients * steps :]
    return np.flatnonzero(found > 0.5), -float(solver.getInfo().objective_function_value)


def _rows(model: Any, library: Any, given: Candidates, count: int) -> None:
    """Energy of domains by step, least and most batches of clients, number of clients."""
    clients, steps = given.spare.shape
    column = np.arange(clients * steps).reshape(clients, steps)
    rows: list[tuple[IntArray, FloatArray, float]] = []
    for domain, excess_j in enumerate(given.excess_j):
        mine = np.flatnonzero(given.domain == domain)
        rows += [(column[mine, t], given.batch_j[mine], excess_j[t]) for t in range(steps)]
    ones = np.ones(steps)
    for c in range(clients):
        chosen = np.append(column[c], clients * steps + c)
        rows.append((chosen, np.append(ones, -given.most[c]), 0.0))
        rows.append((chosen, np.append(-ones, given.least[c]), 0.0))
    rows.append((np.arange(clients) + clients * steps, np.ones(clients), float(count)))
    model.num_row_ = len(rows)
    model.row_lower_ = np.full(len(rows), -library.kHighsInf)
    model.row_upper_ = np.array([limit for _, _, limit in rows])
    matrix = model.a_matrix_
    matrix.format_ = library.MatrixFormat.kRowwise
    matrix.start_ = np.concatenate([[0], np.cumsum([len(at) for at, _, _ in rows])])
    matrix.index_ = np.concatenate([at for at, _, _ in rows])
    matrix.value_ = np.concatenate([value for _, value, _ in rows])


def _library() -> Any:
    try:
        return import_module("highspy")
    except ImportError as error:
        raise InfeasibleError(
            "expected the package 'highspy', which chooses clients by their energy; it is not "
            "installed. Run: pip install 'tree6g[optimise]'"
        ) from error
