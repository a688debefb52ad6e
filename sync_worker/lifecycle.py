"""What may follow what: the moves of an entry, and what each outcome leads to. Pure: no clock, no I/O.

The ledger applies these decisions and refuses any move that the table below does not name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_worker.model import Accepted, InDoubt, KeyTrouble, NotSent, PostOutcome, Refused
from sync_worker.records import Entry, HintSeen, Reason, Status, WaitsOn

S = Status
ALLOWED_MOVES: Mapping[Status, frozenset[Status]] = {
    S.PENDING: frozenset({S.POSTING, S.POSTED, S.REVIEW, S.SKIPPED}),  # posted at once: it was in Cliniko already
    S.POSTING: frozenset({S.POSTED, S.PENDING, S.IN_DOUBT, S.REVIEW}),
    S.IN_DOUBT: frozenset({S.POSTED, S.PENDING, S.REVIEW}),
    S.REVIEW: frozenset({S.PENDING, S.IN_DOUBT, S.POSTED, S.SKIPPED, S.REVIEW, S.WITHDRAWN}),
    S.POSTED: frozenset({S.REVIEW, S.WITHDRAWN}),
    S.SKIPPED: frozenset({S.PENDING}),  # a document that had gone is there again, or a backfill wants it
    S.WITHDRAWN: frozenset(),
}

WAITS_ON: Mapping[Reason, WaitsOn] = {
    Reason.NO_MATCH: WaitsOn.DESK,
    Reason.NOT_IDENTIFIABLE: WaitsOn.DESK,
    Reason.SEVERAL_CHARTS: WaitsOn.DESK,
    Reason.ARCHIVED_ONLY: WaitsOn.DESK,
    Reason.LINK_CONTRADICTED: WaitsOn.DESK,
    Reason.BIRTH_DATES_DIFFER: WaitsOn.DESK,
    Reason.THIRD_IDENTIFIER: WaitsOn.DESK,
    Reason.PRIVACY_DECLINED: WaitsOn.DESK,
    Reason.PATIENT_UNAVAILABLE: WaitsOn.DESK,
    Reason.DIARY_DISAGREES: WaitsOn.DESK,
    Reason.PATIENT_CHANGED: WaitsOn.CLINICIAN,
    Reason.CONSENT_REFUSED: WaitsOn.CLINICIAN,
    Reason.SHARED_SESSION: WaitsOn.CLINICIAN,
    Reason.GROUP_SESSION: WaitsOn.CLINICIAN,
    Reason.NOT_CARRIED: WaitsOn.CLINICIAN,
    Reason.REVISED: WaitsOn.CLINICIAN,
    Reason.REGENERATED: WaitsOn.CLINICIAN,
    Reason.ALREADY_THERE: WaitsOn.CLINICIAN,
    Reason.TOUCHED: WaitsOn.CLINICIAN,
    Reason.CONTENT_CHANGED: WaitsOn.CLINICIAN,
    Reason.SOURCE_GONE: WaitsOn.CLINICIAN,
    Reason.LATE_START: WaitsOn.CLINICIAN,
    Reason.ROUTE: WaitsOn.CLINICIAN,
    Reason.TWICE_IN_DOUBT: WaitsOn.CLINICIAN,
    Reason.TWO_NOTES: WaitsOn.CLINICIAN,
    Reason.REFUSED: WaitsOn.ADMIN,
    Reason.DOUBT_KEY_GONE: WaitsOn.ADMIN,
    Reason.FAILING: WaitsOn.ADMIN,
}

DOUBTS = frozenset({Reason.TWICE_IN_DOUBT, Reason.TWO_NOTES, Reason.DOUBT_KEY_GONE})
"""Reviews about a note that may exist already: ended only by `resolve`, or by looking again."""

ASKED_AGAIN = frozenset(
    {
        Reason.NO_MATCH,
        Reason.NOT_IDENTIFIABLE,
        Reason.SEVERAL_CHARTS,
        Reason.ARCHIVED_ONLY,
        Reason.LINK_CONTRADICTED,
        Reason.BIRTH_DATES_DIFFER,
        Reason.THIRD_IDENTIFIER,
        Reason.PRIVACY_DECLINED,
        Reason.CONSENT_REFUSED,
        Reason.GROUP_SESSION,
        Reason.DIARY_DISAGREES,
        Reason.PATIENT_UNAVAILABLE,
        Reason.PATIENT_CHANGED,
    }
)
"""Questions of identity: asked again, so that mending the chart, the session or the diary empties the list."""
ASK_AGAIN_AFTER = timedelta(hours=1)
REFUSALS = frozenset({Reason.PRIVACY_DECLINED, Reason.CONSENT_REFUSED})

MOST_ATTEMPTS_IN_DOUBT = 2
"""One attempt, and one more after two looks found nothing. Then a person decides."""

FAILURES_BEFORE_REVIEW = 5
FAILURES_IN_A_ROW = 3
"""So many reads or entries in a row without an answer are a service that is down, not bad ones."""
DOUBTS_IN_A_ROW = 2
"""So many requests in a row without a certain end are a Cliniko that cannot write: stop sending for this tick."""
LONGEST_CLAIM = timedelta(seconds=10)
"""A request that has not left so long after its claim does not leave any more: the machine slept in between."""
BRAKE_WINDOW = timedelta(hours=1)
LONGEST_POSTPONEMENT = timedelta(hours=1)
REREAD_FOR = timedelta(hours=2)
"""How long after its last change a session's documents are read again at every poll: it is unknown whether an
edit of a document touches the session's own stamp."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt's outcome is recorded: the entry's next status, and what goes with it."""

    to: Status
    reason: Reason | None = None
    note_id: str | None = None
    outcome: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class LookTimes:
    """When to look for a note in doubt, counted from the attempt's end."""

    first: timedelta
    second: timedelta

    def next_look(self, *, ended_at: datetime, looks: int) -> datetime:
        """When the next look may happen, after `looks` looks that found nothing."""
        return ended_at + (self.first if looks == 0 else self.second)


LONGEST_CODE = 48
"""As much of a code as the log lets through."""


def is_allowed(from_: Status, to: Status) -> bool:
    """Whether an entry may move from one status to another."""
    return to in ALLOWED_MOVES[from_]


def after_post(outcome: PostOutcome, *, arrived_whole: bool) -> Settlement:
    """What an attempt's outcome makes of its entry.

    `arrived_whole`: whether what Cliniko stored says the same as what was meant (only asked of an accepted note).
    """
    match outcome:
        case Accepted(note) if arrived_whole:
            return Settlement(S.POSTED, None, note.note_id, "accepted")
        case Accepted(note):
            return Settlement(S.REVIEW, Reason.CONTENT_CHANGED, note.note_id, "accepted", "content_changed")
        case Refused(status, fields):
            return Settlement(
                S.REVIEW, Reason.REFUSED, None, "refused", "_".join(["http", str(status), *fields])[:LONGEST_CODE]
            )
        case NotSent(code):
            return Settlement(S.PENDING, None, None, "not_sent", code)
        case KeyTrouble(status):
            return Settlement(S.PENDING, None, None, "key_trouble", f"http_{status}")
        case InDoubt(code):
            return Settlement(S.IN_DOUBT, None, None, "in_doubt", code)


def after_look(found: list[str], *, looks: int, attempts_in_doubt: int) -> Settlement | None:
    """What a complete look for a note in doubt makes of its entry; None = look once more.

    `found` are the ids of notes that are ours by reference or text; `looks` counts this look too.
    A second doubt is looked for like the first, since finding the note ends it for sure; only absence is different
    then: it goes to a person instead of a third request.
    """
    match found:
        case [note_id]:
            return Settlement(S.POSTED, None, note_id)
        case [_, *_]:
            return Settlement(S.REVIEW, Reason.TWO_NOTES)
    if looks < 2:
        return None
    if attempts_in_doubt >= MOST_ATTEMPTS_IN_DOUBT:
        return Settlement(S.REVIEW, Reason.TWICE_IN_DOUBT)
    return Settlement(S.PENDING)


def beginning(
    created_at: datetime | None, *, start_at: datetime, was_read: bool, in_first_sweep: bool, backfilled: bool = False
) -> tuple[Status, Reason | None]:
    """How a new document begins. What a session's first reading shows may be older than we are.

    `was_read`: the session was read before, so the document is new. `in_first_sweep`: the session was listed in the
    clinician's first walk, when everything on older sessions was there already. `backfilled`: a person wants it.
    """
    if backfilled or was_read or created_at is None or created_at >= start_at:
        return S.PENDING, None
    if in_first_sweep:
        return S.SKIPPED, Reason.BEFORE_START
    return S.REVIEW, Reason.LATE_START  # nobody can tell whether it was copied by hand already


def waived_by_choice(entry: Entry, patient_id: str, *, declined: Collection[str]) -> frozenset[Reason]:
    """The refusals that a person knows of who chooses this patient for an entry.

    `declined` are the patients of whom they were told that they declined. What one declined, another may not have.
    """
    known = set(entry.waived) | (REFUSALS & {entry.reason})
    if patient_id not in declined and (entry.reason is Reason.PRIVACY_DECLINED or entry.patient_id != patient_id):
        known.discard(Reason.PRIVACY_DECLINED)
    return frozenset(known)


def names_another(entry: Entry, named: HintSeen) -> bool:
    """Whether a session names its patient otherwise than when its document was filed, or a person chose its patient."""
    if entry.hint_hash is None:
        return False
    relinked = named.link not in (None, entry.hint_link)
    return relinked or entry.hint_hash not in (named.hint_hash, named.former_hash)


def is_asked_again(entry: Entry, now: datetime) -> bool:
    """Whether it is time to ask an entry's question again: one of identity, of a document that has no note."""
    waits = entry.status is Status.REVIEW and entry.reason in ASKED_AGAIN and entry.note_id is None
    return waits and entry.due_at <= now


def is_finished(*, text_since: datetime, read_at: datetime, settle: timedelta) -> bool:
    """Whether a document that read the same at `text_since` and at `read_at` may be filed."""
    return read_at - text_since >= settle


def postponement(failures: int) -> timedelta:
    """How long an entry that failed `failures` times waits: doubling from a minute to an hour."""
    return min(timedelta(minutes=float(2 ** min(failures, 10))), LONGEST_POSTPONEMENT)
