"""A worker in this process, as the service has one: for measuring its ticks one by one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.commands import environment
from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.commands.setup import open_ledger
from sync_worker.logs import configure_logging, quiet_stamina
from sync_worker.records import TickReport
from sync_worker.settings import load_settings


@contextmanager
def a_worker(services: Mapping[str, str], database_url: str, **more: str) -> Iterator[Worker]:
    """A worker with lifted limits on these services and this ledger, which is made where there is none."""
    settings = load_settings(environment(services, database_url, **more), env_file=None)
    configure_logging(level="ERROR", fmt="json")
    quiet_stamina()
    clock = SystemClock()
    worker = Worker(settings, open_ledger(settings, clock), clock)
    try:
        yield worker
    finally:
        worker.close()


def tick(worker: Worker, *, full: bool = False) -> TickReport:
    """One tick of its only clinician. Raises `SystemExit` where it met trouble: its numbers would say nothing."""
    [user_id] = worker.pipelines
    report = worker.tick(user_id, full=full)
    if report.trouble is not None:
        raise SystemExit(f"a tick met {report.trouble.code}: {report.trouble.hint}")
    return report
