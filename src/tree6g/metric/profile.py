"""Profiles: what a service's work is worth, and by when it must be there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tree6g import data
from tree6g.errors import LedgerError, nearest
from tree6g.ledger.meta import Meta, digest
from tree6g.ledger.schema import SERVICE_KINDS
from tree6g.metric.utility import Curve

UNITS: Final = ("session", "user", "cell", "service")
MEDIAN_INPUT_PRICE: Final = (
    0.2  # median input/output price of 190 list prices, 2026-07-24 (litellm)
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Worth and budgets of a service.

    Attributes:
        id: Name of the profile, for instance its token class.
        curve: Utility of the effective token rate (AI services).
        unit: Whose mean rate U acts on: `session`, `user`, `cell` or `service`.
        interval_s: Averaging interval Delta of that rate.
        k_in: Worth of a prompt token in output tokens.
        k_out: Worth of an output token, 1 by definition of alpha.
        k_reasoning: Worth of a reasoning token that the user does not see.
        ttft_budget_s: Time to first token.
        tpot_budget_s: Time per output token after it.
        deadline_s: One deadline for the whole result, for services that do not stream.
        delay_budget_s: Budget of a data service's message; None: any time will do.
        late_frac: Worth of late work relative to work on time, 0 by default.
        source: Where the numbers come from.
    """

    id: str
    curve: Curve = dataclasses.field(default_factory=Curve)
    unit: str = "service"
    interval_s: float = 60.0
    k_in: float = MEDIAN_INPUT_PRICE
    k_out: float = 1.0
    k_reasoning: float = 0.0
    ttft_budget_s: float | None = None
    tpot_budget_s: float | None = None
    deadline_s: float | None = None
    delay_budget_s: float | None = None
    late_frac: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse negative worth and units that do not exist."""
        if self.unit not in UNITS:
            raise LedgerError(f"utility unit of '{self.id}'. {nearest(str(self.unit), UNITS)}")
        if not 0 < self.interval_s < float("inf"):
            raise LedgerError(f"interval_s of '{self.id}' must be > 0 s; got {self.interval_s}.")
        for name in ("k_in", "k_out", "k_reasoning", "late_frac"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise LedgerError(f"{name} of profile '{self.id}' must be >= 0; got {value}.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as the header of a ledger describes it.

    Attributes:
        name: The service.
        kind: `ai`, `data` or `internal` (training, updates: energy and bits, no worth of its own).
        weight: Priority weight w, >= 0.
        profile: Its profile.
        quality: q by model, 1 where absent.
        tokenizer: r by model: bytes of reference text per token over those of the reference model.
        slice: S-NSSAI.
        token_class: Token service class.
    """

    name: str
    kind: str
    weight: float
    profile: Profile
    quality: Mapping[str, float]
    tokenizer: Mapping[str, float]
    slice: str | None = None
    token_class: str | None = None

    def __post_init__(self) -> None:
        """Refuse negative weights and kinds that do not exist."""
        if self.kind not in SERVICE_KINDS:
            raise LedgerError(f"kind of '{self.name}'. {nearest(str(self.kind), SERVICE_KINDS)}")
        factors = [("weight", self.weight)]
        factors += [(f"quality of {m}", q) for m, q in self.quality.items()]
        factors += [(f"tokenizer of {m}", r) for m, r in self.tokenizer.items()]
        for name, value in factors:
            if not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise LedgerError(f"{name} of service '{self.name}' must be >= 0; got {value!r}.")


def class_profile(token_class: str, alpha_bit_per_tok: float | None = None) -> Profile:
    """The profile of a packaged token service class.

    Args:
        token_class: Row of the table `token_classes`.
        alpha_bit_per_tok: Worth of a token in place of the table's.

    Raises:
        DataError: No such class.
    """
    row = data.row("token_classes", token_class)
    alpha = alpha_bit_per_tok
    curve = Curve(
        family=data.text(row, "family"),
        alpha_bit_per_tok=data.number(row, "alpha_bit_per_tok") if alpha is None else alpha,
        t0_tps=_optional(row, "t0_tps"),
        order=_optional(row, "order"),
    )
    return Profile(
        id=token_class,
        curve=curve,
        unit=data.text(row, "unit"),
        interval_s=data.number(row, "interval_s"),
        k_in=data.number(row, "k_in"),
        ttft_budget_s=_optional(row, "ttft_budget_s"),
        tpot_budget_s=_optional(row, "tpot_budget_s"),
        deadline_s=_optional(row, "deadline_s"),
        source=data.text(row, "source"),
    )


def data_profile(delay_budget_s: float | None = None) -> Profile:
    """The profile of a data service: a bit is worth a bit, on time or not at all."""
    return Profile(id="data", delay_budget_s=delay_budget_s, source="METRIC: w = 1 by definition")


def service_meta(
    kind: str,
    profile: Profile,
    *,
    weight: float = 1.0,
    quality: Mapping[str, float] | None = None,
    tokenizer: Mapping[str, float] | None = None,
    slice: str | None = None,  # noqa: A002 - the field's own word (S-NSSAI)
    qos: int | None = None,
    token_class: str | None = None,
) -> dict[str, Any]:
    """One value of `Meta.services`: plain data that `from_meta` reads back."""
    return {
        "kind": kind,
        "weight": weight,
        "profile": dataclasses.asdict(profile),
        "quality": dict(quality or {}),
        "tokenizer": dict(tokenizer or {}),
        "slice": slice,
        "qos": qos,
        "token_class": token_class,
    }


def from_meta(meta: Meta) -> dict[str, Service]:
    """The services of a ledger, AI services first, else in the order of their names.

    Raises:
        LedgerError: A profile or weight that no rule allows.
    """
    services = [_service(name, body) for name, body in sorted(meta.services.items())]
    order = {kind: n for n, kind in enumerate(SERVICE_KINDS)}
    return {s.name: s for s in sorted(services, key=lambda s: order[s.kind])}


def profile_set(services: Iterable[Service]) -> str:
    """Hash of all profiles and weights: figures of different sets are not compared (rule 7)."""
    rows = sorted((dataclasses.asdict(s) for s in services), key=lambda row: str(row["name"]))
    return digest(rows)


def reweighted(
    services: Mapping[str, Service], weights: Mapping[str, float], alphas: Mapping[str, float]
) -> dict[str, Service]:
    """The services with other weights w and slopes alpha.

    Raises:
        LedgerError: A name that is no service, or an alpha for a service without tokens.
    """
    changed = dict(services)
    for name in (*weights, *alphas):
        if name not in services:
            raise LedgerError(f"expected a service; got {name!r}. {nearest(name, services)}")
    for name, weight in weights.items():
        changed[name] = dataclasses.replace(changed[name], weight=weight)
    for name, alpha in alphas.items():
        service = changed[name]
        if service.kind != "ai":
            raise LedgerError(f"alpha is the worth of a token; service '{name}' has no tokens.")
        curve = dataclasses.replace(service.profile.curve, alpha_bit_per_tok=alpha)
        profile = dataclasses.replace(service.profile, curve=curve)
        changed[name] = dataclasses.replace(service, profile=profile)
    return changed


def _optional(row: data.Row, column: str) -> float | None:
    return None if row.get(column) is None else data.number(row, column)


def _service(name: str, body: Mapping[str, Any]) -> Service:
    try:
        return Service(
            name=name,
            kind=body["kind"],
            weight=_number(body.get("weight", 1.0)),
            profile=_profile(body.get("profile") or {"id": "data"}),
            quality=dict(body.get("quality") or {}),
            tokenizer=dict(body.get("tokenizer") or {}),
            slice=body.get("slice"),
            token_class=body.get("token_class"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError(f"cannot read service '{name}' of the header: {error!r}.") from error


def _profile(body: Mapping[str, Any]) -> Profile:
    fields = dict(body)
    curve = dict(fields.pop("curve", None) or {})
    if "knots" in curve:
        curve["knots"] = tuple((float(x), float(y)) for x, y in curve["knots"])
    return Profile(curve=Curve(**curve), **fields)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number; got {value!r}")
    return float(value)
