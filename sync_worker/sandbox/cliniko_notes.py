"""Writing treatment notes: what Cliniko checks, who may, and what it stores.

Owns POST, PATCH, archive and unarchive of notes. The author is the practitioner behind the key, whatever the body
says; only the author edits, and nobody edits a final note. There is no idempotency key: the same request twice makes
two notes. From Cliniko's reference, "Treatment notes", and what clients met on live accounts.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sync_worker.sandbox.cliniko_records import NoteRecord, UserRecord
from sync_worker.sandbox.cliniko_state import ClinikoState
from sync_worker.sandbox.validation import Invalid, stored_content
from sync_worker.sandbox.wire import Reply, Request, json_reply

TITLE_LIMIT = 255


def create_note(state: ClinikoState, request: Request, user: UserRecord, base: str, at: datetime) -> Reply:
    """`POST /treatment_notes`: 201 with `Location`, 403 with an empty body for non-practitioners, or 422."""
    if not user.may_write_notes:
        return Reply(403)
    values, errors = _checked(state, _fields(request), {"patient_id", "title", "draft"})
    if errors:
        return _refused(state, errors)
    stamp = state.server_time(at)
    note = NoteRecord(
        note_id=state.new_id(),
        practitioner_id=str(user.practitioner_id),
        author_name=user.name,
        created_at=stamp,
        updated_at=stamp,
        committed_at=at,
        finalized_at=None if values["draft"] else stamp,
        **({"content": None} | values),
    )
    state.store_note(note)
    reply = json_reply(201, note.as_json(base))
    return reply.with_headers(Location=f"{base}/treatment_notes/{note.note_id}")


def update_note(
    state: ClinikoState, request: Request, user: UserRecord, base: str, note_id: str, at: datetime
) -> Reply:
    """`PATCH /treatment_notes/{id}`: the author's drafts only; `draft: false` makes it final."""
    note = state.notes.get(note_id)
    if note is None or note.archived_at is not None:
        return not_found()
    if not _is_author(note, user) or not note.draft:
        return Reply(403)
    values, errors = _checked(state, _fields(request), set(), patient_id=note.patient_id)
    if errors:
        return _refused(state, errors)
    for name, value in values.items():
        setattr(note, name, value)
    note.updated_at = state.server_time(at)
    note.finalized_at = None if note.draft else note.updated_at
    return json_reply(200, note.as_json(base))


def archive_note(state: ClinikoState, user: UserRecord, note_id: str, at: datetime) -> Reply:
    """`POST /treatment_notes/{id}/archive`, and its old alias DELETE: 204."""
    note = state.notes.get(note_id)
    if note is None or note.archived_at is not None:
        return not_found()
    if not (_is_author(note, user) or user.is_administrator):
        return Reply(403)
    note.archived_at = note.updated_at = state.server_time(at)
    return Reply(204)


def unarchive_note(state: ClinikoState, user: UserRecord, base: str, note_id: str, at: datetime) -> Reply:
    """`POST /treatment_notes/{id}/unarchive`: 200 with the note."""
    note = state.notes.get(note_id)
    if note is None:
        return not_found()
    if not (_is_author(note, user) or user.is_administrator):
        return Reply(403)
    note.archived_at, note.updated_at = None, state.server_time(at)
    return json_reply(200, note.as_json(base))


def not_found() -> Reply:
    """No such record, or none that this route shows. The real body is unknown: nobody should read it."""
    return json_reply(404, {"message": "Resource not found"})


def _is_author(note: NoteRecord, user: UserRecord) -> bool:
    return user.may_write_notes and note.practitioner_id == user.practitioner_id


def _refused(state: ClinikoState, errors: Mapping[str, str]) -> Reply:
    """A 422: texts as seen on live accounts, or lists of texts as several clients expect."""
    shown: dict[str, Any] = {name: [text] if state.error_lists else text for name, text in errors.items()}
    return json_reply(422, {"message": "Validation Failed", "errors": shown})


def _fields(request: Request) -> dict[str, Any]:
    """The body, if it is JSON and says so; otherwise no parameter arrives."""
    return request.json if isinstance(request.json, dict) else {}


def _checked(
    state: ClinikoState, body: dict[str, Any], required: set[str], patient_id: str | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values to store and the complaints. Parameters that the reference does not name are not looked at."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    wanted = required | body.keys()
    if "patient_id" in wanted:
        _check_patient(state, body.get("patient_id"), values, errors)
    if "title" in wanted:
        _check_title(body.get("title"), values, errors)
    if "draft" in wanted:
        values["draft"] = body.get("draft")
        if not isinstance(values["draft"], bool):
            errors["draft"] = "is not included in the list"
    if "content" in wanted:
        try:
            values["content"] = stored_content(body["content"], state.html)
        except Invalid as invalid:
            errors["content"] = str(invalid)
    _check_links(state, body, values.get("patient_id", patient_id), values, errors)
    return values, errors


def _check_patient(state: ClinikoState, given: Any, values: dict[str, Any], errors: dict[str, str]) -> None:
    patient = state.patients.get(str(given))
    if patient is None or (patient.archived_at and not state.archived_patient_takes_notes):
        errors["patient"] = "must exist"
    else:
        values["patient_id"] = patient.patient_id


def _check_title(given: Any, values: dict[str, Any], errors: dict[str, str]) -> None:
    if not isinstance(given, str) or not given.strip():
        errors["title"] = "can't be blank"
    elif len(given) > TITLE_LIMIT:
        errors["title"] = f"is too long (maximum is {TITLE_LIMIT} characters)"
    else:
        values["title"] = given


def _check_links(
    state: ClinikoState,
    body: dict[str, Any],
    patient_id: str | None,
    values: dict[str, Any],
    errors: dict[str, str],
) -> None:
    attendees = {each.attendee_id: each for each in state.attendees()}
    known: Mapping[str, tuple[str, Mapping[str, Any]]] = {
        "booking_id": ("booking", state.bookings),
        "attendee_id": ("attendee", attendees),
        "treatment_note_template_id": ("treatment_note_template", state.templates),
    }
    for name, (shown, records) in known.items():
        if (given := body.get(name)) is None:
            continue
        if str(given) not in records:
            errors[shown] = "must exist"
        values["template_id" if "template" in name else name] = str(given)
    booking = state.bookings.get(values.get("booking_id", ""))
    if booking and patient_id not in booking.patient_ids:
        errors["booking"] = "must include the patient"
    attendee = attendees.get(values.get("attendee_id", ""))
    if attendee and attendee.patient_id != patient_id:
        errors["attendee"] = "must be the patient"
