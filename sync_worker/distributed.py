"""The engine of several workers: Procrastinate hands the clinicians' ticks to whichever worker has a place free.

A job says no more than whose tick is due. Of each clinician one job waits at most and one runs, and a tick's end plans
the next. So a job is nothing that could be lost: every worker looks every few seconds which clinician has none, and
whose were begun by a worker that is dead, and puts things right. The lease on the clinician, taken for each tick, stays
what keeps two workers apart.

Each worker looks after the queue by itself, rather than by a periodic job: such a job would wait for a free place
behind the ticks, and be lost with the worker that runs it.
"""

import asyncio
import math
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.errors import LedgerUnavailable
from sync_worker.jobs import TROUBLE, Jobs
from sync_worker.ledger import queue
from sync_worker.logs import get_logger
from sync_worker.records import TickReport
from sync_worker.upkeep import NO_HOOKS, Hooks, Upkeep

log = get_logger()

BEAT_SECONDS = 0.5
RETRY_SECONDS = 2.0
JITTER_SECONDS = 3.0


class Service:
    """Ticks whichever clinician is due, beside other workers on the same ledger, until `clock.stop` is set."""

    def __init__(
        self,
        worker: Worker,
        *,
        poll_seconds: int,
        clock: SystemClock,
        at_once: int = 8,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        """As the embedded engine's. Raises `LedgerUnavailable`."""
        self._worker = worker
        self._clock = clock
        self._schema = queue.prepare(worker.ledger.engine)
        self._poll_seconds = poll_seconds
        self._at_once = at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="tick")
        clinicians = worker.ledger.clinicians
        self._known = {clinicians.enter(user_id).clinician_id: user_id for user_id in worker.pipelines}
        self._ticking: set[int] = set()
        self._queue = threading.Thread(target=self._run_queue, name="queue", daemon=True)
        self._upkeep = Upkeep(
            worker,
            poll_seconds=math.inf,  # others may do all that is to do
            clock=clock,
            hooks=hooks,
            leads=worker.leases.leads,
        )

    def run(self) -> None:
        """Tick until asked to stop; then let open requests end, and come back."""
        self._queue.start()
        self._upkeep.run()
        self._queue.join()
        self._threads.shutdown()

    # ------------------------------------------------------------ the queue's own thread

    def _run_queue(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        """Be a worker of the queue, and one anew wherever the database broke off, until asked to stop."""
        stopping = asyncio.Event()
        beat = asyncio.create_task(self._beat(stopping))
        while not stopping.is_set():
            try:
                await self._turn().run(stopping)
            except TROUBLE:
                log.error("queue.unavailable", code="ledger_unavailable")
            except Exception:
                log.exception("queue.failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), RETRY_SECONDS)
        await beat

    def _turn(self) -> Jobs:
        return Jobs(
            self._worker.ledger.engine,
            self._schema,
            known=self._known,
            tick=self.tick,
            unheeded=self._unheeded,
            at_once=self._at_once,
        )

    async def _beat(self, stopping: asyncio.Event) -> None:
        """Show that this thread lives, and pass on that the process is asked to stop."""
        while not self._clock.stop.is_set():
            self._worker.pulse.planned()
            await asyncio.sleep(BEAT_SECONDS)
        stopping.set()

    # ------------------------------------------------------------ one tick

    async def tick(self, clinician_id: int) -> float | None:
        """Tick a clinician in a thread; in how many seconds the next tick is due, None for a clinician not known."""
        user_id = self._known.get(clinician_id)
        if user_id is None:
            log.info("job.let_go", clinician=str(clinician_id))
            return None
        report = None
        if clinician_id not in self._ticking:  # else a job given up for lost whose tick still goes on here
            self._ticking.add(clinician_id)
            try:
                report = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._tick, user_id, clinician_id
                )
            finally:
                self._ticking.discard(clinician_id)
        if self._clock.stop.is_set() or (report is not None and report.is_cut_short):
            return 0.0
        return self._poll_seconds + random.uniform(0, min(JITTER_SECONDS, self._poll_seconds / 2))  # noqa: S311

    def _tick(self, user_id: str, clinician_id: int) -> TickReport:
        try:
            self._worker.ledger.clinicians.heed(clinician_id)
        except LedgerUnavailable:
            log.error("ledger.unavailable", code="ledger_unavailable")
        try:
            with self._worker.pulse.ticking():
                return self._worker.tick(user_id)
        finally:
            self._worker.leases.release(clinician_id)

    def _unheeded(self) -> set[int]:
        """The known clinicians about whom a person decided something that no tick has seen. Raises nothing."""
        with suppress(LedgerUnavailable):
            return self._worker.ledger.clinicians.unheeded() & self._known.keys()
        return set()
