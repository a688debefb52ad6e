"""The audit trail, newest first: who did what, when, to which entry, and why. It holds no patient's data."""

from starlette.responses import Response

from sync_worker.ledger.moves import WORKER
from sync_worker.ledger.pages import Told
from sync_worker.ledger.trail import Event, Step, told
from sync_worker.records import Status
from sync_worker.web import access
from sync_worker.web.visit import Visit
from sync_worker.web.words import DECISIONS, EVENTS, LOOKS, STATUSES, WISHES, inside

SIZE = 50


def page(visit: Visit) -> Response:
    """The newest steps, or those before one; with people's looks only if wanted, as these would bury the rest."""
    asked = visit.request.query_params
    before = visit.number("before", largest=2**31 - 1) if "before" in asked else None
    entry_id = visit.number("entry") if "entry" in asked else None
    looks = asked.get("looks") == "1"
    steps = visit.office.pages.history(
        access.whose(visit.account), entry_id=entry_id, before=before, size=SIZE, looks=looks
    )
    return visit.show(
        "history.html",
        steps=[(one, sentence(one.step)) for one in steps],
        entry=entry_id,
        older=steps[-1].trail_id if len(steps) == SIZE else None,
        is_newest=before is None,
        looks=looks,
    )


def sentence(step: Step) -> str:
    """A step in words: who did what, and why."""
    who = "The worker" if step.actor == WORKER else step.actor
    details = told(step) or {}  # where somebody changed them, `check` says it
    what = EVENTS.get(step.event, step.event)
    if step.event in (Event.DECIDED, Event.WISHED) and "decision" in details:
        what = DECISIONS.get(str(details["decision"]), what)
    if step.event == Event.WISHED and "wish" in details:
        what = WISHES.get(details["wish"], what)
    if step.event == Event.VIEWED:
        what = next((said for name, said in LOOKS.items() if name in details), what)
    words = f"{who} {what}"
    if step.to_status is not None:
        words += f": {inside(STATUSES[Status(step.to_status)])}"
    if step.event == Event.RESIDENCY_OVERRIDDEN:
        words += f" to {', '.join(map(str, details.get('hosts', [])))}: {details.get('why', '')}"
    if step.reason is not None:
        words += f" ({step.reason.replace('_', ' ')})"
    return words


def of_entry(visit: Visit, entry_id: int) -> list[tuple[Told, str]]:
    """One entry's newest steps, for its own page; looks are told in the history alone, if wanted."""
    steps = visit.office.pages.history(access.whose(visit.account), entry_id=entry_id, size=SIZE, looks=False)
    return [(one, sentence(one.step)) for one in steps]
