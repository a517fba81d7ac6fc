"""Runs migrations on the connection that `facegate_hub.community.database` hands over."""

from alembic import context

from facegate_hub.community.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    version_table="community_version",
)
context.run_migrations()
