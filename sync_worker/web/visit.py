"""One request by one person: the form they sent, who they are, and how they are answered.

Owns the cookie, the token that every form carries, and the words for what cannot be done. A form is URL-encoded and
small: nothing here takes files.
"""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sync_worker.records import Account, Login
from sync_worker.web.office import Office
from sync_worker.web.templating import render

LONGEST_FORM_BYTES = 16 * 1024
FORM_SECONDS = 10.0
MOST_FIELDS = 32
COOKIE = "sync_worker"


class Refusal(Exception):
    """What was asked cannot be given: a status, and one sentence that says what to do."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, with all that a page needs to answer it. `login` is None where nobody is logged in."""

    office: Office
    request: Request
    login: Login | None = None
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """Who asks. Only for pages that need a login."""
        if self.login is None:
            raise Refusal(401, "Log in first.")
        return self.login.account

    def number(self, name: str, *, largest: int = 2**31 - 1) -> int:
        """A number in the address, such as an entry's. Raises `Refusal` for anything else."""
        given = self.request.path_params.get(name) or self.request.query_params.get(name) or ""
        if not (given.isascii() and given.isdigit()) or len(given) > 10 or not 1 <= int(given) <= largest:
            raise Refusal(404, "There is no such page.")
        return int(given)

    def page(self) -> int:
        """Which page of a list is wanted."""
        return self.number("page", largest=100_000) if "page" in self.request.query_params else 1

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page."""
        return HTMLResponse(render(self, template, **values), status)

    def to(self, path: str) -> Response:
        """See there next: what follows a form, so that reloading the page sends nothing twice."""
        return RedirectResponse(path, 303)


# ---------------------------------------------------------------- the cookie


def is_secure(office: Office, request: Request) -> bool:
    """Whether people reach the page by https: as the request says it (a trusted proxy's word counts), or settings."""
    return request.url.scheme == "https" or (office.base_url or "").startswith("https://")


def cookie_name(office: Office, request: Request) -> str:
    """The login cookie's name. Browsers accept the prefix only from https, and then never for another host or path."""
    return f"__Host-{COOKIE}" if is_secure(office, request) else COOKIE


def set_cookie(visit: Visit, response: Response, token: str, *, name: str = "") -> None:
    """Hand out a login. Lax and not Strict: Cliniko's patient button must find who is logged in."""
    response.set_cookie(
        name or cookie_name(visit.office, visit.request),
        token,
        path="/",
        httponly=True,
        secure=is_secure(visit.office, visit.request),
        samesite="lax",
    )


def drop_cookie(visit: Visit, response: Response, *, name: str = "") -> None:
    """Take a login back from the browser."""
    response.delete_cookie(
        name or cookie_name(visit.office, visit.request),
        path="/",
        httponly=True,
        secure=is_secure(visit.office, visit.request),
        samesite="lax",
    )


# ---------------------------------------------------------------- forms


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, the last of a name. Raises `Refusal` for what is no small URL-encoded form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refusal(415, "Send the page's own form.")
    try:
        async with asyncio.timeout(FORM_SECONDS):
            body = await _read_body(request)
    except TimeoutError:
        raise Refusal(408, "The form did not come whole in time: send it again.") from None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"))
    except ValueError:
        raise Refusal(400, "The form cannot be read.") from None


async def _read_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM_BYTES:
            raise Refusal(413, "The form is larger than any of this page's.")
    return body


def require_own_page(office: Office, request: Request) -> None:
    """Raise `Refusal` unless a form was sent from a page of ours, as the browser tells.

    Since our pages send no referrer, a browser names the origin of their forms "null": then its word that the request
    is `same-origin` must stand beside it. A request without either comes from no browser.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site != "same-origin":
        raise _FOREIGN
    if origin is None or origin == "null":
        if site is None:
            raise _FOREIGN
    elif origin.lower() not in _own_origins(office, request):
        raise _FOREIGN


_FOREIGN = Refusal(403, "This was not sent from a page of this program: open the page and do it there.")


def _own_origins(office: Office, request: Request) -> set[str]:
    own = {f"{request.url.scheme}://{request.headers.get('host', '')}".lower()}
    if office.base_url is not None:
        parts = urlsplit(office.base_url)
        own.add(f"{parts.scheme}://{parts.netloc}".lower())
    return own


def require_token(expected: str, form: Mapping[str, str]) -> None:
    """Raise `Refusal` unless the form carries the token that the page gave it."""
    if not hmac.compare_digest(expected.encode(), form.get("csrf", "").encode()):
        raise Refusal(403, "The page was too old, or not this program's: open it again and repeat what you did.")


def own_path(wanted: str) -> str:
    """Where to go after logging in: a page of ours, and never another host."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wanted if is_ours and wanted.isprintable() and "\\" not in wanted and len(wanted) < 200 else "/"
