"""One rate budget for several workers: its page lies in the ledger, and its time is the database's."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from sync_worker.clients import cliniko_client
from sync_worker.errors import LedgerUnavailable
from sync_worker.ledger import Ledger
from sync_worker.ledger.budgets import LedgerBook
from sync_worker.ledger.storage import open_engine, reading, writing
from sync_worker.model import Note, NoteContent, NotSent, Question, Section
from sync_worker.rate import LONGEST_BLOCK_SECONDS, RateBudget
from sync_worker.settings import load_settings
from tests.conftest import TestClock

pytestmark = pytest.mark.postgres
KEY = bytes(32)
NOTE = Note("1", "Letter", NoteContent((Section((Question("Plan", answer="<p>Rest.</p>"),)),)), booking_id=None)


@pytest.fixture
def budget(postgres_ledger_url: str, clock: TestClock) -> RateBudget:
    return budget_of(postgres_ledger_url, clock)


def budget_of(url: str, clock: TestClock, *, key: bytes = KEY, places: int = 9) -> RateBudget:
    """A budget as another process would have it: on connections of its own."""
    return RateBudget(places, clock, LedgerBook(open_engine(url), key, clock))


def stored(url: str) -> tuple[list[float], float]:
    with reading(open_engine(url)) as db:
        row = db.execute(text("SELECT sent, blocked_until FROM budgets")).one()
    return row.sent, row.blocked_until


def test_who_shares_a_key_shares_its_places_and_nobody_else(postgres_ledger_url: str, clock: TestClock) -> None:
    one, other = budget_of(postgres_ledger_url, clock), budget_of(postgres_ledger_url, clock)
    strangers = budget_of(postgres_ledger_url, clock, key=bytes(range(32)))
    for taking in (one, other, one):
        taking.take()
    assert (one.left(), other.left(), strangers.left()) == (6, 6, 9)


def test_nobody_has_used_anything_before_the_first_request(budget: RateBudget) -> None:
    assert budget.left() == 9


def test_twenty_threads_of_two_workers_take_no_place_twice(postgres_ledger_url: str, clock: TestClock) -> None:
    workers = [budget_of(postgres_ledger_url, clock, places=22) for _ in range(2)]
    with ThreadPoolExecutor(20) as pool:
        taken = list(pool.map(lambda number: workers[number % 2].take_ahead(), range(60)))
    assert sum(taken) == 20  # two are left for the turn
    assert workers[0].left() == 2


def test_a_wait_that_one_worker_was_told_holds_for_all(postgres_ledger_url: str, clock: TestClock) -> None:
    one, other = budget_of(postgres_ledger_url, clock), budget_of(postgres_ledger_url, clock)
    assert one.block(30) == 30
    assert other.left() == 0
    assert not other.take_to_spare()


def test_what_is_older_than_a_minute_is_forgotten(budget: RateBudget, postgres_ledger_url: str) -> None:
    set_page(postgres_ledger_url, sent_before=[3600.0] * 500 + [61.0, 1.0], blocked_for=-5.0)
    assert budget.left() == 8
    budget.take()
    assert len(stored(postgres_ledger_url)[0]) == 2


def test_a_database_whose_clock_was_set_back_keeps_nobody_waiting_for_an_hour(
    budget: RateBudget, postgres_ledger_url: str, clock: TestClock
) -> None:
    set_page(postgres_ledger_url, sent_before=[-3600.0] * 8, blocked_for=3600.0)
    assert budget.left() == 0
    budget.block(0)
    sent, blocked_until = stored(postgres_ledger_url)
    now = datetime.now(UTC).timestamp()
    assert all(stamp <= now for stamp in sent)
    assert blocked_until <= now + LONGEST_BLOCK_SECONDS


def test_the_page_holds_times_and_a_hash_of_the_key_alone(ledger: Ledger, postgres_ledger_url: str) -> None:
    clock = TestClock()
    engine = open_engine(postgres_ledger_url)
    key_hash = ledger.keyed_hash("key-au1")
    RateBudget(9, clock, LedgerBook(engine, key_hash, clock)).take()
    with reading(engine) as db:
        row = db.execute(text("SELECT * FROM budgets")).one()._asdict()
    assert row.keys() == {"key_hash", "sent", "blocked_until"}
    assert bytes(row["key_hash"]) == key_hash
    assert all(isinstance(stamp, float) for stamp in row["sent"])


def test_a_restore_that_emptied_the_table_is_no_trouble(budget: RateBudget, postgres_ledger_url: str) -> None:
    budget.take()
    with writing(open_engine(postgres_ledger_url)) as db:
        db.execute(text("DELETE FROM budgets"))
    budget.take()
    assert budget.left() == 8


def test_a_request_that_finds_no_ledger_was_surely_not_sent(clock: TestClock) -> None:
    settings = load_settings(
        {
            "HEIDI_API_KEY": "heidi",
            "HEIDI_USER_EMAIL": "a@example.com",
            "HEIDI_USER_ID": "physio-1",
            "CLINIKO_API_KEY": "key-au1",
            "CLINIKO_CONTACT_EMAIL": "desk@example.com",
            "CLINIKO_BASE_URL": "http://127.0.0.1:9/",
        },
        env_file=None,
    )
    nowhere = open_engine("postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    budget = RateBudget(9, clock, LedgerBook(nowhere, KEY, clock))
    with pytest.raises(LedgerUnavailable):
        budget.take()
    client = cliniko_client(settings, settings.clinicians[0], clock, budget)
    assert client.create_treatment_note(NOTE, lambda: None) == NotSent("ledger_unavailable")


def set_page(url: str, *, sent_before: list[float], blocked_for: float) -> None:
    """A page on which requests left so many seconds before now, by the database's clock."""
    now = datetime.now(UTC).timestamp()  # the server is on this machine
    values = {
        "key": KEY,
        "sent": json.dumps([now - seconds for seconds in sent_before]),
        "until": now + blocked_for,
    }
    with writing(open_engine(url)) as db:
        db.execute(text("INSERT INTO budgets VALUES (:key, :sent, :until)"), values)
