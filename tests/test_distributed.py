"""Several workers on one Postgres ledger: real processes, and the small parts. `tests/processes/many.py` kills them."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.request import urlopen

import pytest
from procrastinate.jobs import Job
from sqlalchemy import Engine, text

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.distributed import Service
from sync_worker.jobs import Jobs
from sync_worker.ledger import Ledger, queue
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.leases import Leases
from sync_worker.ledger.storage import open_engine, reading, writing
from sync_worker.pulse import Pulse
from sync_worker.records import Tally, TickReport, Trouble
from tests.processes.clinic import ROOT, Clinic
from tests.processes.databases import fresh_database
from tests.processes.many import SETTINGS
from tests.processes.worker import WorkerProcess, wait_until

pytestmark = pytest.mark.postgres
SELDOM = {"SYNC_POLL_INTERVAL_SECONDS": "600"}


@pytest.fixture
def address(tmp_path: Path, postgres_server: str | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Postgres database of a test's own: the queue's tables are not among those that are emptied between tests."""
    if postgres_server is None:
        pytest.skip("no Postgres server answers or can be started")
    monkeypatch.setenv("SYNC_TEST_POSTGRES", postgres_server)
    with fresh_database("postgres", tmp_path) as url:
        yield url


@contextmanager
def a_clinic(folder: Path, url: str, *, clinicians: int = 2, **settings: str) -> Iterator[Clinic]:
    with Clinic(folder, url, clinicians=clinicians, settings=SETTINGS | settings) as clinic:
        yield clinic


def jobs_in(clinic: Clinic) -> list[Any]:
    return tell(clinic._engine, "SELECT * FROM procrastinate_jobs ORDER BY id")


def tell(engine: Engine, *statements: str) -> list[Any]:
    """Say something to the queue's tables; the rows of the last answer, if it has any."""
    with writing(engine) as db:
        db.execute(text(f"SET LOCAL search_path = {queue.schema_name()}"))
        answers = [db.execute(text(statement)) for statement in statements]
        return list(answers[-1]) if answers[-1].returns_rows else []


def ticks_of(worker: WorkerProcess, name: str) -> int:
    return sum(event["clinician"] == name for event in worker.events("tick.done"))


# ---------------------------------------------------------------- real processes


@pytest.mark.proof
def test_two_workers_file_each_document_once_and_stop_when_they_are_asked(tmp_path: Path, address: str) -> None:
    with a_clinic(tmp_path, address, clinicians=4) as clinic:
        for number in range(12):
            clinic.a_document(number % 4)
        workers = [clinic.start("run"), clinic.start("run")]
        wait_until(lambda: all(worker.events("service.started") for worker in workers), "both to begin")
        clinic.let_settle()
        jobs, known = jobs_in(clinic), clinic.ask_ledger("SELECT id FROM clinicians")
        assert [worker.end(40) for worker in workers] == [0, 0]
        verdict = clinic.judge()
    assert (verdict.notes, verdict.duplicates, verdict.lost, verdict.misfiled) == (12, 0, 0, 0)
    assert {job.args["clinician"] for job in jobs} == {row.id for row in known}
    assert all(job.args.keys() == {"clinician"} for job in jobs)
    assert sum(len(worker.events("ledger.purged")) for worker in workers) == 1  # one of them leads
    assert all("Traceback" not in worker.said() for worker in workers)


@pytest.mark.proof
def test_a_decision_wakes_the_clinician_concerned_and_nobody_else(tmp_path: Path, address: str) -> None:
    with a_clinic(tmp_path, address, **SELDOM) as clinic:
        worker = clinic.start("run")
        wait_until(lambda: ticks_of(worker, "Physio 1") == ticks_of(worker, "Physio 2") == 1, "each to be ticked")
        number = clinic.ask_ledger("SELECT id FROM clinicians WHERE heidi_user_id = 'physio-2'")[0].id
        now = datetime.now(UTC)
        Decisions(clinic._engine, "a test").backfill(number, now - timedelta(days=9), now, now)
        wait_until(lambda: ticks_of(worker, "Physio 2") == 2, "the decision to be carried out")
        assert ticks_of(worker, "Physio 1") == 1
        waiting = [job for job in jobs_in(clinic) if job.status == "todo"]
        assert sorted(job.queueing_lock for job in waiting) == ["1", "2"]
        assert worker.end() == 0


@pytest.mark.proof
def test_a_job_of_a_clinician_who_left_is_let_go_and_one_that_is_missing_is_planned(
    tmp_path: Path, address: str
) -> None:
    with a_clinic(tmp_path, address, **SELDOM) as clinic:
        worker = clinic.start("run")
        wait_until(lambda: worker.good_ticks() == 2, "each to be ticked")
        wait_until(lambda: [job.status for job in jobs_in(clinic)] == ["todo", "todo"], "the next ticks to be planned")
        tell(
            clinic._engine,
            "DELETE FROM procrastinate_jobs",
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args) "
            "VALUES ('ticks', 'tick', '99', '99', json_build_object('clinician', 99))",
        )
        wait_until(lambda: worker.good_ticks() == 4, "the missing ones to be planned")
        assert [event["clinician"] for event in worker.events("job.let_go")] == ["99"]
        wait_until(lambda: {job.lock for job in jobs_in(clinic)} == {"1", "2"}, "the unknown one to be gone")
        assert worker.end() == 0


@pytest.mark.proof
def test_nothing_is_put_back_beside_a_worker_that_holds_nobody(tmp_path: Path, address: str) -> None:
    with a_clinic(tmp_path, address, **SELDOM) as clinic:
        worker = clinic.start("run")
        wait_until(lambda: worker.good_ticks() == 2, "each to be ticked")
        backup = clinic.start("db", "backup", str(tmp_path / "copy"))
        assert backup.wait() == 0, backup.said()
        restore = clinic.start("db", "restore", str(tmp_path / "copy"), "--replace")
        assert restore.wait() == 3
        assert f"process {worker.pid}" in restore.said()
        assert worker.end() == 0
        assert clinic.start("db", "restore", str(tmp_path / "copy"), "--replace").wait() == 0
        worker = clinic.start("run")
        wait_until(lambda: bool(worker.events("service.started")), "the worker to begin")
        assert worker.end() == 0


@pytest.mark.proof
def test_no_worker_begins_while_the_ledger_is_put_back(tmp_path: Path, address: str) -> None:
    with a_clinic(tmp_path, address) as clinic:
        assert clinic.start("db", "upgrade").wait() == 0
        engine = open_engine(address)
        alone = Leases(Ledger(engine, region="au"))
        assert alone.is_alone()
        worker = clinic.start("run")
        assert worker.wait() == 3
        assert "put back or moved" in worker.said()
        alone.close()


def test_a_ledger_in_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with a_clinic(tmp_path, f"sqlite:///{tmp_path}/ledger.db") as clinic:
        worker = clinic.start("run")
        assert worker.wait() == 2
        assert worker.said().count("sync-worker:") == 1
        assert "needs Postgres" in worker.said()


def test_one_worker_alone_never_loads_procrastinate(tmp_path: Path) -> None:
    code = (
        "import sys; from sync_worker import scheduler; from sync_worker.commands import database, run, status; "
        "from sync_worker.web import app; sys.exit('procrastinate' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 0


# ---------------------------------------------------------------- the tables


def test_workers_that_start_at_once_make_the_tables_once(address: str) -> None:
    engines = [open_engine(address, pooled=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        names = set(pool.map(queue.prepare, engines))
    assert names == {queue.schema_name()}
    seen = queue.look(engines[0])
    assert seen == queue.QueueSeen(waiting=0, due=0, running=0, oldest_due_seconds=0.0, workers=0)
    with reading(engines[0]) as db:
        assert db.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar() == 0
    for engine in engines:
        engine.dispose()


def test_a_queue_that_was_never_made_is_none(address: str) -> None:
    assert queue.look(open_engine(address)) is None


def test_a_look_at_the_queue_counts_what_is_due_and_who_lives(address: str) -> None:
    engine = open_engine(address)
    queue.prepare(engine)
    tell(
        engine,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, scheduled_at) VALUES "
        "('ticks', 'tick', 1, 'todo', now() - interval '40 seconds'), ('ticks', 'tick', 2, 'todo', NULL), "
        "('ticks', 'tick', 3, 'todo', now() + interval '1 hour'), ('ticks', 'tick', 4, 'doing', NULL)",
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()), ('2026-01-01')",
    )
    seen = queue.look(engine)
    assert seen is not None
    assert (seen.waiting, seen.due, seen.running, seen.workers) == (3, 2, 1, 1)
    assert 40 <= seen.oldest_due_seconds < 3600


# ---------------------------------------------------------------- one worker's part


class _Ticks:
    """Stands for the worker under the service: one clinician, whose tick takes as long as it is told."""

    def __init__(self, url: str, report: TickReport) -> None:
        clock = SystemClock()
        self.pulse = Pulse(clock, request_seconds=0)
        self.report = report
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.released: list[int] = []
        clinicians = SimpleNamespace(enter=lambda _user_id: SimpleNamespace(clinician_id=7), heed=lambda _number: None)
        self.ledger = SimpleNamespace(engine=open_engine(url), clinicians=clinicians)
        self.leases = SimpleNamespace(release=self.released.append, leads=lambda: True)
        self.pipelines = {"physio-1": self}
        self.night_zone = UTC

    def tick(self, _user_id: str) -> TickReport:
        self.begun.set()
        assert self.let_go.wait(30)
        return self.report


DONE = TickReport("A. Physio", Tally(), None)


@pytest.fixture
def ticking(address: str) -> Callable[[TickReport], tuple[_Ticks, Service, SystemClock]]:
    def make(report: TickReport) -> tuple[_Ticks, Service, SystemClock]:
        ticks, clock = _Ticks(address, report), SystemClock()
        return ticks, Service(cast(Worker, ticks), poll_seconds=60, clock=clock), clock

    return make


Ticking = Callable[[TickReport], tuple[_Ticks, Service, SystemClock]]


@pytest.mark.parametrize(
    ("report", "least", "most"),
    [
        (DONE, 60, 63),
        (TickReport("A. Physio", Tally(), None, is_cut_short=True), 0, 0),
        (TickReport("A. Physio", Tally(), Trouble("held", "Another worker has them.")), 60, 63),
    ],
    ids=["done", "cut short", "held elsewhere"],
)
def test_the_next_tick_is_due_after_the_interval_or_at_once_where_this_one_was_cut_short(
    ticking: Ticking, report: TickReport, least: float, most: float
) -> None:
    ticks, service, _ = ticking(report)
    ticks.let_go.set()
    seconds = asyncio.run(service.tick(7))
    assert seconds is not None
    assert least <= seconds <= most
    assert ticks.released == [7]


def test_a_worker_that_stops_leaves_the_next_tick_to_another_at_once(ticking: Ticking) -> None:
    ticks, service, clock = ticking(DONE)
    ticks.let_go.set()
    clock.stop.set()
    assert asyncio.run(service.tick(7)) == 0


def test_a_clinician_is_never_ticked_twice_at_once_in_one_process(ticking: Ticking) -> None:
    ticks, service, _ = ticking(DONE)

    async def twice() -> tuple[float | None, list[int]]:
        first = asyncio.create_task(service.tick(7))
        await asyncio.to_thread(ticks.begun.wait, 10)
        second, released = await service.tick(7), list(ticks.released)
        ticks.let_go.set()
        await first
        return second, released

    second, released = asyncio.run(twice())
    assert second is not None
    assert second >= 60
    assert released == []  # the second had nothing to do, and let nobody go
    assert ticks.released == [7]


def test_a_worker_without_anything_to_do_is_not_stuck(ticking: Ticking) -> None:
    ticks, service, _ = ticking(DONE)
    assert service._upkeep._poll_seconds == float("inf")
    assert ticks.pulse.silence(poll_seconds=service._upkeep._poll_seconds) is None


def test_a_job_that_nobody_here_does_any_more_is_thrown_away_at_the_second_look(address: str) -> None:
    async def never(_number: int) -> float | None:
        return None

    async def look_twice() -> list[list[int | None]]:
        jobs = Jobs(open_engine(address), "public", known=[7], tick=never, unheeded=set, at_once=1)
        jobs._worker_id, jobs._running = 5, {2}
        seen = [a_job(1, 5), a_job(2, 5), a_job(3, 6), a_job(4, 5, status="todo")]
        return [[job.id for job in jobs._broken_off(seen)] for _ in range(2)]

    assert asyncio.run(look_twice()) == [[], [1]]


def a_job(number: int, worker_id: int, *, status: str = "doing") -> Job:
    return Job(
        id=number,
        status=status,
        queue="ticks",
        lock="7",
        queueing_lock="7",
        task_name="tick",
        worker_id=worker_id,
    )


@pytest.mark.proof
def test_status_and_metrics_tell_of_the_queue(tmp_path: Path, address: str) -> None:
    with a_clinic(tmp_path, address, SYNC_WEB_ENABLED="true", SYNC_WEB_BIND="127.0.0.1:0", **SELDOM) as clinic:
        worker = clinic.start("run")
        wait_until(lambda: worker.good_ticks() == 2 and bool(worker.events("page.ready")), "each to be ticked")
        port = worker.events("page.ready")[0]["port"]
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            told = answer.read().decode()
        shown, listed = clinic.start("status"), clinic.start("status", "--json")
        assert (shown.wait(), listed.wait()) == (0, 0)
        assert worker.end() == 0
    assert "sync_worker_queue_workers 1.0" in told
    assert "sync_worker_queue_waiting 2.0" in told
    assert 'sync_worker_rate_budget_left{clinician="2"}' in told
    assert "1 workers live; ticks: 0 running, 2 planned, none due." in shown.said()
    nothing_due = {"waiting": 2, "due": 0, "running": 0, "oldest_due_seconds": 0.0, "workers": 1}
    assert json.loads(listed.said())["queue"] == nothing_due
