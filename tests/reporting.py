"""A small measured ledger and hand-made figures, for the tests of the report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.figure import Figure, ServiceFigure
from tree6g.metric.profile import Profile, data_profile, service_meta
from tree6g.metric.utility import Curve

# What a ledger takes as a name, and what its header may hold besides.
NAME = "<script>alert('x')</script> & \"$\\frac{%_#}\""
HOSTILE = f"{NAME} \u202eevil\x00"


def service(name: str = "assistant", kind: str = "ai", **changes: object) -> ServiceFigure:
    """An AI service that moves little, burns much and earns much."""
    usual = ServiceFigure(
        name=name, kind=kind, profile="assistant", weight=1.0, alpha_bit_per_tok=1e4, k_in=0.2,
        worth_tok=600.0, utility_beq=6e6,
        offered_beq=8e6, bits_bit=1e5, tokens_in_tok=4000.0, tokens_out_tok=1000.0,
        tokens_late_tok=100.0, tokens_effective_tok=600.0, requests=20.0, requests_lost=1.0,
        energy_j=500.0, energy_marginal_j=300.0, bit_share_frac=0.008, energy_share_frac=0.61,
        utility_share_frac=0.74, served_share_frac=0.75, asymmetry=0.61 / 0.74,
        tree_beq_per_j=12_000.0, tree_marginal_beq_per_j=20_000.0, ee_bit_per_j=200.0,
        j_per_tok=0.5, reasons={},
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def sensors(**changes: object) -> ServiceFigure:
    """A data service that moves nearly all bits."""
    usual = service(
        "sensors", "data", profile="data", k_in=None, alpha_bit_per_tok=None, worth_tok=None,
        utility_beq=2.1e6, offered_beq=2.1e6,
        bits_bit=1.24e7, tokens_in_tok=0.0, tokens_out_tok=0.0, tokens_late_tok=0.0,
        tokens_effective_tok=0.0, requests=0.0, requests_lost=0.0, energy_j=320.0,
        energy_marginal_j=20.0, bit_share_frac=0.992, energy_share_frac=0.39,
        utility_share_frac=0.26, served_share_frac=1.0, asymmetry=1.5, tree_beq_per_j=6562.5,
        tree_marginal_beq_per_j=105_000.0, ee_bit_per_j=38_750.0, j_per_tok=None,
        reasons={"j_per_tok": "no tokens"},
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def figure(*services: ServiceFigure, **changes: object) -> Figure:
    """A figure of the given services; without any, of an assistant and sensors."""
    usual = Figure(
        tree_beq_per_j=9000.0, ee_bit_per_j=13_888.9, ee_ran_bit_per_j=40_000.0, tok_per_j=1.1,
        j_per_tok=0.9, j_per_bit=7.2e-5, utility_beq=8.1e6, bits_bit=1.25e7, tokens_out_tok=1000.0,
        energy_j=900.0, energy_ran_j=312.5, unattributed_j={"standby": 80.0}, t0_s=0.0, t1_s=600.0,
        covered_s=540.0, coverage_frac=0.9, boundary="operator", inside=("a.cell", "a.gpu"),
        outside=("a.phone",), rule="proportional", idle="unattributed",
        attribution_interval_s=60.0, profile_set="0123456789abcdef", marks=(), u95_frac=None,
        u95_unknown_frac=1.0, gini=0.13, services=services or (service(), sensors()),
        conservation_error_frac=0.0, reasons={},
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def header(assistant: str = "assistant", **changes: object) -> Meta:
    """The header of the small ledger."""
    profile = Profile(
        id="assistant", curve=Curve(alpha_bit_per_tok=1e4), ttft_budget_s=2.0, tpot_budget_s=0.2,
        source="benchmark budgets, https://example.org/budgets",
    )  # fmt: skip
    usual = Meta(
        services={
            assistant: service_meta("ai", profile),
            "sensors": service_meta("data", data_profile()),
        },
        producer="a meter",
        sources={"meter": "power meter, doi 10.1/x, https://example.org/meter"},
        notes=("This is a stress test.",),
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def small_ledger(folder: Path, assistant: str = "assistant", **changes: object) -> Ledger:
    """Ten measured minutes of a cell with an accelerator; the phone is outside the boundary."""
    minutes = 60.0 * np.arange(10)
    with LedgerWriter(folder, header(assistant, **changes)) as ledger:
        for table, rows in _rows(minutes, assistant):
            ledger.append(table, rows)
        ledger.append("request", _requests(assistant))
    return open_ledger(folder)


def _rows(minutes: np.ndarray, assistant: str) -> list[tuple[str, dict[str, object]]]:
    span = {"t0_s": minutes, "t1_s": minutes + 60.0, "origin": "measured", "source": "meter"}
    ramp = 1.0 + minutes / 600.0
    energy = [
        ("a.cell", "ran", "radio_unit", "idle", 3000.0),
        ("a.cell", "ran", "radio_unit", "active", 2000.0 * ramp),
        ("a.gpu", "edge", "gpu", "idle", 5000.0),
        ("a.gpu", "edge", "gpu", "decode", 9000.0 * ramp),
        ("a.gpu", "edge", "host", "active", 1500.0),
        ("a.phone", "device", "terminal", "active", 700.0),
    ]
    work = [
        ("a.cell", "ran", "sensors", "bit_ul", 9e8, 30.0, "s"),
        ("a.cell", "ran", assistant, "bit_dl", 7e6, 2.0, "s"),
        ("a.gpu", "edge", assistant, "token_in", 40_000.0, 40_000.0, "tok"),
        ("a.gpu", "edge", assistant, "token_out", 9000.0, 9000.0, "tok"),
        ("a.gpu", "edge", assistant, "token_late", 500.0, None, None),
    ]
    nodes = {
        "node": ["a.cell", "a.gpu", "a.phone"],
        "tier": ["ran", "edge", "device"],
        "boundaries": ["ran network operator full", "operator full", "full"],
        "site": "a",
        "what": ["cell", "server", "phones"],
        "record": [None, None, None],
    }
    whole = {"t0_s": 0.0, "t1_s": 600.0, "status": "ok", "source": "meter"}
    return [
        *(
            ("energy", {**span, "node": n, "tier": t, "component": c, "state": s, "energy_j": j})
            for n, t, c, s, j in energy
        ),
        *(
            ("work", {**span, "node": n, "tier": t, "service": s, "kind": k, "amount": a,
                      "demand": d, "demand_unit": u, "sessions": 3.0 if k == "token_out" else None})
            for n, t, s, k, a, d, u in work
        ),
        ("entity", nodes),
        ("service", {"service": [assistant, "sensors"], "kind": ["ai", "data"]}),
        ("coverage", {**whole, "quantity": ["energy", "work"]}),
    ]  # fmt: skip


def _requests(assistant: str) -> dict[str, object]:
    number = np.arange(50)
    return {
        "id": number, "service": assistant, "arrival_s": 10.0 * number, "node": "a.gpu",
        "token_in": 800.0, "token_out": 180.0, "token_late": 10.0,
        "ttft_s": 0.2 + 0.02 * number, "tpot_s": 0.03, "e2e_s": 5.0 + 0.1 * number,
    }  # fmt: skip
