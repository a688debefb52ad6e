"""Ledgers of earlier versions, filled by SQL, and what two ledgers must have in common to be the same."""

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from sync_worker.ledger import migrate
from sync_worker.ledger.storage import reading, writing

SOME_MORNING = datetime(2026, 3, 2, 22, 30, 15, 123456, tzinfo=UTC)
STORIES: Mapping[str, Sequence[tuple[str | None, str, str | None]]] = {
    "posted": ((None, "pending", None), ("pending", "posting", None), ("posting", "posted", None)),
    "review": ((None, "pending", None), ("pending", "review", "no_match")),
    "in_doubt": ((None, "pending", None), ("pending", "posting", None), ("posting", "in_doubt", None)),
    "skipped": ((None, "skipped", "before_start"),),
}
"""How entries came to stand where they stand: from, to, reason."""
MOVES = "SELECT entry_id, at, from_status, to_status, reason, actor FROM {} ORDER BY id"
MOVES_OF_TRAIL = MOVES.format("trail").replace(" ORDER", " WHERE to_status IS NOT NULL ORDER")


@dataclass(frozen=True, slots=True)
class Print:
    """So many rows, and a hash over all of them."""

    rows: int
    digest: str


Columns = Mapping[str, Sequence[str]]
_one_migration = threading.Lock()  # Alembic keeps its context in globals: one thread at a time


def earlier_versions() -> list[str]:
    """Every version of the ledger but this program's, the oldest first."""
    scripts = ScriptDirectory.from_config(migrate._config())
    return [script.revision for script in scripts.walk_revisions()][:0:-1]


def bring_to(engine: Engine, version: str) -> None:
    """Migrate up to a version."""
    with _one_migration, writing(engine) as db:
        command.upgrade(_config(db), version)


def take_back_to(engine: Engine, version: str) -> None:
    """Migrate down to a version."""
    with _one_migration, writing(engine) as db:
        command.downgrade(_config(db), version)


def _config(db: sa.Connection) -> Any:
    config = migrate._config()
    config.attributes["connection"] = db
    return config


# ---------------------------------------------------------------- what is in a ledger


def columns_of(engine: Engine) -> Columns:
    """Every table's columns, without the bookkeeping of migrations."""
    look = sa.inspect(engine)
    names = sorted(set(look.get_table_names()) - {"alembic_version"})
    return {name: sorted(column["name"] for column in look.get_columns(name)) for name in names}


def in_both(one: Columns, other: Columns) -> Columns:
    """The columns that two versions share."""
    return {name: [each for each in one[name] if each in other[name]] for name in one if name in other}


def fingerprint(engine: Engine, columns: Columns) -> dict[str, Print]:
    """Each table's rows by what the database itself gives back, and every entry's moves wherever they are kept."""
    with reading(engine) as db:
        look, prints = sa.inspect(db), {}
        for name, wanted in columns.items():
            key = ", ".join(look.get_pk_constraint(name)["constrained_columns"])
            prints[name] = _print(db.exec_driver_sql(f"SELECT {', '.join(wanted)} FROM {name} ORDER BY {key}"))  # noqa: S608
        moves = MOVES.format("history") if look.has_table("history") else MOVES_OF_TRAIL
        return prints | {"(moves)": _print(db.exec_driver_sql(moves))}


def _print(rows: sa.CursorResult[Any]) -> Print:
    digest, number = hashlib.sha256(), 0
    for row in rows:
        digest.update(repr(tuple(row)).encode())
        number += 1
    return Print(number, digest.hexdigest())


# ---------------------------------------------------------------- filling one


def fill(engine: Engine, entries: int) -> None:
    """Put a practice's years into a ledger of the first version: so many entries, with all that belongs to them."""
    tables = sa.MetaData()
    tables.reflect(engine)
    statuses = [*["posted"] * 7, "review", "in_doubt", "skipped"]
    numbers = [(number, statuses[number % len(statuses)]) for number in range(1, entries + 1)]
    with writing(engine) as db:
        _insert(db, tables, "installation", [{"id": 1, "hash_key": b"k" * 32, "created_at": _at(0), "decisions": 3}])
        _insert(db, tables, "clinicians", [_clinician(one) for one in (1, 2)])
        leases = [{"clinician_id": one, "epoch": 5, "holder": "host process 7", "taken_at": _at(0)} for one in (1, 2)]
        _insert(db, tables, "leases", leases)
        _insert(db, tables, "sessions", [_session(number) for number, _ in numbers])
        _insert(db, tables, "entries", [_entry(number, status) for number, status in numbers])
        attempted = [pair for pair in numbers if pair[1] in ("posted", "in_doubt")]
        _insert(db, tables, "attempts", [_attempt(number, status) for number, status in attempted])
        _insert(db, tables, "history", [step for number, status in numbers for step in _moves(number, status)])


def _insert(db: sa.Connection, tables: sa.MetaData, name: str, rows: list[dict[str, Any]]) -> None:
    sqlite = db.dialect.name == "sqlite"
    plain = [{key: _plain(value) if sqlite else value for key, value in row.items()} for row in rows]
    db.execute(sa.insert(tables.tables[name]), plain)


def _plain(value: object) -> object:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def _at(number: int) -> datetime:
    return SOME_MORNING + timedelta(minutes=number, microseconds=number % 1000)


def _clinician(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "region": "au",
        "heidi_user_id": f"physio-{number}",
        "start_at": _at(0),
        "cursor_at": _at(number),
        "last_poll_at": _at(number),
        "linked": True,
        "cliniko_account": "sandbox-physio",
        "time_zone": "Australia/Hobart",
    }


def _session(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "clinician_id": 1 + number % 2,
        "session_id": f"{10**37 + number}",
        "created_at": _at(number),
        "updated_at": _at(number),
        "first_listed_at": _at(number),
        "read_at": _at(number),
        "unread": False,
        "failures": 0,
    }


def _entry(number: int, status: str) -> dict[str, Any]:
    return {
        "id": number,
        "clinician_id": 1 + number % 2,
        "region": "au",
        "session_id": f"{10**37 + number}",
        "document_id": f"document-{number}",
        "status": status,
        "reason": STORIES[status][-1][2],
        "status_since": _at(number),
        "found_at": _at(number),
        "text_hash": hashlib.sha256(b"text %d" % number).digest(),
        "text_since": _at(number),
        "due_at": _at(number),
        "failures": number % 3,
        "patient_id": f"{10**18 + number}",
        "pinned": number % 5 == 0,
        "bound": status == "in_doubt",
        "note_id": f"{2 * 10**18 + number}" if status == "posted" else None,
        "evidence": {"candidates": [{"patient_id": str(number), "for": ["name"]}]} if status == "review" else None,
    }


def _attempt(number: int, status: str) -> dict[str, Any]:
    return {
        "id": number,
        "entry_id": number,
        "number": 1,
        "epoch": 5,
        "patient_id": f"{10**18 + number}",
        "fingerprint": hashlib.sha256(b"note %d" % number).digest(),
        "started_at": _at(number),
        "ended_at": _at(number),
        "outcome": "accepted" if status == "posted" else "in_doubt",
        "looks": number % 2,
        "note_id": f"{2 * 10**18 + number}" if status == "posted" else None,
    }


def _moves(number: int, status: str) -> Iterator[dict[str, Any]]:
    for step, (from_status, to_status, reason) in enumerate(STORIES[status]):
        yield {
            "entry_id": number,
            "at": _at(number + step),
            "from_status": from_status,
            "to_status": to_status,
            "reason": reason,
            "actor": "worker",
        }
