"""A practice of five clinicians without sockets: their worker, their charts, and what can be taken from them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import httpx
from sqlalchemy import event

from sync_worker.reference import reference_of
from sync_worker.sandbox.heidi import BASE_PATH as HEIDI_PATH
from sync_worker.sandbox.wire import Request
from sync_worker.settings import load_settings
from sync_worker.watch import Watch
from tests.faults.database import sqlite_error
from tests.faults.world import World

CLINICIANS = tuple(f"physio-{number}" for number in range(1, 6))
PEOPLE = (
    ("Mary", "Jones", "1980-02-03"),
    ("Mary", "Jones", "1951-07-21"),  # her namesake
    ("Peter", "Nguyen", "1994-11-30"),
    ("Aisha", "Khan", "2001-05-17"),
    ("Omar", "Khan", "2001-05-17"),  # her twin
    ("Grace", "Lee", "1963-09-09"),
    ("Luca", "Rossi", "1988-12-01"),
    ("Luca", "Rossini", "1988-01-12"),
    ("Nina", "Petrov", "1975-04-26"),
    ("Tom", "O'Brien", "1947-08-14"),
)
OVER_FOR = timedelta(minutes=3)
"""How long a session has been over when its document is finished."""
LENGTH = timedelta(minutes=15)
WRITES = ("INSERT", "UPDATE", "DELETE")
BROKEN_LINES: tuple[Callable[[], httpx.TransportError], ...] = (
    lambda: httpx.ConnectError("refused"),
    lambda: httpx.ConnectTimeout("no answer"),
    lambda: httpx.ReadTimeout("silence"),
    lambda: httpx.RemoteProtocolError("cut"),
)


@dataclass(frozen=True, slots=True)
class Paper:
    """A document, when it was finished by the true time, and where its note belongs."""

    document_id: str
    finished_at: datetime
    clinician: str
    patient_id: str


@dataclass
class Practice(World):
    """The practice. `opens` before anything else."""

    users: dict[str, str] = field(default_factory=dict)
    """Each clinician's user in Cliniko, by Heidi user id."""
    charts: list[tuple[str, str, str]] = field(default_factory=list)
    """Each patient's name, birth date and chart."""
    papers: dict[str, Paper] = field(default_factory=dict)
    """By reference."""
    down: set[str] = field(default_factory=set)
    """Which services cannot be reached."""
    random: Random = field(default_factory=lambda: Random(1))
    _is_disk_full: bool = False
    _watch: Watch | None = None

    @property
    def watch(self) -> Watch:
        """What tells people, of the worker that works now."""
        if self._watch is None:
            self._watch = Watch(load_settings(self.environment(), env_file=None), self.worker, self.clock)
        return self._watch

    def restart(self, **extra: str) -> None:
        """Let the worker go, and what it knew of what it told."""
        self._watch = None
        super().restart(**extra)

    def open(self) -> None:
        """Everybody comes to work."""
        self.before = self._unless_down
        self.users["physio-1"] = self.user_id
        for user_id in CLINICIANS[1:]:
            self.heidi.add_clinician(email=self.email_of(user_id), user_id=user_id)
            self.users[user_id] = self.cliniko.add_user(first_name="Physio", last_name=user_id.title())
        for first, last, born in PEOPLE:
            self.charts.append((f"{first} {last}", born, self.a_patient(first, last, born)))
        self._write_clinic_file()

    def environment(self) -> dict[str, str]:
        """The settings that a practice starts with, and those that say where everything is."""
        given = super().environment()
        of_one = ("HEIDI_USER_EMAIL", "HEIDI_USER_ID", "CLINIKO_API_KEY")
        tests_own = ("SYNC_SETTLE_SECONDS", "SYNC_BRAKE_POSTS_PER_HOUR", "CLINIKO_RATE_PER_MINUTE")
        timeouts = ("CLINIKO_TIMEOUT_SECONDS", "HEIDI_TIMEOUT_SECONDS")
        kept = {name: value for name, value in given.items() if name not in (*of_one, *tests_own, *timeouts)}
        keys = {_key_name(user_id): self.cliniko.key_of(user) for user_id, user in self.users.items()}
        return kept | keys | {"SYNC_CONFIG_FILE": str(self._clinic_file)}

    @staticmethod
    def email_of(user_id: str) -> str:
        """A clinician's address in Heidi."""
        return "a.physio@example.com" if user_id == "physio-1" else f"{user_id}@example.com"

    def finish_a_document(self, clinician: str) -> None:
        """A clinician finishes a document about one of the patients, unlike any other."""
        now = self.clock.true()
        name, born, patient_id = self.random.choice(self.charts)
        session_id = self.heidi.add_session(
            clinician=clinician, patient_name=name, birth_date=born, created_at=now - OVER_FOR - LENGTH
        )
        number = len(self.papers) + 1
        document_id = self.heidi.add_document(session_id, name="Letter", content=f"# Plan\n\nLetter {number}: rest.")
        reference = reference_of(region="au", session_id=session_id, document_id=document_id)
        self.papers[reference] = Paper(document_id, now, clinician, patient_id)

    # ------------------------------------------------------------ what can be taken from it

    def lose_key(self, clinician: str) -> None:
        """An administrator revokes the clinician's key in Cliniko."""
        self.cliniko.revoke(self.cliniko.key_of(self.users[clinician]))

    def give_new_key(self, clinician: str) -> None:
        """The clinician makes another one, it is put into the settings, and the service is started anew."""
        self.cliniko.add_key(self.users[clinician])
        self.restart()

    def fill_disk(self) -> None:
        """From now on the ledger can be read, and not written."""
        self._is_disk_full = True
        event.listen(self.ledger.engine, "do_execute", self._unless_full)

    def free_disk(self) -> None:
        """Somebody made some space."""
        self._is_disk_full = False

    def lose_an_answer(self) -> None:
        """The next note is stored, and its answer lost."""
        self.cliniko.fail_post("commit_then_drop")

    def _unless_down(self, request: Request) -> None:
        service = "heidi" if request.path.startswith(HEIDI_PATH) else "cliniko"
        if service in self.down:
            raise self.random.choice(BROKEN_LINES)()

    def _unless_full(self, _cursor: object, statement: str, _values: object, _context: object) -> None:
        if self._is_disk_full and statement.split(None, 1)[0].upper() in WRITES:
            raise sqlite_error("full")

    # ------------------------------------------------------------ the worker's own file

    @property
    def _clinic_file(self) -> Path:
        return Path(self.ledger_url.removeprefix("sqlite:///")).with_name("clinic.toml")

    def _write_clinic_file(self) -> None:
        lines = ["[practice]", 'timezone = "Australia/Hobart"']
        for user_id in CLINICIANS:
            listed = {"name": user_id.title(), "heidi_email": self.email_of(user_id), "heidi_user_id": user_id}
            lines += ["[[clinicians]]", *(f"{name} = {json.dumps(value)}" for name, value in listed.items())]
            lines.append(f'cliniko_api_key = {{ env = "{_key_name(user_id)}" }}')
        self._clinic_file.write_text("\n".join(lines))


def _key_name(user_id: str) -> str:
    return f"CLINIKO_API_KEY_{user_id.rpartition('-')[2]}"
