"""The header of a metered ledger: what a config says of services, weights and sources."""

from __future__ import annotations

import dataclasses
import urllib.parse
from pathlib import Path
from typing import Any, Final

from tree6g.errors import LedgerError
from tree6g.ledger import meta as header
from tree6g.ledger.meta import Meta
from tree6g.meter.agent.config import UNASSIGNED, Config, ServiceRule, Target
from tree6g.metric.profile import Profile, class_profile, data_profile, service_meta
from tree6g.version import __version__

EPOCH: Final = "1970-01-01T00:00:00+00:00"
GRID_S: Final = 60.0
UNWEIGHTED: Final = (
    "No phase weights: a token read, a token from a cache and a token written count alike when "
    "energy is attributed; errors of several tens of per cent are usual. See `tree6g fit "
    "phase-weights`."
)


def meta_of(config: Config) -> Meta:
    """The header of a new ledger."""
    services = {rule.name: _service(rule) for rule in config.services}
    services.setdefault(UNASSIGNED, service_meta("internal", Profile(id="none")))
    estimated = [t.name for t in config.targets if t.cpu is not None]
    notes = [] if config.phase_weights else [UNWEIGHTED]
    if estimated:
        notes.append(f"Energy of {', '.join(estimated)} is estimated from CPU time.")
    return Meta(
        boundary=config.boundary,
        attribution_interval_s=max(GRID_S, config.interval_s),
        t_zero=EPOCH,
        services=services,
        phase_weights=config.phase_weights,
        producer=f"tree6g meter {__version__}",
        sources={target.name: _source(target) for target in config.targets},
        notes=tuple(notes),
    )


def continued(folder: Path, new: Meta) -> tuple[Meta, Meta]:
    """The header to open a ledger with, and the one that it should have then.

    Services that are no longer in the config stay, for rows speak of them.

    Raises:
        LedgerError: The ledger there is no metered one, or has another boundary.
    """
    path = folder / header.FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return new, new
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"cannot read {path}: {error}.") from error
    old = header.load(text, str(path))
    for name in ("t_zero", "boundary", "attribution_interval_s"):
        there, given = getattr(old, name), getattr(new, name)
        if there != given:
            raise LedgerError(
                f"expected a ledger with {name} {given!r} in {folder}; it has {there!r}. Name "
                "another folder as `ledger`, and merge the two later."
            )
    wanted = dataclasses.replace(
        new,
        services={**old.services, **new.services},
        sources={**old.sources, **new.sources},
        notes=tuple(dict.fromkeys((*new.notes, *old.notes))),
        created=old.created,
        control=old.control,
    )
    return old, wanted


def service_rows(config: Config) -> dict[str, list[Any]]:
    """Rows of the table `service`."""
    profiles = {rule.name: rule.profile for rule in config.services}
    kinds = {rule.name: rule.kind for rule in config.services}
    kinds.setdefault(UNASSIGNED, "internal")
    return {
        "service": list(kinds),
        "kind": list(kinds.values()),
        "profile": [profiles.get(name) for name in kinds],
        "token_class": [profiles.get(name) for name in kinds],
    }


def _service(rule: ServiceRule) -> dict[str, Any]:
    if rule.profile is not None:
        profile = class_profile(rule.profile, rule.alpha_bit_per_tok)
    elif rule.kind == "data":
        profile = data_profile(rule.delay_budget_s)
    else:
        profile = Profile(id="none")
    return service_meta(
        rule.kind,
        profile,
        weight=rule.weight,
        quality=rule.quality,
        token_class=rule.profile,
    )


def _source(target: Target) -> str:
    if target.way == "url":
        parts = urllib.parse.urlsplit(target.where)
        where = f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold a secret
    else:
        where = target.where
    if target.cpu is not None:
        m = target.cpu
        who = "all processes" if m.pid is None else f"process {m.pid}"
        fitted = "calibrated here" if m.calibrated else "not calibrated"
        return (
            f"CPU time of {who}: {m.idle_w:g} W + ({m.full_w:g} - {m.idle_w:g}) W x "
            f"u^{m.exponent:g}, {fitted}"
        )
    said = [f"{target.way} {where}"]
    if target.contains:
        said.append(f"less what is in {', '.join(target.contains)}")
    if target.tenants_of:
        said.append(f"tells tenants of {target.tenants_of} apart")
    return "; ".join(said)
