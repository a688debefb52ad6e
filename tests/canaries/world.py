"""Where the canaries live: a clinic with its page open and a terminal beside it, everything logged at DEBUG.

A path is walked by `walk`, which looks at once at what was logged and printed, and at the end at what stayed behind:
the ledger's files, its dump, its backups, and the folder for temporary files.
"""

import io
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import sqlalchemy as sa

from sync_worker.ledger.storage import open_engine, reading
from sync_worker.ledger.tables import Base
from sync_worker.logs import configure_logging, quiet_stamina
from sync_worker.records import Role
from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.heidi import HeidiSandbox
from tests.canaries import kinds
from tests.canaries.detector import Hit, hits
from tests.canaries.kinds import ADDRESSES, BORN, FIRST, FIXED, LAST, LEDGER, TOLD, Kind, value_of
from tests.conftest import Clinic, TestClock
from tests.engines import new_file
from tests.test_cli import Terminal
from tests.web.house import House, Person, open_house

ROOT = Path(__file__).parents[2]
LOUD = ("httpx", "httpcore", "sqlalchemy", "apscheduler", "uvicorn", "alembic", "asyncio", "psycopg", "markdown_it")
"""Libraries that are told to say all they have."""
TICKING = {"once", "backfill", "db"}
"""Commands that need the clinician, or the ledger, for themselves."""


class RunningClock(TestClock):
    """A test's clock on which real time counts too: an answer that drips must end with the deadline."""

    __test__ = False

    def monotonic(self) -> float:
        return super().monotonic() + time.monotonic()


@dataclass
class World:
    """The clinic, its page, a terminal, and what was seen so far."""

    clinic: Clinic
    house: House
    terminal: Terminal
    folder: Path
    temporary: Path
    stream: io.StringIO
    kinds: list[Kind] = field(default_factory=lambda: list(FIXED))
    found: list[Hit] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    told: list[tuple[str, bool]] = field(default_factory=list)
    """What commands printed on stdout, and whether it was to show all."""
    addresses: list[str] = field(default_factory=list)
    fresh: int = 0
    ended: dict[str, set[int]] = field(default_factory=dict)
    """The exit codes of each command so far."""
    lines: int = 0
    """How many lines were logged so far."""

    def walk(self, name: str, path: Callable[["World"], object]) -> None:
        """Walk a path, then look at what was logged, printed and asked for."""
        self.stream.seek(0)
        self.stream.truncate()
        self.told.clear()
        self.addresses.clear()
        self.clinic.clock.advance(70)  # whoever tried to log in too often may try again
        path(self)
        for person in self.house.people:
            person.client.close()
        self.house.people.clear()
        self._catch()
        self.paths.append(name)
        self.lines += self.stream.getvalue().count("\n")
        self._look("log and stderr", self.stream.getvalue(), name)
        for text, shows_all in self.told:
            if not shows_all:
                self._look("stdout", text, name, belongs=TOLD)
        self._look("addresses of our pages", "\n".join(self.addresses), name, belongs=ADDRESSES)
        self._look("names of temporary files", "\n".join(map(str, self.temporary.rglob("*"))), name)
        for file in self.temporary.rglob("*"):
            if file.is_file():
                self._look("temporary files", file.read_bytes(), name)

    def look_behind(self) -> None:
        """Look at what stays: the ledger as files, as rows and as a dump, its journal, and every backup."""
        for file in sorted(self.folder.iterdir()):
            if file.is_file():
                self._look(f"file {file.name}", file.read_bytes(), "at the end", belongs=LEDGER)
        if self.clinic.ledger_url.startswith("sqlite"):
            self._look("journal of the ledger", self.journal(), "at the end", belongs=LEDGER)
        self._look("rows of the ledger", self.rows(), "at the end", belongs=LEDGER)
        if self.clinic.ledger_url.startswith("postgresql"):
            self._look("dump of the ledger", self.dump(), "at the end", belongs=LEDGER)

    def rows(self) -> str:
        """Every row of every table."""
        engine = open_engine(self.clinic.ledger_url, read_only=True)
        with reading(engine) as db:
            rows = [db.execute(sa.select(table)).all() for table in Base.metadata.tables.values()]
        return repr(rows)

    def journal(self) -> bytes:
        """The file that SQLite keeps beside the ledger while every row is being changed."""
        engine = open_engine(self.clinic.ledger_url)
        with engine.connect() as db, db.begin() as transaction:
            for table in Base.metadata.tables.values():
                column = next(iter(table.primary_key.columns))
                db.execute(sa.update(table).values({column.name: column}))
            found = Path(f"{engine.url.database}-journal").read_bytes()
            transaction.rollback()
        return found

    def dump(self) -> bytes:
        """The whole database as pg_dump writes it."""
        url = self.clinic.ledger_url.replace("+psycopg", "")
        return subprocess.run(["pg_dump", "--inserts", url], check=True, capture_output=True).stdout

    # ------------------------------------------------------------ what paths are made of

    def say(self, *arguments: str, typed: str = "", shows_all: bool = False, **settings: str) -> int:
        """Run a command; what it prints on stderr counts as logged. Gives back its exit code."""
        if arguments[0] in TICKING:
            self.clinic.restart()  # else it would hear that another worker holds the clinician
        with patch.object(sys, "stdin", io.StringIO(typed)):
            done = self.terminal.run(*arguments, **settings)
        self.stream.write(done.stderr)
        self.told.append((done.stdout, shows_all))
        words = [one for one in arguments if not one.startswith("-")]
        group = " ".join(words[: 2 if words[0] in ("review", "users", "db") else 1])
        self.ended.setdefault(group, set()).add(done.returncode)
        configure_logging(level="DEBUG", fmt="json")
        return done.returncode

    def a_document(self, name: str = f"{FIRST} {LAST}", born: str | None = BORN, **more: str) -> str:
        """A session about the patient, with a document that holds every string."""
        self.fresh += 1
        session = self.clinic.a_session(name, born, email=value_of("e-mail"), **more)
        self.clinic.heidi.edit_consult_note(session, status="CREATED", result=value_of("text of the consult note"))
        text = f"{kinds.whole_text()}\n\n{self.fresh} {'x' * self.fresh} {' '.join('abcdefgh'[self.fresh % 8] * 40)}"
        self.clinic.a_document(session, text, name=value_of("name of the document"))
        return session

    def open(self, person: Person, path: str) -> None:
        """Open a page; its address, and those it led through, are kept."""
        answer = person.get(path)
        self.addresses += [str(one.url) for one in (*answer.history, answer)]

    def logged_in(self, role: Role) -> Person:
        """A person of a role, with a login of their own."""
        name = f"{role.value}-{self.fresh}-{len(self.paths)}"
        person = self.house.person(role, name)
        self.kinds += [kinds.made("cookie of a login", value) for value in person.client.cookies.values()]
        person.get("/")
        self.kinds.append(kinds.made("token of a form", person.csrf))
        return person

    def _catch(self) -> None:
        """What was made meanwhile joins the kinds."""
        known = {kind.value for kind in self.kinds}
        tokens = {*self.clinic.heidi._tokens}
        ids = {one.patient_id for one in self.clinic.cliniko.patients.values()}
        caught = [("Heidi's token", one) for one in tokens] + [("patient's id", one) for one in ids]
        self.kinds += [kinds.made(name, value) for name, value in caught if value not in known]

    def _look(self, place: str, found: bytes | str, path: str, *, belongs: str = "") -> None:
        self.found += hits(self.kinds, place, path, found, belongs=belongs)


@contextmanager
def a_world(folder: Path, ledger_url: str | None = None, **extra: str) -> Iterator[World]:
    """A world whose temporary files and ledger are in this folder, for as long as the block lasts."""
    ledger_url = ledger_url or f"sqlite:///{folder / 'ledger' / 'ledger.db'}"
    (folder / "ledger").mkdir()
    (folder / "tmp").mkdir()
    if ledger_url.startswith("sqlite"):
        (folder / "ledger" / "ledger.db").write_bytes(new_file())
    clinic = _a_clinic(ledger_url, extra)
    stream = io.StringIO()
    with _loud(stream), _temporary(folder / "tmp"), open_house(clinic) as house:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder / "tmp"),
            **clinic.environment(),
        }
        terminal = Terminal(folder / "ledger", clinic.sandbox, {**environment, "SYNC_LOG_LEVEL": "DEBUG"})
        world = World(clinic, house, terminal, folder / "ledger", folder / "tmp", stream)
        yield world
    clinic.restart()
    clinic.sandbox.stop()


def _a_clinic(ledger_url: str, extra: dict[str, str]) -> Clinic:
    clock = RunningClock(datetime.now(UTC) - timedelta(hours=12))  # commands have the machine's own clock
    sandbox = Sandbox(HeidiSandbox(now=clock.now), ClinikoSandbox(now=clock.now))
    sandbox.heidi.api_key = value_of("Heidi key")
    sandbox.start()
    sandbox.heidi.add_clinician(email=value_of("clinician's e-mail"), user_id="physio-1")
    user = sandbox.cliniko.add_user(first_name="Ada", last_name="Physio", api_key=value_of("Cliniko key"))
    more = {
        "HEIDI_USER_EMAIL": value_of("clinician's e-mail"),
        "CLINIKO_CONTACT_EMAIL": value_of("contact's e-mail"),
        "SYNC_ALLOWED_HOSTS": "mail.example,hooks.example,ping.example",
        "SYNC_ALERT_SMTP_PASSWORD": value_of("password of the mail server"),
        "SYNC_ALERT_WEBHOOK_URL": f"https://hooks.example/{value_of('secret of a webhook')}",
        "SYNC_HEARTBEAT_URL": f"https://ping.example/{value_of('secret of the heartbeat')}",
        "SYNC_DOUBT_FIRST_LOOK_SECONDS": "0",
        "SYNC_DOUBT_SECOND_LOOK_SECONDS": "0",
        "HEIDI_TIMEOUT_SECONDS": "0.5",
        "CLINIKO_TIMEOUT_SECONDS": "0.5",
        "SYNC_START_AT": "2020-01-01",
        **extra,
    }
    clinic = Clinic(sandbox, clock, ledger_url, user, extra=more)
    clinic.a_patient(
        FIRST,
        LAST,
        BORN,
        email=value_of("e-mail"),
        preferred_first_name=value_of("preferred name"),
        phone=value_of("mobile number"),
    )
    sandbox.cliniko.add_template(name=value_of("name of a Cliniko template"), content=None)
    return clinic


@contextmanager
def _loud(stream: io.StringIO) -> Iterator[None]:
    """Everything that is written to stderr comes here, and every library says all it has."""
    root, levels = logging.getLogger(), {name: logging.getLogger(name).level for name in LOUD}
    handlers, level = root.handlers[:], root.level
    with patch.object(sys, "stderr", stream):
        configure_logging(level="DEBUG", fmt="json")
        quiet_stamina()
        for name in LOUD:
            logging.getLogger(name).setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            root.handlers[:] = handlers
            root.setLevel(level)
            for name, before in levels.items():
                logging.getLogger(name).setLevel(before)


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Temporary files are made here, where they can be looked at."""
    with patch.object(tempfile, "tempdir", str(folder)):
        yield
    shutil.rmtree(folder, ignore_errors=True)
