"""Rings at the doors, and what residents answer."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of rings."""
    op.create_table(
        "rings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("door", sa.String(length=64), nullable=False),
        sa.Column("flat", sa.String(length=80), nullable=True),
        sa.Column("rang_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("answered_by", sa.String(length=80), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("rings_by_time", "rings", ["rang_at"])
