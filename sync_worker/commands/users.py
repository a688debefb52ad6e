"""`users`: who may log in to the page. A password is typed or piped in, never an argument, and never repeated."""

import getpass
import sys
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, print_json, say
from sync_worker.errors import ConfigurationError, NotPossible
from sync_worker.ledger.accounts import Accounts, as_name, no_such_account, problem_with
from sync_worker.passwords import hash_password
from sync_worker.passwords import problem_with as problem_with_password
from sync_worker.records import Account, Role
from sync_worker.settings import Settings


def add(name: str, role: str, clinician: str | None, *, second_factor: bool) -> int:
    """Make an account. The ledger is made or migrated first where needed: this may be the first command of all."""
    settings, clock = setup.load()
    whose = _clinician(settings, clinician) if clinician is not None else None
    if problem := problem_with(name, Role(role), whose):
        raise ConfigurationError([problem])
    engine = setup.open_ledger(settings, clock).engine
    try:
        account = _add(Accounts(engine), name, Role(role), whose, second_factor=second_factor, now=clock.now())
    finally:
        engine.dispose()
    enrols = " and enrols a second factor at the first login" if second_factor else ""
    say(f"{account.name} may log in as {account.role.value}{enrols}.")
    return DONE


def show_all(*, as_json: bool) -> int:
    """Print every account."""
    settings, _ = setup.load()
    accounts = Accounts(setup.require_ledger(settings)).all()
    names = {one.heidi_user_id: one.name for one in settings.clinicians}
    if as_json:
        print_json({"users": [_as_json(account, names) for account in accounts]})
    elif not accounts:
        say("Nobody may log in yet: `sync-worker users add NAME --role admin` makes the first account.")
    else:
        _show(accounts, names)
    return DONE


def disable(name: str) -> int:
    """Let nobody log in by an account any more, from this moment on."""
    settings, clock = setup.load()
    Accounts(_ledger(settings)).disable(name, clock.now())
    say(f"{as_name(name)} is logged out and may not log in any more. `sync-worker users enable` undoes it.")
    return DONE


def enable(name: str) -> int:
    """Let the person of an account log in again."""
    settings, _ = setup.load()
    Accounts(_ledger(settings)).enable(name)
    say(f"{as_name(name)} may log in again.")
    return DONE


def password(name: str) -> int:
    """Give an account another password."""
    settings, _ = setup.load()
    accounts = Accounts(_ledger(settings))
    account = _account(accounts, name)
    accounts.set_password(account.name, hash_password(_new_password(account.name)))
    say(f"{account.name} has another password, and logs in again with it.")
    return DONE


def second_factor(name: str, *, off: bool, reset: bool) -> int:
    """Take a device's code at each login of an account, or no longer; `reset` forgets the device that is enrolled."""
    settings, _ = setup.load()
    accounts = Accounts(_ledger(settings))
    account = _account(accounts, name)
    if reset:
        accounts.set_totp_secret(account.account_id, None)
    accounts.demand_second_factor(account.name, not off)
    say(f"{account.name} {_next_login(off=off, is_enrolled=account.totp_secret is not None and not reset)}")
    return DONE


def _add(
    accounts: Accounts, name: str, role: Role, whose: str | None, *, second_factor: bool, now: datetime
) -> Account:
    if accounts.find(name) is not None:  # told before a password is asked for
        raise NotPossible(f"There is an account {as_name(name)} already: choose another name.")
    hashed = hash_password(_new_password(as_name(name)))
    return accounts.add(name, role, hashed, heidi_user_id=whose, wants_second_factor=second_factor, now=now)


def _clinician(settings: Settings, wanted: str) -> str:
    found = setup.clinicians_named(settings, wanted)
    if len(found) > 1:
        raise ConfigurationError(["--clinician means several clinicians: name the one by their Heidi user id."])
    return found[0].heidi_user_id


def _ledger(settings: Settings) -> Engine:
    return setup.require_ledger(settings, read_only=False)


def _account(accounts: Accounts, name: str) -> Account:
    found = accounts.find(name)
    if found is None:
        raise no_such_account()
    return found[0]


# ---------------------------------------------------------------- passwords


def _new_password(name: str) -> str:
    """A password that will do, from whoever sits here. Raises `NotPossible` with what is wrong with another."""
    given = _typed() if sys.stdin.isatty() else _piped()
    if problem := problem_with_password(given, name=name):
        raise NotPossible(problem)
    return given


def _typed() -> str:
    try:
        given = getpass.getpass("Password (nothing is shown): ")
        again = getpass.getpass("The same again: ")
    except EOFError:
        raise NotPossible("No password was given: nothing was changed.") from None
    if given != again:
        raise NotPossible("The two passwords are not the same: nothing was changed. Try again.")
    return given


def _piped() -> str:
    """The first line of stdin."""
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        raise NotPossible("The password on stdin is not written in UTF-8: type it at a terminal.") from None
    if not line:
        raise NotPossible("No password came on stdin: pipe one line in, or run this at a terminal.")
    return line.removesuffix("\n").removesuffix("\r")


# ---------------------------------------------------------------- how accounts are shown


def _next_login(*, off: bool, is_enrolled: bool) -> str:
    if off:
        return "logs in by password alone from now on."
    return "needs a code of the enrolled device at each login." if is_enrolled else "enrols a device at the next login."


def _factor(account: Account) -> str:
    if not account.wants_second_factor:
        return "no"
    return "enrolled" if account.totp_secret is not None else "at the next login"


def _whose(account: Account, names: dict[str, str]) -> str | None:
    """The clinician's name; their Heidi user id where they left the settings."""
    return names.get(account.heidi_user_id, account.heidi_user_id) if account.heidi_user_id else None


def _as_json(account: Account, names: dict[str, str]) -> dict[str, Any]:
    return {
        "name": account.name,
        "role": account.role.value,
        "clinician": _whose(account, names),
        "second_factor": account.wants_second_factor,
        "enrolled": account.totp_secret is not None,
        "disabled": account.disabled,
        "created_at": account.created_at.isoformat(),
    }


def _show(accounts: list[Account], names: dict[str, str]) -> None:
    table = Table(title="Who may log in")
    for heading in ("Name", "Role", "Clinician", "Second factor", "Disabled"):
        table.add_column(heading, overflow="fold")  # a name is typed as it stands here
    for account in accounts:
        disabled = "disabled" if account.disabled else ""
        table.add_row(account.name, account.role.value, _whose(account, names) or "", _factor(account), disabled)
    Console().print(table)
