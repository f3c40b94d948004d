"""The settings that every service has, read from the environment.

A service's own settings subclass `ServiceSettings` with a prefix of its own; the shared ones keep their names.
"""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from services.kit.secret_files import SecretFiles

MEBIBYTE = 1024 * 1024


class ServiceSettings(BaseSettings):
    """Shared settings; the defaults run locally."""

    model_config = SettingsConfigDict(env_prefix="LINEWISE_", populate_by_name=True, frozen=True, extra="ignore")

    in_files: ClassVar[tuple[str, ...]] = ()
    """Fields that may stand in a file instead, which their variable with `_FILE` behind it names."""

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field((), validation_alias="LINEWISE_API_KEYS")
    """Keys a client may send, separated by commas; none, here and in the file, means that auth is off."""

    api_keys_file: Path | None = Field(None, validation_alias="LINEWISE_API_KEYS_FILE")
    """Further keys, one a line; read again when the file changes (`services.kit.keys`)."""

    allow_anonymous: bool = Field(False, validation_alias="LINEWISE_ALLOW_ANONYMOUS")
    """Listen on a public address without keys."""

    max_body_bytes: int = Field(16 * MEBIBYTE, gt=0, validation_alias="LINEWISE_MAX_BODY_BYTES")
    """A larger request body is answered with 413."""

    max_head_bytes: int = Field(65_536, ge=1024, validation_alias="LINEWISE_MAX_HEAD_BYTES")
    """A longer request line with its headers is answered with 431."""

    head_s: float = Field(10.0, gt=0, validation_alias="LINEWISE_HEAD_S")
    """How long a connection may stay silent before its first request, and a request's head take to arrive."""

    body_s: float = Field(60.0, gt=0, validation_alias="LINEWISE_BODY_S")
    """How long a request's body may take to arrive; then it is answered with 408."""

    max_connections: int = Field(4096, ge=1, validation_alias="LINEWISE_MAX_CONNECTIONS")
    """One more is answered with 503; never more than half of the descriptors that the process may open."""

    drain_delay_s: float = Field(0.0, ge=0, validation_alias="LINEWISE_DRAIN_DELAY_S")
    """How long to go on serving, not ready, after SIGTERM: the time a load balancer needs to look elsewhere."""

    drain_s: float = Field(30.0, ge=0, validation_alias="LINEWISE_DRAIN_S")
    """How long requests in flight may take to end after that."""

    log_level: str = Field("INFO", validation_alias="LINEWISE_LOG_LEVEL")

    data_dir: Path = Field(Path(".linewise"), validation_alias="LINEWISE_DATA_DIR")
    """Where the database, the embedded Redis and job artefacts live."""

    @property
    def wants_keys(self) -> bool:
        """Whether auth is on."""
        return bool(self.api_keys) or self.api_keys_file is not None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then files that the environment names."""
        return init_settings, env_settings, SecretFiles(settings_cls, cls.in_files)

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(key.strip() for key in value.split(",") if key.strip())
        return value

    @field_validator("api_keys_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value
