"""Claim, send once, settle: what each answer of Cliniko makes of a document, and what is told of it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from sync_worker import __version__
from sync_worker.cliniko import ClinikoClient
from sync_worker.convert import canonical_text
from sync_worker.counts import POST_OUTCOMES, Counts
from sync_worker.errors import LeaseLost, NotAuthorised, Stopping, Unavailable
from sync_worker.ledger.decisions import Decisions
from sync_worker.lifecycle import LookTimes
from sync_worker.model import (
    Accepted,
    Candidate,
    InDoubt,
    KeyTrouble,
    Note,
    NoteContent,
    NotSent,
    PostOutcome,
    Question,
    Refused,
    Section,
    StoredNote,
)
from sync_worker.outbox import Delivery
from sync_worker.posting import Poster, PostSettings
from sync_worker.prepare import Prepared
from sync_worker.records import Attempt, Entry, HintSeen, Lease, Reason, Status, Tally
from tests.conftest import MORNING, TestClock
from tests.ledger_steps import NOTE, PATIENT, Bench, an_engine, emptied_bench

CONTENT = NoteContent((Section((Question("Plan", answer="<p>Rest.</p>"),)),))
OTHER_WORDS = NoteContent((Section((Question("Plan", answer="<p>Do rest.</p>"),)),)).as_json()
STAMP = MORNING + timedelta(minutes=3)
HINT = HintSeen(bytes(reversed(range(32))), "77")
STORED = StoredNote(NOTE, "Letter", CONTENT.as_json(), PATIENT, draft=True, updated_at=STAMP)
WITHOUT_ECHO = replace(STORED, content=None)
PREPARED = Prepared(
    Note(PATIENT, "Letter", CONTENT, booking_id="41"),
    reference="7ZK3M0QX",
    rule=2,
    candidates=(
        Candidate("5", ("family_name",), ("birth_date",)),
        Candidate(PATIENT, ("given_name", "birth_date"), ("email",)),
    ),
)


@dataclass
class StandIn:
    """Cliniko as one request meets it: answers as it is told, and remembers what it was asked, in order."""

    answer: PostOutcome | Exception = field(default_factory=lambda: Accepted(STORED))
    readable: StoredNote | Exception | None = None
    server_date: datetime | None = None
    asked: list[Any] = field(default_factory=list)

    refusal = staticmethod(ClinikoClient.refusal)

    def wait_for_turn(self) -> None:
        self.asked.append("turn")

    def create_treatment_note(self, note: Note, guard: Callable[[], None]) -> PostOutcome:
        guard()
        self.asked.append(note)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def find_note(self, note_id: str) -> StoredNote | None:
        self.asked.append(note_id)
        if isinstance(self.readable, Exception):
            raise self.readable
        return self.readable


@dataclass
class Guards:
    """Leases that remember for whom and when a request was let through."""

    passed: list[tuple[Lease, datetime]] = field(default_factory=list)

    def guard(self, lease: Lease, clock: TestClock) -> Callable[[], None]:
        return lambda: self.passed.append((lease, clock.now()))


@dataclass
class Desk:
    """One clinician's poster on a ledger, and Cliniko's stand-in."""

    bench: Bench
    cliniko: StandIn
    guards: Guards = field(default_factory=Guards)
    tally: Tally = field(default_factory=Tally)
    told: list[Any] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def poster(self, *, rehearse: bool = False, brake: int = 0) -> Poster:
        looks = LookTimes(first=timedelta(seconds=30), second=timedelta(seconds=120))
        settings = PostSettings("A. Physio", rehearse, looks, brake, "5e7719")
        made: Any = {"cliniko": self.cliniko, "leases": self.guards, "clock": self.bench.clock}
        return Poster(settings=settings, ledger=self.bench.ledger, counts=self.counts, **made)

    def post(self, document_id: str = "doc-1", *, prepared: Prepared = PREPARED, **settings: Any) -> Delivery:
        """Post a pending document; what was logged is in `told`."""
        entry = self.bench.a_pending(document_id)
        with capture_logs() as self.told:
            return self.poster(**settings).post(self.bench.lease, entry, prepared, HINT, self.tally)

    @property
    def entry(self) -> Entry:
        return self.bench.only()

    @property
    def attempt(self) -> Attempt:
        return self.bench.ledger.attempts.doubtful(self.entry)[0]


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, "sqlite") as engine:
        yield engine


@pytest.fixture
def desk(engine: Engine, clock: TestClock) -> Desk:
    return Desk(emptied_bench(engine, clock), StandIn())


# ---------------------------------------------------------------- what each answer makes of a document

ENDS: dict[str, tuple[PostOutcome, Delivery, Status, dict[str, Any]]] = {
    "filed": (Accepted(STORED), Delivery.DONE, Status.POSTED, {"event": "note.accepted", "note_id": NOTE}),
    "filed with other words": (
        Accepted(replace(STORED, content=OTHER_WORDS)),
        Delivery.DONE,
        Status.REVIEW,
        {
            "event": "note.accepted",
            "note_id": NOTE,
            "reason": Reason.CONTENT_CHANGED,
            "code": "content_changed",
        },
    ),
    "refused": (
        Refused(422, ("title",)),
        Delivery.DONE,
        Status.REVIEW,
        {"event": "note.refused", "reason": Reason.REFUSED, "code": "http_422_title"},
    ),
    "in doubt": (
        InDoubt("http_502"),
        Delivery.IN_DOUBT,
        Status.IN_DOUBT,
        {"event": "note.in_doubt", "code": "http_502"},
    ),
    "asked to come back later": (
        NotSent("rate_limited"),
        Delivery.RATE_LIMITED,
        Status.PENDING,
        {"event": "note.not_sent", "code": "rate_limited"},
    ),
}


@pytest.mark.parametrize(("answer", "delivery", "status", "told"), ENDS.values(), ids=ENDS)
def test_each_answer_settles_the_document_counts_it_and_is_told_in_one_line(
    desk: Desk, answer: PostOutcome, delivery: Delivery, status: Status, told: dict[str, Any]
) -> None:
    desk.cliniko.answer = answer
    assert desk.post() is delivery
    assert desk.entry.status is status
    assert desk.tally == Tally(posted=status is Status.POSTED, review=status is Status.REVIEW)
    facts = {
        "log_level": "info",
        "clinician": "A. Physio",
        "entry": desk.entry.entry_id,
        "attempt": 1,
        "status": status,
        "reason": None,
        "code": None,
        "note_id": None,
        "reference": "7ZK3M0QX",
        "rule": 2,
    }
    assert desk.told == [facts | told]
    outcome = told["event"].removeprefix("note.")
    assert desk.counts.posts.now() == {(one,): int(one == outcome) for one in POST_OUTCOMES}


TROUBLES: dict[str, tuple[PostOutcome, type[Exception], str]] = {
    "a refused key": (KeyTrouble(401), NotAuthorised, "cliniko create_note: key_refused (401)"),
    "a user who may not": (KeyTrouble(403), NotAuthorised, "cliniko create_note: not_a_practitioner (403)"),
    "no connection": (NotSent("not_connected"), Unavailable, "cliniko create_note: unavailable"),
    "a stop": (NotSent("stopping"), Stopping, ""),
    "a lost lease": (NotSent("lease_lost"), LeaseLost, ""),
}


@pytest.mark.parametrize(("answer", "trouble", "said"), TROUBLES.values(), ids=TROUBLES)
def test_what_is_not_the_documents_trouble_leaves_it_pending_and_ends_the_run(
    desk: Desk, answer: PostOutcome, trouble: type[Exception], said: str
) -> None:
    desk.cliniko.answer = answer
    with pytest.raises(trouble) as raised:
        desk.post()
    assert str(raised.value) == said
    assert (desk.entry.status, desk.tally) == (Status.PENDING, Tally())
    assert desk.entry.due_at == desk.bench.clock.now()


def test_everything_that_a_tick_files_or_puts_before_a_person_is_counted(desk: Desk) -> None:
    for number in range(2):
        desk.cliniko.answer = Accepted(replace(STORED, note_id=f"{NOTE}{number}"))
        desk.post(f"doc-{number}")
        desk.cliniko.answer = Refused(422, ("title",))
        desk.post(f"doc-{number}9")
    assert desk.tally == Tally(posted=2, review=2)


def test_a_service_that_cannot_be_reached_is_said_in_a_sentence(desk: Desk) -> None:
    desk.cliniko.answer = NotSent("not_connected")
    with pytest.raises(Unavailable) as raised:
        desk.post()
    assert raised.value.sentence == "Cliniko cannot be reached: it is tried again."


def test_a_mistake_of_ours_after_the_claim_is_a_doubt_and_is_told(desk: Desk) -> None:
    desk.cliniko.answer = ZeroDivisionError()
    assert desk.post() is Delivery.IN_DOUBT
    entry = desk.entry.entry_id
    mistake = {"event": "attempt.failed", "log_level": "error", "exc_info": True, "entry": entry, "attempt": 1}
    assert desk.told[0] == mistake
    assert (desk.told[1]["event"], desk.told[1]["code"]) == ("note.in_doubt", "unexpected")


def test_a_doubt_is_due_for_its_first_look_and_all_else_at_once(desk: Desk) -> None:
    desk.cliniko.answer = InDoubt("http_502")
    desk.post()
    now = desk.bench.clock.now()
    assert (desk.entry.due_at, desk.attempt.ended_at) == (now + timedelta(seconds=30), now)
    desk.cliniko.answer = NotSent("rate_limited")
    desk.post("doc-2")
    assert desk.bench.only("doc-2").due_at == now


# ---------------------------------------------------------------- did it arrive whole?


def test_a_note_is_remembered_as_cliniko_stamped_it_if_it_says_what_was_meant(desk: Desk) -> None:
    desk.post()
    assert (desk.entry.note_id, desk.entry.note_updated_at) == (NOTE, STAMP)
    assert desk.cliniko.asked == ["turn", PREPARED.note]  # the answer said it all: nothing is read back


def test_a_note_with_other_words_is_not_taken_for_one_that_nobody_touched(desk: Desk) -> None:
    desk.cliniko.answer = Accepted(replace(STORED, content=OTHER_WORDS))
    desk.post()
    assert (desk.entry.note_id, desk.entry.note_updated_at) == (NOTE, None)


def test_an_answer_without_the_words_has_the_note_read_back(desk: Desk) -> None:
    desk.cliniko.answer, desk.cliniko.readable = Accepted(WITHOUT_ECHO), replace(STORED, updated_at=MORNING)
    desk.post()
    assert desk.cliniko.asked[-1] == NOTE
    assert (desk.entry.status, desk.entry.note_updated_at) == (Status.POSTED, MORNING)
    desk.cliniko.readable = replace(STORED, content=OTHER_WORDS, note_id=f"{NOTE}9")
    desk.cliniko.answer = Accepted(replace(WITHOUT_ECHO, note_id=f"{NOTE}9"))
    desk.post("doc-2")
    assert desk.bench.only("doc-2").reason is Reason.CONTENT_CHANGED


def test_a_note_that_is_gone_before_it_can_be_read_back_is_a_persons(desk: Desk) -> None:
    desk.cliniko.answer, desk.cliniko.readable = Accepted(WITHOUT_ECHO), None
    desk.post()
    stands = (desk.entry.status, desk.entry.reason, desk.entry.note_id, desk.entry.note_updated_at)
    assert stands == (Status.REVIEW, Reason.CONTENT_CHANGED, NOTE, None)


@pytest.mark.parametrize("trouble", [Unavailable("cliniko", "find_note"), Stopping()], ids=["down", "stopping"])
def test_a_note_that_cannot_be_read_back_is_there_all_the_same(desk: Desk, trouble: Exception) -> None:
    desk.cliniko.answer, desk.cliniko.readable = Accepted(WITHOUT_ECHO), trouble
    assert desk.post() is Delivery.DONE
    assert (desk.entry.status, desk.entry.note_updated_at) == (Status.POSTED, STAMP)
    facts = {"entry": desk.entry.entry_id, "note_id": NOTE, "error": type(trouble).__name__}
    assert desk.told[0] == {"event": "note.unverified", "log_level": "warning"} | facts


# ---------------------------------------------------------------- the claim


def test_the_claim_says_why_this_note_goes_to_this_patient(desk: Desk) -> None:
    desk.post()
    [claim] = [step for step, _ in desk.bench.ledger.trail.steps(desk.entry.entry_id) if step.event == "claimed"]
    assert json.loads(claim.details or "") == {
        "attempt": 1,
        "patient_id": PATIENT,
        "rule": 2,
        "version": __version__,
        "settings": "5e7719",
        "agrees": ["birth_date", "given_name"],
        "missing": ["linked_id"],
        "against": ["email"],
        "candidates": ["5", PATIENT],
        "booking_id": "41",
        "document": desk.entry.text_hash.hex(),
        "pinned": False,
    }


def test_what_agrees_and_what_speaks_against_it_is_not_missing_too(desk: Desk) -> None:
    desk.post(prepared=replace(PREPARED, candidates=()))
    [claim] = [step for step, _ in desk.bench.ledger.trail.steps(desk.entry.entry_id) if step.event == "claimed"]
    told = json.loads(claim.details or "")
    assert (told["agrees"], told["against"]) == ([], [])
    assert told["missing"] == ["birth_date", "email", "linked_id"]


def test_the_claim_keeps_whom_heidi_named_and_what_was_meant(desk: Desk) -> None:
    desk.cliniko.answer = InDoubt("http_502")
    desk.post()
    assert (desk.entry.hint_hash, desk.entry.hint_link) == (HINT.hint_hash, "77")
    assert desk.entry.patient_id == desk.attempt.patient_id == PATIENT
    assert desk.attempt.fingerprint == desk.bench.ledger.keyed_hash(canonical_text(CONTENT))


def test_the_lease_of_the_claim_guards_the_request(desk: Desk) -> None:
    desk.post()
    assert desk.guards.passed == [(desk.bench.lease, desk.bench.clock.now())]


@pytest.mark.parametrize("ahead", [-50, 0, 50, None])
def test_an_attempt_begins_by_whichever_clock_is_behind(desk: Desk, ahead: int | None) -> None:
    now = desk.bench.clock.now()
    desk.cliniko.server_date = None if ahead is None else now + timedelta(seconds=ahead)
    desk.cliniko.answer = InDoubt("http_502")
    desk.post()
    assert desk.attempt.started_at == now + timedelta(seconds=min(ahead or 0, 0))


def test_a_stop_while_waiting_for_its_turn_claims_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise Stopping

    monkeypatch.setattr(desk.bench.clock, "check_stop", stop)
    with pytest.raises(Stopping):
        desk.post()
    assert (desk.entry.status, desk.cliniko.asked) == (Status.PENDING, ["turn"])


def test_a_paused_clinicians_document_is_told_from_one_that_somebody_else_has(desk: Desk) -> None:
    entry = desk.bench.a_posting()
    poster = desk.poster()
    assert poster.post(desk.bench.lease, entry, PREPARED, HINT, desk.tally) is Delivery.ASIDE
    Decisions(desk.bench.ledger.engine, "person test").pause([desk.bench.lease.clinician_id], MORNING)
    assert desk.post("doc-2") is Delivery.PAUSED
    assert desk.cliniko.asked == ["turn", "turn"]


def test_the_brake_of_the_settings_holds_the_claim(desk: Desk) -> None:
    assert desk.post(brake=1) is Delivery.DONE
    assert desk.post("doc-2", brake=1) is Delivery.PAUSED


# ---------------------------------------------------------------- rehearsing


def test_a_rehearsal_claims_and_sends_nothing_and_is_told(desk: Desk) -> None:
    assert desk.post(rehearse=True) is Delivery.DONE
    assert (desk.cliniko.asked, desk.entry.status, desk.tally) == ([], Status.PENDING, Tally())
    facts = {"entry": desk.entry.entry_id, "reference": "7ZK3M0QX", "rule": 2}
    assert desk.told == [{"event": "note.rehearsed", "log_level": "info"} | facts]


def test_a_text_that_was_rehearsed_is_not_rehearsed_again_within_the_hour(desk: Desk) -> None:
    entry, other = desk.bench.a_pending(), desk.bench.a_pending("doc-2")
    poster = desk.poster(rehearse=True)
    assert not poster.was_rehearsed(entry, entry.text_hash)
    poster.post(desk.bench.lease, entry, PREPARED, HINT, desk.tally)
    assert poster.was_rehearsed(entry, entry.text_hash)
    assert not poster.was_rehearsed(entry, bytes(32))
    assert not poster.was_rehearsed(other, entry.text_hash)
    desk.bench.clock.advance(3599)
    assert poster.was_rehearsed(entry, entry.text_hash)
    desk.bench.clock.advance(1)
    assert not poster.was_rehearsed(entry, entry.text_hash)


def test_what_was_never_rehearsed_is_unknown_even_to_a_clock_that_just_started(desk: Desk) -> None:
    desk.bench.clock.advance(-desk.bench.clock.monotonic())
    entry = desk.bench.a_pending()
    assert not desk.poster(rehearse=True).was_rehearsed(entry, entry.text_hash)
