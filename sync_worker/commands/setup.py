"""What most commands begin with: settings, logging, and the ledger as it stands."""

import sys

from sqlalchemy import Engine

from sync_worker.clock import SystemClock
from sync_worker.ledger import migrate
from sync_worker.ledger.storage import open_engine, sqlite_path
from sync_worker.logs import configure_logging, quiet_stamina
from sync_worker.settings import Settings, load_settings


def load(*, clock: SystemClock | None = None) -> tuple[Settings, SystemClock]:
    """The settings, with logging set up as they say. Raises `ConfigurationError` with every problem."""
    settings = load_settings()
    configure_logging(level=settings.sync_log_level, fmt=settings.sync_log_format)
    quiet_stamina()
    return settings, clock or SystemClock()


def warn(settings: Settings) -> None:
    """Tell on stderr what was set and is not obeyed."""
    for warning in settings.warnings:
        print(f"sync-worker: note: {warning}", file=sys.stderr)  # noqa: T201 - a command talks to a person


def ledger_version(settings: Settings) -> str | None:
    """The version of the ledger; None if there is none yet. Makes nothing: opening SQLite would make an empty file.

    Raises `LedgerMismatch` where a newer program wrote it.
    """
    engine = open_engine(settings.database_url.get_secret_value(), read_only=True)
    path = sqlite_path(engine)
    if path is not None and not path.exists():
        return None
    return migrate.current(engine)


def existing_ledger(settings: Settings, *, read_only: bool) -> Engine | None:
    """The ledger as it stands, of this program's version; None if there is none yet. Makes and migrates nothing.

    Raises `LedgerMismatch` where it is of another version.
    """
    if ledger_version(settings) is None:
        return None
    engine = open_engine(settings.database_url.get_secret_value(), read_only=read_only)
    migrate.require_current(engine)
    return engine


def require_ledger(settings: Settings, *, read_only: bool = True) -> Engine:
    """The ledger as it stands. Raises `LedgerUnavailable` or `LedgerMismatch` with what to do."""
    engine = existing_ledger(settings, read_only=read_only)
    if engine is None:
        raise migrate.no_ledger()
    return engine
