"""What a person writes to describe a network that also serves AI: one frozen tree of records."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tree6g import data
from tree6g.scenario import topology as transport
from tree6g.scenario.fields import Name, NonNegative, Positive, Share, Text, Variant, Weights
from tree6g.scenario.layout import Layout, Position
from tree6g.scenario.learning import Learning
from tree6g.scenario.outage import Outage
from tree6g.scenario.prices import Prices
from tree6g.scenario.quantities import DayCurve, Described, Quantity, Sparing, written_name
from tree6g.scenario.scheduling import Scheduling
from tree6g.scenario.station import BaseStation
from tree6g.scenario.utility import Utility


class Terminal(Described):
    """The radio of a terminal: what it draws, and when it listens."""

    model: Literal["send-only", "tr38840"] = "send-only"
    """`send-only`: the anchor's watts while it sends at whatever power, nothing else; `tr38840`:
    sends, receives, listens and sleeps while it is connected (TR 38.840, FR1)."""
    anchor_power_w: Positive = 2.5
    """Watts of the radio while it sends at 23 dBm; 3GPP states no watts."""
    anchor_source: str = "typical"
    """Where these watts come from. Measured models of LTE: Jensen et al., VTC Fall 2012; Lauridsen
    et al., Intel Technology Journal 18(1) 2014."""
    receive_antennas: Literal[2, 4] = 4
    """Antennas that receive."""
    drx_cycle_s: Positive | None = None
    """Time from one on-duration to the next (DRX), in which it may sleep: downlink waits for the
    next one. None: it listens as long as it is connected. Only with `tr38840`, as all below."""
    drx_on_s: Positive = 0.008
    """On-duration, at the start of each cycle."""
    drx_inactivity_s: NonNegative = 0.1
    """How long it goes on listening after each message."""
    release_s: Positive = 10.0
    """Connection after the last message (typical); idle mode before and after is not counted."""


class Population(Described):
    """The people in the cell; they send the requests of all AI services."""

    users: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """People served by each site, somewhere in its cell."""
    ai_requests_per_user_hour: Annotated[float, Field(ge=0, le=10_000)] = 5.0
    """AI requests of one user per hour, over all AI services; their `request_share` splits them."""
    speed_m_per_s: Annotated[Quantity, Field(ge=0, le=150)] = 0.0
    """Mean speed of users outdoors, who walk from point to point over the area of the sites (random
    waypoint); 0: everybody stays. Only with positions."""
    file: str | None = None
    """Places of all users: CSV with columns x_m, y_m (or lon, lat), or GeoJSON points, relative to
    the scenario's file. Then `users` is not used, and the sources of data services stand where
    users do. None: dropped at random."""
    terminal: Terminal = Terminal()
    """The radio of their terminals, and of those that send and receive for data services."""
    places: tuple[Position, ...] = ()
    """What the file says, filled in when it is read."""


class Server(Described):
    """Accelerators that run one model and their host."""

    name: Name
    """Unique name of the server."""
    accelerator: Name
    """Row of the packaged table `accelerators`."""
    count: Annotated[int, Field(ge=1, le=4096)] = 1
    """Accelerators, used with tensor parallelism."""
    clock: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """State of the packaged table `clock_states` that the arithmetic units are locked to. None: the
    highest. Not for answers that terminals share (`split`)."""
    share_frac: Annotated[Quantity, Field(gt=0, le=1)] = 1.0
    """Part of the accelerators' compute, bandwidth and active power that the model may use; memory
    and idle power stay whole."""
    model: Name
    """Row of the packaged table `models`."""
    weights: Weights = "fp16"
    """Precision of the weights."""
    max_batch: Annotated[int, Field(ge=1, le=4096)] = 256
    """Sequences decoded together at most."""
    token_budget: Annotated[int, Field(ge=16, le=65536)] = 8192
    """Tokens of one iteration at most (chunked prefill)."""
    host_power_w: NonNegative = 150.0
    """Power of processors, fans and memory per accelerator, drawn whenever the server is on."""
    start_s: NonNegative = 60.0
    """From the order to start until it answers: boot, load the weights, capture graphs (typical).
    It draws its idle power meanwhile. Only policies that switch servers make use of it."""
    idle_power_w: Positive | None = None
    """Power of each accelerator that waits with its model loaded, as somebody measured it. None:
    that of the table row."""
    energy_scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Factor on the accelerators' joules above idle: what a meter says against their constants. Not
    for answers that terminals share (`split`)."""
    services: tuple[Name, ...] = ()
    """AI services that it answers; empty: all."""


class Site(Described):
    """A place with one cell or three and, if wanted, edge servers."""

    name: Name
    """Unique name of the site."""
    environment: Literal["uma", "umi", "rma", "inh-mixed", "inh-open", "sma"] = "umi"
    """Propagation after TR 38.901: urban macro, urban micro street canyon, rural macro, indoor
    office (mixed or open), suburban macro."""
    position: Position | None = None
    """Where it stands. Sites with positions hear one another, and their terminals the strongest
    cell; without positions each site is alone."""
    sectors: Literal[1, 3] = 1
    """Cells: one that sends all around, or three sectors of 120 degrees (only with positions)."""
    bearing_deg: Quantity = 30.0
    """Direction of the first sector, from east to north."""
    downtilt_deg: Annotated[Quantity, Field(ge=-30, le=90)] = 12.0
    """Electrical downtilt of sectors."""
    radius_m: Annotated[Quantity, Field(gt=10, le=10_000)] = 150.0
    """Users are dropped uniformly in this circle, at least 10 m from the mast; layouts that are
    hexagonal or random drop them over their whole area."""
    indoor_frac: Share = 0.0
    """Share of the terminals in buildings, half of them with high loss (TR 38.901 7.4.3)."""
    height_m: Annotated[Quantity, Field(gt=0, le=150)] = 10.0
    """Height of the antenna."""
    pue: Annotated[float, Field(ge=1, le=4)] = 1.0
    """Power usage effectiveness: site power over equipment power."""
    base_station: BaseStation = BaseStation()
    """What each of its cells is."""
    servers: tuple[Server, ...] = ()
    """Edge servers at the site."""
    day_curve: DayCurve = ()
    """Relative rate of each hour at this site, in place of the curves of services that have one;
    or a row of the packaged table `day_curves`. Empty: as the services."""


class Cloud(Described):
    """A data centre behind the transport network."""

    name: Name
    """Unique name of the data centre."""
    pue: Annotated[float, Field(ge=1, le=4)] = 1.2
    """Power usage effectiveness."""
    rented: bool = False
    """A rented cloud is outside the operator's boundary."""
    servers: Annotated[tuple[Server, ...], Field(min_length=1)]
    """Its servers."""


class Link(Described):
    """The transport between the sites and one data centre, both directions."""

    to: Name
    """Name of the cloud."""
    rate_bps: Positive = 10e9
    """Capacity."""
    latency_s: NonNegative = 0.01
    """One-way latency without queueing."""
    energy_j_per_bit: NonNegative = 2e-8
    """Energy that grows with traffic."""
    idle_power_w: NonNegative = 20.0
    """Power of the share of equipment that the sites hold, at no traffic."""


class Devices(Described):
    """The users' terminals, when they run a model themselves."""

    accelerator: Name
    """Row of the packaged table `accelerators`."""
    model: Name
    """Row of the packaged table `models`."""
    weights: Weights = "int4"
    """Precision of the weights."""
    capable_frac: Share = 1.0
    """Share of the users whose terminal can."""
    services: tuple[Name, ...] = ()
    """AI services that terminals answer; empty: all."""


class Split(Described):
    """One model shared by users' terminals and a server, layer by layer."""

    server: Name
    """Name of the server with the upper layers; its model is the one that is shared. The terminals
    of `devices` hold its lower layers, with their own weights and memory."""
    cut: Annotated[int, Field(ge=0, le=1000)] | Name = "dynamic"
    """Layers on the terminal, or the cut policy that decides: `best` when an answer begins,
    `dynamic` anew in every step."""
    compression: Literal["fp32", "fp16", "fp8", "int8", "int4", "topk"] = "int8"
    """How the tensor at the cut is packed; what that costs in quality is stated by `quality`."""
    dispatch: Literal["always", "policy"] = "always"
    """Who shares: every terminal that can, or whom the dispatch policy sends there: sharing is then
    one of its options, of tier `split`."""
    keep_layers: Annotated[int, Field(ge=0, le=1000)] = 0
    """Layers that stay on the terminal whatever the policy says, so that no text leaves it."""


class AiService(Sparing):
    """A service whose work is tokens, or images that count as tokens."""

    later = ("utility", "k_in", "profile", "profile_sha256")

    kind: Literal["ai"]
    """The work is tokens."""
    result: Literal["token", "image"] = "token"
    """What a request brings: a stream of tokens, or one image made from one (or its label, its
    boxes) by a convolutional network. An image counts as the `tokens_per_result` that its model
    declares in table `models`; figures per token of such a service are per image."""
    name: Name
    """Unique name of the service."""
    token_class: Name = "assistant"
    """Row of the packaged table `token_classes`: budgets, utility, unit, interval, k_in."""
    weight: Annotated[float, Field(ge=0)] = 1.0
    """Priority weight w."""
    alpha_bit_per_tok: NonNegative | None = None
    """Worth of one token; None: that of the token class."""
    utility: Utility | None = None
    """Shape of the utility. None: that of the token class."""
    k_in: Annotated[float, Field(ge=0)] | None = None
    """Worth of a prompt token in output tokens; None: that of the token class."""
    profile: Text | None = None
    """File that `tree6g fit profile --out` wrote, relative to the scenario's file: it gives what is
    not said of alpha, `utility`, `k_in` and `quality`."""
    profile_sha256: Text | None = None
    """Hash of that file, filled in when it is read; what it said stands here then."""
    quality: dict[Variant, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Worth of a model's token relative to the reference model's, by model; 1 where absent. A model
    in a format (`llama-3.1-8b int4`) goes before the model alone."""
    quality_min_frac: Annotated[Quantity, Field(ge=0)] | None = None
    """Least `quality` of a model that policies `cheapest-on-time` and `adaptive-compression` take
    for this service; None: that of the token class."""
    request_share_frac: Share = 1.0
    """Share of the population's AI requests that are for this service."""
    lengths: Name = "azure-conv-2023"
    """Row set of the packaged table `request_lengths`: prompt and output lengths, burstiness."""
    mean_prompt_tok: Positive | None = None
    """Mean length of prompts, to which those of `lengths` are scaled; None: theirs."""
    mean_answer_tok: Positive | None = None
    """Mean length of answers, likewise."""
    prompt_byte_per_tok: NonNegative = 4.0
    """Uplink bytes per prompt token (text about 4; an image's tokens carry its bytes)."""
    request_overhead_byte: NonNegative = 700.0
    """Uplink bytes of headers per request."""
    chunk_byte: NonNegative = 323.0
    """Downlink bytes per streamed chunk as an IP packet (240 byte of JSON inside)."""
    tokens_per_chunk: Annotated[int, Field(ge=1)] = 1
    """Tokens per streamed chunk."""
    patience_s: Positive = 60.0
    """A request without its first token by then is given up and lost."""
    day_curve: DayCurve = ()
    """Relative rate of requests in each hour, from the start of the run on, day after day; their
    mean counts as 1; or a row of the packaged table `day_curves`. Empty: the same at all
    hours."""
    growth: Positive = 1.0
    """Factor on the rate of requests: the growth from the year that the population's rate
    describes to the year of the scenario."""
    split: Split | None = None
    """Terminals that can (`devices.capable_frac`) share a server's model for this service; the
    others' requests go to a host by the dispatch policy. None: all do."""
    slice: str | None = None
    """S-NSSAI."""
    qos: Annotated[int, Field(ge=1, le=255)] | None = None
    """5QI."""


class DataService(Described):
    """A service whose work is bits."""

    kind: Literal["data"]
    """The work is bits."""
    name: Name
    """Unique name of the service."""
    pattern: Name | None = None
    """Row of the packaged table `traffic_models`: gives what is not said of direction, message,
    period, arrival and delay budget, and how sizes scatter. None: fixed sizes, all of it said."""
    direction: Literal["up", "down"] = "down"
    """Which way the bits go; they also cross the first link, if there is one."""
    weight: Annotated[float, Field(ge=0)] = 1.0
    """Priority weight w; 1 for the reference data service."""
    sources: Annotated[int, Field(ge=1, le=10_000_000)] = 1
    """Devices or users that send, per site."""
    message_byte: Positive
    """Size of one message, file or burst; the mean where a pattern lets it scatter."""
    period_s: Positive
    """Mean time between messages of one source."""
    arrival: Literal["periodic", "poisson", "frames", "talk", "reports", "alarms", "sessions"] = (
        "poisson"
    )
    """Messages at fixed periods with random phases, or at random times; the others come with a
    pattern: see `traffic.patterns`."""
    day_curve: DayCurve = ()
    """Relative rate of messages in each hour, from the start of the run on, day after day; their
    mean counts as 1; or a row of the packaged table `day_curves`. Empty: the same at all
    hours. For arrivals that are `poisson`, `alarms` or `sessions`."""
    growth: Positive = 1.0
    """Factor on the rate of messages: the growth from the year that the parameters describe to the
    year of the scenario."""
    delay_budget_s: Positive | None = None
    """A message later than this is worth nothing; None: any time will do."""
    slice: str | None = None
    """S-NSSAI."""
    qos: Annotated[int, Field(ge=1, le=255)] | None = None
    """5QI."""

    @model_validator(mode="before")
    @classmethod
    def _follow_pattern(cls, written: Any) -> Any:
        """What is not said is that of the pattern's row; no such row is told apart."""
        if not isinstance(written, dict):
            return written
        row = data.table("traffic_models").get(str(written.get("pattern")), {})
        given = {
            name: row[name]
            for name in ("direction", "arrival", "message_byte", "period_s", "delay_budget_s")
            if row.get(name) is not None and not {name, written_name(name)} & set(written)
        }
        return written | given


Service = Annotated[AiService | DataService, Field(discriminator="kind")]


class Scenario(Described):
    """A network, its services and how its figures are taken."""

    name: Name
    """Name of the scenario; also of its results."""
    title: str = ""
    """One line for people."""
    question: str = ""
    """What the scenario is for."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Same seed, same ledger."""
    duration_s: Annotated[Quantity, Field(gt=0, le=31 * 86400)] = 3600.0
    """Time during which requests arrive; a trace replaces it by its own length."""
    drain_s: NonNegative = 60.0
    """Time after that in which running requests may finish."""
    step_s: Annotated[Quantity, Field(ge=0.001, le=60)] = 1.0
    """Step of the radio and power phases; servers advance event by event inside it. Policies know a
    server as it was at the step's start, and whom they have sent there since."""
    ledger_interval_s: Annotated[Quantity, Field(ge=0.001, le=3600)] = 60.0
    """Length of ledger rows, and the grid on which shared energy is attributed."""
    boundary: Literal["ran", "network", "operator", "full"] = "operator"
    """Whose joules and work count."""
    attribution: Literal["proportional", "equal", "shapley", "marginal", "data_volume"] = (
        "proportional"
    )
    """How shared energy is attributed to services."""
    idle_rule: Literal["unattributed", "spread"] = "unattributed"
    """What becomes of energy of intervals that nobody used."""
    policy: Text = "nearest"
    """Dispatch policy: which server answers a request. A name, or the path of a Python file with a
    policy of your own, relative to the scenario's file."""
    policy_sha256: Text | None = None
    """Hash of that file, filled in when it is read."""
    server_period_s: Annotated[Quantity, Field(gt=0, le=86400)] = 600.0
    """How often a dispatch policy that switches servers is asked which are to be on."""
    sleep_policy: Name = "idle-timer"
    """Sleep policy: which cells sleep, are muted or go off."""
    sleep_period_s: Annotated[Quantity, Field(gt=0, le=86400)] = 10.0
    """How often the sleep policy is asked."""
    scheduling: Scheduling | None = None
    """Who decides whom cells serve next and when servers compute. None: each by itself, cells by
    their `scheduler`."""
    population: Population = Population()
    """Who sends AI requests."""
    layout: Layout | None = None
    """Many sites like the one under `sites`."""
    interference: Literal["margin", "load"] = "margin"
    """How other cells disturb: by a fixed margin, or by what they send (sites with positions)."""
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]
    """Cells with their edge servers."""
    clouds: tuple[Cloud, ...] = ()
    """Data centres."""
    links: tuple[Link, ...] = ()
    """Transport to the data centres, one per cloud; to clouds at a node of `topology`, none."""
    topology: transport.Topology | None = None
    """Transport network whose links the paths to the clouds at its nodes share."""
    outages: tuple[Outage, ...] = ()
    """Servers and cells that fail for a time."""
    devices: Devices | None = None
    """Terminals that run a model, if any."""
    services: Annotated[tuple[Service, ...], Field(min_length=1)]
    """AI and data services."""
    learning: Learning | None = None
    """A model that users' terminals train together, beside the services."""
    prices: Prices = Prices()
    """Prices, optional."""

    @property
    def senders(self) -> tuple[str, ...]:
        """Names of everything that sends bits: all services, and learning last."""
        names = tuple(service.name for service in self.services)
        return names if self.learning is None else (*names, self.learning.name)
