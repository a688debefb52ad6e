"""Which Heidi templates were met, so that one without a route is told."""

import sqlalchemy as sa
from alembic import op

revision = "0004_heidi_templates"
down_revision = "0003_looked_at"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Templates of documents found before now are met when the next document is made from them."""
    op.create_table(
        "heidi_templates",
        sa.Column("clinician_id", sa.Integer(), nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("met_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name=op.f("fk_heidi_templates_clinician_id")),
        sa.PrimaryKeyConstraint("clinician_id", "template_id", name=op.f("pk_heidi_templates")),
    )


def downgrade() -> None:
    """They are met again with the next upgrade."""
    op.drop_table("heidi_templates")
