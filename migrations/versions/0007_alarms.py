"""What people were told of, since when a clinician's trouble lasts, and what only a walk through the list found."""

import sqlalchemy as sa
from alembic import op

revision = "0007_alarms"
down_revision = "0006_accounts"
branch_labels = None
depends_on = None

_STAMPS = (
    ("clinicians", "trouble_since"),
    ("clinicians", "not_listed_at"),
    ("clinicians", "changed_unseen_at"),
    ("installation", "digest_at"),
)


def upgrade() -> None:
    """Nobody was told of anything yet; a trouble that stands counts from its clinician's next tick."""
    op.create_table(
        "alarms",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_alarms")),
    )
    for table, column in _STAMPS:
        op.add_column(table, sa.Column(column, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Whoever was told of something is told again."""
    for table, column in reversed(_STAMPS):
        op.drop_column(table, column)
    op.drop_table("alarms")
