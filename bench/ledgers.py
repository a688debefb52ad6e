"""Ledgers that are filled as years of work would leave them, within minutes: the database makes the rows itself.

Each entry has its session, three steps of the trail and, where it is filed, its attempt. Of the newest entries some are
pending and every third waits for a person, as far as they reach; of the others some were left alone, most are filed.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, text, update
from sqlalchemy.exc import ProgrammingError

from sync_worker.ledger.tables import Base, ClinicianRow

USER_ID = "physio-1"
PATIENT = "1700000000000000001"
"""A patient who has an entry in four hundred."""
PATIENTS = 5_000
OPEN_FOR = timedelta(hours=2)
"""What is open is due so much later: a tick leaves it alone."""


@dataclass(frozen=True, slots=True)
class Filling:
    """How much there is of what: of the newest entries `pending` are pending and `waiting` in review.

    `skipped_every`: one in so many was left alone by a rule, and has no note.
    """

    entries: int
    waiting: int
    pending: int = 0
    skipped_every: int = 0
    over: timedelta = timedelta(days=730)
    user_id: str = USER_ID


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How a database says what SQL does not say alike for all: the time of entry `n`, 32 bytes, a JSON value."""

    at: str
    later: str
    bytes: str
    json: str


_SPELLINGS = {
    "sqlite": _Spelling(
        at="strftime('%Y-%m-%d %H:%M:%f', julianday(:begin) + n * :days) || '000'",
        later="strftime('%Y-%m-%d %H:%M:%f', :later) || '000'",
        bytes="zeroblob(32)",
        json="{}",
    ),
    "postgresql": _Spelling(
        at="CAST(:begin AS timestamptz) + n * CAST(:days AS double precision) * interval '1 day'",
        later="CAST(:later AS timestamptz)",
        bytes="decode(repeat('00', 32), 'hex')",
        json="CAST({} AS json)",
    ),
}
_EVIDENCE = """'{"candidates": [{"patient_id": "1", "for": ["birth_date"], "against": ["given_name"]}]}'"""
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :entries)"
_STATUS = (
    "CASE WHEN n >= :entries - :pending THEN 'pending' "
    "WHEN n >= :entries - :pending - 3 * :waiting AND n % 3 = 0 THEN 'review' "
    "WHEN n % :skipped = 2 THEN 'skipped' ELSE 'posted' END"
)
_ROWS = {
    "sessions": {
        "clinician_id": ":clinician",
        "session_id": "'s' || n",
        "created_at": "{at}",
        "updated_at": "{at}",
        "first_listed_at": "{at}",
        "read_at": "{at}",
        "unread": "false",
        "failures": "0",
    },
    "entries": {
        "id": "n + 1",
        "clinician_id": ":clinician",
        "region": "'au'",
        "session_id": "'s' || n",
        "document_id": "'d' || n",
        "status": "status",
        "reason": "CASE status WHEN 'review' THEN 'no_match' WHEN 'skipped' THEN 'gone' END",
        "status_since": "{at}",
        "found_at": "{at}",
        "text_hash": "{bytes}",
        "text_since": "{at}",
        "due_at": "CASE WHEN status IN ('posted', 'skipped') THEN {at} ELSE {later} END",
        "failures": "0",
        "pinned": "false",
        "bound": "false",
        "backfilled": "false",
        "patient_id": "CASE WHEN n % 400 = 1 THEN :patient WHEN status = 'posted' THEN '' || n % :patients END",
        "note_id": "CASE status WHEN 'posted' THEN 'n' || n END",
        "evidence": "CASE status WHEN 'review' THEN {evidence} END",
        "reference": "substr('' || (n + 100000000), 2)",
    },
    "attempts": {
        "entry_id": "n + 1",
        "number": "1",
        "kind": "'create'",
        "epoch": "1",
        "patient_id": "'' || n % :patients",
        "fingerprint": "{bytes}",
        "started_at": "{at}",
        "ended_at": "{at}",
        "outcome": "'accepted'",
        "looks": "0",
        "note_id": "'n' || n",
    },
    "trail": {
        "clinician_id": ":clinician",
        "number": "n * 3 + step + 1",
        "at": "{at}",
        "entry_id": "n + 1",
        "event": "CASE step WHEN 0 THEN 'entered' WHEN 1 THEN 'claimed' ELSE 'moved' END",
        "from_status": "CASE step WHEN 1 THEN 'pending' WHEN 2 THEN 'posting' END",
        "to_status": "CASE step WHEN 0 THEN 'pending' WHEN 1 THEN 'posting' ELSE 'posted' END",
        "actor": "'worker'",
        "hash": "{bytes}",
    },
}
_MADE = f"(SELECT n, {_STATUS} AS status FROM numbers) AS made"  # noqa: S608 - no input in it
_FROM = {
    "sessions": "numbers",
    "entries": _MADE,
    "attempts": f"{_MADE} WHERE status = 'posted'",
    "trail": "numbers CROSS JOIN (SELECT 0 AS step UNION ALL SELECT 1 UNION ALL SELECT 2) AS steps",
}


def fill(engine: Engine, filling: Filling, *, now: datetime | None = None) -> None:
    """Fill a migrated ledger that has no entries yet. Its clinician is entered where it is not known."""
    now = now or datetime.now(UTC)
    values = {
        "entries": filling.entries,
        "pending": filling.pending,
        "waiting": filling.waiting,
        "skipped": filling.skipped_every or filling.entries + 3,
        "days": filling.over / filling.entries / timedelta(days=1),
        "patient": PATIENT,
        "patients": PATIENTS,
    }
    indexes = [index for table in _ROWS for index in Base.metadata.tables[table].indexes]
    with engine.connect() as db:
        _let_go(db)
        for index in indexes:
            index.drop(db)
        _fill(db, filling, values, now)
        for index in indexes:  # at once is quicker than row by row
            index.create(db)
        db.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        if engine.dialect.name == "postgresql":  # as it does by itself before long, and not while others measure
            for table in _ROWS:
                db.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
            db.execute(text("VACUUM ANALYZE"))
            with suppress(ProgrammingError):  # not everybody may: else it writes for minutes while others measure
                db.execute(text("CHECKPOINT"))


def _fill(db: Connection, filling: Filling, values: dict[str, object], now: datetime) -> None:
    spelling = _SPELLINGS[db.dialect.name]
    begin, later = now - filling.over, now + OPEN_FOR
    is_text = db.dialect.name == "sqlite"
    values |= {"clinician": _clinician(db, filling.user_id)}
    values |= {"begin": _plain(begin) if is_text else begin, "later": _plain(later) if is_text else later}
    named = {
        "at": spelling.at,
        "later": spelling.later,
        "bytes": spelling.bytes,
        "evidence": spelling.json.format(_EVIDENCE),
    }
    for table, columns in _ROWS.items():
        made = ", ".join(value.format(**named) for value in columns.values())
        query = f"INSERT INTO {table} ({', '.join(columns)}) {_NUMBERS} SELECT {made} FROM {_FROM[table]}"  # noqa: S608
        statement = text(query)
        db.execute(statement, {name: values[name] for name in statement.compile().params})
    tip = {"trail_number": filling.entries * 3, "trail_hash": bytes(32)}
    db.execute(update(ClinicianRow).where(ClinicianRow.id == values["clinician"]).values(**tip))
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT setval(pg_get_serial_sequence('entries', 'id'), (SELECT max(id) FROM entries))"))


def _clinician(db: Connection, user_id: str) -> int:
    found = db.execute(text("SELECT id FROM clinicians WHERE heidi_user_id = :user"), {"user": user_id}).scalar()
    if found is None:
        row = {"region": "au", "heidi_user_id": user_id}
        found = db.execute(insert(ClinicianRow).values(**row).returning(ClinicianRow.id)).scalar_one()
    return int(found)


def _let_go(db: Connection) -> None:
    """Let the database neither wait for the disk nor prove what is made right: there is nothing to lose yet."""
    raw: Any = db.connection.driver_connection
    if db.dialect.name == "sqlite":
        for pragma in ("synchronous = OFF", "journal_mode = MEMORY", "cache_size = -200000", "foreign_keys = OFF"):
            raw.execute(f"PRAGMA {pragma}")
    else:
        raw.execute("SET LOCAL session_replication_role = replica")
        raw.execute("SET LOCAL maintenance_work_mem = '512MB'")
        raw.execute("SET LOCAL statement_timeout = 0")


def _plain(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
