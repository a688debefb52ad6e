"""What people do about an entry. Each action is one form, one check of who may, one decision in the ledger.

Nothing here changes Cliniko: the worker's next tick carries a decision out. Who was slower than somebody else is told
what that one did.
"""

from collections.abc import Callable, Mapping
from datetime import date

from starlette.responses import Response

from sync_worker.cliniko_values import CLINIKO_ID
from sync_worker.errors import NotPossible
from sync_worker.first_look import AuthorsNotes
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.pages import Row
from sync_worker.patients import MOST_FOUND
from sync_worker.search import words_of
from sync_worker.web import access, entry, history
from sync_worker.web.access import Action
from sync_worker.web.entry import row_of, show
from sync_worker.web.visit import Refusal, Visit
from sync_worker.web.words import when

Decide = Callable[[Decisions, Row], None]
LONGEST_NAME = 100


def assign(visit: Visit) -> Response:
    """File it on this patient."""
    patient_id = _id_in(visit, "patient_id", "Choose the patient by a button, or give the number of their chart.")

    def decide(decisions: Decisions, row: Row) -> None:
        live = visit.office.live.get(row.heidi_user_id)
        chart = live.patient(patient_id) if live else None
        if chart is None:
            raise NotPossible("Cliniko shows no chart of that number: check it.")
        if chart.archived or chart.merged_into:
            raise NotPossible("That chart is archived or merged: choose the one that is in use.")
        decisions.assign(row.entry_id, patient_id, visit.office.clock.now())

    return _decided(visit, Action.ASSIGN, decide)


def search(visit: Visit) -> Response:
    """Look for another patient. What is typed goes into no address, and is kept nowhere."""
    row = _row_for(visit, Action.SEARCH)
    if isinstance(row, Response):
        return row
    name, given = visit.form.get("name", "").strip()[:LONGEST_NAME], visit.form.get("born", "").strip()
    now = visit.office.clock.now()
    born = _day(given)
    if given and born is None:
        return show(visit, row, problem="Give the birth date as day, month and year.", status=400)
    if not words_of(name) and born is None:
        return show(visit, row, problem="Give letters of a name, or a birth date, to look for.", status=400)
    live, known = visit.office.live.get(row.heidi_user_id), visit.office.ledger.entries.get(row.entry_id)
    if live is None or known is None:
        return show(visit, row, problem=entry.NOT_KNOWN, status=409)
    outcome, charts = live.search(known, name, born)
    beside = {one.patient_id: one for one in outcome.candidates}
    shown = {chart.patient_id: chart for chart in charts[:MOST_FOUND]}
    ids = [patient_id for patient_id in shown if patient_id in beside]
    visit.office.decisions(visit.account).saw([known.clinician_id], now, entry_id=row.entry_id, found=ids)
    found = entry.charts_of(visit, row, [beside[patient_id] for patient_id in ids], shown)
    return show(visit, row, found=found, has_more=len(charts) > MOST_FOUND)


def ask_clinician(visit: Visit) -> Response:
    """Pass the question on to the clinician."""
    now = visit.office.clock.now()
    return _decided(visit, Action.ASK_CLINICIAN, lambda decisions, row: decisions.ask_clinician(row.entry_id, now))


def take_back(visit: Visit) -> Response:
    """Answer the question at the front desk after all."""
    now = visit.office.clock.now()
    return _decided(visit, Action.TAKE_BACK, lambda decisions, row: decisions.take_back(row.entry_id, now))


def file_after_all(visit: Visit) -> Response:
    """File what was dismissed: a stray click is no last word."""
    now = visit.office.clock.now()
    return _decided(visit, Action.FILE_AFTER_ALL, lambda decisions, row: decisions.file_after_all(row.entry_id, now))


def dismiss(visit: Visit) -> Response:
    """Do not file it; or, once filed, be done with the question."""
    code = visit.form.get("code", "")
    if code not in access.DISMISSALS:
        raise Refusal(400, "Say why it is not to be filed, by one of the buttons.")
    now = visit.office.clock.now()
    return _decided(visit, Action.DISMISS, lambda decisions, row: decisions.dismiss(row.entry_id, code, now))


def retry(visit: Visit) -> Response:
    """Try it again; where it is in doubt, look again."""
    now = visit.office.clock.now()
    return _decided(visit, Action.RETRY, lambda decisions, row: decisions.retry(row.entry_id, now))


def file_now(visit: Visit) -> Response:
    """Do not wait until the text has settled."""
    office = visit.office

    def decide(decisions: Decisions, row: Row) -> None:
        _refuse_in_rehearsal(visit)
        decisions.file_now(row.entry_id, office.clock.now(), settle=office.settle)

    return _decided(visit, Action.FILE_NOW, decide)


def there(visit: Visit) -> Response:
    """End a doubt: this is its note. It is looked at first, as a slip of the pen would lose the document."""
    note_id = _id_in(visit, "note_id", "Choose the note, or give the number at the end of its address in Cliniko.")

    def decide(decisions: Decisions, row: Row) -> None:
        _require_its_note(visit, row, note_id)
        decisions.resolve_there(row.entry_id, note_id, visit.office.clock.now())

    return _decided(visit, Action.THERE, decide)


def not_there(visit: Visit) -> Response:
    """End a doubt: the note is not in Cliniko. It is filed once more."""
    now = visit.office.clock.now()
    return _decided(visit, Action.NOT_THERE, lambda decisions, row: decisions.resolve_not_there(row.entry_id, now))


def update_draft(visit: Visit) -> Response:
    """Bring the note of a revised document up to date, where nobody has touched it."""

    def decide(decisions: Decisions, row: Row) -> None:
        _refuse_in_rehearsal(visit)
        decisions.update_draft(row.entry_id, visit.office.clock.now())

    return _decided(visit, Action.UPDATE_DRAFT, decide)


def wrong_patient(visit: Visit) -> Response:
    """The note is on the wrong patient: stop, take it back, never file it there again."""

    now = visit.office.clock.now()
    return _decided(visit, Action.WRONG_PATIENT, lambda decisions, row: decisions.wrong_patient(row.entry_id, now))


def lead_back(visit: Visit) -> Response:
    """Whoever opens a form's address without its form sees the entry: after a search and the back button, say."""
    return visit.to(f"/review/{visit.number('entry')}")


PAGES: Mapping[Action, Callable[[Visit], Response]] = {
    Action.ASSIGN: assign,
    Action.SEARCH: search,
    Action.ASK_CLINICIAN: ask_clinician,
    Action.TAKE_BACK: take_back,
    Action.DISMISS: dismiss,
    Action.RETRY: retry,
    Action.FILE_NOW: file_now,
    Action.FILE_AFTER_ALL: file_after_all,
    Action.THERE: there,
    Action.NOT_THERE: not_there,
    Action.UPDATE_DRAFT: update_draft,
    Action.WRONG_PATIENT: wrong_patient,
}


# ---------------------------------------------------------------- what they share


def _decided(visit: Visit, action: Action, decide: Decide) -> Response:
    """Record the decision, unless the account may not or somebody was faster."""
    row = _row_for(visit, action)
    if isinstance(row, Response):
        return row
    try:
        decide(visit.office.decisions(visit.account, seen=_seen(visit)), row)
    except NotPossible as error:
        return _too_late(visit, row, str(error))
    return visit.to(f"/review/{row.entry_id}?done={action}")


def _row_for(visit: Visit, action: Action) -> Row | Response:
    """The entry, if this account can do this about it as it stands; else the page that says why not."""
    row = row_of(visit)
    if not access.may_ever(visit.account, row, action):
        raise Refusal(403, "Your account may not do this: ask the clinician, or an admin of this page.")
    if action not in access.actions(visit.account, row):
        return _too_late(visit, row, "That cannot be done about this entry as it stands.")
    return row


def _too_late(visit: Visit, row: Row, sentence: str) -> Response:
    """What is there now, and who was faster where somebody was."""
    pages = visit.office.pages
    now_there = pages.row(row.entry_id) or row
    last = pages.last_decision(row.entry_id) if pages.newest_step(row.entry_id) != _seen(visit) else None
    told = f" {when(last.at, visit.office.zone())}: {history.sentence(last)}." if last is not None else ""
    return show(visit, now_there, problem=f"{sentence}{told}", status=409)


def _seen(visit: Visit) -> int:
    given = visit.form.get("seen", "")
    if not (given.isascii() and given.isdigit()) or len(given) > 18:
        raise Refusal(400, "The form cannot be read: open the page again.")
    return int(given)


def _id_in(visit: Visit, name: str, advice: str) -> str:
    given = visit.form.get(name, "").strip()
    if not CLINIKO_ID.fullmatch(given):
        raise Refusal(400, advice)
    return given


def _day(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


def _require_its_note(visit: Visit, row: Row, note_id: str) -> None:
    """Raise `NotPossible` unless the note is the patient's whom the entry was sent for, and carries its reference."""
    live = visit.office.live.get(row.heidi_user_id)
    note = live.note(note_id) if live is not None else None
    if live is None or note is None:
        raise NotPossible("Cliniko shows this clinician no note of that number: check it.")
    chart = live.patient(row.patient_id) if row.patient_id else None
    theirs = {row.patient_id, chart.merged_into if chart is not None else None}
    if note.patient_id not in theirs:
        raise NotPossible("That note is another patient's: look on the chart of the one whom it was meant for.")
    if not AuthorsNotes([note]).marked(row.reference):
        raise NotPossible(
            f"That note does not carry this document's reference, {row.reference}, so it is not its note. If somebody "
            "took the reference out, an admin says so by `sync-worker review resolve`."
        )


def _refuse_in_rehearsal(visit: Visit) -> None:
    if visit.office.rehearse:
        raise NotPossible("This is a rehearsal (SYNC_MODE): nothing in Cliniko is changed.")
