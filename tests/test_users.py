"""`users`: accounts made, shown and taken away at a terminal, and a password that no screen and no ledger holds."""

import io
import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest
from argon2 import PasswordHasher

from sync_worker import passwords
from sync_worker.ledger.accounts import Accounts, Logins
from sync_worker.ledger.storage import open_engine
from sync_worker.passwords import new_totp_secret, verify
from sync_worker.records import Account, Role
from tests.conftest import MORNING
from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""The real one is slow on purpose; how slow is another test's matter."""
GOOD, OTHER = "ferry basalt ninepin omelette", "kelpie umbrella tram thimble"

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def clinic(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> "Desk":  # noqa: F811
    monkeypatch.setattr(passwords, "_hasher", QUICK)
    return Desk(terminal, monkeypatch)


class Desk:
    """A terminal at which one password is piped in, and the accounts that come of it."""

    def __init__(self, terminal: Terminal, patch: pytest.MonkeyPatch) -> None:  # noqa: F811
        self.terminal = terminal
        self._patch = patch

    def users(self, *arguments: str, password: str | None = GOOD, **settings: str) -> Done:
        self._patch.setattr("sys.stdin", io.StringIO("" if password is None else f"{password}\n"))
        done = self.terminal.run("users", *arguments, **settings)
        assert not password or password not in done.stdout + done.stderr
        return done

    def add(self, *arguments: str) -> None:
        done = self.users("add", *arguments)
        assert (done.returncode, done.stderr) == (0, "")

    def accounts(self) -> Accounts:
        return Accounts(open_engine(self.terminal.environment["DATABASE_URL"]))

    def logins(self) -> Logins:
        return Logins(open_engine(self.terminal.environment["DATABASE_URL"]))

    def account(self, name: str) -> tuple[Account, str]:
        found = self.accounts().find(name)
        assert found is not None
        return found

    def listed(self) -> list[dict[str, Any]]:
        return list(self.terminal.json("users", "list")["users"])


# ---------------------------------------------------------------- making accounts


def test_the_first_command_of_all_may_make_an_account(clinic: Desk) -> None:
    done = clinic.users("add", "Manager", "--role", "admin")
    assert (done.returncode, done.stdout, done.stderr) == (0, "manager may log in as admin.\n", "")
    account, hashed = clinic.account("manager")
    assert (account.role, account.heidi_user_id, account.wants_second_factor) == (Role.ADMIN, None, False)
    assert verify(GOOD, hashed)
    assert clinic.terminal.run("db", "current").returncode == 0
    clinic.terminal.a_document()
    assert clinic.terminal.json("once")["totals"]["posted"] == 1  # the ledger is a worker's as well


@pytest.mark.postgres
def test_the_same_on_postgres(clinic: Desk, postgres_url: str) -> None:
    clinic.terminal.environment["DATABASE_URL"] = postgres_url
    clinic.add("manager", "--role", "admin")
    assert clinic.users("disable", "manager").returncode == 0
    assert [(one["name"], one["disabled"]) for one in clinic.listed()] == [("manager", True)]


@pytest.mark.parametrize("named", ["physio-1", "A.Physio@example.com"])
def test_a_clinicians_account_sees_the_sessions_of_the_clinician_it_names(clinic: Desk, named: str) -> None:
    clinic.add("ada", "--role", "clinician", "--clinician", named, "--second-factor")
    account, _ = clinic.account("ada")
    assert (account.role, account.heidi_user_id, account.wants_second_factor) == (Role.CLINICIAN, "physio-1", True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["ada", "--role", "clinician"], "by --clinician"),
        (["ada", "--role", "desk", "--clinician", "physio-1"], "leave --clinician out"),
        (["ada", "--role", "clinician", "--clinician", "nobody"], "no clinician of that name"),
        (["ada", "--role", "owner"], "owner"),
        (["ada"], "--role"),
        (["ada lovelace", "--role", "desk"], "choose another name"),
        (["a", "--role", "desk"], "choose another name"),
    ],
)
def test_wrong_arguments_are_refused_before_a_ledger_is_made(clinic: Desk, arguments: list[str], problem: str) -> None:
    done = clinic.users("add", *arguments)
    assert done.returncode == 2
    assert problem in done.stderr
    assert not (clinic.terminal.folder / "ledger.db").exists()


def test_a_name_that_is_taken_is_told_before_a_password_is_asked_for(clinic: Desk) -> None:
    clinic.add("reception", "--role", "desk")
    done = clinic.users("add", "Reception", "--role", "admin", password=None)
    assert (done.returncode, "There is an account reception already" in done.stderr) == (1, True)
    assert clinic.account("reception")[0].role is Role.DESK


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        (None, "No password came on stdin"),
        ("", "too short"),
        ("password1234", "easily guessed"),
        ("reception reception", "account's name"),
    ],
)
def test_a_password_that_will_not_do_changes_nothing(clinic: Desk, password: str | None, problem: str) -> None:
    refused = clinic.users("add", "reception", "--role", "desk", password=password)
    assert (refused.returncode, problem in refused.stderr) == (1, True)
    assert refused.stderr.count("\n") == 1
    assert clinic.listed() == []
    clinic.add("reception", "--role", "desk")
    before = clinic.account("reception")
    assert problem in clinic.users("password", "reception", password=password).stderr
    assert clinic.account("reception") == before


@pytest.mark.parametrize("ending", ["\n", "\r\n", "", "\nand a second line\n"])
def test_a_piped_password_is_the_first_line_however_it_ends(
    clinic: Desk, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f" {GOOD} {ending}", newline=""))
    assert clinic.terminal.run("users", "add", "reception", "--role", "desk").returncode == 0
    assert verify(f" {GOOD} ", clinic.account("reception")[1])  # blanks at its ends are part of it


# ---------------------------------------------------------------- typing one


def typed(clinic: Desk, *lines: str, arguments: tuple[str, ...]) -> tuple[int, str]:
    """Run a command at a terminal of its own, type these lines at its questions; gives all that the screen showed."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sync_worker", "users", *arguments],
        cwd=clinic.terminal.folder,
        env=clinic.terminal.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = ""
    for line in lines:
        shown += _read_until(ours, ": ")
        os.write(ours, line.encode())
    shown += _read_until(ours, None)
    os.close(ours)
    return process.wait(30), shown


def _read_until(terminal_end: int, question: str | None) -> str:
    """What the screen shows up to a question, or to the end of the process."""
    shown, ends = "", time.monotonic() + 30
    while time.monotonic() < ends and not (question and shown.endswith(question)):
        try:
            part = os.read(terminal_end, 4096)
        except OSError:  # how a terminal ends whose process is gone
            part = b""
        if not part:
            break
        shown += part.decode()
    if question:
        time.sleep(0.1)  # the question comes before the terminal stops showing what is typed
    return shown


def test_a_typed_password_is_asked_for_twice_and_never_shown(clinic: Desk) -> None:
    add = ("add", "reception", "--role", "desk")
    code, shown = typed(clinic, f"{GOOD}\n", f"{OTHER}\n", arguments=add)
    assert (code, "not the same" in shown) == (1, True)
    code, shown = typed(clinic, f"{GOOD}\n", "\x04", arguments=add)
    assert (code, "No password was given" in shown) == (1, True)
    code, shown = typed(clinic, f"{GOOD}\n", f"{GOOD}\n", arguments=add)
    assert (code, "reception may log in as desk." in shown) == (0, True)
    assert "ninepin" not in shown
    assert verify(GOOD, clinic.account("reception")[1])


# ---------------------------------------------------------------- showing them


def test_the_list_tells_who_may_log_in_and_how(clinic: Desk) -> None:
    assert clinic.terminal.run("db", "upgrade").returncode == 0
    assert "Nobody may log in yet" in clinic.users("list").stdout
    assert clinic.listed() == []
    clinic.add("reception", "--role", "desk")
    clinic.add("ada", "--role", "clinician", "--clinician", "physio-1", "--second-factor")
    clinic.users("disable", "reception")
    keys = {"name", "role", "clinician", "second_factor", "enrolled", "disabled", "created_at"}
    assert all(one.keys() == keys for one in clinic.listed())
    told = [
        (one["name"], one["role"], one["second_factor"], one["enrolled"], one["disabled"]) for one in clinic.listed()
    ]
    assert told == [("ada", "clinician", True, False, False), ("reception", "desk", False, False, True)]
    shown = clinic.users("list").stdout
    for word in ("ada", "clinician", "at the next login", "reception", "desk", "disabled"):
        assert word in shown


def test_a_long_name_is_shown_whole(clinic: Desk) -> None:
    name = "administration.of.the.northern.practice@example.com"
    clinic.add(name, "--role", "clinician", "--clinician", "physio-1", "--second-factor")
    rows = [line for line in clinic.users("list").stdout.splitlines() if line.startswith("│")]
    assert "".join(row.split("│")[1].strip() for row in rows) == name


def test_the_list_names_the_clinician_and_one_who_left_by_their_id(clinic: Desk) -> None:
    clinic.add("ada", "--role", "clinician", "--clinician", "physio-1")
    (name,) = {one["clinician"] for one in clinic.listed()}
    assert name == clinic.terminal.json("status")["clinicians"][0]["name"]
    told = clinic.terminal.json("users", "list", HEIDI_USER_ID="physio-2")["users"]
    assert [one["clinician"] for one in told] == ["physio-1"]


def test_nothing_that_is_shown_holds_a_secret(clinic: Desk) -> None:
    clinic.add("ada", "--role", "admin", "--second-factor")
    account, hashed = clinic.account("ada")
    secret = new_totp_secret()
    clinic.accounts().set_totp_secret(account.account_id, secret)
    shown = clinic.users("list").stdout + json.dumps(clinic.listed())
    assert "enrolled" in shown
    for hidden in (GOOD, hashed, hashed[-20:], secret):
        assert hidden not in shown


def test_the_ledgers_file_holds_no_password(clinic: Desk) -> None:
    clinic.add("ada", "--role", "admin")
    clinic.users("password", "ada", password=OTHER)
    for path in clinic.terminal.folder.glob("ledger.db*"):
        held = path.read_bytes()
        assert not [one for one in (GOOD, OTHER, "ninepin", "thimble") if one.encode() in held], path.name


# ---------------------------------------------------------------- taking away


def test_a_new_password_takes_the_place_of_the_old_one_and_ends_the_logins(clinic: Desk) -> None:
    clinic.add("ada", "--role", "admin")
    token = clinic.logins().begin(clinic.account("ada")[0].account_id, MORNING, second_factor_passed=False)
    done = clinic.users("password", "Ada", password=OTHER)
    assert (done.returncode, done.stdout) == (0, "ada has another password, and logs in again with it.\n")
    hashed = clinic.account("ada")[1]
    assert (verify(OTHER, hashed), verify(GOOD, hashed)) == (True, False)
    assert clinic.logins().find(token, MORNING) is None


def test_a_disabled_account_is_logged_out_until_it_is_enabled(clinic: Desk) -> None:
    clinic.add("reception", "--role", "desk")
    account, _ = clinic.account("reception")
    token = clinic.logins().begin(account.account_id, MORNING, second_factor_passed=False)
    assert "may not log in any more" in clinic.users("disable", "reception").stdout
    assert clinic.account("reception")[0].disabled
    assert clinic.logins().find(token, MORNING) is None
    assert "may log in again" in clinic.users("enable", "reception").stdout
    assert not clinic.account("reception")[0].disabled


@pytest.mark.parametrize(
    ("options", "wants", "stays_enrolled", "told"),
    [
        ([], True, True, "needs a code of the enrolled device"),
        (["--reset"], True, False, "enrols a device at the next login"),
        (["--off"], False, True, "logs in by password alone"),
        (["--off", "--reset"], False, False, "logs in by password alone"),
    ],
)
def test_a_second_factor_is_asked_for_or_not_and_a_lost_phone_forgotten(
    clinic: Desk, options: list[str], wants: bool, stays_enrolled: bool, told: str
) -> None:
    clinic.add("ada", "--role", "admin", "--second-factor")
    account, _ = clinic.account("ada")
    secret = new_totp_secret()
    clinic.accounts().set_totp_secret(account.account_id, secret)
    token = clinic.logins().begin(account.account_id, MORNING, second_factor_passed=True)
    done = clinic.users("second-factor", "ada", *options)
    assert (done.returncode, told in done.stdout) == (0, True)
    after, _ = clinic.account("ada")
    assert (after.wants_second_factor, after.totp_secret) == (wants, secret if stays_enrolled else None)
    assert clinic.logins().find(token, MORNING) is None


CHANGING: list[list[str]] = [["disable"], ["enable"], ["password"], ["second-factor"]]


@pytest.mark.parametrize("command", CHANGING)
def test_an_account_that_there_is_not_is_told_in_one_sentence(clinic: Desk, command: list[str]) -> None:
    clinic.terminal.run("db", "upgrade")
    for name in ("nobody", "no body", "x\x00y"):
        done = clinic.users(*command, name)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "sync-worker: There is no such account: `sync-worker users list` shows all.\n"


@pytest.mark.parametrize("command", [["list"], *([*one, "ada"] for one in CHANGING)])
def test_only_making_an_account_makes_a_ledger(clinic: Desk, command: list[str]) -> None:
    done = clinic.users(*command)
    assert (done.returncode, "no ledger yet" in done.stderr) == (1, True)
    assert not (clinic.terminal.folder / "ledger.db").exists()


def test_the_help_names_every_command(clinic: Desk) -> None:
    shown = clinic.users("--help").stdout
    for command in ("add", "list", "disable", "enable", "password", "second-factor"):
        assert command in shown
