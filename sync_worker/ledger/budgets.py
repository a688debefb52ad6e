"""The page of a Cliniko user's rate budget, kept in the ledger: for workers that ask by the same key.

Needs Postgres: its row lock is what lets one request after another take its place, and its clock is the one that all
of them go by. Each request costs a transaction of one small row, and none waits for the server's disk: what a crash of
the server forgets is less than a second's worth of places.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Double, Engine, Row, bindparam, cast, extract, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from sync_worker.clock import Clock
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import BudgetRow
from sync_worker.rate import LONGEST_BLOCK_SECONDS, WINDOW_SECONDS, Page

Found = Row[Any, Any, Any]
"""A page's stamps and block, and the database's time."""


class LedgerBook:
    """One user's page in the ledger. Thread-safe. Every method but `now` raises `LedgerUnavailable`.

    The database's clock may be set: a stamp that lies in its future counts as one of now.
    """

    def __init__(self, engine: Engine, key_hash: bytes, clock: Clock) -> None:
        """`key_hash` is the key's, under the installation's own key: whoever shares the one shares the page."""
        self._engine = engine
        self._key = {"of_key": key_hash}
        self._clock = clock
        self._ahead = 0.0
        """How far the database's clock was ahead of our monotonic one when the page was last looked at."""
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds, on the database's clock."""
        with self._lock:
            return self._clock.monotonic() + self._ahead

    @contextmanager
    def opened(self) -> Iterator[Page]:
        """The page, one request of one worker at a time."""
        with writing(self._engine) as db:
            found = self._locked(db)
            page = self._page_of(found)
            yield page
            if (list(page.sent), page.blocked_until) != (found[0], found[1]):
                self._write(db, page)

    def read(self) -> Page:
        """A copy of the page; an empty one where nobody asked anything yet."""
        with reading(self._engine) as db:
            row = db.execute(_READ, self._key).one_or_none()
        return self._page_of(row) if row is not None else Page()

    def _locked(self, db: Connection) -> Found:
        """The row, ours until the commit; made at first use."""
        db.execute(_OFF_THE_DISK)
        row = db.execute(_LOCKED, self._key).one_or_none()
        if row is None:
            values = {"key_hash": self._key["of_key"], "sent": [], "blocked_until": 0.0}
            db.execute(insert(BudgetRow).values(**values).on_conflict_do_nothing())
            row = db.execute(_LOCKED, self._key).one()
        return row

    def _page_of(self, row: Found) -> Page:
        sent, blocked_until, now = row
        with self._lock:
            self._ahead = now - self._clock.monotonic()
        return Page(deque(min(stamp, now) for stamp in sent), min(blocked_until, now + LONGEST_BLOCK_SECONDS))

    def _write(self, db: Connection, page: Page) -> None:
        """Keep the last minute's stamps alone, to the millisecond: the row stays small."""
        oldest = self.now() - WINDOW_SECONDS
        kept = [round(stamp, 3) for stamp in page.sent if stamp > oldest]
        db.execute(_WRITE, {**self._key, "new_sent": kept, "new_block": page.blocked_until})


_OFF_THE_DISK = text("SET LOCAL synchronous_commit = off")
_OF_KEY = BudgetRow.key_hash == bindparam("of_key")
_NOW = cast(extract("epoch", func.clock_timestamp()), Double)
_PAGE = select(BudgetRow.sent, BudgetRow.blocked_until).where(_OF_KEY)
# the time is asked once the row is ours: whoever waited for it must not go by the time before
_HELD = _PAGE.with_for_update().cte("held")
_LOCKED = select(_HELD.c.sent, _HELD.c.blocked_until, _NOW)
_READ = _PAGE.add_columns(_NOW)
_WRITE = update(BudgetRow).where(_OF_KEY).values(sent=bindparam("new_sent"), blocked_until=bindparam("new_block"))
