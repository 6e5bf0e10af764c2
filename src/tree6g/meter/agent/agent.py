"""The agent: at each edge it asks its targets, and makes rows and looks durable as one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from tree6g.errors import LedgerError, MeterError
from tree6g.meter.agent import arrow
from tree6g.meter.agent.age import Age
from tree6g.meter.agent.blame import blamed, given_up
from tree6g.meter.agent.clock import Clock, SteadyClock, Step
from tree6g.meter.agent.config import CLOCK_SOURCE, Config
from tree6g.meter.agent.counts import Counts
from tree6g.meter.agent.cover import Coverage
from tree6g.meter.agent.files import Folder
from tree6g.meter.agent.header import continued, meta_of, service_rows
from tree6g.meter.agent.identity import Identity, overlaps
from tree6g.meter.agent.journal import Journal
from tree6g.meter.agent.merging import Merging
from tree6g.meter.agent.pieces import useful
from tree6g.meter.agent.poll import Answer, Pauses, Poller
from tree6g.meter.agent.rows import Columns, Services, Tick, entity_rows
from tree6g.meter.agent.targets import Source, source_of
from tree6g.meter.agent.totals import Totals
from tree6g.meter.agent.tracker import Cover, Seen, Tracker, dumped
from tree6g.meter.reading import Reading

CLOCK: Final = "/clock"
JUMPS: Final = "/jumps"
COVER: Final = "/cover"
NODES: Final = "/nodes"
SERVICES: Final = "/services"
ROWS_PER_FLUSH: Final = 10_000  # sooner than asked for, so that a flush takes little memory

Say = Callable[[str], None]


class Agent:
    """Reads the targets of a config into its ledger."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        sources: Mapping[str, Source] | None = None,
        asking: tuple[Poller, Pauses] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        """Open the ledger and go on from its last durable looks; nothing is asked yet.

        Args:
            config: What to read.
            clock: Its time.
            sources: Sources by target, in place of those of the config.
            asking: What asks the targets and when, in place of a poller of the sources.
            say: Is told what changes.

        Raises:
            LedgerError: The ledger cannot be opened, or is no metered one.
            ScenarioError: A token is not there.
        """
        self.config, self.counts = config, Counts()
        self._say, self._clock = say, clock
        self._sources = sources or {t.name: source_of(t) for t in config.targets}
        self._asking = asking
        self.journal = self._open()
        try:
            self._start(self.journal.state)
            self._restore(self.journal.state)
        except BaseException:
            self.journal.close()
            raise

    def _open(self) -> Journal:
        """The ledger with its journal, its header as the config says."""
        config = self.config
        old, wanted = continued(config.ledger, meta_of(config))
        journal = Journal(
            config.ledger,
            old,
            keep_s=config.keep_s or math.inf,
            limit_byte=config.disk_byte or math.inf,
        )
        if old != wanted:
            try:
                journal.update_meta(wanted)
            except BaseException:
                journal.close()
                raise
        return journal

    def _start(self, state: Mapping[str, bytes]) -> None:
        config = self.config
        last_s = json.loads(state.get(CLOCK, b"0.0"))
        self.time = SteadyClock(self._clock, not_before_s=last_s)
        self._last_s = last_s or self.time.now_s()
        self._age = Age(state.get(JUMPS, b"[]"))
        self._age.off(self._last_s, self.time.now_s(), config.keep_s or math.inf)
        self._began_s = self._flushed_s = self.time.now_s()
        timeouts_s = {t.name: t.timeout_s for t in config.targets}
        self._poller, self._pauses = self._asking or (
            Poller(self._sources, timeouts_s, self.time.now_s), Pauses(config.interval_s)
        )  # fmt: skip
        self._identity, self._services = Identity(config), Services(config)
        self._flushed_rows = 0
        self._lost: set[str] = set()
        self._given_up: set[str] = set()
        self._refused: dict[str, str] = {}

    def _restore(self, state: Mapping[str, bytes]) -> None:
        """Go on from a durable state."""
        config = self.config
        self._trackers = {t.name: Tracker(t, config.interval_s) for t in config.targets}
        self._merging = Merging(config)
        self._cover = Coverage()
        self._totals = Totals(config.ledger, state)
        self._nodes: dict[str, Any] = json.loads(state.get(NODES, b"{}"))
        self._told_services = state.get(SERVICES, b"")
        for name, tracker in self._trackers.items():
            tracker.restore(state)
            if tracker.look is not None:  # who was there first stays
                self._identity.enter(name, tracker.look.readings)
        for name, source in self._sources.items():
            if isinstance(source, Folder) and f"{name}/files" in state:
                source.restore(state[f"{name}/files"])
        self._merging.restore(state)
        if COVER in state:
            self._cover.restore(state[COVER])

    def check(self) -> dict[str, Answer]:
        """Ask every target once; nothing is written.

        Raises:
            MeterError: Two of them count the same.
        """
        answers = self._poller.poll([t.name for t in self.config.targets])
        found = {n: _useful(self._trackers[n], a) for n, a in answers.items() if a.found}
        clashes = overlaps(found, self.config)
        if clashes:
            raise MeterError("\n".join(clashes))
        return answers

    def next_edge_s(self) -> float:
        """The next multiple of the interval."""
        interval_s = self.config.interval_s
        return (math.floor(self.time.now_s() / interval_s + 1e-6) + 1.0) * interval_s

    def tick(self) -> None:
        """Ask all targets that are due, and record what they gave."""
        jump = self.time.check()
        now_s = self.time.now_s()
        due = [n for n in self._trackers if self._pauses.due(n, now_s) and n not in self._refused]
        if jump is not None:
            self._jumped(jump)
        answers = self._poller.poll(due)
        now_s = self.time.now_s()
        self._given_up = set()
        self._cover.begin()
        if jump is not None and jump.t1_s > jump.t0_s:
            self._cover.add(CLOCK_SOURCE, self._gap_of(jump))
        wrong = self._record(self._looks(answers, now_s), now_s, answers=answers)
        if wrong:  # once more, without those whose rows are refused
            self._cover.begin()
            if jump is not None and jump.t1_s > jump.t0_s:
                self._cover.add(CLOCK_SOURCE, self._gap_of(jump))
            rest = {**answers, **{n: Answer(None, why, now_s) for n, why in wrong.items()}}
            self._record(self._looks(rest, now_s), now_s, answers=rest)
        self.counts.ticks += 1
        is_time = now_s - self._flushed_s >= self.config.flush_s - 0.5 * self.config.interval_s
        if is_time or self.counts.rows - self._flushed_rows >= ROWS_PER_FLUSH:
            self.flush()

    def flush(self) -> None:
        """Move what was recorded into the ledger; a disk that refuses is tried again later."""
        self._flushed_s, self._flushed_rows = self.time.now_s(), self.counts.rows
        try:
            self.journal.flush()
            keep_s = self.config.keep_s or math.inf
            self.journal.tidy(self._age.now_s(self._flushed_s, keep_s))
        except LedgerError as error:
            self._say(f"the ledger cannot be written: {_one_line(error)} It is tried again.")

    def close(self, *, whole: bool = True) -> None:
        """End: what waits is recorded as nobody's, and all of it moved into the ledger."""
        self._poller.close()
        try:
            if whole:
                self._cover.begin()
                self._record({}, self.time.now_s(), answers={}, end=True)
        finally:
            self.journal.close()

    def _looks(self, answers: Mapping[str, Answer], now_s: float) -> dict[str, Seen]:
        """Steps of the trackers of targets that answered; the others fail."""
        seen: dict[str, Seen] = {}
        for name, tracker in self._trackers.items():
            answer = answers.get(name)
            reason = self._refused.get(name) or (answer.reason if answer else tracker.reason)
            if answer is not None and answer.found is not None:
                found = tracker.step(answer.found, answer.time_s, self.time.offset_s)
                is_new = tracker.changed or not self._identity.knows(name)
                reason = self._refusal(name, tracker) if is_new else ""
                if not reason:
                    seen[name] = found
                    if found.absurd:
                        self._say(f"target '{name}': {found.doubt}")
            if name in seen:
                self.counts.looks += 1
            else:
                self.counts.failed_looks += answer is not None
                if answer is not None and name not in self._given_up:
                    self._pauses.failed(name, now_s)
                covers = tracker.failed(reason, now_s, self._began_s)
                self._cover.add(name, covers)
                self._tell_lost(name, reason, lost=bool(covers))
        return seen

    def _refusal(self, name: str, tracker: Tracker) -> str:
        """Why a target that answers is not taken: others count the same."""
        clashes = self._identity.enter(name, tracker.planned.readings if tracker.planned else ())
        if not clashes:
            return ""
        tracker.drop()
        self._refused[name] = _one_line(" ".join(clashes))
        self._say(f"target '{name}' is left out: {self._refused[name]}")
        return self._refused[name]

    def _told(self, name: str, answer: Answer | None, tracker: Tracker) -> None:
        """What changed is said, and what a file has wrong."""
        if name in self._lost:
            self._lost.discard(name)
            self._say(f"target '{name}' is back")
        if answer is not None and answer.found is not None and tracker.target.way == "files":
            for problem in answer.found.problems[:20]:
                self._say(f"target '{name}': {_one_line(problem)}")

    def _tell_lost(self, name: str, reason: str, *, lost: bool) -> None:
        if lost and name not in self._lost and name not in self._refused:
            self._lost.add(name)
            self._say(f"target '{name}' is lost: {reason}")

    def _record(
        self,
        seen: Mapping[str, Seen],
        now_s: float,
        *,
        answers: Mapping[str, Answer],
        end: bool = False,
    ) -> dict[str, str]:
        """Rows and looks as one record; if the disk refuses, the next tick covers the time.

        Returns:
            Targets whose rows the ledger refuses, and why: nothing is recorded then.
        """
        tick = Tick(self.config, self._services, since_s=self.journal.since_s)
        if end:
            self._merging.end(tick, self._cover)
        else:
            cuts = self._merging.step(tick, self._cover, seen, self._trackers, now_s)
            for name, reason in cuts.items():
                self._trackers[name].cut_off(reason)
        flushes = end or now_s - self._flushed_s >= self.config.flush_s - self.config.interval_s
        if flushes:
            self._cover.tell(whole=end)
        rows = self._rows(tick)
        state = self._state(seen, now_s, rows) | self._totals.plan(tick.energy_j)
        try:
            self.journal.record(arrow.tables(rows), state)
        except LedgerError as error:
            wrong = {} if end else blamed(rows, self.journal, seen)
            self._given_up = given_up(wrong, self._sources, self._say)
            self._drop(seen, "" if wrong else _one_line(error))
            if end:
                raise
            return wrong
        self.counts.rows += sum(len(next(iter(columns.values()))) for columns in rows.values())
        self._commit(tick, seen, now_s)
        for name in seen:
            self._pauses.answered(name)
            self._told(name, answers.get(name), self._trackers[name])
        return {}

    def _rows(self, tick: Tick) -> dict[str, Columns]:
        rows = tick.columns()
        cover = self._cover.rows()
        if cover["t0_s"]:
            rows["coverage"] = cover
            for node, source in zip(cover["node"], cover["source"], strict=True):
                if node is not None and node not in self._nodes:
                    tick.name(node, source)
        new = {node: at for node, at in tick.nodes.items() if node not in self._nodes}
        if new:
            rows["entity"] = entity_rows(new)
        services = service_rows(self.config)
        known = set(json.loads(self._told_services or b"[]"))
        at = [i for i, name in enumerate(services["service"]) if name not in known]
        if at:
            rows["service"] = {k: [column[i] for i in at] for k, column in services.items()}
        return rows

    def _state(
        self, seen: Mapping[str, Seen], now_s: float, rows: Mapping[str, Any]
    ) -> dict[str, bytes | None]:
        state: dict[str, bytes | None] = {CLOCK: dumped(now_s), COVER: self._cover.state()}
        state[JUMPS] = self._age.state()
        for tracker in self._trackers.values():
            state |= tracker.state()
        state |= self._merging.state()
        for name in seen:
            source = self._sources[name]
            files = source.state() if isinstance(source, Folder) else None
            if files is not None:
                state[f"{name}/files"] = files
        if "entity" in rows:
            added = zip(rows["entity"]["node"], rows["entity"]["tier"], strict=True)
            state[NODES] = dumped({**self._nodes, **dict(added)})
        if "service" in rows:
            known = json.loads(self._told_services or b"[]")
            state[SERVICES] = dumped([*known, *rows["service"]["service"]])
        return state

    def _commit(self, tick: Tick, seen: Mapping[str, Seen], now_s: float) -> None:
        for tracker in self._trackers.values():
            tracker.commit()
        self._merging.commit()
        self._cover.commit()
        self._totals.commit()
        for folder in self._folders(seen):
            folder.commit()
        self._nodes |= {node: tier for node, (tier, _) in tick.nodes.items()}
        self._told_services = self.journal.state.get(SERVICES, b"")
        self._last_s = now_s
        if tick.too_old:
            self._say(
                f"{tick.too_old} energies of before {self.journal.since_s:.0f} s are left out: a "
                "ledger takes rows that are late by some hours, not more."
            )
        if "disk" in self._lost:
            self._lost.discard("disk")
            self._say("the ledger can be written again")

    def _folders(self, seen: Mapping[str, Seen]) -> list[Folder]:
        found = [self._sources[name] for name in seen]
        return [source for source in found if isinstance(source, Folder)]

    def _drop(self, seen: Mapping[str, Seen], reason: str) -> None:
        self.counts.failed_records += bool(reason)
        for folder in self._folders(seen):
            folder.drop()
        for tracker in self._trackers.values():
            tracker.drop()
        self._merging.drop()
        if reason and "disk" not in self._lost:
            self._lost.add("disk")
            self._say(f"not recorded, the next look covers its time: {reason}")
        if not self.journal.usable:
            self._mend()

    def _mend(self) -> None:
        """Open the journal anew, which says from which looks to go on."""
        try:
            self.journal.close()
            self.journal = self._open()
        except LedgerError as error:
            self._say(f"the ledger cannot be opened: {_one_line(error)} It is tried again.")
        else:
            self._restore(self.journal.state)

    def _jumped(self, jump: Step) -> None:
        """Looks of before are as long ago after the jump as they were before it."""
        self._say(jump.reason)
        by_s = jump.t1_s - jump.t0_s
        self._age.jumped(jump.t0_s, jump.t1_s)
        for tracker in self._trackers.values():
            tracker.move(by_s)
        if by_s > 0.0:
            self._merging.move(by_s)
            self._pauses.move(by_s)
            self._flushed_s += by_s

    def _gap_of(self, jump: Step) -> list[Cover]:
        t1_s = self._last_s + (jump.t1_s - jump.t0_s)
        return [Cover(q, None, self._last_s, t1_s, jump.reason) for q in ("energy", "work")]


def _useful(tracker: Tracker, answer: Answer) -> list[Reading]:
    return useful(answer.found.readings, tracker.target) if answer.found is not None else []


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:600]
