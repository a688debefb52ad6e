"""The ledger's tables: ids, keyed hashes, times, statuses and reason codes. No patient's data, no text.

Of those who use the page it holds an account's name, its password's hash and the secret of its second factor.

Constraints state the promises, and every one has a name, since a migration can only drop what is named.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from sync_worker.records import Role, Status


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, also on SQLite, which stores none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times rather than guess their zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger takes aware times only")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The one set of tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime, dict[str, Any]: JSON}


ACCEPTED = "kind = 'create' AND outcome = 'accepted'"
"""Of attempts: a note was made. Spelt out, since an index over a part serves only a query that says the same."""
FOUND = "to_status = 'posted' AND from_status <> 'posting'"
"""Of the trail: an entry became one with a note otherwise than by an attempt that was accepted."""


class Installation(Base):
    """The one row about this installation."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    hash_key: Mapped[bytes] = mapped_column(LargeBinary(32))  # made once; hashes mean nothing without it
    created_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    decisions: Mapped[int] = mapped_column(default=0)  # counts people's decisions: a change wakes the worker
    restored_at: Mapped[datetime | None]  # this ledger is a copy put back: what was filed after the copy is not in it
    retired_at: Mapped[datetime | None]  # it was moved elsewhere: no worker may use it any more
    digest_at: Mapped[datetime | None]  # when people were last told how things stand


class ClinicianRow(Base):
    """How far one clinician's Heidi list was read, and whom their Cliniko key stands for."""

    __tablename__ = "clinicians"
    __table_args__ = (UniqueConstraint("region", "heidi_user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    region: Mapped[str] = mapped_column(String(8))
    heidi_user_id: Mapped[str] = mapped_column(String(255))
    start_at: Mapped[datetime | None]  # sessions created before it are left alone
    cursor_at: Mapped[datetime | None]
    last_poll_at: Mapped[datetime | None]
    first_sweep_at: Mapped[datetime | None]
    last_sweep_at: Mapped[datetime | None]
    last_deep_at: Mapped[datetime | None]  # the last walk that read every session's documents again
    linked: Mapped[bool | None]
    paused_at: Mapped[datetime | None]
    trouble: Mapped[str | None] = mapped_column(String(64))
    cliniko_account: Mapped[str | None] = mapped_column(String(255))
    cliniko_user_id: Mapped[str | None] = mapped_column(String(64))
    cliniko_practitioner_id: Mapped[str | None] = mapped_column(String(64))
    time_zone: Mapped[str | None] = mapped_column(String(64))
    key_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))  # of the key that these four were asked with
    identified_at: Mapped[datetime | None]
    pause_reason: Mapped[str | None] = mapped_column(String(32))  # why posting stopped by itself; None for a person's
    resumed_at: Mapped[datetime | None]  # a person let posting go on: what was there before is known to them
    trouble_since: Mapped[datetime | None]  # when the trouble began, with the same service at least
    not_listed_at: Mapped[datetime | None]  # a sweep came upon a session that no poll had listed
    changed_unseen_at: Mapped[datetime | None]  # a sweep came upon a change that a poll should have shown
    trail_number: Mapped[int] = mapped_column(default=0, server_default="0")  # the tip of this clinician's trail
    trail_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    decisions: Mapped[int] = mapped_column(default=0, server_default="0")  # counts what people decided about them
    heeded: Mapped[int] = mapped_column(default=0, server_default="0")  # that count as the newest tick found it


class LeaseRow(Base):
    """Who works for a clinician. The epoch grows with each holder: every move of a worker names its own."""

    __tablename__ = "leases"

    clinician_id: Mapped[int] = mapped_column(ForeignKey("clinicians.id"), primary_key=True)
    epoch: Mapped[int]
    holder: Mapped[str] = mapped_column(String(128))
    taken_at: Mapped[datetime]


class BudgetRow(Base):
    """What one Cliniko user was asked in the last minute, where several workers ask by the same key."""

    __tablename__ = "budgets"

    key_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    sent: Mapped[list[float]] = mapped_column(JSON)  # when each request left, by the database's clock
    blocked_until: Mapped[float] = mapped_column(Double)


class SessionRow(Base):
    """A Heidi session as one clinician's list showed it."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("clinician_id", "session_id"),
        # sessions to read again at a poll although the list brought nothing new of them
        Index("ix_sessions_to_reread", "clinician_id", "reread_until"),
        # those that could not be read; SQLite takes an index over a part only where a query spells the part alike
        Index("ix_sessions_unread", "clinician_id", sqlite_where=text("unread = 1"), postgresql_where=text("unread")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    clinician_id: Mapped[int] = mapped_column(ForeignKey("clinicians.id"))
    session_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    first_listed_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    unread: Mapped[bool]  # its documents could not be read: to be tried again
    failures: Mapped[int] = mapped_column(default=0)  # so many times in a row
    retry_at: Mapped[datetime | None]
    reread_until: Mapped[datetime | None]


class EntryRow(Base):
    """One document bound for one note."""

    __tablename__ = "entries"
    __table_args__ = (
        UniqueConstraint("region", "session_id", "document_id"),
        UniqueConstraint("note_id"),
        CheckConstraint(
            "status IN ({})".format(", ".join(f"'{status.value}'" for status in Status)), name="known_status"
        ),
        CheckConstraint("status <> 'posted' OR note_id IS NOT NULL", name="posted_has_note"),
        CheckConstraint("status <> 'review' OR reason IS NOT NULL", name="review_has_reason"),
        # what a tick has to do: due entries of one clinician
        Index("ix_entries_due", "clinician_id", "status", "due_at"),
        # the entries of a session that was read, and whether any of them is filed: by all that is asked for, since
        # SQLite, which keeps no count of rows, else prefers an index in which a clinician's every entry matches
        Index("ix_entries_session", "session_id", "clinician_id", "status"),
        # what else is there of a patient
        Index("ix_entries_patient", "patient_id"),
        # whose note a reference in Cliniko is
        Index("ix_entries_reference", "reference"),
        # what is still to be done to notes that are filed
        Index(
            "ix_entries_wish",
            "clinician_id",
            sqlite_where=text("wish IS NOT NULL"),
            postgresql_where=text("wish IS NOT NULL"),
        ),
        # the review list and the counts of `status`
        Index("ix_entries_status", "status", "status_since"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    clinician_id: Mapped[int] = mapped_column(ForeignKey("clinicians.id"))
    region: Mapped[str] = mapped_column(String(8))
    session_id: Mapped[str] = mapped_column(String(64))
    document_id: Mapped[str] = mapped_column(String(128))
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    status_since: Mapped[datetime]
    found_at: Mapped[datetime]
    text_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    text_since: Mapped[datetime]
    due_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)
    patient_id: Mapped[str | None] = mapped_column(String(64))
    pinned: Mapped[bool] = mapped_column(default=False)  # a person chose the patient
    bound: Mapped[bool] = mapped_column(default=False)  # an attempt in doubt fixed the patient: no other may follow
    note_id: Mapped[str | None] = mapped_column(String(64))
    evidence: Mapped[dict[str, Any] | None]
    reference: Mapped[str | None] = mapped_column(String(8))  # follows from region, session and document
    backfilled: Mapped[bool] = mapped_column(default=False, server_default=false())  # a person brought it into scope
    hint_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary(32)
    )  # who Heidi said the patient was when it was filed or asked about
    hint_link: Mapped[str | None] = mapped_column(String(64))  # the patient id that Heidi linked then
    note_updated_at: Mapped[datetime | None]  # Cliniko's stamp of the note as we left it
    wish: Mapped[str | None] = mapped_column(String(16))  # what a tick is to do to the note: update or withdraw
    waived: Mapped[str | None] = mapped_column(
        String(128)
    )  # refusals that a person knew of: reasons with a space between
    asked: Mapped[str | None] = mapped_column(String(16))  # whom a person passed the question on to
    barred: Mapped[str | None] = mapped_column(
        String(255)
    )  # patients that a person said it is not about: ids with a space between


class AttemptRow(Base):
    """One try at changing Cliniko for an entry: written before the request, settled after it."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("entry_id", "number"),
        # what the brake counts
        Index("ix_attempts_started", "started_at"),
        # when notes were made
        Index("ix_attempts_accepted", "ended_at", sqlite_where=text(ACCEPTED), postgresql_where=text(ACCEPTED)),
        # at most one open attempt per entry
        Index(
            "uq_attempts_open",
            "entry_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("entries.id"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16), default="create", server_default="create")
    epoch: Mapped[int]
    patient_id: Mapped[str] = mapped_column(String(64))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(32))
    code: Mapped[str | None] = mapped_column(String(64))
    looks: Mapped[int] = mapped_column(default=0)
    looked_at: Mapped[datetime | None]
    note_id: Mapped[str | None] = mapped_column(String(64))


class BackfillRow(Base):
    """Older sessions that a person brought into scope: one clinician's, created from `since` until before `until`."""

    __tablename__ = "backfills"

    id: Mapped[int] = mapped_column(primary_key=True)
    clinician_id: Mapped[int] = mapped_column(ForeignKey("clinicians.id"))
    since: Mapped[datetime]
    until: Mapped[datetime]
    asked_at: Mapped[datetime]
    walked_at: Mapped[datetime | None]  # the whole list was read for it: its documents are entries now


class HeidiTemplateRow(Base):
    """A Heidi template that some document of a clinician was made from: so that no new one goes unnoticed."""

    __tablename__ = "heidi_templates"

    clinician_id: Mapped[int] = mapped_column(ForeignKey("clinicians.id"), primary_key=True)
    template_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    met_at: Mapped[datetime]


class TrailRow(Base):
    """One step of one clinician's audit trail: written in the transaction that takes the step, chained by hashes."""

    __tablename__ = "trail"
    __table_args__ = (
        UniqueConstraint("clinician_id", "number"),
        # one entry's whole life
        Index("ix_trail_entry", "entry_id"),
        # what was done in a time
        Index("ix_trail_at", "at"),
        # when notes were found, or filed otherwise than by a request whose end is known
        Index("ix_trail_found", "at", sqlite_where=text(FOUND), postgresql_where=text(FOUND)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    clinician_id: Mapped[int] = mapped_column(ForeignKey("clinicians.id"))
    number: Mapped[int]
    at: Mapped[datetime]
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"))
    event: Mapped[str] = mapped_column(String(32))
    from_status: Mapped[str | None] = mapped_column(String(16))
    to_status: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(64))
    details: Mapped[str | None] = mapped_column(Text)  # JSON as hashed: ids, codes, names of fields, hashes, hosts
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AccountRow(Base):
    """Somebody who may log in to the page."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("role IN ({})".format(", ".join(f"'{role.value}'" for role in Role)), name="known_role"),
        CheckConstraint("role <> 'clinician' OR heidi_user_id IS NOT NULL", name="clinician_is_somebody"),
        CheckConstraint("role <> 'desk' OR heidi_user_id IS NULL", name="desk_is_nobody"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))  # casefolded
    role: Mapped[str] = mapped_column(String(16))
    heidi_user_id: Mapped[str | None] = mapped_column(String(255))
    password_hash: Mapped[str] = mapped_column(String(255))
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    wants_second_factor: Mapped[bool]
    totp_step: Mapped[int | None]  # the time step of the last code: neither it nor an older one is taken again
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class LoginRow(Base):
    """One stay of a person on the page. The token itself is in their browser alone."""

    __tablename__ = "logins"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        # the logins that end with a password
        Index("ix_logins_account", "account_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    csrf_token: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    second_factor_passed: Mapped[bool]


class AlarmRow(Base):
    """Something that is wrong and that people are told of: when it begins, and when it has ended."""

    __tablename__ = "alarms"

    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    level: Mapped[str] = mapped_column(String(16))
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]  # when its cause last stood
    told: Mapped[bool]  # whether anybody could be told that it began
