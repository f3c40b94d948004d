"""Jobs, their problems, and the programs made of them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the first schema."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), unique=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
    )
    op.create_index("jobs_by_status", "jobs", ["status", "id"])
    op.create_table(
        "problems",
        sa.Column("job_id", sa.Text(), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("problem_id", sa.Text(), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("solution", sa.Text(), nullable=False),
        sa.Column("setup", sa.Text(), nullable=False),
        sa.Column("tests", sa.JSON(), nullable=False),
        sa.Column("augmented", sa.JSON()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("attempts", "killed", "survived", "incompetent", "unverified", "positive", "negative")
        ),
    )
    op.create_index("problems_by_id", "problems", ["job_id", "problem_id"], unique=True)
    op.create_table(
        "programs",
        sa.Column("job_id", sa.Text(), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text()),
        sa.Column("changed_step", sa.Integer()),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("verdict", sa.Text()),
        sa.Column("killed_by", sa.Text()),
        sa.Column("steps", sa.JSON()),
        sa.ForeignKeyConstraint(["job_id", "position"], ["problems.job_id", "problems.position"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Drop everything."""
    for table in ("programs", "problems", "jobs"):
        op.drop_table(table)
