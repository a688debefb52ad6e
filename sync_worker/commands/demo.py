"""`demo` and `sandbox`: the real worker against stand-ins of both services on loopback, with made-up people only."""

import json
import os
import secrets
import shlex
import socket
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, say
from sync_worker.commands.setup import stop_on_signals
from sync_worker.errors import ConfigurationError
from sync_worker.ledger.views import ReviewItem, Views
from sync_worker.logs import configure_logging, quiet_stamina
from sync_worker.records import Role
from sync_worker.reference import reference_of
from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko_records import NoteRecord
from sync_worker.sandbox.practice import PopulatedPractice, build_practice, populate
from sync_worker.sandbox.wire import PortUnusable
from sync_worker.sandbox.words import lost_words
from sync_worker.settings import Settings, load_settings

MOST_ROUNDS = 30
SERVED_POLL_SECONDS = 10
SERVED_WITHIN_SECONDS = 20
POST_FAULTS = (
    "commit_then_drop",
    "drop",
    "commit_then_504",
    "500",
    "502_html",
    "cut_201",
    "429",
    "slow:3",
    "bad_json_201",
    "503",
)
"""Each way in which the answer to a POST may be lost or bad; some of them after the note was stored."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the documents, counted in the stand-ins and not in the worker's own ledger."""

    documents: int
    notes: int
    held: Counter[str]
    duplicates: int
    unfiled: int
    lost_words: int
    wrong_patients: int
    wrong_authors: int
    not_drafts: int
    posted_again: int

    @property
    def is_sound(self) -> bool:
        """Whether each document became one right note, or waits for a person."""
        wrong = (self.duplicates, self.unfiled, self.lost_words, self.wrong_patients, self.wrong_authors)
        return not any((*wrong, self.not_drafts, self.posted_again))


def demo(*, faults: bool, serve: bool = False) -> int:
    """Run the main job and print its table; with `serve` keep the page up afterwards. 1 if a zero is not zero."""
    folder = Path(tempfile.mkdtemp(prefix="sync-worker-demo-"))
    with Sandbox() as sandbox:
        populated = _populate(sandbox)
        if faults:
            _break_things(sandbox)
        environment = write_settings(sandbox, populated, folder)
        again, waiting = _work(environment)
        verdict = _judge(sandbox, populated, waiting, again)
        _show(verdict, folder, faults=faults)
        if serve:
            _serve(environment)
    return DONE if verdict.is_sound else PARTLY


def sandbox(heidi_port: int, cliniko_port: int) -> int:
    """Start the stand-ins, print the settings of a worker for them, and wait to be stopped."""
    try:
        return _stand_in(heidi_port, cliniko_port)
    except PortUnusable as error:
        raise ConfigurationError([f"Port {error.port} cannot be used: choose another."]) from None


def _stand_in(heidi_port: int, cliniko_port: int) -> int:
    stop = threading.Event()
    stop_on_signals(stop)
    with (
        # a worker elsewhere may still write its ledger there
        tempfile.TemporaryDirectory(prefix="sync-worker-sandbox-", ignore_cleanup_errors=True) as place,
        Sandbox(heidi_port=heidi_port, cliniko_port=cliniko_port) as services,
    ):
        folder = Path(place)
        environment = write_settings(services, _populate(services), folder)
        for name, value in environment.items():
            say(f"{name}={value}")
        print(f"# Stand-ins with made-up people. The same lines are in {folder / '.env'}.")  # noqa: T201
        print(f"# In another terminal: cd {shlex.quote(str(folder))} && {_script()} run")  # noqa: T201
        print("# Ctrl-C ends it, and deletes that folder.", flush=True)  # noqa: T201
        stop.wait()
    return DONE


def write_settings(sandbox: Sandbox, populated: PopulatedPractice, folder: Path) -> dict[str, str]:
    """Write `.env` and `clinic.toml` that point a worker at the stand-ins; give back the `.env` as a mapping."""
    keys = {f"CLINIKO_API_KEY_{user_id.upper().replace('-', '_')}": key for user_id, key in populated.api_keys.items()}
    environment = {
        **sandbox.environment(),
        **keys,
        "SYNC_CONFIG_FILE": str(folder / "clinic.toml"),
        "DATABASE_URL": f"sqlite:///{folder / 'ledger.db'}",
        "SYNC_START_AT": (datetime.now(UTC) - timedelta(days=10)).date().isoformat(),
        "SYNC_SETTLE_SECONDS": "0",
        "SYNC_BRAKE_POSTS_PER_HOUR": "0",
        "SYNC_DOUBT_FIRST_LOOK_SECONDS": "1",
        "SYNC_DOUBT_SECOND_LOOK_SECONDS": "2",
        "CLINIKO_TIMEOUT_SECONDS": "2",
        "CLINIKO_RATE_PER_MINUTE": "190",
    }
    clinicians = [
        f"[[clinicians]]\nname = {_toml(one.name)}\nheidi_email = {_toml(one.email)}\n"
        f"heidi_user_id = {_toml(one.user_id)}\ncliniko_api_key = {{ env = {_toml(env)} }}\n"
        for one, env in zip(populated.practice.clinicians, keys, strict=True)
    ]
    practice = '[practice]\nname = "Sandbox Physiotherapy"\ntimezone = "Australia/Hobart"\n'
    (folder / "clinic.toml").write_text("\n".join([practice, *clinicians]))
    with os.fdopen(os.open(folder / ".env", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in environment.items())
    return environment


def _populate(sandbox: Sandbox) -> PopulatedPractice:
    return populate(build_practice(now=datetime.now(UTC)), sandbox.heidi, sandbox.cliniko)


def _break_things(sandbox: Sandbox) -> None:
    for fault in POST_FAULTS:
        sandbox.cliniko.fail_post(fault, times=1, after=3)
    sandbox.cliniko.list_lag_seconds = 1
    for route, fault in (("patients", "502_html"), ("notes", "500"), ("patients", "drop"), ("patients", "429")):
        sandbox.cliniko.fail(route, fault, times=1, after=4)
    for route, fault in (
        ("documents", "500"),
        ("documents", "cut"),
        ("session", "drop"),
        ("session", "429_retry_after"),
    ):
        sandbox.heidi.fail(route, fault, times=1, after=9)


def _work(environment: dict[str, str]) -> tuple[int, list[ReviewItem]]:
    """Tick until nothing is open, then start a second worker on the same ledger: what did that one post?"""
    stop = threading.Event()
    stop_on_signals(stop)
    clock = SystemClock(stop)
    settings = load_settings(environment, env_file=None)
    configure_logging(level="CRITICAL", fmt=None)  # this terminal shows progress instead
    quiet_stamina()
    worker = Worker(settings, setup.open_ledger(settings, clock), clock)
    with Progress(transient=True) as progress:
        task = progress.add_task("Filing documents", total=None)
        for _ in range(MOST_ROUNDS):
            reports = worker.tick_all(full=True)
            progress.advance(task)
            if not sum(one.tally.pending + one.tally.in_doubt for one in reports) and not stop.is_set():
                break
            clock.sleep(1)
    worker.close()
    second = Worker(settings, setup.open_ledger(settings, clock), clock)
    again = sum(one.tally.posted for one in second.tick_all(full=True))
    waiting = Views(second.ledger.engine).review_list()
    second.close()
    return again, waiting


def _serve(environment: dict[str, str]) -> None:
    """The page, with an account of each role, while the worker goes on, until somebody ends it."""
    from sync_worker.scheduler import Service
    from sync_worker.web.server import PageServer

    stop = threading.Event()
    stop_on_signals(stop)
    clock = SystemClock(stop)
    settings = load_settings(environment | {"SYNC_WEB_BIND": _free_bind()}, env_file=None)
    worker = Worker(settings, setup.open_ledger(settings, clock), clock)
    password = secrets.token_urlsafe(12)
    names = _demo_accounts(worker, settings, password, clock)
    with PageServer(settings, worker, clock) as server:
        if not server.wait_until_ready(SERVED_WITHIN_SECONDS):
            say("The page cannot listen: end what uses its port, or set SYNC_WEB_BIND.")
            stop.set()
        say(f"The page: http://127.0.0.1:{server.port}/")
        for name, what in names.items():
            say(f"  {name:<10} {password}   ({what})")
        print("Ctrl-C ends it.", flush=True)  # noqa: T201 - a command talks to a person
        Service(worker, poll_seconds=SERVED_POLL_SECONDS, clock=clock).run()
    worker.close()


def _free_bind() -> str:
    """The page's usual port, else any free one."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", 8080))
        except OSError:
            return "127.0.0.1:0"
    return "127.0.0.1:8080"


def _demo_accounts(worker: Worker, settings: Settings, password: str, clock: SystemClock) -> dict[str, str]:
    """One account of each role; gives back their names and what they are."""
    from sync_worker.ledger.accounts import Accounts
    from sync_worker.passwords import hash_password

    first, hashed = settings.clinicians[0], hash_password(password)
    accounts = Accounts(worker.ledger.engine)
    made = (
        ("reception", Role.DESK, None, "front desk: names, birth dates and times, never a document's words"),
        ("emma", Role.CLINICIAN, first.heidi_user_id, f"clinician: {first.name}'s own sessions, with their words"),
        ("owner", Role.ADMIN, None, "admin: everybody's, without the words"),
    )
    for name, role, user_id, _ in made:
        accounts.add(name, role, hashed, heidi_user_id=user_id, wants_second_factor=False, now=clock.now())
    return {name: what for name, _, _, what in made}


def _judge(sandbox: Sandbox, populated: PopulatedPractice, waiting: list[ReviewItem], again: int) -> Verdict:
    """Compare what the stand-ins hold with what the practice's author meant to happen to each document."""
    notes = [note for note in sandbox.cliniko.notes.values() if note.archived_at is None]
    owners = _owners(populated)
    filed: dict[str, NoteRecord] = {}
    for note in notes:
        reference = note.title.rpartition("ref ")[2]
        if reference in owners:
            filed.setdefault(owners[reference][0], note)
    documents = {id_: one for id_, one in populated.by_document_id.items() if id_ not in populated.blank}
    return Verdict(
        documents=len(documents),
        notes=len(notes),
        held=Counter(item.reason for item in waiting),
        duplicates=len(notes) - len(filed),
        unfiled=len(documents.keys() - filed.keys() - {item.document_id for item in waiting}),
        lost_words=sum(
            len(lost_words(documents[id_].content, documents[id_].content_type, note.content))
            for id_, note in filed.items()
        ),
        wrong_patients=sum(note.patient_id != populated.expected.get(id_) for id_, note in filed.items()),
        wrong_authors=sum(
            note.practitioner_id != owners[note.title.rpartition("ref ")[2]][1] for note in filed.values()
        ),
        not_drafts=sum(not note.draft for note in filed.values()),
        posted_again=again,
    )


def _owners(populated: PopulatedPractice) -> dict[str, tuple[str, str]]:
    """By reference: the document's id, and the practitioner who must be its note's author."""
    return {
        reference_of(
            region="au",
            session_id=populated.sessions[session.key],
            document_id=populated.documents[document.key],
        ): (populated.documents[document.key], populated.practitioners[session.clinician])
        for session in populated.practice.sessions
        for document in session.documents
    }


def _show(verdict: Verdict, folder: Path, *, faults: bool) -> None:
    table = Table(title="The demo" + (", with answers lost on purpose" if faults else ""), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("Documents in", str(verdict.documents))
    table.add_row("Notes out, as drafts under their own clinician", str(verdict.notes))
    table.add_row("Held for a person", str(sum(verdict.held.values())))
    for reason, count in sorted(verdict.held.items()):
        table.add_row(f"  {reason}", str(count))
    table.add_section()
    table.add_row("Duplicates", str(verdict.duplicates))
    table.add_row("Lost words", str(verdict.lost_words))
    table.add_row("Wrong patients", str(verdict.wrong_patients))
    table.add_row("Wrong authors", str(verdict.wrong_authors))
    table.add_row("Neither filed nor held", str(verdict.unfiled))
    table.add_row("Not drafts", str(verdict.not_drafts))
    table.add_row("Posted again by a second worker on the same ledger", str(verdict.posted_again))
    Console().print(table)
    say(f"Where to look: cd {folder} && {_script()} review list    (or `status`, `review show ENTRY`)")


def _script() -> str:
    """How this program is called from another folder."""
    return shlex.quote(str(Path(sys.argv[0]).absolute()))


def _toml(text: str) -> str:
    return json.dumps(text)
