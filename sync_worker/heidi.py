"""Heidi's Open API as one clinician's user sees it: sign-in, the session list, a session, its documents. Reads only.

Parses JSON here and hands out `model` values. Where public sources disagree on a shape, every attested one is taken:
Heidi's reference pages "Authentication", "Sessions" and "Documents" show one sample each, and list no status codes.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

from sync_worker.clock import Clock
from sync_worker.errors import InvalidResponse, NotAuthorised, NotLinked, Rejected, Unavailable
from sync_worker.fields import date_of, id_of, mapping_of, moment_of, text_of
from sync_worker.http import Answer, HttpClient
from sync_worker.model import Document, Hint, ListedSession, PatientProfile, Session

PAGE_SIZE = 100
USABLE_ID = re.compile(r"[!-~]{1,64}")
"""Ids are opaque, but an address and a ledger's column must be able to hold them."""
LONGEST_NAME, LONGEST_EMAIL, LONGEST_LINK = 1_000, 254, 64
"""Characters. What is longer is no name that anybody has, no address, and no id of Cliniko's."""
UNSENDABLE = re.compile(r"[\x00\ud800-\udfff]")
"""NUL, and halves of characters: neither can stand in a request, in a hash or in a ledger."""
LONGEST_ID = 1_000
"""Characters of an id that an address can hold, written out."""
LINK_PAGE = "https://scribe.heidihealth.com/integration/widget/auth"
PRODUCT_NAME = "sync-worker"
REFUSES_SESSION = "Heidi refuses one of the sessions it lists."
TOKEN = re.compile(r"[!-~]+")
"""What can stand in a header; anything else would end as an exception that quotes it."""


@dataclass(frozen=True, slots=True)
class SessionPage:
    """One page of the list. `has_more` is None where the envelope does not say."""

    rows: tuple[ListedSession, ...]
    has_more: bool | None


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    fresh_until: float  # monotonic


class HeidiClient:
    """Heidi as one clinician sees it. Thread-safe; the token is renewed before it expires, and once on a 401.

    `email` and `user_id` together name the user that Heidi keeps for us: a changed one is silently another user with
    an empty world, so each new token is followed by a look whether the clinician's account is linked to it.
    """

    def __init__(
        self, *, http: HttpClient, api_key: Callable[[], str], email: str, user_id: str, region: str, clock: Clock
    ) -> None:
        """`api_key` gives the practice's key as it is at the time."""
        self._http = http
        self._api_key = api_key
        self._email = email
        self._user_id = user_id
        self.region = region
        self._clock = clock
        self._token: _Token | None = None
        self._linked_token: str | None = None
        self._lock = threading.Lock()

    @property
    def server_date(self) -> datetime | None:
        """Heidi's clock as of its last answer."""
        return self._http.server_date

    @property
    def clock_ahead(self) -> timedelta:
        """How far our clock was ahead of Heidi's at its last answer."""
        return self._http.clock_ahead

    def close(self) -> None:
        """Let go of all connections."""
        self._http.close()

    # ------------------------------------------------------------ sign-in

    def sign_in(self) -> None:
        """Get a token if there is no fresh one. Raises `NotAuthorised` if Heidi refuses the practice's key."""
        self._fresh_token()

    def is_linked(self) -> bool:
        """Whether the clinician's own Heidi account is linked to our user (GET /users/linked-account/access)."""
        answer = self._get("linked_account", "users/linked-account/access")
        if answer.status in (400, 403):
            return False  # sources disagree on which of the two says it
        if answer.status >= 400:
            raise self._refused(answer, "linked_account")
        linked = mapping_of(self._json("linked_account", answer)).get("is_linked")
        if not isinstance(linked, bool):
            raise self._invalid("linked_account")
        return linked

    def is_known_linked(self) -> bool:
        """Whether the account was seen to be linked with the token in use."""
        return self._token is not None and self._linked_token == self._token.value

    def require_linked(self) -> None:
        """Raise `NotLinked` with what to do unless the clinician's account is linked."""
        if not self.is_linked():
            raise self._not_linked("linked_account")
        self._linked_token = self._token.value if self._token else None

    def link_url(self) -> str:
        """The address at which the clinician links their account. It holds a live token: for their eyes only."""
        query = {"reset": "true", "region": self.region.upper(), "productName": PRODUCT_NAME, "t": self._fresh_token()}
        return f"{LINK_PAGE}?{urlencode(query)}"

    # ------------------------------------------------------------ what the pipeline reads

    def list_sessions(self, page: int, *, since: tuple[str, datetime] | None = None) -> SessionPage:
        """One page of the clinician's sessions, counted from 1, in whatever order Heidi has.

        `since` is the name and value of a server-side updated-since filter, where Heidi has confirmed one.
        """
        params = [("page", str(page)), ("page_size", str(PAGE_SIZE))]
        if since is not None:
            params.append((since[0], since[1].strftime("%Y-%m-%dT%H:%M:%SZ")))
        answer = self._get("list_sessions", "sessions/linked-user", params)
        if answer.status >= 400:
            raise self._link_trouble_or(answer, "list_sessions")
        return _session_page(self._json("list_sessions", answer), self._invalid("list_sessions"))

    def walk_sessions(self) -> Iterator[ListedSession]:
        """Every session of the list, once, whatever the order; ends with the list or with a page of nothing new."""
        seen: set[str] = set()
        for number in count(1):
            page = self.list_sessions(number)
            fresh = {row.session_id: row for row in page.rows if row.session_id not in seen}
            yield from fresh.values()
            seen |= fresh.keys()
            if not fresh or page.has_more is False:
                return

    def find_session(self, session_id: str) -> Session | None:
        """A session by its id; None if Heidi has no such session (any more), which is normal."""
        operation = "get_session"
        answer = self._get(operation, f"sessions/{_in_path(session_id)}")
        if answer.status == 404:
            return None
        self._raise_for_one(answer, operation, REFUSES_SESSION)
        body = mapping_of(self._json(operation, answer))
        return _session(mapping_of(body.get("session", body)), session_id, self._invalid(operation))

    def find_documents(self, session_id: str) -> list[Document] | None:
        """The documents of a session, blank ones included; None if Heidi has no such session (any more)."""
        operation = "list_documents"
        answer = self._get(operation, f"sessions/{_in_path(session_id)}/documents")
        if answer.status == 404:
            return None
        self._raise_for_one(answer, operation, REFUSES_SESSION)
        rows = _rows(self._json(operation, answer), ("documents", "data"))
        if rows is None:
            raise self._invalid(operation)
        return [_document(row, session_id, self._invalid(operation)) for row in rows]

    def find_patient_profile(self, profile_id: str) -> PatientProfile | None:
        """Heidi's own record of a patient; None if Heidi says that there is none.

        One that cannot be read is not "none": its birth date may speak against a chart.
        """
        operation = "get_patient_profile"
        if len(profile_id) > LONGEST_ID:
            raise self._invalid(operation)
        answer = self._get(operation, f"patient-profiles/{_in_path(profile_id)}")
        if answer.status == 404:
            return None
        self._raise_for_one(answer, operation, "Heidi refuses the patient profile of one of its sessions.")
        body = mapping_of(self._json(operation, answer))
        return _profile(mapping_of(body.get("data", body)), profile_id, self._invalid(operation))

    # ------------------------------------------------------------ requests

    def _get(self, operation: str, path: str, params: list[tuple[str, str]] | None = None) -> Answer:
        self.sign_in()  # before the read, whose tries would multiply those of the sign-in
        answer = self._http.read(operation, path, params or [], headers=self._headers)
        if answer.status == 401:
            self._token = None  # expired early, or revoked: one new one, then the answer stands
            self.sign_in()
            answer = self._http.read(operation, path, params or [], headers=self._headers)
        return answer

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._fresh_token()}", "Heidi-Api-Key": self._api_key()}

    def _fresh_token(self) -> str:
        with self._lock:
            if self._token is None or self._clock.monotonic() >= self._token.fresh_until:
                self._token = self._new_token()
            return self._token.value

    def _new_token(self) -> _Token:
        operation = "jwt"
        params = [("email", self._email), ("third_party_internal_id", self._user_id)]
        answer = self._http.read(operation, "jwt", params, headers=lambda: {"Heidi-Api-Key": self._api_key()})
        if answer.status in (401, 403):
            hint = "Heidi refuses HEIDI_API_KEY: check the key, and that it belongs to this region."
            raise NotAuthorised("heidi", operation, status=answer.status, hint=hint)
        if answer.status >= 400:
            raise Rejected("heidi", operation, status=answer.status, hint="Heidi refused the clinician's sign-in.")
        body = mapping_of(self._json(operation, answer))
        token, expires = text_of(body.get("token")), moment_of(body.get("expiration_time"))
        if token is None or expires is None or not TOKEN.fullmatch(token):
            raise self._invalid(operation)
        # measured against Heidi's own clock, so that a wrong clock here neither wastes nor overstays a token
        lifetime = (expires - (answer.date or self._clock.now())).total_seconds()
        return _Token(token, self._clock.monotonic() + lifetime - min(30.0, lifetime / 10))

    def _json(self, operation: str, answer: Answer) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise self._invalid(operation) from None

    def _raise_for_one(self, answer: Answer, operation: str, hint: str) -> None:
        """A session or profile that alone is refused, while the account is linked, is its own trouble and no more."""
        if answer.status < 400:
            return
        trouble = self._link_trouble_or(answer, operation)
        if answer.status == 401 or isinstance(trouble, NotLinked):
            raise trouble
        raise Rejected("heidi", operation, status=answer.status, hint=hint)

    def _link_trouble_or(self, answer: Answer, operation: str) -> Exception:
        """Heidi's statuses for an account that is not linked differ by source: ask, rather than read the status."""
        try:
            if not self.is_linked():
                return self._not_linked(operation)
        except (Unavailable, InvalidResponse, Rejected):
            pass
        return self._refused(answer, operation)

    @staticmethod
    def _refused(answer: Answer, operation: str) -> Rejected:
        if answer.status in (401, 403):
            hint = "Heidi refuses this clinician's sign-in: check HEIDI_API_KEY and the clinician's e-mail and user id."
            return NotAuthorised("heidi", operation, status=answer.status, hint=hint)
        return Rejected("heidi", operation, status=answer.status, hint=f"Heidi refused {operation}.")

    @staticmethod
    def _not_linked(operation: str) -> NotLinked:
        hint = (
            "The clinician's Heidi account is not linked: run `sync-worker link`, and check that the e-mail and user "
            "id in the settings are the ones that were linked."
        )
        return NotLinked("heidi", operation, hint=hint)

    @staticmethod
    def _invalid(operation: str) -> InvalidResponse:
        hint = f"Heidi's answer to {operation} is not what its reference describes: check HEIDI_BASE_URL, try later."
        return InvalidResponse("heidi", operation, hint=hint)


# ---------------------------------------------------------------- JSON to values


def _session_page(body: Any, invalid: InvalidResponse) -> SessionPage:
    rows = _rows(body, ("data", "sessions"))
    if rows is None:
        raise invalid
    flags = [body[name] for name in ("has_next", "has_next_page") if isinstance(body, dict) and name in body]
    has_more = bool(flags[0]) if flags and flags[0] is not None else None
    listed = [
        ListedSession(
            _required_id(row, ("session_id", "id"), invalid),
            moment_of(row.get("created_at")),
            moment_of(row.get("updated_at")),
        )
        for row in rows
    ]
    return SessionPage(tuple(listed), has_more)


def _session(row: dict[str, Any], session_id: str, invalid: InvalidResponse) -> Session:
    created_at, updated_at = moment_of(row.get("created_at")), moment_of(row.get("updated_at"))
    begun = created_at or updated_at
    if begun is None or id_of(row, "session_id") not in (None, session_id):
        raise invalid
    patient, profile = mapping_of(row.get("patient")), mapping_of(row.get("patient_profile"))
    consent = row.get("consent_obtained")
    return Session(
        session_id=session_id,
        created_at=begun,
        updated_at=updated_at or begun,
        hint=Hint(
            name=_name(patient.get("name")),
            birth_date=date_of(patient.get("dob")),
            linked_patient_id=_link(row) or _link(profile),
        ),
        consent=consent if isinstance(consent, bool) else None,
        patient_profile_id=id_of(profile, "id"),
        profile_link=_link(profile),
    )


def _profile(row: dict[str, Any], profile_id: str, invalid: InvalidResponse) -> PatientProfile:
    """A profile. What has neither its id nor its birth date is something else."""
    if not row.keys() & {"id", "birth_date"} or id_of(row) not in (None, profile_id):
        raise invalid
    return PatientProfile(
        birth_date=date_of(row.get("birth_date")),
        email=_no_longer_than(LONGEST_EMAIL, _sendable(row.get("email"))),
        linked_patient_id=_link(row),
        first_name=_name(row.get("first_name")),
        last_name=_name(row.get("last_name")),
    )


def _name(value: Any) -> str:
    """A name, as far as names go."""
    return (_sendable(value) or "")[:LONGEST_NAME].rstrip()


def _link(row: dict[str, Any]) -> str | None:
    """The patient id of a practice's system that Heidi links."""
    return _no_longer_than(LONGEST_LINK, _sendable(id_of(row, "ehr_patient_id")))


def _no_longer_than(longest: int, text: str | None) -> str | None:
    return text if text is not None and len(text) <= longest else None


def _sendable(value: Any) -> str | None:
    """A text without what no request can carry; people do not see it either."""
    return text_of(UNSENDABLE.sub("", value)) if isinstance(value, str) else None


def _document(row: dict[str, Any], session_id: str, invalid: InvalidResponse) -> Document:
    content, name, template_id = row.get("content"), row.get("name"), id_of(row, "template_id")
    return Document(
        document_id=_required_id(row, ("id",), invalid),
        session_id=session_id,
        name=name.strip() if isinstance(name, str) else "",
        content=content if isinstance(content, str) else "",
        content_type=text_of(row.get("content_type")),
        template_id=template_id if template_id and USABLE_ID.fullmatch(template_id) else None,
    )


def _rows(body: Any, names: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """The rows of a list in any attested envelope: under a name, or bare. None if it is none of them."""
    if isinstance(body, dict):
        body = next((body[name] for name in names if isinstance(body.get(name), list)), None)
    return [row for row in body if isinstance(row, dict)] if isinstance(body, list) else None


def _in_path(id_: str) -> str:
    """An id as part of an address, whatever characters it has: ids are opaque."""
    return quote(id_, safe="", errors="surrogatepass")


def _required_id(row: dict[str, Any], names: tuple[str, ...], invalid: InvalidResponse) -> str:
    """The first id that the row has. A row that cannot be named cannot be filed either: better loud than lost."""
    found = next((id_ for name in names if (id_ := id_of(row, name)) is not None), None)
    if found is None or not USABLE_ID.fullmatch(found):
        raise invalid
    return found
