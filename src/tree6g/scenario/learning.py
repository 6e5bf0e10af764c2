"""What a scenario says of learning in the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tree6g.scenario.fields import Name, NonNegative, Positive, Share, Text
from tree6g.scenario.quantities import DayCurve, Described, Quantity


class Learning(Described):
    """A model that users' terminals train together, round by round, beside the live traffic.

    A round: the server sends the model to the clients that it has chosen, each trains with samples
    of its own and sends its update, and the server folds in what came in time. The training is
    real; its bits share the air and the transport with all others.
    """

    name: Name = "learning"
    """Name of the service in the ledger; its kind is `internal`: bits and joules, no worth."""
    method: Literal["fedavg", "fedprox", "fedit", "flora", "centralised"] = "fedavg"
    """`fedavg`: whole models, averaged; `fedprox`: the same with `proximal`; `fedit`: adapters,
    averaged factor by factor; `flora`: adapters, stacked; `centralised`: clients send their samples
    once, and the server trains alone."""
    data: Literal["digits", "breast-cancer"] = "digits"
    """Data set of scikit-learn (extra `learning`)."""
    model: Literal["network", "transformer"] = "network"
    """What learns: a network of plain layers, or a transformer over patches of `digits` (extra
    `torch`)."""
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(max_length=8)] = ()
    """Widths of the model's hidden layers; empty: softmax regression. Of a transformer the widths
    inside the feed-forward parts, one per layer."""
    width: Annotated[int, Field(ge=1, le=1024)] = 32
    """Width between the layers of a transformer."""
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    """Heads of attention of a transformer, which share its width."""
    rank: Annotated[int, Field(ge=1, le=1024)] = 4
    """Rank of the adapters of `fedit` and `flora`: on every layer of a network, on queries and
    values of a transformer."""
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Rounds, if the run lasts for them."""
    clients: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Clients with samples, on the terminals of as many users, site by site in turn."""
    clients_per_round: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Clients that are chosen for a round, if as many are able."""
    selection: Literal["random", "energy-aware", "tree-aware"] = "random"
    """Who takes part: anybody; the largest utility within the clients' charging power (after
    FedZero, extra `optimise`); the largest utility per joule of computing and of the air."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 2
    """Passes of a client over its samples in a round."""
    batch: Annotated[int, Field(ge=0, le=100_000)] = 16
    """Samples of a step; 0: all of the client's."""
    step_size: Annotated[float, Field(gt=0, le=100)] = 0.05
    """Factor on the gradient."""
    proximal: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Weight of the pull to the global model (`fedprox`)."""
    concentration: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """Parameter of the Dirichlet split of the classes over the clients: small, few classes each.
    None: all alike."""
    compression: Literal["fp64", "fp32", "fp16", "int8", "int4", "topk"] = "fp32"
    """How updates are packed; what is lost is added to a client's next update."""
    keep_frac: Annotated[Quantity, Field(gt=0, le=1)] = 0.1
    """Share of the values that `topk` sends."""
    base_frac: Annotated[Quantity, Field(ge=0, lt=1)] = 0.0
    """Share of the samples that the server trained a base model with before the run, which all
    clients have; 0: from random weights. The joules of that are not in the run."""
    base_classes: Annotated[int, Field(ge=0, le=1000)] = 0
    """Classes that the base model has seen; 0: all."""
    shift: Literal["none", "turned", "inverted"] = "none"
    """How `digits` of clients and of the test are other than the base model's: a quarter turned, or
    dark for light."""
    at: Text
    """Server that collects, as in the ledger: `cloud.server`, or `site.server` where there is one
    site."""
    start_s: NonNegative = 0.0
    """When the first round may begin."""
    deadline_s: Positive = 300.0
    """Updates that come later after a round's beginning are left out, and who has not begun to send
    stops."""
    pause_s: NonNegative = 0.0
    """Time between two rounds."""
    overhead_byte: Positive = 700.0
    """Headers of each transfer (typical, as of a request)."""
    accelerator: Name = "snapdragon-8-gen3"
    """Row of the packaged table `accelerators`: what clients train on."""
    battery_j: Positive | None = None
    """Battery of a client, full at the start; None: no limit. Who cannot pay for the training of a
    round with it takes no part."""
    reserve_frac: Share = 0.2
    """Below this share of its battery a client takes no part."""
    charge_power_w: NonNegative = 0.0
    """Power that charges each client, the mean of a day where it has a curve."""
    charge_curve: DayCurve = ()
    """Relative charging power of each hour, from the start of the run on; empty: always the
    same."""
    slice: str | None = None
    """S-NSSAI."""
