"""The service: APScheduler runs one tick job per clinician until the process is asked to stop.

Late runs are coalesced and never dropped (the library's own default drops what is a second late), and no tick of a
clinician overlaps another. A person's decision in any process wakes the clinicians within seconds. Where ticks have
stopped for good, the process ends, so that whoever started it starts it anew.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.collect import night_of
from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.logs import get_logger
from sync_worker.model import Status
from sync_worker.notify import Notifier
from sync_worker.settings.surroundings import Supervisor
from sync_worker.watch import Watch

log = get_logger()

DECISIONS_SECONDS = 2
LOOK_SECONDS = 60
NIGHT_SECONDS = 900
"""How often it is asked whether a night has come of which the purge is still to be done."""
JITTER_SECONDS = 3
STATUS_SECONDS = 30
WATCH_SECONDS = 1.0
PAGE_PATIENCE_SECONDS = 30.0
"""A page that cannot listen says so in the log and tries again: the service files all the same, and is ready."""
STUCK = 1
"""The exit code of a service that has stopped working."""
CLOCK_STEP_SECONDS = 2.0
"""A wall clock that runs away from the monotonic one by so much within a watch was set."""


class _Every(BaseTrigger):  # type: ignore[misc]
    """Every so many seconds, counted from now.

    The library's own interval works out every run that a clock which was set a year ahead has missed, one by one.
    """

    def __init__(self, seconds: float, jitter: float = 0.0) -> None:
        self._seconds = seconds
        self._jitter = jitter

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next run, as APScheduler asks for it."""
        wait = self._seconds + random.uniform(0, self._jitter)  # noqa: S311 - spreads load, guards nothing
        return max(previous or now, now) + timedelta(seconds=wait)


def end_process() -> None:
    """End at once, with exit code 1: any other way out would wait for the thread that is stuck.

    The locks on the clinicians go with the process.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(STUCK)


class Service:
    """Ticks of all clinicians, every `poll_seconds`, until `clock.stop` is set."""

    def __init__(
        self,
        worker: Worker,
        *,
        poll_seconds: int,
        clock: SystemClock,
        at_once: int = 8,
        watch: Watch | None = None,
        notifier: Notifier | None = None,
        is_page_ready: Callable[[], bool] = lambda: True,
        give_up: Callable[[], None] = end_process,
    ) -> None:
        """`at_once` is how many clinicians tick beside each other at most.

        `notifier` hears how the service is; `give_up` is called where no tick happens any more."""
        self._worker = worker
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._notifier = notifier or Notifier(Supervisor(), clock)
        self._is_page_ready = is_page_ready
        self._give_up = give_up
        self._running: set[str] = set()
        self._decisions_seen: dict[str, int] = {}
        self._purged_at: datetime | None = None
        self._lock = threading.Lock()
        self._scheduler = BackgroundScheduler(
            executors={
                "default": ThreadPoolExecutor(min(at_once, len(worker.pipelines))),
                "watch": ThreadPoolExecutor(1),
                "tell": ThreadPoolExecutor(1),  # a mail server may let it wait
                "night": ThreadPoolExecutor(1),
            },
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._scheduler.add_listener(self._on_trouble, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        # told by the scheduler's own thread, every other second at least, whatever the jobs do
        self._scheduler.add_listener(self._on_planned, EVENT_JOB_SUBMITTED | EVENT_JOB_MAX_INSTANCES)
        for user_id in worker.pipelines:
            self._scheduler.add_job(
                self._tick,
                _Every(poll_seconds, jitter=min(JITTER_SECONDS, poll_seconds // 2)),
                args=[user_id],
                id=user_id,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.add_job(self._notice_decisions, _Every(DECISIONS_SECONDS), id="decisions", executor="watch")
        if watch is not None:
            self._scheduler.add_job(watch.look, _Every(LOOK_SECONDS), id="watch", executor="tell")

        if self._notifier.is_heard:
            self._scheduler.add_job(
                self._tell_status,
                _Every(STATUS_SECONDS),
                id="status",
                executor="watch",
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.add_job(
            self._purge,
            _Every(NIGHT_SECONDS),
            id="purge",
            executor="night",
            next_run_time=datetime.now(UTC),
        )

    def run(self) -> None:
        """Tick until asked to stop; then let an open request end, and come back."""
        self._scheduler.start()
        log.info("service.started", count=len(self._worker.pipelines))
        self._watch()
        self._notifier.stopping()
        log.info("service.stopping")
        self._scheduler.shutdown(wait=True)

    def _watch(self) -> None:
        """Until asked to stop, or until ticks have stopped by themselves."""
        self._apart = time.time() - time.monotonic()
        is_ready, patient_until = False, self._clock.monotonic() + PAGE_PATIENCE_SECONDS
        while not self._clock.stop.wait(min(WATCH_SECONDS, self._notifier.feed_seconds)):
            self._watch_the_clock()
            if silent := self._worker.pulse.silence(poll_seconds=self._poll_seconds):
                log.critical("service.stuck", code=silent)
                self._notifier.status(f"stuck ({silent}), and ends to be started anew")
                self._give_up()
                return
            if not is_ready and (self._is_page_ready() or self._clock.monotonic() > patient_until):
                self._notifier.ready()
                is_ready = True
            if is_ready:
                self._notifier.alive()

    def _watch_the_clock(self) -> None:
        """The scheduler plans by the wall clock: when that was set, all is planned anew."""
        before, self._apart = self._apart, time.time() - time.monotonic()
        if abs(self._apart - before) > CLOCK_STEP_SECONDS:
            log.warning("clock.stepped", seconds=round(self._apart - before))
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))

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

    def _tell_status(self) -> None:
        """One line of counts for whoever asks systemd."""
        try:
            counts = self._worker.entry_counts()
        except LedgerUnavailable:
            self._notifier.status("the ledger does not answer")
            return
        told = {"pending": Status.PENDING, "in doubt": Status.IN_DOUBT, "waiting for a person": Status.REVIEW}
        self._notifier.status(", ".join(f"{counts.get(status, 0)} {words}" for words, status in told.items()))

    def _on_planned(self, _event: JobEvent) -> None:
        self._worker.pulse.planned()

    def _purge(self) -> None:
        """Purge the ledger: once after each start, which may have missed a night, and then once a night."""
        now, zone = self._clock.now(), self._worker.night_zone
        if self._purged_at is not None and night_of(now, zone) == night_of(self._purged_at, zone):
            return
        try:
            done = self._worker.purge.run(now, is_stopping=self._clock.stop.is_set)
        except (LedgerUnavailable, LedgerMismatch):
            log.warning("ledger.not_purged", code="ledger_unavailable")  # it is tried again in a quarter of an hour
            return
        self._purged_at = now
        log.info(
            "ledger.purged", evidence=done.evidence, hashes=done.hashes, sessions=done.sessions, logins=done.logins
        )

    @staticmethod
    def _on_trouble(event: JobEvent) -> None:
        if event.code == EVENT_JOB_MAX_INSTANCES:
            log.info("tick.still_running")  # longer than a poll's interval: the next one comes when it is over
            return
        error = getattr(event, "exception", None)
        log.error("job.failed" if error else "job.late", error=type(error).__name__ if error else None)
