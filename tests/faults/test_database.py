"""The short form of `tests/faults/database.py`."""

from collections.abc import Iterator

import pytest

from tests.faults import database
from tests.faults.database import FAULTS, a_postgres_database, places, tell


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """A migrated ledger of each kind; None is an SQLite file of each story's own."""
    if request.param == "sqlite":
        yield None
        return
    if request.getfixturevalue("postgres_server") is None:
        pytest.skip("no Postgres server answers or can be started")
    with a_postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.mark.proof
def test_a_database_that_fails_at_any_write_costs_neither_a_note_nor_the_truth(ledger_url: str | None) -> None:
    words = database.statements(ledger_url)
    told = 0
    for shift, fault in enumerate(FAULTS):
        # few places of each fault, and other ones of each, since every story takes a while; the long form takes all
        for at in list(places(words, fault, every=1, writes_only=True))[shift * 7 :: 60]:
            told += 1
            lasting = bool(at % 2)
            assert tell(ledger_url, at=at, fault=fault, lasting=lasting)[0] == [], (fault, at, words[at - 1], lasting)
    assert told >= len(FAULTS)


@pytest.mark.proof
def test_a_server_that_answers_nothing_for_a_while_does_not_keep_the_locks_from_us(postgres_server: str | None) -> None:
    if postgres_server is None:
        pytest.skip("no Postgres server answers or can be started")
    with a_postgres_database(postgres_server) as url:
        _, trap = tell(url)
        broken, _ = tell(url, at=trap.locks_asked[0], fault="locked", lasting=True)
    assert broken == []
