"""What programs ask: is the process alive, and can it do its work. No login, and nothing of patients or clinicians."""

from datetime import timedelta

from starlette.responses import PlainTextResponse, Response

from sync_worker.alarms import late_after
from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.web.visit import Visit


def alive(_visit: Visit) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


def ready(visit: Visit) -> Response:
    """The ledger answers, and somebody was polled lately; else 503 with what is wrong."""
    office = visit.office
    try:
        polls = [state.last_poll_at for state in office.views.clinicians().values() if state.last_poll_at]
    except (LedgerUnavailable, LedgerMismatch):
        return PlainTextResponse("the ledger does not answer\n", 503)
    late = late_after(timedelta(seconds=office.poll_seconds))
    if not polls or office.clock.now() - max(polls) > late:
        return PlainTextResponse("no clinician was polled lately\n", 503)
    return PlainTextResponse("ready\n")
