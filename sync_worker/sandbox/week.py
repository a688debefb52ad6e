"""A week of the synthetic practice: who works there, the sessions they held and the diary these stand in.

Owns the values that describe clinicians, sessions, documents and bookings, business hours in Hobart and who sat in
which slot. It refuses to know patients' names (people.py) or how a note becomes a document (documents.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from sync_worker.records import Reason
from sync_worker.sandbox.documents import Markup, RawNote, rewrite
from sync_worker.sandbox.people import PLAIN, PracticePatient, Visit

ZONE = ZoneInfo("Australia/Hobart")


@dataclass(frozen=True, slots=True)
class PracticeClinician:
    """A physiotherapist; `user_id` is Heidi's `third_party_internal_id`."""

    name: str
    email: str
    user_id: str


@dataclass(frozen=True, slots=True)
class PracticeBooking:
    """One appointment in the diary of `clinician` (a user_id) with `patients` (keys). Stamps are aware."""

    clinician: str
    patients: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class PracticeDocument:
    """A document and its fate: `expected_patient` (a key), or `held` for a reason, or neither if it is blank.

    `content_type` is what Heidi is to say, None where it says nothing; `markup` is what the content is. `words` are the
    words a reader sees, in order, and `source` the note they come from.
    """

    key: str
    name: str
    content: str
    content_type: str | None
    template_id: str
    markup: Markup
    words: tuple[str, ...]
    source: str | None = None
    expected_patient: str | None = None
    held: Reason | None = None


@dataclass(frozen=True, slots=True)
class PracticeSession:
    """A Heidi session, with what its clinician typed of the patient. Its consult note must never be filed.

    `patient` is the key of whom the diary holds, None if nobody; `story` says what is special.
    """

    key: str
    clinician: str
    story: str
    patient: str | None
    patient_name: str
    birth_date: date | None
    email: str | None
    created_at: datetime
    updated_at: datetime
    duration_seconds: int
    consent: bool | None
    consult_note: str
    documents: tuple[PracticeDocument, ...]


CLINICIANS = (
    PracticeClinician("Emma Tasker", "emma.tasker@example.com", "physio-1"),
    PracticeClinician("Ravi Menon", "ravi.menon@example.com", "physio-2"),
    PracticeClinician("Caitlín O'Rourke", "caitlin.orourke@example.com", "physio-3"),
)

# Heidi's document templates, by id
_TEMPLATES = {
    "6710a2f4c39e5b0012ab0001": "Initial assessment",
    "6710a2f4c39e5b0012ab0002": "Review note",
    "6710a2f4c39e5b0012ab0003": "GP letter",
    "6710a2f4c39e5b0012ab0004": "Home exercise programme",
    "6710a2f4c39e5b0012ab0005": "Case conference",
    "6710a2f4c39e5b0012ab0006": "Return-to-work plan – café & retail",
}

# ---------------------------------------------------------------- sessions

_SLOT = timedelta(minutes=40)
_FIRST_SLOT, _SLOTS = time(8, 0), 14
_DAYS_BACK = 5
_SUNDAY = 6


@dataclass(frozen=True, slots=True)
class _Seat:
    """One clinician's slot in the diary."""

    starts_at: datetime
    clinician: str


def _seats(now: datetime) -> list[_Seat]:
    """Return all slots of the last days and today, in local business hours; nobody works on Sundays."""
    today = now.astimezone(ZONE).date()
    days = [today - timedelta(days=back) for back in range(_DAYS_BACK, -1, -1)]
    return [
        _Seat(datetime.combine(day, _FIRST_SLOT, ZONE) + _SLOT * slot, clinician.user_id)
        for day in days
        if day.weekday() != _SUNDAY
        for slot in range(_SLOTS)
        for clinician in CLINICIANS
    ]


# How much later than its slot a session's document is surely done, its clinician having begun late.
_ALL_DONE = timedelta(minutes=55)
NOTHING_IN_IT = ("", " \n\t\u00a0\n")


def sessions_of(
    rng: Random, *, now: datetime, notes: Sequence[RawNote], visits: Sequence[Visit]
) -> Iterator[PracticeSession]:
    """Yield a session for each visit, in order of time, all over by `now`; there are two more visits than notes."""
    over = [seat for seat in _seats(now) if seat.starts_at + _ALL_DONE <= now]
    seats = sorted(rng.sample(over, len(visits)), key=lambda seat: (seat.starts_at, seat.clinician))
    # The last visits are plain ones: nothing but the empty document may decide what becomes of it.
    full, blank = list(visits[: len(notes)]), visits[len(notes) :]
    rng.shuffle(full)
    documents = [_document(number, *pair) for number, pair in enumerate(zip(notes, full, strict=True))]
    documents += [_blank_document(number, text) for number, text in enumerate(NOTHING_IN_IT)]
    complaints = [*(note.complaint for note in notes), *("Review" for _ in blank)]
    made = list(zip((*full, *blank), documents, complaints, strict=True))
    rng.shuffle(made)
    for number, (seat, (visit, document, complaint)) in enumerate(zip(seats, made, strict=True)):
        yield _session(rng, number, seat, visit, document, complaint)


def _session(
    rng: Random, number: int, seat: _Seat, visit: Visit, document: PracticeDocument, complaint: str
) -> PracticeSession:
    created_at = seat.starts_at + timedelta(minutes=rng.randrange(5), microseconds=rng.randrange(10**6))
    duration = rng.randrange(900, 2100)
    return PracticeSession(
        key=f"session-{number + 1:02}",
        clinician=seat.clinician,
        story=visit.story,
        patient=visit.patient,
        patient_name=visit.typed_name,
        birth_date=visit.birth_date,
        email=visit.email,
        created_at=created_at,
        updated_at=created_at + timedelta(seconds=duration + rng.randrange(60, 600)),
        duration_seconds=duration,
        consent=rng.choice((None, None, True)),
        consult_note=f"## Consult note\n\n{complaint}\n\nAlready pushed by the scribe itself; never to be filed again.",
        documents=(document,),
    )


def _document(number: int, note: RawNote, visit: Visit) -> PracticeDocument:
    template_id, name = list(_TEMPLATES.items())[number % len(_TEMPLATES)]
    rich = rewrite(note, number=number, name=name)
    return PracticeDocument(
        key=f"document-{number + 1:02}",
        name=name,
        content=rich.content,
        content_type=None if number % 5 in (2, 3) else rich.markup,
        template_id=template_id,
        markup=rich.markup,
        words=rich.words,
        source=note.note_id,
        expected_patient=visit.expected,
        held=visit.held,
    )


def _blank_document(number: int, text: str) -> PracticeDocument:
    template_id, name = list(_TEMPLATES.items())[number]
    return PracticeDocument(f"blank-{number + 1}", name, text, None, template_id, Markup.MARKDOWN, words=())


# ---------------------------------------------------------------- the diary

_WALK_INS = 3
_AROUND = timedelta(minutes=30)
_BUSY = 0.6
"""Share of the other slots that are booked."""
_CLASS_AT, _CLASS_SIZE = time(7, 0), 4


def diary_of(
    rng: Random, *, now: datetime, sessions: Sequence[PracticeSession], charts: Sequence[PracticePatient]
) -> tuple[PracticeBooking, ...]:
    """Return a booking for each session but the walk-ins', others who came or will come, and a class each morning.

    Whoever has a session has no other booking, and from half an hour before a walk-in's session begins to half an hour
    after that clinician has none at all.
    """
    seats = {_seat_of(session): session for session in sessions}
    alone = [one for seat, one in seats.items() if replace(seat, starts_at=seat.starts_at - _SLOT) not in seats]
    walk_ins = [session for session in alone if session.story == PLAIN][:_WALK_INS]
    coming = {session.patient for session in sessions}
    others = [chart.key for chart in charts if not chart.archived and chart.key not in coming]
    bookings = list(_session_bookings(seats, walk_ins))
    # Somebody who cancelled stands beside a session's own booking: it must not count.
    bookings += [replace(booking, patients=(rng.choice(others),), cancelled=True) for booking in bookings[:3]]
    for seat in _seats(now):
        if seat not in seats and rng.random() < _BUSY:
            bookings.append(_booking(seat, rng.choice(others)))
    bookings += _classes(rng, now, others)
    apart = [booking for booking in bookings if not any(_is_around(booking, session) for session in walk_ins)]
    return tuple(sorted(apart, key=_when))


def _session_bookings(
    seats: Mapping[_Seat, PracticeSession], walk_ins: Sequence[PracticeSession]
) -> Iterator[PracticeBooking]:
    for seat, session in seats.items():
        if session.patient and session not in walk_ins:
            yield _booking(seat, session.patient)


def _seat_of(session: PracticeSession) -> _Seat:
    """Return the slot a session was held in: clinicians begin up to five minutes late."""
    local = session.created_at.astimezone(ZONE)
    first = datetime.combine(local.date(), _FIRST_SLOT, ZONE)
    return _Seat(first + _SLOT * ((local - first) // _SLOT), session.clinician)


def _booking(seat: _Seat, patient: str) -> PracticeBooking:
    return PracticeBooking(seat.clinician, (patient,), seat.starts_at, seat.starts_at + _SLOT)


def _classes(rng: Random, now: datetime, others: Sequence[str]) -> Iterator[PracticeBooking]:
    for day in sorted({seat.starts_at.date() for seat in _seats(now)}):
        starts_at = datetime.combine(day, _CLASS_AT, ZONE)
        class_of = tuple(rng.sample(others, _CLASS_SIZE))
        yield PracticeBooking(CLINICIANS[0].user_id, class_of, starts_at, starts_at + timedelta(minutes=30))


def _is_around(booking: PracticeBooking, session: PracticeSession) -> bool:
    begins, ends = booking.starts_at - _AROUND, booking.ends_at + _AROUND
    return booking.clinician == session.clinician and begins <= session.created_at <= ends


def _when(booking: PracticeBooking) -> tuple[datetime, str]:
    return booking.starts_at, booking.clinician
