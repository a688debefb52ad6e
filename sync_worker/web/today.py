"""Today: is filing on, when was Heidi checked, what was filed, what waits for you, what went wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from sync_worker.alarms import Alarm, standing
from sync_worker.errors import RemoteError
from sync_worker.model import Account, ClinicianState, Role, StoredNote, WaitsOn
from sync_worker.web import access
from sync_worker.web.columns import Column, columns
from sync_worker.web.office import Office
from sync_worker.web.visit import Visit
from sync_worker.web.words import ago, midnights

DAYS = 30
LATE_POLLS = 5
"""So many polls missed in a row are worth a word."""
MOST_DRAFTS = 20


@dataclass(frozen=True, slots=True)
class ClinicianLine:
    """One clinician on the page."""

    name: str
    user_id: str
    last_poll: str
    is_late: bool
    is_paused: bool
    pause_reason: str | None
    trouble: str | None
    linked: bool | None
    may_pause: bool
    may_resume: bool


@dataclass(frozen=True, slots=True)
class OldDraft:
    """A note of ours that its author has not finalised for days."""

    clinician: str
    note_id: str
    created_at: datetime | None
    address: str | None


def page(visit: Visit) -> Response:
    """The first page."""
    office, account = visit.office, visit.account
    whose = access.whose(account)
    now, zone = office.clock.now(), office.zone()
    mornings = midnights(now, zone, DAYS)
    filed = office.pages.filed_between(mornings, whose)
    states = {id_: state for id_, state in office.states().items() if access.may_see(account, id_)}
    everybody_paused = office.views.paused_at() is not None
    lines = [_line(office, account, id_, state, now) for id_, state in states.items()]
    drafts, unread = _old_drafts(office, account)
    return visit.show(
        "today.html",
        first_line=_first_line(visit, lines, states.values(), filed[-1], everybody_paused=everybody_paused),
        everybody_paused=everybody_paused,
        may_pause_all=access.may_pause(account, None),
        may_resume_all=access.may_resume(account, None),
        lines=lines,
        alarms=_alarms(office, states, now),
        drafts=drafts,
        drafts_unread=unread,
        columns=_columns(mornings, filed),
        total=sum(filed),
        days=DAYS,
    )


def _first_line(
    visit: Visit,
    lines: Sequence[ClinicianLine],
    states: Any,
    filed: int,
    *,
    everybody_paused: bool,
) -> str:
    """How things stand, in words that need no explanation."""
    office, whose = visit.office, access.whose(visit.account)
    now = office.clock.now()
    paused = [line.name for line in lines if line.is_paused]
    if office.rehearse:
        filing = "This is a rehearsal: nothing is filed."
    elif everybody_paused or len(paused) == len(lines):
        filing = "Filing is paused."
    elif paused:
        filing = f"Filing is paused for {_and(paused)}, and on for everybody else."
    else:
        filing = "Filing is on."
    newest = max((state.last_poll_at for state in states if state.last_poll_at), default=None)
    checked = f"Heidi was checked {ago(newest, now)}." if newest else "Heidi was not checked yet."
    yours = _yours(visit.account, office.pages.waiting_counts(whose))
    lost = office.pages.lost_since(midnights(now, office.zone(), 1)[0], whose)
    waits = "1 waits for you" if yours == 1 else f"{yours} wait for you"
    return f"{filing} {checked} Today: {filed} filed, {waits}, {lost} lost."


def _yours(account: Account, waiting: Mapping[WaitsOn, int]) -> int:
    match account.role:
        case Role.DESK:
            return waiting[WaitsOn.DESK]
        case Role.CLINICIAN:
            return waiting[WaitsOn.CLINICIAN]
    return sum(waiting.values())


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _line(office: Office, account: Account, user_id: str, state: ClinicianState, now: datetime) -> ClinicianLine:
    late = timedelta(seconds=office.poll_seconds * LATE_POLLS)
    return ClinicianLine(
        name=office.name_of(user_id),
        user_id=user_id,
        last_poll=ago(state.last_poll_at, now),
        is_late=state.last_poll_at is None or now - state.last_poll_at > late,
        is_paused=state.paused_at is not None,
        pause_reason=state.pause_reason,
        trouble=state.trouble,
        linked=state.linked,
        may_pause=access.may_pause(account, user_id),
        may_resume=access.may_resume(account, user_id),
    )


def _alarms(office: Office, states: Mapping[str, ClinicianState], now: datetime) -> list[Alarm]:
    names = {user_id: office.name_of(user_id) for user_id in states}
    return list(standing(office.views, names=names, now=now, retention_days=office.retention_days))


def _old_drafts(office: Office, account: Account) -> tuple[list[OldDraft], list[str]]:
    """The drafts that wait for their authors, and the names of those whose notes could not be read."""
    found: list[OldDraft] = []
    unread: list[str] = []
    if account.role is Role.DESK:
        return found, unread
    for user_id, live in office.live.items():
        if not access.may_see(account, user_id):
            continue
        try:
            found += [_old_draft(office, user_id, note) for note in live.old_drafts()]
        except RemoteError:
            unread.append(office.name_of(user_id))
    return found[:MOST_DRAFTS], unread


def _old_draft(office: Office, user_id: str, note: StoredNote) -> OldDraft:
    address = office.note_address(user_id, note.patient_id, note.note_id) if note.patient_id else None
    return OldDraft(office.name_of(user_id), note.note_id, note.created_at, address)


def _columns(mornings: Sequence[datetime], filed: Sequence[int]) -> list[Column]:
    labels = [f"{day.day} {day:%b}" for day in mornings[:-1]]
    return columns(labels, filed)
