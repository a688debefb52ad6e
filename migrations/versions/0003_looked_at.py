"""When a note in doubt was looked for last, by Cliniko's clock."""

import sqlalchemy as sa
from alembic import op

revision = "0003_looked_at"
down_revision = "0002_trail"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Doubts that are open already are looked for as if for the first time."""
    op.add_column("attempts", sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE attempts SET looks = 0 WHERE entry_id IN (SELECT id FROM entries WHERE status = 'in_doubt')")


def downgrade() -> None:
    """The looks so far are forgotten."""
    op.drop_column("attempts", "looked_at")
