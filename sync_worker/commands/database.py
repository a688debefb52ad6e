"""`db`: the ledger's version, its backups, and its move to another database."""

from pathlib import Path

from sqlalchemy import Engine, make_url

from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, HELD_ELSEWHERE, PARTLY, report, say
from sync_worker.errors import ConfigurationError
from sync_worker.ledger import copies, files, migrate, queue
from sync_worker.ledger.copies import Restored, WorkerRunning
from sync_worker.ledger.rows import Sums
from sync_worker.ledger.storage import open_engine, sqlite_path
from sync_worker.settings import Settings, TickEngine, values


def upgrade() -> int:
    """Make or migrate the ledger."""
    settings, clock = setup.load()
    ledger = setup.open_ledger(settings, clock)
    if settings.sync_engine is TickEngine.PROCRASTINATE:
        queue.prepare(ledger.engine)
    ledger.engine.dispose()
    say(f"The ledger is of version {migrate.head()}.")
    return DONE


def current() -> int:
    """Say the ledger's version. 1 if there is none, or it is not this program's."""
    settings, _ = setup.load()
    version = setup.ledger_version(settings)
    if version is None:
        say(str(migrate.no_ledger()))
        return PARTLY
    say(f"The ledger is of version {version}; this program writes {migrate.head()}.")
    return DONE if version == migrate.head() else PARTLY


def backup(file: Path) -> int:
    """Copy the ledger as it is now into a file, while workers work."""
    settings, _ = setup.load()
    if setup.ledger_version(settings) is None:
        raise migrate.no_ledger()
    engine = _engine(settings, read_only=True)
    if sqlite_path(engine) is None:
        migrate.require_current(engine)
    contents = files.write_backup(engine, file)
    say(f"{file} holds {contents}.")
    return DONE


def restore(file: Path, *, replace: bool) -> int:
    """Put a backup into the ledger's database. 3 while a worker is running."""
    settings, clock = setup.load()
    try:
        done = copies.restore(_engine(settings), file, now=clock.now(), actor=setup.actor(), replace=replace)
    except WorkerRunning as error:
        return report("held", [str(error)], HELD_ELSEWHERE, as_json=False)
    _tell(done)
    return DONE


def move(url: str) -> int:
    """Move the ledger into another database, which must be empty. 3 while a worker is running."""
    settings, clock = setup.load()
    try:
        address = values.as_database_url(url)
    except ValueError:
        wanted = "the new database must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME."
        raise ConfigurationError([f"db move: {wanted}"]) from None
    source = _engine(settings)
    if (path := sqlite_path(source)) is not None and not path.exists():
        raise migrate.no_ledger()
    migrate.require_current(source)
    try:
        moved = copies.move(source, open_engine(address), now=clock.now())
    except WorkerRunning as error:
        return report("held", [str(error)], HELD_ELSEWHERE, as_json=False)
    say(f"The ledger was moved, and every table compared: {_counts(moved)}.")
    say("The old one is retired: no worker uses it any more. Set this, with the password, and start the worker:")
    say(f"DATABASE_URL={make_url(address).render_as_string(hide_password=True)}")
    return DONE


def _engine(settings: Settings, *, read_only: bool = False) -> Engine:
    return open_engine(settings.database_url.get_secret_value(), read_only=read_only)


def _tell(done: Restored) -> None:
    say(f"The ledger holds {done.contents}.")
    if done.replaced is not None:
        say(f"What it held before is kept in {done.replaced}.")
    if done.damaged is not None:
        say(f"The damaged file is kept as {done.damaged}.")
    say(
        "The next tick looks in Cliniko before it posts, not sooner than two minutes from now, when it surely lists "
        "what was filed last: what was filed after the backup is found there, and not filed again. What people decided "
        "after the backup is not in it: go through the review list again. Whoever might log in then may again, by the "
        "password of then: `sync-worker users list` shows who."
    )
    if done.was_retired:
        say("This ledger had been moved to another database: see that no worker uses that one any more.")
    if done.paused:
        say("Posting is paused in it, as it was in the backup: `sync-worker resume` ends that.")


def _counts(moved: Sums) -> str:
    return ", ".join(f"{total.count} {name}" for name, total in moved.items() if name != "alembic_version")
