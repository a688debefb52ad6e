"""A clinic that a proof treats badly: both stand-ins on loopback, one ledger, documents that keep arriving.

Owns the verdict. It is counted in the Cliniko stand-in; the ledger is asked only for what it shows to a person (what is
held) and for what nobody may find there at the end (an entry that is still under way).
"""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from sync_worker.reference import reference_of
from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.wire import Request
from tests.processes.verdict import Verdict
from tests.processes.worker import TooLong, WorkerProcess, wait_until

ROOT = Path(__file__).parent.parent.parent
PATIENTS = ("Mary Jones", "Peter Nguyen", "Aisha Khan", "Tom O'Brien", "Grace Lee", "Luca Rossi", "Nina Petrov")
EXERCISES = ("heel raises", "wall squats", "band rows", "hip bridges", "chin tucks", "step ups", "calf stretches")
UNDER_WAY = ("pending", "posting", "in_doubt")
IN_BUSINESS = timedelta(days=1)
"""Since when the clinic has used the worker. Documents of sessions before that are for a backfill."""
EARLIER = timedelta(hours=4)
"""How old sessions are: long enough unchanged not to be read again at every poll, so that ticks stay short."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A document, and where its note belongs."""

    session_id: str
    document_id: str
    patient_id: str
    practitioner_id: str


class Clinic:
    """Both stand-ins, the settings of a worker for them, and everything that was started; ended with the block."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        clinicians: int = 1,
        seed: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.random = Random(seed)
        self.heidi, self.cliniko = HeidiSandbox(), ClinikoSandbox()
        self.cliniko.rate_limit_per_minute = None
        self.papers: dict[str, Paper] = {}
        self._sandbox = Sandbox(self.heidi, self.cliniko)
        self._sandbox.start()
        self._numbers = count(1)
        self._started: list[WorkerProcess] = []
        self._engine = sa.create_engine(database_url, poolclass=sa.NullPool)
        self._practitioners = self._make_clinicians(clinicians)
        self._patients = self._make_patients()
        self.environment = self._environment(database_url) | dict(settings or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._started:
            if process.is_running:
                process.kill()
        self._sandbox.stop()
        self._engine.dispose()

    # ------------------------------------------------------------ the practice

    def a_document(
        self, clinician: int = 0, *, before_business: bool = False, age: timedelta = EARLIER, known: bool = True
    ) -> str:
        """A finished document, unlike any other; gives back its reference.

        `age` is that of its session, `known` whether its patient has a chart: where not, a person must be asked.
        """
        number = next(self._numbers)
        name, patient_id = self.random.choice(self._patients) if known else ("Nobody Known", "")
        created_at = datetime.now(UTC) - age - (IN_BUSINESS if before_business else timedelta())
        user_id, practitioner_id = self._practitioners[clinician]
        session_id = self.heidi.add_session(
            clinician=user_id, patient_name=name, birth_date="1980-02-03", created_at=created_at
        )
        said = self.random.sample(EXERCISES, 3)
        text = f"# Plan {number}\n\nVisit {number}: {said[0]}.\n\n- {said[1]}\n- {said[2]} x {number}\n"
        document_id = self.heidi.add_document(session_id, name=f"Letter {number}", content=text, touch=False)
        reference = reference_of(region="au", session_id=session_id, document_id=document_id)
        self.papers[reference] = Paper(session_id, document_id, patient_id, practitioner_id)
        return reference

    def requests_since(self, seen: int) -> list[Request]:
        """The requests to Cliniko after the first `seen`."""
        return self.cliniko.requests[seen:]

    def posts(self, seen: int = 0) -> int:
        """How many requests to create a note arrived after the first `seen` requests."""
        return sum(is_post(request) for request in self.requests_since(seen))

    @property
    def opened_on(self) -> str:
        """A day before any of the documents."""
        return (datetime.now(UTC) - IN_BUSINESS - EARLIER - timedelta(days=1)).date().isoformat()

    # ------------------------------------------------------------ the worker

    def start(self, *arguments: str, **settings: str) -> WorkerProcess:
        """Start a worker's command in a process of its own."""
        log = self.folder / f"worker-{len(self._started) + 1}.log"
        process = WorkerProcess(arguments, folder=self.folder, environment=self.environment | settings, log=log)
        self._started.append(process)
        return process

    def finish(self, seconds: float = 90) -> float:
        """Let a worker do what is left, and stop it; the seconds to its first tick's end.

        What it cannot finish is for the verdict to tell.
        """
        process = self.start("run")
        process.wait_for_good_tick()
        first_tick = process.age
        self.let_settle(seconds)
        code = process.end()
        assert code == 0, process.said()[-2000:]
        return first_tick

    def let_settle(self, seconds: float = 90) -> None:
        """Wait until the workers have nothing left to do. If that takes too long, the verdict tells."""
        with suppress(TooLong):
            wait_until(self._is_all_settled, "every entry settled", seconds)

    # ------------------------------------------------------------ the verdict

    def ask_ledger(self, query: str) -> list[Any]:
        """Rows of the ledger."""
        with self._engine.connect() as db:
            return list(db.execute(sa.text(query)))

    def count_entries(self, *statuses: str) -> int:
        """How many entries stand so."""
        return sum(row.status in statuses for row in self.ask_ledger("SELECT status FROM entries"))

    def judge(self) -> Verdict:
        """Compare the notes in Cliniko with the documents in Heidi, and both with what the ledger shows."""
        notes = {note.note_id: note for note in self.cliniko.notes.values()}
        by_reference = Counter(note.title.rpartition("ref ")[2] for note in notes.values())
        entries = self.ask_ledger("SELECT document_id, status, reason, note_id FROM entries")
        held = {row.document_id: str(row.reason) for row in entries if row.status == "review"}
        abandoned = self.ask_ledger("SELECT id FROM attempts WHERE code = 'abandoned'")
        return Verdict(
            documents=len(self.papers),
            notes=len(notes),
            posts=self.posts(),
            duplicates=sum(found - 1 for found in by_reference.values()),
            lost=sum(not by_reference[ref] and paper.document_id not in held for ref, paper in self.papers.items()),
            misfiled=sum(self._is_misfiled(note) for note in notes.values()),
            imagined=sum(row.status == "posted" and row.note_id not in notes for row in entries),
            stuck=sum(row.status in UNDER_WAY for row in entries),
            held=Counter(held.values()),
            abandoned=len(abandoned),
        )

    def _is_misfiled(self, note: Any) -> bool:
        paper = self.papers.get(note.title.rpartition("ref ")[2])
        return paper is None or (note.patient_id, note.practitioner_id) != (paper.patient_id, paper.practitioner_id)

    def _is_all_settled(self) -> bool:
        time.sleep(0.1)  # others want to write meanwhile
        rows = self.ask_ledger("SELECT status FROM entries")
        return len(rows) == len(self.papers) and not any(row.status in UNDER_WAY for row in rows)

    # ------------------------------------------------------------ setting up

    def _make_clinicians(self, how_many: int) -> list[tuple[str, str]]:
        made, lines = [], ['[practice]\nname = "Sandbox Physiotherapy"\ntimezone = "Australia/Hobart"\n']
        self._keys: dict[str, str] = {}
        for number in range(1, how_many + 1):
            user_id, email = f"physio-{number}", f"physio.{number}@example.com"
            self.heidi.add_clinician(email=email, user_id=user_id)
            cliniko_user = self.cliniko.add_user(first_name="Physio", last_name=f"Number {number}")
            self._keys[f"CLINIKO_API_KEY_{number}"] = self.cliniko.key_of(cliniko_user)
            made.append((user_id, self.cliniko.practitioner_of(cliniko_user)))
            listed = {"name": f"Physio {number}", "heidi_email": email, "heidi_user_id": user_id}
            lines += ["[[clinicians]]", *(f"{name} = {json.dumps(value)}" for name, value in listed.items())]
            lines += [f'cliniko_api_key = {{ env = "CLINIKO_API_KEY_{number}" }}\n']
        (self.folder / "clinic.toml").write_text("\n".join(lines))
        return made

    def _make_patients(self) -> list[tuple[str, str]]:
        made = []
        for name in PATIENTS:
            first, last = name.split(" ", 1)
            made.append((name, self.cliniko.add_patient(first_name=first, last_name=last, date_of_birth="1980-02-03")))
        return made

    def _environment(self, database_url: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            **self._sandbox.environment(),
            **self._keys,
            "SYNC_CONFIG_FILE": str(self.folder / "clinic.toml"),
            "DATABASE_URL": database_url,
            "SYNC_START_AT": (datetime.now(UTC) - IN_BUSINESS).isoformat(),
            "SYNC_SETTLE_SECONDS": "0",
            "SYNC_POLL_INTERVAL_SECONDS": "1",
            "SYNC_DOUBT_FIRST_LOOK_SECONDS": "1",
            "SYNC_DOUBT_SECOND_LOOK_SECONDS": "2",
            "SYNC_BRAKE_POSTS_PER_HOUR": "0",
            "SYNC_WEB_ENABLED": "false",
            "CLINIKO_RATE_PER_MINUTE": "100000",
            "CLINIKO_TIMEOUT_SECONDS": "5",
            "HEIDI_TIMEOUT_SECONDS": "5",
        }


def is_post(request: Request) -> bool:
    """Whether a request asks Cliniko for a new note."""
    return request.method == "POST" and request.path.endswith("/treatment_notes")


def is_look_at_patient(request: Request) -> bool:
    """Whether a request reads patients: the last thing before the claim."""
    return request.method == "GET" and "/patients" in request.path
