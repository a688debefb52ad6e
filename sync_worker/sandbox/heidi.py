"""A stand-in for Heidi's Open API, written from its reference pages and from how independent clients met it.

Owns the answers: sign-in, linking, sessions, documents, profiles, templates, and their faults. Where sources
disagree a switch decides (see `HeidiState`). It ignores query parameters it does not know, as the real
service does, so an updated-since filter has no effect. It only reads: no request changes a session or a
document.
"""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from sync_worker.sandbox.faults import wire_fault
from sync_worker.sandbox.heidi_records import ApiUser, HeidiClinician, HeidiSession, naive
from sync_worker.sandbox.heidi_state import Envelope, HeidiState, Order
from sync_worker.sandbox.records import utc_now
from sync_worker.sandbox.wire import Reply, Request, json_reply

BASE_PATH = "/api/v2/ml-scribe/open-api/"

__all__ = ["BASE_PATH", "HeidiSandbox"]


class HeidiSandbox(HeidiState):
    """Heidi on loopback: `handle` answers one request, the verbs of `HeidiState` play the clinicians."""

    def __init__(self, now: Callable[[], datetime] = utc_now, seed: int = 1) -> None:
        super().__init__(now, seed)
        self._tokens: dict[str, tuple[ApiUser, datetime]] = {}

    def handle(self, request: Request) -> Reply:
        """Answer one request, as Heidi would; thread-safe."""
        with self.lock:
            self.requests.append(request)
            date = format_datetime(self.now().astimezone(UTC), usegmt=True)
            return self._answer(request).with_headers(Date=date)

    def _answer(self, request: Request) -> Reply:
        if not request.path.startswith(BASE_PATH):
            return _not_found()
        return self._route(request, request.path.removeprefix(BASE_PATH).strip("/").split("/"))

    def _route(self, request: Request, parts: list[str]) -> Reply:
        match request.method, parts:
            case "GET", ["jwt"]:
                return self._spoilt("jwt", lambda: self._sign_in(request))
            case "GET", ["users", "linked-account", "access"]:
                return self._spoilt("access", lambda: self._access(request))
            case "POST", ["users", "linked-account"]:
                return self._link_by_api(request)
            case "DELETE", ["users", "linked-account:unlink"]:
                return self._unlink_by_api(request)
            case "GET", ["sessions", "linked-user"]:
                return self._spoilt("sessions", lambda: self._list_sessions(request))
            case "GET", ["sessions", session_id]:
                return self._spoilt("session", lambda: self._get_session(request, session_id))
            case "GET", ["sessions", session_id, "documents"]:
                return self._spoilt("documents", lambda: self._list_documents(request, session_id))
            case "GET", ["patient-profiles"]:
                return self._spoilt("profile", lambda: self._list_profiles(request))
            case "GET", ["patient-profiles", profile_id]:
                return self._spoilt("profile", lambda: self._get_profile(request, profile_id))
            case "GET", ["templates", "consult-note-templates" | "document-templates" as kind]:
                return self._spoilt("templates", lambda: self._list_templates(request, kind))
        return _not_found()

    # sign-in and link

    def _sign_in(self, request: Request) -> Reply:
        """`GET /jwt`: a token for the API user (email, id); a new spelling of either is a new, unlinked user."""
        if request.headers.get("heidi-api-key") != self.api_key:
            return _detail(401, "Invalid API key", "InvalidApiKeyError")
        email, user_id = request.param("email"), request.param("third_party_internal_id")
        if not email or not user_id:
            return _invalid("query", "email" if not email else "third_party_internal_id", "Field required")
        expires = self.now() + timedelta(seconds=self.token_lifetime_seconds)
        token = self._new_token(expires)
        self._tokens[token] = ((email, user_id), expires)
        stamp = expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{expires.microsecond // 1000:03d}Z"
        return json_reply(200, {"token": token, "expiration_time": stamp})

    def _new_token(self, expires: datetime) -> str:
        claims = {"exp": int(expires.timestamp()), "jti": f"{self.random.getrandbits(64):016x}"}
        signature = self.random.getrandbits(256).to_bytes(32, "big")
        parts = (b'{"alg":"HS256","typ":"JWT"}', json.dumps(claims).encode(), signature)
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    def _user(self, request: Request) -> ApiUser | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user, expires = self._tokens.get(token.strip(), (None, self.now()))
        if scheme.lower() != "bearer" or user is None or self.now() >= expires:
            return None
        return user

    def _clinician_of(self, user: ApiUser) -> HeidiClinician | None:
        return next((each for each in self.clinicians.values() if each.linked_to == user), None)

    def _access(self, request: Request) -> Reply:
        user = self._user(request)
        if user is None:
            return _unauthorised()
        clinician = self._clinician_of(user)
        account = {"user_id": clinician.kinde_user_id, "ehr_provider": "sandbox"} if clinician else None
        return json_reply(200, {"is_valid": True, "is_linked": clinician is not None, "account": account})

    def _link_by_api(self, request: Request) -> Reply:
        """`POST /users/linked-account`: links by `kinde_user_id`, one Heidi account to one API user."""
        user = self._user(request)
        if user is None:
            return _unauthorised()
        body = request.json if isinstance(request.json, dict) else {}
        wanted = body.get("kinde_user_id")
        for clinician in self.clinicians.values():
            if clinician.kinde_user_id == wanted:
                return self._linked(clinician, user)
        if not wanted:
            return _invalid("body", "kinde_user_id", "Field required")
        return _detail(404, "User not found", "UserNotFoundError")

    def _linked(self, clinician: HeidiClinician, user: ApiUser) -> Reply:
        if clinician.linked_to not in (None, user):
            return _detail(400, "Account is already linked", "OpenAPIHeidiAccountAlreadyLinkedError")
        clinician.linked_to, clinician.linked_at = user, self.now()
        account = {
            "_id": clinician.link_id,
            "user_id": clinician.kinde_user_id,
            "ehr_provider": "sandbox",
            "ehr_email": user[0],
            "ehr_user_id": user[1],
            "deleted_at": None,
            "created_at": naive(clinician.linked_at),
            "updated_at": naive(clinician.linked_at),
        }
        return json_reply(200, {"account": account})

    def _unlink_by_api(self, request: Request) -> Reply:
        user = self._user(request)
        if user is None:
            return _unauthorised()
        clinician = self._clinician_of(user)
        if clinician is None:
            return self._not_linked()
        clinician.linked_to = None
        return json_reply(200, {"is_success": True})

    # sessions and documents

    def _as_clinician(self, request: Request, answer: Callable[[HeidiClinician], Reply]) -> Reply:
        user = self._user(request)
        if user is None:
            return _unauthorised()
        clinician = self._clinician_of(user)
        return answer(clinician) if clinician else self._not_linked()

    def _list_sessions(self, request: Request) -> Reply:
        """`GET /sessions/linked-user`: `page` from 1 and `page_size`; nothing else is heeded."""
        return self._as_clinician(request, lambda clinician: self._session_page(request, clinician))

    def _session_page(self, request: Request, clinician: HeidiClinician) -> Reply:
        page, size = _whole(request, "page", 1), _whole(request, "page_size", self.default_page_size)
        if page is None or size is None:
            name = "page" if page is None else "page_size"
            return _invalid("query", name, "Input should be a valid integer greater than 0")
        size = min(size, self.max_page_size)
        page = 1 if self.ignores_page else page
        mine = self._in_order([each for each in self.sessions.values() if clinician.user_id in each.clinicians])
        # Each page further, one more session stands before the ones the reader has seen: rows come twice.
        shift = page - 1 if self.shifts_pages else 0
        start = max(0, (page - 1) * size - shift)
        rows = mine[start : start + size]
        return json_reply(200, self._wrapped(rows, len(mine), start > 0, start + size < len(mine)))

    def _in_order(self, sessions: list[HeidiSession]) -> list[HeidiSession]:
        match self.order:
            case Order.NEWEST:
                return sorted(sessions, key=lambda each: each.created_at, reverse=True)
            case Order.OLDEST:
                return sorted(sessions, key=lambda each: each.created_at)
            case Order.UPDATED:
                return sorted(sessions, key=lambda each: each.updated_at, reverse=True)
            case Order.RANDOM:  # no rule to see, yet the same from page to page
                return sorted(sessions, key=lambda each: each.shuffle)
        raise ValueError(f"unknown order {self.order!r}")

    def _wrapped(self, rows: list[HeidiSession], total: int, before: bool, more: bool) -> Any:
        items = [each.as_json() if self.rows_carry_patient else each.as_row() for each in rows]
        match self.envelope:
            case Envelope.DATA:
                return {
                    "count": len(items),
                    "total_count": total,
                    "has_next": more,
                    "has_previous": before,
                    "data": items,
                }
            case Envelope.SESSIONS:
                return {"sessions": items, "count": len(items), "has_next_page": more}
            case Envelope.BARE:
                return items
        raise ValueError(f"unknown envelope {self.envelope!r}")

    def _with_session(self, request: Request, session_id: str, answer: Callable[[HeidiSession], Reply]) -> Reply:
        def seen_by(clinician: HeidiClinician) -> Reply:
            session = self.sessions.get(session_id)
            # Another clinician's session is answered like one that does not exist.
            if session is None or clinician.user_id not in session.clinicians:
                return _detail(404, "Session not found", "SessionNotFoundError")
            return answer(session)

        return self._as_clinician(request, seen_by)

    def _get_session(self, request: Request, session_id: str) -> Reply:
        def detail(session: HeidiSession) -> Reply:
            value = session.as_json()
            return json_reply(200, {"session": value} if self.session_envelope else value)

        return self._with_session(request, session_id, detail)

    def _list_documents(self, request: Request, session_id: str) -> Reply:
        def documents(session: HeidiSession) -> Reply:
            typed = self.documents_carry_content_type
            items = [each.as_json(with_content_type=typed) for each in session.documents]
            bare = self.documents_envelope == Envelope.BARE
            return json_reply(200, items if bare else {str(self.documents_envelope): items})

        return self._with_session(request, session_id, documents)

    # profiles and templates

    def _profiles_of(self, clinician: HeidiClinician) -> dict[str, dict[str, Any]]:
        mine = (each for each in self.sessions.values() if clinician.user_id in each.clinicians)
        return {each.profile.profile_id: each.profile.as_json() for each in mine if each.profile}

    def _get_profile(self, request: Request, profile_id: str) -> Reply:
        def profile(clinician: HeidiClinician) -> Reply:
            found = self._profiles_of(clinician).get(profile_id)
            if found is None:
                return _detail(404, "Patient profile not found", "PatientProfileNotFoundError")
            return json_reply(200, {"data": found})

        return self._as_clinician(request, profile)

    def _list_profiles(self, request: Request) -> Reply:
        def profiles(clinician: HeidiClinician) -> Reply:
            wanted = request.param("ehr_patient_id")
            found = [
                each
                for each in self._profiles_of(clinician).values()
                if wanted is None or each["ehr_patient_id"] == wanted
            ]
            page, size = _whole(request, "page", 1) or 1, _whole(request, "page_size", 20) or 20
            pages = -(-len(found) // size)
            return json_reply(200, {"data": found[(page - 1) * size : page * size], "total_pages": max(1, pages)})

        return self._as_clinician(request, profiles)

    def _list_templates(self, request: Request, kind: str) -> Reply:
        category = kind.removesuffix("s").replace("-", "_").upper()
        found = [each for each in self.templates.values() if each["template_category"] == category]
        return self._as_clinician(request, lambda _: json_reply(200, {"templates": found}))

    # faults

    def _not_linked(self) -> Reply:
        return _detail(self.unlinked_status, "Linked Account is required", "OpenAPILinkedAccountRequiredError")

    def _spoilt(self, route: str, good: Callable[[], Reply]) -> Reply:
        fault = self.faults.take(route)
        if fault is None:
            return good()
        reply = wire_fault(fault, good)
        return reply if reply is not None else self._fault_reply(fault)

    def _fault_reply(self, fault: str) -> Reply:
        match fault:
            case "404":
                return _detail(404, "Session not found", "SessionNotFoundError")
            case "422":
                return _invalid("query", "page_size", "Input should be a valid integer")
            case "detail_text":
                return json_reply(400, {"detail": "Something is not right"})
            case "401":
                return _unauthorised()
            case "429":
                return json_reply(429, {"detail": "Too many requests"})
            case "429_retry_after":
                reply = json_reply(429, {"detail": "Too many requests"})
                return reply.with_headers(Retry_After=str(self.retry_after_seconds))
            case "500":
                return json_reply(500, {"detail": "Internal server error"})
        raise ValueError(f"unknown fault {fault!r}")


def _whole(request: Request, name: str, default: int) -> int | None:
    """A positive whole number from the query, the default where it is missing, None where it is not one."""
    text = request.param(name)
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdecimal() and int(text) > 0 else None


def _detail(status: int, message: str, kind: str) -> Reply:
    return json_reply(status, {"detail": {"msg": message, "type": kind}})


def _invalid(place: str, name: str, message: str) -> Reply:
    return json_reply(422, {"detail": [{"loc": [place, name], "msg": message, "type": "value_error"}]})


def _unauthorised() -> Reply:
    return json_reply(401, {"detail": "Unauthorized"})


def _not_found() -> Reply:
    return json_reply(404, {"detail": "Not Found"})
