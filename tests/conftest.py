"""What the tests share: a clock that they move, both databases, and a small clinic on real loopback sockets."""

import gc
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
import stamina

from sync_worker.bootstrap import Worker
from sync_worker.commands.setup import open_ledger
from sync_worker.ledger import Ledger, migrate, storage
from sync_worker.ledger.storage import open_engine
from sync_worker.records import TickReport
from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.cliniko_records import NoteRecord
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.settings import load_settings
from tests.engines import empty_postgres, new_file

MORNING = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
"""Half past nine in Hobart, on the 19th."""


def pytest_configure() -> None:
    """Collect no garbage while tests are collected: what is loaded stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and only among what tests make: among thousands of tests it took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 50)
    gc.enable()


class TestClock:
    """A clock that stands still until a test, or a sleep, moves it."""

    __test__ = False

    def __init__(self, now: datetime = MORNING) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def check_stop(self) -> None:
        pass

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


@pytest.fixture(autouse=True)
def _no_waiting_between_tries() -> Iterator[None]:
    stamina.set_testing(True, attempts=3, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


# ---------------------------------------------------------------- databases


_dialects: dict[str, sa.Dialect] = {}
_compiled: dict[Any, Any] = {}


@pytest.fixture(autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Hundreds of ledgers are opened: a statement is compiled once for each kind of database, not for each of them."""

    def create(*arguments: Any, **options: Any) -> sa.Engine:
        engine = sa.create_engine(*arguments, **options)
        engine.update_execution_options(compiled_cache=_compiled)

        @sa.event.listens_for(engine, "connect")  # after the engine asked its server what the dialect must know
        def _share(_connection: object, _record: object) -> None:
            engine.dialect = _dialects.setdefault(engine.dialect.name, engine.dialect)

        return engine

    with patch.object(storage, "create_engine", create):
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    if any("no Postgres" in why for why in skipped):
        terminalreporter.write_sep("!", "THE POSTGRES TESTS DID NOT RUN: no server answers, and none can be started")
    if any("no openssl" in why for why in skipped):
        terminalreporter.write_sep("!", "THE TLS TESTS DID NOT RUN: install Debian's openssl")
    if any("no Chromium" in why for why in skipped):
        terminalreporter.write_sep("!", "THE BROWSER TESTS DID NOT RUN: install Debian's chromium")
    if any("no promtool" in why for why in skipped):
        terminalreporter.write_sep("!", "THE ALERT RULES WERE NOT TRIED OUT: install Debian's prometheus")
    if any("no systemd-analyze" in why for why in skipped):
        terminalreporter.write_sep("!", "THE UNITS OF SYSTEMD WERE NOT JUDGED: install systemd")
    if any("no Caddy" in why for why in skipped):
        terminalreporter.write_sep("!", "THE PROXY WAS NOT TRIED: put Caddy 2.7 or newer on the PATH")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """The address of a Postgres server: one that answers, else one started for these tests, else None."""
    given = os.environ.get("SYNC_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432")
    if _answers(given):
        yield given
        return
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or [Path(shutil.which("pg_ctl") or "/none")]
    if not binaries[-1].exists() or os.geteuid() == 0:  # the server refuses to run as root
        yield None
        return
    folder = tmp_path_factory.mktemp("postgres")
    control, port = str(binaries[-1]), str(20_000 + os.getpid() % 20_000)
    subprocess.run([control, "initdb", "-s", "-D", folder, "-o", "-U postgres -A trust"], check=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    subprocess.run([control, "start", "-s", "-w", "-D", folder, "-o", options], check=True)
    yield f"postgresql+psycopg://postgres@127.0.0.1:{port}"
    subprocess.run([control, "stop", "-s", "-m", "fast", "-D", folder], check=True)


def _answers(server: str) -> bool:
    engine = sa.create_engine(f"{server}/postgres", connect_args={"connect_timeout": 3})
    try:
        with engine.connect():
            return True
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def make_postgres_database(postgres_server: str | None) -> Iterator[Callable[[str], str]]:
    """Makes databases of this test process's own; skips where there is no server."""
    made: list[str] = []

    def make(kind: str) -> str:
        if postgres_server is None:
            if os.environ.get("SYNC_TEST_POSTGRES_REQUIRED"):
                pytest.fail("no Postgres server answers or can be started, and these tests must not go without")
            pytest.skip("no Postgres server answers or can be started")
        name = f"sync_worker_test_{kind}_{os.getpid()}"
        made.append(name)
        _administer(postgres_server, f"CREATE DATABASE {name}")
        # no test cuts the power; a wait for the disk at each commit is half of what a test on Postgres takes
        _administer(postgres_server, f"ALTER DATABASE {name} SET synchronous_commit = off")
        return f"{postgres_server}/{name}"

    yield make
    for name in made:
        _administer(str(postgres_server), f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: str, statement: str) -> None:
    engine = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        db.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture(scope="session")
def _postgres_to_empty(make_postgres_database: Callable[[str], str]) -> str:
    return make_postgres_database("empty")


@pytest.fixture
def postgres_url(_postgres_to_empty: str) -> str:
    """A Postgres database without a table."""
    with sa.create_engine(_postgres_to_empty, poolclass=sa.NullPool).begin() as db:
        db.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return _postgres_to_empty


@pytest.fixture(scope="session")
def migrated_postgres(make_postgres_database: Callable[[str], str]) -> str:
    """A Postgres ledger, for its users to empty."""
    url = make_postgres_database("ledger")
    migrate.upgrade(open_engine(url))
    return url


@pytest.fixture
def postgres_ledger_url(migrated_postgres: str) -> str:
    """A Postgres ledger as the migrations make it."""
    empty_postgres(open_engine(migrated_postgres))
    return migrated_postgres


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger as the migrations make it, of each kind in turn."""
    if request.param == "sqlite":
        (tmp_path / "ledger.db").write_bytes(new_file())
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return str(request.getfixturevalue("postgres_ledger_url"))


# ---------------------------------------------------------------- a small clinic


@dataclass
class Clinic:
    """One clinician, both stand-ins on loopback, and a worker whose ledger outlives it."""

    sandbox: Sandbox
    clock: TestClock
    ledger_url: str
    user_id: str
    extra: dict[str, str] = field(default_factory=dict)
    _worker: Worker | None = None

    @property
    def heidi(self) -> HeidiSandbox:
        return self.sandbox.heidi

    @property
    def cliniko(self) -> ClinikoSandbox:
        return self.sandbox.cliniko

    @property
    def practitioner_id(self) -> str:
        return self.cliniko.practitioner_of(self.user_id)

    def environment(self) -> dict[str, str]:
        return {
            **self.sandbox.environment(),
            "HEIDI_USER_EMAIL": "a.physio@example.com",
            "HEIDI_USER_ID": "physio-1",
            "CLINIKO_API_KEY": self.cliniko.key_of(self.user_id),
            "DATABASE_URL": self.ledger_url,
            "SYNC_START_AT": "2026-11-01",
            "SYNC_SETTLE_SECONDS": "0",
            "SYNC_BRAKE_POSTS_PER_HOUR": "0",
            "CLINIKO_RATE_PER_MINUTE": "1000",
            "CLINIKO_TIMEOUT_SECONDS": "1",
            "HEIDI_TIMEOUT_SECONDS": "1",
            **self.extra,
        }

    @property
    def worker(self) -> Worker:
        """The worker, started at first use, and after `restart` again."""
        if self._worker is None:
            settings = load_settings(self.environment(), env_file=None)
            self._worker = Worker(settings, open_ledger(settings, self.clock), self.clock)
        return self._worker

    @property
    def ledger(self) -> Ledger:
        return self.worker.ledger

    def restart(self, **extra: str) -> None:
        """Let the worker go; the next one may have other settings."""
        self.extra |= extra
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def tick(self, *, full: bool = True) -> TickReport:
        return self.worker.tick_all(full=full)[0]

    def ticks(self, count: int, every: float = 120) -> list[TickReport]:
        """Ticks with time between them."""
        reports = []
        for _ in range(count):
            reports.append(self.tick())
            self.clock.advance(every)
        return reports

    def a_patient(self, first: str = "Mary", last: str = "Jones", born: str = "1980-02-03", **more: object) -> str:
        return self.cliniko.add_patient(first_name=first, last_name=last, date_of_birth=born, **more)

    def a_session(self, name: str = "Mary Jones", born: str | None = "1980-02-03", **more: object) -> str:
        more.setdefault("created_at", self.clock.now() - timedelta(hours=1))
        return self.heidi.add_session(clinician="physio-1", patient_name=name, birth_date=born, **more)

    def a_document(
        self, session_id: str, content: str = "# Plan\n\nRest.", name: str = "Letter", **more: object
    ) -> str:
        return self.heidi.add_document(session_id, name=name, content=content, **more)

    def a_finished_document(self, content: str = "# Plan\n\nRest.") -> tuple[str, str, str]:
        """A patient, a session about them and its document: the ids of all three."""
        patient_id = self.a_patient()
        session_id = self.a_session()
        return patient_id, session_id, self.a_document(session_id, content)

    def notes(self) -> list[NoteRecord]:
        return list(self.cliniko.notes.values())

    def posts(self) -> int:
        """How many requests to create a note arrived."""
        return sum(one.method == "POST" and one.path.endswith("/treatment_notes") for one in self.cliniko.requests)


@pytest.fixture
def make_clinic(clock: TestClock) -> Iterator[Callable[[str], Clinic]]:
    """Makes clinics on a ledger of one's choice."""
    made: list[Clinic] = []

    def make(ledger_url: str) -> Clinic:
        path = Path(ledger_url.removeprefix("sqlite:///"))
        if ledger_url.startswith("sqlite:") and not path.exists():
            path.write_bytes(new_file())
        sandbox = Sandbox(HeidiSandbox(now=clock.now), ClinikoSandbox(now=clock.now))
        sandbox.start()
        sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
        user_id = sandbox.cliniko.add_user(first_name="Ada", last_name="Physio")
        made.append(Clinic(sandbox, clock, ledger_url, user_id))
        return made[-1]

    yield make
    for clinic in made:
        clinic.restart()
        clinic.sandbox.stop()


@pytest.fixture
def clinic(make_clinic: Callable[[str], Clinic], tmp_path: Path) -> Clinic:
    """A clinic whose ledger is an SQLite file."""
    return make_clinic(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def ledger(ledger_url: str, clock: TestClock) -> Iterator[Ledger]:
    """A ledger without an entry, on each database in turn."""
    engine = open_engine(ledger_url, pooled=True)
    made = Ledger(engine, region="au")
    made.prepare_installation(clock.now())
    yield made
    engine.dispose()
