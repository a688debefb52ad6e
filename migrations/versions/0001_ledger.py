"""The ledger: installation, clinicians, leases, sessions, entries, attempts, history."""

import sqlalchemy as sa
from alembic import op

revision = "0001_ledger"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "clinicians",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("region", sa.String(length=8), nullable=False),
        sa.Column("heidi_user_id", sa.String(length=255), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cursor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_poll_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_sweep_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sweep_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_deep_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("linked", sa.Boolean(), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(length=64), nullable=True),
        sa.Column("cliniko_account", sa.String(length=255), nullable=True),
        sa.Column("cliniko_user_id", sa.String(length=64), nullable=True),
        sa.Column("cliniko_practitioner_id", sa.String(length=64), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinicians")),
        sa.UniqueConstraint("region", "heidi_user_id", name=op.f("uq_clinicians_region_heidi_user_id")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("clinician_id", sa.Integer(), nullable=False),
        sa.Column("region", sa.String(length=8), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("document_id", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("status_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("text_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=True),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("bound", sa.Boolean(), nullable=False),
        sa.Column("note_id", sa.String(length=64), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.CheckConstraint("status <> 'posted' OR note_id IS NOT NULL", name=op.f("ck_entries_posted_has_note")),
        sa.CheckConstraint("status <> 'review' OR reason IS NOT NULL", name=op.f("ck_entries_review_has_reason")),
        sa.CheckConstraint(
            "status IN ('pending', 'posting', 'posted', 'in_doubt', 'review', 'skipped', 'withdrawn')",
            name=op.f("ck_entries_known_status"),
        ),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name=op.f("fk_entries_clinician_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("note_id", name=op.f("uq_entries_note_id")),
        sa.UniqueConstraint(
            "region", "session_id", "document_id", name=op.f("uq_entries_region_session_id_document_id")
        ),
    )
    op.create_index("ix_entries_due", "entries", ["clinician_id", "status", "due_at"])
    op.create_index("ix_entries_session", "entries", ["session_id"])
    op.create_index("ix_entries_status", "entries", ["status", "status_since"])

    op.create_table(
        "leases",
        sa.Column("clinician_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name=op.f("fk_leases_clinician_id")),
        sa.PrimaryKeyConstraint("clinician_id", name=op.f("pk_leases")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("clinician_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_listed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reread_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name=op.f("fk_sessions_clinician_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("clinician_id", "session_id", name=op.f("uq_sessions_clinician_id_session_id")),
    )
    op.create_index("ix_sessions_to_reread", "sessions", ["clinician_id", "reread_until"])
    op.create_index(
        "ix_sessions_unread",
        "sessions",
        ["clinician_id"],
        sqlite_where=sa.text("unread"),
        postgresql_where=sa.text("unread"),
    )

    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("note_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_attempts_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("entry_id", "number", name=op.f("uq_attempts_entry_id_number")),
    )
    op.create_index(
        "uq_attempts_open",
        "attempts",
        ["entry_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )

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


def downgrade() -> None:
    """Drop every table."""
    op.drop_index("ix_history_entry", table_name="history")

    op.drop_table("history")
    op.drop_index(
        "uq_attempts_open",
        table_name="attempts",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )

    op.drop_table("attempts")
    op.drop_index(
        "ix_sessions_unread",
        table_name="sessions",
        sqlite_where=sa.text("unread"),
        postgresql_where=sa.text("unread"),
    )
    op.drop_index("ix_sessions_to_reread", table_name="sessions")

    op.drop_table("sessions")
    op.drop_table("leases")
    op.drop_index("ix_entries_status", table_name="entries")
    op.drop_index("ix_entries_session", table_name="entries")
    op.drop_index("ix_entries_due", table_name="entries")

    op.drop_table("entries")
    op.drop_table("installation")
    op.drop_table("clinicians")
