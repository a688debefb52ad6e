"""The review list: what waits for a person, grouped by whom it waits for, oldest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from sync_worker.ledger.pages import Row, Waiting
from sync_worker.model import Hint
from sync_worker.records import Reason, Role, WaitsOn
from sync_worker.web import access
from sync_worker.web.visit import Visit

FIRST_FOR: Mapping[Role, Sequence[WaitsOn]] = {
    Role.DESK: (WaitsOn.DESK, WaitsOn.CLINICIAN, WaitsOn.ADMIN),
    Role.CLINICIAN: (WaitsOn.CLINICIAN, WaitsOn.DESK, WaitsOn.ADMIN),
    Role.ADMIN: (WaitsOn.ADMIN, WaitsOn.DESK, WaitsOn.CLINICIAN),
}
"""Everybody's own work stands first."""


@dataclass(frozen=True, slots=True)
class Group:
    """Those of one page that wait for one kind of person."""

    waits_on: WaitsOn
    total: int
    rows: Sequence[Row]
    has_more: bool


def page(visit: Visit) -> Response:
    """All groups, or one of them page by page."""
    office, account = visit.office, visit.account
    whose, asked = access.whose(account), visit.request.query_params
    wanted = Waiting(
        whose,
        reason=next((one for one in Reason if one == asked.get("reason")), None),
        heidi_user_id=asked.get("clinician") or None,
    )
    only = next((one for one in WaitsOn if one == asked.get("for")), None)
    number = visit.page() if only else 1
    totals = office.pages.waiting_counts(wanted)
    groups = [_group(visit, wanted, one, totals[one], number) for one in FIRST_FOR[account.role] if only in (None, one)]
    shown = [group for group in groups if group.rows]
    return visit.show(
        "review.html",
        groups=shown,
        names=_names(visit, [row for group in shown for row in group.rows]),
        doubts=office.pages.doubts(whose) if number == 1 else [],
        only=only,
        number=number,
        reason=wanted.reason,
        clinician=wanted.heidi_user_id,
        clinicians={id_: name for id_, name in office.names.items() if access.may_see(account, id_)},
        reasons=sorted({*office.pages.waiting_reasons(Waiting(whose)), *([wanted.reason] if wanted.reason else [])}),
        is_narrowed=bool(wanted.reason or wanted.heidi_user_id or only),
    )


def _group(visit: Visit, wanted: Waiting, waits_on: WaitsOn, total: int, number: int) -> Group:
    asked = Waiting(wanted.whose, waits_on, wanted.reason, wanted.heidi_user_id)
    rows, has_more = visit.office.pages.waiting(asked, page=number)
    return Group(waits_on, total, rows, has_more)


def _names(visit: Visit, rows: Sequence[Row]) -> dict[str, Hint]:
    """Whom the sessions of these rows name: who reads the list thinks of people, not of numbers.

    That they were shown is written down first, as one look at the list.
    """
    by_clinician: dict[str, set[str]] = {}
    for row in rows:
        by_clinician.setdefault(row.heidi_user_id, set()).add(row.session_id)
    states = visit.office.states()
    shown = [states[user_id].clinician_id for user_id in by_clinician if user_id in visit.office.live]
    visit.office.decisions(visit.account).saw(shown, visit.office.clock.now(), of_list="review")
    found: dict[str, Hint] = {}
    for user_id, session_ids in by_clinician.items():
        if live := visit.office.live.get(user_id):
            found |= live.hints(sorted(session_ids))
    return found
