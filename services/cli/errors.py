"""What the command line says when it cannot go on, and the exit code that goes with it.

    CliError
    ├── FailedError        exit 1: the work was done and came to nothing good (a failed job, a wrong program)
    └── UsageError         exit 2: it cannot be done here (port in use, missing checkpoint, dead Redis, bad file)

Each carries one sentence for stderr; `services.cli.app` prints it and exits. Scripts tell 1 from 2.
"""


class CliError(Exception):
    """One clear sentence, and an exit code."""

    exit_code = 1


class FailedError(CliError):
    """The work ran to its end and failed: a job, a verdict."""


class UsageError(CliError):
    """The command cannot run as asked: a bad file, a port in use, a service that is not there."""

    exit_code = 2
