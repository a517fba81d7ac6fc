"""What doors know of passes that were ended."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table of doors that were told."""
    op.create_table(
        "pass_doors",
        sa.Column("pass_id", sa.String(length=16), nullable=False),
        sa.Column("door", sa.String(length=64), nullable=False),
        sa.Column("word", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pass_id", "door"),
    )
