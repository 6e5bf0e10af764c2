"""Services, sites and the ways in which each service can be served.

    maximise  N / P
    N = N_0 + sum u x
    P = P_0 + sum p x + sum P_idle y
    sum_(ways of a service) x <= 1       (= 1 if the service has to be served)
    sum use x <= capacity y              (accelerators, memory, uplink of each site)
    sum_(ways of a service at a site) x <= y
    sum_(sites of a group) y <= 1        (where one place can be set up in several ways)
    x, y in {0, 1};  y = 1 where a site is always on

One way is one choice of model, storage format, tier, site, cut layer and number of replicas. A site
that nobody uses is switched off. The third inequality follows from the second for whole numbers; it
is there because it makes the relaxation much tighter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import ScenarioError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

RESOURCES: Final = ("accelerators", "memory_byte", "uplink_bps")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """Places that can serve, one per entry. [site].

    Attributes:
        idle_power_w: Power of a site that is on, whatever it does.
        accelerators: Accelerators that can be taken; parts of one count as parts.
        memory_byte: Memory for weights and caches.
        uplink_bps: Transport from the site.
        always_on: Its idle power is paid even if nobody uses it.
        names: For people.
        group: Sites of the same number are one place set up in different ways: at most one of them
            is on. None: each is a place of its own.
    """

    idle_power_w: FloatArray
    accelerators: FloatArray
    memory_byte: FloatArray
    uplink_bps: FloatArray
    always_on: BoolArray
    names: tuple[str, ...] = ()
    group: IntArray | None = None

    def __post_init__(self) -> None:
        """Bring all to one length; refuse what no site is."""
        count = np.asarray(self.idle_power_w).shape[0]
        _columns(self, ("idle_power_w", *RESOURCES), (count,))
        object.__setattr__(self, "always_on", _flags(self.always_on, count))
        if self.group is not None and np.shape(self.group) != (count,):
            raise ScenarioError(
                f"expected a group for each of {count} sites; got {len(self.group)}."
            )
        if (np.bincount(self.place[self.always_on], minlength=1) > 1).any():
            raise ScenarioError("expected at most one site of a group that is always on; got more.")
        faults = _negative("sites", self, ("idle_power_w", *RESOURCES))
        if not np.isfinite(self.idle_power_w).all():
            faults.append("idle_power_w of sites must be finite; got one that is not.")
        _refuse(faults + _misnamed("sites", self.names, count))

    @property
    def count(self) -> int:
        """How many."""
        return len(self.idle_power_w)

    @property
    def place(self) -> IntArray:
        """The group of each site, numbered from 0. [site]."""
        if self.group is None:
            return np.arange(self.count)
        return np.unique(self.group, return_inverse=True)[1].astype(np.int64)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Who asks, one per entry. [service].

    Attributes:
        latency_limit_s: Ways that take longer are left out; infinite: no limit.
        required: Has to be served: a ratio can always be raised by refusing work.
        names: For people.
    """

    latency_limit_s: FloatArray
    required: BoolArray
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Bring all to one length."""
        count = np.asarray(self.latency_limit_s).shape[0]
        _columns(self, ("latency_limit_s",), (count,))
        object.__setattr__(self, "required", _flags(self.required, count))
        faults = _negative("services", self, ("latency_limit_s",))
        _refuse(faults + _misnamed("services", self.names, count))

    @property
    def count(self) -> int:
        """How many."""
        return len(self.latency_limit_s)

    def name(self, service: int) -> str:
        """Its name, or its number where none were given."""
        return self.names[service] if self.names else f"service {service}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Ways to serve, one per row. [way], and [way, hop] for what is used at sites.

    A way uses no site (all on the terminal) or some one after the other, for instance the uplink of
    one at the cell and the accelerators of one behind it.

    Attributes:
        service: Whom it serves.
        data_bps: Bits of data services that it carries.
        token_bps: Worth of its tokens in bit-equivalents per second.
        power_w: Power above idle, terminals, radio, transport and sites together.
        latency_s: Against the limit of its service.
        site: Sites it uses; -1: none at this hop. [way, hop]
        accelerators: That it takes there. [way, hop]
        memory_byte: [way, hop].
        uplink_bps: [way, hop].
    """

    service: IntArray
    data_bps: FloatArray
    token_bps: FloatArray
    power_w: FloatArray
    latency_s: FloatArray
    site: IntArray
    accelerators: FloatArray
    memory_byte: FloatArray
    uplink_bps: FloatArray

    def __post_init__(self) -> None:
        """Bring all to one length; refuse what cannot be."""
        object.__setattr__(self, "service", np.asarray(self.service, dtype=np.int64))
        site = np.asarray(self.site, dtype=np.int64)
        object.__setattr__(self, "site", site[:, None] if site.ndim == 1 else site)
        if self.site.shape[:1] != self.service.shape or not self.site.shape[1]:
            raise ScenarioError(
                f"site of ways must have a row for each of {len(self.service)} and a hop; got the "
                f"shape {self.site.shape}."
            )
        amounts = ("data_bps", "token_bps", "power_w", "latency_s")
        _columns(self, amounts, self.service.shape)
        _columns(self, RESOURCES, self.site.shape)
        faults = _negative("ways", self, (*amounts, *RESOURCES))
        faults += [
            f"{name} of ways must be finite; got one that is not."
            for name in ("data_bps", "token_bps", "power_w", *RESOURCES)
            if not np.isfinite(getattr(self, name)).all()
        ]
        for first in range(self.site.shape[1]):
            for second in range(first):
                same = (self.site[:, first] == self.site[:, second]) & (self.site[:, first] >= 0)
                if same.any():
                    faults.append(f"way {int(np.argmax(same))} uses one site at two of its hops.")
        _refuse(faults)

    @property
    def count(self) -> int:
        """How many."""
        return len(self.service)

    def taken(self, rows: IntArray) -> Ways:
        """Some of them."""
        names = [f.name for f in dataclasses.fields(self)]
        return Ways(**{name: getattr(self, name)[rows] for name in names})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """All that a placement may choose from, and what is there whatever it chooses.

    Attributes:
        services: Who asks.
        sites: Where.
        ways: How.
        fixed_data_bps: Bits of data services that are carried anyway.
        fixed_power_w: Power that is drawn anyway, > 0.
    """

    services: Services
    sites: Sites
    ways: Ways
    fixed_data_bps: float = 0.0
    fixed_power_w: float

    def __post_init__(self) -> None:
        """Refuse names of services and sites that do not exist."""
        faults = []
        ways = self.ways
        if ways.count and not 0 <= ways.service.min() <= ways.service.max() < self.services.count:
            faults.append(f"service of a way must be one of {self.services.count}.")
        if ways.count and not -1 <= ways.site.min() <= ways.site.max() < self.sites.count:
            faults.append(f"site of a way must be -1 or one of {self.sites.count}.")
        if not 0.0 < self.fixed_power_w < np.inf:
            faults.append(f"fixed_power_w must be > 0 W; got {self.fixed_power_w:g} W.")
        if not 0.0 <= self.fixed_data_bps < np.inf:
            faults.append(f"fixed_data_bps must be >= 0 bit/s; got {self.fixed_data_bps:g} bit/s.")
        _refuse(faults)


def usable(problem: Problem) -> IntArray:
    """Ways that keep their latency and fit into empty sites, whatever else is chosen."""
    ways, sites = problem.ways, problem.sites
    keep = ways.latency_s <= problem.services.latency_limit_s[ways.service]
    for name in RESOURCES:
        room = np.append(getattr(sites, name), np.inf)  # -1: no site, no limit
        keep &= (getattr(ways, name) <= room[ways.site]).all(axis=1)
    place = np.append(sites.place, -1)[ways.site]
    for first in range(place.shape[1]):  # one place cannot be set up in two ways
        for second in range(first):
            keep &= (place[:, first] != place[:, second]) | (place[:, first] < 0)
    return np.flatnonzero(keep)


def _columns(record: Any, names: Sequence[str], shape: tuple[int, ...]) -> None:
    for name in names:
        column = np.asarray(getattr(record, name), dtype=np.float64)
        if column.ndim == 1 and len(shape) == 2 and shape[1] == 1:
            column = column[:, None]
        try:
            whole = np.ascontiguousarray(np.broadcast_to(column, shape))
        except ValueError:
            raise ScenarioError(
                f"{name} must have the shape {shape} of its neighbours; got {column.shape}."
            ) from None
        object.__setattr__(record, name, whole)


def _flags(values: BoolArray, count: int) -> BoolArray:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype=np.bool_), (count,)))


def _negative(kind: str, record: Any, names: Sequence[str]) -> list[str]:
    return [
        f"{name} of {kind} must be >= 0; got {np.min(getattr(record, name)):g}."
        for name in names
        if not (getattr(record, name) >= 0.0).all()
    ]


def _misnamed(kind: str, names: tuple[str, ...], count: int) -> list[str]:
    return [f"expected {count} names of {kind}; got {len(names)}."] * bool(
        names and len(names) != count
    )


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ScenarioError(" ".join(faults), faults)
