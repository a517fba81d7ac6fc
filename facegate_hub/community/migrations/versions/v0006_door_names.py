"""What the property calls its doors."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Give doors a name."""
    op.add_column("doors", sa.Column("name", sa.String(length=200)))
