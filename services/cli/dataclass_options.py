"""Turns a frozen dataclass into a command: every field an option, its docstring line the help.

    @dataclass(frozen=True)
    class SftConfig:
        learning_rate: float = 1e-3
        \"\"\"Peak learning rate of AdamW.\"\"\"

becomes `--learning-rate FLOAT  Peak learning rate of AdamW.  [default: 0.001]`, and `--config FILE` reads any of them
from YAML or JSON. An option on the command line wins over the file, the file over the default. Fields may be str, int,
float, bool, Path, enums, literals, tuples of these (the option is then repeated) and unions with None.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Optional, TypeVar, Union, get_args, get_origin

import typer
from pydantic import TypeAdapter, ValidationError

from services.cli.config_file import read_config
from services.cli.errors import UsageError
from services.cli.field_docs import DocumentedField, documented_fields

Config = TypeVar("Config")

_CONFIG_HELP = (
    "YAML or JSON with any of these options by name (underscores for dashes), or the name of one that comes along; "
    "the command line wins."
)


def command_from(config_class: type[Config], run: Callable[[Config], None]) -> Callable[..., None]:
    """A function for `typer.Typer.command()` that builds a `config_class` from its options and passes it to `run`."""
    fields = documented_fields(config_class)

    def command(config: Path | None, **given: Any) -> None:
        from_file = read_config(config) if config else {}
        on_command_line = {name: value for name, value in given.items() if value not in (None, [])}
        run(build(config_class, {**from_file, **on_command_line}))

    parameters = [_config_parameter(), *(_parameter(field) for field in fields)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def build(config_class: type[Config], values: Mapping[str, Any]) -> Config:
    """A `config_class` of `values`, converted to the types of its fields.

    Raises:
        UsageError: a name that is no field, a field without default or value, or a value of another type.
    """
    fields = {field.name: field for field in documented_fields(config_class)}
    if unknown := sorted(set(values) - set(fields)):
        raise UsageError(f"no such option: {', '.join(unknown)}; there are {', '.join(fields)}.")
    if missing := [_flag(name) for name, field in fields.items() if field.required and name not in values]:
        raise UsageError(f"missing: {', '.join(missing)}.")
    try:
        return TypeAdapter(config_class).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        raise UsageError(": ".join(filter(None, [name and _flag(name), first["msg"]])) + ".") from error


def _config_parameter() -> inspect.Parameter:
    annotation = Annotated[Path | None, typer.Option("--config", help=_CONFIG_HELP, show_default=False)]
    return inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _parameter(field: DocumentedField) -> inspect.Parameter:
    """None means "not given" for every option; the real default is shown, and filled in by the dataclass."""
    kind = _option_type(field.annotation)
    flags = f"{_flag(field.name)}/--no-{_flag(field.name)[2:]}" if kind is bool else _flag(field.name)
    note = "required" if field.required else f"default: {_shown(field.default)}"
    option = typer.Option(flags, help=f"{field.doc} ({note})", show_default=False)
    annotation = Annotated[Optional[kind], option]  # type: ignore[valid-type]  # noqa: UP045 - `kind` is a value
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _option_type(annotation: Any) -> Any:
    """The type of one value on the command line: `T` for `T | None`, `list[T]` for `tuple[T, ...]`."""
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = (kind for kind in get_args(annotation) if kind is not types.NoneType)
    if get_origin(annotation) is tuple:
        return list[get_args(annotation)[0]]  # type: ignore[misc]
    return annotation


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _shown(default: Any) -> str:
    if default is None:
        return "none"
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple | list):
        return " ".join(map(str, default)) or "none"
    return str(getattr(default, "value", default))
