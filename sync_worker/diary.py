"""The clinician's diary in Cliniko, as evidence: which booking a note belongs to, and what speaks against a match.

The diary never files anything by itself. It links a note to the patient's own booking, it gives one more identifier
where the practice asks for three, and it objects where the session's time is a group's or somebody else's. An empty
diary says nothing: patients walk in.

The first half is pure. `Diary` below reads Cliniko for it, a week at a time, and keeps the bookings in memory only.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.errors import NotAuthorised
from sync_worker.fresh import FRESH_SECONDS
from sync_worker.identity import Identity
from sync_worker.logs import get_logger
from sync_worker.model import Booking
from sync_worker.records import Reason

log = get_logger()

AROUND = timedelta(minutes=30)
"""A session that begins so long before a booking, or so long after its end, may still be its session."""
LONGEST_BOOKING = timedelta(hours=12)
"""How far before a day bookings begin that may reach into it: Cliniko is asked by the beginning."""
A_DAY = timedelta(days=1)
MOST_DAYS = 7
"""Local days in one reading: a backlog of a year is not read as a year."""
UNREADABLE_SECONDS = 3600.0
"""How long a key that may not read bookings is not asked again."""


@dataclass(frozen=True, slots=True)
class DiaryWord:
    """What the diary says of one session and the patient that it was matched with."""

    booking_id: str | None = None
    """The patient's own booking, to which the note is linked."""
    objection: Reason | None = None
    """`GROUP_SESSION` or `DIARY_DISAGREES`: a person decides."""


SILENT = DiaryWord()


def read_diary(bookings: Iterable[Booking], *, session_at: datetime, patient_id: str, zone: tzinfo) -> DiaryWord:
    """What a clinician's bookings say of a session that began at `session_at` and was matched with a patient.

    `bookings` are those of the session's day in the practice's `zone`, and those around the session beyond midnight.
    """
    bookings = list(bookings)
    around = [booking for booking in bookings if _is_around(booking, session_at)]
    own = [booking for booking in around if _is_alone(booking, patient_id)]
    shared = [booking for booking in around if _may_hold(booking, patient_id) and booking not in own]
    if own:
        return _own_word(own, shared, session_at, patient_id)
    if shared:
        return DiaryWord(objection=Reason.GROUP_SESSION)
    that_day = _on_day_of(bookings, session_at, zone)
    if len(around) == 1 and not any(_may_hold(booking, patient_id) for booking in that_day):
        return DiaryWord(objection=Reason.DIARY_DISAGREES)
    return SILENT


def booked(bookings: Iterable[Booking], *, session_at: datetime) -> frozenset[str]:
    """The patients who have a booking of their own around the time at which a session began."""
    alone = (booking for booking in bookings if len(booking.patient_ids) == 1)
    return frozenset(booking.patient_ids[0] for booking in alone if _is_around(booking, session_at))


def _own_word(own: Sequence[Booking], shared: Sequence[Booking], session_at: datetime, patient_id: str) -> DiaryWord:
    """The one booking of the patient's around the session; of several, the one that the session began in."""
    begun_in = [booking for booking in own if _covers(booking, session_at)]
    in_a_class = any(patient_id in booking.patient_ids and _covers(booking, session_at) for booking in shared)
    if in_a_class and not begun_in:
        return DiaryWord(objection=Reason.GROUP_SESSION)  # the class first, an appointment after it
    fitting = begun_in or own
    return DiaryWord(fitting[0].booking_id) if len(fitting) == 1 else SILENT


def _is_around(booking: Booking, session_at: datetime) -> bool:
    return booking.starts_at - AROUND <= session_at <= booking.ends_at + AROUND


def _covers(booking: Booking, session_at: datetime) -> bool:
    """Whether a session began in a booking's time. Of two back to back, it is the second's at its very start."""
    return booking.starts_at <= session_at < booking.ends_at


def _is_alone(booking: Booking, patient_id: str) -> bool:
    return booking.patient_ids == (patient_id,)


def _may_hold(booking: Booking, patient_id: str) -> bool:
    return patient_id in booking.patient_ids or not booking.patient_ids


def _on_day_of(bookings: Iterable[Booking], moment: datetime, zone: tzinfo) -> list[Booking]:
    """Those of them that touch the day of a moment in the practice, which may have 23 or 25 hours."""
    day = moment.astimezone(zone).date()
    begins, ends = _midnight(day, zone), _midnight(day + A_DAY, zone)
    return [booking for booking in bookings if booking.starts_at < ends and booking.ends_at >= begins]


def _midnight(day: date, zone: tzinfo) -> datetime:
    """When a day of the practice begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


# ---------------------------------------------------------------- reading it


@dataclass(frozen=True, slots=True)
class _Week:
    """A reading of the days from `first` to `last`."""

    first: date
    last: date
    bookings: tuple[Booking, ...]
    fresh_until: float


class Diary:
    """One clinician's diary. Reads each week of it at most once a minute; `forget` ends the tick."""

    def __init__(
        self,
        *,
        cliniko: ClinikoClient,
        identity: Identity,
        clock: Clock,
        name: str,
        veto: bool,
        oldest_session: Callable[[], datetime | None],
    ) -> None:
        """`name` is the clinician's. `veto`: whether it may object to a match, or only link notes (SYNC_DIARY_VETO).

        `oldest_session` tells when the oldest of the sessions at hand began: one reading serves them all, as far as it
        may reach.
        """
        self._cliniko = cliniko
        self._identity = identity
        self._clock = clock
        self._name = name
        self._veto = veto
        self._oldest_session = oldest_session
        self._weeks: list[_Week] = []
        self._unreadable_until: float | None = None

    def word(self, *, session_at: datetime, patient_id: str) -> DiaryWord:
        """What the diary says of a session and the patient that it was matched with.

        Raises `RemoteError` where the diary cannot be asked. Where the key's user may not read it, it says nothing.
        """
        bookings = self._bookings(session_at)
        word = read_diary(bookings, session_at=session_at, patient_id=patient_id, zone=self._identity.zone())
        return word if self._veto else replace(word, objection=None)

    def booked(self, *, session_at: datetime) -> frozenset[str]:
        """The patients with a booking of their own around a session's beginning; errors as with `word`."""
        return booked(self._bookings(session_at), session_at=session_at)

    def forget(self) -> None:
        """The tick is over: the next one reads again. What the key may not do is remembered."""
        self._weeks.clear()

    def _bookings(self, session_at: datetime) -> Sequence[Booking]:
        day, now = self._day(session_at), self._clock.monotonic()
        self._weeks = [week for week in self._weeks if now < week.fresh_until]
        known = next((week for week in self._weeks if week.first <= day <= week.last), None)
        if known is not None:
            return known.bookings
        if self._unreadable_until is not None and now < self._unreadable_until:
            return ()
        oldest = min(day, self._day(self._oldest_session() or session_at))
        first = day - timedelta(days=(day - oldest).days % MOST_DAYS)  # whole weeks from the oldest on
        last = min(first + timedelta(days=MOST_DAYS - 1), max(day, self._day(self._clock.now())))
        return self._read(first, last, fresh_until=now + FRESH_SECONDS)

    def _read(self, first: date, last: date, *, fresh_until: float) -> Sequence[Booking]:
        zone, mine = self._identity.zone(), self._identity.practitioner().practitioner_id
        since, until = _midnight(first, zone) - LONGEST_BOOKING, _midnight(last + A_DAY, zone) + AROUND
        try:
            bookings = tuple(self._cliniko.find_bookings(mine, since=since, until=until))
        except NotAuthorised as error:
            if error.code != "not_permitted":
                raise
            self._note_unreadable()
            return ()
        self._unreadable_until = None
        self._weeks.append(_Week(first, last, bookings, fresh_until))
        return bookings

    def _note_unreadable(self) -> None:
        """The role of the key's user does not allow it: told once, and tried again later, as a role can be mended."""
        if self._unreadable_until is None:
            log.warning("diary.unreadable", clinician=self._name)
        self._unreadable_until = self._clock.monotonic() + UNREADABLE_SECONDS

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._identity.zone()).date()
