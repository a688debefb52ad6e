"""How a look ends a doubt: which notes are looked through, which one is ours, and when a look may count."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from sync_worker.convert import canonical_text
from sync_worker.doubts import DoubtResolver
from sync_worker.errors import NotAuthorised
from sync_worker.ledger.attempts import Claim
from sync_worker.ledger.decisions import Decisions
from sync_worker.lifecycle import LookTimes, Settlement
from sync_worker.model import NoteContent, Practitioner, Question, Section, StoredNote
from sync_worker.records import Entry, HintSeen, Reason, Status, Tally
from tests.conftest import MORNING, TestClock
from tests.ledger_steps import NOTE, PATIENT, Bench, an_engine, emptied_bench

LOOKS = LookTimes(first=timedelta(seconds=30), second=timedelta(seconds=120))
STAMP = MORNING + timedelta(minutes=3)
CONTENT = NoteContent((Section((Question("Plan", answer="<p>Rest.</p>"),)),)).as_json()


def a_note(note_id: str = NOTE, title: str = "Mine", content: dict[str, Any] | None = None) -> StoredNote:
    return StoredNote(note_id, title, content, PATIENT, draft=True, updated_at=STAMP)


OURS = a_note(content=CONTENT)


@dataclass
class StandIn:
    """Cliniko and the practitioner's identity, as a look meets them."""

    notes: list[StoredNote] = field(default_factory=list)
    refused: bool = False
    server_date: datetime | None = None
    meanwhile: Callable[[], object] = lambda: None
    asked: list[tuple[str, datetime]] = field(default_factory=list)

    def practitioner(self) -> Practitioner:
        return Practitioner("3", "4", "A. Physio", "Example Physiotherapy", "Australia/Hobart")

    def trust_no_memory(self) -> None:
        """It asks each time."""

    def notes_of(self, practitioner_id: str, since: datetime) -> list[StoredNote]:
        self.asked.append((practitioner_id, since))
        self.meanwhile()
        if self.refused:
            raise NotAuthorised("cliniko", "list_notes", status=401)
        return self.notes


@dataclass
class Watch:
    """One clinician's doubts on a ledger, and what Cliniko holds."""

    bench: Bench
    cliniko: StandIn = field(default_factory=StandIn)
    tally: Tally = field(default_factory=Tally)
    told: list[Any] = field(default_factory=list)
    true: datetime = MORNING
    """Cliniko's clock."""
    looks: LookTimes = LOOKS

    def __post_init__(self) -> None:
        made: Any = {"cliniko": self.cliniko, "identity": self.cliniko, "clock": self.bench.clock}
        self.resolver = DoubtResolver(ledger=self.bench.ledger, looks=self.looks, **made)

    def a_doubt(self, document_id: str = "doc-1") -> Entry:
        """A document whose request ended now in doubt: the first look is due in half a minute."""
        entry, now, ledger = self.bench.a_pending(document_id), self.bench.clock.now(), self.bench.ledger
        meant = ledger.keyed_hash(canonical_text(CONTENT))
        attempt = ledger.attempts.claim(
            self.bench.lease, entry, Claim(PATIENT, meant, HintSeen(bytes(32), None)), now=now
        )
        assert attempt is not None
        doubt = Settlement(Status.IN_DOUBT, None, None, "in_doubt", "http_502")
        due_at = now + timedelta(seconds=30)
        ledger.attempts.settle(self.bench.lease, attempt, doubt, now=now, due_at=due_at)
        return self.bench.only(document_id)

    def look(self, after: float = 30) -> None:
        """Look once; what was logged is in `told`."""
        self.bench.clock.advance(after)
        self.true += timedelta(seconds=after)
        self.cliniko.server_date = self.true
        with capture_logs() as self.told:
            self.resolver.resolve(self.bench.lease, self.tally)

    def person(self) -> Decisions:
        return Decisions(self.bench.ledger.engine, "person test")


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, "sqlite") as engine:
        yield engine


@pytest.fixture
def watch(engine: Engine, clock: TestClock) -> Watch:
    return Watch(emptied_bench(engine, clock))


# ---------------------------------------------------------------- when, and through which notes


def test_without_a_doubt_that_is_due_nothing_is_asked(watch: Watch) -> None:
    watch.look()
    watch.a_doubt()
    watch.look(after=29)
    assert (watch.cliniko.asked, watch.told) == ([], [])
    watch.look(after=1)
    assert len(watch.cliniko.asked) == 1


def test_a_look_goes_through_the_authors_notes_since_a_day_before_the_oldest_attempt(watch: Watch) -> None:
    watch.a_doubt()
    watch.bench.clock.advance(60)
    watch.a_doubt("doc-2")
    watch.look()
    assert watch.cliniko.asked == [("4", MORNING - timedelta(days=1))]


def test_what_a_dead_worker_left_open_is_told_and_looked_for_half_a_minute_later(watch: Watch) -> None:
    entry = watch.bench.a_posting()
    watch.look(after=5)
    assert watch.told == [{"event": "attempt.abandoned", "log_level": "warning", "count": 1}]
    assert watch.bench.only() == replace(
        entry, status=Status.IN_DOUBT, due_at=watch.bench.clock.now() + timedelta(seconds=30)
    )
    watch.look(after=29)
    assert watch.cliniko.asked == []
    watch.look(after=1)
    assert len(watch.cliniko.asked) == 1


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta()], ids=["set ahead", "right"])
def test_looks_are_told_apart_by_clinikos_clock_to_the_second(watch: Watch, step: timedelta) -> None:
    watch.a_doubt()
    watch.look()
    watch.bench.clock._now += step
    for after in (0, 90):
        watch.look(after)
        assert watch.told == []
        assert watch.bench.only().status is Status.IN_DOUBT
    watch.look(after=1)
    assert watch.bench.only().status is Status.PENDING


def test_a_note_that_shows_too_early_for_a_second_look_is_found_all_the_same(watch: Watch) -> None:
    watch.a_doubt()
    watch.look()
    watch.bench.clock._now += timedelta(hours=1)
    watch.cliniko.notes = [OURS]
    watch.look(after=5)
    assert watch.bench.only().status is Status.POSTED


def test_without_clinikos_clock_the_hosts_own_has_to_do(watch: Watch) -> None:
    watch.a_doubt()
    watch.look()
    watch.cliniko.meanwhile = lambda: setattr(watch.cliniko, "server_date", None)
    watch.look(after=90)
    assert watch.bench.only().status is Status.IN_DOUBT
    watch.look(after=1)
    assert watch.bench.only().status is Status.PENDING


def test_a_look_by_a_clock_of_clinikos_that_was_ahead_is_not_waited_for_until_then(watch: Watch) -> None:
    watch.a_doubt()
    watch.true += timedelta(days=365)
    watch.look()
    watch.true -= timedelta(days=365)
    for after in (95, 90):
        watch.look(after)
        assert watch.bench.only().status is Status.IN_DOUBT
    watch.look(after=1)
    assert watch.bench.only().status is Status.PENDING


def test_looks_that_may_follow_at_once_do(engine: Engine, clock: TestClock) -> None:
    watch = Watch(emptied_bench(engine, clock), looks=LookTimes(first=timedelta(), second=timedelta()))
    watch.a_doubt()
    watch.look()
    watch.look(after=0)
    assert watch.bench.only().status is Status.PENDING


# ---------------------------------------------------------------- which note is ours


@pytest.mark.parametrize("where", ["title", "text", "words"])
def test_our_note_is_known_by_its_reference_or_by_its_words(watch: Watch, where: str) -> None:
    entry = watch.a_doubt()
    mark = f"ref {entry.reference}"
    told = NoteContent((Section((Question("Source", answer=f"<p>Heidi, {mark}.</p>"),)),)).as_json()
    note = {"title": a_note(title=f"Letter, {mark}"), "text": a_note(content=told), "words": OURS}[where]
    watch.cliniko.notes = [a_note("7", "Letter, ref 7ZK3M0QX", {}), note]
    watch.look()
    assert (watch.bench.only().status, watch.bench.only().note_id) == (Status.POSTED, NOTE)
    assert watch.bench.only().note_updated_at == (STAMP if where == "words" else None)
    assert watch.tally == Tally(posted=1)
    assert watch.bench.only().due_at == watch.bench.clock.now()


def test_a_look_that_finds_the_note_is_told_in_one_line(watch: Watch) -> None:
    entry = watch.a_doubt()
    watch.cliniko.notes = [OURS]
    watch.look()
    facts = {"entry": entry.entry_id, "attempt": 1, "count": 1, "looks": 1, "status": Status.POSTED, "note_id": NOTE}
    assert watch.told == [{"event": "doubt.looked", "log_level": "info"} | facts]


def test_two_looks_that_find_nothing_are_told_and_allow_one_more_request(watch: Watch) -> None:
    entry = watch.a_doubt()
    watch.cliniko.notes = [a_note("7", content={})]
    facts = {"event": "doubt.looked", "log_level": "info", "entry": entry.entry_id, "attempt": 1, "count": 0}
    watch.look()
    assert watch.told == [facts | {"looks": 1, "status": Status.IN_DOUBT, "note_id": None}]
    assert watch.bench.only() == replace(entry, due_at=MORNING + timedelta(seconds=120))
    watch.look(after=91)
    assert watch.told == [facts | {"looks": 2, "status": Status.PENDING, "note_id": None}]
    assert watch.bench.only() == replace(entry, status=Status.PENDING, bound=True, due_at=watch.bench.clock.now())
    assert watch.tally == Tally()


def test_two_notes_with_the_same_words_are_a_persons_and_counted(watch: Watch) -> None:
    watch.a_doubt()
    watch.cliniko.notes = [OURS, replace(OURS, note_id="8")]
    watch.look()
    assert (watch.bench.only().reason, watch.bench.only().note_id) == (Reason.TWO_NOTES, None)
    assert (watch.tally, watch.told[0]["count"]) == (Tally(review=1), 2)


@pytest.mark.parametrize("copies", [1, 2], ids=["one note each", "two notes each"])
def test_every_doubt_that_one_look_ends_is_counted(watch: Watch, copies: int) -> None:
    doubts = [watch.a_doubt(f"doc-{number}") for number in range(3)]
    marks = [f"ref {entry.reference}" for entry in doubts]
    watch.cliniko.notes = [
        a_note(f"{number}{copy}", mark, {}) for number, mark in enumerate(marks) for copy in range(copies)
    ]
    watch.look()
    assert watch.tally == (Tally(posted=3) if copies == 1 else Tally(review=3))


def test_a_second_doubt_that_nothing_is_found_for_is_a_persons(watch: Watch) -> None:
    watch.a_doubt()
    watch.look()
    watch.look(after=91)
    attempt = watch.bench.claim(watch.bench.only())
    assert attempt is not None
    watch.bench.settle(attempt, Settlement(Status.IN_DOUBT, None, None, "in_doubt", "http_502"))
    watch.look(after=30)
    assert watch.bench.only().status is Status.IN_DOUBT
    watch.look(after=91)
    assert watch.bench.only().reason is Reason.TWICE_IN_DOUBT


def test_a_note_that_belongs_to_another_document_with_the_same_words_is_not_ours(watch: Watch) -> None:
    other, entry = watch.a_doubt("doc-2"), watch.a_doubt()
    watch.person().resolve_there(other.entry_id, "8", MORNING)
    watch.cliniko.notes = [replace(OURS, note_id="8"), OURS]
    watch.look()
    assert (watch.bench.only().note_id, watch.tally.posted) == (NOTE, 1)
    assert watch.bench.only().status is Status.POSTED
    assert entry.entry_id != other.entry_id


# ---------------------------------------------------------------- a person is faster, the key is gone


def test_a_doubt_that_a_person_ends_meanwhile_stops_no_look_for_the_others(watch: Watch) -> None:
    first, second = watch.a_doubt(), watch.a_doubt("doc-2")
    watch.cliniko.notes = [a_note("8", f"Letter, ref {second.reference}", {})]
    watch.cliniko.meanwhile = lambda: watch.person().resolve_there(first.entry_id, NOTE, MORNING)
    watch.look()
    assert watch.bench.only().note_id == NOTE
    assert (watch.bench.only("doc-2").note_id, watch.tally) == ("8", Tally(posted=1))


def test_a_refused_key_puts_every_doubt_that_is_left_before_a_person(watch: Watch) -> None:
    first, *_ = watch.a_doubt(), watch.a_doubt("doc-2"), watch.a_doubt("doc-3")
    watch.cliniko.refused = True
    watch.cliniko.meanwhile = lambda: watch.person().resolve_there(first.entry_id, NOTE, MORNING)
    with pytest.raises(NotAuthorised):
        watch.look()
    assert watch.bench.only().note_id == NOTE
    held = [watch.bench.only(document_id) for document_id in ("doc-2", "doc-3")]
    assert [(one.status, one.reason) for one in held] == [(Status.REVIEW, Reason.DOUBT_KEY_GONE)] * 2
    assert watch.tally == Tally(review=2)
    told = [step.at for step, _ in watch.bench.ledger.trail.steps(held[0].entry_id)]
    assert told[-1] == watch.bench.clock.now()
