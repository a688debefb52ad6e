"""Indexes by which every question of a poll is answered without reading more rows the older the ledger is."""

import sqlalchemy as sa
from alembic import op

revision = "0010_indexes"
down_revision = "0009_budgets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two indexes anew: by more columns, and spelt as SQLite's queries are."""
    op.drop_index("ix_entries_session", table_name="entries")
    op.create_index("ix_entries_session", "entries", ["session_id", "clinician_id", "status"])
    op.drop_index("ix_sessions_unread", table_name="sessions")
    _create_unread("unread = 1")


def downgrade() -> None:
    """As they were."""
    op.drop_index("ix_sessions_unread", table_name="sessions")
    _create_unread("unread")
    op.drop_index("ix_entries_session", table_name="entries")
    op.create_index("ix_entries_session", "entries", ["session_id"])


def _create_unread(on_sqlite: str) -> None:
    op.create_index(
        "ix_sessions_unread",
        "sessions",
        ["clinician_id"],
        sqlite_where=sa.text(on_sqlite),
        postgresql_where=sa.text("unread"),
    )
