"""A federation: a global model, clients with samples of their own, and rounds that change it.

What takes time or joules is not here: `engine.learning` lets the same rounds pass through a
network, `train` goes through them as though everybody were always there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.errors import DataError
from tree6g.training.federated import aggregate, compression, selection
from tree6g.training.federated.local import Descent, descend
from tree6g.training.federated.models import (
    Adapted,
    FloatArray,
    IntArray,
    Learner,
    Network,
    Parameters,
    softmax_loss,
    values,
)
from tree6g.training.federated.samples import (
    SHIFTS,
    SIDE_PX,
    Samples,
    samples,
    shards,
    shifted,
)

if TYPE_CHECKING:
    from tree6g.training.federated.transformer import Transformer

MODELS: Final = ("network", "transformer")
METHODS: Final = ("fedavg", "fedprox", "fedit", "flora", "centralised")
ADAPTERS: Final = ("fedit", "flora")
DOWNLOAD: Final = "fp32"  # how the global model is sent to clients, but for `fp64` updates
BASE: Final = Descent(epochs=20, batch=32, step_size=0.05)
# Streams of random numbers of a federation's seed.
SHARDS, BEGINNING, BASE_STREAM, CLIENT, CHOICE = range(5)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is learnt, by whom and how.

    Attributes:
        method: `fedavg`; `fedprox`: with a proximal term; `fedit`: adapters, averaged factor by
            factor; `flora`: adapters, stacked; `centralised`: all samples at one place.
        data: Data set of `samples`.
        model: `network`, or `transformer` over patches of pictures, which needs torch.
        hidden: Widths of hidden layers; none: softmax regression. Of a transformer those inside the
            feed-forward part of each layer.
        width: Width between layers of a transformer.
        heads: Its heads of attention.
        rank: Rank of adapters; those of a transformer are on queries and values.
        descent: How a client trains.
        clients: Their number.
        concentration: Of the Dirichlet split by class.
        form: How updates are packed for the upload.
        keep_frac: Share of the values that form `topk` keeps.
        base_frac: Share of the training samples that a base model was trained with at the server
            before; clients share the others. 0: none, learning starts from random weights.
        base_classes: Classes that the base model saw; 0: all.
        shift: How pictures of clients and of the test are other than the base model's, one of
            `samples.SHIFTS`.
        seed: Of everything random.
    """

    method: str = "fedavg"
    data: str = "digits"
    model: str = "network"
    hidden: tuple[int, ...] = ()
    width: int = 32
    heads: int = 4
    rank: int = 4
    descent: Descent
    clients: int = 10
    concentration: float = np.inf
    form: str = "fp32"
    keep_frac: float = 1.0
    base_frac: float = 0.0
    base_classes: int = 0
    shift: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        for said, known in (
            (self.method, METHODS),
            (self.model, MODELS),
            (self.form, compression.FORMATS),
            (self.shift, SHIFTS),
        ):
            if said not in known:
                raise DataError(f"expected one of {', '.join(known)}; got {said!r}.")
        if self.data not in SIDE_PX and (self.model == "transformer" or self.shift != "none"):
            raise DataError(f"expected pictures ({', '.join(SIDE_PX)}); got {self.data!r}.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The global model on the test data: share of right answers, mean cross entropy."""

    accuracy_frac: float
    loss: float


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Federation:
    """The state of federated learning between two rounds.

    Attributes:
        plan: What is learnt.
        data: All samples.
        shard: Samples of each client.
        learner: What is trained; with FLoRA its base takes in the adapters of every round.
        learnt: Global parameters.
        round: Rounds that are over.
        residual: What packing has lost of the updates of each client so far.
        stack: Values of the stacked adapters of each round (FLoRA).
        seen: Rounds whose outcome each client has. [client]
        utility: Samples times the root mean square loss of each client's last training. [client]
    """

    plan: Plan
    data: Samples
    shard: tuple[IntArray, ...]
    learner: Learner
    learnt: Parameters
    seen: IntArray
    utility: FloatArray
    round: int = 0
    residual: dict[int, Parameters] = dataclasses.field(default_factory=dict)
    stack: list[int] = dataclasses.field(default_factory=list)

    def flop(self, client: int) -> float:
        """FLOP of the client's training in a round."""
        count = len(self.shard[client]) * self.plan.descent.epochs
        return self.learner.flop_per_sample * count

    def steps(self, client: int) -> int:
        """Steps of gradient descent of the client in a round."""
        return self.plan.descent.steps(len(self.shard[client]))

    @property
    def read_values(self) -> int:
        """Weights that a step reads: those that are learnt, and those frozen below adapters."""
        frozen = values(self.learner.base) if isinstance(self.learner, Adapted) else 0
        return values(self.learnt) + frozen

    @property
    def layers(self) -> int:
        """Layers of the model."""
        return len(self.plan.hidden) + 1

    def download_bit(self, client: int) -> float:
        """Bits that bring a client to the state of the round.

        With FLoRA the stacks of all rounds that it has not seen, or the whole model if that is
        less; else the global parameters. A base model is on the clients from the start.
        """
        form = "fp64" if self.plan.form == "fp64" else DOWNLOAD
        count = values(self.learnt)
        if self.plan.method == "flora" and isinstance(self.learner, Adapted):
            missed = sum(self.stack[int(self.seen[client]) :])
            count = min(missed, values(self.learner.base))
        return float(compression.WHOLE_BIT[form] * count)

    def upload_bit(self, client: int) -> float:
        """Bits of a client's packed update; of its samples, a byte per value, if they are sent."""
        if self.plan.method == "centralised":
            return 8.0 * len(self.shard[client]) * (self.data.x.shape[1] + 1)
        return compression.packed_bit(self.learnt, self.plan.form, self.plan.keep_frac)

    def train(self, client: int) -> Parameters:
        """A client's training in this round: its update as the server receives it."""
        rows = self.shard[client]
        learnt, loss = descend(
            self.learner, self.learnt, self.data.x[rows], self.data.y[rows], self.plan.descent,
            self.stream(CLIENT, client),
        )  # fmt: skip
        self.utility[client] = len(rows) * loss
        wanted = tuple(w - w0 for w, w0 in zip(learnt, self.learnt, strict=True))
        left = self.residual.get(client)
        if left is not None:
            wanted = tuple(w + rest for w, rest in zip(wanted, left, strict=True))
        sent = compression.pack(wanted, self.plan.form, self.plan.keep_frac)
        if self.plan.form != "fp64":
            self.residual[client] = tuple(w - s for w, s in zip(wanted, sent, strict=True))
        return sent

    def fold(self, updates: Mapping[int, Parameters]) -> None:
        """End a round with the updates that came; without any, the model stays."""
        clients = sorted(updates)
        if clients:
            weight = np.array([len(self.shard[c]) for c in clients], dtype=np.float64)
            sent = [
                tuple(w0 + w for w0, w in zip(self.learnt, updates[c], strict=True))
                for c in clients
            ]
            if isinstance(self.learner, Adapted) and self.plan.method == "flora":
                joint = aggregate.stacked(sent, weight)
                self.learner = dataclasses.replace(self.learner, base=self.learner.merged(joint))
                self.stack.append(values(joint))
                self.residual.clear()  # it belongs to factors that are folded in
                self.learnt = self.learner.start(self.stream(BEGINNING, self.round + 1))
            else:
                self.learnt = aggregate.mean(sent, weight)
        elif self.plan.method == "flora":
            self.stack.append(0)
        self.round += 1

    def fold_flop(self, clients: int) -> float:
        """FLOP of averaging so many updates; of FLoRA, of the product of their stack."""
        if isinstance(self.learner, Adapted) and self.plan.method == "flora":
            ranks = [clients * a.shape[1] for a in self.learnt[::2]]
            sizes = [w.size for w in self.learner.weights]
            return float(sum(2 * r * size for r, size in zip(ranks, sizes, strict=True)))
        return 2.0 * clients * values(self.learnt)

    def pool(self, clients: IntArray) -> tuple[float, int]:
        """A round of training at one place with the samples of some clients; its FLOP and steps."""
        rows = np.concatenate([self.shard[c] for c in clients.tolist()])
        self.learnt, _ = descend(
            self.learner, self.learnt, self.data.x[rows], self.data.y[rows], self.plan.descent,
            self.stream(CLIENT, 0),
        )  # fmt: skip
        self.round += 1
        how = self.plan.descent
        return self.learner.flop_per_sample * len(rows) * how.epochs, how.steps(len(rows))

    def score(self) -> Score:
        """The global model on the test data."""
        scores = self.learner.scores(self.learnt, self.data.test_x)
        loss, _ = softmax_loss(scores, self.data.test_y)
        right = np.mean(scores.argmax(axis=1) == self.data.test_y)
        return Score(accuracy_frac=float(right), loss=float(loss.mean()))

    def stream(self, purpose: int, number: int) -> np.random.Generator:
        """Random numbers for a purpose in this round: the same whatever came before."""
        return np.random.default_rng([self.plan.seed, purpose, self.round, number])


def federation(plan: Plan) -> Federation:
    """A federation before its first round.

    Raises:
        DataError: Fewer samples than clients.
        InfeasibleError: scikit-learn is not installed; torch is not, and a transformer learns.
    """
    data = samples(plan.data, plan.seed)
    at_server = round(plan.base_frac * len(data.y))
    rows = np.arange(at_server, len(data.y))
    rng = np.random.default_rng([plan.seed, SHARDS])
    parts = shards(data.y[rows], plan.clients, plan.concentration, rng)
    whole = _whole(plan, data)
    learner: Learner = whole
    begun = learner.start(np.random.default_rng([plan.seed, BEGINNING]))
    if at_server:
        begun = _base(plan, data, learner, begun, np.arange(at_server))
    if plan.shift != "none":
        data = shifted(data, plan.shift, SIDE_PX[plan.data])
    if plan.method in ADAPTERS:
        learner = _adapted(plan, whole, begun)
        begun = learner.start(np.random.default_rng([plan.seed, BEGINNING, 0, 0]))
    shard = tuple(rows[part] for part in parts)
    sizes = np.array([len(part) for part in shard], dtype=np.float64)
    return Federation(
        plan=plan,
        data=data,
        shard=shard,
        learner=learner,
        learnt=begun,
        seen=np.zeros(plan.clients, dtype=np.int64),
        utility=sizes * np.log(data.classes),
    )


def _whole(plan: Plan, data: Samples) -> Network | Transformer:
    """The model of a plan, all of whose weights are learnt."""
    if plan.model == "network":
        return Network(widths=(data.x.shape[1], *plan.hidden, data.classes))
    from tree6g.training.federated.transformer import Transformer, need

    need()
    return Transformer(
        side_px=SIDE_PX[plan.data],
        width=plan.width,
        heads=plan.heads,
        inner=plan.hidden,
        classes=data.classes,
        exact=plan.form == "fp64",
    )


def _adapted(plan: Plan, whole: Network | Transformer, base: Parameters) -> Adapted:
    """A frozen model with adapters."""
    if isinstance(whole, Network):
        return Adapted(base=base, rank=plan.rank)
    from tree6g.training.federated.transformer import AdaptedTransformer

    return AdaptedTransformer(base=base, rank=plan.rank, model=whole)


def _base(
    plan: Plan, data: Samples, learner: Learner, begun: Parameters, rows: IntArray
) -> Parameters:
    """The model that the server trained before with samples of its own."""
    if plan.base_classes:
        rows = rows[data.y[rows] < plan.base_classes]
    if not len(rows):
        return begun
    rng = np.random.default_rng([plan.seed, BASE_STREAM])
    return descend(learner, begun, data.x[rows], data.y[rows], BASE, rng)[0]


def train(plan: Plan, rounds: int, per_round: int) -> Iterator[Score]:
    """Rounds of a federation whose clients, chosen at random, all answer; a score after each."""
    learning = federation(plan)
    everybody = np.arange(plan.clients)
    for _ in range(rounds):
        if plan.method == "centralised":
            learning.pool(everybody)
        else:
            chosen = selection.random(everybody, per_round, learning.stream(CHOICE, 0))
            learning.fold({client: learning.train(client) for client in chosen.tolist()})
            learning.seen[chosen] = learning.round - 1
        yield learning.score()
