"""Tenants of one server: its own counters are the total, others say for whom it was.

The total counts tokens while they are made, a front (a proxy, a router) mostly when a request ends.
So tokens of the total wait, each with the time of its look, until a front claims them, the oldest
first; what nobody claims within `settle` is the rest, which is nobody's. Claims that find nothing
wait as long. So rows always add up to the total, and the rest is never negative.

A front that does not tell cached prompt tokens apart claims from both, in the proportion that the
total has then; such rows are estimated. What the total does not count at all (requests of
llama.cpp, waiting times) is taken from the front as it is.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tree6g.meter.agent.pieces import Deed, Pieces, Wait
from tree6g.meter.agent.tracker import Cover, Seen, dumped

PREFIX: Final = "/tenants/"
QUIET: Final = 2  # looks in a row without a request at work: nobody will claim any more
_IN, _CACHED = "token_in", "token_in_cached"
_TINY: Final = 1e-9
_MODEL: Final = Deed._fields.index("model")


class Claim(NamedTuple):
    """Work that a front counted for somebody."""

    time_s: float
    front: str
    model: str
    tenant: str
    kind: str
    amount: float


class Owned(NamedTuple):
    """Work of the total with the front that told whose it was; no front: nobody's."""

    front: str
    deed: Deed


@dataclasses.dataclass(slots=True)
class Divided:
    """What came of one tick.

    Attributes:
        deeds: Work of the total, told apart.
        waits: Waiting times of the total that no front tells.
        cover: What is said of the total's work.
        dropped: Amount of claims that found nothing, by kind.
    """

    deeds: list[Owned] = dataclasses.field(default_factory=list)
    waits: list[Wait] = dataclasses.field(default_factory=list)
    cover: list[Cover] = dataclasses.field(default_factory=list)
    dropped: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class _State:
    pool: list[Deed]
    claims: list[Claim]
    kinds: set[str]  # that the total has ever counted
    told: set[str]  # kinds that fronts count, be it 0, waiting times too
    models: set[str]  # that the total has ever counted
    quiet: int = 0
    covers: list[Cover] = dataclasses.field(default_factory=list)

    def copy(self) -> _State:
        """Another one, to change."""
        return _State(
            list(self.pool), list(self.claims), set(self.kinds), set(self.told), set(self.models),
            self.quiet, list(self.covers),
        )  # fmt: skip


class Division:
    """The total of one target; `step` plans, `commit` makes it so."""

    def __init__(self, name: str, settle_s: float) -> None:
        self.name, self._settle_s = name, settle_s
        self._now = _State([], [], set(), set(), set())
        self._then = self._now

    def step(
        self,
        total: Seen | None,
        kinds: Iterable[str],
        fronts: Mapping[str, Pieces],
        time_s: float,
        *,
        models: Iterable[str] = (),
    ) -> Divided:
        """Tell one tick's work apart.

        Args:
            total: The look of the total; None: it gave none.
            kinds: Kinds that the total counts.
            fronts: What fronts counted; kinds that the total does not count stay with them.
            time_s: Time of the tick.
            models: Models that the total counts, at work or not.
        """
        state = self._then = self._now.copy()
        state.kinds |= set(kinds)
        state.models |= set(models)
        made = Divided()
        if total is not None:
            state.pool += total.pieces.deeds
            state.models |= {d.model for d in total.pieces.deeds}
            busy = sum(total.pieces.running.values()) > 0.0 or not total.pieces.running
            state.quiet = 0 if busy else state.quiet + 1
            state.covers += [c for c in total.cover if c.quantity == "work"]
        for name, pieces in fronts.items():
            state.told |= pieces.told | {w.kind for w in pieces.waits}
            state.claims += [
                Claim(time_s, name, d.model, d.tenant, d.kind, d.amount)
                for d in pieces.deeds
                if _pooled(d.kind, state.kinds)
            ]
        if total is not None:
            made.waits = [w for w in total.pieces.waits if w.kind not in state.told]
        state.claims = [c for c in (self._grant(state, c, made) for c in state.claims) if c]
        self._age(state, time_s, made)
        self._cover(state, made)
        return made

    def own(self, pieces: Pieces) -> tuple[list[Deed], list[Wait]]:
        """What of a front is rows of its own, for the total does not count it."""
        kinds = self._then.kinds
        return [d for d in pieces.deeds if not _pooled(d.kind, kinds)], pieces.waits

    def end(self) -> Divided:
        """All that waits, as nobody's: the agent ends."""
        state = self._then = self._now.copy()
        made = Divided(deeds=[Owned("", deed) for deed in state.pool])
        state.pool, state.claims = [], []
        self._cover(state, made)
        return made

    def commit(self) -> None:
        """The rows are durable."""
        self._now = self._then

    def drop(self) -> None:
        """They are not."""
        self._then = self._now

    def state(self) -> dict[str, bytes]:
        """What has to be durable together with the rows."""
        s = self._then
        plain = [s.pool, s.claims, sorted(s.kinds), sorted(s.told), s.quiet, s.covers,
                 sorted(s.models)]  # fmt: skip
        return {f"{PREFIX}{self.name}": dumped(plain)}

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Go on from the last durable tick."""
        raw = state.get(f"{PREFIX}{self.name}")
        if raw is not None:
            pool, claims, kinds, told, quiet, covers, *more = json.loads(raw)
            models = set(more[0]) if more else {row[_MODEL] for row in pool}
            self._now = self._then = _State(
                [Deed(*row) for row in pool], [Claim(*row) for row in claims], set(kinds),
                set(told), models, quiet, [Cover(*row) for row in covers],
            )  # fmt: skip

    def _grant(self, state: _State, claim: Claim, made: Divided) -> Claim | None:
        """Give a claim what there is; what is left of it."""
        kinds = _claimed(claim.kind, state)
        left, pool = claim.amount, []
        models = state.models
        fits = {claim.model} if claim.model in models else models if len(models) == 1 else set()
        waiting = [d for d in state.pool if d.kind in kinds and d.model in fits]
        given: dict[int, float] = {}
        for same in _by_time(waiting):
            if left <= _TINY:
                break
            whole = sum(d.amount for d in same)
            part = left / whole if left < whole - _TINY else 1.0
            left -= part * whole
            given.update({id(d): part for d in same})
        for deed in state.pool:
            part = given.get(id(deed), 0.0)
            if part > 0.0:
                origin = "estimated" if len(kinds) > 1 else deed.origin
                mine, rest = _cut(deed, part)
                model = mine.model or claim.model  # llama.cpp does not say it, its front does
                mine = mine._replace(tenant=claim.tenant, model=model, origin=origin)
                made.deeds.append(Owned(claim.front, mine))
            else:
                rest = deed
            if part < 1.0:
                pool.append(rest)
        state.pool = pool
        return claim._replace(amount=left) if left > _TINY else None

    def _age(self, state: _State, time_s: float, made: Divided) -> None:
        """What has waited long enough is nobody's; so is all of it once nobody is at work."""
        oldest_s = time_s - self._settle_s
        idle = state.quiet >= QUIET and not state.claims
        kept = []
        for deed in state.pool:
            if idle or deed.t1_s <= oldest_s:
                made.deeds.append(Owned("", deed))
            else:
                kept.append(deed)
        state.pool = kept
        for claim in state.claims:
            if claim.time_s <= oldest_s:
                made.dropped[claim.kind] = made.dropped.get(claim.kind, 0.0) + claim.amount
        state.claims = [c for c in state.claims if c.time_s > oldest_s]

    def _cover(self, state: _State, made: Divided) -> None:
        """Coverage of work that waits for nobody any more."""
        open_s = min((d.t0_s for d in state.pool), default=float("inf"))
        kept: list[Cover] = []
        for cover in state.covers:
            if cover.t1_s <= open_s:
                made.cover.append(cover)
            else:
                kept.append(cover)
        state.covers = kept


def _cut(deed: Deed, part: float) -> tuple[Deed, Deed]:
    """The first part of some work, and what is left of it; its time is shared out alike.

    So what is claimed of one look at several ticks are rows that follow one another.
    """
    if part >= 1.0:
        return deed, deed._replace(amount=0.0)
    at_s = deed.t0_s + part * (deed.t1_s - deed.t0_s)
    first, rest = (
        deed._replace(amount=deed.amount * part),
        deed._replace(amount=deed.amount - deed.amount * part),
    )
    if not deed.t0_s < at_s < deed.t1_s:
        return first, rest
    return first._replace(t1_s=at_s), rest._replace(t0_s=at_s)


def _pooled(kind: str, kinds: set[str]) -> bool:
    """Whether work of a front is inside of the total's; cached prompt tokens are prompt tokens."""
    return kind in kinds or (kind == _CACHED and _IN in kinds)


def _claimed(kind: str, state: _State) -> tuple[str, ...]:
    """Kinds of the total that a claim is taken from."""
    if kind == _CACHED and _CACHED not in state.kinds:
        return (_IN,)
    if kind == _IN and _CACHED in state.kinds and _CACHED not in state.told:
        return (_IN, _CACHED)
    return (kind,)


def _by_time(deeds: Sequence[Deed]) -> list[list[Deed]]:
    """Work in the order of its looks; that of one look together."""
    found: dict[float, list[Deed]] = {}
    for deed in sorted(deeds, key=lambda d: d.t1_s):
        found.setdefault(deed.t1_s, []).append(deed)
    return list(found.values())
