"""One entry: what is asked, of whom, what the charts say; for its clinician also the words; and its receipt once filed.

Reads live what the person who asks may see, after the look was written down.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.responses import Response

from sync_worker import lifecycle
from sync_worker.advice import ADVICE
from sync_worker.convert import stored_questions
from sync_worker.errors import ConfigurationError, RemoteError
from sync_worker.ledger.pages import Row
from sync_worker.model import Candidate, Hint, Patient, StoredNote
from sync_worker.records import Entry, Status
from sync_worker.web import access, history
from sync_worker.web.access import Action
from sync_worker.web.live import Live, Words
from sync_worker.web.visit import Refusal, Visit
from sync_worker.web.words import Field, fields, when

NOT_KNOWN = "This clinician is not in the settings any more, so nothing can be read live."


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that it may be, as the page shows it."""

    patient: Patient
    fields: Sequence[Field]
    address: str | None
    is_barred: bool
    can_take: bool
    """Whether a note may be filed on it: a chart in use."""


@dataclass(frozen=True, slots=True)
class Said:
    """One question of a note that is stored, with its answer as Cliniko's HTML."""

    name: str
    answer: str


@dataclass(slots=True)
class Seen:
    """What was read live for one look at an entry. `troubles` are what could not be read, one sentence each."""

    hint: Hint | None = None
    is_gone: bool = False
    charts: list[Chart] = field(default_factory=list)
    words: Words | None = None
    patient: Patient | None = None
    note: StoredNote | None = None
    said: list[Said] = field(default_factory=list)
    """What the stored note says, where the one who asks may read it."""
    notes: list[StoredNote] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def page(visit: Visit) -> Response:
    """One entry as it stands."""
    return show(visit, row_of(visit))


def row_of(visit: Visit) -> Row:
    """The entry that the address names. Raises `Refusal` where there is none that this account may see."""
    row = visit.office.pages.row(visit.number("entry"))
    if row is None or not access.may_see(visit.account, row.heidi_user_id):
        raise Refusal(404, "There is no such entry, or it is another clinician's.")
    return row


def show(
    visit: Visit,
    row: Row,
    *,
    problem: str = "",
    status: int = 200,
    found: Sequence[Chart] | None = None,
    has_more: bool = False,
) -> Response:
    """The page of an entry. `found` are the charts of a person's own search, `has_more` whether it found others."""
    office, account = visit.office, visit.account
    entry = office.ledger.entries.get(row.entry_id)
    if entry is None:
        raise Refusal(404, "There is no such entry.")
    office.decisions(account).saw([entry.clinician_id], office.clock.now(), entry_id=row.entry_id)
    actions = access.actions(account, row)
    sees_words = access.sees_words(account, row.heidi_user_id)
    live = office.live.get(row.heidi_user_id)
    seen = look(visit, live, row, entry, sees_words=sees_words) if live else Seen(troubles=[NOT_KNOWN])
    return visit.show(
        "entry.html",
        status,
        row=row,
        seen=seen,
        advice=ADVICE.get(row.reason) if row.reason else None,
        actions={action.name: action in actions for action in Action},
        dismissals=_dismissals(row) if Action.DISMISS in actions else {},
        waits_because=waits_because(visit, entry) if row.status is Status.PENDING else "",
        siblings=_filed_siblings(visit, entry) if row.barred else [],
        rehearse=office.rehearse,
        sees_words=sees_words,
        problem=problem,
        seen_step=office.pages.newest_step(row.entry_id),
        found=found,
        has_more=has_more,
        note_address=office.note_address(row.heidi_user_id, row.patient_id or "", row.note_id or "")
        if row.note_id and row.patient_id
        else None,
        steps=history.of_entry(visit, row.entry_id),
    )


def look(visit: Visit, live: Live, row: Row, entry: Entry, *, sees_words: bool) -> Seen:
    """Read live what this look needs; what cannot be read is told, and hides nothing else."""
    seen = Seen()
    try:
        if row.note_id is not None:
            _read_receipt(live, row, seen, sees_words=sees_words)
        elif row.pinned and row.status is Status.PENDING:
            seen.hint = live.hints([row.session_id]).get(row.session_id)
            seen.patient = live.patient(row.patient_id or "")
        elif row.status not in (Status.SKIPPED, Status.WITHDRAWN):
            _read_whom(visit, live, row, entry, seen)
        if row.note_id is None and (row.status is Status.IN_DOUBT or row.reason in lifecycle.DOUBTS):
            seen.notes = live.notes_like(entry, entry.found_at)
            seen.patient = live.patient(row.patient_id) if row.patient_id else None
    except RemoteError as error:
        seen.troubles.append(error.sentence)
    if sees_words:
        try:
            seen.words = live.words(entry, with_note=seen.note is None)  # one that is filed is shown as it is stored
        except (RemoteError, ConfigurationError) as error:
            seen.troubles.append(error.sentence)
    seen.troubles = list(dict.fromkeys(seen.troubles))
    return seen


def waits_because(visit: Visit, entry: Entry) -> str:
    """Why an entry that nothing is asked about is not filed yet."""
    office = visit.office
    if office.rehearse:
        return "This is a rehearsal: nothing is filed."
    if office.ledger.clinicians.is_paused(entry.clinician_id):
        return "Filing is paused: it is filed once filing is resumed."
    now, zone = office.clock.now(), office.zone()
    doubted_at = office.ledger.attempts.doubted_at(entry.entry_id)
    if doubted_at is not None and (sure_at := doubted_at + office.surely_listed) > now:
        return f"It is filed at {when(sure_at, zone)} at the soonest: until then its note may still arrive."
    rested = max(entry.text_since + office.settle, entry.due_at)
    if rested > now:
        return f"It is filed at {when(rested, zone)} at the soonest: until then its text must not change."
    return "It is filed within seconds; look again to see it done."


def _filed_siblings(visit: Visit, entry: Entry) -> list[Row]:
    """The session's other notes: what is wrong with one patient is wrong with all of them."""
    others = visit.office.ledger.entries.of_session(entry.session_id)
    rows = [visit.office.pages.row(one.entry_id) for one in others if one.entry_id != entry.entry_id and one.note_id]
    return [row for row in rows if row is not None and row.status is not Status.WITHDRAWN]


def _read_receipt(live: Live, row: Row, seen: Seen, *, sees_words: bool) -> None:
    """The note as it is stored, whose it is there, and whom Heidi's session names: the two must be one."""
    seen.hint = live.hints([row.session_id]).get(row.session_id)
    seen.note = live.note(row.note_id or "")
    patient_id = (seen.note.patient_id if seen.note is not None else None) or row.patient_id
    seen.patient = live.patient(patient_id) if patient_id else None
    if sees_words and seen.note is not None:
        questions = stored_questions(seen.note.content)
        seen.said = [Said(str(one.get("name") or ""), str(one.get("answer") or "")) for one in questions]


def charts_of(visit: Visit, row: Row, candidates: Sequence[Candidate], patients: dict[str, Patient]) -> list[Chart]:
    """The charts in the order of their agreement, each field beside the session's."""
    known = [(one, patients[one.patient_id]) for one in candidates if one.patient_id in patients]
    return [
        Chart(
            patient,
            fields(candidate, patient),
            visit.office.patient_address(row.heidi_user_id, patient.patient_id),
            is_barred=patient.patient_id in row.barred,
            can_take=not patient.archived and patient.merged_into is None,
        )
        for candidate, patient in known
    ]


def _read_whom(visit: Visit, live: Live, row: Row, entry: Entry, seen: Seen) -> None:
    whom = live.whom(entry)
    seen.is_gone = whom.session is None
    seen.hint = whom.session.hint if whom.session is not None else None
    seen.charts = charts_of(visit, row, whom.candidates, whom.charts)


def _dismissals(row: Row) -> dict[str, str]:
    """Why it may be dismissed: where its note is there, only that it was looked at."""
    if row.note_id is not None:
        return {"done": access.DISMISSALS["done"]}
    return {code: said for code, said in access.DISMISSALS.items() if code != "done"}
