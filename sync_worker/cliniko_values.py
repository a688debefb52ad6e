"""Cliniko's JSON as `model` values, and a note as Cliniko's JSON. Pure: asks nobody, calls no link.

Reads leniently, as sources disagree on types (see `fields`): a row without an id is none, and anything else that cannot
be read is missing. Facts come from Cliniko's reference (docs.api.cliniko.com).
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sync_worker.fields import date_of, id_of, mapping_of, moment_of, text_of
from sync_worker.model import Booking, Note, Patient, Question, Section, StoredNote, Template

CLINIKO_ID = re.compile(r"[0-9]{1,20}")
"""What a person may give for the id of a chart or note: digits, such as stand in its address."""
LONGEST_DESCRIPTION = 10_000
"""Characters in a section's description ("Treatment note content schema")."""


def note_json(note: Note) -> dict[str, Any]:
    """The body of the request that creates a note; what is absent is left out."""
    body: dict[str, Any] = {
        "patient_id": note.patient_id,
        "title": note.title,
        "draft": note.draft,
        "content": note.content.as_json(),
    }
    if note.booking_id:
        body["booking_id"] = note.booking_id
    if note.template_id:
        body["treatment_note_template_id"] = note.template_id
    return body


def patient_of(row: dict[str, Any]) -> Patient | None:
    """A chart; None for a row without an id."""
    patient_id = id_of(row)
    if patient_id is None:
        return None
    accepted = row.get("accepted_privacy_policy")
    return Patient(
        patient_id=patient_id,
        first_name=text_or_blank(row.get("first_name")),
        last_name=text_or_blank(row.get("last_name")),
        preferred_first_name=text_or_blank(row.get("preferred_first_name")),
        birth_date=date_of(row.get("date_of_birth")),
        email=text_of(row.get("email")),
        archived=bool(row.get("archived_at") or row.get("deleted_at") or row.get("merged_at")),
        merged_into=linked_id_of(row.get("merged_with_patient")),
        accepted_privacy_policy=accepted if isinstance(accepted, bool) else None,
    )


def note_of(row: Mapping[str, Any]) -> StoredNote | None:
    """A treatment note as it is stored; None for a row without an id."""
    note_id = id_of(row)
    if note_id is None:
        return None
    content = row.get("content")
    return StoredNote(
        note_id=note_id,
        title=text_or_blank(row.get("title")),
        content=content if isinstance(content, dict) else None,
        patient_id=linked_id_of(row.get("patient")),
        draft=bool(row.get("draft")),
        archived=bool(row.get("archived_at") or row.get("deleted_at")),
        created_at=moment_of(row.get("created_at")),
        updated_at=moment_of(row.get("updated_at")),
    )


def template_of(row: Mapping[str, Any]) -> Template | None:
    """A treatment note template; None for one without an id."""
    template_id = id_of(row)
    if template_id is None:
        return None
    sections = mapping_of(row.get("content")).get("sections")
    return Template(template_id, text_or_blank(row.get("name")), tuple(map(_section, _objects(sections))))


def booking_of(row: Mapping[str, Any]) -> Booking | None:
    """A booking; None for one that does not take place, an unavailable block, and a group that nobody has joined."""
    booking_id, starts_at, ends_at = id_of(row), moment_of(row.get("starts_at")), moment_of(row.get("ends_at"))
    is_off = any(row.get(name) for name in ("cancelled_at", "archived_at", "deleted_at"))
    patient_ids = _booked(row)
    if booking_id is None or starts_at is None or is_off or patient_ids is None:
        return None
    attended = row.get("did_not_arrive") is not True
    return Booking(booking_id, starts_at, max(starts_at, ends_at or starts_at), patient_ids, attended)


def _booked(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Who is booked: an appointment links its patient, a group lists ids. Empty if somebody is, and None if nobody."""
    linked, listed = linked_id_of(row.get("patient")), row.get("patient_ids")
    members = [id_of({"id": member}) for member in listed] if isinstance(listed, list) else []
    known = dict.fromkeys([*([linked] if linked else []), *(member for member in members if member)])
    if None in members:
        return ()  # half a list would make a group look like somebody's own appointment
    if known:
        return tuple(known)
    is_untold = listed != [] and any(row.get(name) for name in ("attendees", "appointment_type", "patient_name"))
    return () if is_untold else None


def _section(section: dict[str, Any]) -> Section:
    description = text_of(section.get("description"))
    return Section(
        questions=tuple(map(_question, _objects(section.get("questions")))),
        name=text_of(section.get("name")),
        description=description if description and len(description) <= LONGEST_DESCRIPTION else None,
    )


def _question(question: dict[str, Any]) -> Question:
    """A template's question. What it answers in advance is left out: nobody said that of a patient."""
    choices = [choice.get("value") for choice in _objects(question.get("answers"))]  # null is one without a text
    return Question(
        name=text_or_blank(question.get("name")),
        kind=text_or_blank(question.get("type")),
        choices=tuple(value for value in choices if value is None or isinstance(value, str)),
        has_other=mapping_of(question.get("other")).get("enabled") is True,
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def linked_id_of(link: Any) -> str | None:
    """The id at the end of a link object; the link itself is never called."""
    address = mapping_of(mapping_of(link).get("links")).get("self")
    try:
        path = urlsplit(address).path if isinstance(address, str) else ""
    except ValueError:
        return None
    return path.rstrip("/").rpartition("/")[2] or None


def text_or_blank(value: Any) -> str:
    """A text that may be blank: Cliniko's own blanks are "" in some places and null in others."""
    return text_of(value) or ""


def zone_of(name: Any) -> str | None:
    """An IANA name; Cliniko also knows short ones of Australian cities."""
    for candidate in (text_or_blank(name), f"Australia/{text_or_blank(name)}"):
        try:
            ZoneInfo(candidate)
        except (ValueError, KeyError, OSError):
            continue
        return candidate
    return None
