"""The audit trail in place of the history; references, wishes, backfills, pauses with a reason, kinds of attempts."""

import hashlib
import json
from datetime import UTC
from typing import Any

import sqlalchemy as sa
from alembic import op

from sync_worker.reference import reference_of

revision = "0002_trail"
down_revision = "0001_ledger"
branch_labels = None
depends_on = None

STEP = (
    "clinician_id",
    "number",
    "at",
    "entry_id",
    "event",
    "from_status",
    "to_status",
    "reason",
    "actor",
    "details",
)
WISHED = sa.text("wish IS NOT NULL")


def upgrade() -> None:
    """Add what is new, name each entry by its reference, and chain the history into the trail."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "backfills",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("clinician_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("walked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name=op.f("fk_backfills_clinician_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfills")),
    )
    op.create_table(
        "trail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("clinician_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("from_status", sa.String(length=16), nullable=True),
        sa.Column("to_status", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name=op.f("fk_trail_clinician_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_trail_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail")),
        sa.UniqueConstraint("clinician_id", "number", name=op.f("uq_trail_clinician_id_number")),
    )
    op.create_index("ix_trail_entry", "trail", ["entry_id"])
    _name_entries()
    _chain_history()
    op.create_index("ix_entries_reference", "entries", ["reference"])
    op.create_index("ix_attempts_started", "attempts", ["started_at"])
    op.create_index("ix_entries_wish", "entries", ["clinician_id"], sqlite_where=WISHED, postgresql_where=WISHED)
    op.drop_index("ix_history_entry", table_name="history")
    op.drop_table("history")


def downgrade() -> None:
    """Bring the history back from the trail, and drop what was added."""
    op.create_table(
        "history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_status", sa.String(length=16), nullable=True),
        sa.Column("to_status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_history_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index("ix_history_entry", "history", ["entry_id"])
    op.execute(
        "INSERT INTO history (entry_id, at, from_status, to_status, reason, actor) "
        "SELECT entry_id, at, from_status, to_status, reason, actor FROM trail "
        "WHERE entry_id IS NOT NULL AND to_status IS NOT NULL ORDER BY id"
    )
    op.drop_index("ix_trail_entry", table_name="trail")
    op.drop_table("trail")
    op.drop_table("backfills")
    op.drop_index("ix_entries_wish", table_name="entries", sqlite_where=WISHED, postgresql_where=WISHED)
    op.drop_index("ix_entries_reference", table_name="entries")
    op.drop_index("ix_attempts_started", table_name="attempts")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)


def _columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "installation": [
            sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
            sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        ],
        "clinicians": [
            sa.Column("pause_reason", sa.String(length=32), nullable=True),
            sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
            sa.Column("trail_number", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("trail_hash", sa.LargeBinary(length=32), nullable=True),
        ],
        "entries": [
            sa.Column("reference", sa.String(length=8), nullable=True),
            sa.Column("backfilled", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("hint_hash", sa.LargeBinary(length=32), nullable=True),
            sa.Column("hint_link", sa.String(length=64), nullable=True),
            sa.Column("note_updated_at", sa.DateTime(timezone=True), nullable=True),
            sa.Column("wish", sa.String(length=16), nullable=True),
        ],
        "attempts": [sa.Column("kind", sa.String(length=16), nullable=False, server_default="create")],
    }


def _name_entries() -> None:
    entries = _table("entries", "id", "region", "session_id", "document_id", "reference")
    db = op.get_bind()
    named = [
        {"of": row.id, "named": reference_of(region=row.region, session_id=row.session_id, document_id=row.document_id)}
        for row in db.execute(sa.select(entries))
    ]
    if named:
        name = sa.update(entries).where(entries.c.id == sa.bindparam("of")).values(reference=sa.bindparam("named"))
        db.execute(name, named)


def _chain_history() -> None:
    """Each clinician's steps in the order in which they were written."""
    history = _table("history", "id", "entry_id", "at", "from_status", "to_status", "reason", "actor")
    entries = _table("entries", "id", "clinician_id")
    clinicians = _table("clinicians", "id", "trail_number", "trail_hash")
    trail = _table("trail", *STEP, "hash")
    query = sa.select(history, entries.c.clinician_id).join(entries, entries.c.id == history.c.entry_id)
    db = op.get_bind()
    tips: dict[int, tuple[int, bytes | None]] = {}
    steps: list[dict[str, Any]] = []
    for row in db.execute(query.order_by(history.c.id)).all():
        number, before = tips.get(row.clinician_id, (0, None))
        event = "entered" if row.from_status is None else "moved"
        moved = (row.entry_id, event, row.from_status, row.to_status, row.reason, row.actor, None)
        step = dict(zip(STEP, (row.clinician_id, number + 1, row.at, *moved), strict=True))
        tips[row.clinician_id] = (number + 1, _link(before, step))
        steps.append(step | {"hash": tips[row.clinician_id][1]})
    if steps:
        db.execute(sa.insert(trail), steps)
    for clinician_id, (number, tip) in tips.items():
        where = clinicians.c.id == clinician_id
        db.execute(sa.update(clinicians).where(where).values(trail_number=number, trail_hash=tip))


def _link(before: bytes | None, step: dict[str, Any]) -> bytes:
    """The hash of a step as this version of the ledger makes it."""
    at = step["at"] if step["at"].tzinfo else step["at"].replace(tzinfo=UTC)
    fields = list((step | {"at": at.astimezone(UTC).isoformat(timespec="microseconds")}).values())
    return hashlib.sha256((before or bytes(32)) + json.dumps(fields).encode()).digest()


def _table(name: str, *columns: str) -> sa.TableClause:
    times = {"at": sa.DateTime(timezone=True)}
    return sa.table(name, *(sa.column(column, times.get(column)) for column in columns))
