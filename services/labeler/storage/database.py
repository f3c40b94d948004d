"""Opens a database by its URL and gives out transactions."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from services.kit.errors import StartupError
from services.labeler.errors import DatabaseAwayError
from services.labeler.storage.migrate import is_current, upgrade_schema

_BUSY_TIMEOUT_S = 60.0
_CONNECT_TIMEOUT_S = 5
_SCHEMA_PATIENCE_S = 60.0
_SCHEMA_POLL_S = 0.5
_UNKNOWN_URL = "LINEWISE_DATABASE_URL must be postgresql://user:password@host/name, or sqlite:/// and a file's path"


class Database:
    """SQLite (`sqlite:///path`) or PostgreSQL (`postgresql://...`).

    Raises:
        StartupError: the URL can't be read.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)

    def open(self, *, migrate: bool = True) -> None:
        """Connect, and bring the schema to this version; without `migrate` wait until somebody else has.

        Raises:
            StartupError: no database answers at the URL, or nobody brings its schema to this version.
        """
        try:
            _make_folder(self._engine)
            if migrate:
                upgrade_schema(self._engine)
            else:
                self._await_schema()
        except (SQLAlchemyError, OSError) as error:
            place = self._engine.url.render_as_string(hide_password=True)
            raise StartupError(f"no database at {place}: {_reason(error)}") from error

    def _await_schema(self) -> None:
        deadline = time.monotonic() + _SCHEMA_PATIENCE_S
        while not is_current(self._engine):
            if time.monotonic() >= deadline:
                raise StartupError("the database's schema is not this version's; run `linewise migrate`")
            time.sleep(_SCHEMA_POLL_S)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view; nothing is written. Raises `DatabaseAwayError`."""
        with _away_by_name(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed at the end or not at all.

        Raises:
            DatabaseAwayError: nobody can tell which of the two it was; only what may be done twice is done here.
        """
        writer = self._engine.execution_options(linewise_write=True)
        with _away_by_name(), Session(writer, expire_on_commit=False) as session, session.begin():
            yield session

    def ping(self) -> str | None:
        """Why the database can't be used just now, or None."""
        try:
            with self._engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            return f"the database does not answer: {_reason(error)}"
        return None

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


@contextmanager
def _away_by_name() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise DatabaseAwayError(_reason(error)) from error


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StartupError(_UNKNOWN_URL) from error
    if parsed.drivername in ("postgres", "postgresql"):
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S},
        )
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise StartupError(_UNKNOWN_URL)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(engine: Engine) -> None:
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    """Leave transactions to us: https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable"""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the beginning, where it can be waited for; a reader that turns writer could not wait."""
    writes = connection.get_execution_options().get("linewise_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _reason(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__
