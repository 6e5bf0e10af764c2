"""Rounds of learning in a ledger: accuracy, and the joules and bits that each of them took."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tree6g.errors import LedgerError
from tree6g.ledger.reading import Ledger, named_sql, sql_errors

AIR: Final = ("bit_dl", "bit_ul")  # kinds of bits at the air


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round that is over.

    Attributes:
        number: From 1.
        t0_s: When it began.
        t1_s: When the model was there.
        chosen: Clients that were chosen.
        arrived: Those whose updates came in time.
        energy_j: Joules by tier.
        bit: Bits by kind: `bit_dl`, `bit_ul` at the air, `bit_carried` on links.
        accuracy_frac: Right answers of the model after it, on data that nobody learnt from; None:
            nobody looked.
        loss: Mean cross entropy there; None: nobody looked.
    """

    number: int
    t0_s: float
    t1_s: float
    chosen: int
    arrived: int
    energy_j: Mapping[str, float]
    bit: Mapping[str, float]
    accuracy_frac: float | None = None
    loss: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What a ledger says of learning.

    Attributes:
        service: Its name.
        rounds: Rounds that are over.
    """

    service: str
    rounds: tuple[Round, ...]

    @property
    def accuracy_frac(self) -> float | None:
        """Accuracy of the last round; None: none is over, or nobody looked."""
        return self.rounds[-1].accuracy_frac if self.rounds else None

    @property
    def energy_j(self) -> dict[str, float]:
        """Joules of all rounds by tier."""
        return _sums([one.energy_j for one in self.rounds])

    @property
    def bit(self) -> dict[str, float]:
        """Bits of all rounds by kind."""
        return _sums([one.bit for one in self.rounds])


def learnt(ledger: Ledger) -> Learnt | None:
    """Rounds of learning with their joules and bits; None where nothing was learnt.

    Joules are those that carry the name of learning: what it causes above idle, on terminals, at
    cells, on links and at the server, whatever the boundary. Its share of idle energy is a matter
    of attribution, see the figure. A round has what comes from its beginning to the next one's, the
    last one to the end, so that rounds add up to all; rows of the ledger that several rounds touch
    are shared by the time in which each was at work. The finer the ledger's interval, the sharper
    the rounds.

    Raises:
        LedgerError: The ledger cannot be read, or its header tells rounds in another way.
    """
    known = ledger.meta.control.get("learning")
    if not isinstance(known, Mapping):
        return None
    service, rounds = _told(known)
    if not rounds:
        return Learnt(service=service, rounds=())
    begins = [one.t0_s for one in rounds]
    places = list(range(len(rounds)))  # for numbers of rounds may come twice, see `meter.flower`
    ends = [one.t1_s for one in rounds]
    asked = [places, begins, ends, [*begins[1:], 1e300], service]
    with sql_errors(ledger.path), ledger.connect() as connection:
        rows = connection.execute(named_sql("metric", "learning"), asked).fetchall()
    joules, bits = _by_round(rows, "energy"), _by_round(rows, "bit")
    return Learnt(
        service=service,
        rounds=tuple(
            dataclasses.replace(one, energy_j=joules.get(place, {}), bit=bits.get(place, {}))
            for place, one in enumerate(rounds)
        ),
    )


def _told(known: Mapping[str, Any]) -> tuple[str, list[Round]]:
    """Service and rounds as the header tells them, without joules and bits."""
    try:
        return str(known["service"]), [_round(row) for row in known["rounds"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise LedgerError(
            "expected `control.learning` of the header with `service` and `rounds`, of each its "
            "`round`, `t0_s`, `t1_s`, `chosen` and `arrived` as numbers; got something else "
            f"({error}). Write it so, or give what is no learning another name."
        ) from error


def _round(row: Mapping[str, Any]) -> Round:
    accuracy_frac, loss = row.get("accuracy_frac"), row.get("loss")
    return Round(
        number=int(row["round"]),
        t0_s=float(row["t0_s"]),
        t1_s=float(row["t1_s"]),
        chosen=int(row["chosen"]),
        arrived=int(row["arrived"]),
        energy_j={},
        bit={},
        accuracy_frac=None if accuracy_frac is None else float(accuracy_frac),
        loss=None if loss is None else float(loss),
    )


def _by_round(
    rows: Sequence[tuple[str, int, str, float]], what: str
) -> dict[int, dict[str, float]]:
    found: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for one, number, name, amount in rows:
        if one == what:
            found[number][name] = amount
    return found


def _sums(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for part in parts for name in part})
    return {name: sum(part.get(name, 0.0) for part in parts) for name in names}
