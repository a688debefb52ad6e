"""Cliniko's API as one clinician's key sees it: who the key is, patients, treatment notes, and the one unsafe request.

Hands out `model` values (`cliniko_values` reads them). Reads are tried again, creating a note never is: its end is a
value, and `InDoubt` is what is left when nothing else is certain. Facts come from Cliniko's reference
(docs.api.cliniko.com).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from sync_worker.cliniko_values import (
    booking_of,
    linked_id_of,
    note_json,
    note_of,
    patient_of,
    template_of,
    text_or_blank,
    zone_of,
)
from sync_worker.errors import (
    InvalidResponse,
    LeaseLost,
    LedgerUnavailable,
    NotAuthorised,
    NotConnected,
    Rejected,
    RemoteError,
    Stopping,
)
from sync_worker.fields import id_of, mapping_of
from sync_worker.http import Answer, HttpClient, Params
from sync_worker.model import (
    Accepted,
    AmendOutcome,
    Archived,
    Booking,
    InDoubt,
    KeyTrouble,
    Note,
    NoteContent,
    NotSent,
    Patient,
    PostOutcome,
    Practitioner,
    Refused,
    StoredNote,
    Template,
)

PER_PAGE = "100"
MOST_PAGES = 1_000
"""A list longer than this is a service gone wrong, not a practice."""
WITH_ARCHIVED = ("q[]", "archived_at:*")
Guard = Callable[[], None]
T = TypeVar("T")
ADDRESS = re.compile(r"[^\W_][^\s@]*@[^\s@]+")
FIELD_NAME = re.compile(r"[a-z][a-z_.]{0,31}")


class ClinikoClient:
    """Cliniko as one clinician's key sees it. Thread-safe."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    @property
    def server_date(self) -> datetime | None:
        """Cliniko's clock as of its last answer."""
        return self._http.server_date

    def close(self) -> None:
        """Let go of all connections."""
        self._http.close()

    # ------------------------------------------------------------ who the key is

    def identify(self) -> Practitioner:
        """Whom the key stands for: its user, that user's practitioner record, the account and its time zone.

        Raises `NotAuthorised` for a refused key, with code `not_a_practitioner` where the user is none: notes get
        their author from the key, so such a key can file nothing.
        """
        user = self._object("get_user", "user")
        user_id = id_of(user)
        if user_id is None:
            raise self._invalid("get_user")
        query = [("q[]", f"user_id:={user_id}"), ("per_page", PER_PAGE)]
        records = list(self._rows("list_practitioners", "practitioners", query))
        # `user.links.self` is compared too: a server that ignored the filter must not choose the author
        owned = [row for row in records if linked_id_of(row.get("user")) in (None, user_id)]
        if len(owned) != 1 or (practitioner_id := id_of(owned[0])) is None:
            hint = (
                "The user of this Cliniko key has no active practitioner record, so Cliniko lets it write no notes: "
                "use a key made by the clinician's own Cliniko user."
            )
            raise NotAuthorised("cliniko", "list_practitioners", hint=hint, code="not_a_practitioner")
        account = self._account()
        zone = zone_of(account.get("time_zone")) or zone_of(user.get("time_zone"))
        name = f"{text_or_blank(user.get('first_name'))} {text_or_blank(user.get('last_name'))}".strip()
        return Practitioner(user_id, practitioner_id, name, text_or_blank(account.get("subdomain")), zone)

    def _account(self) -> dict[str, Any]:
        """The practice's account. It is unconfirmed that every role may read it: then it stays unknown."""
        try:
            return mapping_of(self._object("get_settings", "settings/public").get("account"))
        except Rejected:
            return {}

    # ------------------------------------------------------------ patients

    def find_patients_born(self, birth_date: date) -> list[Patient]:
        """Everybody of one birth date, archived and merged charts included, every page read."""
        return self._patients(("q[]", f"date_of_birth:={birth_date.isoformat()}"))

    def find_patient(self, patient_id: str) -> Patient | None:
        """One chart by its id, also if archived; None if there is none."""
        found = self._patients(("q[]", f"id:={patient_id}"))
        return next((patient for patient in found if patient.patient_id == patient_id), None)

    def find_patients_with_email(self, address: str) -> list[Patient]:
        """Everybody whose e-mail holds this address, and perhaps others: `%` and `_` are read as wildcards.

        Nobody where it is no address: one that begins like an operator of Cliniko's would be read as another question.
        """
        return self._patients(("q[]", f"email:~{address}")) if ADDRESS.fullmatch(address) else []

    def find_patients_of_family(self, family_name: str) -> list[Patient]:
        """Everybody of a family name as it is written here."""
        return self._patients(("q[]", f"last_name:={family_name}"))

    def find_patients_named_like(self, part: str) -> list[Patient]:
        """Everybody whose family name holds these plain letters."""
        return self._patients(("q[]", f"last_name:~{part}"))

    def find_patients_given_like(self, part: str) -> list[Patient]:
        """Everybody whose first name holds these plain letters."""
        return self._patients(("q[]", f"first_name:~{part}"))

    def _patients(self, *filters: tuple[str, str]) -> list[Patient]:
        query = [*filters, WITH_ARCHIVED, ("per_page", PER_PAGE)]
        return list(self._whole("list_patients", "patients", query, patient_of))

    # ------------------------------------------------------------ the diary

    def find_bookings(self, practitioner_id: str, *, since: datetime, until: datetime) -> list[Booking]:
        """What stands in a practitioner's diary from `since` until before `until`, every page read.

        Cliniko leaves out what is cancelled or archived; it is looked at here too, as is whose diary it is. Raises
        `NotAuthorised` with code `not_permitted` where the key's user may not read bookings.
        """
        query = [
            ("q[]", f"practitioner_id:={practitioner_id}"),
            ("q[]", f"starts_at:>={_stamp(since)}"),
            ("q[]", f"starts_at:<{_stamp(until)}"),
            ("per_page", PER_PAGE),
        ]
        rows = self._rows("list_bookings", "bookings", query)
        own = (row for row in rows if linked_id_of(row.get("practitioner")) in (None, practitioner_id))
        found = [booking for row in own if (booking := booking_of(row)) is not None]
        # a diary that changes while its pages are read shows a booking twice
        return list({booking.booking_id: booking for booking in found}.values())

    # ------------------------------------------------------------ treatment notes

    def notes_of(self, practitioner_id: str, since: datetime) -> list[StoredNote]:
        """The notes that a practitioner wrote since a time, archived ones included, every page read.

        By author and not by patient, since a merge moves a patient's notes to another chart.
        """
        return list(self.walk_notes(practitioner_id, since))

    def walk_notes(self, practitioner_id: str, since: datetime) -> Iterator[StoredNote]:
        """The same one after another, so that a long time's notes need not be held in memory together."""
        stamp = _stamp(since)
        query = [("q[]", f"practitioner_id:={practitioner_id}"), ("q[]", f"created_at:>={stamp}"), WITH_ARCHIVED]
        return self._whole("list_notes", "treatment_notes", [*query, ("per_page", PER_PAGE)], note_of)

    def find_note(self, note_id: str) -> StoredNote | None:
        """One note by its id, also if archived; None if this key sees none."""
        query = [("q[]", f"id:={note_id}"), WITH_ARCHIVED]
        found = list(self._whole("find_note", "treatment_notes", query, note_of))
        return next((note for note in found if note.note_id == note_id), None)

    def list_templates(self) -> dict[str, str]:
        """The practice's treatment note templates: id to name."""
        rows = self._rows("list_templates", "treatment_note_templates", [("per_page", PER_PAGE)])
        live = [row for row in rows if not row.get("archived_at")]
        return {id_: text_or_blank(row.get("name")) for row in live if (id_ := id_of(row)) is not None}

    def find_template(self, template_id: str) -> Template | None:
        """One treatment note template with its sections and questions; None if there is none."""
        try:
            return template_of(self._object("find_template", f"treatment_note_templates/{template_id}"))
        except Rejected as error:
            if error.status == 404:
                return None
            raise

    def wait_for_turn(self) -> None:
        """Wait until a request may go out at once. Raises `Stopping` if the process is asked to stop meanwhile."""
        self._http.wait_for_turn()

    def create_treatment_note(self, note: Note, guard: Guard) -> PostOutcome:
        """Ask Cliniko to create a note, once. THE unsafe request: call it only between the two commits.

        `guard` is called just before the first byte leaves, and raises `LeaseLost` where it must not any more.

        Never tried again here. Certainly without effect: no connection, 429 (`NotSent`), 401 and 403 (`KeyTrouble`),
        and 400, 404, 422 from the API itself (`Refused`; a gateway's HTML page is not the API). Certainly done: a
        201 that can be read. Everything else is `InDoubt`.
        """
        answer = self._write_once("create_note", "POST", "treatment_notes", note_json(note), guard)
        if not isinstance(answer, Answer):
            return answer
        return _accepted(answer) if answer.status == 201 else self._not_done(answer)

    def update_treatment_note(self, note_id: str, content: NoteContent, guard: Guard) -> AmendOutcome:
        """Ask Cliniko to give one of our own drafts another content, once; as careful as creating one.

        Sends nothing else: a PATCH that echoes a whole note back could finalise it, or undo the author's own title.
        """
        body = {"content": content.as_json()}
        answer = self._write_once("update_note", "PATCH", f"treatment_notes/{note_id}", body, guard)
        if not isinstance(answer, Answer):
            return answer
        return _accepted(answer) if answer.status == 200 else self._not_done(answer)

    def archive_treatment_note(self, note_id: str, guard: Guard) -> AmendOutcome:
        """Ask Cliniko to archive one of our own notes, once; as careful as creating one."""
        answer = self._write_once("archive_note", "POST", f"treatment_notes/{note_id}/archive", None, guard)
        if not isinstance(answer, Answer):
            return answer
        return Archived() if answer.status in (200, 204) else self._not_done(answer)

    def _write_once(
        self, operation: str, method: str, path: str, body: Any, guard: Guard
    ) -> Answer | NotSent | InDoubt:
        try:
            return self._http.write_once(operation, method, path, body, guard=guard)
        except LeaseLost:
            return NotSent("lease_lost")  # raised before the first byte only
        except Stopping:
            return NotSent("stopping")  # raised before the request only
        except LedgerUnavailable:
            return NotSent("ledger_unavailable")  # no place in the rate budget that is kept there
        except NotConnected:
            return NotSent("not_connected")
        except RemoteError as error:
            return InDoubt(error.code)

    def _not_done(self, answer: Answer) -> NotSent | KeyTrouble | Refused | InDoubt:
        """What a status means that does not say that the request was carried out."""
        match answer.status:
            case 429:
                return NotSent("rate_limited")
            case 401 | 403:
                return KeyTrouble(answer.status)
            case 400 | 404 | 422 if not answer.is_html:
                return Refused(answer.status, _complaints(answer))
        return InDoubt(f"http_{answer.status}")

    # ------------------------------------------------------------ requests

    def _object(self, operation: str, path: str) -> dict[str, Any]:
        body = self._json(operation, self._http.read(operation, path))
        if not isinstance(body, dict):
            raise self._invalid(operation)
        return body

    def _whole(
        self, operation: str, name: str, query: Params, read: Callable[[dict[str, Any]], T | None]
    ) -> Iterator[T]:
        """Every row of a list in which nobody may be missing: one that is cut, or not readable, is an error at its end.

        It is cut where Cliniko counted more rows, on whichever page, than came; a row that came twice, as in a list
        that changes while it is read, is one, since another one may have slipped between the pages.
        """
        ids: set[str | None] = set()
        most = 0
        for body in self._pages(operation, name, query):
            links = body.get("links")
            if not isinstance(links, dict) or not (links.get("next") or links.get("next") is None):
                raise self._invalid(operation)
            most = max(most, self._total(operation, body))
            for row in body[name]:
                value = read(row) if isinstance(row, dict) else None
                if value is None:
                    raise self._invalid(operation)
                ids.add(id_of(row))
                yield value
        if len(ids) < most:
            raise self._invalid(operation)

    def _total(self, operation: str, body: Mapping[str, Any]) -> int:
        """How many rows Cliniko counts, as a number or as a text; 0 where it does not tell."""
        told = body.get("total_entries")
        if told is None:
            return 0
        try:
            total = int(told) if isinstance(told, int | str) and not isinstance(told, bool) else -1
        except ValueError:
            total = -1
        if total < 0:
            raise self._invalid(operation)
        return total

    def _rows(self, operation: str, name: str, query: Params) -> Iterator[dict[str, Any]]:
        """The rows of a list, page after page, as far as they are any."""
        for body in self._pages(operation, name, query):
            yield from (row for row in body[name] if isinstance(row, dict))

    def _pages(self, operation: str, name: str, query: Params) -> Iterator[dict[str, Any]]:
        """The pages of a list, each with its rows. `links.next` is followed on our own host only."""
        path, params = name, query
        for _ in range(MOST_PAGES):
            body = self._json(operation, self._http.read(operation, path, params))
            if not isinstance(body, dict) or not isinstance(body.get(name), list):
                raise self._invalid(operation)
            yield body
            following = mapping_of(body.get("links")).get("next")
            if not following:
                return
            if not isinstance(following, str) or not self._http.is_ours(following):
                hint = "Cliniko's list goes on at another host, which is not followed: check CLINIKO_BASE_URL."
                raise InvalidResponse("cliniko", operation, hint=hint)
            path, params = following, ()
        raise self._invalid(operation)

    def _json(self, operation: str, answer: Answer) -> Any:
        if answer.status in (401, 403):
            raise self.refusal(answer.status, operation)
        if answer.status >= 400:
            raise Rejected("cliniko", operation, status=answer.status, hint=f"Cliniko refused {operation}.")
        try:
            return answer.json()
        except ValueError:
            raise self._invalid(operation) from None

    @staticmethod
    def refusal(status: int, operation: str) -> NotAuthorised:
        """What a 401 or a 403 means: the key, or what its user may do. A 403's body is empty for notes."""
        if status == 401:
            hint = "Cliniko refuses this clinician's key: make a new one in Cliniko (My info), put it in the settings."
            return NotAuthorised("cliniko", operation, status=401, hint=hint)
        if operation == "create_note":
            hint = "Cliniko lets the user of this key write no notes: the user must be an active practitioner."
            return NotAuthorised("cliniko", operation, status=403, hint=hint, code="not_a_practitioner")
        hint = f"The Cliniko user of this key may not {operation.replace('_', ' ')}: check the user's role in Cliniko."
        return NotAuthorised("cliniko", operation, status=403, hint=hint, code="not_permitted")

    @staticmethod
    def _invalid(operation: str) -> InvalidResponse:
        hint = (
            f"Cliniko's answer to {operation} is not what its reference describes: check CLINIKO_BASE_URL, try later."
        )
        return InvalidResponse("cliniko", operation, hint=hint)


def _stamp(moment: datetime) -> str:
    """A time as a filter takes it: other forms are answered with 400."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _accepted(answer: Answer) -> Accepted | InDoubt:
    try:
        note = note_of(mapping_of(answer.json()))
    except ValueError:
        note = None
    return InDoubt(f"unreadable_{answer.status}") if note is None else Accepted(note)


def _complaints(answer: Answer) -> tuple[str, ...]:
    """The names of the fields that Cliniko complained of; never their texts, which may quote what we sent."""
    try:
        errors = mapping_of(mapping_of(answer.json()).get("errors"))
    except ValueError:
        return ()
    return tuple(name for name in errors if isinstance(name, str) and FIELD_NAME.fullmatch(name))
