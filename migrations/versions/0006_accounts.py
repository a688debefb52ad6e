"""Accounts of the page and their logins; whom a question was passed on to, and which patients it is not about."""

import sqlalchemy as sa
from alembic import op

revision = "0006_accounts"
down_revision = "0005_waived"
branch_labels = None
depends_on = None

_OF_A_PART = (
    ("ix_attempts_accepted", "attempts", "ended_at", "kind = 'create' AND outcome = 'accepted'"),
    ("ix_trail_found", "trail", "at", "to_status = 'posted' AND from_status <> 'posting'"),
)


def upgrade() -> None:
    """Nobody has an account yet: `sync-worker users add` makes the first."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("heidi_user_id", sa.String(length=255), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("totp_secret", sa.String(length=64), nullable=True),
        sa.Column("wants_second_factor", sa.Boolean(), nullable=False),
        sa.Column("totp_step", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('admin', 'clinician', 'desk')", name=op.f("ck_accounts_known_role")),
        sa.CheckConstraint(
            "role <> 'clinician' OR heidi_user_id IS NOT NULL", name=op.f("ck_accounts_clinician_is_somebody")
        ),
        sa.CheckConstraint("role <> 'desk' OR heidi_user_id IS NULL", name=op.f("ck_accounts_desk_is_nobody")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "logins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("csrf_token", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("second_factor_passed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_logins_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logins")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_logins_token_hash")),
    )
    op.create_index("ix_logins_account", "logins", ["account_id"])
    op.add_column("entries", sa.Column("asked", sa.String(length=16), nullable=True))
    op.add_column("entries", sa.Column("barred", sa.String(length=255), nullable=True))
    op.create_index("ix_entries_patient", "entries", ["patient_id"])
    op.create_index("ix_trail_at", "trail", ["at"])
    for name, table, column, part in _OF_A_PART:
        op.create_index(name, table, [column], sqlite_where=sa.text(part), postgresql_where=sa.text(part))


def downgrade() -> None:
    """Accounts are forgotten, and what was passed on waits where it waited before."""
    for name, table, _, _ in _OF_A_PART:
        op.drop_index(name, table_name=table)
    op.drop_index("ix_trail_at", table_name="trail")
    op.drop_index("ix_entries_patient", table_name="entries")
    op.drop_column("entries", "barred")
    op.drop_column("entries", "asked")
    op.drop_index("ix_logins_account", table_name="logins")
    op.drop_table("logins")
    op.drop_table("accounts")
