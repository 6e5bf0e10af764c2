"""What a server is asked for: requests as arrays, checked once."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tree6g.compute.serving.layout import LAST_PRIORITY
from tree6g.errors import DataError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NO_PREFIX = -1
_MOST_TOK = 2**30
_MOST_GROUPS = 2**24


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """Requests in order of arrival; make them with `requests`. Arrays are [request].

    Attributes:
        arrival_s: When they reach the server, not decreasing; equal times keep their order.
        prompt_tok: Tokens of the prompt, its prefix included, at least 1.
        output_tok: Tokens of the answer, at least 1.
        priority: Class; smaller numbers, from 0, are served first where the settings say so.
        prefix_id: Group of requests whose prompts begin with the same tokens (a system prompt, the
            history of a session), from 0; `NO_PREFIX` for none.
        prefix_tok: How many tokens of the prompt are the group's. For a session whose every prompt
            continues the one before it, this is the whole prompt.
        give_up_s: Patience: who has no first token this long after arrival leaves; inf for never.
    """

    arrival_s: FloatArray
    prompt_tok: IntArray
    output_tok: IntArray
    priority: IntArray
    prefix_id: IntArray
    prefix_tok: IntArray
    give_up_s: FloatArray

    def __len__(self) -> int:
        return len(self.arrival_s)

    def where(self, chosen: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> Requests:
        """Some of the requests; their order must stay that of arrival."""
        names = [field.name for field in dataclasses.fields(self)]
        return Requests(**{name: getattr(self, name)[chosen] for name in names})


def requests(
    arrival_s: npt.ArrayLike,
    prompt_tok: npt.ArrayLike,
    output_tok: npt.ArrayLike,
    *,
    priority: npt.ArrayLike = 0,
    prefix_id: npt.ArrayLike = NO_PREFIX,
    prefix_tok: npt.ArrayLike = 0,
    give_up_s: npt.ArrayLike = np.inf,
) -> Requests:
    """Requests from arrays or single values, checked; fields: see `Requests`.

    Raises:
        DataError: A value is out of its range; the message lists every kind of fault with the first
            request that has it.
    """
    arrival = np.atleast_1d(np.asarray(arrival_s, dtype=np.float64))
    values = {
        "prompt_tok": _whole(prompt_tok, "prompt_tok", len(arrival)),
        "output_tok": _whole(output_tok, "output_tok", len(arrival)),
        "priority": _whole(priority, "priority", len(arrival)),
        "prefix_id": _whole(prefix_id, "prefix_id", len(arrival)),
        "prefix_tok": _whole(prefix_tok, "prefix_tok", len(arrival)),
    }
    patience = _filled(give_up_s, "give_up_s", len(arrival)).astype(np.float64)
    faults = [text for text in _faults(arrival, values, patience) if text]
    if faults:
        raise DataError("\n".join(faults))
    return Requests(arrival_s=arrival, give_up_s=np.ascontiguousarray(patience), **values)


def _filled(given: npt.ArrayLike, name: str, count: int) -> npt.NDArray[np.generic]:
    array = np.asarray(given)
    if array.ndim > 1 or (array.ndim == 1 and len(array) != count):
        raise DataError(
            f"expected {name} to be one value or {count}, one per arrival; got shape {array.shape}."
        )
    return np.broadcast_to(array, (count,))


def _whole(given: npt.ArrayLike, name: str, count: int) -> IntArray:
    array = _filled(given, name, count)
    if array.dtype.kind not in "iub" and not np.all(np.isfinite(array) & (array == np.rint(array))):
        raise DataError(f"expected {name} to be whole numbers; round them before.")
    return np.ascontiguousarray(array.astype(np.int64))


def _faults(arrival: FloatArray, values: dict[str, IntArray], patience: FloatArray) -> list[str]:
    grouped = values["prefix_id"] >= 0
    longer = grouped & (values["prefix_tok"] > values["prompt_tok"])
    sizes = values["prompt_tok"], values["output_tok"]
    long = np.maximum(*sizes) > _MOST_TOK
    far = values["prefix_id"] >= _MOST_GROUPS
    unranked = (values["priority"] < 0) | (values["priority"] > LAST_PRIORITY)
    late = np.diff(arrival, prepend=arrival[:1]) < 0.0
    return [
        _first(~np.isfinite(arrival) | (arrival < 0.0), arrival, "arrival_s from 0 s on"),
        _first(late, arrival, "arrival_s that does not decrease (sort the requests by it)"),
        _first(values["prompt_tok"] < 1, values["prompt_tok"], "prompt_tok of at least 1"),
        _first(values["output_tok"] < 1, values["output_tok"], "output_tok of at least 1"),
        _first(long, np.maximum(*sizes), f"prompt_tok and output_tok of at most {_MOST_TOK}"),
        _first(unranked, values["priority"], f"priority from 0 to {LAST_PRIORITY}"),
        _first(values["prefix_id"] < NO_PREFIX, values["prefix_id"], "prefix_id from -1 (none) on"),
        _first(far, values["prefix_id"], f"prefix_id below {_MOST_GROUPS} (number groups from 0)"),
        _first(values["prefix_tok"] < 0, values["prefix_tok"], "prefix_tok of at least 0"),
        _first(longer, values["prefix_tok"], "prefix_tok of at most prompt_tok"),
        _first(~(patience > 0.0), patience, "give_up_s above 0 s"),
    ]


def _first(wrong: npt.NDArray[np.bool_], values: npt.NDArray[np.generic], want: str) -> str:
    if not wrong.any():
        return ""
    at = int(np.argmax(wrong))
    return f"expected {want}; got {values[at]} for request {at} ({int(wrong.sum())} such)."
