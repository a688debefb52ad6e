"""The page as an ASGI application: every address, who may ask for it, and what every answer carries.

Each route names the roles that it is for; whoever is not logged in is sent to the login and then on. Every POST passes
three checks before a page sees it: where it was sent from, the form's token, and the role. Whatever goes wrong becomes
one sentence. Pages are made in threads that the end of the process does not wait for; more than there are threads for
are refused, and programs are answered beside them.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync_worker.background import start
from sync_worker.errors import (
    ConfigurationError,
    LedgerMismatch,
    LedgerUnavailable,
    NotPossible,
    RemoteError,
    Stopping,
)
from sync_worker.logs import get_logger
from sync_worker.records import Login, Role
from sync_worker.web import (
    acting,
    connect,
    entry,
    health,
    history,
    logging_in,
    patient,
    pausing,
    review,
    scraping,
    today,
)
from sync_worker.web.office import Office
from sync_worker.web.visit import (
    Refusal,
    Visit,
    cookie_name,
    is_secure,
    read_form,
    require_own_page,
    require_token,
)

log = get_logger()

EVERYBODY = frozenset(Role)
THOSE_WHO_ANSWER = frozenset({Role.ADMIN, Role.CLINICIAN})
STATIC = Path(__file__).parent / "static"
FILES = {"style.css": "text/css", "icon.svg": "image/svg+xml"}
Page = Callable[[Visit], Response]
PAGES_AT_ONCE, PROBES_AT_ONCE = 40, 4
ENDING_SEEN_SECONDS, LAST_CHANCE_SECONDS = 0.25, 1.0
FULL = "Too many pages are being made at once. Wait a moment."
ENDING = "The service is being stopped or started anew. Look again in a minute."


@dataclass(frozen=True, slots=True)
class Address:
    """One address, and whom it is for. `roles` is None where nobody needs to be logged in."""

    path: str
    method: str
    page: Page
    roles: frozenset[Role] | None = EVERYBODY
    half_way: bool = False
    """Whether it is for somebody whose second factor is still to come."""
    is_plain: bool = False
    """Whether it is for programs: no login is looked for, and it is answered under any name, such as an IP address."""


ADDRESSES = (
    Address("/", "GET", today.page),
    Address("/review", "GET", review.page),
    Address("/review/{entry}", "GET", entry.page),
    *(Address(f"/review/{{entry}}/{action}", "POST", page) for action, page in acting.PAGES.items()),
    *(Address(f"/review/{{entry}}/{action}", "GET", acting.lead_back) for action in acting.PAGES),
    Address("/patients", "GET", patient.page),
    Address("/patients/look", "POST", patient.look),
    Address("/history", "GET", history.page),
    Address("/pause", "POST", pausing.pause),
    Address("/resume", "POST", pausing.resume, THOSE_WHO_ANSWER),
    Address("/connect", "GET", connect.page, THOSE_WHO_ANSWER),
    Address("/connect", "POST", connect.link, THOSE_WHO_ANSWER),
    Address("/login", "GET", logging_in.page, None),
    Address("/login", "POST", logging_in.log_in, None),
    Address("/second-factor", "GET", logging_in.second_page, half_way=True),
    Address("/second-factor", "POST", logging_in.second, half_way=True),
    Address("/logout", "POST", logging_in.log_out, half_way=True),
    Address("/healthz", "GET", health.alive, None, is_plain=True),
    Address("/readyz", "GET", health.ready, None, is_plain=True),
    Address("/metrics", "GET", scraping.page, None, is_plain=True),
)


FOR_PROGRAMS = frozenset(one.path for one in ADDRESSES if one.is_plain)


def build_app(office: Office, *, hosts: frozenset[str]) -> ASGIApp:
    """The application. `hosts` are the names, with their ports, under which it answers: no other page's name does."""
    desks = {True: Desk(office, PROBES_AT_ONCE), False: Desk(office, PAGES_AT_ONCE)}
    routes = [Route(one.path, _endpoint(office, one, desks[one.is_plain]), methods=[one.method]) for one in ADDRESSES]
    routes += [Route(f"/static/{name}", _file(name, kind), methods=["GET"]) for name, kind in FILES.items()]
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found})
    return Guarded(app, office, hosts)


class Guarded:
    """What every answer carries, and what no request may be: asked for under a foreign name, or broken inside."""

    def __init__(self, app: ASGIApp, office: Office, hosts: frozenset[str]) -> None:
        self._app = app
        self._office = office
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        secure = is_secure(self._office, request)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFETY.items():
                    headers[name] = value
                if secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        is_known = request.headers.get("host", "").lower() in self._hosts
        if not is_known and scope["path"] not in FOR_PROGRAMS:
            answer = HTMLResponse("<p>This program is not to be reached under this name.</p>", 421)
            await answer(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)


SAFETY = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""OWASP ASVS 5.0, V3: nothing is fetched from elsewhere, framed, kept by a cache or told to the next page."""


def _file(name: str, kind: str) -> Callable[[Request], object]:
    content = (STATIC / name).read_bytes()

    async def answer(_request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


async def _not_found(_request: Request, _error: Exception) -> Response:
    return HTMLResponse(
        '<!doctype html><html lang="en"><title>No such page</title><main><h1>There is no such page</h1>'
        '<p><a href="/">Go to today</a></p></main></html>',
        404,
    )


# ---------------------------------------------------------------- one request


class Desk:
    """Makes so many answers at once, each in a thread of its own; more are refused, and the end waits for none."""

    def __init__(self, office: Office, places: int) -> None:
        self._office = office
        self._places = places
        self._taken = 0

    async def make(self, work: Callable[[], Response]) -> Response:
        """The answer; a plain 503 where no place is free, or where the service ends before it is made."""
        if self._taken >= self._places:
            return _plain_page(503, FULL)
        self._taken += 1
        making = start(work)
        loop = asyncio.get_running_loop()
        making.add_done_callback(lambda _: _tell(loop, self._leave))
        answer = asyncio.wrap_future(making)
        try:
            while not answer.done() and not self._office.ending.is_set():
                await asyncio.wait({answer}, timeout=ENDING_SEEN_SECONDS)
            await asyncio.wait({answer}, timeout=LAST_CHANCE_SECONDS)
            return answer.result() if answer.done() else _plain_page(503, ENDING)
        finally:
            answer.cancel()  # else its thread would tell a loop that is no more

    def _leave(self) -> None:
        self._taken -= 1


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the server ended before this thread
        loop.call_soon_threadsafe(what)


def _endpoint(office: Office, address: Address, desk: Desk) -> Callable[[Request], object]:
    async def answer(request: Request) -> Response:
        if address.page is health.alive:
            return health.alive(Visit(office, request))  # at once: it waits for no thread
        try:
            form = await read_form(request) if address.method == "POST" else {}
            return await desk.make(partial(_answer, office, address, request, form))
        except Refusal as refusal:
            refused = await desk.make(partial(_refused, Visit(office, request), refusal))
            refused.headers["Connection"] = "close"  # the rest of the form is not read
            return refused
        except ClientDisconnect:
            return _plain_page(400, "The form came only in part.")  # which nobody reads
        except asyncio.CancelledError:
            return _plain_page(503, ENDING)  # only the server's end cancels

    return answer


def _answer(office: Office, address: Address, request: Request, form: dict[str, str]) -> Response:
    """Check who asks and how, then let the page answer. Whatever goes wrong becomes a sentence."""
    visit = Visit(office, request, form=form)
    try:
        if address.is_plain:
            return address.page(visit)
        if address.method == "POST":
            require_own_page(office, request)
        token = request.cookies.get(cookie_name(office, request), "")
        login = office.logins.find(token, office.clock.now()) if token else None
        visit = replace(visit, login=login)
        if address.roles is None:
            return address.page(visit)
        if login is None or not (login.second_factor_passed or address.half_way):
            return _to_login(visit, login)
        if address.method == "POST":
            require_token(login.csrf_token, form)
        if login.account.role not in address.roles:
            raise Refusal(403, "Your account may not do this: ask an admin of this page.")
        return address.page(visit)
    except Refusal as refusal:
        return _refused(visit, refusal)
    except (NotPossible, ConfigurationError) as error:
        return _refused(visit, Refusal(409, error.sentence if isinstance(error, ConfigurationError) else str(error)))
    except RemoteError as error:
        return _refused(visit, Refusal(502, error.sentence))
    except Stopping:
        return _plain_page(503, ENDING)
    except (LedgerUnavailable, LedgerMismatch) as error:
        log.error("ledger.unavailable", code="ledger_unavailable")
        return _plain_page(503, str(error))  # the page itself needs the ledger
    except Exception:
        number = secrets.token_hex(4)
        log.exception("page.failed", action=address.page.__name__)
        return _plain_page(500, f"Something went wrong on our side (page {number}). Nothing is lost: try again.")


def _to_login(visit: Visit, login: Login | None) -> Response:
    """To the login and then on to the page that was wanted; to the second factor where only that is missing."""
    if login is not None:
        return visit.to("/second-factor")
    request = visit.request
    if request.method == "POST":
        entry_id = request.path_params.get("entry", "")
        wanted = f"/review/{entry_id}" if entry_id else "/"
        return RedirectResponse(f"/login?ended=1&next={quote(wanted, safe='/')}", 303)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='/')}" if wanted != "/" else "/login", 303)


def _refused(visit: Visit, refusal: Refusal) -> Response:
    try:
        return visit.show("refused.html", refusal.status, sentence=refusal.sentence)
    except (LedgerUnavailable, LedgerMismatch) as error:
        return _plain_page(503, str(error))


def _plain_page(status: int, sentence: str) -> Response:
    """A page that needs nothing to be made. `sentence` is one of this program's own."""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>Not now</title><main><h1>Not now</h1><p>{sentence}</p>'
        '<p><a href="/">Try again</a></p></main></html>',
        status,
    )
