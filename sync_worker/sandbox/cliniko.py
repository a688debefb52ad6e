"""A stand-in for Cliniko's API, written from its reference and from what clients met on live accounts.

Owns the routes: who may ask, how often, what each answers, and the faults on the way. Where nobody knows how the real
service behaves a switch decides (see `ClinikoState`). An `Idempotency-Key` and unknown parameters are ignored, as the
real one does; an unknown filter is a 400.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import ceil
from typing import Any

from sync_worker.sandbox import cliniko_notes
from sync_worker.sandbox.access import RateWindows, names_a_contact, user_of
from sync_worker.sandbox.attachments import STORAGE_PATH, Attachments
from sync_worker.sandbox.cliniko_notes import not_found
from sync_worker.sandbox.cliniko_records import (
    APPOINTMENT_COLUMNS,
    ATTENDEE_COLUMNS,
    BOOKING_COLUMNS,
    NOTE_COLUMNS,
    PATIENT_COLUMNS,
    PRACTITIONER_COLUMNS,
    TEMPLATE_COLUMNS,
    USER_COLUMNS,
    NoteRecord,
    UserRecord,
)
from sync_worker.sandbox.cliniko_state import ClinikoState
from sync_worker.sandbox.faults import FaultQueue, seconds_of, wire_fault
from sync_worker.sandbox.filters import Columns
from sync_worker.sandbox.lists import Listing, link, list_reply
from sync_worker.sandbox.records import utc_now
from sync_worker.sandbox.wire import Reply, Request, Wire, html_reply, json_reply

BASE_PATH = "/v1/"
ELSEWHERE = "https://elsewhere.example"
"""A host that no key must ever reach; the name cannot resolve."""

READ_ROUTES = ("patients", "notes", "note", "practitioners", "user", "settings", "templates", "bookings")
READ_FAULTS = frozenset(
    ("401", "403", "404", "429", "500", "502_html", "slow:SECONDS", "drop", "cut", "stall", "drip")
) | {"html_200", "unexpected_shape", "redirect", "foreign_next"}
WRITE_ROUTES = ("post", "patch", "archive")
WRITE_FAULTS = frozenset(
    ("drop", "commit_then_drop", "commit_then_504", "500", "502_html", "503", "408", "cut_201", "401", "403")
) | {"bad_json_201", "slow:SECONDS", "429", "commit_late:SECONDS", "404_html", "422", "stall"}

Commit = Callable[[datetime], Reply]
"""A write that happens when it is called, with the moment at which it happens."""


class ClinikoSandbox(ClinikoState):
    """Cliniko on loopback: `handle` answers one request, the verbs of `ClinikoState` play the practice."""

    def __init__(self, now: Callable[[], datetime] = utc_now, shard: str = "au3", seed: int = 1) -> None:
        super().__init__(now, shard, seed)
        allowed = dict.fromkeys(READ_ROUTES, READ_FAULTS) | dict.fromkeys(WRITE_ROUTES, WRITE_FAULTS)
        self.faults = FaultQueue(allowed)
        self._attachments = Attachments(self)
        self._windows = RateWindows()

    def fail(self, route: str, fault: str, times: int = 1, after: int = 0) -> None:
        """Let `after` reads of `route` pass, then spoil `times` of them. ValueError for unknown names."""
        with self.lock:
            self.faults.plan(route, fault, times, after)

    def fail_post(self, fault: str, times: int = 1, after: int = 0) -> None:
        """The same for `POST /treatment_notes`; the name of a fault says whether the note is stored."""
        self.fail("post", fault, times, after)

    def handle(self, request: Request) -> Reply:
        """Answer one request, as Cliniko would; thread-safe."""
        with self.lock:
            self.requests.append(request)
            self.commit_due()
            date = format_datetime(self.server_time().astimezone(UTC), usegmt=True)
            return self._answer(request).with_headers(Date=date)

    def _answer(self, request: Request) -> Reply:
        if request.method == "POST" and request.path == STORAGE_PATH:
            return self._attachments.upload(request)
        if not request.path.startswith(BASE_PATH):
            return not_found()
        if self.strict_user_agent and not names_a_contact(request.headers.get("user-agent", "")):
            return json_reply(403, {"message": "Please identify yourself with a valid User-Agent"})
        user = user_of(request, self.users.values(), self.shard)
        if user is None:
            return _denied()
        if reset := self._reset(user):
            return self._slow_down(reset)
        parts = request.path.removeprefix(BASE_PATH).strip("/").split("/")
        return self._route(_Ask(request, user, f"{_site(request)}{BASE_PATH.rstrip('/')}"), parts)

    def _reset(self, user: UserRecord) -> datetime | None:
        limit = self.rate_limit_per_minute
        return None if limit is None else self._windows.reset_of(user, limit, self.now())

    def _slow_down(self, reset: datetime) -> Reply:
        """429: only `X-RateLimit-Reset` is documented, in UNIX seconds of the server's clock; no `Retry-After`."""
        moment = reset + timedelta(seconds=self.clock_offset_seconds)
        return Reply(429).with_headers(X_RateLimit_Reset=str(ceil(moment.timestamp())))

    # routes

    def _route(self, ask: "_Ask", parts: list[str]) -> Reply:
        match ask.request.method, parts:
            case "GET", _:
                return self._read(ask, parts)
            case "POST", ["treatment_notes"]:
                create = cliniko_notes.create_note
                return self._write("post", lambda at: create(self, ask.request, ask.user, ask.base, at))
            case "PATCH", ["treatment_notes", note_id]:
                update = cliniko_notes.update_note
                return self._write("patch", lambda at: update(self, ask.request, ask.user, ask.base, note_id, at))
            case ("POST", ["treatment_notes", note_id, "archive"]) | ("DELETE", ["treatment_notes", note_id]):
                archive = cliniko_notes.archive_note
                return self._write("archive", lambda at: archive(self, ask.user, note_id, at))
            case "POST", ["treatment_notes", note_id, "unarchive"]:
                return cliniko_notes.unarchive_note(self, ask.user, ask.base, note_id, self.now())
            case "POST", ["patient_attachments"]:
                return self._attachments.create(ask.request, ask.user, ask.base)
        return not_found()

    def _read(self, ask: "_Ask", parts: list[str]) -> Reply:
        match parts:
            case ["patients", *_] if len(parts) < 3:
                return self._spoilt("patients", ask, lambda: self._patients(ask, parts))
            case ["patients", patient_id, "treatment_notes"]:
                return self._spoilt("notes", ask, lambda: self._list_notes(ask, patient_id))
            case ["patients", patient_id, "attachment_presigned_post"]:
                return self._attachments.presigned_post(patient_id, _site(ask.request))
            case ["treatment_notes"]:
                return self._spoilt("notes", ask, lambda: self._list_notes(ask))
            case ["treatment_notes", note_id]:
                return self._spoilt("note", ask, lambda: self._get_note(ask, note_id))
            case ["practitioners", *_]:
                return self._spoilt("practitioners", ask, lambda: self._practitioners(ask, parts))
            case ["user"] | ["users", *_]:
                return self._spoilt("user", ask, lambda: self._users(ask, parts))
            case ["settings", *_]:
                return self._spoilt("settings", ask, lambda: self._settings(ask, parts))
            case ["treatment_note_templates", *_]:
                return self._spoilt("templates", ask, lambda: self._templates(ask, parts))
            case ["patient_attachments", attachment_id]:
                return self._attachments.get(attachment_id, ask.base)
            case ["bookings" | "attendees" | "individual_appointments" | "group_appointments", *_]:
                return self._spoilt("bookings", ask, lambda: self._diary(ask, parts))
        return not_found()

    def _list(self, ask: "_Ask", plural: str, columns: Columns, rows: Iterable[Any], **how: Any) -> Reply:
        as_json = how.get("as_json") or (lambda row: row.as_json(ask.base))
        listing = Listing(plural, columns, as_json, self.collation, self.clamps_per_page)
        url = _site(ask.request) + ask.request.path
        return list_reply(ask.request, url, listing, rows)

    def _one(self, ask: "_Ask", record: Any) -> Reply:
        return not_found() if record is None else json_reply(200, record.as_json(ask.base))

    # what each answers

    def _patients(self, ask: "_Ask", parts: list[str]) -> Reply:
        if len(parts) == 1:
            return self._list(ask, "patients", PATIENT_COLUMNS, self.patients.values())
        patient = self.patients.get(parts[1])
        if patient is not None and patient.archived_at and self.archived_patient_by_id == 404:
            return not_found()
        return self._one(ask, patient)

    def _list_notes(self, ask: "_Ask", patient_id: str | None = None) -> Reply:
        if not ask.user.may_write_notes and not ask.user.is_administrator:
            return Reply(403)
        if patient_id is not None and patient_id not in self.patients:
            return not_found()
        mine = (note for note in self.notes.values() if self._is_shown(note, ask.user))
        return self._list(
            ask,
            "treatment_notes",
            NOTE_COLUMNS,
            [note for note in mine if patient_id in (None, note.patient_id) and self._is_listed(note)],
        )

    def _get_note(self, ask: "_Ask", note_id: str) -> Reply:
        note = self.notes.get(note_id)
        if note is None or note.archived_at is not None or not self._is_shown(note, ask.user):
            return not_found()
        return self._one(ask, note)

    def _is_shown(self, note: NoteRecord, user: UserRecord) -> bool:
        """An account can let practitioners read their own notes only; administrators read all."""
        own = note.practitioner_id == user.practitioner_id
        return user.is_administrator or (own if self.own_notes_only else own or user.may_write_notes)

    def _is_listed(self, note: NoteRecord) -> bool:
        """Lists may lag behind: a note can be read by its id before any list shows it."""
        return note.committed_at + timedelta(seconds=self.list_lag_seconds) <= self.now()

    def _practitioners(self, ask: "_Ask", parts: list[str]) -> Reply:
        everybody = [user for user in self.users.values() if user.practitioner_id is not None]
        match parts:
            case ["practitioners"] | ["practitioners", "inactive"]:
                active = len(parts) == 1
                found = [user for user in everybody if user.practitioner_active == active]
                show = {"as_json": lambda user: user.as_practitioner(ask.base)}
                return self._list(ask, "practitioners", PRACTITIONER_COLUMNS, found, **show)
            case ["practitioners", wanted]:
                for user in everybody:
                    if user.practitioner_id == wanted:
                        return json_reply(200, user.as_practitioner(ask.base))
        return not_found()

    def _users(self, ask: "_Ask", parts: list[str]) -> Reply:
        """`/user` is the key's own user; the others are for administrators."""

        def show(user: UserRecord) -> dict[str, Any]:
            return user.as_json(ask.base, self.time_zone)

        if parts == ["user"] or parts == ["users", ask.user.user_id]:
            return json_reply(200, show(ask.user))
        if not ask.user.is_administrator:
            return Reply(403)
        if len(parts) == 1:
            return self._list(ask, "users", USER_COLUMNS, self.users.values(), as_json=show)
        user = self.users.get(parts[1])
        return json_reply(200, show(user)) if user and len(parts) == 2 else not_found()

    def _settings(self, ask: "_Ask", parts: list[str]) -> Reply:
        """`/settings/public` is meant for every user, `/settings` for roles that may view settings."""
        if parts == ["settings"] and not ask.user.is_administrator:
            return Reply(403)
        if parts != ["settings"] and (parts != ["settings", "public"] or not self.offers_public_settings):
            return not_found()
        account = {
            "id": "123",
            "name": "Sandbox Physiotherapy",
            "country": "Australia",
            "time_zone": self.time_zone,
            "currency_symbol": "$",
            "subdomain": self.subdomain,
        }
        settings = {"terminology": {"patient": "patient"}, "account": account}
        return json_reply(200, settings | link(ask.base, *parts))

    def _templates(self, ask: "_Ask", parts: list[str]) -> Reply:
        if len(parts) == 1:
            return self._list(ask, parts[0], TEMPLATE_COLUMNS, self.templates.values())
        return self._one(ask, self.templates.get(parts[1]) if len(parts) == 2 else None)

    def _diary(self, ask: "_Ask", parts: list[str]) -> Reply:
        if not ask.user.can_read_bookings:
            return Reply(403)
        singles = {each.booking_id: each for each in self.bookings.values() if each.patient_id is not None}
        match parts:
            case ["bookings"]:
                return self._list(ask, "bookings", BOOKING_COLUMNS, self.bookings.values())
            case ["individual_appointments"]:
                return self._list(ask, parts[0], APPOINTMENT_COLUMNS, singles.values())
            case ["attendees"]:
                return self._list(ask, "attendees", ATTENDEE_COLUMNS, self.attendees())
            case ["individual_appointments" | "group_appointments", booking_id, "attendees"]:
                found = [each for each in self.attendees() if each.booking_id == booking_id]
                return self._list(ask, "attendees", ATTENDEE_COLUMNS, found)
            case ["bookings", booking_id]:
                return self._one(ask, self.bookings.get(booking_id))
            case ["individual_appointments", booking_id]:
                return self._one(ask, singles.get(booking_id))
            case ["attendees", attendee_id]:
                found = [each for each in self.attendees() if each.attendee_id == attendee_id]
                return self._one(ask, found[0] if found else None)
        return not_found()

    # faults

    def _spoilt(self, route: str, ask: "_Ask", good: Callable[[], Reply]) -> Reply:
        fault = self.faults.take(route)
        if fault is None:
            return good()
        match fault:
            case "redirect":
                return Reply(302, {"Location": ELSEWHERE + ask.request.path})
            case "foreign_next":
                return _with_foreign_next(good(), ask.request.path)
        return wire_fault(fault, good) or self._refusal(fault)

    def _write(self, route: str, commit: Commit) -> Reply:
        """A write under the fault that waits for it. What the client sees is no proof of what was stored."""
        fault = self.faults.take(route)
        match (fault or "").partition(":")[0]:
            case "":
                return commit(self.now())
            case "commit_then_drop":
                return _if_done(commit(self.now()), Reply(0, wire=Wire.DROP))
            case "commit_then_504":
                return _if_done(commit(self.now()), html_reply(504, "504 Gateway Time-out"))
            case "bad_json_201":
                reply = commit(self.now())
                return _if_done(reply, replace(reply, body=reply.body[: len(reply.body) // 2]))
            case "cut_201":
                reply = commit(self.now())
                return _if_done(reply, replace(reply, wire=Wire.CUT))
            case "commit_late":
                self.commit_later(self.now() + timedelta(seconds=seconds_of(str(fault))), commit)
                return Reply(0, wire=Wire.DROP)
        return wire_fault(str(fault), lambda: commit(self.now())) or self._refusal(str(fault))

    def _refusal(self, fault: str) -> Reply:
        """A refusal or breakdown without any effect."""
        match fault:
            case "401":
                return _denied()
            case "403" | "408":
                return Reply(int(fault))
            case "404":
                return not_found()
            case "404_html":
                return html_reply(404, "404 Not Found")
            case "422":
                errors = {"title": ["can't be blank"] if self.error_lists else "can't be blank"}
                return json_reply(422, {"message": "Validation Failed", "errors": errors})
            case "429":
                return self._slow_down(self.now() + timedelta(seconds=self.rate_limit_reset_seconds))
            case "500":
                return json_reply(500, {"message": "Internal server error"})
            case "503":
                return html_reply(503, "503 Service Temporarily Unavailable")
        raise ValueError(f"unknown fault {fault!r}")


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request whose user is known; `base` is the API's own address, for links."""

    request: Request
    user: UserRecord
    base: str


def _site(request: Request) -> str:
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def _denied() -> Reply:
    return Reply(401, {"Content-Type": "text/html; charset=utf-8"}, b"HTTP Basic: Access denied.\n")


def _if_done(reply: Reply, instead: Reply) -> Reply:
    """`instead` for a write that happened; a refused one is answered as ever."""
    return instead if reply.status < 300 else reply


def _with_foreign_next(reply: Reply, path: str) -> Reply:
    if reply.status != 200:
        return reply
    value = json.loads(reply.body)
    value["links"]["next"] = f"{ELSEWHERE}{path}?page=2"
    return replace(reply, body=json.dumps(value).encode())
