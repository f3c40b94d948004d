"""Settings that are secrets may stand in files: `LINEWISE_DATABASE_URL_FILE` names one with `LINEWISE_DATABASE_URL`.

Containers are given secrets as files, and a file shows in no listing of processes or environments. A settings class
names such fields in `in_files`; where the plain variable is set too, it is the one that counts.
"""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from services.kit.errors import StartupError


class SecretFiles(PydanticBaseSettingsSource):
    """Reads what the variables with the suffix name; line ends at the end of a file are no part of the secret."""

    def __init__(self, settings: type[BaseSettings], fields: tuple[str, ...]) -> None:
        super().__init__(settings)
        self._fields = fields

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The file's text under the field's variable, or None where no file is named."""
        variable = str(field.validation_alias)
        path = os.environ.get(f"{variable}_FILE")
        return _read(Path(path), f"{variable}_FILE") if path else None, variable, False

    def __call__(self) -> dict[str, Any]:
        """All that are named.

        Raises:
            StartupError: a file cannot be read.
        """
        fields = self.settings_cls.model_fields
        found = (self.get_field_value(fields[name], name) for name in self._fields)
        return {variable: value for value, variable, _ in found if value is not None}


def _read(path: Path, variable: str) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise StartupError(f"{variable} ({path}) cannot be read: {reason}") from error
