"""Who may log in, and for how long: one name one account, one code one login, and what is taken away ends at once."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from sync_worker.errors import LedgerError, LedgerMismatch, NotPossible
from sync_worker.ledger.accounts import IDLE, LONGEST, NOTICED, Accounts, Logins
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AccountRow, Base, LoginRow
from sync_worker.passwords import hash_password, new_totp_secret
from sync_worker.records import Account, Role
from tests.conftest import TestClock
from tests.ledger_steps import DATABASES, an_engine, cutting_in, emptied_bench

HASH, SECRET = "$argon2id$made-up", "JBSWY3DPEHPK3PXP"


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, request.param) as engine:
        yield engine


@pytest.fixture
def accounts(engine: Engine, clock: TestClock) -> Accounts:
    emptied_bench(engine, clock)
    return Accounts(engine)


@pytest.fixture
def logins(accounts: Accounts, engine: Engine) -> Logins:
    return Logins(engine)


@pytest.fixture
def add(accounts: Accounts, clock: TestClock) -> Callable[..., Account]:
    """Makes accounts: the front desk's, if nothing else is said."""

    def make(
        name: str = "reception", role: Role = Role.DESK, *, of: str | None = None, factor: bool = False
    ) -> Account:
        return accounts.add(name, role, HASH, heidi_user_id=of, wants_second_factor=factor, now=clock.now())

    return make


Add = Callable[..., Account]


def named(accounts: Accounts, name: str) -> Account:
    found = accounts.find(name)
    assert found is not None
    return found[0]


# ---------------------------------------------------------------- accounts


def test_an_account_is_found_as_it_was_made(accounts: Accounts, add: Add, clock: TestClock) -> None:
    made = add("a.physio@example.com", Role.CLINICIAN, of="physio-1", factor=True)
    assert made == Account(
        account_id=made.account_id,
        name="a.physio@example.com",
        role=Role.CLINICIAN,
        heidi_user_id="physio-1",
        wants_second_factor=True,
        totp_secret=None,
        disabled=False,
        created_at=clock.now(),
    )
    assert accounts.find("a.physio@example.com") == (made, HASH)
    assert accounts.find("b.physio@example.com") is None


def test_a_name_is_one_name_however_it_is_typed(accounts: Accounts, add: Add) -> None:
    made = add("Reception")
    assert made.name == "reception"
    for typed in ("reception", "RECEPTION", " Reception "):
        assert named(accounts, typed) == made
        with pytest.raises(NotPossible, match="There is an account reception already"):
            add(typed)
    accounts.disable("rEcePtion", made.created_at)
    assert named(accounts, "reception").disabled
    assert len(accounts.all()) == 1


@pytest.mark.parametrize(
    "name", ["", "x", "x" * 65, "front desk", "rené", "a/b", "a\x00b", "mary\n jones", "<b>", "a:b"]
)
def test_a_name_that_will_not_do_is_refused_and_never_found(accounts: Accounts, add: Add, name: str) -> None:
    with pytest.raises(NotPossible, match="An account's name takes 2 to 64 letters"):
        add(name)
    assert (accounts.find(name), accounts.all()) == (None, [])


@pytest.mark.parametrize("name", ["jo", "x" * 64, "a.physio@example.com", "desk_2-b"])
def test_a_name_of_letters_digits_and_a_few_signs_will_do(accounts: Accounts, add: Add, name: str) -> None:
    assert add(name) == named(accounts, name)


@pytest.mark.parametrize(
    ("role", "of", "problem"),
    [
        (Role.CLINICIAN, None, "say which clinician"),
        (Role.DESK, "physio-1", "no sessions of its own"),
        (Role.CLINICIAN, "physio-1", None),
        (Role.ADMIN, "physio-1", None),
        (Role.ADMIN, None, None),
        (Role.DESK, None, None),
    ],
)
def test_sessions_of_their_own_are_a_clinicians_perhaps_an_admins_never_the_desks(
    accounts: Accounts, add: Add, role: Role, of: str | None, problem: str | None
) -> None:
    if problem is None:
        assert add("somebody", role, of=of).heidi_user_id == of
        return
    with pytest.raises(NotPossible, match=problem):
        add("somebody", role, of=of)
    assert accounts.all() == []


@pytest.mark.parametrize(("role", "of"), [("clinician", None), ("desk", "physio-1"), ("owner", None)])
def test_not_even_the_database_takes_a_role_that_does_not_fit(
    engine: Engine, add: Add, role: str, of: str | None
) -> None:
    add("reception")
    with pytest.raises(LedgerError, match="promise"), writing(engine) as db:
        db.execute(sa.update(AccountRow).values(role=role, heidi_user_id=of))


def test_all_accounts_are_listed_by_name_with_the_disabled_ones(accounts: Accounts, add: Add, clock: TestClock) -> None:
    for name in ("reception", "ada", "manager"):
        add(name)
    accounts.disable("manager", clock.now())
    assert [(one.name, one.disabled) for one in accounts.all()] == [
        ("ada", False),
        ("manager", True),
        ("reception", False),
    ]


def test_disabling_again_keeps_the_first_time_and_enabling_undoes_it(
    accounts: Accounts, add: Add, engine: Engine, clock: TestClock
) -> None:
    add("reception")
    first = clock.now()
    for _ in range(2):
        accounts.disable("reception", clock.now())
        clock.advance(3600)
    with reading(engine) as db:
        assert db.execute(sa.select(AccountRow.disabled_at)).scalar() == first
    accounts.enable("reception")
    assert not named(accounts, "reception").disabled


def test_a_new_password_takes_the_place_of_the_old_one(accounts: Accounts, add: Add) -> None:
    made = add("reception")
    accounts.set_password("reception", "$argon2id$another")
    assert accounts.find("reception") == (made, "$argon2id$another")


Change = Callable[[Accounts, TestClock], None]
CHANGES: dict[str, Change] = {
    "disable": lambda accounts, clock: accounts.disable("nobody", clock.now()),
    "enable": lambda accounts, _: accounts.enable("nobody"),
    "set password": lambda accounts, _: accounts.set_password("nobody", HASH),
    "demand": lambda accounts, _: accounts.demand_second_factor("nobody", True),
    "no longer demand": lambda accounts, _: accounts.demand_second_factor("nobody", False),
    "enrol": lambda accounts, _: accounts.set_totp_secret(999, SECRET),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_account_that_there_is_not_cannot_be_changed(
    accounts: Accounts, add: Add, clock: TestClock, change: str
) -> None:
    made = add("reception")
    with pytest.raises(NotPossible, match=r"no such account: `sync-worker users list`"):
        CHANGES[change](accounts, clock)
    assert accounts.find("reception") == (made, HASH)


@pytest.mark.parametrize("name", ["", "front desk", "a\x00b", "a\udcffb"])
def test_a_name_that_nobody_can_have_cannot_be_changed_either(accounts: Accounts, name: str) -> None:
    with pytest.raises(NotPossible, match="no such account"):
        accounts.set_password(name, HASH)


# ---------------------------------------------------------------- second factors


def test_a_device_is_enrolled_forgotten_and_never_shown(accounts: Accounts, add: Add) -> None:
    made = add("ada", Role.ADMIN, factor=True)
    accounts.set_totp_secret(made.account_id, SECRET)
    enrolled = named(accounts, "ada")
    assert (enrolled.totp_secret, enrolled.wants_second_factor) == (SECRET, True)
    assert SECRET not in repr(enrolled)
    accounts.demand_second_factor("ada", False)
    assert (named(accounts, "ada").wants_second_factor, named(accounts, "ada").totp_secret) == (False, SECRET)
    accounts.set_totp_secret(made.account_id, None)
    assert named(accounts, "ada").totp_secret is None


def test_a_code_counts_once_and_no_older_one_after_it(accounts: Accounts, add: Add) -> None:
    ada, bo = add("ada", Role.ADMIN), add("bo", Role.ADMIN)
    uses = [accounts.use_totp_step(ada.account_id, step) for step in (58_000_000, 58_000_000, 57_999_999, 58_000_001)]
    assert uses == [True, False, False, True]
    assert accounts.use_totp_step(bo.account_id, 58_000_000)  # another person's code is another code
    assert not accounts.use_totp_step(999, 58_000_000)


def test_of_two_browsers_that_send_one_code_at_one_moment_one_gets_in(
    engine: Engine, accounts: Accounts, add: Add
) -> None:
    ada, answers = add("ada", Role.ADMIN), []

    def rival() -> None:
        answers.append(accounts.use_totp_step(ada.account_id, 58_000_000))

    with cutting_in(engine, "UPDATE accounts", rival) as raised:
        answers.append(accounts.use_totp_step(ada.account_id, 58_000_000))
    assert (sorted(answers), raised) == ([False, True], [])


def test_a_new_devices_first_code_counts_whatever_the_old_device_was_used_for(accounts: Accounts, add: Add) -> None:
    ada = add("ada", Role.ADMIN)
    accounts.set_totp_secret(ada.account_id, SECRET)
    accounts.use_totp_step(ada.account_id, 58_000_000)
    accounts.set_totp_secret(ada.account_id, "ANOTHERDEVICE")
    assert accounts.use_totp_step(ada.account_id, 58_000_000)


# ---------------------------------------------------------------- logins


def test_a_login_says_who_it_is_and_how(logins: Logins, add: Add, clock: TestClock) -> None:
    ada = add("ada", Role.CLINICIAN, of="physio-1")
    token = logins.begin(ada.account_id, clock.now(), second_factor_passed=True)
    login = logins.find(token, clock.now())
    assert login is not None
    assert (login.account, login.second_factor_passed) == (ada, True)
    assert (login.began_at, login.seen_at) == (clock.now(), clock.now())
    assert len(login.csrf_token) >= 43
    assert login.csrf_token not in repr(login)
    half_way = logins.find(logins.begin(ada.account_id, clock.now(), second_factor_passed=False), clock.now())
    assert half_way is not None
    assert not half_way.second_factor_passed
    assert half_way.csrf_token != login.csrf_token


@pytest.mark.parametrize("token", ["", "x", "made up", "'; DROP TABLE logins", "\x00", "\udcff", "x" * 100_000])
def test_a_token_that_nobody_was_given_is_nobodys(logins: Logins, add: Add, clock: TestClock, token: str) -> None:
    logins.begin(add().account_id, clock.now(), second_factor_passed=False)
    assert logins.find(token, clock.now()) is None
    logins.end(token)


def test_the_ledger_holds_a_tokens_hash_and_nowhere_the_token(
    engine: Engine, logins: Logins, add: Add, clock: TestClock
) -> None:
    token = logins.begin(add().account_id, clock.now(), second_factor_passed=False)
    with reading(engine) as db:
        assert db.execute(sa.select(LoginRow.token_hash)).scalars().all() == [hashlib.sha256(token.encode()).digest()]
        held = repr([db.execute(sa.select(table)).all() for table in Base.metadata.tables.values()])
    assert token not in held


def test_a_login_that_nobody_uses_ends_after_half_an_hour(logins: Logins, add: Add, clock: TestClock) -> None:
    token = logins.begin(add().account_id, clock.now(), second_factor_passed=False)
    clock.advance(IDLE.total_seconds())
    assert logins.find(token, clock.now()) is not None  # which is a use of it
    clock.advance(IDLE.total_seconds() + 1)
    assert logins.find(token, clock.now()) is None
    assert timedelta(minutes=30) == IDLE


def test_a_login_ends_after_twelve_hours_however_much_it_is_used(logins: Logins, add: Add, clock: TestClock) -> None:
    assert timedelta(hours=12) == LONGEST
    token, began_at = logins.begin(add().account_id, clock.now(), second_factor_passed=False), clock.now()
    while clock.now() - began_at < LONGEST:
        clock.advance(600)
        assert logins.find(token, clock.now()) is not None
    clock.advance(1)
    assert logins.find(token, clock.now()) is None


def test_a_clock_that_was_ahead_once_does_not_make_a_login_last(logins: Logins, add: Add, clock: TestClock) -> None:
    account_id = add().account_id
    token = logins.begin(account_id, clock.now() + timedelta(days=365), second_factor_passed=False)
    assert logins.find(token, clock.now()) is None
    slightly = logins.begin(account_id, clock.now() + timedelta(seconds=40), second_factor_passed=False)
    assert logins.find(slightly, clock.now()) is not None


def test_reading_pages_writes_at_most_once_a_minute(engine: Engine, logins: Logins, add: Add, clock: TestClock) -> None:
    token = logins.begin(add().account_id, clock.now(), second_factor_passed=False)
    written: list[str] = []

    def note(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("SELECT", "BEGIN")):
            written.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        for _ in range(120):  # a page each second for two minutes
            clock.advance(1)
            assert logins.find(token, clock.now()) is not None
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert [statement.split()[0] for statement in written] == ["UPDATE", "UPDATE"]
    assert timedelta(minutes=1) == NOTICED


def test_leaving_ends_this_login_and_no_other(logins: Logins, add: Add, clock: TestClock) -> None:
    account_id = add().account_id
    left, other = (logins.begin(account_id, clock.now(), second_factor_passed=False) for _ in range(2))
    logins.end(left)
    logins.end(left)
    assert (logins.find(left, clock.now()), logins.find(other, clock.now()) is not None) == (None, True)


ENDING: dict[str, Callable[[Accounts, Account, TestClock], None]] = {
    "disabled": lambda accounts, ada, clock: accounts.disable(ada.name, clock.now()),
    "another password": lambda accounts, ada, _: accounts.set_password(ada.name, "$argon2id$another"),
    "second factor demanded": lambda accounts, ada, _: accounts.demand_second_factor(ada.name, True),
    "second factor no longer": lambda accounts, ada, _: accounts.demand_second_factor(ada.name, False),
    "device forgotten": lambda accounts, ada, _: accounts.set_totp_secret(ada.account_id, None),
}


@pytest.mark.parametrize("what", ENDING)
def test_what_is_taken_from_an_account_ends_its_logins_and_nobody_elses(
    accounts: Accounts, logins: Logins, add: Add, clock: TestClock, what: str
) -> None:
    ada, bo = add("ada", Role.ADMIN), add("bo", Role.ADMIN)
    hers = [logins.begin(ada.account_id, clock.now(), second_factor_passed=False) for _ in range(2)]
    his = logins.begin(bo.account_id, clock.now(), second_factor_passed=False)
    ENDING[what](accounts, ada, clock)
    assert [logins.find(token, clock.now()) for token in hers] == [None, None]
    assert logins.find(his, clock.now()) is not None
    accounts.enable("ada")  # and they stay ended
    assert [logins.find(token, clock.now()) for token in hers] == [None, None]


def test_enrolling_a_device_leaves_its_person_logged_in(
    accounts: Accounts, logins: Logins, add: Add, clock: TestClock
) -> None:
    ada = add("ada", Role.ADMIN)
    token = logins.begin(ada.account_id, clock.now(), second_factor_passed=False)
    accounts.set_totp_secret(ada.account_id, SECRET)
    assert logins.find(token, clock.now()) is not None


def test_nobody_logs_in_by_a_disabled_account(accounts: Accounts, logins: Logins, add: Add, clock: TestClock) -> None:
    ada = add("ada", Role.ADMIN)
    accounts.disable("ada", clock.now())
    for account_id in (ada.account_id, 999):
        with pytest.raises(NotPossible, match="disabled"):
            logins.begin(account_id, clock.now(), second_factor_passed=True)
    accounts.enable("ada")
    assert logins.find(logins.begin(ada.account_id, clock.now(), second_factor_passed=True), clock.now()) is not None


def test_a_password_that_was_changed_while_it_was_checked_logs_nobody_in(
    accounts: Accounts, logins: Logins, add: Add, clock: TestClock
) -> None:
    ada = add("ada", Role.ADMIN)

    def begin(*, second_factor_passed: bool) -> str:
        now = clock.now()
        return logins.begin(ada.account_id, now, second_factor_passed=second_factor_passed, password_hash=HASH)

    begin(second_factor_passed=True)
    accounts.demand_second_factor("ada", wanted=True)
    with pytest.raises(NotPossible, match="changed this very moment"):
        begin(second_factor_passed=True)
    begin(second_factor_passed=False)
    accounts.set_password("ada", "$argon2id$another")
    with pytest.raises(NotPossible, match="changed this very moment"):
        begin(second_factor_passed=False)


@pytest.mark.parametrize("statement", ["FROM accounts", "INSERT INTO logins"])
def test_a_login_that_begins_while_its_password_is_changed_is_over(
    engine: Engine, accounts: Accounts, logins: Logins, add: Add, clock: TestClock, statement: str
) -> None:
    ada, tokens = add("ada", Role.ADMIN), []
    changing = cutting_in(engine, statement, lambda: accounts.set_password("ada", "$argon2id$another"))
    with changing as raised, suppress(NotPossible):  # where the change came first
        tokens.append(logins.begin(ada.account_id, clock.now(), second_factor_passed=True, password_hash=HASH))
    assert raised == []
    assert [logins.find(token, clock.now()) for token in tokens] in ([], [None])


@pytest.mark.parametrize("statement", ["FROM accounts", "INSERT INTO logins"])
def test_a_login_that_begins_while_its_account_is_disabled_does_not_come_back_with_it(
    engine: Engine, accounts: Accounts, logins: Logins, add: Add, clock: TestClock, statement: str
) -> None:
    ada, tokens = add("ada", Role.ADMIN), []
    disabling = cutting_in(engine, statement, lambda: accounts.disable("ada", clock.now()))
    with disabling as raised, suppress(NotPossible):  # where disabling came first
        tokens.append(logins.begin(ada.account_id, clock.now(), second_factor_passed=True))
    assert raised == []
    accounts.enable("ada")
    assert [logins.find(token, clock.now()) for token in tokens] in ([], [None])


def test_a_login_that_is_ended_while_it_is_read_is_over(
    engine: Engine, logins: Logins, add: Add, clock: TestClock
) -> None:
    ada = add("ada", Role.ADMIN)
    token = logins.begin(ada.account_id, clock.now(), second_factor_passed=True)
    clock.advance(NOTICED.total_seconds())
    before_ours = "BEGIN" if engine.dialect.name == "sqlite" else "UPDATE logins"
    with cutting_in(engine, before_ours, lambda: logins.end(token)) as raised:
        assert logins.find(token, clock.now()) is None
    assert raised == []


def test_logins_that_are_over_are_forgotten_and_the_others_kept(
    engine: Engine, logins: Logins, add: Add, clock: TestClock
) -> None:
    account_id = add().account_id
    old = logins.begin(account_id, clock.now(), second_factor_passed=False)
    ahead = logins.begin(account_id, clock.now() + timedelta(days=365), second_factor_passed=False)
    clock.advance(IDLE.total_seconds() + 1)
    current = logins.begin(account_id, clock.now(), second_factor_passed=False)
    logins.purge(clock.now())
    assert [logins.find(token, clock.now()) is not None for token in (old, ahead, current)] == [False, False, True]
    with reading(engine) as db:
        assert db.execute(sa.select(sa.func.count(LoginRow.id))).scalar() == 1


# ---------------------------------------------------------------- a ledger that was moved away


def test_nobody_logs_in_to_a_ledger_that_was_moved_away(
    engine: Engine, accounts: Accounts, logins: Logins, add: Add, clock: TestClock
) -> None:
    ada = add("ada", Role.ADMIN)
    token = logins.begin(ada.account_id, clock.now(), second_factor_passed=True)
    with writing(engine) as db:
        db.execute(sa.text("UPDATE installation SET retired_at = created_at"))
    clock.advance(NOTICED.total_seconds())
    for attempt in (
        lambda: logins.begin(ada.account_id, clock.now(), second_factor_passed=True),
        lambda: logins.find(token, clock.now()),
        lambda: accounts.set_password("ada", "$argon2id$another"),
        lambda: accounts.use_totp_step(ada.account_id, 1),
        lambda: add("bo"),
    ):
        with pytest.raises(LedgerMismatch, match="was moved to another database"):
            attempt()
    assert accounts.find("ada") == (ada, HASH)


def test_the_longest_names_and_hashes_fit_their_columns(accounts: Accounts, add: Add) -> None:
    made = add("x" * 64, Role.CLINICIAN, of="y" * 255)
    accounts.set_password(made.name, hash_password("ferry basalt ninepin omelette"))
    accounts.set_totp_secret(made.account_id, new_totp_secret())
    assert named(accounts, made.name).heidi_user_id == made.heidi_user_id
