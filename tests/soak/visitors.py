"""People, and monitoring, who look at the worker's page now and then, while it works."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from random import Random
from types import TracebackType
from typing import Self

import httpx

from tests.web.house import PASSWORD, Person

ADDRESSES = ("/", "/review", "/history", "/history?status=posted", "/healthz", "/readyz", "/metrics")


class Visitors:
    """Logged-in people, from entering the block to leaving it; one of them opens a page every so many seconds."""

    def __init__(
        self, url: str, names: Sequence[str], *, every: float, random: Random, more: Callable[[], Sequence[str]]
    ) -> None:
        """`more` tells further addresses: of entries and patients that there are by now."""
        self.answers: Counter[int] = Counter()
        self._people = {name: Person(url) for name in names}
        for person in self._people.values():
            person.client.headers["Connection"] = "close"  # between two visits the worker's handles are its own
        self._every = every
        self._random = random
        self._more = more
        self._waiting: deque[str] = deque()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._look_around, name="visitors")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leaving.set()
        self._thread.join()
        for person in self._people.values():
            person.client.close()

    def open_all(self) -> None:
        """Let the first of them open every page soon, so that whatever is made once for a page is made."""
        self._waiting.extend(self._more())

    def _look_around(self) -> None:
        while not self._leaving.is_set():
            while self._waiting:
                name = next(iter(self._people))
                self.answers[self._look(name, self._people[name], self._waiting.popleft())] += 1
            name = self._random.choice(list(self._people))
            path = self._random.choice([*ADDRESSES, *self._more()])
            self.answers[self._look(name, self._people[name], path)] += 1
            self._leaving.wait(self._random.uniform(0.5, 1.5) * self._every)

    @staticmethod
    def _look(name: str, person: Person, path: str) -> int:
        """Open a page, logging in where the login is over; its status, 0 where no answer came."""
        try:
            page = person.get(path)
            if page.url.path == "/login":
                page = person.press("Log in", name=name, password=PASSWORD)
        except httpx.HTTPError:
            return 0
        return page.status_code
