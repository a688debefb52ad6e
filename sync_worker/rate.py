"""How often Cliniko is asked: at most so many requests of one user in any minute, and who waits when there are none.

The policy alone. Where it is written down what left, is a `Book`: in memory for one process, in the ledger where
several work for the same user.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from sync_worker.clock import Clock
from sync_worker.errors import RateLimited

LONGEST_BLOCK_SECONDS = 120.0
"""A reset stamp further away is a skewed clock's doing: it must not stop a user's traffic for an hour."""
WINDOW_SECONDS = 60.5
"""The service's minute, and half a second more: it counts when requests arrive, and some travel longer than others."""
LEFT_FOR_THE_TURN = 2
"""Places that reading ahead leaves free: the next note's own, and one for a chart that must be read again."""
LEAST_PLACES_AHEAD = 20
"""Of a smaller budget nothing is read ahead: charts would be too old at their notes' turn, and be read twice."""


@dataclass(slots=True)
class Page:
    """What one user sent: when each request of the last minute left, oldest first, and until when none may."""

    sent: deque[float] = field(default_factory=deque)
    blocked_until: float = 0.0


class Book(Protocol):
    """Where a user's page is kept."""

    def now(self) -> float:
        """Seconds, on the clock that the page's times are read from."""
        ...

    def opened(self) -> AbstractContextManager[Page]:
        """The page, for whoever opened it alone until the block ends; what was changed on it is kept."""
        ...

    def read(self) -> Page:
        """A copy of the page as it is."""
        ...


class MemoryBook:
    """A page in this process's memory, by its monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._page = Page()
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return self._clock.monotonic()

    @contextmanager
    def opened(self) -> Iterator[Page]:
        """The page, one thread at a time."""
        with self._lock:
            yield self._page

    def read(self) -> Page:
        """A copy of the page."""
        with self._lock:
            return Page(deque(self._page.sent), self._page.blocked_until)


class RateBudget:
    """At most `per_minute` requests in any minute, and none while the service told us to wait. Thread-safe.

    Shared by whatever uses the same user's key.
    """

    def __init__(self, per_minute: int, clock: Clock, book: Book | None = None) -> None:
        """`book` is where the requests are written down; without one, in this process's memory."""
        self._places = per_minute
        self._clock = clock
        self._book = book or MemoryBook(clock)

    def take(self) -> None:
        """Wait for a place, and take it. Raises `Stopping` if the process is asked to stop meanwhile."""
        while (wait := self._try()) > 0:
            self._clock.sleep(wait)

    def wait(self) -> None:
        """Wait until there is a place, without taking it. Raises `Stopping` as `take` does."""
        while (wait := self._try(peek=True)) > 0:
            self._clock.sleep(wait)

    def block(self, seconds: float) -> float:
        """Let nothing out for this long (capped); gives back the seconds it will really be."""
        seconds = min(max(seconds, 0.0), LONGEST_BLOCK_SECONDS)
        with self._book.opened() as page:
            page.blocked_until = max(page.blocked_until, self._book.now() + seconds)
        return seconds

    def take_to_spare(self) -> bool:
        """Take a place if a third of the minute's places is free; whether there was one."""
        return self._take_one_of(-(-self._places // 3))

    def take_ahead(self) -> bool:
        """Take a place for what will be asked soon anyway, if the next turn finds its own all the same."""
        return self._places >= LEAST_PLACES_AHEAD and self._take_one_of(LEFT_FOR_THE_TURN + 1)

    def left(self) -> int:
        """How many requests may go out at once; 0 while the service told us to wait."""
        page = self._book.read()
        return self._free(page, self._book.now())

    def _take_one_of(self, least_free: int) -> bool:
        """Take a place at once if at least so many are free."""
        with self._book.opened() as page:
            now = self._book.now()
            if self._free(page, now) < least_free:
                return False
            page.sent.append(now)
            return True

    def _try(self, *, peek: bool = False) -> float:
        """Take a place, or say how many seconds there will be none."""
        with self._book.opened() as page:
            now = self._book.now()
            is_full = self._taken(page, now) >= self._places
            free_at = page.sent[-self._places] + WINDOW_SECONDS if is_full else now
            wait = max(page.blocked_until, free_at) - now
            if wait <= 0 and not peek:
                page.sent.append(now)
            return wait

    def _free(self, page: Page, now: float) -> int:
        taken = self._taken(page, now)
        return 0 if now < page.blocked_until else max(0, self._places - taken)

    @staticmethod
    def _taken(page: Page, now: float) -> int:
        """How many left within the minute; what is older is struck out."""
        while page.sent and now - page.sent[0] >= WINDOW_SECONDS:
            page.sent.popleft()
        return len(page.sent)


class _Yielding:
    """A user's budget for those who never make its owner wait."""

    def __init__(self, budget: RateBudget, service: str) -> None:
        self._budget = budget
        self._service = service

    def wait(self) -> None:
        """Never wait: who uses this does not write."""

    def block(self, seconds: float) -> float:
        """Let nothing out for this long, the owner's requests included: the service told us so."""
        return self._budget.block(seconds)

    def _require(self, has_place: bool) -> None:
        if not has_place:
            hint = f"{self._service.capitalize()} is busy with filing: look again in a minute."
            raise RateLimited(self._service, "rate_budget", hint=hint)


class SpareBudget(_Yielding):
    """For pages: they get what is to spare, or hear at once that nothing is. A last third is the owner's alone."""

    def take(self) -> None:
        """Take a place. Raises `RateLimited` where none is to spare."""
        self._require(self._budget.take_to_spare())


class AheadBudget(_Yielding):
    """For reading ahead of the notes in line: as long as the next note itself finds a place."""

    def take(self) -> None:
        """Take a place. Raises `RateLimited` where the owner will need the last ones."""
        self._require(self._budget.take_ahead())


Budget = RateBudget | SpareBudget | AheadBudget
