"""`linewise migrate`: brings the labeler's database to this version, once, before labelers and workers start."""

import typer

_HELP = "Bring the database at LINEWISE_DATABASE_URL to this version; labeler and workers else do it when they start."

_EPILOG = "Example:  LINEWISE_DATABASE_URL=postgresql://user:password@host/name linewise migrate"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("migrate", help=_HELP, epilog=_EPILOG)(_migrate)


def _migrate() -> None:
    from services.cli.console import say
    from services.labeler.settings import LabelerSettings
    from services.labeler.storage import Database

    database = Database(LabelerSettings().database_url)
    database.open()
    database.close()
    say("the database's schema is this version's.")
