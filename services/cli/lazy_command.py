"""A command whose options come from a dataclass in a module that is slow to import: imported when it is called.

The outer command takes everything that follows it as it is; the inner one, made then, reads it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """`function(config: config_class) -> summary` of `module` as the command `name`."""

    name: str
    help: str
    epilog: str
    module: str
    config_class: str
    function: str

    def register(self, app: typer.Typer, show: Callable[[Any], None]) -> None:
        """Add it to `app`; `show` is given what the function returns."""
        settings = {"allow_extra_args": True, "ignore_unknown_options": True}

        @app.command(self.name, help=self.help, context_settings=settings, add_help_option=False)
        def hand_over(context: typer.Context) -> None:
            self._inner(show)(context.args, prog_name=context.command_path, standalone_mode=False)

    def _inner(self, show: Callable[[Any], None]) -> typer.Typer:
        from services import tracing
        from services.cli.dataclass_options import command_from  # brings pydantic along

        tracing.configure("linewise-trainer")
        module = import_module(self.module)
        function = getattr(module, self.function)
        command = command_from(getattr(module, self.config_class), lambda config: show(function(config)))
        inner = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
        inner.command(help=self.help, epilog=self.epilog)(command)
        return inner
