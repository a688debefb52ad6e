"""What a running service does beside its ticks, whichever engine runs them.

It waits until the process is asked to stop, tells whoever started it how it is, ends the process where nothing happens
any more, purges at night, and lets the watch look every minute. Its scheduler plans all that; the embedded engine plans
its ticks there too.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.collect import night_of
from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.logs import get_logger
from sync_worker.notify import Notifier
from sync_worker.records import Status
from sync_worker.settings.surroundings import Supervisor
from sync_worker.watch import Watch

log = get_logger()

LOOK_SECONDS = 60
NIGHT_SECONDS = 900
"""How often it is asked whether a night has come of which the purge is still to be done."""
STATUS_SECONDS = 30
WATCH_SECONDS = 1.0
PAGE_PATIENCE_SECONDS = 30.0
"""A page that cannot listen says so in the log and tries again: the service files all the same, and is ready."""
STUCK = 1
"""The exit code of a service that has stopped working."""
CLOCK_STEP_SECONDS = 2.0
"""A wall clock that runs away from the monotonic one by so much within a watch was set."""


class Every(BaseTrigger):  # type: ignore[misc]
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


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a service calls beside its ticks; a test leaves out what it does not need."""

    watch: Watch | None = None
    notifier: Notifier | None = None
    """Hears how the service is."""
    is_page_ready: Callable[[], bool] = _always
    give_up: Callable[[], None] = end_process
    """Called where no tick happens any more."""


NO_HOOKS = Hooks()


class Upkeep:
    """Everything but the ticks of a service, until `clock.stop` is set."""

    def __init__(
        self,
        worker: Worker,
        *,
        poll_seconds: float,
        clock: SystemClock,
        at_once: int = 1,
        hooks: Hooks = NO_HOOKS,
        leads: Callable[[], bool] = _always,
    ) -> None:
        """`poll_seconds` is how often a tick must begin at least: infinite where there may be none to do.

        `at_once` is for the ticks that are planned here. `leads` says whether it is for this process to tell people and
        to purge, which one of several does for all.
        """
        self._worker = worker
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._hooks = hooks
        self._notifier = hooks.notifier or Notifier(Supervisor(), clock)
        self._leads = leads
        self._purged_at: datetime | None = None
        self.scheduler = BackgroundScheduler(
            executors={
                "default": ThreadPoolExecutor(at_once),
                "watch": ThreadPoolExecutor(1),
                "tell": ThreadPoolExecutor(1),  # a mail server may let it wait
                "night": ThreadPoolExecutor(1),
            },
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self.scheduler.add_listener(on_trouble, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        if hooks.watch is not None:
            self.scheduler.add_job(self._look, Every(LOOK_SECONDS), id="watch", executor="tell")
        if self._notifier.is_heard:
            self._plan_at_once(self.tell_status, STATUS_SECONDS, "status", "watch")
        self._plan_at_once(self.purge, NIGHT_SECONDS, "purge", "night")

    def run(self) -> None:
        """Plan and watch until asked to stop; then let what runs here end, and come back."""
        self.scheduler.start()
        log.info("service.started", count=len(self._worker.pipelines))
        self._watch_over()
        self._notifier.stopping()
        log.info("service.stopping")
        self.scheduler.shutdown(wait=True)

    def purge(self) -> None:
        """Purge the ledger: once after each start, which may have missed a night, and then once a night."""
        now, zone = self._clock.now(), self._worker.night_zone
        if self._purged_at is not None and night_of(now, zone) == night_of(self._purged_at, zone):
            return
        if not self._leads():
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

    def tell_status(self) -> None:
        """One line of counts for whoever asks systemd."""
        try:
            counts = self._worker.entry_counts()
        except LedgerUnavailable:
            self._notifier.status("the ledger does not answer")
            return
        told = {"pending": Status.PENDING, "in doubt": Status.IN_DOUBT, "waiting for a person": Status.REVIEW}
        self._notifier.status(", ".join(f"{counts.get(status, 0)} {words}" for words, status in told.items()))

    def _plan_at_once(self, work: Callable[[], None], seconds: float, name: str, executor: str) -> None:
        first = datetime.now(UTC)
        self.scheduler.add_job(work, Every(seconds), id=name, executor=executor, next_run_time=first)

    def _look(self) -> None:
        if self._hooks.watch is not None and self._leads():
            self._hooks.watch.look()

    def _watch_over(self) -> None:
        """Until asked to stop, or until ticks have stopped by themselves."""
        self._apart = time.time() - time.monotonic()
        is_ready, patient_until = False, self._clock.monotonic() + PAGE_PATIENCE_SECONDS
        while not self._clock.stop.wait(min(WATCH_SECONDS, self._notifier.feed_seconds)):
            self._watch_the_clock()
            if silent := self._worker.pulse.silence(poll_seconds=self._poll_seconds):
                log.critical("service.stuck", code=silent)
                self._notifier.status(f"stuck ({silent}), and ends to be started anew")
                self._hooks.give_up()
                return
            if not is_ready and (self._hooks.is_page_ready() or self._clock.monotonic() > patient_until):
                self._notifier.ready()
                is_ready = True
            if is_ready:
                self._notifier.alive()

    def _watch_the_clock(self) -> None:
        """The scheduler plans by the wall clock: when that was set, all is planned anew."""
        before, self._apart = self._apart, time.time() - time.monotonic()
        if abs(self._apart - before) > CLOCK_STEP_SECONDS:
            log.warning("clock.stepped", seconds=round(self._apart - before))
            for job in self.scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))


def on_trouble(event: JobEvent) -> None:
    """Tell of a job that failed or came late: the scheduler itself would do so with the error's text."""
    if event.code == EVENT_JOB_MAX_INSTANCES:
        log.info("tick.still_running")  # longer than a poll's interval: the next one comes when it is over
        return
    error = getattr(event, "exception", None)
    log.error("job.failed" if error else "job.late", error=type(error).__name__ if error else None)
