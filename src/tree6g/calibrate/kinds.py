"""What can be validated and fitted, looked up by name; nothing is imported before it is asked."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from tree6g.calibrate.result import Fit, Validation
from tree6g.errors import ScenarioError, nearest

Progress = Callable[[float, str], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of data: the function for it as `module:name`, and the options it takes.

    Of a fit also what it is given: one `path`, several `paths`, or an `address` as text.
    """

    function: str
    options: tuple[str, ...] = ()
    takes: Literal["path", "paths", "address"] = "path"


VALIDATIONS: Final[Mapping[str, Kind]] = {
    "base-station": Kind(function="tree6g.calibrate.base_station:validate", options=("fit",)),
    "bler": Kind(function="tree6g.calibrate.link:validate"),
    "calibration": Kind(
        function="tree6g.calibrate.calibration:validate", options=("seeds", "progress")
    ),
    "counts": Kind(function="tree6g.calibrate.counts:validate"),
    "cpu-power": Kind(function="tree6g.calibrate.cpu_power:validate"),
    "footprints": Kind(function="tree6g.calibrate.footprints:validate"),
    # Named, not imported: what it is of stands in a row above.
    "gee": Kind(function="tree6g.optimise.interference.published:validate"),
    "llm-energy": Kind(function="tree6g.calibrate.llm_energy:validate", options=("fit",)),
    "partial-load": Kind(function="tree6g.calibrate.partial_load:validate"),
    "pathloss": Kind(function="tree6g.calibrate.pathloss:validate"),
    "serving": Kind(
        function="tree6g.calibrate.serving:validate",
        options=("accelerator", "model", "tensor_parallel"),
    ),
}
FITS: Final[Mapping[str, Kind]] = {
    "accelerator": Kind(function="tree6g.calibrate.accelerator_fit:fit"),
    "base-station": Kind(function="tree6g.calibrate.base_station:fit"),
    "cpu-power": Kind(function="tree6g.calibrate.cpu_power:fit", takes="paths"),
    "phase-weights": Kind(
        function="tree6g.calibrate.phase_weights:fit",
        options=("model", "pid", "energy", "busy", "minutes", "together", "batch", "progress"),
        takes="address",
    ),
    "profile": Kind(
        function="tree6g.calibrate.profile_fit:fit",
        options=("source", "reference"),
        takes="paths",
    ),
    "scenario": Kind(
        function="tree6g.calibrate.scenario_fit:fit",
        options=("template", "hold_out_frac", "longest_s", "progress"),
    ),
}


def validate(
    kind: str,
    files: Sequence[Path],
    *,
    fit: Path | None = None,
    seeds: int | None = None,
    accelerator: str | None = None,
    model: str | None = None,
    tensor_parallel: int | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Compare a model with the data of files.

    Args:
        kind: One of `VALIDATIONS`.
        files: Files or folders in the format of the kind.
        fit: Data of the same format to fit on; None splits the data themselves.
        seeds: How many seeds a random model is run with; None for its own number.
        accelerator: What the data were measured on, in place of what their names say.
        model: The model that ran there, in place of what their names say.
        tensor_parallel: How many accelerators it ran on.
        progress: Is told how much is done, by kinds that take long.

    Raises:
        ScenarioError: No such kind, or an option that it does not take.
        DataError: A file is not what it should be, with all its faults.
    """
    found = _kind(kind, VALIDATIONS, "validate")
    given: dict[str, Any] = {
        "fit": fit,
        "seeds": seeds,
        "accelerator": accelerator,
        "model": model,
        "tensor_parallel": tensor_parallel,
    }
    wanted = _applied(kind, found, given)
    if progress is not None and "progress" in found.options:
        wanted["progress"] = progress
    once = list({Path(file).resolve(): file for file in reversed(files)}.values())[::-1]
    result: Validation = _loaded(found)(once, **wanted)
    if len(once) == len(files):
        return result
    twice = f"{len(files) - len(once)} of the paths were named twice: their rows count once"
    return dataclasses.replace(result, problems=(*result.problems, twice))


def fit(kind: str, targets: Sequence[str | Path], **options: Any) -> Fit:
    """Fit the model of a kind to data.

    Args:
        kind: One of `FITS`.
        targets: Paths of data, or an address; one unless the kind takes several.
        **options: Options of the kind by name; None where one is not given.

    Raises:
        ScenarioError: No such kind, more than it takes, or an option that it does not take.
        DataError: The data are not what they should be, with all their faults.
    """
    found = _kind(kind, FITS, "fit")
    progress = options.pop("progress", None)
    wanted = _applied(kind, found, options)
    if progress is not None and "progress" in found.options:
        wanted["progress"] = progress
    if found.takes != "paths" and len(targets) != 1:
        raise ScenarioError(f"expected one {found.takes} for {kind}; got {len(targets)}.")
    result: Fit
    if found.takes == "address":
        result = _loaded(found)(str(targets[0]), **wanted)
    elif found.takes == "path":
        result = _loaded(found)(Path(targets[0]), **wanted)
    else:
        result = _loaded(found)([Path(target) for target in targets], **wanted)
    return result


def _applied(kind: str, found: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, all of which the kind must take."""
    wanted = {name: value for name, value in given.items() if value is not None}
    foreign = [f"--{name.replace('_', '-')}" for name in wanted if name not in found.options]
    if foreign:
        raise ScenarioError(f"{', '.join(foreign)} does not apply to {kind}; leave it out.")
    return wanted


def _kind(kind: str, kinds: Mapping[str, Kind], verb: str) -> Kind:
    if kind not in kinds:
        raise ScenarioError(
            f"expected a kind of data to {verb}; got {kind!r}. {nearest(kind, kinds)}"
        )
    return kinds[kind]


def _loaded(kind: Kind) -> Callable[..., Any]:
    module, _, name = kind.function.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
