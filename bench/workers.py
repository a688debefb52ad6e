"""How much more several workers do than one: `python -m bench.workers`.

Starts one, two and four workers with `SYNC_ENGINE=procrastinate` on a new Postgres ledger, each with one tick at a
time, for the same clinicians: one in five has a document to file. Every answer of both services takes a quarter of a
second, so that a tick is mostly waiting, as it is in a practice. All ticks become due at one moment, when every worker
waits for them; timed is from then until each clinician was read and each document filed. The stand-ins are in a process
of their own; workers, stand-ins and Postgres share this machine's processors all the same.
"""

import multiprocessing
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from bench.commands import databases, environment
from bench.commands import run as run_command
from bench.figures import Figure, show, write
from sync_worker.ledger import Ledger, queue
from sync_worker.ledger.storage import open_engine
from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.wire import Reply, Request

CLINICIANS, FEWER = 200, 80
HAS_A_DOCUMENT = 5
"""One clinician in so many."""
WORKERS = (1, 2, 4)
LATENCY_SECONDS = 0.25
LEAST_RATIO = 3.4
"""Of four workers over one: what is left of four where they share two processors and one database."""
LONGEST_SECONDS = 1200.0
BOOT_SECONDS = 20.0
"""After which the ticks become due: every worker has started by then, or the measurement is refused."""


def run(clinicians: int = FEWER) -> list[Figure]:
    """Ticks a second of one, two and four workers, and how much more the last do than the first."""
    rates = {workers: clinicians / seconds_of(workers, clinicians) for workers in WORKERS}
    figures = [Figure(f"ticks a second, {workers} workers", rate) for workers, rate in rates.items()]
    one, most = WORKERS[0], WORKERS[-1]
    ratio = rates[most] / rates[one]
    return [
        *figures,
        Figure(f"{most} workers / one", ratio, target=LEAST_RATIO, at_least=True),
        Figure("2 workers / one", rates[2] / rates[one]),
    ]


def seconds_of(workers: int, clinicians: int) -> float:
    """How long so many workers take to tick each clinician once. Raises `SystemExit` where they do not."""
    with ExitStack() as stack:
        services = stack.enter_context(_services(clinicians))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        urls = stack.enter_context(databases(only="postgres"))
        if not urls:
            raise SystemExit("several workers need Postgres")
        url = urls["Postgres"]
        (folder / "clinic.toml").write_text(_clinic_file(clinicians))
        settings = environment(
            services,
            url,
            SYNC_ENGINE="procrastinate",
            SYNC_TICKS_AT_ONCE="1",
            SYNC_POLL_INTERVAL_SECONDS="86400",
            SYNC_CONFIG_FILE=str(folder / "clinic.toml"),
            SYNC_LOOKBACK_DAYS="14",
        )
        run_command("db", "upgrade", environment=settings, folder=folder)
        due_at = _plan(url, clinicians)
        stack.enter_context(_started(workers, settings, folder))
        return _until_done(url, clinicians, workers, due_at)


def _plan(url: str, clinicians: int) -> datetime:
    """Let every clinician's first tick be due at one moment to come."""
    engine = open_engine(url)
    ledger = Ledger(engine, region="au")
    numbers = [ledger.clinicians.enter(_user_id(number)).clinician_id for number in range(clinicians)]
    due_at = datetime.now(UTC) + timedelta(seconds=BOOT_SECONDS)
    rows = [{"lock": str(number), "number": number, "at": due_at} for number in numbers]
    with engine.begin() as db:
        db.execute(sa.text(f"SET LOCAL search_path = {queue.schema_name()}"))
        db.execute(sa.text(_JOB), rows)
    engine.dispose()
    return due_at


_JOB = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
    VALUES ('ticks', 'tick', :lock, :lock, json_build_object('clinician', cast(:number AS int)), :at)
"""


@contextmanager
def _started(workers: int, settings: Mapping[str, str], folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "sync_worker", "run"]
    with (folder / "said").open("ab") as said:
        started = [
            subprocess.Popen(command, cwd=folder, env=dict(settings), stdout=said, stderr=said)  # noqa: S603 - ours
            for _ in range(workers)
        ]
        try:
            yield
        finally:
            for one in started:
                one.terminate()
            for one in started:
                one.wait(60)


def _until_done(url: str, clinicians: int, workers: int, due_at: datetime) -> float:
    engine, documents = open_engine(url, pooled=True), _documents(clinicians)
    try:
        while (now := datetime.now(UTC)) < due_at + timedelta(seconds=LONGEST_SECONDS):
            seen = queue.look(engine)
            if now < due_at and due_at - now < timedelta(seconds=1) and (seen is None or seen.workers != workers):
                raise SystemExit(f"{workers} workers did not start within {BOOT_SECONDS:g} s: try on a quieter machine")
            with engine.connect() as db:
                read = db.execute(sa.text("SELECT count(*) FROM clinicians WHERE last_poll_at IS NOT NULL")).scalar()
                filed = db.execute(sa.text("SELECT count(*) FROM entries WHERE status = 'posted'")).scalar()
            if (read, filed) == (clinicians, documents):
                return (datetime.now(UTC) - due_at).total_seconds()
            time.sleep(0.2)
    finally:
        engine.dispose()
    raise SystemExit(f"{workers} workers read {read} of {clinicians} clinicians and filed {filed} of {documents} notes")


# ---------------------------------------------------------------- the services, in another process


@contextmanager
def _services(clinicians: int) -> Iterator[dict[str, str]]:
    """The settings that point a worker at both stand-ins, which live until the block is left."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, clinicians), daemon=True)
    process.start()
    there.close()  # whoever waits for a process that ended hears of it
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def _serve(asked: Connection, clinicians: int) -> None:
    heidi, cliniko = _Heidi(), _Cliniko()
    cliniko.rate_limit_per_minute = None
    cliniko.add_patient(first_name="Mary", last_name="Jones", date_of_birth="1980-02-03")
    keys = {}
    for number in range(clinicians):
        heidi.add_clinician(email=_email(number), user_id=_user_id(number))
        user = cliniko.add_user(first_name="Physio", last_name=f"Number {number}")
        keys[_key_name(number)] = cliniko.key_of(user)
        if number < _documents(clinicians):
            at = datetime.now(UTC) - timedelta(hours=5)
            session = heidi.add_session(
                clinician=_user_id(number), patient_name="Mary Jones", birth_date="1980-02-03", created_at=at
            )
            text = f"# Plan\n\nHeel raises, {number} a day.\n"
            heidi.add_document(session, name="Letter", content=text, touch=False)
    with Sandbox(heidi, cliniko) as sandbox:
        asked.send(sandbox.environment() | keys)
        asked.recv()


class _Heidi(HeidiSandbox):
    def handle(self, request: Request) -> Reply:
        """Answer as one does that is a way off."""
        return replace(super().handle(request), delay_seconds=LATENCY_SECONDS)


class _Cliniko(ClinikoSandbox):
    def handle(self, request: Request) -> Reply:
        """Answer as one does that is a way off."""
        return replace(super().handle(request), delay_seconds=LATENCY_SECONDS)


def _clinic_file(clinicians: int) -> str:
    lines = ['[practice]\nname = "Sandbox Physiotherapy"\ntimezone = "Australia/Hobart"']
    for number in range(clinicians):
        lines += [
            "[[clinicians]]",
            f'name = "Physio {number}"',
            f'heidi_email = "{_email(number)}"',
            f'heidi_user_id = "{_user_id(number)}"',
            f'cliniko_api_key = {{ env = "{_key_name(number)}" }}',
        ]
    return "\n".join(lines) + "\n"


def _documents(clinicians: int) -> int:
    """How many clinicians have one: the first ones, so that no long tick is left for the end."""
    return clinicians // HAS_A_DOCUMENT


def _user_id(number: int) -> str:
    return f"physio-{number}"


def _email(number: int) -> str:
    return f"physio.{number}@example.com"


def _key_name(number: int) -> str:
    return f"CLINIKO_API_KEY_{number}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clinicians", type=int, default=CLINICIANS)
    asked = parser.parse_args(arguments)
    figures = run(asked.clinicians)
    show(f"{asked.clinicians} clinicians, one tick at a time in each worker", figures)
    write("workers", figures, clinicians=asked.clinicians)


if __name__ == "__main__":
    main()
