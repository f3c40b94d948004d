"""Teachers that ask a model: their requests, what they cost, and whose program is whose."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNTS = ("questions", "malformed", "unanswered")


def upgrade() -> None:
    """Add the table of requests and the new columns."""
    op.add_column("programs", sa.Column("teacher", sa.Text()))
    for name in _COUNTS:
        op.add_column("problems", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "teacher_requests",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("teacher", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("complete", sa.Boolean()),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
    )
    op.create_index("teacher_requests_by_key", "teacher_requests", ["key"])
    op.create_index("teacher_requests_by_job", "teacher_requests", ["job_id"])
    op.create_index("teacher_requests_by_time", "teacher_requests", ["teacher", "begun_at"])


def downgrade() -> None:
    """Forget what models were asked."""
    op.drop_table("teacher_requests")
    for name in _COUNTS:
        op.drop_column("problems", name)
    op.drop_column("programs", "teacher")
