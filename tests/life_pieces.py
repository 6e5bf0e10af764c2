"""Services whose life is told by hand: a use, and a ledger of a chat beside a data service."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ledgers import ai, data, ledger
from tree6g.ledger.reading import Ledger
from tree6g.lifecycle.hardware import Embodied, embodied
from tree6g.lifecycle.ranges import exact
from tree6g.lifecycle.service import Held, Trained, Use

KWH: Final = 3.6e6


def use(**changes: Any) -> Use:
    """An hour of a service whose token takes 2 J of inference and 0.5 J of network."""
    base = Use(
        name="chat",
        time_s=3600.0,
        tokens=1e6,
        utility_beq=1e10,
        inference_j=exact(2e6),
        network_j=exact(5e5),
        kgco2e_per_j=exact(0.36 / KWH),
        trained=(
            Trained(
                model="m",
                share_frac=1.0,
                energy_j=exact(1e12),
                kgco2e_per_j=exact(0.72 / KWH),
                source="hand",
            ),
        ),
        life_tok=1e12,
        held=(Held(node="n", made=box(), count=2.0, share_frac=0.5),),
    )
    return dataclasses.replace(base, **changes)


def box() -> Embodied:
    """A thing whose making took 0.1 kg for each hour of its year."""
    return dataclasses.replace(
        embodied("server"), kgco2e=exact(876.0), lifetime_s=365 * 86400.0, primary_energy_j=None
    )


def chat(
    path: Path,
    *,
    model: str = "llama-3.1-8b",
    gpu: str = "l4",
    sessions: float | None = None,
    u95_frac: float | None = None,
    extra: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Ledger:
    """Chat with 100 J on a GPU and 30 J of the radio that it shares with a data service."""
    extra = extra or {}
    cell = {
        "node": "cell",
        "tier": "ran",
        "component": "radio_unit",
        "t1_s": 10.0,
        "u95_frac": u95_frac,
    }
    near = {"node": "gpu", "tier": "edge", "t1_s": 10.0, "u95_frac": u95_frac}
    done = {"node": "gpu", "service": "chat", "model": model, "t1_s": 10.0}
    entity = [
        {"node": "cell", "tier": "ran", "site": "s", "what": "cell", "record": "earth-micro",
         "boundaries": "ran network operator full"},
        {"node": "gpu", "tier": "edge", "site": "s", "what": "server",
         "record": f"1 x {gpu}, llama-3.1-8b", "boundaries": "operator full"},
    ]  # fmt: skip
    return ledger(
        path,
        services={"chat": ai(), "video": data()},
        energy=[
            {**near, "energy_j": 80.0, "service": "chat"},
            {**near, "component": "cooling", "state": "idle", "energy_j": 20.0, "service": "chat"},
            {**cell, "energy_j": 30.0, "service": "chat"},
            {**cell, "energy_j": 90.0, "service": "video"},
            *extra.get("energy", ()),
        ],
        work=[
            {**done, "kind": "token_out", "amount": 50.0, "demand": 1.0,
             "sessions": sessions},
            {**done, "kind": "request", "amount": 2.0},
            {"node": "cell", "tier": "ran", "t1_s": 10.0, "service": "video", "kind": "bit_dl",
             "amount": 1e6, "demand": 1.0},
        ],
        entity=[*entity, *extra.get("entity", ())],
        grid_s=10.0,
    )  # fmt: skip
