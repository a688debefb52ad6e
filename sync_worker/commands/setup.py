"""What most commands begin with: settings, logging, and the ledger as it stands."""

import ctypes
import getpass
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from sync_worker.clock import Clock, SystemClock
from sync_worker.errors import ConfigurationError, NotPossible, SyncWorkerError
from sync_worker.ledger import Ledger, migrate
from sync_worker.ledger.clinicians import Clinicians
from sync_worker.ledger.copies import require_in_use
from sync_worker.ledger.storage import open_engine, sqlite_path
from sync_worker.ledger.views import Views, zone_told
from sync_worker.logs import configure_logging, get_logger, quiet_stamina
from sync_worker.settings import ClinicianSettings, Settings, load_settings
from sync_worker.settings.residency import Override

PR_SET_DUMPABLE = 4
"""prctl(2)'s name for it."""


def load() -> tuple[Settings, SystemClock]:
    """The settings and a clock, for a command that talks to a person: it logs errors only, unless debugging.

    Raises `ConfigurationError` with every problem.
    """
    forbid_core_dumps()
    settings = load_settings()
    _set_up(settings, "DEBUG" if settings.sync_log_level == "DEBUG" else "ERROR")
    return settings, SystemClock()


def load_to_ask() -> tuple[Settings, SystemClock]:
    """As `load`, for a command that asks a service without ticking.

    Raises `NotPossible` where an override of residency is not in the audit trail yet.
    """
    settings, clock = load()
    require_told_residency(settings)
    return settings, clock


def load_for_work() -> tuple[Settings, SystemClock]:
    """The settings and a clock that SIGTERM and SIGINT stop, for a command that ticks: it logs as they say."""
    forbid_core_dumps()
    settings = load_settings()
    _set_up(settings, settings.sync_log_level)
    clock = SystemClock()
    stop_on_signals(clock.stop)
    for warning in settings.warnings:
        print(f"sync-worker: note: {warning}", file=sys.stderr)  # noqa: T201 - a command talks to a person
    return settings, clock


def forbid_core_dumps() -> None:
    """Keep keys and notes out of core files and, on Linux, from other programs of the same user.

    Both, since a core that is piped to a program does not ask for the limit, and other systems know only the limit. A
    system that refuses either is no reason not to work.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library without it
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def stop_on_signals(stop: threading.Event) -> None:
    """Let SIGTERM and SIGINT ask the process to stop, in order."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def _set_up(settings: Settings, level: str) -> None:
    os.umask(0o077)  # whatever this program makes is for its own user's eyes
    configure_logging(level=level, fmt=settings.sync_log_format)
    quiet_stamina()


def zone(settings: Settings, engine: Engine) -> ZoneInfo:
    """The practice's time zone, as the page has it: the settings', else what Cliniko told at some tick."""
    return settings.timezone or zone_told(Views(engine).clinicians().values())


def is_to_come(day: date, clock: Clock) -> bool:
    """Whether a day has begun nowhere yet: east of Greenwich tomorrow has."""
    return day > clock.now().date() + timedelta(days=1)


def day(option: str, given: str, *, may_come: bool = False) -> date:
    """The day that an option names. Raises `ConfigurationError` where it names none, or one that has not begun."""
    try:
        found = date.fromisoformat(given)
    except ValueError:
        raise ConfigurationError([f"{option} takes a day, such as 2026-11-01."]) from None
    if not may_come and is_to_come(found, SystemClock()):
        raise ConfigurationError([f"{option} is to come: name a day that has begun."])
    return found


def actor() -> str:
    """Who decides, for the history: the user of the operating system."""
    try:
        return f"person {getpass.getuser()}"[:64]
    except (KeyError, OSError):
        return "person"


def clinicians_named(settings: Settings, wanted: str | None) -> list[ClinicianSettings]:
    """The clinicians that a command's argument means, by name, Heidi user id or e-mail; all of them without one.

    Raises `ConfigurationError` naming those that there are.
    """
    found = [
        one
        for one in settings.clinicians
        if wanted is None
        or wanted.casefold() in (one.name.casefold(), one.heidi_user_id.casefold(), one.heidi_email.casefold())
    ]
    if not found:
        names = ", ".join(one.name for one in settings.clinicians)
        raise ConfigurationError([f"There is no clinician of that name in the settings. There are: {names}."])
    return found


def ledger_version(settings: Settings) -> str | None:
    """The version of the ledger; None if there is none yet. Makes nothing: opening SQLite would make an empty file.

    Raises `LedgerMismatch` where a newer program wrote it, or where it was moved elsewhere.
    """
    engine = open_engine(settings.database_url.get_secret_value(), read_only=True)
    path = sqlite_path(engine)
    if path is not None and not path.exists():
        return None
    version = migrate.current(engine)
    if version == migrate.head():
        require_in_use(engine)
    return version


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


def open_ledger(settings: Settings, clock: Clock) -> Ledger:
    """The ledger, made or migrated first where needed. For commands that work: `run`, `once`, `db upgrade`.

    Raises `LedgerUnavailable` or `LedgerMismatch` with what to do, also where it was moved elsewhere.
    """
    url = settings.database_url.get_secret_value()
    engine = open_engine(url, pooled=True, at_once=settings.sync_ticks_at_once)
    try:
        migrate.upgrade(engine)
        require_in_use(engine)
    except SyncWorkerError:
        engine.dispose()
        raise
    ledger = Ledger(engine, region=settings.heidi_region)
    ledger.prepare_installation(clock.now())
    _tell_residency(settings, ledger, clock)
    return ledger


def _tell_residency(settings: Settings, ledger: Ledger, clock: Clock) -> None:
    """Before the first request: who lets clinical data leave Australia stands in every clinician's trail."""
    override = settings.residency_override
    if override is None:
        ledger.clinicians.restore_residency(clock.now())
        return
    for host in override.hosts:
        get_logger().warning("residency.overridden", host=host)
    for clinician in settings.clinicians:
        clinician_id = ledger.clinicians.enter(clinician.heidi_user_id).clinician_id
        ledger.clinicians.override_residency(clinician_id, override.by, _details(override), clock.now())


def _details(override: Override) -> dict[str, object]:
    return {"hosts": list(override.hosts), "why": override.reason}


def require_told_residency(settings: Settings) -> None:
    """For commands that ask a service and may not write: an override must stand in the trail before the first request.

    Raises `NotPossible` with what to do where it does not.
    """
    override = settings.residency_override
    if override is None:
        return
    engine = existing_ledger(settings, read_only=True)
    if engine is not None:
        clinicians, known = Clinicians(engine, settings.heidi_region), Views(engine).clinicians()
        states = [known.get(one.heidi_user_id) for one in settings.clinicians]
        if all(
            state and clinicians.told_of_residency(state.clinician_id, override.by, _details(override))
            for state in states
        ):
            return
    raise NotPossible(
        "SYNC_DATA_RESIDENCY=OVERRIDE is not in the audit trail yet, and nothing is asked before it is: run "
        "`sync-worker db upgrade`, which writes it there."
    )
