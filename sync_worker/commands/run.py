"""`run`: the service."""

from typing import TYPE_CHECKING

from sync_worker.clock import Clock, SystemClock
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, HELD_ELSEWHERE, ONE_AT_A_TIME, report
from sync_worker.ledger import Ledger
from sync_worker.ledger.leases import WORKING, Leases
from sync_worker.logs import get_logger
from sync_worker.settings import Settings, TickEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync_worker import distributed, scheduler


def run() -> int:
    """The service, until it is asked to stop. 3 if every clinician is held by other workers."""
    settings, clock = setup.load_for_work()
    ledger = setup.open_ledger(settings, clock)
    if settings.sync_engine is TickEngine.PROCRASTINATE:
        return _run_beside_others(settings, ledger, clock)
    leases = Leases(ledger)
    try:
        held = _held_elsewhere(settings, ledger, leases, clock)
        if len(held) == len(settings.clinicians):
            return report("held", [*held, ONE_AT_A_TIME], HELD_ELSEWHERE, as_json=False)
        get_logger().info("service.ready", mode=settings.sync_mode, count=len(settings.clinicians) - len(held))
        _serve(settings, ledger, leases, clock)
    finally:
        leases.close()
        ledger.engine.dispose()
    return DONE


def _run_beside_others(settings: Settings, ledger: Ledger, clock: SystemClock) -> int:
    """As one of several workers: who is ticked by another just now is no trouble."""
    leases = Leases(ledger, is_shared=True)
    try:
        if not leases.join():
            whose = f"The ledger is being put back or moved by {leases.holder_of(WORKING)}: start when that is done."
            return report("held", [whose], HELD_ELSEWHERE, as_json=False)
        get_logger().info("service.ready", mode=settings.sync_mode, count=len(settings.clinicians))
        _serve(settings, ledger, leases, clock)
    finally:
        leases.close()
        ledger.engine.dispose()
    return DONE


def _held_elsewhere(settings: Settings, ledger: Ledger, leases: Leases, clock: Clock) -> list[str]:
    """Take every lease that is free; who holds the others, one line per clinician held."""
    held = []
    for clinician in settings.clinicians:
        state = ledger.clinicians.enter(clinician.heidi_user_id)
        if leases.acquire(state.clinician_id, clock.now()) is None:
            held.append(f"{clinician.name} is held by {leases.holder_of(state.clinician_id)}.")
    return held


def _serve(settings: Settings, ledger: Ledger, leases: Leases, clock: SystemClock) -> None:
    # loaded only by the worker that works: who is refused hears it without waiting for them
    from sync_worker.bootstrap import Worker
    from sync_worker.notify import Notifier
    from sync_worker.upkeep import Hooks
    from sync_worker.watch import Watch
    from sync_worker.web.server import PageServer

    worker = Worker(settings, ledger, clock, leases)
    watch = Watch(settings, worker, clock)
    try:
        with PageServer(settings, worker, clock) as page:
            _engine_of(settings)(
                worker,
                poll_seconds=settings.sync_poll_interval_seconds,
                clock=clock,
                at_once=settings.sync_ticks_at_once,
                hooks=Hooks(watch, Notifier(settings.supervisor, clock), is_page_ready=lambda: page.is_ready),
            ).run()
    finally:
        watch.close()
        worker.close()


def _engine_of(settings: Settings) -> "Callable[..., scheduler.Service | distributed.Service]":
    """What runs the ticks. Each engine's libraries are loaded only where it is wanted."""
    if settings.sync_engine is TickEngine.PROCRASTINATE:
        from sync_worker import distributed

        return distributed.Service
    from sync_worker import scheduler

    return scheduler.Service
