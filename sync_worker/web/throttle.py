"""How often somebody may try to log in: five times a minute for each account and each address. In memory only.

A restart forgets it, which costs a guesser nothing that counts: a password is slow to check as it is.
"""

import threading
from collections import deque

from sync_worker.clock import Clock

TRIES, WINDOW_SECONDS = 5, 60.0
MOST_KEPT = 10_000
"""Names that are guessed at are kept no longer than the window, and never more than this many."""


class Throttle:
    """Counts tries. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: dict[tuple[str, str], deque[float]] = {}
        self._lock = threading.Lock()

    def allows(self, *, name: str, address: str) -> bool:
        """Whether one more try may be made now, which is then counted.

        A refused one is not: else whoever knows a name could lock its owner out for good.
        """
        now = self._clock.monotonic()
        with self._lock:
            if len(self._tries) > MOST_KEPT:
                self._forget(now)
            tries = [self._of(key, now) for key in _keys(name, address)]
            if any(len(one) >= TRIES for one in tries):
                return False
            for one in tries:
                one.append(now)
            return True

    def give_back(self, *, name: str, address: str) -> None:
        """The try was a good one: a practice behind one address comes to work within a minute."""
        with self._lock:
            for key in _keys(name, address):
                if tries := self._tries.get(key):
                    tries.pop()

    def _of(self, key: tuple[str, str], now: float) -> deque[float]:
        tries = self._tries.setdefault(key, deque())
        while tries and now - tries[0] >= WINDOW_SECONDS:
            tries.popleft()
        return tries

    def _forget(self, now: float) -> None:
        old = [key for key, tries in self._tries.items() if not tries or now - tries[-1] >= WINDOW_SECONDS]
        for key in old:
            del self._tries[key]


def _keys(name: str, address: str) -> list[tuple[str, str]]:
    return [("account", name.casefold()), *([("address", address)] if address else [])]
