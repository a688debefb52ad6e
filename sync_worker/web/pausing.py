"""Stopping and restarting posting, for one clinician or for everybody."""

from starlette.responses import Response

from sync_worker.errors import NotPossible
from sync_worker.web import access
from sync_worker.web.visit import Refusal, Visit

EVERYBODY = ""


def pause(visit: Visit) -> Response:
    """Stop posting. Sessions are still taken in."""
    user_id = _wanted(visit)
    if not access.may_pause(visit.account, user_id):
        raise Refusal(403, "Your account may pause its own clinician's posting only.")
    visit.office.decisions(visit.account).pause(_ids(visit, user_id), visit.office.clock.now())
    return visit.to("/?done=pause")


def resume(visit: Visit) -> Response:
    """Post again."""
    user_id = _wanted(visit)
    if not access.may_resume(visit.account, user_id):
        raise Refusal(403, "Your account may resume its own clinician's posting only.")
    decisions = visit.office.decisions(visit.account)
    if user_id is not None and decisions.is_everybody_paused():
        raise NotPossible("Posting is paused for everybody: an admin resumes that.")
    # a clinician's own pause, after a wrong patient for instance, is not ended by the way
    decisions.resume(_ids(visit, user_id), visit.office.clock.now(), own=user_id is not None)
    return visit.to("/?done=resume")


def _wanted(visit: Visit) -> str | None:
    given = visit.form.get("clinician", EVERYBODY)
    if given != EVERYBODY and given not in visit.office.names:
        raise Refusal(404, "There is no such clinician.")
    return given or None


def _ids(visit: Visit, user_id: str | None) -> list[int] | None:
    if user_id is None:
        return None
    return [visit.office.ledger.clinicians.enter(user_id).clinician_id]
