"""The rate budgets of workers that share a key, and which clinicians a person decided about."""

import sqlalchemy as sa
from alembic import op

revision = "0009_budgets"
down_revision = "0008_identity"
branch_labels = None
depends_on = None

_COUNTERS = ("decisions", "heeded")


def upgrade() -> None:
    """No worker has asked anything by a shared budget yet, and every decision so far was heeded."""
    op.create_table(
        "budgets",
        sa.Column("key_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sent", sa.JSON(), nullable=False),
        sa.Column("blocked_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_budgets")),
    )
    for name in _COUNTERS:
        op.add_column("clinicians", sa.Column(name, sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Each worker counts for itself again."""
    for name in reversed(_COUNTERS):
        op.drop_column("clinicians", name)
    op.drop_table("budgets")
