"""Which key a clinician's identity was asked with, and when: so that a start need not ask again."""

import sqlalchemy as sa
from alembic import op

revision = "0008_identity"
down_revision = "0007_alarms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of the keys in use nothing is known yet: each is asked about once more."""
    op.add_column("clinicians", sa.Column("key_hash", sa.LargeBinary(length=32), nullable=True))
    op.add_column("clinicians", sa.Column("identified_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Each start asks again."""
    op.drop_column("clinicians", "identified_at")
    op.drop_column("clinicians", "key_hash")
