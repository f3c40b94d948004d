"""How Alembic runs here: inside the connection, and the lock, that `services.labeler.storage.migrate` holds."""

from alembic import context

from services.labeler.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
