"""Logging in and out: a password, and a second factor where an admin demands one.

An unknown name, a disabled account and a wrong password are answered alike, in the same words and after the same work.
The page that asks carries a token of its own, since there is no login yet to hold one.
"""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote

import segno
from markupsafe import Markup
from starlette.responses import Response

from sync_worker.logs import get_logger
from sync_worker.passwords import totp_step, totp_uri, verify
from sync_worker.web.visit import (
    COOKIE,
    Refusal,
    Visit,
    cookie_name,
    drop_cookie,
    is_secure,
    own_path,
    require_token,
    set_cookie,
)

log = get_logger()

_KEY = secrets.token_bytes(32)
"""What the login page's tokens are made with, as long as this process lives."""
WRONG = "That name and password do not fit together. Names are as an admin gave them; passwords tell capitals apart."
TOO_MANY = "Too many tries: wait a minute, then try again."
ENDED = "Your login had ended, so nothing was done. Log in, and do it again."
WRONG_CODE = "That code does not fit, or was used already: wait for the next one."


def page(visit: Visit) -> Response:
    """Where people log in."""
    wanted = own_path(visit.request.query_params.get("next", "/"))
    if visit.login is not None:
        return visit.to(wanted if visit.login.second_factor_passed else "/second-factor")
    return _ask(visit, wanted, ENDED if "ended" in visit.request.query_params else "")


def log_in(visit: Visit) -> Response:
    """Check name and password, and begin a login with a new id."""
    require_token(_token(visit.request.cookies.get(_cookie(visit), "")), visit.form)
    office, now = visit.office, visit.office.clock.now()
    name, wanted = visit.form.get("name", "").strip(), own_path(visit.form.get("next", "/"))
    address = _address(visit)
    if not office.throttle.allows(name=name, address=address):
        log.warning("login.throttled")
        return _ask(visit, wanted, TOO_MANY, 429)
    known = office.accounts.find(name)
    fits = verify(visit.form.get("password", ""), known[1] if known else None)
    if known is None or not fits or known[0].disabled:
        log.warning("login.refused")
        return _ask(visit, wanted, WRONG, 403)
    office.throttle.give_back(name=name, address=address)
    account, checked = known
    if visit.login is not None:
        office.logins.end(visit.request.cookies.get(cookie_name(office, visit.request), ""))
    passed = not account.wants_second_factor
    token = office.logins.begin(account.account_id, now, second_factor_passed=passed, password_hash=checked)
    log.info("login.began", kind=account.role)
    answer = visit.to(wanted if not account.wants_second_factor else f"/second-factor?next={quote(wanted, safe='/')}")
    set_cookie(visit, answer, token)
    drop_cookie(visit, answer, name=_cookie(visit))
    return answer


def log_out(visit: Visit) -> Response:
    """End the login, on the server too."""
    office = visit.office
    office.logins.end(visit.request.cookies.get(cookie_name(office, visit.request), ""))
    answer = visit.to("/login")
    drop_cookie(visit, answer)
    return answer


# ---------------------------------------------------------------- the second factor


def second_page(visit: Visit) -> Response:
    """Where the code of the second factor is asked for; at the first time, with the secret to enrol."""
    if visit.login is None or visit.login.second_factor_passed:
        return visit.to("/")
    return _ask_code(visit, own_path(visit.request.query_params.get("next", "/")))


def second(visit: Visit) -> Response:
    """Check the code. The login that comes of it has a new id, as every rise of rights does."""
    office, account, now = visit.office, visit.account, visit.office.clock.now()
    wanted = own_path(visit.form.get("next", "/"))
    if visit.login is not None and visit.login.second_factor_passed:
        return visit.to(wanted)
    if not office.throttle.allows(name=f"code {account.name}", address=f"code {_address(visit)}"):
        return _end_half_way(visit)
    secret = account.totp_secret or _enrolling(visit)
    step = totp_step(secret, visit.form.get("code", ""), now)
    if step is not None and account.totp_secret is None:
        office.accounts.set_totp_secret(account.account_id, secret)  # first: a new secret has no used codes yet
    if step is None or not office.accounts.use_totp_step(account.account_id, step):
        log.warning("login.refused", code="second_factor")
        return _ask_code(visit, wanted, WRONG_CODE, 403)
    office.logins.end(visit.request.cookies.get(cookie_name(office, visit.request), ""))
    answer = visit.to(wanted)
    set_cookie(visit, answer, office.logins.begin(account.account_id, now, second_factor_passed=True))
    return answer


def _end_half_way(visit: Visit) -> Response:
    """Whoever guesses at codes gives the password again first."""
    visit.office.logins.end(visit.request.cookies.get(cookie_name(visit.office, visit.request), ""))
    answer = _ask(visit, "/", TOO_MANY, 429)
    drop_cookie(visit, answer)
    return answer


def _address(visit: Visit) -> str:
    return visit.request.client.host if visit.request.client else ""


def _ask_code(visit: Visit, wanted: str, problem: str = "", status: int = 200) -> Response:
    account = visit.account
    secret = "" if account.totp_secret else _enrolling(visit)
    drawn = _drawn(totp_uri(secret, account.name, visit.office.practice)) if secret else None
    return visit.show("second_factor.html", status, problem=problem, next=wanted, secret=_in_fours(secret), drawn=drawn)


def _enrolling(visit: Visit) -> str:
    """The secret that this login is offered: the same one until it is confirmed, without being stored before."""
    if visit.login is None:
        raise Refusal(401, "Log in first.")
    made = hmac.new(_KEY, f"totp {visit.login.login_id} {visit.login.csrf_token}".encode(), hashlib.sha256).digest()
    return base64.b32encode(made[:20]).decode()


def _drawn(uri: str) -> Markup:
    """The address of a second factor as a picture for a telephone, without any style that our rules forbid."""
    svg = segno.make(uri, error="m").svg_inline(scale=5, border=2, dark="#000", light="#fff", omitsize=True)
    return Markup(svg)  # noqa: S704 - drawn by us, of squares alone


def _in_fours(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


# ---------------------------------------------------------------- the login page's own token


def _ask(visit: Visit, wanted: str, problem: str = "", status: int = 200) -> Response:
    nonce = visit.request.cookies.get(_cookie(visit), "") or secrets.token_urlsafe(24)
    answer = visit.show("login.html", status, problem=problem, next=wanted, token=_token(nonce))
    set_cookie(visit, answer, nonce, name=_cookie(visit))
    return answer


def _cookie(visit: Visit) -> str:
    return f"{'__Host-' if is_secure(visit.office, visit.request) else ''}{COOKIE}_login"


def _token(nonce: str) -> str:
    """What the form must carry beside the cookie. Nothing fits a missing cookie."""
    if not nonce:
        return secrets.token_urlsafe(24)
    return hmac.new(_KEY, nonce.encode(), hashlib.sha256).hexdigest()
