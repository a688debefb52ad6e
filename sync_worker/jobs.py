"""One turn as a worker of Procrastinate's queue: from connecting to it until it breaks off, or is not wanted any more.

Owns what a job is: whose tick is due, by the clinician's number in the ledger and nothing else. Its lock is the
clinician, so that one runs at most, and its queueing lock too, so that one waits at most; one more may wait behind a
tick that runs, for a decision of a person.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status
from sqlalchemy import Engine

from sync_worker.ledger.queue import DEAD_SECONDS
from sync_worker.ledger.storage import POSTGRES_LIMITS
from sync_worker.logs import get_logger

log = get_logger()

QUEUE, TICK = "ticks", "tick"
HEARTBEAT_SECONDS = 3.0
LOOK_SECONDS = 5.0
"""How often each worker looks for jobs that are missing, or were begun by the dead."""
FETCH_SECONDS = 1.0
DECISIONS_SECONDS = 2.0
DUE, WOKEN = 0, 1
"""Priorities. Who is woken passes the clinician's own next job, which waits for its time."""
CONNECTIONS = 4
PATIENCE_SECONDS = 10.0

TROUBLE = (ConnectorException, psycopg.Error, OSError)
"""The database cannot be reached, or broke off."""

Tick = Callable[[int], Awaitable[float | None]]
"""Ticks a clinician; gives back in how many seconds their next tick is due, None for one who is not known."""


class Jobs:
    """A turn at the queue. For one use."""

    def __init__(
        self,
        engine: Engine,
        schema: str,
        *,
        known: Collection[int],
        tick: Tick,
        unheeded: Callable[[], set[int]],
        at_once: int,
    ) -> None:
        """`schema` is where the jobs lie. `unheeded`, asked in a thread, gives those whom a person's decision wakes."""
        self._known = known
        self._tick = tick
        self._unheeded = unheeded
        self._at_once = at_once
        self._app = App(connector=_connector(engine, schema))
        self._manager = self._app.job_manager
        self._task = self._app.task(name=TICK, queue=QUEUE, pass_context=True)(self._run_job)
        self._ahead = timedelta()
        """How far the database's clock is ahead of ours: jobs become due by the database's."""
        self._running: set[int] = set()
        self._worker_id: int | None = None
        self._doubtful: set[int] = set()
        self._woken: set[int] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then let open ticks end. Raises a `TROUBLE` where the database breaks off."""
        try:
            await asyncio.wait_for(self._app.open_async(), PATIENCE_SECONDS)
            await self._put_right()  # before the first job is fetched, so that the clock is known
            parts = [
                asyncio.create_task(part)
                for part in (self._fetch(), self._look_after(), self._notice_decisions(), stopping.wait())
            ]
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in parts:
                part.cancel()
            for ended in await asyncio.gather(*parts, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
        finally:
            await self._app.close_async()

    async def _fetch(self) -> None:
        """Take jobs and do them; asked to stop, take no more and come back when those that are open have ended."""
        await self._app.run_worker_async(
            queues=[QUEUE],
            concurrency=self._at_once,
            install_signal_handlers=False,
            delete_jobs=DeleteJobCondition.ALWAYS,
            fetch_job_polling_interval=FETCH_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=DEAD_SECONDS,
        )

    # ------------------------------------------------------------ a job

    async def _run_job(self, context: JobContext, clinician: int) -> None:
        job_id = context.job.id or 0
        self._worker_id = context.job.worker_id
        self._running.add(job_id)
        try:
            seconds = await self._tick(clinician)
        finally:
            self._running.discard(job_id)
        if seconds is not None:
            try:
                await self._defer(clinician, seconds)
            except TROUBLE:
                log.warning("job.not_planned", code="ledger_unavailable")  # it is found missing in a few seconds

    async def _defer(self, clinician: int, seconds: float, *, is_woken: bool = False) -> None:
        """Let a clinician's tick be due in so many seconds, unless one waits."""
        with suppress(AlreadyEnqueued):
            await self._manager.defer_job_async(self._job(clinician, seconds, is_woken=is_woken))

    def _job(self, clinician: int, seconds: float, *, is_woken: bool = False) -> Job:
        due_at = datetime.now(UTC) + self._ahead + timedelta(seconds=seconds) if seconds > 0 else None
        job = self._task.configure(
            lock=str(clinician),
            queueing_lock=f"woken:{clinician}" if is_woken else str(clinician),
            priority=WOKEN if is_woken else DUE,
            schedule_at=due_at,
        )
        return job.make_new_job(clinician=clinician)

    # ------------------------------------------------------------ what every worker looks after

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._put_right()

    async def _put_right(self) -> None:
        """Throw away the jobs of dead workers, and those that broke off here; then plan what is missing."""
        row = await self._app.connector.execute_query_one_async("SELECT clock_timestamp() AS now")
        self._ahead = row["now"] - datetime.now(UTC)
        await self._manager.prune_stalled_workers(DEAD_SECONDS)
        for job in await self._manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=DEAD_SECONDS):
            await self._throw_away(job)
        jobs = list(await self._manager.list_jobs_async(queue=QUEUE, task=TICK))
        for job in self._broken_off(jobs):
            await self._throw_away(job)
            jobs.remove(job)
        planned = {job.lock for job in jobs}
        if missing := [self._job(one, 0) for one in self._known if str(one) not in planned]:
            with suppress(AlreadyEnqueued):  # another worker does the same: what is still missing the next look tells
                await self._manager.batch_defer_jobs_async(missing)

    def _broken_off(self, jobs: Collection[Job]) -> list[Job]:
        """Jobs of ours that are not done and that nobody here does: their end could not be written down.

        Seen so twice, since between fetching and doing lies a moment.
        """
        ours = [job for job in jobs if job.status == Status.DOING.value and job.worker_id == self._worker_id]
        idle = [job for job in ours if self._worker_id is not None and job.id not in self._running]
        before, self._doubtful = self._doubtful, {job.id for job in idle if job.id is not None}
        return [job for job in idle if job.id in before]

    async def _throw_away(self, job: Job) -> None:
        if job.id is None:
            return
        try:
            await self._manager.finish_job_by_id_async(job_id=job.id, status=Status.FAILED, delete_job=True)
        except ConnectorException:
            return  # another worker was faster, or the next look tells
        log.warning("job.recovered", clinician=str(job.task_kwargs.get("clinician")))

    async def _notice_decisions(self) -> None:
        """Wake whom a decision concerns; a running tick is followed by another."""
        while True:
            unheeded = await asyncio.to_thread(self._unheeded)
            for clinician in unheeded - self._woken:
                await self._defer(clinician, 0, is_woken=True)
            self._woken = unheeded
            await asyncio.sleep(DECISIONS_SECONDS)


def _connector(engine: Engine, schema: str) -> PsycopgConnector:
    """Connections as the ledger's own, which see no tables but the queue's, and wait for no disk: jobs may be lost."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    options = f"{POSTGRES_LIMITS['options']} -c search_path={schema} -c synchronous_commit=off"
    return PsycopgConnector(
        kwargs=dict(arguments) | POSTGRES_LIMITS | {"options": options},
        min_size=1,
        max_size=CONNECTIONS,
        timeout=PATIENCE_SECONDS,
        reconnect_timeout=PATIENCE_SECONDS,
    )
