"""The embedded engine: APScheduler runs one tick job per clinician until the process is asked to stop.

Late runs are coalesced and never dropped (the library's own default drops what is a second late), and no tick of a
clinician overlaps another. A person's decision in any process wakes the clinicians within seconds. Where ticks have
stopped for good, the process ends, so that whoever started it starts it anew.
"""

import threading
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED, JobEvent

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.errors import LedgerUnavailable
from sync_worker.logs import get_logger
from sync_worker.upkeep import NO_HOOKS, Every, Hooks, Upkeep

log = get_logger()

DECISIONS_SECONDS = 2
JITTER_SECONDS = 3


class Service:
    """Ticks of all clinicians, every `poll_seconds`, until `clock.stop` is set."""

    def __init__(
        self,
        worker: Worker,
        *,
        poll_seconds: int,
        clock: SystemClock,
        at_once: int = 8,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        """`at_once` is how many clinicians tick beside each other at most."""
        self._worker = worker
        self._clock = clock
        self._running: set[str] = set()
        self._decisions_seen: dict[str, int] = {}
        self._lock = threading.Lock()
        self._upkeep = Upkeep(
            worker,
            poll_seconds=poll_seconds,
            clock=clock,
            at_once=min(at_once, len(worker.pipelines)),
            hooks=hooks,
        )
        self._scheduler = self._upkeep.scheduler
        # told by the scheduler's own thread, every other second at least, whatever the jobs do
        self._scheduler.add_listener(self._on_planned, EVENT_JOB_SUBMITTED | EVENT_JOB_MAX_INSTANCES)
        for user_id in worker.pipelines:
            self._scheduler.add_job(
                self._tick,
                Every(poll_seconds, jitter=min(JITTER_SECONDS, poll_seconds // 2)),
                args=[user_id],
                id=user_id,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.add_job(self._notice_decisions, Every(DECISIONS_SECONDS), id="decisions", executor="watch")

    def run(self) -> None:
        """Tick until asked to stop; then let an open request end, and come back."""
        self._upkeep.run()

    def _tick(self, user_id: str) -> None:
        with self._lock:
            self._running.add(user_id)
        try:
            self._note_decisions(user_id)
            with self._worker.pulse.ticking():
                report = self._worker.tick(user_id)
        finally:
            with self._lock:
                self._running.discard(user_id)
        if report.is_cut_short and not self._clock.stop.is_set():
            self._scheduler.modify_job(user_id, next_run_time=datetime.now(UTC))

    def _note_decisions(self, user_id: str) -> None:
        try:
            self._decisions_seen[user_id] = self._worker.ledger.decisions()
        except LedgerUnavailable:
            log.error("ledger.unavailable", code="ledger_unavailable")

    def _notice_decisions(self) -> None:
        """Wake whoever has not ticked since the newest decision; a running tick is looked at again right after."""
        try:
            newest = self._worker.ledger.decisions()
        except LedgerUnavailable:
            return  # the tick says so
        for user_id in self._worker.pipelines:
            with self._lock:
                idle = user_id not in self._running
            if idle and self._decisions_seen.get(user_id, newest) < newest:
                self._scheduler.modify_job(user_id, next_run_time=datetime.now(UTC))

    def _on_planned(self, _event: JobEvent) -> None:
        self._worker.pulse.planned()
