"""What a service of a ledger drew, held and delivered, as `lifecycle.service` takes it.

Energy and tokens are those of the figure, so shared energy is attributed by its rule. Energy of the
tiers `ran`, `transport` and `core`, of terminals' radio and of baseband is the network's, the rest
inference's. Time without work is borne by those who reserved the hardware.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tree6g import data
from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.catalogue import image_names
from tree6g.errors import DataError, LedgerError
from tree6g.ledger.reading import Ledger, named_sql
from tree6g.ledger.schema import OVERHEAD_COMPONENTS
from tree6g.lifecycle import grid
from tree6g.lifecycle.ranges import Range, exact, within
from tree6g.lifecycle.service import Use
from tree6g.metric import tree
from tree6g.metric.figure import Figure, Query, ServiceFigure
from tree6g.report.life_hardware import Row, held, joules_of, recorded
from tree6g.report.life_training import Data, Updates, prepared, trained, updated
from tree6g.scenario.variants import model_of

NETWORK_TIERS: Final = ("ran", "transport", "core")
NETWORK_COMPONENTS: Final = ("terminal", "baseband", "radio_unit")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What a ledger does not know.

    Attributes:
        place: Country of the grid, or WLD.
        hours_kgco2e_per_j: Intensity of each hour of a day in place of the yearly mean. [24]
        life_tok: Tokens that a model serves in its life; None: a multiple of N*.
        training_j: Energy of training a model without a published run; None: not known.
        on_site_l_per_kwh: Water of the site; None: not known.
        off_site_l_per_kwh: Water of its electricity; None: not known.
        updates: How models are kept up to date; None: not known.
        data: The data pipeline behind them; None: not known.
    """

    place: str = grid.WORLD
    hours_kgco2e_per_j: NDArray[np.float64] | None = None
    life_tok: float | None = None
    training_j: float | None = None
    on_site_l_per_kwh: float | None = None
    off_site_l_per_kwh: float | None = None
    updates: Updates | None = None
    data: Data | None = None

    def __post_init__(self) -> None:
        """Refuse water that cannot be."""
        for name in ("on_site_l_per_kwh", "off_site_l_per_kwh"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value < math.inf:
                raise DataError(f"expected {name} of at least 0 L/kWh; got {value:g}.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A service's use with what stands beside it.

    Attributes:
        use: What it drew, held and delivered.
        unit: What it delivered: `token`, or `image` where its models have no tokens.
        overhead_j: Of its energy, what sites drew beyond their equipment.
        models: Share of its tokens by model.
        output_tok: Mean tokens of an answer; None where no requests are counted.
        problems: What is not known and why, a sentence each.
    """

    use: Use
    unit: str
    overhead_j: float
    models: Mapping[str, float]
    output_tok: float | None
    problems: tuple[str, ...]


def gather(
    ledger: Ledger, assumed: Assumptions, query: Query | None = None, service: str | None = None
) -> tuple[Found, ...]:
    """The use of a service, or of every AI service of a ledger.

    Raises:
        LedgerError: No such service, or none that delivered tokens.
    """
    query = query or Query()
    figure = tree.figure(ledger, query)
    wanted = (
        [figure.service(service)] if service else [s for s in figure.services if s.kind == "ai"]
    )
    wanted = [s for s in wanted if service or s.tokens_out_tok > 0.0]
    if not wanted:
        raise LedgerError(f"expected an AI service that delivered tokens; {ledger.path} has none.")
    flows = [row for row in tree.flows(ledger, query).to_pylist() if row["service"] is not None]
    nodes = {row["node"]: row for row in _rows(ledger, "nodes")}
    return tuple(_found(ledger, figure, s, (flows, nodes), assumed, query) for s in wanted)


def _found(
    ledger: Ledger,
    figure: Figure,
    service: ServiceFigure,
    read: tuple[Sequence[Row], Mapping[str, Row]],
    assumed: Assumptions,
    query: Query,
) -> Found:
    flows, nodes = read
    own = [row for row in flows if row["service"] == service.name]
    problems: list[str] = []
    drawn = _inference(own, nodes, figure, problems)
    if service.tokens_out_tok > 0.0 and not drawn.value > 0.0:
        raise DataError(f"service '{service.name}' drew no energy for inference.")
    models = _models(ledger, service.name)
    (running,) = _rows(ledger, "in_progress", service.name)
    hardware = held(flows, nodes, service.name, figure.covered_s, running["session_s"], problems)
    learnt = _by_model(models)
    known = trained(learnt, assumed.training_j, problems)
    rate = service.tokens_out_tok / figure.covered_s
    use = Use(
        name=service.name,
        time_s=figure.covered_s,
        tokens=service.tokens_out_tok,
        utility_beq=service.utility_beq,
        inference_j=drawn,
        network_j=within(joules_of(r for r in own if _is_network(r)), figure.u95_frac or 0.0),
        kgco2e_per_j=_intensity(ledger, query, service.name, assumed),
        trained=known,
        life_tok=assumed.life_tok,
        held=hardware,
        updates=updated(learnt, assumed.updates, rate, problems),
        prepared=prepared(assumed.data, known, assumed.life_tok, problems),
    )
    return Found(
        use=use,
        unit="image" if models and set(learnt) <= set(image_names()) else "token",
        overhead_j=joules_of(row for row in own if row["component"] in OVERHEAD_COMPONENTS),
        models=models,
        output_tok=service.tokens_out_tok / service.requests if service.requests else None,
        problems=tuple(problems),
    )


def _inference(
    own: Sequence[Row], nodes: Mapping[str, Row], figure: Figure, problems: list[str]
) -> Range:
    """Energy of inference with the error of the meters, or of the accelerators' constants."""
    rows = [row for row in own if not _is_network(row)]
    total_j = joules_of(rows)
    if figure.u95_frac is not None:
        return within(total_j, figure.u95_frac)
    error_j = 0.0
    for row in rows:
        name, _ = recorded(nodes.get(row["node"], {}))
        if name in data.table("accelerators"):
            error_j += row["energy_j"] * accelerator(name).u95_frac
    problems.append(
        "the error of joules is that of the accelerators' constants; of the network it is not known"
    )
    return within(total_j, error_j / total_j) if total_j > 0.0 else exact(total_j)


def _intensity(ledger: Ledger, query: Query, service: str, assumed: Assumptions) -> Range:
    """Of the place, by the hours in which the service drew its energy where they are given."""
    if assumed.hours_kgco2e_per_j is None:
        return grid.yearly_kgco2e_per_j(assumed.place)
    table = tree.series(ledger, query, by=("service", "window"), window_s=3600.0)
    rows = [row for row in table.to_pylist() if row["service"] == service]
    drawn = [0.0] * (1 + max(int(row["t0_s"] // 3600.0) for row in rows))
    for row in rows:
        drawn[int(row["t0_s"] // 3600.0)] += row["energy_j"]
    return exact(grid.weighted_kgco2e_per_j(drawn, assumed.hours_kgco2e_per_j))


def _models(ledger: Ledger, service: str) -> dict[str, float]:
    """Share of the tokens that each model made."""
    rows = _rows(ledger, "tokens_by_model", service)
    total = math.fsum(row["tokens_tok"] for row in rows)
    return {row["model"]: row["tokens_tok"] / total for row in rows if row["tokens_tok"] > 0.0}


def _by_model(variants: Mapping[str, float]) -> dict[str, float]:
    """Shares by model, whatever the format of its weights: a model is trained once for all."""
    found: dict[str, float] = {}
    for name, share in variants.items():
        found[model_of(name)] = found.get(model_of(name), 0.0) + share
    return found


def _is_network(row: Row) -> bool:
    return row["tier"] in NETWORK_TIERS or row["component"] in NETWORK_COMPONENTS


def _rows(ledger: Ledger, name: str, *parameters: str) -> list[dict[str, Any]]:
    """Rows of a packaged query."""
    found: list[dict[str, Any]] = ledger.query(
        named_sql("report", name), list(parameters)
    ).to_pylist()
    return found
