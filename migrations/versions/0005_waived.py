"""Which refusals a person knew of who chose an entry's patient, and when a question of identity is asked again."""

import sqlalchemy as sa
from alembic import op

revision = "0005_waived"
down_revision = "0004_heidi_templates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of patients chosen before now nothing is known: where somebody refused, it is asked once more."""
    op.add_column("entries", sa.Column("waived", sa.String(length=128), nullable=True))


def downgrade() -> None:
    """What a person knew is forgotten."""
    op.drop_column("entries", "waived")
