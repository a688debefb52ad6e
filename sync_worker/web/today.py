"""Today: is filing on, when was Heidi checked, what was filed, what waits for you, what went wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from starlette.responses import Response

from sync_worker.alarms import Alarm, late_after, standing
from sync_worker.errors import RemoteError
from sync_worker.ledger.pages import Waiting
from sync_worker.model import StoredNote
from sync_worker.records import Account, ClinicianState, Role, WaitsOn
from sync_worker.web import access
from sync_worker.web.columns import Column, columns
from sync_worker.web.office import Office
from sync_worker.web.visit import Visit
from sync_worker.web.words import ago, midnights, trouble

DAYS = 30
MOST_DRAFTS = 20
NOT_LINKED = "heidi_not_linked"


@dataclass(frozen=True, slots=True)
class ClinicianLine:
    """One clinician on the page. `trouble` is in words, and "" where there is none or Heidi's link is all."""

    name: str
    user_id: str
    checked_at: datetime | None
    last_poll: str
    is_late: bool
    paused_at: datetime | None
    paused_itself: bool
    trouble: str
    is_unlinked: bool
    may_pause: bool
    may_resume: bool

    @property
    def is_stuck(self) -> bool:
        """Whether nothing is filed although nobody paused it."""
        return self.paused_at is None and (self.is_late or self.is_unlinked or bool(self.trouble))


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
        first_line=_first_line(visit, lines, filed[-1], everybody_paused=everybody_paused),
        everybody_paused=everybody_paused,
        rehearse=office.rehearse,
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


def _first_line(visit: Visit, lines: Sequence[ClinicianLine], filed: int, *, everybody_paused: bool) -> str:
    """How things stand, in words that need no explanation."""
    office, account = visit.office, visit.account
    whose, now = access.whose(account), office.clock.now()
    count = _yours(account, office.pages.waiting_counts(Waiting(whose)))
    lost = office.pages.lost_since(midnights(now, office.zone(), 1)[0], whose)
    whom = "a person" if account.role is Role.ADMIN else "you"
    waits = f"{count} {'waits' if count == 1 else 'wait'} for {whom}"
    if not lines:
        stands = "Nobody whose notes you see is in the settings any more: nothing is filed."
    else:
        stands = f"{_filing(office, lines, everybody_paused=everybody_paused)} {_checked(lines)}"
    return f"{stands} Today: {filed} filed, {waits}, {lost} lost."


def _filing(office: Office, lines: Sequence[ClinicianLine], *, everybody_paused: bool) -> str:
    """For whom filing is on, for whom it is paused, and for whom it stands still though nobody paused it."""
    paused = [line for line in lines if line.paused_at is not None or everybody_paused]
    stuck = [line for line in lines if line.is_stuck and line not in paused]
    if office.rehearse:
        still = f" It stands still for {_and([_with_why(line) for line in stuck])}." if stuck else ""
        return f"This is a rehearsal: nothing is filed.{still}"
    if len(paused) == len(lines):
        return "Filing is paused."
    parts = [f"is paused for {_and([line.name for line in paused])}"] if paused else []
    parts += [f"stands still for {_and([_with_why(line) for line in stuck])}"] if stuck else []
    if len(paused) + len(stuck) < len(lines):
        parts.append("is on for everybody else" if parts else "is on")
    return f"Filing {_and(parts)}."


def _with_why(line: ClinicianLine) -> str:
    why = "Heidi is not linked" if line.is_unlinked else line.trouble
    return f"{line.name} ({why})" if why else line.name


def _checked(lines: Sequence[ClinicianLine]) -> str:
    """When Heidi was checked, for whom it was longest ago: the newest check would hide that somebody is left out."""
    never = [line.name for line in lines if line.checked_at is None]
    if never:
        return f"Heidi was not checked yet for {_and(never)}."
    oldest = min(lines, key=lambda line: (line.checked_at is not None, line.checked_at))
    if oldest.is_late:
        return f"Heidi was last checked {oldest.last_poll} for {oldest.name}."
    return f"Heidi was checked {oldest.last_poll}."


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
    late = late_after(timedelta(seconds=office.poll_seconds))
    return ClinicianLine(
        name=office.name_of(user_id),
        user_id=user_id,
        checked_at=state.last_poll_at,
        last_poll=ago(state.last_poll_at, now),
        is_late=state.last_poll_at is None or now - state.last_poll_at > late,
        paused_at=state.paused_at,
        paused_itself=state.pause_reason is not None,
        trouble=trouble(state.trouble) if state.trouble and state.trouble != NOT_LINKED else "",
        is_unlinked=state.linked is False or state.trouble == NOT_LINKED,
        may_pause=access.may_pause(account, user_id),
        may_resume=access.may_resume(account, user_id),
    )


def _alarms(office: Office, states: Mapping[str, ClinicianState], now: datetime) -> list[Alarm]:
    expected = replace(office.expected, names={user_id: office.name_of(user_id) for user_id in states})
    return list(standing(office.views, expected, now))


def _old_drafts(office: Office, account: Account) -> tuple[list[OldDraft], list[tuple[str, str]]]:
    """The drafts that wait for their authors, and whose notes could not be read, each with the reason."""
    found: list[OldDraft] = []
    unread: list[tuple[str, str]] = []
    if account.role is Role.DESK:
        return found, unread
    seen = {user_id: live for user_id, live in office.live.items() if access.may_see(account, user_id)}
    for live in seen.values():
        live.begin_old_drafts()  # side by side: the page waits for the slowest, and not for all in turn
    for user_id, live in seen.items():
        try:
            found += [_old_draft(office, user_id, note) for note in live.old_drafts()]
        except RemoteError as error:
            unread.append((office.name_of(user_id), error.sentence))
    now = office.clock.now()
    found.sort(key=lambda draft: draft.created_at or now)  # everybody's, before they are cut
    return found[:MOST_DRAFTS], unread


def _old_draft(office: Office, user_id: str, note: StoredNote) -> OldDraft:
    address = office.note_address(user_id, note.patient_id, note.note_id) if note.patient_id else None
    return OldDraft(office.name_of(user_id), note.note_id, note.created_at, address)


def _columns(mornings: Sequence[datetime], filed: Sequence[int]) -> list[Column]:
    labels = [f"{day.day} {day:%b}" for day in mornings[:-1]]
    return columns(labels, filed)
