"""What this program knows of its own work, as values: entries with statuses and reasons, accounts, what a tick did.

Frozen, without behaviour, without I/O, as those of `model` are.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Where an entry stands."""

    PENDING = "pending"
    """Known, not filed: it waits to settle, for its turn, or for a service."""
    POSTING = "posting"
    """An attempt was started and its end is not recorded yet."""
    POSTED = "posted"
    """Its note is in Cliniko; the entry holds the note's id."""
    IN_DOUBT = "in_doubt"
    """An attempt ended without telling whether the note exists; ended by looking."""
    REVIEW = "review"
    """A person must decide; the entry holds the reason."""
    SKIPPED = "skipped"
    """Not to be filed, by a rule or by a person's decision."""
    WITHDRAWN = "withdrawn"
    """It was filed, and a person took the note back."""


class WaitsOn(StrEnum):
    """Who can end a review."""

    DESK = "desk"
    CLINICIAN = "clinician"
    ADMIN = "admin"


class Role(StrEnum):
    """What an account of the page is for."""

    ADMIN = "admin"
    """Whoever runs the service for the practice."""
    CLINICIAN = "clinician"
    """A clinician, who sees their own sessions alone."""
    DESK = "desk"
    """The front desk, which has no sessions of its own."""


class Reason(StrEnum):
    """Why an entry waits on the review list or was skipped; a code, never a patient's data."""

    # identity: asked again hourly, so that mending the chart empties the list
    NO_MATCH = "no_match"
    NOT_IDENTIFIABLE = "not_identifiable"
    SEVERAL_CHARTS = "several_charts"
    ARCHIVED_ONLY = "archived_only"
    LINK_CONTRADICTED = "link_contradicted"
    BIRTH_DATES_DIFFER = "birth_dates_differ"
    THIRD_IDENTIFIER = "third_identifier"
    PRIVACY_DECLINED = "privacy_declined"
    CONSENT_REFUSED = "consent_refused"
    GROUP_SESSION = "group_session"
    DIARY_DISAGREES = "diary_disagrees"
    PATIENT_UNAVAILABLE = "patient_unavailable"
    PATIENT_CHANGED = "patient_changed"
    # the document, and its session
    SHARED_SESSION = "shared_session"
    NOT_CARRIED = "not_carried"
    REGENERATED = "regenerated"
    ALREADY_THERE = "already_there"
    REVISED = "revised"
    TOUCHED = "touched"
    CONTENT_CHANGED = "content_changed"
    SOURCE_GONE = "source_gone"
    LATE_START = "late_start"
    ROUTE = "route"
    # the attempt
    REFUSED = "refused"
    TWICE_IN_DOUBT = "twice_in_doubt"
    TWO_NOTES = "two_notes"
    DOUBT_KEY_GONE = "doubt_key_gone"
    FAILING = "failing"
    # skipped
    BEFORE_START = "before_start"
    GONE = "gone"
    DISMISSED = "dismissed"


# ---------------------------------------------------------------- what the ledger knows


class AttemptKind(StrEnum):
    """Which of the three requests that change Cliniko an attempt makes."""

    CREATE = "create"
    UPDATE = "update"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Backfill:
    """Older sessions that a person brought into scope: those created from `since` until before `until`."""

    backfill_id: int
    since: datetime
    until: datetime
    asked_at: datetime
    walked_at: datetime | None
    """When Heidi's whole list was read for it; None while it is not."""

    def covers(self, at: datetime) -> bool:
        """Whether a session that was created then is one of them."""
        return self.since <= at < self.until


class PauseReason(StrEnum):
    """Why posting is paused where nobody simply paused it: a person resumes it."""

    BRAKE = "brake"
    """More notes within an hour than the practice allows."""
    ANOTHER_WORKER = "another_worker"
    """Cliniko holds notes of this program that this ledger knows nothing of, and that are newer than it."""
    WRONG_PATIENT = "wrong_patient"
    """A person reported a note on the wrong patient."""


class AlarmCode(StrEnum):
    """What can be wrong. Each has its place in the runbook."""

    HEIDI_UNREACHABLE = "heidi_unreachable"
    CLINIKO_UNREACHABLE = "cliniko_unreachable"
    HEIDI_KEY_REFUSED = "heidi_key_refused"
    CLINIKO_KEY_REFUSED = "cliniko_key_refused"
    UNLINKED = "unlinked"
    STALLED = "stalled"
    WAITING = "waiting"
    DOUBT = "doubt"
    BRAKE = "brake"
    ANOTHER_WORKER = "another_worker"
    WRONG_PATIENT = "wrong_patient"
    NOT_LISTED = "not_listed"
    CHANGED_UNSEEN = "changed_unseen"
    RETENTION = "retention"
    NOTHING_FILED = "nothing_filed"
    LEDGER = "ledger"
    CLOCK = "clock"


class Wish(StrEnum):
    """What a tick is to do to a note that is filed."""

    UPDATE = "update"
    """Bring our own untouched draft up to the document's new text."""
    UPDATE_ASKED = "update_asked"
    """The same, since a person asked for it: whatever the practice does with revisions otherwise."""
    WITHDRAW = "withdraw"
    """Archive our own untouched draft: a person took it back."""
    RECHECK = "recheck"
    """Look whether the note is still on the right chart: the session names its patient otherwise than before."""


@dataclass(frozen=True, slots=True)
class DocumentSeen:
    """A non-blank document as a reading of its session showed it; `text_hash` is keyed, the text is not kept."""

    document_id: str
    text_hash: bytes
    template_id: str | None = None
    """Heidi's template that it was made from; an id, so that nothing else comes into the ledger."""


@dataclass(frozen=True, slots=True)
class HintSeen:
    """Whom a session is about: a keyed hash of name, birth date and profile, and the patient id that Heidi links."""

    hint_hash: bytes
    link: str | None
    former_hash: bytes | None = None
    """The same as versions of this program kept it that did not look at the profile; never kept any more."""


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """What reading one listed session brought. `documents` is None if they could not be read this time."""

    session_id: str
    created_at: datetime | None
    updated_at: datetime | None
    read_at: datetime
    """When Heidi was asked for its documents: what a text's rest is measured from."""
    documents: tuple[DocumentSeen, ...] | None = None
    gone: bool = False
    """Heidi answered that there is no such session (any more)."""
    patient: HintSeen | None = None
    """Whom it is about now, where something of it is filed."""


@dataclass(frozen=True, slots=True)
class KnownSession:
    """What the ledger remembers of a session that was listed before."""

    session_id: str
    updated_at: datetime | None
    first_listed_at: datetime
    read_at: datetime | None
    unread: bool
    retry_at: datetime | None
    """When to read it again, where it could not be read."""
    has_filed: bool = False
    """Whether a document of it is filed, under this clinician."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document bound for one note."""

    entry_id: int
    clinician_id: int
    session_id: str
    document_id: str
    status: Status
    reason: Reason | None
    text_hash: bytes
    text_since: datetime
    due_at: datetime
    patient_id: str | None
    pinned: bool
    """A person chose the patient."""
    bound: bool
    """An attempt for this patient was in doubt: another request may only be for the same one."""
    note_id: str | None
    failures: int
    found_at: datetime
    reference: str = ""
    """By which its note is known in Cliniko."""
    backfilled: bool = False
    """A person brought it into scope: the brake does not count it."""
    hint_hash: bytes | None = None
    """Keyed hash of whom Heidi named as the patient when the note was filed, or when a person was asked who chose."""
    hint_link: str | None = None
    """The patient id that Heidi linked then."""
    note_updated_at: datetime | None = None
    """Cliniko's stamp of the note as we left it; None where somebody else may have changed it since."""
    wish: Wish | None = None
    waived: frozenset[Reason] = frozenset()
    """Refusals that a person knew of who chose the patient: they do not hold the note up again."""
    asked: WaitsOn | None = None
    """Whom a person passed the question on to."""
    barred: frozenset[str] = frozenset()
    """Patients that a person said it is not about."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at changing Cliniko for an entry: at creating its note, updating it, or archiving it."""

    attempt_id: int
    entry_id: int
    number: int
    kind: AttemptKind
    patient_id: str
    fingerprint: bytes
    started_at: datetime
    ended_at: datetime | None = None
    looks: int = 0
    looked_at: datetime | None = None
    """When it was looked for last, by Cliniko's clock."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work for one clinician. A move recorded under an older epoch is refused."""

    clinician_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class ClinicianState:
    """What the ledger remembers of one clinician."""

    clinician_id: int
    heidi_user_id: str
    start_at: datetime | None
    cursor_at: datetime | None
    last_poll_at: datetime | None
    first_sweep_at: datetime | None
    last_sweep_at: datetime | None
    last_deep_at: datetime | None
    linked: bool | None
    paused_at: datetime | None
    trouble: str | None
    cliniko_account: str | None
    cliniko_user_id: str | None
    cliniko_practitioner_id: str | None
    time_zone: str | None
    pause_reason: str | None
    resumed_at: datetime | None
    trouble_since: datetime | None = None
    not_listed_at: datetime | None = None
    changed_unseen_at: datetime | None = None
    key_hash: bytes | None = None
    """Of the key that Cliniko was asked with whom it stands for, at `identified_at`."""
    identified_at: datetime | None = None


# ---------------------------------------------------------------- who uses the page


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in to the page, by a name of their own. Accounts are never deleted."""

    account_id: int
    name: str
    role: Role
    heidi_user_id: str | None
    """The clinician whose sessions are theirs: always a clinician's, perhaps an admin's, never the desk's."""
    wants_second_factor: bool
    """A login takes a code of the enrolled device as well; where none is enrolled yet, the next login enrols one."""
    totp_secret: str | None = field(repr=False)
    disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Login:
    """One stay of a person on the page, from their password to their leave."""

    login_id: int
    account: Account
    csrf_token: str = field(repr=False)
    began_at: datetime
    seen_at: datetime
    """When it was last used, to the minute."""
    second_factor_passed: bool


# ---------------------------------------------------------------- what a tick did


@dataclass(slots=True)
class Tally:
    """Counts of one clinician's tick. `pending` and `in_doubt` are what is left open at its end; the rest it did."""

    sessions_seen: int = 0
    documents_seen: int = 0
    posted: int = 0
    review: int = 0
    pending: int = 0
    in_doubt: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a clinician's tick stopped early: a code for programs, a sentence for people."""

    code: str
    hint: str


@dataclass(frozen=True, slots=True)
class TickReport:
    """How one clinician's tick ended."""

    clinician: str
    tally: Tally
    trouble: Trouble | None = None
    is_cut_short: bool = False
    """Whether more is due: the next tick should follow at once."""
