"""Linking a clinician's Heidi account: Heidi's own flow, opened from here.

Heidi's address holds a live token. It is shown to the clinician it is for, in a page that nothing keeps, and goes into
no log and no address of ours.
"""

from starlette.responses import Response

from sync_worker.errors import RemoteError
from sync_worker.logs import get_logger
from sync_worker.records import Role
from sync_worker.web import access
from sync_worker.web.visit import Refusal, Visit

log = get_logger()


def page(visit: Visit) -> Response:
    """Who is linked, as far as Heidi tells now."""
    account, office = visit.account, visit.office
    lines: list[tuple[str, str, bool | None, str]] = []
    for user_id, live in office.live.items():
        if not access.may_see(account, user_id):
            continue
        try:
            lines.append((user_id, office.name_of(user_id), live.is_linked(), ""))
        except RemoteError as error:
            lines.append((user_id, office.name_of(user_id), None, error.sentence))
    return visit.show("connect.html", lines=lines, address=None, clinician=None)


def link(visit: Visit) -> Response:
    """Ask Heidi for the address, and show it to the one whose account it is to link."""
    user_id = visit.form.get("clinician", "")
    account, office = visit.account, visit.office
    if user_id not in office.live or not access.may_see(account, user_id):
        raise Refusal(404, "There is no such clinician.")
    if account.role is not Role.CLINICIAN and account.heidi_user_id != user_id:
        raise Refusal(403, "Only the clinician links their own Heidi account: they log in here, or run `link`.")
    address = office.live[user_id].link_url()
    log.info("link.asked", clinician=office.name_of(user_id))
    return visit.show("connect.html", lines=[], address=address, clinician=office.name_of(user_id))
