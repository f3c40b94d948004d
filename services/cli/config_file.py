"""A file of options, YAML or JSON (which is YAML, too), or the name of one that comes with the trainer."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from services.cli.errors import UsageError


def read_config(path: Path) -> dict[str, Any]:
    """The options in `path` by name; where there is no such file, in the trainer's own `configs/<path>.yaml`.

    Raises:
        UsageError: it cannot be read, is neither YAML nor JSON, or holds something else than names with values.
    """
    import yaml  # type: ignore[import-untyped]

    path = path if path.exists() else _packaged(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{where}: neither YAML nor JSON.") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"{path}: must hold names with values, such as `learning_rate: 0.001`.")
    return {name.replace("-", "_"): value for name, value in values.items()}


def _packaged(name: Path) -> Path:
    """The file of that name that comes with the trainer, or `name` itself where there is none."""
    file = Path(str(files("trainer"))) / "configs" / f"{name.name}.yaml"
    return file if len(name.parts) == 1 and file.exists() else name
