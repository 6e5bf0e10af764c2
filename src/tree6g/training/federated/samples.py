"""Real data that ships with scikit-learn (extra `learning`), and its split over clients."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.errors import DataError, InfeasibleError, nearest
from tree6g.training.federated.models import FloatArray, IntArray

LOADERS: Final = {"digits": "load_digits", "breast-cancer": "load_breast_cancer"}
# Where scikit-learn keeps them, and lines before the first sample.
FILES: Final = {"digits": ("digits.csv.gz", 0), "breast-cancer": ("breast_cancer.csv", 1)}
TEST_FRAC: Final = 1.0 / 6.0  # of the samples, kept from training
SIDE_PX: Final = {"digits": 8}  # of data sets that are square pictures, row by row
SHIFTS: Final = ("none", "turned", "inverted")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Data to learn from and to test with.

    Attributes:
        x: Values, with mean 0 and at most unit variance over the training data. [sample, value]
        y: Classes. [sample]
        test_x: The same of the test data.
        test_y: Their classes.
        classes: Number of classes.
    """

    x: FloatArray
    y: IntArray
    test_x: FloatArray
    test_y: IntArray
    classes: int


def samples(name: str, seed: int = 0) -> Samples:
    """A data set, shuffled and split by a seed; values are scaled by the training part alone.

    `digits`: 1,797 handwritten digits of 8 x 8 pixels, ten classes (Alpaydin and Kaynak 1998, test
    part of the UCI set). `breast-cancer`: 569 tumours with 30 measures, two classes (Wolberg et al.
    1995). Both CC BY 4.0 at UCI.

    Raises:
        DataError: No such data set.
        InfeasibleError: scikit-learn is not installed.
    """
    if name not in LOADERS:
        raise DataError(f"expected a data set; got {name!r}. {nearest(name, LOADERS)}")
    x, y = _read(name)
    order = np.random.default_rng([seed, len(y)]).permutation(len(y))
    x, y = np.asarray(x, dtype=np.float64)[order], np.asarray(y, dtype=np.int64)[order]
    cut = len(y) - round(TEST_FRAC * len(y))
    spread = x[:cut].std(axis=0)
    if name == "digits":  # pixels share one scale: those that are nearly always white stay small
        spread = np.full(x.shape[1], spread.max())
    x = (x - x[:cut].mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    return Samples(x=x[:cut], y=y[:cut], test_x=x[cut:], test_y=y[cut:], classes=int(y.max()) + 1)


def shifted(data: Samples, shift: str, side_px: int) -> Samples:
    """The same pictures as others take them.

    Args:
        data: Square pictures.
        shift: `turned` by a quarter to the left, `inverted`: dark for light, `none`.
        side_px: Their side.
    """
    x, test_x = (_shifted(x, shift, side_px) for x in (data.x, data.test_x))
    return dataclasses.replace(data, x=x, test_x=test_x)


def _shifted(x: FloatArray, shift: str, side_px: int) -> FloatArray:
    if shift == "inverted":
        return -x  # values have mean 0
    if shift == "turned":
        return np.rot90(x.reshape(-1, side_px, side_px), axes=(1, 2)).reshape(x.shape)
    return x


def _read(name: str) -> tuple[Any, Any]:
    """Values and classes from scikit-learn's file, or if it is not where it was by its function.

    Its import takes a hundred times as long as the file.
    """
    found = find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise InfeasibleError(
            "expected the package 'scikit-learn', whose data sets are learnt from; it is not "
            "installed. Run: pip install 'tree6g[learning]'"
        )
    file, header = FILES[name]
    path = Path(found.submodule_search_locations[0]) / "datasets" / "data" / file
    if not path.is_file():
        return getattr(import_module("sklearn.datasets"), LOADERS[name])(return_X_y=True)
    table = np.loadtxt(path, delimiter=",", skiprows=header)
    return table[:, :-1], table[:, -1]


def shards(
    y: IntArray, clients: int, concentration: float, rng: np.random.Generator
) -> tuple[IntArray, ...]:
    """Samples of each client: classes are spread by Dirichlet shares (Hsu et al. 2019).

    Args:
        y: Class of each sample. [sample]
        clients: Clients.
        concentration: Parameter of the Dirichlet distribution of each class over the clients: small
            values give each client few classes, infinity all the same.
        rng: Random numbers.

    Raises:
        DataError: Fewer samples than clients.
    """
    if clients > len(y):
        raise DataError(f"expected at most {len(y)} clients, a sample each; got {clients}.")
    parts: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(y).tolist():
        rows = rng.permutation(np.flatnonzero(y == label))
        share = _shares(clients, concentration, rng)
        edges = np.rint(np.cumsum(share)[:-1] * len(rows)).astype(np.int64)
        for part, some in zip(parts, np.split(rows, edges), strict=True):
            part.extend(some.tolist())
    for part in parts:
        if not part:  # who got nothing takes a sample of the one with most
            part.append(max(parts, key=len).pop())
    return tuple(np.array(sorted(part), dtype=np.int64) for part in parts)


def _shares(clients: int, concentration: float, rng: np.random.Generator) -> FloatArray:
    if np.isinf(concentration):
        return np.full(clients, 1.0 / clients)
    return rng.dirichlet(np.full(clients, concentration))
