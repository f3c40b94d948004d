"""From an exception of any room to one sentence and an exit code; what is not listed is a bug and keeps its trace."""

from services.cli.errors import CliError


def sentence_and_code(error: Exception) -> tuple[str, int] | None:
    """What to say on stderr and which code to exit with, or None for an error that nobody expects."""
    if isinstance(error, CliError):
        return str(error), error.exit_code
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] not in ("services", "trainer"):
        return f"this command needs the package {error.name}; install the extra that brings it: `linewise[dev]`.", 2
    if isinstance(error, _expected()):
        return _closed(_hinted(error)), 2
    return _settings_error(error)


def _expected() -> tuple[type[Exception], ...]:
    """The roots of the rooms' own exception trees: all of them mean that it cannot be done here."""
    from services.client.errors import LinewiseError
    from services.kit.errors import StartupError
    from trainer.errors import TrainerError
    from trainer.problems.errors import ProblemsError

    return LinewiseError, StartupError, TrainerError, ProblemsError


def _hinted(error: Exception) -> str:
    from services.client.errors import UnreachableError

    hint = "; start it with `linewise up`, or say where it is with LINEWISE_<SERVICE>_URL"
    return f"{error}{hint if isinstance(error, UnreachableError) else ''}"


def _settings_error(error: Exception) -> tuple[str, int] | None:
    """A LINEWISE_ variable that means nothing (the settings classes of the services refuse it)."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError) or not error.title.endswith("Settings"):
        return None
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}.", 2


def _closed(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
