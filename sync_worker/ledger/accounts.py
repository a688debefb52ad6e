"""Who may log in to the page, and who is logged in: accounts with a name, a role and a password's hash, and logins.

Whatever takes something away from an account (its password, its second factor, itself) ends its logins in the same
transaction. A login is known by the SHA-256 of its token, never by the token. It refuses to delete an account, so that
the trail's names stay somebody's, and to write to a ledger that was moved away. No password comes here, only its hash.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, delete, func, insert, or_, select, update

from sync_worker.errors import NotPossible
from sync_worker.ledger.moves import insert_once
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AccountRow, Installation, LoginRow
from sync_worker.ledger.trail import moved_away
from sync_worker.records import Account, Login, Role

IDLE = timedelta(minutes=30)
"""A login that nobody used for longer is over."""
LONGEST = timedelta(hours=12)
"""So is one that began longer ago, however much it is used: a working day."""
NOTICED = timedelta(minutes=1)
"""How often a login's use is written down, so that reading a page does not write each time."""

_NAME = re.compile(r"[a-z0-9._@-]{2,64}")


def as_name(name: str) -> str:
    """An account's name as it is kept and compared: in small letters, without blanks around it."""
    return name.strip().casefold()


def problem_with(name: str, role: Role, heidi_user_id: str | None) -> str | None:
    """Say in one sentence why there can be no such account; None if there can."""
    if not _NAME.fullmatch(as_name(name)):
        return (
            "An account's name takes 2 to 64 letters from a to z, digits, and the signs . _ - @: choose another name."
        )
    if role is Role.CLINICIAN and heidi_user_id is None:
        return "A clinician's account sees their own sessions: say which clinician it is, by --clinician."
    if role is Role.DESK and heidi_user_id is not None:
        return "The front desk has no sessions of its own: leave --clinician out, or choose another role."
    return None


def no_such_account() -> NotPossible:
    """What to say where there is no account of a name."""
    return NotPossible("There is no such account: `sync-worker users list` shows all.")


class Accounts:
    """Who may log in. One method is one transaction; where there is no account of a name, it says so."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        name: str,
        role: Role,
        password_hash: str,
        *,
        heidi_user_id: str | None,
        wants_second_factor: bool,
        now: datetime,
    ) -> Account:
        """Make an account. Raises `NotPossible` if its name is taken or unfit, or role and clinician do not fit."""
        if problem := problem_with(name, role, heidi_user_id):
            raise NotPossible(problem)
        name = as_name(name)
        values = {
            "name": name,
            "role": role.value,
            "heidi_user_id": heidi_user_id,
            "password_hash": password_hash,
            "wants_second_factor": wants_second_factor,
            "created_at": now,
        }
        with _changing(self._engine) as db:
            if not insert_once(db, AccountRow, values):
                raise NotPossible(f"There is an account {name} already: choose another name.")
            return _account_of(db.execute(_ACCOUNTS.where(AccountRow.name == name)).one())

    def find(self, name: str) -> tuple[Account, str] | None:
        """The account of this name, disabled or not, with its password's hash."""
        if not _NAME.fullmatch(as_name(name)):  # Postgres takes not every character that can be typed
            return None
        with reading(self._engine) as db:
            row = db.execute(_ACCOUNTS.where(AccountRow.name == as_name(name))).one_or_none()
        return (_account_of(row), row.password_hash) if row is not None else None

    def all(self) -> list[Account]:
        """Every account by name, the disabled ones as well."""
        with reading(self._engine) as db:
            return [_account_of(row) for row in db.execute(_ACCOUNTS.order_by(AccountRow.name))]

    def disable(self, name: str, now: datetime) -> None:
        """Let nobody log in by this account any more; whoever is logged in is not."""
        self._set_and_end_logins(name, disabled_at=func.coalesce(AccountRow.disabled_at, now))

    def enable(self, name: str) -> None:
        """Let its person log in again. A login that began in the moment of disabling does not come back."""
        self._set_and_end_logins(name, disabled_at=None)

    def set_password(self, name: str, password_hash: str) -> None:
        """Give the account another password; whoever is logged in logs in again with it."""
        self._set_and_end_logins(name, password_hash=password_hash)

    def demand_second_factor(self, name: str, wanted: bool) -> None:
        """Take a code of a device at each login from now on, or no longer. An enrolled device stays enrolled."""
        self._set_and_end_logins(name, wants_second_factor=wanted)

    def set_totp_secret(self, account_id: int, secret: str | None) -> None:
        """Enrol the device that holds this secret, or with None forget the one that is."""
        with _changing(self._engine) as db:
            _change(db, AccountRow.id == account_id, totp_secret=secret, totp_step=None)
            if secret is None:
                _end_all(db, account_id)

    def use_totp_step(self, account_id: int, step: int) -> bool:
        """Use up the code of a time step, and say whether it may count: not if it, or a later one, did before."""
        unused = or_(AccountRow.totp_step.is_(None), AccountRow.totp_step < step)
        use = update(AccountRow).where(AccountRow.id == account_id, unused).values(totp_step=step)
        with _changing(self._engine) as db:
            return db.execute(use.returning(AccountRow.id)).first() is not None

    def _set_and_end_logins(self, name: str, **values: Any) -> None:
        if not _NAME.fullmatch(as_name(name)):
            raise no_such_account()
        with _changing(self._engine) as db:
            _end_all(db, _change(db, AccountRow.name == as_name(name), **values))


class Logins:
    """Who is logged in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self, account_id: int, now: datetime, *, second_factor_passed: bool, password_hash: str | None = None
    ) -> str:
        """Begin a login and give its token, for its person's browser alone.

        `password_hash` is the one that was checked, where a password alone is to do. Raises `NotPossible` where the
        account was disabled meanwhile, or has another password, or where a second factor is demanded of it by now.
        """
        token = secrets.token_urlsafe(32)
        values = {
            "token_hash": _hash_of(token),
            "account_id": account_id,
            "csrf_token": secrets.token_urlsafe(32),
            "began_at": now,
            "seen_at": now,
            "second_factor_passed": second_factor_passed,
        }
        with _changing(self._engine) as db:
            account = db.execute(_LOCKED_ACCOUNTS.where(AccountRow.id == account_id)).one_or_none()
            if account is None or account.disabled_at is not None:
                raise NotPossible("This account is disabled: ask whoever runs the service.")
            if password_hash is not None and not _still_fits(account, password_hash, second_factor_passed):
                raise NotPossible("This account was changed this very moment: log in again.")
            db.execute(insert(LoginRow).values(**values))
        return token

    def find(self, token: str, now: datetime) -> Login | None:
        """The login of this token, which is used by being asked for; None if it is over or there never was one."""
        known = LoginRow.token_hash == _hash_of(token)
        with reading(self._engine) as db:
            row = db.execute(_LOGINS.where(known)).one_or_none()
        if row is None or row.disabled_at is not None or _is_over(row, now):
            return None
        if now - row.seen_at < NOTICED:
            return _login_of(row, row.seen_at)
        with _changing(self._engine) as db:
            seen = db.execute(update(LoginRow).where(known).values(seen_at=now).returning(LoginRow.id)).first()
        return _login_of(row, now) if seen is not None else None  # somebody ended it this moment

    def end(self, token: str) -> None:
        """End the login of this token, if there is one."""
        with _changing(self._engine) as db:
            db.execute(delete(LoginRow).where(LoginRow.token_hash == _hash_of(token)))

    def purge(self, now: datetime) -> int:
        """Forget the logins that are over, and say how many there were."""
        current = and_(
            LoginRow.seen_at.between(now - IDLE, now + IDLE), LoginRow.began_at.between(now - LONGEST, now + LONGEST)
        )
        with _changing(self._engine) as db:
            return db.execute(delete(LoginRow).where(~current)).rowcount


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    """One transaction on a ledger in use. Raises `LedgerMismatch` where it was moved away since it was opened."""
    with writing(engine) as db:
        if db.execute(_RETIRED_AT).scalar() is not None:
            raise moved_away()
        yield db


# locked, so that a move waits for us or we for it; key_share, so that people's decisions need not wait
_RETIRED_AT = select(Installation.retired_at).with_for_update(read=True, key_share=True)

_WHO: tuple[Any, ...] = (
    AccountRow.id.label("account_id"),
    AccountRow.name,
    AccountRow.role,
    AccountRow.heidi_user_id,
    AccountRow.wants_second_factor,
    AccountRow.totp_secret,
    AccountRow.disabled_at,
    AccountRow.created_at,
)
_STAY: tuple[Any, ...] = (
    LoginRow.id,
    LoginRow.csrf_token,
    LoginRow.began_at,
    LoginRow.seen_at,
    LoginRow.second_factor_passed,
)
_KEPT: tuple[Any, ...] = (*_WHO, AccountRow.password_hash)
_ACCOUNTS = select(*_KEPT)
# locked, so that whoever takes something from an account waits, and then ends the login that begins here
_LOCKED_ACCOUNTS = _ACCOUNTS.with_for_update(read=True)
_LOGINS = select(*_STAY, *_WHO).join(AccountRow, AccountRow.id == LoginRow.account_id)


def _change(db: Connection, which: Any, **values: Any) -> int:
    """Change one account, and give its id."""
    changed = db.execute(update(AccountRow).where(which).values(**values).returning(AccountRow.id)).scalar()
    if changed is None:
        raise no_such_account()
    return int(changed)


def _end_all(db: Connection, account_id: int) -> None:
    db.execute(delete(LoginRow).where(LoginRow.account_id == account_id))


def _still_fits(account: Row[Any], password_hash: str, second_factor_passed: bool) -> bool:
    """Whether what was checked is what the account demands still."""
    is_enough = not (second_factor_passed and account.wants_second_factor)
    return bool(account.password_hash == password_hash and is_enough)


def _is_over(row: Row[Any], now: datetime) -> bool:
    """In either direction: a clock that was ahead once must not make a login last."""
    return bool(abs(now - row.seen_at) > IDLE or abs(now - row.began_at) > LONGEST)


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _account_of(row: Row[Any]) -> Account:
    return Account(
        account_id=row.account_id,
        name=row.name,
        role=Role(row.role),
        heidi_user_id=row.heidi_user_id,
        wants_second_factor=row.wants_second_factor,
        totp_secret=row.totp_secret,
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )


def _login_of(row: Row[Any], seen_at: datetime) -> Login:
    return Login(
        login_id=row.id,
        account=_account_of(row),
        csrf_token=row.csrf_token,
        began_at=row.began_at,
        seen_at=seen_at,
        second_factor_passed=row.second_factor_passed,
    )
