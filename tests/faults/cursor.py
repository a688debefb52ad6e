"""Proof: whatever happens to Heidi's list while it is read, no document is missed and none entered twice.

An example is a script: sessions come, change and go, before, between and inside the walks; the list has any order,
envelope and page size; stamps are equal, missing, in any notation or in the future; the host's clock is wrong by
minutes; the process dies between two requests. After every walk the cursor has not gone back and is not past Heidi's
clock. In the end one quiet nightly walk must leave exactly one entry for each document on a living session.

    python -m tests.faults.cursor --examples 50000 --processes 2
"""

import argparse
import atexit
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import given, seed
from hypothesis import strategies as st
from sqlalchemy import Engine

from sync_worker.ledger.sessions import IntakeRules
from sync_worker.model import Revisions
from sync_worker.records import Tally
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.heidi_records import HeidiSession
from sync_worker.sandbox.heidi_state import Envelope, Order
from sync_worker.sandbox.wire import Request
from tests.conftest import MORNING
from tests.engines import kept_open
from tests.faults.report import report
from tests.faults.world import Died, HostClock, World, a_world, fast_folder, quiet
from tests.long_runs import told, unhurried

LOOKBACK = timedelta(days=14)
STARTS = (
    MORNING,
    datetime(2026, 4, 4, 15, 30, tzinfo=UTC),  # half an hour before Hobart's clocks go back
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # half an hour before they go forward
)
SKEWS = (-10, -2, 0, 2, 10)
"""Minutes by which the host's clock is wrong."""
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
EQUAL_STAMP = timedelta(hours=-3)
STAMPS = ("naive", "zulu", "offset", "equal", "future", "no_update", "none", "odd")

# ---------------------------------------------------------------- the script of an example

Change = tuple[str, int, int]
"""What a clinician does: a verb, which session or document, and a number whose meaning is the verb's."""
VERBS = ("add", "add", "document", "quiet_document", "edit", "quiet_edit", "touch", "delete_session", "delete_document")
changes = st.tuples(st.sampled_from(VERBS), st.integers(0, 30), st.integers(0, len(STAMPS) - 1))


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk of the worker, with what happens between its requests, and where the process dies."""

    full: bool
    between: list[tuple[int, Change]]
    dies_at: int | None


@dataclass(frozen=True, slots=True)
class Scene:
    """How this Heidi lists, and what the host's clock shows."""

    order: str
    envelope: str
    page_size: int
    skew_minutes: int
    start: datetime
    starts_late: bool


walks = st.builds(
    Walk,
    full=st.booleans(),
    between=st.lists(st.tuples(st.integers(1, 12), changes), max_size=3),
    dies_at=st.none() | st.none() | st.integers(1, 12),
)
waits = st.sampled_from((1, 16, 130, 700, 1800))
beginnings = st.lists(
    st.tuples(st.just("add"), st.integers(0, 30), st.integers(0, len(STAMPS) - 1)), min_size=2, max_size=7
)
steps = st.builds(
    list.__add__, beginnings, st.lists(st.one_of(changes, changes, walks, waits), min_size=2, max_size=10)
)
scenes = st.builds(
    Scene,
    order=st.sampled_from(list(Order)),
    envelope=st.sampled_from((Envelope.DATA, Envelope.SESSIONS, Envelope.BARE)),
    page_size=st.sampled_from((1, 2, 3, 5)),
    skew_minutes=st.sampled_from(SKEWS),
    start=st.sampled_from(STARTS),
    starts_late=st.booleans(),
)


class OddHeidi(HeidiSandbox):
    """Heidi with list rows whose stamps are missing, or written in any way."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.styles: dict[str, str] = {}

    def _wrapped(self, rows: list[HeidiSession], total: int, before: bool, more: bool) -> Any:
        wrapped = super()._wrapped(rows, total, before, more)
        items = wrapped if isinstance(wrapped, list) else wrapped.get("data", wrapped.get("sessions"))
        for item in items:
            self._restyle(item, self.styles.get(item["session_id"], "naive"))
        return wrapped

    def _restyle(self, item: dict[str, Any], style: str) -> None:
        both = ("created_at", "updated_at")
        match style:
            case "zulu":
                item |= {name: f"{item[name]}Z" for name in both}
            case "offset":
                at = {name: datetime.fromisoformat(f"{item[name]}+00:00") for name in both}
                item |= {name: (at[name] + timedelta(hours=11)).isoformat()[:26] + "+11:00" for name in both}
            case "no_update":
                item["updated_at"] = None
            case "none":
                del item["created_at"], item["updated_at"]
            case "odd":
                item |= {"created_at": "yesterday", "updated_at": 1_700_000_000}


# ---------------------------------------------------------------- playing it


@dataclass
class Play:
    """One example under way."""

    world: World
    starts_late: bool
    counts: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    plan: list[tuple[int, Change]] = field(default_factory=list)
    dies_at: int | None = None

    @property
    def heidi(self) -> OddHeidi:
        assert isinstance(self.world.heidi, OddHeidi)
        return self.world.heidi

    def run(self, script: list[Any]) -> None:
        self.world.before = self._between
        for step in script:
            match step:
                case Walk():
                    self._walk(step)
                case int():
                    self.world.clock.advance(step * 60)
                case _:
                    self._change(step)
        self.world.clock.advance(26 * 3600)  # so that the walk is the night's first, which reads everything again
        self._walk(Walk(full=True, between=[], dies_at=None))
        self._check_entries()

    def _change(self, change: Change) -> None:
        verb, which, number = change
        if verb == "add":
            return self._add(which, STAMPS[number])
        living = list(self.heidi.sessions.values())
        if not living:
            return None
        session = living[which % len(living)]
        document = session.documents[number % len(session.documents)] if session.documents else None
        match verb, document:
            case (("document" | "quiet_document"), _):
                content = f"# Plan\n\nLetter {which}." if number else " \n"
                self.world.a_document(session.session_id, content, touch=verb == "document")
            case "touch", _:
                self.heidi.touch_session(session.session_id)
            case "delete_session", _:
                self.heidi.delete_session(session.session_id)
            case (("edit" | "quiet_edit"), document) if document is not None:
                self.heidi.edit_document(document.document_id, f"# Plan\n\nEdit {which}.", touch=verb == "edit")
            case "delete_document", document if document is not None:
                self.heidi.delete_document(document.document_id)
        self.counts[verb] += 1
        return None

    def _add(self, which: int, style: str) -> None:
        now = self.world.clock.true()
        at = now - timedelta(hours=which * which / 3)  # the eldest is twelve and a half days old
        if style == "equal":
            at = self.world.clock.start + EQUAL_STAMP
        if style == "future":
            at = now + timedelta(days=3)
        session_id = self.world.a_session(created_at=at, updated_at=at)
        self.heidi.styles[session_id] = style
        for _ in range((which + 1) % 3):
            self.world.a_document(session_id, touch=False)
        self.counts["add"] += 1

    def _walk(self, walk: Walk) -> None:
        self.requests, self.plan, self.dies_at = 0, list(walk.between), walk.dies_at
        before, died = self.world.state().cursor_at, False
        try:
            collect(self.world, full=walk.full, start_at=self.world.clock.start if self.starts_late else LONG_AGO)
        except Died:
            died = True
        self.dies_at, self.plan = None, []
        after = self.world.state().cursor_at
        if before is not None:
            assert after is not None
            assert after >= before, "the cursor went back"
        if after is not None:
            assert after <= self.world.clock.true(), "the cursor is past Heidi's clock"
        if died:
            assert after == before, "the cursor moved in a walk that did not end"
            self.world.restart()
        self.counts["walks"] += 1
        self.counts["deaths"] += died

    def _between(self, _: Request) -> None:
        self.requests += 1
        if self.requests == self.dies_at:
            raise Died
        for at, change in self.plan:
            if at == self.requests:
                self._change(change)
                self.counts["changes_inside_walks"] += 1

    def _check_entries(self) -> None:
        oldest = self.world.clock.now() - LOOKBACK
        query = "SELECT document_id, status, reason FROM entries"
        with self.world.ledger.engine.connect() as db:
            found = [tuple(row) for row in db.exec_driver_sql(query)]
        times = Counter(document_id for document_id, _, _ in found)
        reasons = {document_id: reason for document_id, _, reason in found}
        for session in self.heidi.sessions.values():
            latest = self._latest_shown(session)
            if latest is not None and latest < oldest:
                continue
            for document in session.documents:
                if not (document.content or "").strip():
                    continue
                assert times[document.document_id] == 1, f"{times[document.document_id]} entries instead of one"
                assert reasons[document.document_id] not in ("gone", "source_gone"), "a living document was given up"
                self.counts["documents"] += 1

    def _latest_shown(self, session: HeidiSession) -> datetime | None:
        """The newest stamp that the list shows of a session: by it the worker knows whether it is in the look-back."""
        match self.heidi.styles[session.session_id]:
            case "none" | "odd":
                return None
            case "no_update":
                return session.created_at
        return max(session.created_at, session.updated_at)


def collect(world: World, *, full: bool, start_at: datetime = LONG_AGO) -> None:
    """One walk along the list, as a tick does it, without what else a tick does."""
    pipeline, state = world.worker.pipelines["physio-1"], world.state()
    lease = world.worker.leases.acquire(state.clinician_id, world.clock.now())
    assert lease is not None
    try:
        rules = IntakeRules(start_at=start_at, revisions=Revisions.REVIEW)
        pipeline.collector.collect(lease, state, rules, Tally(), full=full)
    finally:
        pipeline.reader.forget()


def play(scene: Scene, script: list[Any]) -> Counter[str]:
    """Play one example; AssertionError if a promise was broken. What happened is counted."""
    clock = HostClock(scene.start)
    clock.step(timedelta(minutes=scene.skew_minutes))
    settings_ = {"SYNC_TIMEZONE": "Australia/Hobart", "SYNC_SETTLE_SECONDS": "600"}
    with a_world(clock=clock, heidi=OddHeidi, engine=_engine(), **settings_) as world:
        world.heidi.order, world.heidi.envelope = scene.order, scene.envelope
        world.heidi.max_page_size = scene.page_size
        example = Play(world, scene.starts_late)
        example.run(script)
        return example.counts


@cache
def _engine() -> Engine:
    """One for all examples of a process, in memory where there is such a place."""
    folder = tempfile.TemporaryDirectory(dir=fast_folder())
    atexit.register(folder.cleanup)
    return kept_open(f"sqlite:///{folder.name}/ledger.db")


def equal_stamps(order: str, sessions: int = 500, page_size: int = 50) -> int:
    """How many of these sessions, all of one stamp, have one entry after one walk, before and after another one."""
    with a_world(SYNC_SETTLE_SECONDS="600") as world:
        world.heidi.order, world.heidi.max_page_size = order, page_size
        at = world.clock.true() - timedelta(hours=3)
        for _ in range(sessions):
            world.a_document(world.a_session(created_at=at, updated_at=at), touch=False)
        collect(world, full=True)
        found = len(world.entries())
        world.clock.advance(1000)
        collect(world, full=False)
        return found if len(world.entries()) == found else -1


# ---------------------------------------------------------------- the long form

EXAMPLES_AT_A_TIME = 500


def _many(examples: int, from_seed: int) -> tuple[Counter[str], str]:
    """Play so many examples; what happened in them, and the shortest broken one if any."""
    quiet()
    counts: Counter[str] = Counter()

    @seed(from_seed)
    @unhurried(examples)
    @given(scenes, steps)
    def property_(scene: Scene, script: list[Any]) -> None:
        counts.update(play(scene, script))
        counts["examples"] += 1

    try:
        property_()
    except AssertionError as broken:
        return counts, told(broken)
    return counts, ""


def _slices(examples: int, processes: int, from_seed: int) -> Iterator[tuple[Counter[str], str]]:
    """The examples in slices, each with a seed of its own."""
    slices = -(-examples // EXAMPLES_AT_A_TIME)
    sizes = [EXAMPLES_AT_A_TIME] * (slices - 1) + [examples - EXAMPLES_AT_A_TIME * (slices - 1)]
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_many, sizes, range(from_seed, from_seed + slices))


def main() -> int:
    """The long form. 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given_ = parser.parse_args()
    quiet()
    began = time.monotonic()
    counts, broken = Counter[str](), list[str]()
    try:
        for found, text in _slices(given_.examples, given_.processes, given_.seed):
            counts.update(found)
            broken.extend([text] if text else [])
    except KeyboardInterrupt:  # what was played so far counts
        print("interrupted: these are the examples until then", file=sys.stderr)  # noqa: T201
    equal = {order.value: equal_stamps(order) for order in Order}
    seconds = time.monotonic() - began
    figures = {
        "examples": counts["examples"],
        "examples_a_second": round(counts["examples"] / seconds, 1),
        "walks": counts["walks"],
        "deaths_inside_walks": counts["deaths"],
        "changes_inside_walks": counts["changes_inside_walks"],
        "documents_checked": counts["documents"],
        "missed_or_twice": len(broken),
        "of_500_with_one_stamp": min(equal.values()),
        "seed": given_.seed,
    }
    return report("cursor", figures, [*broken, *(f"equal stamps, {k}: {v}" for k, v in equal.items() if v != 500)])


if __name__ == "__main__":
    sys.exit(main())
