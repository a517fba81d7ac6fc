"""Doors that the book knows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of doors."""
    op.create_table(
        "doors",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
